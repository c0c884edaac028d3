/* link.c - frames over a socket: descriptors both ways, queues, fairness, refusals, the end of the other side. */
#include "warden/link.h"

#include "base/mem.h"
#include "base/rng.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "warden/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;
static struct loop *loop;

/* --- one end of a link, counting --- */

struct end {
    struct link link;
    unsigned frames, refused, gone;
    uint64_t last_id;
    enum link_kind last_kind;
    unsigned fds;    /* that came */
    int kept;        /* the first descriptor that came, when keep is set */
    bool keep, stop; /* stop: inside the callback */
    struct val value;
};

static void heard(struct link *l, enum link_event event) {
    struct end *end = LOOP_OWNER(struct end, link, l);
    CHECK_INT(end->gone, 0);
    switch (event) {
    case LINK_FRAME:
        end->frames++;
        end->last_id = l->frame.id;
        end->fds += l->frame.fd_n;
        if (end->keep && end->kept < 0) end->kept = link_frame_take_fd(&l->frame, 0);
        val_unref(&end->value);
        end->value = val_ref(&l->frame.value);
        break;
    case LINK_REFUSED: end->refused++; break;
    case LINK_GONE:
        end->gone++;
        CHECK(l->err.code == ERR_NETWORK && l->err.text[0]);
        break;
    }
    end->last_kind = l->frame.kind;
    if (event == LINK_REFUSED) end->last_id = l->frame.id;
    if (end->stop) link_stop(l);
}

static struct end end_of(const char *name) {
    return (struct end){.link = {.call = heard, .name = name}, .kept = -1};
}

static bool pair(int fd[2]) {
    return CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
}

/* An end, and the bare descriptor of the other one. */
static int begin(struct end *a) {
    int fd[2];
    loop = loop_new(&err);
    *a = end_of("a");
    if (!pair(fd) || !CHECK(link_start(&a->link, loop, fd[0], &err))) return -1;
    return fd[1];
}

static void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}

static void finish(struct end *a, int fd) {
    link_stop(&a->link);
    val_unref(&a->value);
    if (a->kept >= 0) close(a->kept);
    if (fd >= 0) close(fd);
    loop_free(loop);
}

