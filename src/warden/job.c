/* job.c - see job.h. The job's own side is at the end. */
#include "warden/job.h"

#include "base/log.h"
#include "base/mem.h"
#include "warden/child.h"

#include <errno.h>
#include <signal.h>
#include <sodium/utils.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOB_ID      1    /* of the one request on a job's own link */
#define GRACE_MS    1000 /* from its answer to its end, and from its end to that of its link */
#define SWEEP_MS    20   /* the kernel lets a group go a moment behind its last process */
#define SWEEP_TRIES 250
#define MOST_MS     (UINT64_C(366) * 86400 * 1000)

enum job_state {
    JOB_WAITING,  /* for another of its row to end. Timer: its deadline */
    JOB_RUNNING,  /* Timer: its deadline */
    JOB_ENDING,   /* answered, or killed: until the child is reaped and the link gone. Timer: kills again */
    JOB_SWEEPING, /* only its group is left. Timer: tries again */
};

struct job {
    struct jobs *all;
    struct job *next;
    const struct job_row *row;
    uint64_t id;
    enum job_state state;
    bool answered; /* or nobody wants to hear */
    struct val args;
    int fds[LIMIT_LINK_FDS];
    unsigned fd_n;
    uint64_t most_ms;
    int64_t deadline_at; /* 0: none */
    pid_t pid;
    bool reaped, unlinked;
    int status;
    unsigned tries;
    struct link link;
    struct loop_child child;
    struct loop_timer timer;
    struct cgroup group;
};

static _Noreturn void do_job(struct job *j, int link);
static void start_waiting(struct jobs *all);

/* --- ending --- */

/* A password must not stay in memory longer than it is needed. Nobody else holds these bytes: they came in the frame. */
static void wipe_args(struct job *j) {
    for (struct val_iter it = val_iter(&j->args); val_next(&it);) {
        struct slice bytes = val_as_bytes(it.value);
        if (bytes.len) sodium_memzero((void *)(uintptr_t)bytes.ptr, bytes.len);
    }
    val_unref(&j->args);
}

static void forget_request(struct job *j) {
    wipe_args(j);
    for (unsigned i = 0; i < j->fd_n; i++)
        if (j->fds[i] >= 0) close(j->fds[i]);
    j->fd_n = 0;
}

static void unlist(struct job *j) {
    for (struct job **at = &j->all->first; *at; at = &(*at)->next)
        if (*at == j) {
            *at = j->next;
            return;
        }
}

static void free_job(struct job *j) {
    loop_timer_clear(&j->timer);
    forget_request(j);
    mem_put(j, sizeof *j);
}

static void answer(struct job *j, const struct val *result, const int *fds, unsigned fd_n, const struct err *e) {
    if (j->answered) return;
    j->answered = true;
    j->all->open--;
    j->all->answer(j->all, j->id, result, fds, fd_n, e); /* may silence all the others, and this one */
}

static void answer_error(struct job *j, const struct err *e) {
    answer(j, NULL, NULL, 0, e);
}

static void kill_job(struct job *j) {
    cgroup_kill(&j->group);
    if (!j->reaped) kill(j->pid, SIGKILL);
}

static void enter_ending(struct job *j) {
    j->state = JOB_ENDING;
    if (!loop_timer_set(j->all->loop, &j->timer, loop_now_ms(j->all->loop) + GRACE_MS)) kill_job(j);
}

static void sweep(struct job *j) {
    j->state = JOB_SWEEPING;
    if (!cgroup_remove(&j->group) && ++j->tries < SWEEP_TRIES) {
        cgroup_kill(&j->group);
        if (loop_timer_set(j->all->loop, &j->timer, loop_now_ms(j->all->loop) + SWEEP_MS)) return;
    }
    if (j->group.dir >= 0) {
        log_warn("a control group could not be removed name=%s", j->group.name);
        close(j->group.dir);
    }
    unlist(j);
    free_job(j);
}

