/* feed.c - guids that are good once, feeds from their beginning to their end, whose session they are of. */
#include "rpc/feed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "rpc/rpc.h"

static struct loop *loop;
static struct feeds *feeds;
static unsigned opened, went, drained, said, sent, ended;
static bool full;
static char why[ERR_TEXT];
static int64_t now_us;

static void note_open(struct feed *f) {
    (void)f;
    opened++;
}
static void note_came(struct feed *f, bool text, struct slice data) {
    (void)f;
    said += text && slice_eq(data, LIT("hello"));
}
static void note_drained(struct feed *f) {
    (void)f;
    drained++;
}
static void note_gone(struct feed *f) {
    (void)f;
    went++;
}
static const struct feed_kind kind = {
    .name = "test", .open = note_open, .came = note_came, .drained = note_drained, .gone = note_gone};

static bool line_send(void *line, struct slice text) {
    (void)line, (void)text;
    sent += !full;
    return !full;
}
static bool line_frames(void *line, struct shared *frames) {
    return line_send(line, shared_slice(frames));
}
static void line_end(void *line, const struct err *reason) {
    (void)line;
    ended++;
    why[0] = 0;
    if (reason) memcpy(why, reason->text, sizeof why);
}
static const struct feed_line_ops ops = {line_send, line_frames, line_end};

static const struct rpc_caller first = {.kind = CALLER_SESSION, .name = LIT_INIT("first")},
                               second = {.kind = CALLER_SESSION, .name = LIT_INIT("second")};

static int64_t tell_time(void *arg) {
    (void)arg;
    return now_us;
}
static const struct clock_source source = {tell_time, tell_time, NULL};

static bool begin(void) {
    struct err e = ERR_INIT;
    now_us = 1000000;
    clock_use(&source);
    opened = went = drained = said = sent = ended = 0;
    full = false;
    loop = loop_new(&e);
    feeds = loop ? feeds_new(loop, &e) : NULL;
    return CHECK(feeds);
}
static void finish(void) {
    feeds_free(feeds);
    loop_free(loop);
    clock_use(NULL);
}
static void pass(int64_t ms) {
    now_us += ms * 1000;
    loop_turn(loop, 0);
}

TEST(a_guid_is_good_once_and_for_half_a_minute) {
    struct feed a = {.kind = &kind}, b = {.kind = &kind};
    if (!begin()) return;
    CHECK(feed_begin(feeds, &a, &first, NULL) && feed_begin(feeds, &b, &first, NULL));
    CHECK(strlen(a.guid) == FEED_GUID && strspn(a.guid, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == FEED_GUID);
    CHECK(strcmp(a.guid, b.guid) != 0);
    CHECK(!feed_claim(feeds, LIT("")) && !feed_claim(feeds, LIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")));
    CHECK(feed_claim(feeds, slice_str(a.guid)) == &a && !feed_claim(feeds, slice_str(a.guid)));
    feed_opened(&a, &ops, NULL);
    CHECK(opened == 1 && feed_is_open(&a));
    pass(FEED_WAIT_MS - 1);
    CHECK(went == 0);
    pass(2);
    CHECK(went == 1 && !feed_claim(feeds, slice_str(b.guid)) && feeds_count(feeds) == 1);
    feed_left(&a);
    CHECK(went == 1); /* from the loop */
    pass(0);
    CHECK(went == 2 && feeds_count(feeds) == 0);
    finish();
}

TEST(messages_go_until_the_line_is_full_and_again_when_it_is_not) {
    struct feed a = {.kind = &kind};
    if (!begin()) return;
    CHECK(feed_begin(feeds, &a, &first, NULL) && !feed_send(&a, LIT("early")));
    feed_opened(feed_claim(feeds, slice_str(a.guid)), &ops, NULL);
    CHECK(feed_send(&a, LIT("one")) && sent == 1);
    feed_drained(&a);
    CHECK(drained == 0); /* nobody waits for it */
    full = true;
    CHECK(!feed_send(&a, LIT("two")));
    full = false;
    feed_drained(&a);
    feed_drained(&a);
    CHECK(drained == 1);
    feed_came(&a, true, LIT("hello"));
    CHECK(said == 1);
    feed_end(&a, NULL);
    CHECK(ended == 1 && !why[0] && !feed_send(&a, LIT("late")));
    feed_end(&a, NULL);
    feed_came(&a, true, LIT("hello"));
    CHECK(ended == 1 && said == 1 && went == 0);
    feed_left(&a);
    pass(0);
    CHECK(went == 1);
    finish();
}

TEST(the_end_of_a_session_ends_its_feeds_and_no_others) {
    struct feed waiting = {.kind = &kind}, open = {.kind = &kind}, claimed = {.kind = &kind}, other = {.kind = &kind};
    struct err e = ERR_INIT;
    if (!begin()) return;
    CHECK(feed_begin(feeds, &waiting, &first, NULL) && feed_begin(feeds, &open, &first, NULL) &&
          feed_begin(feeds, &claimed, &first, NULL) && feed_begin(feeds, &other, &second, NULL));
    feed_opened(feed_claim(feeds, slice_str(open.guid)), &ops, NULL);
    feed_claim(feeds, slice_str(claimed.guid));
    err_set(&e, ERR_AUTHORIZATION, "over");
    feeds_end_of(feeds, CALLER_SESSION, LIT("first"), &e);
    CHECK(ended == 1 && !strcmp(why, "over"));
    CHECK(!feed_claim(feeds, slice_str(waiting.guid)));
    pass(0);
    CHECK(went == 1);
    feed_opened(&claimed, &ops, NULL); /* its socket had just been opened */
    CHECK(ended == 2 && opened == 1);
    feed_left(&claimed);
    feed_left(&open);
    pass(0);
    CHECK(went == 3 && feed_claim(feeds, slice_str(other.guid)) == &other);
    finish(); /* and what is left goes with the table */
    CHECK_INT(went, 4);
}

TEST(without_memory_there_is_no_feed_and_nothing_is_lost) {
    struct feed a = {.kind = &kind};
    if (!begin()) return;
    for (uint64_t nth = 1;; nth++) {
        struct err e = ERR_INIT;
        mem_fault(nth, 0);
        bool good = feed_begin(feeds, &a, &first, &e);
        bool hit = mem_fault_hit();
        mem_fault(0, 0);
        if (!hit) {
            CHECK(good);
            break;
        }
        CHECK(!good && e.code == ERR_NOMEM && feeds_count(feeds) == 0);
    }
    finish();
}

TAP_MAIN(T(a_guid_is_good_once_and_for_half_a_minute), T(messages_go_until_the_line_is_full_and_again_when_it_is_not),
         T(the_end_of_a_session_ends_its_feeds_and_no_others), T(without_memory_there_is_no_feed_and_nothing_is_lost))