static unsigned open_files(void) {
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

static struct link_frame request(uint64_t id, const char *verb, struct val args) {
    return (struct link_frame){.kind = LINK_REQUEST, .id = id, .name = val_of_str(verb), .value = args};
}

static bool send_request(struct link *l, uint64_t id, struct val args, const int *fds, unsigned fd_n) {
    struct link_frame f = request(id, "verb", args);
    for (f.fd_n = 0; f.fd_n < fd_n; f.fd_n++) f.fds[f.fd_n] = fds[f.fd_n];
    bool good = link_send(l, &f, &err);
    f.fd_n = 0;
    link_frame_release(&f);
    return good;
}

/* --- the link --- */

TEST(frames_and_descriptors_go_both_ways) {
    struct end a, b = end_of("b");
    unsigned files = open_files();
    int fd = begin(&a), pipes[2];
    CHECK(link_start(&b.link, loop, fd, &err) && pipe2(pipes, O_CLOEXEC) == 0);
    int four[4] = {pipes[0], pipes[1], pipes[0], pipes[1]};
    b.keep = true;
    CHECK(send_request(&a.link, 1, val_of_str("x"), four, 4));
    turns(1);
    CHECK(b.frames == 1 && b.last_id == 1 && b.fds == 4 && b.kept >= 0 && val_is_text(&b.value, LIT("x")));
    CHECK(fcntl(b.kept, F_GETFD) == FD_CLOEXEC);
    char c = 0;
    CHECK(write(pipes[1], "!", 1) == 1 && read(b.kept, &c, 1) == 1 && c == '!');
    struct link_frame f = {.kind = LINK_RESULT, .id = 1, .value = val_null(), .fds = {pipes[0]}, .fd_n = 1};
    CHECK(link_send(&b.link, &f, &err));
    turns(1);
    CHECK(a.frames == 1 && a.fds == 1 && a.last_kind == LINK_RESULT);
    CHECK_INT(open_files(),
              files + 1 + 2 + 2 + 1); /* the loop, both ends, the pipe, and what b kept: the rest was closed */
    /* A frame of the largest size, one byte less, one more. */
    static uint8_t big[LIMIT_LINK_FRAME];
    const size_t head = 1 + 1 + 1 + 5 + 5 + 1;
    memset(big, 'x', sizeof big);
    for (int over = -1; over <= 1; over++) {
        bool sent = send_request(&a.link, 2, val_of_bytes(slice_of(big, sizeof big - head + (size_t)over)), NULL, 0);
        CHECK(sent == (over <= 0));
        turns(2);
        CHECK_INT(val_as_bytes(&b.value).len, sizeof big - head + (over < 0 ? -1 : 0));
    }
    CHECK(!strcmp(err.limit, "link frame") && b.frames == 3);
    /* Descriptors where they do not belong, and too many of them, do not leave. */
    f.kind = LINK_ERROR;
    val_unref(&f.value);
    CHECK(!link_send(&b.link, &f, &err) && err.code == ERR_LIMIT);
    f = (struct link_frame){.kind = LINK_RESULT, .id = 1, .value = val_null(), .fd_n = LIMIT_LINK_FDS + 1};
    CHECK(!link_send(&b.link, &f, &err) && err.code == ERR_LIMIT);
    f.fd_n = 1;
    f.fds[0] = 9999;
    CHECK(!link_send(&b.link, &f, &err) && err.os == EBADF);
    CHECK(send_request(&a.link, 3, val_null(), NULL, 0));
    turns(1);
    CHECK_INT(b.frames, 4); /* the link goes on */
    close(pipes[0]);
    close(pipes[1]);
    link_stop(&b.link);
    val_unref(&b.value);
    close(b.kept);
    turns(2);
    CHECK_INT(a.gone, 1);
    finish(&a, -1);
    CHECK_INT(open_files(), files);
}

/* A packet as no honest end would send it. */
static bool send_raw(int fd, struct slice packet, const int *fds, unsigned fd_n) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 200)];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec v = {(void *)(uintptr_t)packet.ptr, packet.len};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (fd_n) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_n);
        struct cmsghdr *c = &control.align;
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int) * fd_n), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_n);
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)packet.len;
}

static const struct slice good_frame = LIT_INIT("\x82\x02\x05"); /* a cancel */

TEST(bad_packets_are_refused_one_by_one_and_their_descriptors_closed) {
    struct end a;
    unsigned files = open_files();
    int fd = begin(&a), fds[200], pipes[2];
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    for (int i = 0; i < 200; i++) fds[i] = pipes[0];
    unsigned before = open_files();
    CHECK(send_raw(fd, LIT("\xff\xff"), fds, 2) && send_raw(fd, good_frame, NULL, 0));
    turns(1);
    CHECK(a.refused == 1 && a.frames == 1);
    CHECK(send_raw(fd, good_frame, fds, 1)); /* descriptors with a cancel */
    turns(1);
    CHECK(a.refused == 2 && a.last_kind == LINK_CANCEL && a.last_id == 5);
    struct slice result = LIT("\x83\x05\x07\xf6");
    CHECK(send_raw(fd, result, fds, 4));
    turns(1);
    CHECK(a.refused == 2 && a.frames == 2 && a.fds == 4);
    static uint8_t big[LIMIT_LINK_FRAME + 1];
    memcpy(big, "\x83\x05\x18\x20\x5a\x00\x01\x80\x00", 9);
    CHECK(send_raw(fd, slice_of(big, sizeof big), fds, 1));
    turns(1);
    CHECK(a.refused == 3 && !strcmp(a.link.err.limit, "link frame") && a.last_id == 32);
    /* Empty packets look like an end and are none. */
    CHECK(send_raw(fd, slice_of("", 0), fds, 3) && send_raw(fd, slice_of("", 0), NULL, 0) &&
          send_raw(fd, result, NULL, 0));
    turns(1);
    CHECK(a.refused == 5 && a.frames == 3 && a.gone == 0);
    CHECK(send_raw(fd, slice_of("", 0), fds, 3));
    turns(1);
    CHECK(a.refused == 6 && a.gone == 0);
    CHECK_INT(open_files(), before);
    CHECK(a.link.received == 3 && a.link.refused == 6);
    close(pipes[0]);
    close(pipes[1]);
    finish(&a, fd);
    CHECK_INT(open_files(), files);
}