static void say_death(const struct job *j, struct err *e) {
    const char *name = j->row->verb.name;
    if (WIFSIGNALED(j->status) && WTERMSIG(j->status) == SIGXCPU)
        err_set(e, ERR_LIMIT, "%s: used more than its %llu s of processor time", name,
                (unsigned long long)j->row->cpu_s);
    else if (WIFSIGNALED(j->status))
        err_set(e, ERR_UNKNOWN, "%s: ended by signal %d before it had an answer", name, WTERMSIG(j->status));
    else
        err_set(e, ERR_UNKNOWN, "%s: ended with code %d before it had an answer", name, WEXITSTATUS(j->status));
    log_warn("a job died: %s", e->text);
}

static void end_if_over(struct job *j) {
    if (!j->reaped || !j->unlinked) return;
    if (!j->answered) {
        struct err e = ERR_INIT;
        say_death(j, &e);
        answer_error(j, &e);
    }
    sweep(j);
}

static void reaped(struct loop_child *c, int status) {
    struct job *j = LOOP_OWNER(struct job, child, c);
    struct jobs *all = j->all;
    j->reaped = true;
    j->status = status;
    all->running--;
    cgroup_kill(&j->group); /* what it left behind */
    if (j->state == JOB_RUNNING) enter_ending(j);
    end_if_over(j);
    start_waiting(all);
    if (!all->running) all->quiet(all);
}

static void timed(struct loop_timer *t) {
    struct job *j = LOOP_OWNER(struct job, timer, t);
    struct err e = ERR_INIT;
    switch (j->state) {
    case JOB_WAITING:
    case JOB_RUNNING:
        err_set(&e, ERR_TIMEOUT, "%s: not done within %llu ms", j->row->verb.name, (unsigned long long)j->most_ms);
        if (j->state == JOB_WAITING) {
            unlist(j);
            answer_error(j, &e);
            free_job(j);
            return;
        }
        enter_ending(j);
        kill_job(j);
        answer_error(j, &e);
        return;
    case JOB_ENDING:
        kill_job(j);
        enter_ending(j);
        if (!j->reaped) return;
        link_stop(&j->link); /* somebody it gave its end to holds it */
        j->unlinked = true;
        end_if_over(j);
        return;
    case JOB_SWEEPING: sweep(j); return;
    }
}

/* --- hearing --- */

static void hear_frame(struct job *j, struct link_frame *f) {
    struct err e = ERR_INIT;
    if (j->answered || f->id != JOB_ID) return;
    switch (f->kind) {
    case LINK_PROGRESS:
    case LINK_LOG: j->all->tell(j->all, f->kind, j->id, &f->value); return;
    case LINK_RESULT: answer(j, &f->value, f->fds, f->fd_n, NULL); break;
    case LINK_ERROR:
        link_error_read(&f->value, &e);
        answer_error(j, &e);
        break;
    case LINK_REQUEST:
    case LINK_CANCEL:
    case LINK_NOTICE: return;
    }
    if (j->state == JOB_RUNNING) enter_ending(j);
}

static void heard(struct link *l, enum link_event event) {
    struct job *j = LOOP_OWNER(struct job, link, l);
    switch (event) {
    case LINK_FRAME: hear_frame(j, &l->frame); break;
    case LINK_REFUSED: log_debug("a job's frame was refused: %s", l->err.text); break;
    case LINK_GONE:
        j->unlinked = true;
        end_if_over(j);
        break;
    }
}

/* --- beginning --- */

/* The child is there, but cannot be watched. */
static bool undo_fork(struct job *j) {
    loop_child_remove(&j->child);
    kill_job(j);
    while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    j->reaped = true;
    return false;
}

