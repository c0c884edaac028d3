/* call.c - asking and being answered: by id, out of order, late, never; the end of either side; freeing inside
 * callbacks. */
#include "warden/call.h"

#include "base/log.h"
#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct err err;
static struct loop *loop;
static unsigned logged;

static void count_line(void *arg, enum log_level level, const char *line) {
    (void)arg, (void)level, (void)line;
    logged++;
}

/* The other side: keeps what it was asked. */
struct server {
    struct link link;
    unsigned requests, cancels, gone;
    uint64_t ids[8192];
    uint64_t cancelled, most_ms;
    struct val name, args;
    unsigned fds;
};

static void served(struct link *l, enum link_event event) {
    struct server *s = LOOP_OWNER(struct server, link, l);
    if (event == LINK_GONE) s->gone++;
    if (event != LINK_FRAME) return;
    if (l->frame.kind == LINK_CANCEL) {
        s->cancels++;
        s->cancelled = l->frame.id;
    } else if (l->frame.kind == LINK_REQUEST && s->requests < 8192) {
        s->ids[s->requests++] = l->frame.id;
        s->fds += l->frame.fd_n;
        s->most_ms = l->frame.most_ms;
        val_unref(&s->name);
        val_unref(&s->args);
        s->name = val_ref(&l->frame.name);
        s->args = val_ref(&l->frame.value);
    }
}

static bool say(struct server *s, enum link_kind kind, uint64_t id, struct val value, const int *fds, unsigned fd_n) {
    struct link_frame f = {.kind = kind, .id = id, .value = value};
    for (; f.fd_n < fd_n; f.fd_n++) f.fds[f.fd_n] = fds[f.fd_n];
    bool good = link_send(&s->link, &f, &err);
    val_unref(&f.value);
    return good;
}

/* A call that counts what it hears. */
struct asked {
    struct call call;
    unsigned done, progress, lines;
    enum err_code code;
    struct val result;
    int fd;
    struct port *stop;    /* stopped inside done or progress */
    struct asked *again;  /* asked from inside done */
    struct asked *cancel; /* cancelled from inside done */
    bool free_inside;     /* it lives on the heap and is freed inside done */
    unsigned *freed;
};

static void done(struct call *c, struct call_answer *a) {
    struct asked *q = LOOP_OWNER(struct asked, call, c);
    CHECK(!call_is_open(c));
    q->done++;
    q->code = a->err.code;
    q->result = a->result;
    a->result = val_none;
    if (a->fd_n) q->fd = call_answer_take_fd(a, 0);
    if (q->stop) port_stop(q->stop);
    if (q->cancel) call_cancel(&q->cancel->call);
    if (q->free_inside) {
        ++*q->freed;
        val_unref(&q->result);
        mem_put(q, sizeof *q);
    }
}

static void progress(struct call *c, const struct val *value) {
    struct asked *q = LOOP_OWNER(struct asked, call, c);
    q->progress++;
    if (q->stop) port_stop(q->stop);
    CHECK(val_is_text(value, LIT("half of what was asked")));
}

static void line(struct call *c, struct slice text) {
    struct asked *q = LOOP_OWNER(struct asked, call, c);
    q->lines++;
    CHECK_TEXT(text, LIT("a line"));
}

static struct asked asked_of(void) {
    return (struct asked){.call = {.done = done, .progress = progress, .line = line}, .fd = -1};
}

static struct port port;
static unsigned gone_n, notices, open_at_gone;
static struct server *server;
static struct asked *watched; /* answered before gone? */

static void gone(struct port *p) {
    CHECK(!port_up(p));
    gone_n++;
    if (watched) open_at_gone += call_is_open(&watched->call);
}

static int noticed_fd;
static void notice(struct port *p, struct slice name, const struct val *value, struct link_frame *frame) {
    (void)p;
    notices++;
    CHECK_TEXT(name, LIT("hand"));
    CHECK(val_is_text(value, LIT("disk")));
    noticed_fd = link_frame_take_fd(frame, 0);
}

static bool begin(void) {
    int fd[2];
    loop = loop_new(&err);
    gone_n = notices = open_at_gone = logged = 0;
    watched = NULL;
    server = mem_get_zero(sizeof *server);
    port = (struct port){.notice = notice, .gone = gone, .name = "test hand"};
    log_use(count_line, NULL);
    if (!CHECK(loop && server && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0))
        return false;
    server->link = (struct link){.call = served, .name = "server"};
    return CHECK(port_start(&port, loop, fd[0], &err) && link_start(&server->link, loop, fd[1], &err));
}