TEST(too_many_descriptors_and_none_to_be_had_are_refused_and_none_is_left_open) {
    if (!jail_has_seccomp()) {
        tap_skip("an emulator loses descriptors that do not fit");
        return;
    }
    struct end a;
    int fd = begin(&a), fds[200], pipes[2];
    struct slice result = LIT("\x83\x05\x07\xf6");
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    for (int i = 0; i < 200; i++) fds[i] = pipes[0];
    unsigned before = open_files();
    CHECK(send_raw(fd, result, fds, LIMIT_LINK_FDS + 1) && send_raw(fd, result, fds, 200));
    turns(1);
    CHECK(a.refused == 2 && a.frames == 0 && !strcmp(a.link.err.limit, "link descriptors") && a.last_id == 7);
    CHECK_INT(open_files(), before);
    /* The receiver is out of descriptors: the kernel drops them and says so. */
    struct rlimit was, low;
    getrlimit(RLIMIT_NOFILE, &was);
    low = was;
    low.rlim_cur = (rlim_t)pipes[1] + 1;
    CHECK(send_raw(fd, result, fds, 2) && setrlimit(RLIMIT_NOFILE, &low) == 0);
    turns(1);
    CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
    CHECK(a.refused == 3 && a.frames == 0);
    CHECK_INT(open_files(), before);
    CHECK(send_raw(fd, result, fds, LIMIT_LINK_FDS));
    turns(1);
    CHECK(a.frames == 1 && a.fds == LIMIT_LINK_FDS);
    close(pipes[0]);
    close(pipes[1]);
    finish(&a, fd);
}

TEST(seeded_garbage_is_refused_and_the_link_goes_on) {
    struct end a;
    int fd = begin(&a);
    rng_use_seed(7);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t bytes[64];
        rng_bytes(bytes, sizeof bytes);
        size_t len = 1 + (size_t)rng_below(sizeof bytes);
        if (i % 2) bytes[0] = (uint8_t)(0x80 | (2 + rng_below(4))), bytes[1] = (uint8_t)rng_below(9);
        CHECK(send_raw(fd, slice_of(bytes, len), NULL, 0));
        if (i % 16 == 0) turns(1);
    }
    turns(300);
    rng_use_seed(0);
    CHECK(a.frames + a.refused == 3000 && a.gone == 0 && a.refused > 2000);
    unsigned frames = a.frames;
    CHECK(send_raw(fd, good_frame, NULL, 0));
    turns(1);
    CHECK_INT(a.frames, frames + 1);
    finish(&a, fd);
}

TEST(a_callback_takes_only_so_many_frames) {
    struct end a;
    int fd = begin(&a);
    for (int i = 0; i < 3 * LINK_BATCH; i++) CHECK(send_raw(fd, good_frame, NULL, 0));
    for (unsigned i = 1; i <= 3; i++) {
        turns(1);
        CHECK_INT(a.frames, i * LINK_BATCH);
    }
    finish(&a, fd);
}

/* Fills the socket until frames wait. */
static unsigned fill(struct end *a, struct val value) {
    unsigned n = 0;
    while (!a->link.first && n < 100000) CHECK(send_request(&a->link, ++n, val_ref(&value), NULL, 0));
    return n;
}

