/* logline.c - lines of our own log, written and read, and found in a piece of a file. */
#include "warden/logline.h"
#include "lib/faults.h"
#include "lib/tap.h"

#define BOOT "0123456789abcdef0123456789abcdef"

static bool written(struct logline *l, struct slice text, const char *want) {
    struct buf out;
    buf_init(&out, LIMIT_LOG_RECORD);
    bool good = CHECK(logline_write(&out, l, text)) && CHECK_TEXT(buf_slice(&out), slice_str(want));
    buf_release(&out);
    return good;
}

TEST(a_line_is_written_to_the_byte) {
    struct logline l = {.seq = 17, .wall_ms = 1700000000123, .boot = BOOT, .priority = 4};
    written(&l, LIT("all is well"),
            "{\"s\":17,\"t\":1700000000123,\"b\":\"" BOOT "\",\"p\":4,\"m\":\"all is well\"}\n");
    l = (struct logline){.seq = UINT64_MAX, .wall_ms = -5, .boot = BOOT, .priority = 0};
    written(&l, LIT("\x01 \"x\" \\ \xff\xc3\xa4\t\xe2\x82"),
            "{\"s\":18446744073709551615,\"t\":-5,\"b\":\"" BOOT "\",\"p\":0,\"m\":\"\\u0001 \\\"x\\\" \\\\ "
            "\xef\xbf\xbd\xc3\xa4\\t\xef\xbf\xbd\"}\n");
    written(&l, LIT(""), "{\"s\":18446744073709551615,\"t\":-5,\"b\":\"" BOOT "\",\"p\":0,\"m\":\"\"}\n");
}

TEST(what_was_written_reads_the_same) {
    struct logline l = {.seq = 1, .wall_ms = 2, .boot = BOOT, .priority = 7}, again;
    struct buf out;
    buf_init(&out, LIMIT_LOG_RECORD);
    CHECK(logline_write(&out, &l, LIT("a\nb\0\x7f\xc3\xa4")));
    CHECK(logline_read(slice_head(buf_slice(&out), out.len - 1), &again, NULL));
    CHECK_INT(again.seq, 1);
    CHECK_INT(again.wall_ms, 2);
    CHECK_INT(again.priority, 7);
    CHECK_TEXT(slice_str(again.boot), LIT(BOOT));
    CHECK_TEXT(val_as_text(&again.text), LIT("a\nb\0\x7f\xc3\xa4"));
    logline_release(&again);
    buf_release(&out);
}

TEST(a_long_line_is_cut_between_characters_and_marked) {
    static uint8_t many[LIMIT_LOG_LINE + 1];
    for (size_t lead = 0; lead < 3; lead++) {
        struct logline l = {.boot = BOOT}, again;
        struct buf out;
        memset(many, 'x', lead);
        for (size_t i = lead; i < sizeof many; i++) many[i] = (uint8_t) "\xe2\x82\xac"[(i - lead) % 3];
        buf_init(&out, LIMIT_LOG_RECORD);
        CHECK(logline_write(&out, &l, slice_of(many, sizeof many)));
        CHECK(logline_read(slice_head(buf_slice(&out), out.len - 1), &again, NULL));
        struct slice text = val_as_text(&again.text);
        CHECK(text.len <= LIMIT_LOG_LINE && text.len > LIMIT_LOG_LINE - 3 - 3);
        CHECK(slice_ends(text, LIT("\xac...")));
        CHECK_INT(slice_find(text, 0xef), text.len); /* nothing had to be mended */
        logline_release(&again);
        buf_release(&out);
    }
    memset(many, 1, sizeof many); /* what becomes longest */
    struct logline l = {.seq = UINT64_MAX, .wall_ms = INT64_MIN, .boot = BOOT}, again;
    struct buf out;
    buf_init(&out, LIMIT_LOG_RECORD);
    CHECK(logline_write(&out, &l, slice_of(many, LIMIT_LOG_LINE)));
    CHECK(logline_read(slice_head(buf_slice(&out), out.len - 1), &again, NULL));
    CHECK_INT(val_as_text(&again.text).len, LIMIT_LOG_LINE);
    logline_release(&again);
    buf_release(&out);
}

TEST(what_does_not_fit_leaves_nothing_behind) {
    struct logline l = {.boot = BOOT};
    for (size_t max = 0; max < 80; max++) {
        struct buf out;
        buf_init(&out, max);
        if (logline_write(&out, &l, LIT("text")))
            CHECK(max >= 70 && out.ptr[out.len - 1] == '\n');
        else
            CHECK_INT(out.len, 0);
        buf_release(&out);
    }
}

TEST(a_prefix_of_syslog_becomes_the_priority) {
    static const struct {
        const char *text, *rest;
        unsigned priority;
    } rows[] = {{"<4>x", "x", 4},      {"<0>", "", 0},       {"<7><4>x", "<4>x", 7},
                {"<8>x", "<8>x", 5},   {"<4x", "<4x", 5},    {"4>x", "4>x", 5},
                {"", "", 5},           {"<>x", "<>x", 5},    {"< >x", "< >x", 5},
                {"<45>x", "<45>x", 5}, {" <4>x", " <4>x", 5}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice s = slice_str(rows[i].text);
        CHECK_INT(logline_priority(&s), rows[i].priority);
        CHECK_TEXT(s, slice_str(rows[i].rest));
    }
}