static bool start(struct job *j, struct err *e) {
    struct jobs *all = j->all;
    int pair[2], keep[LIMIT_LINK_FDS + 2];
    struct err why = ERR_INIT;
    if (!child_socketpair(pair, e)) return false;
    all->groups = cgroup_make(&all->home, &j->group, j->row->memory, &why);
    if (!all->groups && !all->told_groups) {
        all->told_groups = true;
        log_note("jobs have no control group of their own: %s", why.text);
    }
    unsigned n = 0;
    for (; n < j->fd_n; n++) keep[n] = j->fds[n];
    keep[n++] = pair[1];
    if (j->group.join >= 0) keep[n++] = j->group.join;
    j->pid = child_fork("sb-job", keep, n, e);
    if (j->pid == 0) do_job(j, pair[1]);
    close(pair[1]);
    if (j->group.join >= 0) close(j->group.join);
    j->group.join = -1;
    bool good = j->pid > 0;
    if (!good)
        close(pair[0]);
    else if (!loop_child_add(all->loop, &j->child, j->pid, e)) {
        close(pair[0]);
        good = undo_fork(j);
    } else if (!link_start(&j->link, all->loop, pair[0], e))
        good = undo_fork(j);
    if (!good) return false;
    forget_request(j); /* the child has its own */
    j->state = JOB_RUNNING;
    all->running++;
    return true;
}

static bool count_together(const struct job_row *a, const struct job_row *b) {
    return a == b || (a->group && a->group == b->group);
}

static void count_row(const struct jobs *all, const struct job_row *row, unsigned *running, unsigned *waiting) {
    *running = *waiting = 0;
    for (const struct job *j = all->first; j; j = j->next) {
        if (!count_together(j->row, row)) continue;
        if (j->state == JOB_WAITING)
            ++*waiting;
        else if (!j->reaped)
            ++*running;
    }
}

static bool may_run(const struct jobs *all, const struct job_row *row) {
    unsigned running, waiting;
    count_row(all, row, &running, &waiting);
    return all->running < LIMIT_JOBS && (!row->at_once || running < row->at_once);
}

/* The group of a job that never ran is empty, so it goes at once or in a moment. */
static void drop(struct job *j) {
    j->reaped = j->unlinked = j->answered = true;
    sweep(j);
}

static void start_waiting(struct jobs *all) {
    for (struct job *j = all->first; j; j = j->next) {
        if (j->state != JOB_WAITING || !may_run(all, j->row)) continue;
        struct err e = ERR_INIT;
        if (start(j, &e)) continue;
        /* Answering may change the list: begin again from its head. */
        j->state = JOB_ENDING;
        answer_error(j, &e);
        drop(j);
        start_waiting(all);
        return;
    }
}

static void append(struct jobs *all, struct job *j) {
    struct job **at = &all->first;
    while (*at) at = &(*at)->next;
    *at = j;
}

bool job_begin(struct jobs *all, const struct job_row *row, uint64_t id, struct val *args, struct link_frame *frame,
               uint64_t most_ms, struct err *e) {
    unsigned running, waiting;
    bool now = may_run(all, row);
    count_row(all, row, &running, &waiting);
    if (!now && !row->queue) return err_limit(e, "jobs", row->at_once ? row->at_once : LIMIT_JOBS, ERR_NOWHERE);
    if (!now && waiting >= row->queue) return err_limit(e, "jobs", row->queue, ERR_NOWHERE);
    struct job *j = mem_get_zero(sizeof *j);
    if (!j) return err_nomem(e, "a job");
    j->all = all;
    j->row = row;
    j->id = id;
    j->group = (struct cgroup)CGROUP_INIT;
    j->link = (struct link){.call = heard, .name = "job"};
    j->child = (struct loop_child){.call = reaped, .name = "job"};
    j->timer = (struct loop_timer){.call = timed, .name = "job"};
    j->most_ms = row->verb.most_ms && (!most_ms || row->verb.most_ms < most_ms) ? row->verb.most_ms : most_ms;
    if (j->most_ms > MOST_MS) j->most_ms = MOST_MS;
    j->args = *args;
    *args = val_none;
    for (; frame && j->fd_n < frame->fd_n; j->fd_n++) j->fds[j->fd_n] = link_frame_take_fd(frame, j->fd_n);
    append(all, j);
    bool good = !j->most_ms || loop_timer_set(all->loop, &j->timer, loop_now_ms(all->loop) + (int64_t)j->most_ms) ||
                err_nomem(e, "a job's deadline");
    good = good && (!now || start(j, e));
    if (good)
        all->open++;
    else
        drop(j);
    return good;
}