TEST(what_the_socket_does_not_take_waits_with_its_descriptors_in_order) {
    struct end a, b = end_of("b");
    unsigned files = open_files();
    int fd = begin(&a), pipes[2];
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    static uint8_t kib[1024];
    struct val value = val_of_bytes(slice_of(kib, sizeof kib));
    unsigned n = fill(&a, value);
    CHECK(send_request(&a.link, ++n, val_of_str("with a pipe"), pipes, 2));
    close(pipes[0]); /* its duplicate waits */
    close(pipes[1]);
    turns(3);
    CHECK(a.link.first && a.link.waiting_bytes > 0 && a.gone == 0);
    b.keep = true;
    CHECK(link_start(&b.link, loop, fd, &err));
    for (unsigned i = 0; i < 1000 && b.frames < n; i++) turns(1);
    CHECK(b.frames == n && b.last_id == n && b.kept >= 0 && b.refused == 0);
    CHECK(!a.link.first && a.link.waiting_bytes == 0 && a.link.sent == n);
    link_stop(&b.link);
    val_unref(&b.value);
    val_unref(&value);
    close(b.kept);
    finish(&a, -1);
    CHECK_INT(open_files(), files);
}

TEST(a_queue_has_its_limit_and_the_link_stands) {
    struct end a, b = end_of("b");
    int fd = begin(&a);
    static uint8_t big[60000];
    struct val value = val_of_bytes(slice_of(big, sizeof big));
    unsigned n = 0;
    while (send_request(&a.link, n + 1, val_ref(&value), NULL, 0)) n++;
    CHECK(err.code == ERR_LIMIT && !strcmp(err.limit, "link queue") && a.link.waiting_bytes <= LIMIT_LINK_QUEUE &&
          a.link.waiting_bytes > LIMIT_LINK_QUEUE - 70000);
    CHECK(link_start(&b.link, loop, fd, &err));
    for (unsigned i = 0; i < 1000 && b.frames < n; i++) turns(1);
    CHECK_INT(b.frames, n);
    CHECK(send_request(&a.link, n + 1, val_ref(&value), NULL, 0));
    turns(3);
    CHECK_INT(b.frames, n + 1);
    val_unref(&value);
    link_stop(&b.link);
    val_unref(&b.value);
    /* Waiting descriptors count, so that they run out before the process has none left. */
    struct end c;
    finish(&a, -1);
    fd = begin(&c);
    fill(&c, val_null());
    unsigned waiting = 0;
    while (waiting < 2000 && send_request(&c.link, 1000000 + waiting, val_null(), &fd, 1)) waiting++;
    CHECK(waiting > 100 && waiting <= LIMIT_LINK_QUEUE / LINK_FD_WEIGHT && !strcmp(err.limit, "link queue"));
    unsigned files = open_files();
    finish(&c, fd);
    CHECK(open_files() < files - waiting);
}

TEST(a_slow_end_reads_no_requests_while_its_answers_wait) {
    struct end a;
    int fd = begin(&a);
    static uint8_t kib[1024];
    struct val value = val_of_bytes(slice_of(kib, sizeof kib));
    a.link.slow = true;
    fill(&a, value);
    CHECK(send_raw(fd, good_frame, NULL, 0));
    turns(5);
    CHECK_INT(a.frames, 0);
    char in[2000];
    while (a.link.first) {
        while (recv(fd, in, sizeof in, MSG_DONTWAIT) > 0) {
        }
        turns(1);
    }
    turns(2);
    CHECK_INT(a.frames, 1);
    /* Full again, and the other end goes: it is noticed all the same. */
    fill(&a, value);
    turns(1);
    close(fd);
    turns(3);
    CHECK_INT(a.gone, 1);
    val_unref(&value);
    finish(&a, -1);
}