TEST(what_is_no_line_is_refused) {
#define TAIL_ ",\"b\":\"" BOOT "\",\"p\":4,\"m\":\"x\"}"
    static const char *const bad[] = {
        "",
        "{}",
        "text",
        "[1]",
        "{\"s\":1,\"t\":2" TAIL_ "\n{",
        "{\"s\":-1,\"t\":2" TAIL_,
        "{\"s\":1.0,\"t\":2" TAIL_,
        "{\"s\":1,\"t\":\"2\"" TAIL_,
        "{\"s\":1" TAIL_,
        "{\"s\":1,\"t\":2,\"b\":\"0123\",\"p\":4,\"m\":\"x\"}",
        "{\"s\":1,\"t\":2,\"b\":\"0123456789ABCDEF0123456789abcdef\",\"p\":4,\"m\":\"x\"}",
        "{\"s\":1,\"t\":2,\"b\":\"" BOOT "\",\"p\":8,\"m\":\"x\"}",
        "{\"s\":1,\"t\":2,\"b\":\"" BOOT "\",\"p\":4,\"m\":7}",
        "{\"s\":1,\"t\":2,\"b\":\"" BOOT "\",\"p\":4}",
        "{\"s\":1,\"t\":2,\"b\":\"" BOOT "\",\"p\":4,\"m\":\"x",
    };
    struct logline l;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = ERR_INIT;
        if (!CHECK(!logline_read(slice_str(bad[i]), &l, &e))) tap_note("taken: %s", bad[i]);
        CHECK(e.code == ERR_SYNTAX && val_is_none(&l.text));
    }
    CHECK(logline_read(LIT("{\"s\":1,\"t\":2,\"later\":[1],\"b\":\"" BOOT "\",\"p\":4,\"m\":\"x\"}"), &l, NULL));
    logline_release(&l);
}

TEST(a_line_is_found_by_its_number_in_any_piece_of_a_file) {
    struct buf file;
    size_t starts[6];
    buf_init(&file, 10000);
    static const uint64_t seqs[] = {3, 4, 7, 8, 20};
    for (int i = 0; i < 5; i++) {
        struct logline l = {.seq = seqs[i], .boot = BOOT};
        starts[i] = file.len;
        CHECK(logline_write(&file, &l, LIT("{\"s\":99,\"t\":{\"s\":99,")));
    }
    starts[5] = file.len;
    buf_add_str(&file, "{\"s\":30,\"t\""); /* not whole yet */
    for (uint64_t want = 0; want < 32; want++)
        for (size_t from = 0; from <= file.len; from++) {
            struct slice piece = tap_guarded(slice_skip(buf_slice(&file), from));
            size_t best = piece.len;
            for (int i = 4; i >= 0; i--)
                if (starts[i] >= from + 1 && seqs[i] >= want) best = starts[i] - from;
            if (logline_find(piece, false, want) != best) CHECK_INT(logline_find(piece, false, want), best);
            if (from == 0) CHECK_INT(logline_find(piece, true, want), seqs[0] >= want ? 0 : best);
        }
    uint64_t seq = 0;
    CHECK(logline_seq(LIT("{\"s\":17,"), &seq) && seq == 17);
    CHECK(!logline_seq(LIT("{\"s\":,"), &seq) && !logline_seq(LIT("{\"s\":x"), &seq) &&
          !logline_seq(LIT("{\"t\":1,"), &seq) && !logline_seq(LIT("{\"s\":17"), &seq));
    buf_release(&file);
}

static bool go_through(void *arg) {
    (void)arg;
    struct logline l = {.seq = 1, .boot = BOOT}, again = {.text = val_none};
    struct buf out;
    buf_init(&out, LIMIT_LOG_RECORD);
    bool good = logline_write(&out, &l, LIT("a line that is long enough to be on the heap \xff"));
    if (!good) CHECK_INT(out.len, 0);
    good = good && logline_read(slice_head(buf_slice(&out), out.len - 1), &again, NULL);
    logline_release(&again);
    buf_release(&out);
    return good;
}

TEST(a_lack_of_memory_costs_the_line) {
    CHECK(faults_sweep(go_through, NULL, "a line"));
}

TAP_MAIN(T(a_line_is_written_to_the_byte), T(what_was_written_reads_the_same),
         T(a_long_line_is_cut_between_characters_and_marked), T(what_does_not_fit_leaves_nothing_behind),
         T(a_prefix_of_syslog_becomes_the_priority), T(what_is_no_line_is_refused),
         T(a_line_is_found_by_its_number_in_any_piece_of_a_file), T(a_lack_of_memory_costs_the_line))
