/* lines.c - streams of lines in every cut; limits; what is written reads back. */
#include "protocols/lines.h"

#include "base/mem.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/tap.h"

static void add_line(struct buf *out, struct slice line) {
    buf_byte(out, '<');
    buf_add(out, line);
    buf_byte(out, '>');
}

/* "<line>" each; then "end", or "bad" with limit and place. */
static void play(void *arg, struct cuts *c, struct buf *out) {
    struct lines l;
    struct err e = ERR_INIT;
    struct slice line;
    enum step step = STEP_MORE;
    lines_init(&l, *(const size_t *)arg);
    for (struct slice piece; step == STEP_MORE && cuts_next(c, &piece);) {
        do {
            struct fed fed = lines_feed(&l, piece, &line, &e);
            step = fed.step;
            if (step == STEP_MORE) CHECK_INT(fed.used, piece.len);
            piece = slice_skip(piece, fed.used);
            if (step == STEP_EVENT) add_line(out, line);
        } while (step == STEP_EVENT);
    }
    if (step != STEP_BAD) {
        step = lines_eof(&l, &line, &e);
        if (step == STEP_EVENT) {
            add_line(out, line);
            CHECK_INT(lines_eof(&l, &line, &e), STEP_END);
        }
        buf_add_str(out, "end");
    } else {
        buf_printf(out, "bad %s at %zu", e.limit, e.at);
        CHECK_INT(lines_feed(&l, LIT("a\n"), &line, &e).step, STEP_BAD);
        CHECK_INT(lines_eof(&l, &line, &e), STEP_BAD);
    }
    lines_release(&l);
}

TEST(lines_come_out_whole_in_every_cut) {
    static const struct {
        const char *name;
        size_t max;
        struct slice in, want;
    } rows[] = {
        {"nothing", 10, LIT_INIT(""), LIT_INIT("end")},
        {"one line", 10, LIT_INIT("abc\n"), LIT_INIT("<abc>end")},
        {"two lines", 10, LIT_INIT("abc\nde\n"), LIT_INIT("<abc><de>end")},
        {"a last line without its end", 10, LIT_INIT("abc\nde"), LIT_INIT("<abc><de>end")},
        {"CR LF", 10, LIT_INIT("abc\r\nde\r\n"), LIT_INIT("<abc><de>end")},
        {"one CR belongs to the end, the rest to the line", 10, LIT_INIT("abc\r\r\n"), LIT_INIT("<abc\r>end")},
        {"a CR inside stays", 10, LIT_INIT("a\rb\n"), LIT_INIT("<a\rb>end")},
        {"a CR at the end of the stream goes", 10, LIT_INIT("ab\r"), LIT_INIT("<ab>end")},
        {"empty lines", 10, LIT_INIT("\n\r\n\nab\n\n\r\n"), LIT_INIT("<ab>end")},
        {"lines of blanks", 10, LIT_INIT(" \n\t \r\nab\n  "), LIT_INIT("<ab>end")},
        {"blanks around stay", 10, LIT_INIT(" a \n"), LIT_INIT("< a >end")},
        {"any bytes", 10, LIT_INIT("\xff\0\x01\n"), LIT_INIT("<\xff\0\x01>end")},
        {"a line at the limit", 4, LIT_INIT("abcd\nabcd\r\nabcd"), LIT_INIT("<abcd><abcd><abcd>end")},
        {"a last line at the limit with its CR", 4, LIT_INIT("abcd\r"), LIT_INIT("<abcd>end")},
        {"a line over the limit", 4, LIT_INIT("ab\nabcde\n"), LIT_INIT("<ab>bad line at 7")},
        {"a line over the limit that never ends", 4, LIT_INIT("ab\nabcde"), LIT_INIT("<ab>bad line at 7")},
        {"a CR too many is over the limit", 4, LIT_INIT("abcd\r\r\n"), LIT_INIT("bad line at 4")},
        {"a CR that did not end the line is over the limit", 4, LIT_INIT("abcd\re\n"), LIT_INIT("bad line at 4")},
        {"a blank line over the limit", 4, LIT_INIT("      \n"), LIT_INIT("bad line at 4")},
        {"no room at all", 0, LIT_INIT("\n\r\na\n"), LIT_INIT("bad line at 3")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t max = rows[i].max;
        cuts_check(play, &max, rows[i].in, rows[i].want, rows[i].name);
    }
}

TEST(a_line_that_is_whole_points_into_the_input) {
    struct lines l;
    struct slice in = LIT("abc\ndef\n"), line;
    lines_init(&l, 100);
    CHECK_INT(lines_feed(&l, in, &line, NULL).used, 4);
    CHECK(line.ptr == in.ptr);
    CHECK(l.part.ptr == NULL);
    lines_release(&l);
}

TEST(what_is_written_reads_back_and_nothing_else_is_written) {
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 8);
    CHECK(lines_write(&out, LIT("{}"), &e));
    CHECK(!lines_write(&out, LIT("a\nb"), &e));
    CHECK_INT(e.at, 1);
    CHECK(!lines_write(&out, LIT("ab\r"), &e));
    CHECK(!lines_write(&out, LIT(""), &e));
    CHECK(!lines_write(&out, LIT(" \t"), &e));
    CHECK(!lines_write(&out, LIT("12345"), &e));
    CHECK_INT(e.code, ERR_LIMIT);
    CHECK(lines_write(&out, LIT("1234"), &e));
    CHECK_TEXT(buf_slice(&out), LIT("{}\n1234\n"));
    buf_release(&out);
}

TEST(a_long_line_does_not_keep_its_memory) {
    static uint8_t big[10000];
    struct lines l;
    struct slice line;
    memset(big, 'x', sizeof big);
    lines_init(&l, sizeof big);
    CHECK_INT(lines_feed(&l, slice_of(big, sizeof big), &line, NULL).step, STEP_MORE);
    CHECK_INT(lines_feed(&l, LIT("\n"), &line, NULL).step, STEP_EVENT);
    CHECK_INT(line.len, sizeof big);
    CHECK_INT(lines_feed(&l, LIT("a"), &line, NULL).step, STEP_MORE);
    CHECK(l.part.cap < 4096);
    lines_release(&l);
}

static bool read_and_write(void *arg) {
    (void)arg;
    struct lines l;
    struct slice line;
    struct err e = ERR_INIT;
    struct buf out;
    lines_init(&l, SIZE_MAX);
    buf_init(&out, 100);
    enum step step = lines_feed(&l, LIT("ab"), &line, &e).step;
    if (step == STEP_MORE) step = lines_feed(&l, LIT("c\n"), &line, &e).step;
    bool good = step == STEP_EVENT && slice_eq(line, LIT("abc")) && lines_write(&out, line, &e);
    if (!good) CHECK_INT(e.code, ERR_NOMEM);
    lines_release(&l);
    buf_release(&out);
    return good;
}

TEST(a_failed_allocation_is_an_error_and_no_leak) {
    faults_sweep(read_and_write, NULL, "lines");
}

TAP_MAIN(T(lines_come_out_whole_in_every_cut), T(a_line_that_is_whole_points_into_the_input),
         T(what_is_written_reads_back_and_nothing_else_is_written), T(a_long_line_does_not_keep_its_memory),
         T(a_failed_allocation_is_an_error_and_no_leak))
