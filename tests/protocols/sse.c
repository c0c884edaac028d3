/* sse.c - event streams as the HTML standard (9.2.5, 9.2.6) reads them, in every cut; what is written reads
 * back; limits. */
#include "protocols/sse.h"

#include "base/utf8.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <stdio.h>

#define BIG (1u << 20)

struct setup {
    struct sse_limits limits;
    bool show_at;
};

static const struct setup wide = {.limits = {BIG, BIG}};

/* "type|data|id" a line; a LF in data is shown as $. Then what the stream leaves behind. */
static void play(void *arg, struct cuts *c, struct buf *out) {
    const struct setup *setup = arg;
    struct sse s;
    struct err e = ERR_INIT;
    enum step step = STEP_MORE;
    sse_init(&s, &setup->limits);
    for (struct slice piece; step == STEP_MORE && cuts_next(c, &piece);) {
        do {
            struct sse_event ev;
            struct fed fed = sse_feed(&s, piece, &ev, &e);
            step = fed.step;
            piece = slice_skip(piece, fed.used);
            if (step != STEP_EVENT) continue;
            buf_add(out, ev.type);
            buf_byte(out, '|');
            for (size_t i = 0; i < ev.data.len; i++) buf_byte(out, ev.data.ptr[i] == '\n' ? '$' : ev.data.ptr[i]);
            buf_byte(out, '|');
            buf_add(out, ev.id);
            buf_byte(out, '\n');
            CHECK(utf8_ok(ev.type) && utf8_ok(ev.data) && utf8_ok(ev.id));
        } while (step == STEP_EVENT);
    }
    if (step == STEP_BAD) {
        struct sse_event ev;
        buf_printf(out, "bad %s", e.limit ? e.limit : "memory");
        if (setup->show_at) buf_printf(out, " at %zu", e.at);
        CHECK_INT(sse_feed(&s, LIT("data\n\n"), &ev, &e).step, STEP_BAD);
    } else {
        if (s.has_retry) buf_printf(out, "retry %llu ", (unsigned long long)s.retry_ms);
        if (s.id.len) {
            buf_add_str(out, "id ");
            buf_add(out, buf_slice(&s.id));
            buf_byte(out, ' ');
        }
        buf_add_str(out, sse_eof(&s) ? "ok" : "dropped");
    }
    sse_release(&s);
}

struct row {
    const char *name;
    struct slice in, want;
};
#define ROW(name, in, want)                                                                                            \
    { name, LIT_INIT(in), LIT_INIT(want) }

static void check_rows(const struct row *rows, size_t n, const struct setup *how) {
    struct setup setup = *how;
    for (size_t i = 0; i < n; i++) {
        setup.show_at = false;
        cuts_check(play, &setup, rows[i].in, rows[i].want, rows[i].name);
        setup.show_at = true;
        cuts_agree(play, &setup, rows[i].in, NULL, rows[i].name);
    }
}
#define CHECK_ROWS(rows, setup) check_rows(rows, sizeof rows / sizeof rows[0], setup)

TEST(the_examples_of_the_standard_read_as_it_says) {
    static const struct row rows[] = {
        ROW("stocks", "data: YHOO\ndata: +2\ndata: 10\n\n", "message|YHOO$+2$10|\nok"),
        ROW("a comment, ids and spaces",
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            "message|first event|1\nmessage|second event|\ndropped"),
        ROW("empty data", "data\n\ndata\ndata\n\ndata:", "message||\nmessage|$|\ndropped"),
        ROW("one space goes", "data:test\n\ndata: test\n\n", "message|test|\nmessage|test|\nok"),
        ROW("types", "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: x\n\n",
            "add|73857293|\nremove|2153|\nmessage|x|\nok"),
    };
    CHECK_ROWS(rows, &wide);
}

