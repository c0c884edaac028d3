/* stream.c - connections over real sockets: reading with backpressure, writing once a turn, sharing, closing, deadlines. */
#include "loop/stream.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct stream s;
    unsigned open, data, end, drained, late, gone;
    struct buf got;
    size_t eat_at_most; /* in one callback */
    bool eat_nothing, close_on_data, abort_on_data, write_on_data;
};

static void heard(struct stream *s, enum stream_event event) {
    struct side *side = LOOP_OWNER(struct side, s, s);
    CHECK_INT(side->gone, 0);
    switch (event) {
    case STREAM_OPEN: side->open++; break;
    case STREAM_DATA:
        side->data++;
        if (!side->eat_nothing) {
            struct slice d = stream_data(s);
            if (side->eat_at_most) d = slice_head(d, side->eat_at_most);
            buf_add(&side->got, d);
            stream_eat(s, d.len);
        }
        if (side->write_on_data) CHECK(stream_write(s, LIT("answer")));
        if (side->close_on_data) stream_close(s);
        if (side->abort_on_data) stream_abort(s);
        break;
    case STREAM_END: side->end++; break;
    case STREAM_DRAINED: side->drained++; break;
    case STREAM_LATE: side->late++; break;
    case STREAM_GONE: side->gone++; break;
    }
}

static struct side make_side(void) {
    struct side side = {.s = {.call = heard, .name = "side"}};
    buf_init(&side.got, 1 << 24);
    return side;
}

static struct loop *loop;
static struct err err;

/* A stream, and the bare other end of its socket. */
static int start(struct side *side, size_t in_max, size_t out_max) {
    int fd[2];
    if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0)) return -1;
    CHECK(stream_start(&side->s, loop, fd[0], false, in_max, out_max, &err));
    return fd[1];
}

static void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}

static void begin(void) {
    loop = loop_new(&err);
}

static void finish(struct side *side, int fd) {
    if (!side->gone) stream_abort(&side->s);
    turns(1);
    CHECK_INT(side->gone, 1);
    if (fd >= 0) close(fd);
    buf_release(&side->got);
    loop_free(loop);
}

TEST(bytes_come_in_and_go_out) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 1000, 1000);
    CHECK(write(fd, "hello", 5) == 5);
    turns(1);
    CHECK_TEXT(buf_slice(&side.got), LIT("hello"));
    CHECK(stream_write(&side.s, LIT("good ")) && stream_write(&side.s, LIT("bye")));
    CHECK_INT(stream_pending(&side.s), 8);
    char in[20];
    CHECK(read(fd, in, sizeof in) < 0 && errno == EAGAIN); /* nothing leaves before the phase of writing */
    turns(1);
    CHECK_INT(read(fd, in, sizeof in), 8);
    CHECK_INT(side.s.writes, 1);                            /* two writes of the owner, one of the kernel's */
    CHECK_INT(side.drained, 0);                             /* nothing had to wait */
    CHECK(side.s.in.ptr == NULL && side.s.own.ptr == NULL); /* an idle stream owns nothing */
    finish(&side, fd);
}

TEST(what_is_not_eaten_is_kept_and_reading_stops_when_it_is_full) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 10, 1000);
    side.eat_nothing = true;
    CHECK(write(fd, "0123456789abcdef", 16) == 16);
    turns(5);
    CHECK_TEXT(stream_data(&side.s), LIT("0123456789"));
    CHECK_INT(side.data, 1);
    stream_eat(&side.s, 4); /* outside a callback too */
    turns(5);
    CHECK_TEXT(stream_data(&side.s), LIT("456789abcd"));
    side.eat_nothing = false;
    side.eat_at_most = 3;
    stream_eat(&side.s, 10);
    CHECK(side.s.in.ptr == NULL);
    turns(5);
    CHECK_TEXT(buf_slice(&side.got), LIT("ef"));
    stream_pause(&side.s);
    CHECK(write(fd, "more", 4) == 4);
    turns(3);
    CHECK_INT(side.got.len, 2);
    stream_resume(&side.s);
    turns(1);
    CHECK_TEXT(buf_slice(&side.got), LIT("efmor"));
    CHECK_TEXT(stream_data(&side.s), LIT("e"));
    finish(&side, fd);
}

