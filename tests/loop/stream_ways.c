/* stream_ways.c - the less usual ways of bytes through a stream: past the queue, out of a pipe by the kernel alone, through a filter;
 * lingering, and the last word before a deadline ends it. */
#include "loop/stream.h"

#include "base/clock.h"
#include "base/mem.h"
#include "lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct stream s;
    unsigned open, data, end, drained, late, gone;
    struct buf got;
    int64_t extend_ms; /* at STREAM_LATE */
    unsigned extends;
};

static struct loop *loop;
static struct err err;
static int64_t now_us;

static int64_t tell_time(void *arg) {
    (void)arg;
    return now_us;
}

static void heard(struct stream *s, enum stream_event event) {
    struct side *side = LOOP_OWNER(struct side, s, s);
    CHECK_INT(side->gone, 0);
    switch (event) {
    case STREAM_OPEN: side->open++; break;
    case STREAM_DATA:
        side->data++;
        buf_add(&side->got, stream_data(s));
        stream_eat(s, stream_data(s).len);
        break;
    case STREAM_END: side->end++; break;
    case STREAM_DRAINED: side->drained++; break;
    case STREAM_LATE:
        side->late++;
        if (side->extends) {
            side->extends--;
            CHECK(stream_deadline(s, loop_now_ms(loop) + side->extend_ms));
        }
        break;
    case STREAM_GONE: side->gone++; break;
    }
}

static int start(struct side *side, size_t out_max) {
    static const struct clock_source source = {tell_time, tell_time, NULL};
    int fd[2];
    now_us = 1000000;
    clock_use(&source);
    loop = loop_new(&err);
    *side = (struct side){.s = {.call = heard, .name = "side"}};
    buf_init(&side->got, 1u << 26);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    CHECK(stream_start(&side->s, loop, fd[0], false, 65536, out_max, &err));
    return fd[1];
}
static void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}
static void pass(int64_t ms) {
    now_us += ms * 1000;
    turns(3);
}
static void finish(struct side *side, int fd) {
    if (!side->gone) stream_abort(&side->s);
    turns(1);
    CHECK_INT(side->gone, 1);
    if (fd >= 0) close(fd);
    buf_release(&side->got);
    loop_free(loop);
    clock_use(NULL);
}

/* All that comes until nothing more does. */
static struct buf drain(int fd) {
    struct buf b;
    buf_init(&b, 1u << 26);
    for (int idle = 0; idle < 3;) {
        turns(2);
        uint8_t *at = buf_room(&b, 65536);
        ssize_t n = read(fd, at, 65536);
        if (n > 0) buf_wrote(&b, (size_t)n);
        idle = n > 0 ? 0 : idle + 1;
    }
    return b;
}

static struct slice pattern(size_t n) {
    static uint8_t bytes[1u << 20];
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return slice_of(bytes, n);
}

TEST(a_late_stream_may_move_its_deadline_and_else_ends) {
    struct side side;
    int fd = start(&side, 1000);
    side.extends = 2;
    side.extend_ms = 100;
    CHECK(stream_deadline(&side.s, loop_now_ms(loop) + 100));
    pass(99);
    CHECK_INT(side.late, 0);
    CHECK(stream_deadline(&side.s, loop_now_ms(loop) + 100)); /* moved later: nothing rings at the old time */
    pass(50);
    CHECK_INT(side.late, 0);
    pass(51);
    CHECK_INT(side.late, 1);
    pass(101);
    CHECK_INT(side.late, 2);
    CHECK_INT(side.gone, 0);
    pass(101);
    CHECK_INT(side.late, 3);
    CHECK_INT(side.gone, 1);
    CHECK_INT(side.s.why.code, ERR_TIMEOUT);
    finish(&side, fd);
}

TEST(a_deadline_of_zero_is_none) {
    struct side side;
    int fd = start(&side, 1000);
    CHECK(stream_deadline(&side.s, loop_now_ms(loop) + 100) && stream_deadline(&side.s, 0));
    pass(1000);
    CHECK(side.late == 0 && side.gone == 0);
    finish(&side, fd);
}