TEST(lines_end_in_lf_cr_or_both) {
    static const struct row rows[] = {
        ROW("LF", "data:a\ndata:b\n\ndata:c\n\n", "message|a$b|\nmessage|c|\nok"),
        ROW("CR", "data:a\rdata:b\r\rdata:c\r\r", "message|a$b|\nmessage|c|\nok"),
        ROW("CRLF", "data:a\r\ndata:b\r\n\r\ndata:c\r\n\r\n", "message|a$b|\nmessage|c|\nok"),
        ROW("mixed", "data:a\r\ndata:b\rdata:c\ndata:d\n\rdata:e\r\r\n", "message|a$b$c$d|\nmessage|e|\nok"),
        ROW("LF CR is two ends", "data:a\n\rdata:b\n\r", "message|a|\nmessage|b|\nok"),
        ROW("CR LF LF is two ends", "data:a\r\n\ndata:b\r\n\n", "message|a|\nmessage|b|\nok"),
        ROW("other separators are text",
            "data:a\xe2\x80\xa8"
            "b\x0b\x0c\xc2\x85\n\n",
            "message|a\xe2\x80\xa8"
            "b\x0b\x0c\xc2\x85|\nok"),
        ROW("a CR at the very end dispatches", "data:a\r\r", "message|a|\nok"),
    };
    CHECK_ROWS(rows, &wide);
    /* The event is there with the CR: nothing waits for a LF. */
    struct sse s;
    struct sse_event ev;
    struct err e = ERR_INIT;
    sse_init(&s, &wide.limits);
    CHECK_INT(sse_feed(&s, LIT("data:a\r\n\r"), &ev, &e).step, STEP_EVENT);
    CHECK_INT(sse_feed(&s, LIT("\n"), &ev, &e).step, STEP_MORE);
    CHECK(sse_eof(&s));
    sse_release(&s);
}

TEST(fields_are_read_as_9_2_6_says) {
    static const struct row rows[] = {
        ROW("nothing", "", "ok"),
        ROW("blank lines only", "\n\r\n\r\n\n", "ok"),
        ROW("comments", ":\n: x\n:data:x\n\n", "ok"),
        ROW("a comment inside an event", "data:a\n:x\ndata:b\n\n", "message|a$b|\nok"),
        ROW("an unknown field", "foo:bar\ndatas:x\ndata:a\ndat:x\n\n", "message|a|\nok"),
        ROW("names are exact", "Data:x\nDATA:x\ndata :x\n data:x\n\n", "ok"),
        ROW("a name without a colon", "data\nfoo\n\n", "message||\nok"),
        ROW("a colon in the value", "data:a:b\ndata::c\n\n", "message|a:b$:c|\nok"),
        ROW("only the first space goes", "data:  a\ndata: \ndata:   \n\n", "message| a$$  |\nok"),
        ROW("a tab stays", "data:\ta\n\n", "message|\ta|\nok"),
        ROW("spaces at the end stay", "data: a \n\n", "message|a |\nok"),
        ROW("a NUL in data stays", "data:a\0b\n\n", "message|a\0b|\nok"),
        ROW("a NUL in a name", "da\0ta:x\n\n", "ok"),
        ROW("no data, no event", "event:x\nid:1\n\n", "id 1 ok"),
        ROW("and the type does not stay", "event:x\n\ndata:a\n\n", "message|a|\nok"),
        ROW("the last type counts", "event:x\nevent:y\ndata:a\n\n", "y|a|\nok"),
        ROW("an empty type is message", "event:x\nevent\ndata:a\n\nevent:\ndata:b\n\n", "message|a|\nmessage|b|\nok"),
        ROW("a type with spaces", "event:  x \ndata\n\n", " x ||\nok"),
        ROW("the end in the middle of an event", "data:a\n\ndata:b\n", "message|a|\ndropped"),
        ROW("the end in the middle of a line", "data:a\n\ndata", "message|a|\ndropped"),
        ROW("a last blank line without an end", "data:a\n", "dropped"),
        ROW("a comment without an end", ": x", "dropped"),
        ROW("a type without an end", "event:x\n", "dropped"),
    };
    CHECK_ROWS(rows, &wide);
}

TEST(the_last_event_id_persists) {
    static const struct row rows[] = {
        ROW("over events", "id:1\ndata:a\n\ndata:b\n\n", "message|a|1\nmessage|b|1\nid 1 ok"),
        ROW("replaced", "id:1\ndata:a\n\nid:22\ndata:b\n\n", "message|a|1\nmessage|b|22\nid 22 ok"),
        ROW("the last in an event counts", "id:1\nid:2\ndata:a\n\n", "message|a|2\nid 2 ok"),
        ROW("reset by an empty one", "id:1\ndata:a\n\nid\ndata:b\n\nid:\ndata:c\n\n",
            "message|a|1\nmessage|b|\nmessage|c|\nok"),
        ROW("with NUL it is ignored", "id:1\ndata:a\n\nid:2\0\ndata:b\n\nid:\0\ndata:c\n\n",
            "message|a|1\nmessage|b|1\nmessage|c|1\nid 1 ok"),
        ROW("set by an event without data", "id:1\n\ndata:a\n\n", "message|a|1\nid 1 ok"),
        ROW("not by one that does not end", "id:1\ndata:a\n\nid:2\ndata:b\n", "message|a|1\nid 1 dropped"),
        ROW("any text", "id: \xc3\xa9 x:y\ndata\n\n", "message||\xc3\xa9 x:y\nid \xc3\xa9 x:y ok"),
        ROW("in either order", "data:a\nid:1\n\n", "message|a|1\nid 1 ok"),
    };
    CHECK_ROWS(rows, &wide);
}

