/* pump.c - bytes between the reactor and a real disk hand: order of events, backpressure, stopping anywhere, ends of
 * either side, resuming, constant memory. */
#include "warden/pump.h"

#include "lib/faults.h"
#include "warden/disk_box.h"

#include <bearssl.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1 /* freed memory is kept for a while: its growth says nothing */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* --- a pump that counts, and knows what the bytes must be --- */

struct flow {
    struct pump pump;
    unsigned open, data, drained, done, failed;
    bool over, right;
    uint64_t at;        /* of the next byte to be eaten, or fed */
    uint64_t end;       /* feed so many, then finish */
    size_t eat_at_most; /* in one callback; 0: all */
    bool eat_nothing, feeds;
    int stop_at; /* this event stops it, and (heap) frees it; -1: none */
    bool heap;
    unsigned *freed;
    bool inside; /* a function of the pump is being called: no event may come */
};

static void check_bytes(struct flow *f, struct slice s) {
    static uint8_t want[65536];
    for (size_t done = 0; done < s.len;) {
        size_t n = s.len - done < sizeof want ? s.len - done : sizeof want;
        fill(want, n, f->at + done);
        f->right = f->right && !memcmp(want, s.ptr + done, n);
        done += n;
    }
    f->at += s.len;
}

static void feed(struct flow *f) {
    static uint8_t bytes[65536];
    bool room = true;
    while (room && f->at < f->end) {
        size_t n = f->end - f->at < sizeof bytes ? (size_t)(f->end - f->at) : sizeof bytes;
        fill(bytes, n, f->at);
        f->inside = true;
        room = pump_feed(&f->pump, slice_of(bytes, n));
        f->inside = false;
        f->at += n;
    }
    if (f->at == f->end) {
        f->inside = true;
        pump_finish(&f->pump);
        f->inside = false;
        f->end = 0;
    }
}

static void eat(struct flow *f, size_t most) {
    struct slice s = pump_data(&f->pump);
    if (most) s = slice_head(s, most);
    check_bytes(f, s);
    f->inside = true;
    pump_eat(&f->pump, s.len);
    f->inside = false;
}

static void heard(struct pump *p, enum pump_event event) {
    struct flow *f = LOOP_OWNER(struct flow, pump, p);
    CHECK(!f->inside && !f->over);
    switch (event) {
    case PUMP_OPEN:
        f->open++;
        CHECK(f->data == 0 && f->open == 1);
        break;
    case PUMP_DATA:
        f->data++;
        CHECK(f->open == 1 && pump_data(p).len > 0);
        break;
    case PUMP_DRAINED: f->drained++; break;
    case PUMP_DONE:
        f->done++;
        f->over = true;
        break;
    case PUMP_FAILED:
        f->failed++;
        f->over = true;
        CHECK(p->err.code != ERR_NONE && p->err.text[0]);
        break;
    }
    if (f->stop_at == (int)event) {
        f->over = true;
        pump_stop(p);
        if (f->heap) {
            ++*f->freed;
            mem_put(f, sizeof *f);
        }
        return;
    }
    if (event == PUMP_DATA && !f->eat_nothing) eat(f, f->eat_at_most);
    if ((event == PUMP_OPEN || event == PUMP_DRAINED) && f->feeds && f->end) feed(f);
}

static struct flow flow_of(void) {
    return (struct flow){.pump = {.call = heard, .name = "flow"}, .stop_at = -1, .right = true};
}

static bool start_read(struct flow *f, const char *name, uint64_t from, uint64_t len) {
    f->at = from;
    f->inside = true;
    bool good = pump_read(&f->pump, loop, &port, "data", slice_str(name), from, len, &err);
    f->inside = false;
    return good;
}

static bool start_write(struct flow *f, const char *name, uint64_t from, uint64_t size) {
    f->at = from;
    f->end = size;
    f->feeds = true;
    f->inside = true;
    bool good = pump_write(&f->pump, loop, &port, "data", slice_str(name), from, UINT64_C(1) << 40, &err);
    f->inside = false;
    return good;
}

static void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}

