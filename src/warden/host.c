/* host.c - see host.h. */
#include "warden/host.h"

#include "base/ascii.h"
#include "base/cur.h"
#include "base/hex.h"
#include "loop/file.h"
#include "warden/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LABEL_MOST 63
#define MS         30000
#define POWER_MS   60000 /* syncing a slow card */
#define PATH_MOST  4096
#define SYSTEMCTL  "/bin/systemctl"

static const struct warden_config *own_machine(const struct job_call *c, struct err *e) {
    const struct warden_config *config = c->facts;
    if (config->machine) return config;
    err_set(e, ERR_UNSUPPORTED, "this instance does not own the machine");
    return NULL;
}

/* Everything was done before the jail closed. */
static bool done(struct job_call *c, struct val *result, struct err *e) {
    (void)c;
    (void)e;
    *result = val_empty_map();
    return true;
}

/* --- the name --- */

bool host_name_check(struct slice name, struct err *e) {
    bool good = name.len > 0 && name.len <= LABEL_MOST;
    for (size_t i = 0; good && i < name.len; i++)
        good = ascii_is_alnum(name.ptr[i]) || (name.ptr[i] == '-' && i > 0 && i + 1 < name.len);
    return good ||
           err_set(e, ERR_INVALID, "want a name of 1 to %d letters, digits and -, which neither begins nor ends with -",
                   LABEL_MOST);
}

static bool keep_name(const char *etc, struct slice name, struct err *e) {
    char line[LABEL_MOST + 2];
    memcpy(line, name.ptr, name.len);
    line[name.len] = '\n';
    int dir = file_open_dir(etc, e);
    if (dir < 0) return false;
    umask(0);
    bool good = file_replace(dir, "hostname", slice_of(line, name.len + 1), 0644, e);
    close(dir);
    return good;
}

/* First the kernel's, which can be put back. */
static bool set_name(struct job_call *c, struct err *e) {
    const struct warden_config *config = own_machine(c, e);
    struct slice name = val_as_text(val_get(c->args, LIT("name")));
    char before[256];
    if (!config || !host_name_check(name, e)) return false;
    if (gethostname(before, sizeof before)) return err_os(e, ERR_UNKNOWN, errno, "asking for the machine's name");
    if (sethostname((const char *)name.ptr, name.len))
        return err_os(e, errno == EPERM ? ERR_AUTHORIZATION : ERR_UNKNOWN, errno, "naming the machine");
    if (keep_name(config->etc ? config->etc : "/etc", name, e)) return true;
    err_context(e, "the machine keeps its name");
    if (sethostname(before, strnlen(before, sizeof before))) err_context(e, "until its next start only");
    return false;
}

/* --- the power --- */

static _Noreturn void be_systemctl(bool reboot_it) {
    char program[] = SYSTEMCTL, off[] = "poweroff", again[] = "reboot", path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *const argv[] = {program, reboot_it ? again : off, NULL}, *const envp[] = {path, NULL};
    for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL); /* some are ignored here, and that would be inherited */
    execve(program, argv, envp);
    _exit(127);
}