TEST(the_time_to_wait_is_digits_only) {
    static const struct row rows[] = {
        ROW("a time", "retry: 3000\n", "retry 3000 ok"),
        ROW("without a space", "retry:0\n\n", "retry 0 ok"),
        ROW("leading zeros", "retry: 0010\n", "retry 10 ok"),
        ROW("the last one counts", "retry:1\nretry:2\n", "retry 2 ok"),
        ROW("at once, not with the event", "data:a\nretry:5\n", "retry 5 dropped"),
        ROW("not without an end of line", "retry:5", "dropped"),
        ROW("empty", "retry:7\nretry\nretry:\nretry: \n", "retry 7 ok"),
        ROW("letters", "retry:10x\nretry:x\nretry:1e3\n", "ok"),
        ROW("signs and points", "retry:-1\nretry:+1\nretry:1.5\n", "ok"),
        ROW("spaces", "retry:  1\nretry:1 \nretry:1 0\n", "ok"),
        ROW("hexadecimal", "retry:0x10\n", "ok"),
        ROW("other digits", "retry:\xd9\xa1\n", "ok"),
        ROW("too large", "retry:18446744073709551615\n", "retry 18446744073709551615 ok"),
        ROW("larger still", "retry:99999999999999999999999\n", "retry 18446744073709551615 ok"),
    };
    CHECK_ROWS(rows, &wide);
}

TEST(bytes_become_text_as_utf8_decode_does) {
    static const struct row rows[] = {
        ROW("a byte order mark goes",
            "\xef\xbb\xbf"
            "data:a\n\n",
            "message|a|\nok"),
        ROW("only one",
            "\xef\xbb\xbf\xef\xbb\xbf"
            "data:a\n\ndata:b\n\n",
            "message|b|\nok"),
        ROW("only at the start",
            "\n\xef\xbb\xbf"
            "data:a\n\n",
            "ok"),
        ROW("in the middle it is text",
            "data:\xef\xbb\xbf"
            "a\n\n",
            "message|\xef\xbb\xbf"
            "a|\nok"),
        ROW("the start of one is none",
            "\xef\xbb"
            "data:a\n\ndata:b\n\n",
            "message|b|\nok"),
        ROW("one byte of one",
            "\xef"
            "data:a\n\ndata:b\n\n",
            "message|b|\nok"),
        ROW("the start of another character", "\xef\xbb\xbe\n", "ok"),
        ROW("a mark and nothing", "\xef\xbb\xbf", "ok"),
        ROW("half a mark and nothing", "\xef\xbb", "dropped"),
        ROW("a mark before a comment", "\xef\xbb\xbf:x\ndata:a\n\n", "message|a|\nok"),
        ROW("a wrong byte",
            "data:a\xff"
            "b\n\n",
            "message|a\xef\xbf\xbd"
            "b|\nok"),
        ROW("each wrong byte", "data:\xff\xfe\n\n", "message|\xef\xbf\xbd\xef\xbf\xbd|\nok"),
        ROW("a character cut by the line's end", "data:a\xe2\x82\ndata:b\n\n", "message|a\xef\xbf\xbd$b|\nok"),
        ROW("a character cut by another", "data:\xf0\x9f\x98z\n\n", "message|\xef\xbf\xbdz|\nok"),
        ROW("a surrogate is three wrong bytes", "data:\xed\xa0\x80\n\n",
            "message|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\nok"),
        ROW("overlong is two", "data:\xc0\xaf\n\n", "message|\xef\xbf\xbd\xef\xbf\xbd|\nok"),
        ROW("in type and id too", "event:\xff\nid:\x80\ndata:a\n\n", "\xef\xbf\xbd|a|\xef\xbf\xbd\nid \xef\xbf\xbd ok"),
        ROW("a wrong byte before the colon", "data\xff:a\n\n", "ok"),
        ROW("a character cut by the colon", "data\xe2\x82:a\n\n", "ok"),
    };
    CHECK_ROWS(rows, &wide);
}