static struct job *find(const struct jobs *all, uint64_t id) {
    for (struct job *j = all->first; j; j = j->next)
        if (!j->answered && j->id == id) return j;
    return NULL;
}

bool job_find(const struct jobs *all, uint64_t id) {
    return find(all, id) != NULL;
}

bool job_cancel(struct jobs *all, uint64_t id) {
    struct job *j = find(all, id);
    if (!j) return false;
    struct err e = ERR_INIT;
    err_set(&e, ERR_CANCELLED, "%s: cancelled", j->row->verb.name);
    if (j->state == JOB_WAITING) {
        unlist(j);
        answer_error(j, &e);
        free_job(j);
        return true;
    }
    enter_ending(j);
    kill_job(j);
    answer_error(j, &e);
    return true;
}

void jobs_silence(struct jobs *all) {
    for (struct job *j = all->first, *next; j; j = next) {
        next = j->next;
        if (!j->answered) all->open--;
        j->answered = true;
        if (j->state == JOB_WAITING) {
            unlist(j);
            free_job(j);
        } else if (j->state == JOB_RUNNING || j->state == JOB_ENDING) {
            enter_ending(j);
            kill_job(j);
        }
    }
}

/* --- the job's own side --- */

static void send(struct job_call *c, enum link_kind kind, struct val value, const int *fds, unsigned fd_n) {
    struct link_frame f = {.kind = kind, .id = JOB_ID, .value = value, .fd_n = fd_n};
    if (fd_n) memcpy(f.fds, fds, fd_n * sizeof *fds);
    struct err e = ERR_INIT;
    if (link_send_waiting(c->link, &f, &e) || kind != LINK_RESULT) return;
    f = (struct link_frame){.kind = LINK_ERROR, .id = JOB_ID, .value = link_error_value(&e)};
    link_send_waiting(c->link, &f, NULL);
}

void job_progress(struct job_call *c, struct val value) {
    send(c, LINK_PROGRESS, value, NULL, 0);
    val_unref(&value);
}

void job_line(struct job_call *c, const char *fmt, ...) {
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct val v = val_of_text_lossy(slice_str(text));
    if (!val_is_none(&v)) send(c, LINK_LOG, v, NULL, 0);
    val_unref(&v);
}

static bool run(struct job *j, struct job_call *c, struct val *result, struct err *e) {
    struct jail jail = {
        .kind = j->row->jail, .change_user = j->all->change_user, .uid = j->all->uid, .gid = j->all->gid};
    return (!j->row->prepare || j->row->prepare(e)) && (!j->row->open || j->row->open(c, e)) &&
           jail_limit(j->row->memory, j->row->cpu_s, j->row->files, e) && jail_enter(&jail, NULL, e) &&
           j->row->run(c, result, e);
}

static void do_job(struct job *j, int link) {
    struct job_call c = {.args = &j->args, .fds = j->fds, .fd_n = j->fd_n, .facts = j->row->facts, .link = link};
    c.change_user = j->all->change_user;
    c.uid = j->all->uid;
    c.gid = j->all->gid;
    struct val result = val_none;
    struct err e = ERR_INIT;
    if (!cgroup_enter(&j->group, &e)) log_note("a job goes without its control group: %s", e.text);
    e = (struct err)ERR_INIT;
    if (run(j, &c, &result, &e))
        send(&c, LINK_RESULT, result, c.out, c.out_n);
    else
        send(&c, LINK_ERROR, link_error_value(&e), NULL, 0);
    child_exit(0);
}