TEST(the_end_comes_once_and_behind_every_frame) {
    struct end a;
    int fd = begin(&a);
    for (int i = 0; i < 50; i++) CHECK(send_raw(fd, good_frame, NULL, 0));
    CHECK(send_request(&a.link, 1, val_null(), NULL, 0)); /* nobody reads it: the end is a reset then */
    close(fd);
    CHECK(!send_request(&a.link, 2, val_null(), NULL, 0) && err.code == ERR_NETWORK);
    CHECK(!send_request(&a.link, 3, val_null(), NULL, 0)); /* and nothing was called from inside */
    CHECK_INT(a.frames + a.gone, 0);
    turns(5);
    CHECK(a.frames == 50 && a.gone == 1 && !a.link.loop);
    CHECK(!send_request(&a.link, 4, val_null(), NULL, 0) && err.code == ERR_NETWORK);
    link_stop(&a.link); /* nothing any more */
    turns(2);
    CHECK_INT(a.gone, 1);
    finish(&a, -1);
    /* Without a word from us. */
    fd = begin(&a);
    close(fd);
    turns(1);
    CHECK(a.gone == 1);
    finish(&a, -1);
    /* Half closed: no more can come. */
    fd = begin(&a);
    CHECK(send_raw(fd, good_frame, NULL, 0) && shutdown(fd, SHUT_WR) == 0);
    turns(3);
    CHECK(a.frames == 1 && a.gone == 1);
    finish(&a, fd);
    /* Half closed the other way: it will not listen. */
    fd = begin(&a);
    CHECK(send_raw(fd, good_frame, NULL, 0) && shutdown(fd, SHUT_RD) == 0);
    CHECK(!send_request(&a.link, 1, val_null(), NULL, 0));
    turns(3);
    CHECK(a.frames == 1 && a.gone == 1);
    finish(&a, fd);
}

/* An end on the heap that is stopped and freed inside its callback. */
static void free_inside(struct link *l, enum link_event event) {
    (void)event;
    struct end *end = LOOP_OWNER(struct end, link, l);
    link_stop(l);
    mem_put(end, sizeof *end);
}

TEST(stopping_and_freeing_inside_the_callback_is_legal) {
    static const char *const how[] = {"frame", "refused", "gone", "gone by sending"};
    for (int i = 0; i < 4; i++) {
        struct end *a = mem_get_zero(sizeof *a);
        int fd[2];
        loop = loop_new(&err);
        *a = end_of("a");
        a->link.call = free_inside;
        if (!pair(fd) || !CHECK(link_start(&a->link, loop, fd[0], &err))) return;
        if (i == 0) CHECK(send_raw(fd[1], good_frame, NULL, 0) && send_raw(fd[1], good_frame, NULL, 0));
        if (i == 1) CHECK(send_raw(fd[1], LIT("x"), NULL, 0) && send_raw(fd[1], good_frame, NULL, 0));
        if (i >= 2) close(fd[1]);
        if (i == 3) CHECK(!send_request(&a->link, 1, val_null(), NULL, 0));
        turns(3);
        if (!CHECK_INT(loop_stats(loop).fds, 0)) tap_note("%s", how[i]);
        if (i < 2) close(fd[1]);
        loop_free(loop);
    }
    struct end a;
    int fd = begin(&a);
    a.stop = true;
    CHECK(send_raw(fd, good_frame, NULL, 0) && send_raw(fd, good_frame, NULL, 0));
    turns(3);
    CHECK_INT(a.frames, 1);
    finish(&a, fd);
}