TEST(a_slow_reader_makes_the_writer_wait_and_tells_when_it_is_done) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 1000, 4 << 20);
    static uint8_t block[1 << 20];
    rng_use_seed(2);
    rng_bytes(block, sizeof block);
    rng_use_seed(0);
    struct shared *sh = shared_new(slice_of(block, sizeof block));
    /* Own and shared bytes in turns; what arrives must be in this order. */
    CHECK(stream_write(&side.s, LIT("first,")) && stream_share(&side.s, sh, 0) &&
          stream_write(&side.s, LIT("second,")) && stream_share(&side.s, sh, sizeof block - 10) &&
          stream_share(&side.s, sh, sizeof block) && stream_write(&side.s, LIT("last")));
    CHECK_INT(sh->refs, 3);
    shared_unref(sh);
    struct buf want, got;
    buf_init(&want, 8 << 20);
    buf_init(&got, 8 << 20);
    buf_add(&want, LIT("first,"));
    buf_add(&want, slice_of(block, sizeof block));
    buf_add(&want, LIT("second,"));
    buf_add(&want, slice_of(block + sizeof block - 10, 10));
    buf_add(&want, LIT("last"));
    CHECK_INT(stream_pending(&side.s), want.len);
    for (int i = 0; i < 100000 && got.len < want.len; i++) {
        turns(1);
        uint8_t *at = buf_room(&got, 5000);
        ssize_t n = read(fd, at, 1 + (size_t)i % 5000);
        if (n > 0) buf_wrote(&got, (size_t)n);
        if (i == 20) { /* while it waits: goes behind what is there */
            CHECK(stream_write(&side.s, LIT("!late")));
            buf_add(&want, LIT("!late"));
        }
    }
    CHECK(slice_eq(buf_slice(&got), buf_slice(&want)));
    turns(2);
    CHECK_INT(side.drained, 1);
    CHECK_INT(stream_pending(&side.s), 0);
    CHECK(side.s.parts == NULL && side.s.own.ptr == NULL);
    buf_release(&want);
    buf_release(&got);
    finish(&side, fd);
}

TEST(more_than_the_limit_is_refused_whole) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 10, 10);
    struct shared *sh = shared_new(LIT("123456"));
    CHECK(stream_write(&side.s, LIT("12345")));
    CHECK(!stream_write(&side.s, LIT("123456")) && !stream_share(&side.s, sh, 0) && stream_share(&side.s, sh, 1));
    CHECK_INT(stream_pending(&side.s), 10);
    for (int i = 0; i < 50; i++) { /* the limit counts what waits, not what has passed */
        turns(1);
        CHECK(stream_write(&side.s, LIT("0123456789")));
    }
    turns(1);
    char in[1000];
    CHECK_INT(read(fd, in, sizeof in), 510);
    shared_unref(sh);
    finish(&side, fd);
}

TEST(closing_lets_the_last_bytes_leave_and_aborting_does_not) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 10, 1000);
    side.write_on_data = side.close_on_data = true;
    CHECK(write(fd, "x", 1) == 1);
    turns(1);
    CHECK_INT(side.gone, 1);
    CHECK_INT(side.s.why.code, ERR_NONE);
    char in[20];
    CHECK(read(fd, in, sizeof in) == 6 && read(fd, in, sizeof in) == 0);
    CHECK(!stream_write(&side.s, LIT("x")));
    stream_close(&side.s);
    stream_abort(&side.s);
    finish(&side, fd);

    begin();
    side = make_side();
    fd = start(&side, 10, 1000);
    side.write_on_data = side.abort_on_data = true;
    CHECK(write(fd, "x", 1) == 1);
    turns(1);
    CHECK_INT(side.gone, 1);
    CHECK(read(fd, in, sizeof in) == 0);
    finish(&side, fd);
}

TEST(a_close_that_cannot_finish_ends_at_the_deadline) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 10, 8 << 20);
    static uint8_t block[4 << 20];
    CHECK(stream_write(&side.s, slice_of(block, sizeof block)));
    stream_close(&side.s);
    CHECK(!stream_write(&side.s, LIT("x")));
    turns(3);
    CHECK_INT(side.gone, 0); /* the peer does not read */
    CHECK(stream_deadline(&side.s, clock_mono_ms() + 10));
    int64_t until = clock_mono_ms() + 2000;
    while (!side.gone && clock_mono_ms() < until) loop_turn(loop, 20);
    CHECK_INT(side.gone, 1);
    CHECK_INT(side.s.why.code, ERR_TIMEOUT);
    CHECK(stream_deadline(&side.s, 5));
    finish(&side, fd);
}