TEST(lingering_says_no_more_reads_what_comes_and_ends_in_time) {
    struct side side;
    int fd = start(&side, 1000);
    CHECK(stream_write(&side.s, LIT("answer")));
    stream_linger(&side.s, 500);
    turns(2);
    char in[20];
    CHECK_INT(read(fd, in, sizeof in), 6);
    CHECK_INT(read(fd, in, sizeof in), 0); /* no more comes */
    CHECK(send(fd, "still talking", 13, MSG_NOSIGNAL) == 13);
    turns(2);
    CHECK(side.gone == 0 && side.data == 0);
    pass(400);
    CHECK_INT(side.gone, 0);
    pass(101);
    CHECK_INT(side.gone, 1);
    CHECK_INT(side.s.why.code, ERR_NONE);
    finish(&side, fd);
    fd = start(&side, 1000); /* and ends at once when the peer does */
    stream_linger(&side.s, 500);
    turns(2);
    close(fd);
    turns(2);
    CHECK_INT(side.gone, 1);
    finish(&side, -1);
}

TEST(a_large_piece_goes_past_the_queue_behind_what_was_written_before) {
    struct side side;
    int fd = start(&side, 4u << 20);
    struct slice big = pattern(1u << 20);
    CHECK(stream_write(&side.s, LIT("head")) && stream_write_through(&side.s, big));
    CHECK(side.s.written_bytes > 4); /* already: not in the phase of writing */
    CHECK(stream_write(&side.s, LIT("tail")));
    struct buf got = drain(fd);
    CHECK(got.len == big.len + 8 && !memcmp(got.ptr, "head", 4) && !memcmp(got.ptr + 4, big.ptr, big.len) &&
          !memcmp(got.ptr + 4 + big.len, "tail", 4));
    buf_release(&got);
    finish(&side, fd);
}

TEST(drained_comes_to_who_asked_though_nothing_had_to_wait) {
    struct side side;
    int fd = start(&side, 1000);
    CHECK(stream_write(&side.s, LIT("x")));
    stream_owe_drained(&side.s);
    turns(1);
    CHECK_INT(side.drained, 1);
    turns(2);
    CHECK_INT(side.drained, 1);
    finish(&side, fd);
}

