/* warden.c - see warden.h: setting up, signals, and taking down. The reactor's life is warden_reactor.c, what it may ask
 * warden_verbs.c. */
#include "warden/warden.h"

#include "base/log.h"
#include "base/mem.h"
#include "loop/file.h"
#include "warden/disk.h"
#include "warden/password.h"
#include "warden/sampler.h"
#include "warden/warden_room.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- hands --- */

static int be_disk(struct hand *h, int link_fd) {
    struct warden *w = LOOP_OWNER(struct warden, disk, h);
    struct stat st = {0};
    /* It becomes whom the first root belongs to: then it reads what the operator's folder holds, and nothing more. */
    if (w->root && fstat(w->roots[0].dir, &st)) return 70;
    struct jail jail = {.kind = JAIL_DISK,
                        .change_user = w->root,
                        .uid = st.st_uid,
                        .gid = st.st_gid,
                        .roots = w->roots,
                        .root_n = w->root_n};
    return disk_hand(link_fd, w->roots, w->names, w->root_n, &jail);
}

static int be_sampler(struct hand *h, int link_fd) {
    struct warden *w = LOOP_OWNER(struct warden, sampler, h);
    struct jail jail = {.kind = JAIL_SAMPLER, .change_user = w->root, .uid = w->uid, .gid = w->gid};
    return sampler_hand(link_fd, &jail);
}

static void tell_again(struct warden *w, const struct hand *h, int fd) {
    reactor_notice(w, "hand", VAL_MAP_OF({"hand", val_of_str(h->name)}), fd);
    close(fd);
}

static void disk_again(struct hand *h, int fd) {
    tell_again(LOOP_OWNER(struct warden, disk, h), h, fd);
}

static void sampler_again(struct hand *h, int fd) {
    tell_again(LOOP_OWNER(struct warden, sampler, h), h, fd);
}

static void disk_down(struct hand *h) {
    warden_go_on(LOOP_OWNER(struct warden, disk, h));
}

static void sampler_down(struct hand *h) {
    struct warden *w = LOOP_OWNER(struct warden, sampler, h);
    uint64_t id = w->sampler_id;
    w->sampler_id = 0;
    if (id && w->reactor == REACTOR_UP)
        warden_begin_sampler(w, id);
    else
        warden_go_on(w);
}

/* --- jobs --- */

static void job_answered(struct jobs *all, uint64_t id, const struct val *result, const int *fds, unsigned fd_n,
                         const struct err *e) {
    reactor_answer(all->owner, id, result, fds, fd_n, e);
}

/* What is only told may be lost when the reactor does not keep up; an answer may not. */
static void job_told(struct jobs *all, enum link_kind kind, uint64_t id, const struct val *value) {
    struct warden *w = all->owner;
    struct link_frame f = {.kind = kind, .id = id, .value = *value};
    if (w->link.loop && w->link.waiting_bytes < LIMIT_LINK_QUEUE / 4) link_send(&w->link, &f, NULL);
}

static void jobs_quiet(struct jobs *all) {
    warden_go_on(all->owner);
}

/* --- going on --- */

static bool is_quiet(const struct warden *w) {
    return w->reactor == REACTOR_NONE && w->disk.state == HAND_DOWN && w->sampler.state == HAND_DOWN &&
           !w->jobs.running;
}

void warden_go_on(struct warden *w) {
    struct err e = ERR_INIT;
    if (!is_quiet(w)) return;
    if (w->leaving)
        loop_stop(w->loop, w->code);
    else if (w->rested && !reactor_begin(w, &e))
        log_warn("the reactor could not be begun: %s", e.text);
}

static void leave(struct warden *w, const char *reason) {
    if (w->leaving) { /* asked twice */
        if (!w->why[0]) snprintf(w->why, sizeof w->why, "killed, as a second signal asked");
        reactor_kill(w);
        return;
    }
    log_note("ending: %s", reason);
    service_tell(&w->service, "STOPPING=1");
    w->leaving = true;
    reactor_end(w, reason);
    warden_go_on(w);
}

static void got_term(struct loop_signal *s) {
    leave(LOOP_OWNER(struct warden, term, s), "SIGTERM");
}

static void got_intr(struct loop_signal *s) {
    leave(LOOP_OWNER(struct warden, intr, s), "SIGINT");
}

static void got_hup(struct loop_signal *s) {
    reactor_notice(LOOP_OWNER(struct warden, hup, s), "reload", val_empty_map(), -1);
}

/* --- setting up --- */