TEST(the_end_of_the_peer_is_told_and_writing_goes_on) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 10, 1000);
    CHECK(write(fd, "bye", 3) == 3 && shutdown(fd, SHUT_WR) == 0);
    turns(3);
    CHECK_TEXT(buf_slice(&side.got), LIT("bye"));
    CHECK_INT(side.end, 1);
    CHECK(stream_write(&side.s, LIT("still here")));
    turns(1);
    char in[20];
    CHECK_INT(read(fd, in, sizeof in), 10);
    CHECK_INT(side.gone, 0);
    close(fd);
    CHECK(stream_write(&side.s, LIT("nobody")));
    turns(2);
    CHECK_INT(side.gone, 1);
    CHECK_INT(side.s.why.code, ERR_NETWORK);
    CHECK_INT(side.s.why.os, EPIPE);
    finish(&side, -1);
}

TEST(a_paused_stream_keeps_what_a_gone_peer_sent_and_does_not_spin) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 100, 1000);
    stream_pause(&side.s);
    CHECK(write(fd, "testament", 9) == 9);
    close(fd);
    turns(3);
    CHECK_INT(loop_turn(loop, 0), 0); /* parked: the hang-up is not heard again and again */
    CHECK_INT(side.data + side.end + side.gone, 0);
    stream_resume(&side.s);
    turns(3);
    CHECK_TEXT(buf_slice(&side.got), LIT("testament"));
    CHECK_INT(side.end, 1);
    finish(&side, -1);
}

TEST(connecting_is_told_when_it_stands_and_when_it_fails) {
    begin();
    int fd[2];
    struct side side = make_side();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    CHECK(stream_start(&side.s, loop, fd[0], true, 10, 100, &err));
    CHECK(stream_write(&side.s, LIT("early"))); /* waits for the connection */
    turns(2);
    CHECK_INT(side.open, 1);
    char in[20];
    CHECK_INT(read(fd[1], in, sizeof in), 5);
    finish(&side, fd[1]);
    begin();
    side = make_side();
    CHECK(!stream_start(&side.s, loop, -1, false, 10, 100, &err));
    buf_release(&side.got);
    loop_free(loop);
}

TEST(memory_that_fails_ends_only_that_stream) {
    begin();
    struct side side = make_side();
    int fd = start(&side, 1000, 1000);
    side.eat_nothing = true;
    CHECK(write(fd, "x", 1) == 1);
    mem_fault(1, 1);
    turns(1); /* the rest of the scratch finds no place */
    CHECK(!stream_write(&side.s, LIT("x")));
    mem_fault(0, 0);
    CHECK_INT(side.gone, 1);
    CHECK_INT(side.s.why.code, ERR_NOMEM);
    finish(&side, fd);
    begin();
    side = make_side();
    fd = start(&side, 1000, 1000);
    struct shared *sh = shared_new(LIT("shared"));
    mem_fault(1, 1);
    CHECK(!stream_write(&side.s, LIT("own")) && !stream_share(&side.s, sh, 0) && !shared_new(LIT("x")));
    mem_fault(0, 0);
    CHECK_INT(stream_pending(&side.s), 0);
    CHECK(stream_write(&side.s, LIT("own")) && stream_share(&side.s, sh, 0));
    turns(1);
    char in[20];
    CHECK_INT(read(fd, in, sizeof in), 9);
    shared_unref(sh);
    finish(&side, fd);
}

TAP_MAIN(T(bytes_come_in_and_go_out), T(what_is_not_eaten_is_kept_and_reading_stops_when_it_is_full),
         T(a_slow_reader_makes_the_writer_wait_and_tells_when_it_is_done), T(more_than_the_limit_is_refused_whole),
         T(closing_lets_the_last_bytes_leave_and_aborting_does_not), T(a_close_that_cannot_finish_ends_at_the_deadline),
         T(the_end_of_the_peer_is_told_and_writing_goes_on),
         T(a_paused_stream_keeps_what_a_gone_peer_sent_and_does_not_spin),
         T(connecting_is_told_when_it_stands_and_when_it_fails), T(memory_that_fails_ends_only_that_stream))