TEST(bytes_of_a_pipe_go_to_the_socket_by_the_kernel_alone) {
    struct side side;
    int fd = start(&side, 1000), pipes[2];
    struct slice all = pattern(500000);
    struct buf got;
    buf_init(&got, 1u << 20);
    CHECK(pipe2(pipes, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK(stream_write(&side.s, LIT("head:")) && stream_can_pull(&side.s) && stream_pull(&side.s, pipes[0], all.len));
    CHECK(!stream_write(&side.s, LIT("in between"))); /* would come before the rest of the pipe */
    size_t fed = 0;
    unsigned dry = 0;
    for (int i = 0; i < 2000 && stream_pull_left(&side.s); i++) {
        if (fed < all.len && i % 3 == 0) { /* the pipe runs dry again and again */
            ssize_t n = write(pipes[1], all.ptr + fed, all.len - fed < 30000 ? all.len - fed : 30000);
            if (n > 0) fed += (size_t)n;
            stream_pull_on(&side.s);
        }
        turns(1);
        dry = side.drained;
        uint8_t *at = buf_room(&got, 65536);
        ssize_t n = i % 2 ? read(fd, at, 20000) : -1; /* and the socket full */
        if (n > 0) buf_wrote(&got, (size_t)n);
    }
    struct buf rest = drain(fd);
    buf_add(&got, buf_slice(&rest));
    CHECK(dry > 2);
    CHECK_INT(got.len, all.len + 5);
    CHECK(!memcmp(got.ptr, "head:", 5) && !memcmp(got.ptr + 5, all.ptr, all.len));
    CHECK(stream_write(&side.s, LIT("after")) && !stream_pull_over(&side.s));
    buf_release(&rest);
    buf_release(&got);
    close(pipes[0]);
    close(pipes[1]);
    finish(&side, fd);
}

TEST(a_pipe_that_ends_too_early_is_told) {
    struct side side;
    int fd = start(&side, 1000), pipes[2];
    CHECK(pipe2(pipes, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK(write(pipes[1], "half", 4) == 4);
    close(pipes[1]);
    CHECK(stream_pull(&side.s, pipes[0], 8));
    turns(4);
    CHECK(side.drained == 1 && stream_pull_over(&side.s) && stream_pull_left(&side.s) == 4);
    close(pipes[0]);
    finish(&side, fd);
}

TEST(a_stream_can_be_woken_without_reading) {
    struct side side;
    int fd = start(&side, 1000);
    stream_wake(&side.s);
    turns(2);
    CHECK_INT(side.data, 0);
    CHECK(write(fd, "abc", 3) == 3);
    turns(3);
    CHECK(side.data == 1 && side.got.len == 0);
    stream_resume(&side.s);
    turns(2);
    CHECK_TEXT(buf_slice(&side.got), LIT("abc"));
    finish(&side, fd);
}

/* --- a filter that turns each byte's bits, after a handshake of one byte each way; '!' breaks it, a zero byte says goodbye --- */

struct toy {
    struct stream_filter f;
    struct buf raw, plain; /* to be sent; to be read */
    uint8_t room[64], fill[64];
    enum stream_filter_state state;
    unsigned *freed;
    size_t most; /* bytes a door takes at once */
};

static struct toy *toy_of(struct stream_filter *f) {
    return LOOP_OWNER(struct toy, f, f);
}
static uint8_t *toy_raw_room(struct stream_filter *f, size_t *len) {
    struct toy *t = toy_of(f);
    *len = t->plain.len || t->state >= STREAM_FILTER_ENDED ? 0 : t->most;
    return t->room;
}
static void toy_raw_came(struct stream_filter *f, size_t n) {
    struct toy *t = toy_of(f);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = t->room[i];
        if (c == '!') {
            t->state = STREAM_FILTER_FAILED;
            f->why = "a broken byte";
        } else if (t->state == STREAM_FILTER_SHAKING) {
            buf_byte(&t->raw, 'H');
            t->state = STREAM_FILTER_UP;
        } else if (c == 0)
            t->state = STREAM_FILTER_ENDED;
        else
            buf_byte(&t->plain, (uint8_t)~c);
    }
}
static struct slice toy_raw_out(struct stream_filter *f) {
    return slice_head(buf_slice(&toy_of(f)->raw), toy_of(f)->most);
}
static void toy_raw_sent(struct stream_filter *f, size_t n) {
    buf_drop(&toy_of(f)->raw, n);
}
static bool toy_raw_keep(struct stream_filter *f) {
    (void)f;
    return true;
}
static struct slice toy_plain_out(struct stream_filter *f) {
    return slice_head(buf_slice(&toy_of(f)->plain), toy_of(f)->most);
}
static void toy_plain_taken(struct stream_filter *f, size_t n) {
    buf_drop(&toy_of(f)->plain, n);
}
static uint8_t *toy_plain_room(struct stream_filter *f, size_t *len) {
    struct toy *t = toy_of(f);
    *len = t->raw.len > 1000 ? 0 : t->most;
    return t->fill;
}
static void toy_plain_came(struct stream_filter *f, size_t n, bool last) {
    (void)last;
    for (size_t i = 0; i < n; i++) buf_byte(&toy_of(f)->raw, (uint8_t)~toy_of(f)->fill[i]);
}
static void toy_close(struct stream_filter *f) {
    buf_byte(&toy_of(f)->raw, 0);
}
static enum stream_filter_state toy_state(const struct stream_filter *f) {
    return LOOP_OWNER(struct toy, f, (uintptr_t)f)->state;
}
static void toy_free(struct stream_filter *f) {
    struct toy *t = toy_of(f);
    ++*t->freed;
    buf_release(&t->raw);
    buf_release(&t->plain);
    mem_put(t, sizeof *t);
}
static const struct stream_filter_ops toy_ops = {toy_raw_room,   toy_raw_came,  toy_raw_out,     toy_raw_sent,
                                                 toy_raw_keep,   toy_plain_out, toy_plain_taken, toy_plain_room,
                                                 toy_plain_came, toy_close,     toy_state,       toy_free};

static unsigned freed;
static void put_toy(struct side *side, size_t most) {
    struct toy *t = mem_get_zero(sizeof *t);
    freed = 0;
    t->f.ops = &toy_ops;
    t->freed = &freed;
    t->most = most;
    buf_init(&t->raw, 1u << 22);
    buf_init(&t->plain, 1u << 22);
    stream_filter(&side->s, &t->f);
}
static void turn_bits(uint8_t *to, struct slice from) {
    for (size_t i = 0; i < from.len; i++) to[i] = (uint8_t)~from.ptr[i];
}

TEST(a_filter_stands_between_in_both_directions_whatever_its_doors_take) {
    static const size_t mosts[] = {1, 7, 64};
    for (unsigned m = 0; m < 3; m++) {
        struct side side;
        int fd = start(&side, 1u << 22);
        put_toy(&side, mosts[m]);
        CHECK(!stream_can_pull(&side.s) && !stream_pull(&side.s, 0, 1));
        CHECK(stream_write(&side.s, LIT("early"))); /* waits for the handshake */
        turns(2);
        char in[20];
        CHECK(read(fd, in, sizeof in) < 0 && side.open == 0);
        CHECK(write(fd, "h", 1) == 1);
        struct buf got = drain(fd);
        CHECK_INT(side.open, 1);
        CHECK(got.len == 6 && got.ptr[0] == 'H' && got.ptr[1] == (uint8_t) ~'e');
        buf_release(&got);
        uint8_t raw[100];
        turn_bits(raw, LIT("hello through the filter"));
        CHECK(write(fd, raw, 24) == 24);
        turns(60);
        CHECK_TEXT(buf_slice(&side.got), LIT("hello through the filter"));
        struct slice big = pattern(100000);
        struct shared *sh = shared_new(big);
        CHECK(stream_share(&side.s, sh, 0) && stream_write(&side.s, LIT("tail")));
        shared_unref(sh);
        got = drain(fd);
        uint8_t *want = malloc(big.len);
        turn_bits(want, big);
        CHECK(got.len == big.len + 4 && !memcmp(got.ptr, want, big.len));
        free(want);
        buf_release(&got);
        stream_close(&side.s); /* says goodbye first */
        got = drain(fd);
        CHECK(got.len == 1 && got.ptr[0] == 0);
        buf_release(&got);
        CHECK(side.gone == 1 && freed == 1);
        finish(&side, fd);
    }
}

TEST(a_filter_tells_an_end_from_a_cut_and_a_failure_with_its_reason) {
    struct side side;
    int fd = start(&side, 1000);
    put_toy(&side, 64);
    CHECK(write(fd, "h\0", 2) == 2); /* the handshake, and goodbye */
    turns(4);
    CHECK(side.open == 1 && side.end == 1 && !side.s.cut);
    finish(&side, fd);
    fd = start(&side, 1000);
    put_toy(&side, 64);
    CHECK(write(fd, "h", 1) == 1);
    shutdown(fd, SHUT_WR);
    turns(4);
    CHECK(side.end == 1 && side.s.cut);
    finish(&side, fd);
    fd = start(&side, 1000);
    put_toy(&side, 64);
    CHECK(write(fd, "h!", 2) == 2);
    turns(4);
    CHECK(side.gone == 1 && side.s.why.code == ERR_NETWORK && !strcmp(side.s.why.text, "a broken byte"));
    finish(&side, fd);
}

TEST(a_paused_stream_hears_later_what_waits_in_its_filter) {
    struct side side;
    int fd = start(&side, 1000);
    put_toy(&side, 64);
    CHECK(write(fd, "h", 1) == 1);
    turns(2);
    uint8_t raw[10];
    turn_bits(raw, LIT("0123456789"));
    CHECK(write(fd, raw, 10) == 10);
    stream_pause(&side.s);
    turns(3);
    CHECK_INT(side.got.len, 0);
    stream_resume(&side.s);
    turns(3);
    CHECK_TEXT(buf_slice(&side.got), LIT("0123456789"));
    finish(&side, fd);
}

TAP_MAIN(T(a_late_stream_may_move_its_deadline_and_else_ends), T(a_deadline_of_zero_is_none),
         T(lingering_says_no_more_reads_what_comes_and_ends_in_time),
         T(a_large_piece_goes_past_the_queue_behind_what_was_written_before),
         T(drained_comes_to_who_asked_though_nothing_had_to_wait),
         T(bytes_of_a_pipe_go_to_the_socket_by_the_kernel_alone), T(a_pipe_that_ends_too_early_is_told),
         T(a_stream_can_be_woken_without_reading),
         T(a_filter_stands_between_in_both_directions_whatever_its_doors_take),
         T(a_filter_tells_an_end_from_a_cut_and_a_failure_with_its_reason),
         T(a_paused_stream_hears_later_what_waits_in_its_filter))