static bool ask_systemd(bool reboot_it, struct err *e) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) be_systemctl(reboot_it);
    if (pid < 0) return err_os(e, ERR_UNKNOWN, errno, "making a process (systemctl)");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return err_os(e, ERR_UNKNOWN, errno, "waiting for systemctl");
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           err_set(e, ERR_UNKNOWN, "systemctl refused, with %s %d: the log has its reason",
                   WIFEXITED(status) ? "code" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static bool power(bool reboot_it, struct err *e) {
    struct stat st;
    if (geteuid() != 0) return err_set(e, ERR_AUTHORIZATION, "only root may switch the machine off");
    sync();
    if (stat("/run/systemd/system", &st) == 0) return ask_systemd(reboot_it, e);
    if (reboot(reboot_it ? RB_AUTOBOOT : RB_POWER_OFF) == 0) return true;
    return err_os(e, errno == EPERM ? ERR_AUTHORIZATION : ERR_UNKNOWN, errno, "switching the machine off");
}

static bool set_power(struct job_call *c, struct err *e) {
    const struct warden_config *config = own_machine(c, e);
    if (!config) return false;
    bool reboot_it = val_is_text(val_get(c->args, LIT("how")), LIT("reboot"));
    return config->power ? config->power(reboot_it, e) : power(reboot_it, e);
}

/* --- keys --- */

static bool is_key_type(struct slice type) {
    static const char *const types[] = {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-rsa",
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (slice_eq(type, slice_str(types[i]))) return true;
    return false;
}

/* What is encoded names its type again, and goes on behind it. */
static bool is_key_blob(struct slice text, struct slice type, bool *nomem) {
    struct buf blob;
    buf_init(&blob, text.len);
    bool good = text.len && base64_read(&blob, BASE64_STD, text);
    *nomem = blob.fault == BUF_NOMEM;
    struct cur c = cur_of(buf_slice(&blob));
    struct cur name = cur_sub(&c, cur_be32(&c));
    good = good && !c.bad && slice_eq(cur_rest(&name), type) && cur_left(&c) > 0;
    buf_release(&blob);
    return good;
}

static bool check_key(struct slice line, unsigned number, struct err *e) {
    bool nomem = false, good = true;
    for (size_t i = 0; good && i < line.len; i++) good = line.ptr[i] >= ' ' && line.ptr[i] != 0x7f;
    struct slice type = slice_cut(&line, ' '), blob = slice_cut(&line, ' ');
    good = good && is_key_type(type) && is_key_blob(blob, type, &nomem);
    if (nomem) return err_nomem(e, "a key");
    return good || err_set(e, ERR_INVALID,
                           "line %u is no public key of OpenSSH: want \"ssh-ed25519\" or another type, the key, and "
                           "perhaps a comment; no options",
                           number);
}

bool host_keys_check(struct slice text, struct err *e) {
    for (unsigned n = 1; text.len; n++)
        if (!check_key(slice_cut(&text, '\n'), n, e)) return false;
    return true;
}

/* To the file system only: the folder is somebody's own, and there we can do no more than they can. */
static bool act_as_owner(int dir, struct err *e) {
    struct stat st;
    if (fstat(dir, &st)) return err_os(e, ERR_FILESYSTEM, errno, "looking at the folder of the keys");
    if (geteuid() != 0) return true;
    setfsgid(st.st_gid);
    setfsuid(st.st_uid);
    return ((uid_t)setfsuid((uid_t)-1) == st.st_uid && (gid_t)setfsgid((gid_t)-1) == st.st_gid) ||
           err_set(e, ERR_UNKNOWN, "this process cannot act for user %u", (unsigned)st.st_uid);
}

static bool write_keys(int dir, const char *name, struct slice text, struct err *e) {
    struct buf whole;
    buf_init(&whole, LIMIT_HOST_KEYS + 1);
    buf_add(&whole, text);
    if (text.len && text.ptr[text.len - 1] != '\n') buf_byte(&whole, '\n');
    bool good = (buf_ok(&whole) || err_nomem(e, "the keys")) && act_as_owner(dir, e);
    umask(0);
    good = good && file_replace(dir, name, buf_slice(&whole), 0600, e);
    buf_release(&whole);
    return good;
}

static bool set_keys(struct job_call *c, struct err *e) {
    const struct warden_config *config = own_machine(c, e);
    struct slice text = val_as_text(val_get(c->args, LIT("text")));
    char folder[PATH_MOST];
    if (!config || !host_keys_check(text, e)) return false;
    const char *slash = config->ssh_keys ? strrchr(config->ssh_keys, '/') : NULL;
    size_t len = slash ? (size_t)(slash - config->ssh_keys) : 0;
    if (!len || len >= sizeof folder) return err_set(e, ERR_UNSUPPORTED, "this instance keeps no keys for ssh");
    memcpy(folder, config->ssh_keys, len);
    folder[len] = 0;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return err_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_FILESYSTEM, errno, "opening the folder %.150s", folder);
    bool good = write_keys(dir, slash + 1, text, e);
    close(dir);
    return good;
}

/* --- the rows --- */

static const struct verb_arg name_args[] = {{.key = "name", .type = VERB_TEXT, .min = 1, .max = LABEL_MOST}};
static const struct verb_arg power_args[] = {{.key = "how", .type = VERB_ONE_OF, .words = "off reboot"}};
static const struct verb_arg keys_args[] = {{.key = "text", .type = VERB_LINES, .max = LIMIT_HOST_KEYS}};

#define HOST_GROUP 3 /* one of the three at a time */
#define ROW(row_name, row_args, row_ms, row_about, how)                                                                \
    {                                                                                                                  \
        .verb = {.name = (row_name),                                                                                   \
                 .who = VERB_JOB,                                                                                      \
                 .args = (row_args),                                                                                   \
                 .arg_n = 1,                                                                                           \
                 .most_ms = (row_ms),                                                                                  \
                 .about = (row_about)},                                                                                \
        .run = done, .open = (how), .jail = JAIL_COUNT, .files = 16, .group = HOST_GROUP, .at_once = 1, .queue = 4     \
    }

const struct job_row host_name_row =
    ROW("host.name", name_args, MS, "Names the machine, now and at its next start.", set_name);
const struct job_row host_power_row =
    ROW("host.power", power_args, POWER_MS, "Switches the machine off, or starts it anew.", set_power);
const struct job_row host_keys_row =
    ROW("host.keys", keys_args, MS, "Replaces the keys that may log in by ssh.", set_keys);