TEST(every_limit_is_met_exactly) {
    static const struct setup line = {.limits = {8, 100}}, event = {.limits = {100, 8}}, tiny = {.limits = {1, 1}};
    static const struct row lines[] = {
        ROW("at the limit", "data:abc\n\n:1234567\n", "message|abc|\nok"),
        ROW("over", "data:abcd\n\n", "bad line"),
        ROW("over without an end", "data:abcd", "bad line"),
        ROW("comments too", ":12345678\n", "bad line"),
        ROW("a mark does not count",
            "\xef\xbb\xbf"
            "data:abc\n\n",
            "message|abc|\nok"),
        ROW("a mark does not help",
            "\xef\xbb\xbf"
            "data:abcd\n\n",
            "bad line"),
        ROW("after an event", "data:abc\r\n\r\ndata:abcd\r\n\r\n", "message|abc|\nbad line"),
    };
    static const struct row events[] = {
        ROW("at the limit", "data:12345678\n\n", "message|12345678|\nok"),
        ROW("over", "data:123456789\n\n", "bad event"),
        ROW("lines add up, with what joins them", "data:1234\ndata:678\n\n", "message|1234$678|\nok"),
        ROW("and are over", "data:1234\ndata:6789\n\n", "bad event"),
        ROW("empty lines too", "data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n", "bad event"),
        ROW("type and id count", "event:12\nid:34\ndata:5678\n\n", "12|5678|34\nid 34 ok"),
        ROW("and are over too", "event:12\nid:34\ndata:56789\n\n", "bad event"),
        ROW("an id of before does not", "id:12345678\n\ndata:12345678\n\n",
            "message|12345678|12345678\nid 12345678 ok"),
        ROW("text as it was decoded", "data:\xff\xff\xff\n\n", "bad event"),
    };
    static const struct row marks[] = {ROW("half a mark over the limit", "\xef\xbbx", "bad line"),
                                       ROW("short", "x\n", "ok")};
    CHECK_ROWS(lines, &line);
    CHECK_ROWS(events, &event);
    CHECK_ROWS(marks, &tiny);
    struct setup at = {.limits = {8, 100}, .show_at = true};
    cuts_check(play, &at, LIT("data:a\n\ndata:abcd\n"), LIT("message|a|\nbad line at 16"), "where");
    at = (struct setup){.limits = {100, 3}, .show_at = true};
    cuts_check(play, &at, LIT("data:a\ndata:bcd\n"), LIT("bad event at 7"), "where");
}

TEST(what_is_written_reads_back) {
    static const struct {
        struct sse_message m;
        struct slice bytes, want;
    } rows[] = {
        {{.data = LIT_INIT("a")}, LIT_INIT("data: a\n\n"), LIT_INIT("message|a|\nok")},
        {{.data = LIT_INIT("")}, LIT_INIT("data: \n\n"), LIT_INIT("message||\nok")},
        {{.data = LIT_INIT(" a\nb\rc\r\nd\n")},
         LIT_INIT("data:  a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
         LIT_INIT("message| a$b$c$d$|\nok")},
        {{.data = LIT_INIT("\r\n\r")}, LIT_INIT("data: \ndata: \ndata: \n\n"), LIT_INIT("message|$$|\nok")},
        {{.type = LIT_INIT("add"), .data = LIT_INIT("x"), .id = LIT_INIT("7"), .has_retry = true, .retry_ms = 10},
         LIT_INIT("event: add\nid: 7\nretry: 10\ndata: x\n\n"),
         LIT_INIT("add|x|7\nretry 10 id 7 ok")},
        {{.id = LIT_INIT("7")}, LIT_INIT("id: 7\n\n"), LIT_INIT("id 7 ok")},
        {{.id = LIT_INIT(""), .data = LIT_INIT("x")}, LIT_INIT("id: \ndata: x\n\n"), LIT_INIT("message|x|\nok")},
        {{.data = LIT_INIT("a\0b: \xc3\xa9")},
         LIT_INIT("data: a\0b: \xc3\xa9\n\n"),
         LIT_INIT("message|a\0b: \xc3\xa9|\nok")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        struct err e = ERR_INIT;
        buf_init(&out, 1000);
        CHECK(sse_write(&out, &rows[i].m, &e));
        CHECK_TEXT(buf_slice(&out), rows[i].bytes);
        struct setup setup = wide;
        cuts_check(play, &setup, buf_slice(&out), rows[i].want, "written");
        buf_release(&out);
    }
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 1000);
    CHECK(sse_write_comment(&out, LIT(""), &e));
    CHECK(sse_write_comment(&out, LIT("two\r\ndata:lines"), &e));
    CHECK_TEXT(buf_slice(&out), LIT(": \n: two\n: data:lines\n"));
    buf_release(&out);
}

TEST(writers_refuse_what_would_not_read_back) {
    static const struct sse_message bad[] = {
        {.data = LIT_INIT("x"), .type = LIT_INIT("a\nb")}, {.data = LIT_INIT("x"), .type = LIT_INIT("a\r")},
        {.data = LIT_INIT("x"), .id = LIT_INIT("\n")},     {.data = LIT_INIT("x"), .id = LIT_INIT("1\r2")},
        {.data = LIT_INIT("x"), .id = LIT_INIT("1\0")},    {.data = LIT_INIT("\xff")},
        {.data = LIT_INIT("x"), .id = LIT_INIT("\xff")},   {.data = LIT_INIT("x"), .type = LIT_INIT("\xff")},
    };
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 20);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        e = (struct err)ERR_INIT;
        CHECK(!sse_write(&out, &bad[i], &e) && e.code);
        CHECK_INT(out.len, 0);
    }
    CHECK(!sse_write_comment(&out, LIT("\xff"), &e));
    /* All or nothing at the buffer's maximum. */
    const struct sse_message fits = {.data = LIT_INIT("1234567890")}, over = {.data = LIT_INIT("1\n2\n3")};
    CHECK(sse_write(&out, &fits, &e));
    size_t was = out.len;
    CHECK(!sse_write(&out, &over, &e));
    CHECK_INT(e.code, ERR_LIMIT);
    CHECK_INT(out.len, was);
    buf_release(&out);
}