static uint64_t size_of(const char *name) {
    struct stat st;
    return fstatat(data_dir, name, &st, 0) ? UINT64_MAX : (uint64_t)st.st_size;
}

static void put_big(const char *name, size_t len) {
    uint8_t *p = malloc(len);
    fill(p, len, 0);
    put_file(data_dir, name, slice_of(p, len));
    free(p);
}

static bool sum_is_right(const uint8_t *sum, uint64_t len) {
    static uint8_t bytes[65536];
    br_sha256_context c;
    uint8_t own[32];
    br_sha256_init(&c);
    for (uint64_t at = 0; at < len;) {
        size_t n = len - at < sizeof bytes ? (size_t)(len - at) : sizeof bytes;
        fill(bytes, n, at);
        br_sha256_update(&c, bytes, n);
        at += n;
    }
    br_sha256_out(&c, own);
    return !memcmp(own, sum, sizeof own);
}

/* --- reading --- */

TEST(reading_tells_what_the_file_is_then_its_bytes_then_that_it_is_over) {
    if (!begin()) return;
    put_big("big", 1000003);
    CHECK(mkdirat(data_dir, "folder", 0700) == 0);
    static const struct {
        const char *name;
        uint64_t from, len, want;
    } parts[] = {
        {"big", 0, UINT64_MAX, 1000003}, {"big", 7, 100, 100},         {"big", 1000000, 100, 3}, {"big", 1000003, 9, 0},
        {"big", 9999999, 9, 0},          {"folder", 0, UINT64_MAX, 0}, {"big", 5, 0, 0}};
    struct stat st;
    CHECK(fstatat(data_dir, "big", &st, 0) == 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct flow f = flow_of();
        CHECK(start_read(&f, parts[i].name, parts[i].from, parts[i].len));
        wait_for(&f.over);
        if (!CHECK(f.open == 1 && f.done == 1 && f.failed == 0 && f.right && f.pump.moved == parts[i].want &&
                   f.at == parts[i].from + parts[i].want))
            tap_note("case %zu", i);
        CHECK(f.pump.file.folder == !strcmp(parts[i].name, "folder"));
        if (f.pump.file.folder) continue;
        CHECK(f.pump.file.size == 1000003 && f.pump.file.id == st.st_ino &&
              f.pump.file.mtime_ns == (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    }
    struct flow f = flow_of();
    CHECK(start_read(&f, "none", 0, 1));
    wait_for(&f.over);
    CHECK(f.open == 0 && f.failed == 1 && f.pump.err.code == ERR_NOT_FOUND);
    f = flow_of();
    CHECK(start_read(&f, "../etc/passwd", 0, 1));
    wait_for(&f.over);
    CHECK(f.failed == 1 && f.pump.err.code == ERR_INVALID);
    pump_stop(&f.pump); /* nothing: it is over */
    turns(3);
    end();
}

TEST(what_is_not_eaten_stops_the_flow_and_what_is_eaten_late_ends_it) {
    if (!begin()) return;
    put_big("big", 3 << 20);
    put_big("small", 1000);
    struct flow f = flow_of(), g = flow_of();
    f.eat_nothing = true;
    CHECK(start_read(&f, "big", 0, UINT64_MAX));
    CHECK(start_read(&g, "big", 0, UINT64_MAX)); /* another is not held up */
    wait_for(&g.over);
    CHECK(g.done == 1 && g.right);
    turns(10);
    CHECK(!f.over && f.pump.moved <= LOOP_SCRATCH && pump_data(&f.pump).len == f.pump.moved);
    for (unsigned i = 0; i < 100000 && !f.over; i++) { /* eaten from outside, bit by bit */
        eat(&f, 30001);
        loop_turn(loop, pump_data(&f.pump).len || f.over ? 0 : 1000);
    }
    CHECK(f.done == 1 && f.right && f.at == 3 << 20);
    /* All has come, nothing is eaten: it is not over before it is. */
    f = flow_of();
    f.eat_nothing = true;
    CHECK(start_read(&f, "small", 0, UINT64_MAX));
    for (unsigned i = 0; i < 50 && f.pump.moved < 1000; i++) loop_turn(loop, 1000);
    turns(5);
    CHECK(f.pump.moved == 1000 && !f.over);
    eat(&f, 999);
    turns(5);
    CHECK(!f.over);
    eat(&f, 0);
    CHECK(!f.over); /* from the loop, not from inside */
    wait_for(&f.over);
    CHECK(f.done == 1 && f.right && pump_data(&f.pump).len == 0);
    f = flow_of();
    f.eat_at_most = 1; /* a byte a callback, the rest when it is over */
    CHECK(start_read(&f, "small", 0, UINT64_MAX));
    for (unsigned i = 0; i < 5000 && !f.over; i++) {
        loop_turn(loop, pump_data(&f.pump).len ? 0 : 100);
        if (!f.over && f.data) eat(&f, 1);
    }
    CHECK(f.done == 1 && f.right && f.at == 1000);
    turns(3);
    end();
}

TEST(a_file_that_cannot_be_read_to_its_end_is_a_failure_and_not_a_short_file) {
    if (!folders_begin()) return;
    put_big("big", 1 << 20);
    if (!hand_begin("read:3:eio")) return;
    struct flow f = flow_of();
    CHECK(start_read(&f, "big", 0, UINT64_MAX));
    wait_for(&f.over);
    CHECK(f.failed == 1 && f.done == 0 && f.right && f.pump.moved < 1 << 20 && f.pump.err.code == ERR_FILESYSTEM);
    turns(3);
    CHECK_INT(hand_end(), 0);
    folders_end();
}

/* --- writing --- */

TEST(written_bytes_become_a_file_with_its_sum) {
    if (!begin()) return;
    static const uint64_t sizes[] = {0, 1, 65536, 3000001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct flow f = flow_of();
        CHECK(start_write(&f, "up", 0, sizes[i]));
        if (!sizes[i]) f.feeds = false;
        for (unsigned k = 0; k < 1000 && !f.open; k++) loop_turn(loop, 1000);
        if (!sizes[i]) pump_finish(&f.pump);
        wait_for(&f.over);
        CHECK(f.open == 1 && f.done == 1 && f.failed == 0 && f.pump.file.size == sizes[i] && f.pump.moved == sizes[i]);
        CHECK(sum_is_right(f.pump.sum, sizes[i]) && size_of("up") == sizes[i] && !is_there("up.part"));
        if (sizes[i] > 1000000) CHECK(f.drained > 0); /* it had to wait in between */
        struct flow back = flow_of();
        CHECK(start_read(&back, "up", 0, UINT64_MAX));
        wait_for(&back.over);
        CHECK(back.done == 1 && back.right && back.at == sizes[i]);
    }
    /* The largest piece at once. */
    struct flow f = flow_of();
    uint8_t *piece = malloc(PUMP_PIECE);
    fill(piece, PUMP_PIECE, 0);
    CHECK(start_write(&f, "up", 0, 0));
    f.feeds = false;
    for (unsigned k = 0; k < 1000 && !f.open; k++) loop_turn(loop, 1000);
    CHECK(!pump_feed(&f.pump, slice_of(piece, PUMP_PIECE)));
    for (unsigned k = 0; k < 1000 && !f.drained; k++) loop_turn(loop, 1000);
    CHECK(f.drained == 1 && pump_feed(&f.pump, slice_of(piece, 10)));
    pump_finish(&f.pump);
    free(piece);
    wait_for(&f.over);
    CHECK(f.done == 1 && size_of("up") == PUMP_PIECE + 10);
    turns(3);
    end();
}

TEST(a_stopped_upload_leaves_its_part_and_goes_on_with_the_right_sum) {
    if (!begin()) return;
    const uint64_t size = 2000000;
    struct flow f = flow_of();
    CHECK(start_write(&f, "up", 0, size));
    for (unsigned i = 0; i < 1000 && (size_of("up.part") == UINT64_MAX || size_of("up.part") < 200000); i++)
        loop_turn(loop, 1);
    pump_stop(&f.pump);
    turns(2);
    CHECK(!f.over);
    struct val root = VAL_MAP_OF({"root", val_of_str("ro")});
    CHECK(does("disk.space", root)); /* it has taken note */
    uint64_t at = size_of("up.part");
    CHECK(at >= 200000 && at <= size && !is_there("up"));
    struct flow wrong = flow_of();
    CHECK(start_write(&wrong, "up", at - 1, size));
    wait_for(&wrong.over);
    CHECK(wrong.failed == 1 && wrong.open == 0 && wrong.pump.err.code == ERR_INVALID);
    f = flow_of();
    CHECK(start_write(&f, "up", at, size));
    wait_for(&f.over);
    CHECK(f.done == 1 && f.pump.file.size == size && f.pump.moved == size - at && sum_is_right(f.pump.sum, size) &&
          size_of("up") == size);
    turns(3);
    end();
}

TEST(a_quota_that_is_met_is_told_by_its_name_while_it_is_fed) {
    if (!begin()) return;
    struct flow f = flow_of();
    f.end = 1 << 30; /* it would go on for long */
    f.feeds = true;
    CHECK(pump_write(&f.pump, loop, &port, "data", LIT("up"), 0, 100000, &err));
    wait_for(&f.over);
    CHECK(f.failed == 1 && f.pump.err.code == ERR_LIMIT && f.pump.err.limit && !strcmp(f.pump.err.limit, "quota"));
    CHECK(size_of("up.part") == 100000 && !is_there("up"));
    turns(3);
    f = flow_of();
    f.feeds = true;
    CHECK(pump_write(&f.pump, loop, &port, "ro", LIT("up"), 0, 100000, &err));
    wait_for(&f.over);
    CHECK(f.failed == 1 && f.pump.err.code == ERR_AUTHORIZATION);
    turns(3);
    end();
}

/* --- stopping, and ends --- */

TEST(a_pump_may_be_stopped_and_freed_in_any_callback_and_between) {
    if (!begin()) return;
    put_big("big", 1 << 20);
    unsigned freed = 0, expected = 0;
    static const enum pump_event reading[] = {PUMP_OPEN, PUMP_DATA, PUMP_DONE},
                                 writing[] = {PUMP_OPEN, PUMP_DRAINED, PUMP_DONE};
    for (unsigned i = 0; i < 8; i++) {
        struct flow *f = mem_get(sizeof *f);
        *f = flow_of();
        f->heap = true;
        f->freed = &freed;
        expected++;
        unsigned was = freed;
        if (i < 3) {
            f->stop_at = (int)reading[i];
            CHECK(start_read(f, "big", 0, UINT64_MAX));
        } else if (i < 6) {
            f->stop_at = (int)writing[i - 3];
            CHECK(start_write(f, "up", 0, 1 << 20));
        } else {
            f->stop_at = PUMP_FAILED;
            CHECK(i == 6 ? start_read(f, "none", 0, 1) : start_write(f, "none/up", 0, 1));
        }
        for (unsigned k = 0; k < 10000 && freed == was; k++) loop_turn(loop, 1000);
        CHECK_INT(freed, expected);
        turns(3);
    }
    /* Between: after so many turns, the struct gone right behind. */
    for (unsigned n = 0; n < 40; n++) {
        struct flow *f = mem_get(sizeof *f);
        *f = flow_of();
        CHECK(n % 2 ? start_read(f, "big", 0, UINT64_MAX) : start_write(f, "up", 0, 1 << 20));
        for (unsigned k = 0; k < n / 2; k++) loop_turn(loop, 5);
        pump_stop(&f->pump);
        pump_stop(&f->pump);
        memset(f, 0xee, sizeof *f);
        mem_put(f, sizeof *f);
        turns(3);
    }
    /* And used again at once. */
    struct flow f = flow_of();
    CHECK(start_read(&f, "big", 0, UINT64_MAX));
    pump_stop(&f.pump);
    CHECK(start_read(&f, "big", 5, UINT64_MAX));
    wait_for(&f.over);
    CHECK(f.done == 1 && f.right);
    turns(3);
    end();
}

TEST(the_hand_dying_or_the_port_stopping_fails_every_pump) {
    for (int way = 0; way < 2; way++) {
        if (!begin()) return;
        put_big("big", 8 << 20);
        struct flow all[4];
        for (unsigned i = 0; i < 4; i++) all[i] = flow_of();
        all[0].eat_nothing = true;
        CHECK(start_read(&all[0], "big", 0, UINT64_MAX));
        for (unsigned i = 0; i < 100 && !all[0].data; i++) loop_turn(loop, 1000); /* in the middle of it */
        all[1].feeds = false;
        CHECK(start_write(&all[1], "up", 0, 1 << 20));
        all[1].feeds = false;
        for (unsigned i = 0; i < 100 && !all[1].open; i++) loop_turn(loop, 1000);
        CHECK(start_read(&all[2], "big", 0, UINT64_MAX) &&
              start_write(&all[3], "other", 0, 1 << 20)); /* asked just now */
        if (way == 0)
            kill(hand_pid, SIGKILL);
        else
            port_stop(&port);
        CHECK(all[0].failed + all[1].failed + all[2].failed + all[3].failed == 0); /* nothing from inside */
        if (way == 1) pump_finish(&all[1].pump);                                   /* the port is gone already */
        for (unsigned i = 1; i < 4; i++) wait_for(&all[i].over);
        for (unsigned i = 0; i < 2000 && !all[0].over && way == 0;
             i++) { /* what had come is still given; then the end */
            if (pump_data(&all[0].pump).len) eat(&all[0], 0);
            loop_turn(loop, 5);
        }
        CHECK(all[1].failed == 1 && all[2].failed == 1 && all[3].failed == 1);
        if (way == 0) CHECK(all[0].failed == 1 && all[0].right && all[0].pump.moved < 8 << 20);
        pump_stop(&all[0].pump);
        struct flow late = flow_of();
        CHECK(!start_read(&late, "big", 0, 1) && err.code == ERR_NETWORK);
        CHECK(!start_write(&late, "up", 0, 1) && err.code == ERR_NETWORK);
        turns(3);
        CHECK_INT(hand_end(), way == 0 ? -SIGKILL : 0);
        folders_end();
    }
}

/* A reactor of its own: pushes until it is killed. */
_Noreturn static void push_for_ever(int link_fd) {
    struct flow f = flow_of();
    loop = loop_new(&err);
    port = (struct port){.name = "disk"};
    if (!loop || !port_start(&port, loop, link_fd, &err) || !start_write(&f, "up", 0, UINT64_C(1) << 39)) _exit(1);
    for (;;) loop_turn(loop, 1000);
}

TEST(a_reactor_killed_in_the_middle_leaves_a_part_to_go_on_with) {
    if (!folders_begin()) return;
    int fd[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    fflush(stdout);
    hand_pid = fork();
    if (hand_pid == 0) be_the_hand(fd[1], NULL);
    close(fd[1]);
    pid_t reactor = fork();
    if (reactor == 0) push_for_ever(fd[0]);
    close(fd[0]);
    struct timespec nap = {0, 1000000};
    for (unsigned i = 0; i < 10000 && (size_of("up.part") == UINT64_MAX || size_of("up.part") < 12 << 20); i++)
        nanosleep(&nap, NULL);
    kill(reactor, SIGKILL);
    int status = 0;
    waitpid(reactor, &status, 0);
    waitpid(hand_pid, &status, 0); /* it notices, makes the part durable, and ends */
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    uint64_t at = size_of("up.part"), size = at + 100000;
    CHECK(at >= 12 << 20 && at != UINT64_MAX && !is_there("up"));
    if (!hand_begin(NULL)) return;
    struct flow f = flow_of();
    CHECK(start_write(&f, "up", at, size));
    wait_for(&f.over);
    CHECK(f.done == 1 && sum_is_right(f.pump.sum, size) && size_of("up") == size);
    turns(3);
    end();
}

/* --- much --- */

TEST(sixty_four_ups_and_downs_at_once_all_come_right) {
    if (!begin()) return;
    enum { N = 64 };
    const uint64_t size = 400001;
    put_big("big", size);
    struct flow *all = calloc(2 * N, sizeof *all);
    char name[20];
    for (unsigned i = 0; i < 2 * N; i++) {
        all[i] = flow_of();
        snprintf(name, sizeof name, "up%u", i);
        CHECK(i % 2 ? start_read(&all[i], "big", 0, UINT64_MAX) : start_write(&all[i], name, 0, size));
    }
    unsigned right = 0;
    for (unsigned i = 0; i < 2 * N; i++) {
        wait_for(&all[i].over);
        right += all[i].done == 1 && all[i].right && (i % 2 || sum_is_right(all[i].pump.sum, size));
    }
    CHECK_INT(right, 2 * N);
    free(all);
    turns(3);
    end();
}

static long rss_kib(pid_t pid) {
    char path[40], line[200];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (f) fclose(f);
    return kib;
}

TEST(much_goes_up_and_comes_down_in_constant_memory) {
    if (!begin()) return;
    const uint64_t size = SANITIZED ? 24u << 20 : 256u << 20;
    struct flow f = flow_of();
    CHECK(start_write(&f, "warm", 0, 1 << 20)); /* what is allocated once is there */
    wait_for(&f.over);
    f = flow_of();
    CHECK(start_read(&f, "warm", 0, UINT64_MAX));
    wait_for(&f.over);
    long own = rss_kib(getpid()), hands = rss_kib(hand_pid), own_most = own, hands_most = hands;
    for (int way = 0; way < 2; way++) {
        f = flow_of();
        CHECK(way ? start_read(&f, "up", 0, UINT64_MAX) : start_write(&f, "up", 0, size));
        for (unsigned i = 0; !f.over && i < 2000000; i++) {
            loop_turn(loop, 1000);
            if (i % 256) continue;
            long now = rss_kib(getpid()), hand_now = rss_kib(hand_pid);
            if (now > own_most) own_most = now;
            if (hand_now > hands_most) hands_most = hand_now;
        }
        CHECK(f.done == 1 && f.right && f.pump.moved == size && f.pump.file.size == size);
        if (!way) CHECK(sum_is_right(f.pump.sum, size));
    }
    tap_note("%llu MiB: the reactor grew by %ld KiB, the hand by %ld KiB", (unsigned long long)size >> 20,
             own_most - own, hands_most - hands);
    if (!SANITIZED) CHECK(own > 0 && hands > 0 && own_most - own < 4096 && hands_most - hands < 4096);
    turns(3);
    end();
}

static bool up_and_down(void *arg) {
    (void)arg;
    struct flow f = flow_of();
    bool good = start_write(&f, "swept", 0, 100000);
    if (good) wait_for(&f.over);
    good = good && f.done == 1;
    if (good) {
        f = flow_of();
        good = start_read(&f, "swept", 0, UINT64_MAX);
        if (good) wait_for(&f.over);
        good = good && f.done == 1 && f.right && f.at == 100000;
    }
    turns(3);
    return good;
}

TEST(any_allocation_of_the_reactor_may_fail) {
    if (!begin()) return;
    up_and_down(NULL);
    unsigned files = open_files(getpid());
    log_use(say_nothing, NULL);
    faults_sweep(up_and_down, NULL, "up and down");
    log_use(NULL, NULL);
    CHECK_INT(open_files(getpid()), files);
    end();
}

TAP_MAIN(T(reading_tells_what_the_file_is_then_its_bytes_then_that_it_is_over),
         T(what_is_not_eaten_stops_the_flow_and_what_is_eaten_late_ends_it),
         T(a_file_that_cannot_be_read_to_its_end_is_a_failure_and_not_a_short_file),
         T(written_bytes_become_a_file_with_its_sum),
         T(a_stopped_upload_leaves_its_part_and_goes_on_with_the_right_sum),
         T(a_quota_that_is_met_is_told_by_its_name_while_it_is_fed),
         T(a_pump_may_be_stopped_and_freed_in_any_callback_and_between),
         T(the_hand_dying_or_the_port_stopping_fails_every_pump),
         T(a_reactor_killed_in_the_middle_leaves_a_part_to_go_on_with),
         T(sixty_four_ups_and_downs_at_once_all_come_right), T(much_goes_up_and_comes_down_in_constant_memory),
         T(any_allocation_of_the_reactor_may_fail))