static void find_user(struct warden *w) {
    const char *name = w->config->user ? w->config->user : "nobody";
    const struct passwd *p = w->root ? getpwnam(name) : getpwuid(geteuid());
    if (w->root && !p) {
        log_warn("there is no user \"%s\": what needs no rights becomes \"nobody\"", name);
        p = getpwnam("nobody");
    }
    w->uid = p ? p->pw_uid : w->root ? 65534 : geteuid();
    w->gid = p ? p->pw_gid : w->root ? 65534 : getegid();
    if (w->root && w->uid == 0) {
        log_warn("the user \"%s\" is root: what needs no rights becomes number 65534", name);
        w->uid = w->gid = 65534;
        p = NULL;
    }
    if (p)
        snprintf(w->user, sizeof w->user, "%s", p->pw_name);
    else
        snprintf(w->user, sizeof w->user, "%u", (unsigned)w->uid);
}

static bool open_roots(struct warden *w, struct err *e) {
    if (w->config->root_n > LIMIT_ROOTS) return err_limit(e, "roots", LIMIT_ROOTS, ERR_NOWHERE);
    for (; w->root_n < w->config->root_n; w->root_n++) {
        const struct warden_root *from = &w->config->roots[w->root_n];
        struct jail_root *to = &w->roots[w->root_n];
        w->names[w->root_n] = from->name;
        to->write = from->write;
        to->dir = w->root_dirs[w->root_n] = file_open_dir(from->path, e);
        if (to->dir < 0) return false;
    }
    return true;
}

static bool watch_signals(struct warden *w, struct err *e) {
    w->term = (struct loop_signal){.call = got_term, .name = "SIGTERM"};
    w->intr = (struct loop_signal){.call = got_intr, .name = "SIGINT"};
    w->hup = (struct loop_signal){.call = got_hup, .name = "SIGHUP"};
    return loop_signal_add(w->loop, &w->term, SIGTERM, e) && loop_signal_add(w->loop, &w->intr, SIGINT, e) &&
           loop_signal_add(w->loop, &w->hup, SIGHUP, e);
}

static void keep_memory_private(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); /* passwords pass through here */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
}

static uint64_t board_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

static void init(struct warden *w, const struct warden_config *config) {
    *w = (struct warden){.config = config, .root = geteuid() == 0, .clock = CLOCK_TRUST_INIT, .rested = true};
    service_init(&w->service);
    w->log.from = -1;
    w->password_memory = password_memory(board_memory());
    find_user(w);
    w->disk = (struct hand){.name = "disk", .process = "sb-disk", .lasting = true, .body = be_disk};
    w->disk.again = disk_again;
    w->disk.down = disk_down;
    w->sampler = (struct hand){.name = "sampler", .process = "sb-sampler", .body = be_sampler};
    w->sampler.again = sampler_again;
    w->sampler.down = sampler_down;
    w->jobs = (struct jobs){.owner = w, .answer = job_answered, .tell = job_told, .quiet = jobs_quiet};
    w->jobs.change_user = w->root;
    w->jobs.uid = w->uid;
    w->jobs.gid = w->gid;
    cgroup_open(&w->jobs.home);
    w->doors = (struct doors){.roots = w->roots, .names = w->names, .as_owner = w->root};
    while (w->service.socket_n) doors_adopt(&w->doors, w->service.sockets[--w->service.socket_n]);
    warden_verbs_init(w);
}

static bool set_up(struct warden *w, struct err *e) {
    if (!open_roots(w, e)) return false;
    warden_log_begin(w);
    w->doors.root_n = w->disk.keep_n = w->root_n;
    w->disk.keep = w->root_dirs;
    w->loop = loop_new(e);
    if (!w->loop) return false;
    warden_log_watch(w);
    w->disk.loop = w->sampler.loop = w->jobs.loop = w->loop;
    return watch_signals(w, e);
}

static void take_down(struct warden *w) {
    doors_release(&w->doors);
    if (w->loop) {
        while (w->jobs.first)
            loop_turn(w->loop, 100); /* groups that are not empty yet; their number of tries is bounded */
        loop_timer_clear(&w->timer);
        loop_signal_remove(&w->term);
        loop_signal_remove(&w->intr);
        loop_signal_remove(&w->hup);
    }
    warden_log_end(w);
    if (w->loop) loop_free(w->loop);
    for (unsigned i = 0; i < w->root_n; i++) close(w->roots[i].dir);
    cgroup_close(&w->jobs.home);
    service_release(&w->service);
}

int warden_run(const struct warden_config *config) {
    struct err e = ERR_INIT;
    struct warden *w = mem_get_zero(sizeof *w);
    int code = 71;
    if (!w) {
        err_nomem(&e, "the first process");
        log_warn("startbox cannot begin: %s", e.text);
        return err_exit(e.code);
    }
    keep_memory_private();
    init(w, config);
    if (set_up(w, &e)) {
        warden_go_on(w);
        code = loop_run(w->loop);
    } else {
        log_warn("startbox cannot begin: %s", e.text);
        code = err_exit(e.code);
    }
    take_down(w);
    mem_put(w, sizeof *w);
    return code;
}