TEST(a_child_without_a_loop_sends_and_receives_waiting) {
    struct end a;
    for (int blocking = 0; blocking < 2; blocking++) {
        int fd = begin(&a), pipes[2];
        if (blocking) fcntl(fd, F_SETFL, 0);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            struct link_frame f;
            struct err e = ERR_INIT;
            close(a.link.fd.fd);
            if (!link_receive_waiting(fd, &f, &e) || f.kind != LINK_REQUEST || f.fd_n != 1) _exit(1);
            if (write(link_frame_take_fd(&f, 0), "child", 5) != 5) _exit(2);
            f.kind = LINK_RESULT;
            f.fd_n = 0;
            val_unref(&f.name);
            for (int i = 0; i < 300; i++) /* more than the socket holds at once */
                if (!link_send_waiting(fd, &f, &e)) _exit(3);
            link_frame_release(&f);
            bool refused = !link_receive_waiting(fd, &f, &e) && e.code == ERR_SYNTAX;
            bool over = !link_receive_waiting(fd, &f, &e) && e.code == ERR_NETWORK;
            _exit(refused && over ? 0 : 4);
        }
        close(fd);
        static uint8_t some[3000];
        CHECK(pipe2(pipes, O_CLOEXEC) == 0 &&
              send_request(&a.link, 1, val_of_bytes(slice_of(some, sizeof some)), &pipes[1], 1));
        for (unsigned i = 0; i < 1000 && a.frames < 300 && !a.gone; i++) loop_turn(loop, 1000);
        CHECK_INT(a.frames, 300);
        char in[5];
        CHECK(read(pipes[0], in, 5) == 5 && !memcmp(in, "child", 5));
        CHECK(send_raw(a.link.fd.fd, LIT("?"), NULL, 0));
        link_stop(&a.link);
        int status = 0;
        waitpid(pid, &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        close(pipes[0]);
        close(pipes[1]);
        finish(&a, -1);
    }
}

TEST(starting_on_what_is_no_link_fails) {
    struct end a = end_of("a");
    loop = loop_new(&err);
    int fd = open("/tmp", O_RDONLY | O_CLOEXEC); /* epoll does not take it */
    CHECK(!link_start(&a.link, loop, fd, &err) && fcntl(fd, F_GETFD) < 0);
    loop_free(loop);
}

static bool exchange(void *arg) {
    (void)arg;
    struct end a, b = end_of("b");
    loop = loop_new(NULL);
    if (!loop) return false;
    int fd[2];
    bool good = false;
    a = end_of("a");
    if (pair(fd)) {
        bool first = link_start(&a.link, loop, fd[0], NULL), second = link_start(&b.link, loop, fd[1], NULL);
        static uint8_t some[70000];
        good = first && second &&
               send_request(&a.link, 1, VAL_MAP_OF({"key", val_of_bytes(slice_of(some, sizeof some))}), NULL, 0) &&
               send_request(&a.link, 2, val_of_str("a text that lives outside"), &fd[0], 1);
        turns(2);
        /* A frame there was no memory for is refused, with its id. */
        CHECK(!good || b.frames + b.refused == 2);
        CHECK(!good || b.last_id == 2);
        good = good && b.frames == 2;
    }
    link_stop(&a.link);
    link_stop(&b.link);
    val_unref(&b.value);
    loop_free(loop);
    return good;
}

TEST(any_allocation_may_fail) {
    unsigned files = open_files();
    faults_sweep(exchange, NULL, "two frames");
    CHECK_INT(open_files(), files);
}

TAP_MAIN(T(frames_and_descriptors_go_both_ways), T(bad_packets_are_refused_one_by_one_and_their_descriptors_closed),
         T(too_many_descriptors_and_none_to_be_had_are_refused_and_none_is_left_open),
         T(seeded_garbage_is_refused_and_the_link_goes_on), T(a_callback_takes_only_so_many_frames),
         T(what_the_socket_does_not_take_waits_with_its_descriptors_in_order),
         T(a_queue_has_its_limit_and_the_link_stands), T(a_slow_end_reads_no_requests_while_its_answers_wait),
         T(the_end_comes_once_and_behind_every_frame), T(stopping_and_freeing_inside_the_callback_is_legal),
         T(a_child_without_a_loop_sends_and_receives_waiting), T(starting_on_what_is_no_link_fails),
         T(any_allocation_may_fail))