static void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}

static void finish(void) {
    port_stop(&port);
    turns(1);
    link_stop(&server->link);
    val_unref(&server->name);
    val_unref(&server->args);
    mem_put(server, sizeof *server);
    loop_free(loop);
    log_use(NULL, NULL);
}

static bool ask(struct asked *q) {
    return call_start(&q->call, &port, "verb", val_null(), NULL, 0, 0, &err);
}

static unsigned open_files(void) {
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

TEST(a_call_is_sent_progresses_and_is_answered_once) {
    unsigned files = open_files();
    if (!begin()) return;
    struct asked q = asked_of();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(port_up(&port) && !call_is_open(&q.call));
    CHECK(call_start(&q.call, &port, "disk.read", VAL_MAP_OF({"path", val_of_str("a")}), &null, 1, 2500, &err));
    CHECK(call_is_open(&q.call) && q.done == 0);
    turns(1);
    CHECK(server->requests == 1 && server->ids[0] == 1 && server->fds == 1 && server->most_ms == 2500);
    CHECK(val_is_text(&server->name, LIT("disk.read")) && val_count(&server->args) == 1);
    CHECK(say(server, LINK_PROGRESS, 1, val_of_str("half of what was asked"), NULL, 0));
    CHECK(say(server, LINK_LOG, 1, val_of_str("a line"), NULL, 0));
    turns(1);
    CHECK(q.progress == 1 && q.lines == 1 && logged == 0);
    q.call.line = NULL; /* then it goes to the log */
    CHECK(say(server, LINK_LOG, 1, val_of_str("a line"), NULL, 0));
    turns(1);
    CHECK(q.lines == 1 && logged == 1);
    int two[2] = {null, null};
    CHECK(say(server, LINK_RESULT, 1, VAL_ARRAY_OF(val_of_u64(5)), two, 2));
    CHECK(say(server, LINK_RESULT, 1, val_null(), two, 2)); /* a second answer is dropped */
    turns(1);
    CHECK(q.done == 1 && q.code == ERR_NONE && val_count(&q.result) == 1 && q.fd >= 0);
    val_unref(&q.result);
    close(q.fd);
    close(null);
    /* Asked again with the same struct, answered with an error. */
    CHECK(ask(&q));
    struct err why = ERR_INIT;
    err_set(&why, ERR_NOT_FOUND, "there is no such thing");
    turns(1);
    CHECK(server->ids[1] == 2 && say(server, LINK_ERROR, 2, link_error_value(&why), NULL, 0));
    turns(1);
    CHECK(q.done == 2 && q.code == ERR_NOT_FOUND && val_is_none(&q.result));
    finish();
    CHECK_INT(open_files(), files);
}

TEST(thousands_of_calls_are_open_at_once_and_answered_in_any_order) {
    if (!begin()) return;
    struct asked *all = mem_get_zero(LIMIT_LINK_CALLS * sizeof *all), more = asked_of();
    for (unsigned i = 0; i < LIMIT_LINK_CALLS; i++) {
        all[i] = asked_of();
        CHECK(ask(&all[i]));
        if (i % 64 == 0) turns(2);
    }
    CHECK(!ask(&more) && err.code == ERR_LIMIT && !strcmp(err.limit, "calls") && !call_is_open(&more.call));
    for (unsigned i = 0; i < 1000 && server->requests < LIMIT_LINK_CALLS; i++) turns(1);
    CHECK_INT(server->requests, LIMIT_LINK_CALLS);
    for (unsigned i = 0; i < LIMIT_LINK_CALLS; i++) {
        unsigned at = i * 1237u % LIMIT_LINK_CALLS; /* odd, so every one comes once */
        CHECK(say(server, LINK_RESULT, server->ids[at], val_of_u64(at), NULL, 0));
        turns(1);
    }
    turns(200);
    unsigned right = 0;
    for (unsigned i = 0; i < LIMIT_LINK_CALLS; i++) {
        uint64_t n = 0;
        right += all[i].done == 1 && val_as_u64(&all[i].result, &n) && n == i;
    }
    CHECK_INT(right, LIMIT_LINK_CALLS);
    CHECK(ask(&more));
    call_cancel(&more.call);
    mem_put(all, LIMIT_LINK_CALLS * sizeof *all);
    finish();
}

TEST(a_cancelled_call_hears_nothing_and_its_late_answer_is_dropped) {
    unsigned files = open_files();
    if (!begin()) return;
    struct asked q = asked_of(), other = asked_of();
    CHECK(ask(&q) && ask(&other));
    call_cancel(&q.call);
    call_cancel(&q.call); /* nothing */
    CHECK(!call_is_open(&q.call));
    turns(1);
    CHECK(server->cancels == 1 && server->cancelled == 1);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int three[3] = {null, null, null};
    CHECK(say(server, LINK_PROGRESS, 1, val_null(), NULL, 0) && say(server, LINK_RESULT, 1, val_null(), three, 3));
    CHECK(say(server, LINK_RESULT, 999, val_null(), three, 3)); /* never asked */
    CHECK(say(server, LINK_RESULT, 2, val_null(), NULL, 0));
    turns(1);
    CHECK(q.done == 0 && q.progress == 0 && other.done == 1);
    close(null);
    finish();
    CHECK_INT(open_files(), files);
}

TEST(an_answer_that_cannot_be_read_ends_its_call_with_the_reason) {
    if (!begin()) return;
    struct asked q = asked_of();
    CHECK(ask(&q));
    turns(1);
    CHECK(send(server->link.fd.fd, "\x83\x05\x01\xf7", 4, 0) == 4); /* undefined is no value */
    CHECK(send(server->link.fd.fd, "nonsense", 8, 0) == 8);
    CHECK(send(server->link.fd.fd, "\x82\x02\x01", 3, 0) == 3); /* a cancel, and a request, where it has to answer */
    CHECK(send(server->link.fd.fd, "\x85\x01\x01\x61v\xa0\x00", 7, 0) == 7);
    turns(2);
    CHECK(q.done == 1 && q.code != ERR_NONE && logged == 4 && port_up(&port));
    CHECK(server->cancels == 0 && ask(&q)); /* the same of a progress: the other side is told to stop */
    CHECK(send(server->link.fd.fd, "\x83\x03\x02\xf7", 4, 0) == 4);
    turns(2);
    CHECK(q.done == 2 && q.code != ERR_NONE && server->cancels == 1 && server->cancelled == 2);
    finish();
}

TEST(notices_come_with_their_descriptors) {
    unsigned files = open_files();
    if (!begin()) return;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct link_frame f = {
        .kind = LINK_NOTICE, .name = val_of_str("hand"), .value = val_of_str("disk"), .fds = {null, null}, .fd_n = 2};
    CHECK(link_send(&server->link, &f, &err));
    turns(1);
    CHECK(notices == 1 && noticed_fd >= 0);
    close(noticed_fd);
    port.notice = NULL;
    CHECK(link_send(&server->link, &f, &err));
    turns(1);
    CHECK_INT(notices, 1);
    close(null);
    finish();
    CHECK_INT(open_files(), files);
}

TEST(the_end_of_the_other_side_answers_what_is_open_and_then_says_so) {
    if (!begin()) return;
    struct asked a = asked_of(), b = asked_of(), c = asked_of();
    CHECK(ask(&a) && ask(&b) && ask(&c));
    turns(1);
    CHECK(say(server, LINK_RESULT, 2, val_null(), NULL, 0)); /* said before it died */
    watched = &c;
    link_stop(&server->link);
    CHECK_INT(a.done + b.done + c.done, 0);
    turns(2);
    CHECK(a.done == 1 && a.code == ERR_NETWORK && b.done == 1 && b.code == ERR_NONE && c.done == 1 &&
          c.code == ERR_NETWORK);
    CHECK(gone_n == 1 && open_at_gone == 0 && !port_up(&port));
    CHECK(!ask(&a) && err.code == ERR_NETWORK);
    turns(2);
    CHECK(a.done == 1 && gone_n == 1);
    finish();
}

TEST(stopping_answers_what_is_open_from_the_loop_and_not_from_inside) {
    if (!begin()) return;
    struct asked a = asked_of(), b = asked_of();
    CHECK(ask(&a) && ask(&b));
    port_stop(&port);
    port_stop(&port); /* nothing */
    CHECK(!port_up(&port) && a.done == 0 && b.done == 0);
    call_cancel(&b.call);
    memset(&port, 0xee, sizeof port); /* it may be gone by now */
    turns(1);
    CHECK(a.done == 1 && a.code == ERR_CANCELLED && b.done == 0 && gone_n == 0);
    port = (struct port){.name = "none"};
    CHECK(!ask(&a) && err.code == ERR_NETWORK);
    turns(1);
    CHECK(server->gone == 1);
    finish();
}

TEST(callbacks_may_stop_the_port_cancel_others_and_free_themselves) {
    for (int way = 0; way < 5; way++) {
        if (!begin()) return;
        unsigned freed = 0;
        struct asked *q = mem_get(sizeof *q), other = asked_of(), third = asked_of();
        *q = asked_of();
        q->free_inside = true;
        q->freed = &freed;
        CHECK(ask(q) && ask(&other) && ask(&third));
        turns(1);
        switch (way) {
        case 0: /* an answer, inside which the port stops */
            q->stop = &port;
            CHECK(say(server, LINK_RESULT, 1, val_null(), NULL, 0) && say(server, LINK_RESULT, 2, val_null(), NULL, 0));
            break;
        case 1: /* the other side ends, and inside the first answer the port is stopped */
            q->stop = &port;
            link_stop(&server->link);
            break;
        case 2: /* the same, and another call is cancelled */
            q->cancel = &other;
            link_stop(&server->link);
            break;
        case 3: /* progress, inside which the port stops */
            third.stop = &port;
            CHECK(say(server, LINK_PROGRESS, 3, val_of_str("half of what was asked"), NULL, 0));
            break;
        case 4: /* an answer that cancels another */
            q->cancel = &other;
            CHECK(say(server, LINK_RESULT, 1, val_null(), NULL, 0));
            break;
        }
        turns(3);
        if (!CHECK(freed == 1)) tap_note("way %d", way);
        CHECK(third.done == (way != 4) && other.done == (way != 2 && way != 4));
        if (way == 0) CHECK(other.code == ERR_CANCELLED);
        if (way == 1)
            CHECK(other.code == ERR_NETWORK && gone_n == 0); /* who stops a port need not hear that it is gone */
        call_cancel(&third.call);
        finish();
    }
}

static bool ask_and_answer(void *arg) {
    (void)arg;
    int fd[2];
    struct asked q = asked_of();
    struct port p = {.name = "p"};
    struct link_frame f = {0};
    bool good = false;
    loop = loop_new(NULL);
    if (!loop) return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd)) return false;
    if (port_start(&p, loop, fd[0], NULL)) {
        if (call_start(&q.call, &p, "a verb that is long",
                       VAL_MAP_OF({"key", val_of_str("a text that is long enough")}), NULL, 0, 0, NULL)) {
            good = link_receive_waiting(fd[1], &f, NULL);
            f.kind = LINK_RESULT;
            val_unref(&f.name);
            good = good && link_send_waiting(fd[1], &f, NULL);
            link_frame_release(&f);
            turns(1);
            good = good && q.done == 1 && q.code == ERR_NONE;
            if (!q.done) call_cancel(&q.call);
        }
        val_unref(&q.result);
        port_stop(&p);
        turns(1);
    }
    close(fd[1]);
    loop_free(loop);
    return good;
}

TEST(any_allocation_may_fail) {
    log_use(count_line, NULL);
    unsigned files = open_files();
    faults_sweep(ask_and_answer, NULL, "a call");
    CHECK_INT(open_files(), files);
    log_use(NULL, NULL);
}

TAP_MAIN(T(a_call_is_sent_progresses_and_is_answered_once),
         T(thousands_of_calls_are_open_at_once_and_answered_in_any_order),
         T(a_cancelled_call_hears_nothing_and_its_late_answer_is_dropped),
         T(an_answer_that_cannot_be_read_ends_its_call_with_the_reason), T(notices_come_with_their_descriptors),
         T(the_end_of_the_other_side_answers_what_is_open_and_then_says_so),
         T(stopping_answers_what_is_open_from_the_loop_and_not_from_inside),
         T(callbacks_may_stop_the_port_cancel_others_and_free_themselves), T(any_allocation_may_fail))
