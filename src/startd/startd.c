/* startd.c - the options of the daemon; see startd.h. */
#include "startd/startd.h"

#include "base/clock.h"
#include "loop/file.h"
#include "loop/listen.h"
#include "startd/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CERTS "/etc/ssl/certs" /* Debian's roots of trust */

static const char usage[] =
    "usage: startd --data DIR --run DIR [--http ADDR:PORT]... [--https ADDR:PORT]... [options]\n"
    "\n"
    "  --data DIR         what is kept: the state of the box\n"
    "  --run DIR          what is gone when it ends: rpc.sock, rpc.authcookie, ready\n"
    "  --http ADDR:PORT   a door without TLS; port 0: any. May be given several times\n"
    "  --https ADDR:PORT  a door with TLS, on the box's own certificate. May be given several times\n"
    "  --web DIR          another web page than the built-in one\n"
    "  --boot DIR         the boot partition: the claim code is shown there, and startbox-setup.json sets the box up\n"
    "  --origin URL       pages of this origin may call too; may be given several times\n"
    "  --user NAME        whom to become when started as root (startbox)\n"
    "  --no-claim         whoever comes first may set the box up, without its claim code\n"
    "  --trust-clock      the clock of this machine is right, whatever the kernel says\n"
    "  --machine          this instance owns the machine: its host name, its power, its keys\n"
    "  --ssh-keys FILE    with it: where the keys of ssh.add are written\n"
    "  --ephemeral        ends when its last local client has been gone for a while\n";

static int refuse(const char *why, const char *what) {
    fprintf(stderr, "startd: %s%s%s\n\n%s", why, what ? " " : "", what ? what : "", usage);
    return 2;
}

static int add_door(struct startd_options *o, const char *address, bool tls) {
    struct address a;
    struct err e = ERR_INIT;
    if (!address_read(slice_str(address), &a, &e)) return refuse(e.text, NULL);
    if (o->door_n == DOORS_MOST) return refuse("one address too many:", address);
    o->doors[o->door_n++] = (struct startd_door){address, tls};
    return 0;
}

static int add_origin(struct startd_options *o, const char *origin) {
    size_t used = strlen(o->origins), len = strlen(origin);
    bool good = strstr(origin, "://") && !strpbrk(origin, " \"\r\n") && origin[len - 1] != '/';
    if (!good) return refuse("an origin is of the form https://name or https://name:port, not", origin);
    if (used + 1 + len >= sizeof o->origins) return refuse("one origin too many:", origin);
    snprintf(o->origins + used, sizeof o->origins - used, "%s%s", used ? " " : "", origin);
    return 0;
}

static int read_option(struct startd_options *o, const char *word, const char *value) {
    if (!strcmp(word, "--data"))
        o->data = value;
    else if (!strcmp(word, "--run"))
        o->run = value;
    else if (!strcmp(word, "--http"))
        return add_door(o, value, false);
    else if (!strcmp(word, "--https"))
        return add_door(o, value, true);
    else if (!strcmp(word, "--web"))
        o->web = value;
    else if (!strcmp(word, "--boot"))
        o->boot = value;
    else if (!strcmp(word, "--ssh-keys"))
        o->ssh_keys = value;
    else if (!strcmp(word, "--user"))
        o->user = value;
    else if (!strcmp(word, "--origin"))
        return add_origin(o, value);
    else
        return refuse("there is no option", word);
    return 0;
}

static bool read_switch(struct startd_options *o, const char *word) {
    if (!strcmp(word, "--ephemeral")) return o->ephemeral = true;
    if (!strcmp(word, "--no-claim")) return o->no_claim = true;
    if (!strcmp(word, "--machine")) return o->machine = true;
    if (!strcmp(word, "--trust-clock")) return o->trust_clock = true;
    return false;
}

static int read_options(int argc, char **argv, struct startd_options *o) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!strcmp(word, "--help")) {
            fputs(usage, stdout);
            exit(0);
        }
        if (read_switch(o, word)) continue;
        if (i + 1 == argc) return refuse("want a value behind", word);
        int code = read_option(o, word, argv[++i]);
        if (code) return code;
    }
    if (!o->data || !o->run) return refuse("want --data and --run", NULL);
    return 0;
}

/* Which start of the machine this is, as journald names it: without dashes. */
static void read_boot_id(struct startd_options *o) {
    struct buf text;
    size_t n = 0;
    buf_init(&text, 65);
    file_read_path("/proc/sys/kernel/random/boot_id", 64, &text, NULL);
    for (size_t i = 0; i < text.len && n + 1 < sizeof o->boot_id; i++)
        if (text.ptr[i] != '-' && text.ptr[i] != '\n') o->boot_id[n++] = (char)text.ptr[i];
    buf_release(&text);
}

int startd_main(int argc, char **argv) {
    struct startd_options o = {.began_us = clock_mono_us(), .uid = (unsigned)getuid()};
    struct err e = ERR_INIT;
    int code = read_options(argc, argv, &o);
    if (code) return code;
    if (!file_make_dir(o.data, 0700, &e) || !file_make_dir(o.run, 0755, &e)) {
        fprintf(stderr, "startd: %s\n", e.text);
        return err_exit(e.code);
    }
    struct warden_root roots[5] = {{"data", o.data, true}, {"run", o.run, true}};
    unsigned n = 2;
    if (access(CERTS, R_OK) == 0) {
        o.certs = CERTS;
        roots[n++] = (struct warden_root){"certs", CERTS, false};
    }
    if (o.boot) roots[n++] = (struct warden_root){"boot", o.boot, true};
    if (o.web) roots[n++] = (struct warden_root){"web", o.web, false};
    read_boot_id(&o);
    const struct warden_config config = {.user = o.user ? o.user : "startbox",
                                         .roots = roots,
                                         .root_n = n,
                                         .reactor = daemon_run,
                                         .arg = &o,
                                         .log_root = "data",
                                         .log_folder = "logs",
                                         .machine = o.machine,
                                         .ssh_keys = o.ssh_keys};
    return warden_run(&config);
}