static bool talk(void *arg) {
    (void)arg;
    static const struct sse_message m = {.type = LIT_INIT("a type"),
                                         .id = LIT_INIT("an id"),
                                         .data = LIT_INIT("first\nsecond"),
                                         .has_retry = true,
                                         .retry_ms = 1};
    struct buf out;
    struct err e = ERR_INIT;
    struct sse s;
    struct sse_event ev;
    buf_init(&out, 1000);
    sse_init(&s, &wide.limits);
    bool good = sse_write(&out, &m, &e) && sse_write(&out, &m, &e);
    struct slice left = buf_slice(&out);
    unsigned events = 0;
    while (good && left.len) {
        struct fed fed = sse_feed(&s, slice_head(left, 7), &ev, &e);
        left = slice_skip(left, fed.used);
        if (fed.step == STEP_BAD) good = false;
        if (fed.step == STEP_EVENT)
            events += slice_eq(ev.data, m.data) && slice_eq(ev.id, m.id) && slice_eq(ev.type, m.type);
    }
    if (good)
        CHECK_INT(events, 2);
    else
        CHECK_INT(e.code, ERR_NOMEM);
    sse_release(&s);
    buf_release(&out);
    return good;
}

/* Half a byte order mark has to be kept as well. */
static bool talk_of_half_a_mark(void *arg) {
    (void)arg;
    struct sse s;
    struct sse_event ev;
    struct err e = ERR_INIT;
    sse_init(&s, &wide.limits);
    bool good = sse_feed(&s, LIT("\xef\xbb:\n"), &ev, &e).step == STEP_MORE;
    sse_release(&s);
    return good;
}

TEST(an_allocation_that_fails_is_an_error_of_that_stream) {
    faults_sweep(talk, NULL, "an event there and back");
    faults_sweep(talk_of_half_a_mark, NULL, "half a mark");
}

TEST(a_reader_at_rest_keeps_little_memory) {
    struct sse s;
    struct sse_event ev;
    struct err e = ERR_INIT;
    struct buf big;
    buf_init(&big, BIG);
    buf_add_str(&big, "data:");
    for (int i = 0; i < 50000; i++) buf_byte(&big, 'x');
    buf_add_str(&big, "\n\n");
    sse_init(&s, &wide.limits);
    CHECK_INT(sse_feed(&s, slice_head(buf_slice(&big), 30000), &ev, &e).step, STEP_MORE);
    CHECK_INT(sse_feed(&s, slice_skip(buf_slice(&big), 30000), &ev, &e).step, STEP_EVENT);
    CHECK_INT(ev.data.len, 50000);
    CHECK_INT(sse_feed(&s, LIT(""), &ev, &e).step, STEP_MORE);
    CHECK(s.line.cap + s.data.cap + s.type.cap + s.id.cap < 5000);
    sse_release(&s);
    buf_release(&big);
}

TAP_MAIN(T(the_examples_of_the_standard_read_as_it_says), T(lines_end_in_lf_cr_or_both),
         T(fields_are_read_as_9_2_6_says), T(the_last_event_id_persists), T(the_time_to_wait_is_digits_only),
         T(bytes_become_text_as_utf8_decode_does), T(every_limit_is_met_exactly), T(what_is_written_reads_back),
         T(writers_refuse_what_would_not_read_back), T(an_allocation_that_fails_is_an_error_of_that_stream),
         T(a_reader_at_rest_keeps_little_memory))
