/* plain.c - errors, log lines, UTF-8, memory and assertions. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "lib/tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(an_error_says_code_place_limit_and_context) {
    struct err e = ERR_INIT;
    CHECK(!err_at(&e, ERR_SYNTAX, 7, "want %s, found %d", "a name", 5));
    CHECK_INT(e.code, ERR_SYNTAX);
    CHECK_INT(e.at, 7);
    err_context(&e, "reading %s", "manifest");
    CHECK_TEXT(slice_str(e.text), LIT("reading manifest: want a name, found 5"));
    CHECK_INT(e.at, 7);
    CHECK(!err_limit(&e, "depth", 12, 3));
    CHECK_TEXT(slice_str(e.text), LIT("over the limit depth, which allows 12"));
    CHECK_TEXT(slice_str(e.limit), LIT("depth"));
    CHECK_INT(err_http(&e), 413);
    CHECK(!err_status(&e, 431));
    CHECK_INT(err_http(&e), 431);
    CHECK(!err_os(&e, ERR_FILESYSTEM, ENOENT, "opening %s", "x"));
    CHECK_TEXT(slice_str(e.text), LIT("opening x: No such file or directory"));
    CHECK_INT(e.os, ENOENT);
    CHECK(e.limit == NULL && e.at == ERR_NOWHERE && e.http == 0);
    CHECK(!err_nomem(&e, "a thing"));
    CHECK_TEXT(slice_str(e.text), LIT("no memory for a thing"));
}

TEST(a_sentence_too_long_is_cut_and_says_so) {
    struct err e = ERR_INIT;
    err_set(&e, ERR_INVALID, "%0*d", 1000, 1);
    CHECK_INT(strlen(e.text), ERR_TEXT - 1);
    CHECK(slice_ends(slice_str(e.text), LIT("...")));
    err_context(&e, "front");
    CHECK_INT(strlen(e.text), ERR_TEXT - 1);
    CHECK(slice_starts(slice_str(e.text), LIT("front: 000")) && slice_ends(slice_str(e.text), LIT("...")));
}

TEST(nobody_has_to_care_about_an_error) {
    CHECK(!err_set(NULL, ERR_INVALID, "x") && !err_at(NULL, ERR_INVALID, 1, "x") && !err_limit(NULL, "x", 1, 1));
    CHECK(!err_os(NULL, ERR_INVALID, 1, "x") && !err_status(NULL, 1));
    err_context(NULL, "x");
}

TEST(codes_keep_the_numbers_that_clients_know) {
    CHECK_INT(err_rpc(ERR_AUTHORIZATION), 34);
    CHECK_INT(err_rpc(ERR_PASSWORD), 7);
    CHECK_INT(err_rpc(ERR_RPC_METHOD), -32601);
    CHECK_INT(err_rpc(ERR_RPC_PARSE), -32700);
    CHECK_INT(err_exit(ERR_USAGE), 2);
    CHECK_TEXT(slice_str(err_name(ERR_SYNTAX)), LIT("ERR_SYNTAX"));
    CHECK_TEXT(slice_str(err_label(ERR_RPC_PARAMS)), LIT("Invalid params"));
    for (int c = 1; c < ERR_CODE_N; c++) CHECK(err_exit((enum err_code)c) > 0 && err_rpc((enum err_code)c) != 0);
}

static char line[2000];
static enum log_level line_level;
static void keep(void *arg, enum log_level level, const char *text) {
    (void)arg;
    line_level = level;
    snprintf(line, sizeof line, "%s", text);
}

TEST(log_words_have_levels_and_lines_have_ends) {
    log_use(keep, NULL);
    log_note("a=%d", 1);
    CHECK_TEXT(slice_str(line), LIT("a=1"));
    CHECK_INT(line_level, LOG_NOTE);
    log_debug("hidden");
    CHECK_TEXT(slice_str(line), LIT("a=1"));
    log_set_level(LOG_DEBUG);
    log_debug("shown");
    CHECK_TEXT(slice_str(line), LIT("shown"));
    log_set_level(LOG_WARN);
    log_note("hidden");
    log_warn("%0*d", 3000, 1);
    CHECK(slice_ends(slice_str(line), LIT("0...")));
    CHECK(strlen(line) < 1024);
    log_set_level(LOG_NOTE);
    CHECK_TEXT(slice_str(log_text(slice_of("a\"\\\n\x80z", 6))), LIT("a\\x22\\x5c\\x0a\\x80z"));
    char many[300];
    memset(many, 'x', sizeof many);
    CHECK_INT(strlen(log_text(slice_of(many, sizeof many))), 123);
    log_use(NULL, NULL);
}

/* Runs f in a child, returns its wait status and what it wrote to standard error. */
static int in_child(void (*f)(void), char *out, size_t max) {
    int fd[2];
    if (pipe(fd)) return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd[1], 2);
        f();
        _exit(0);
    }
    close(fd[1]);
    ssize_t n = read(fd[0], out, max - 1);
    out[n > 0 ? n : 0] = 0;
    close(fd[0]);
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static void die_fatal(void) {
    log_fatal("cannot go on: %s", "disk");
}
static void die_must(void) {
    must(1 == 2);
}
static void die_never(void) {
    if (never(1 == 1)) return;
}

TEST(what_must_not_happen_ends_the_process) {
    char out[500];
    int status = in_child(die_fatal, out, sizeof out);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 70);
    CHECK_TEXT(slice_str(out), LIT("<2>cannot go on: disk\n"));
    status = in_child(die_must, out, sizeof out);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    CHECK(strstr(out, "broken invariant") && strstr(out, "1 == 2"));
    status = in_child(die_never, out, sizeof out);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

TEST(utf8_is_exactly_rfc_3629) {
    /* Every code point, and every two bytes, against the definition. */
    for (uint32_t p = 0; p < 0x110100; p++) {
        uint8_t text[4];
        size_t n = utf8_write(text, p);
        bool real = p <= 0x10ffff && !(p >= 0xd800 && p <= 0xdfff);
        if ((n != 0) != real || (n && !utf8_ok(slice_of(text, n)))) {
            CHECK(!"every code point has its form");
            tap_note("U+%04X", (unsigned)p);
            break;
        }
    }
    unsigned good = 0;
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t text[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        good += utf8_ok(slice_of(text, 2));
    }
    CHECK_INT(good, 128 * 128 + 30 * 64); /* two ASCII characters, or one from U+0080 to U+07FF */
    static const struct {
        const char *text;
        size_t valid;
    } cases[] = {{"\xc0\xaf", 0},
                 {"\xe0\x80\xaf", 0},
                 {"\xf0\x80\x80\xaf", 0},
                 {"\xed\xa0\x80", 0},
                 {"\xf4\x90\x80\x80", 0},
                 {"ab\xc3", 2},
                 {"ab\xe2\x82", 2},
                 {"ab\xf0\x9f\x98", 2},
                 {"\x80", 0},
                 {"12345678\xff", 8},
                 {"12345678\xc3\xa9", 10},
                 {"\xc3\xa9\xc3", 2},
                 {"\xfe", 0},
                 {"\xf5\x80\x80\x80", 0},
                 {"\xef\xbb\xbf", 3},
                 {"abcdefgh\xe2\x82\xac"
                  "abcdefgh\xe2\x82",
                  19},
                 {"\xf8\x88\x80\x80\x80", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!CHECK_INT(utf8_valid(tap_guarded(slice_str(cases[i].text))), cases[i].valid)) tap_note("case %zu", i);
}

TEST(utf8_in_pieces_is_refused_at_the_first_wrong_byte) {
    static const struct {
        const char *text;
        size_t bad; /* strlen: none */
        bool whole;
    } cases[] = {{"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10, true},
                 {"a\xf4\x90", 2, false},
                 {"\xed\xa0", 1, false},
                 {"\xe0\x80", 1, false},
                 {"\xf0\x8f", 1, false},
                 {"\xc3", 1, false},
                 {"\xe2\x82", 2, false},
                 {"\xc1", 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 12; step++) {
            struct slice s = slice_str(cases[i].text);
            struct utf8 u;
            utf8_init(&u);
            size_t at = 0, bad = 0;
            bool good = true;
            while (good && at < s.len) {
                struct slice piece = slice_head(slice_skip(s, at), step);
                good = utf8_feed(&u, piece, &bad);
                at += good ? piece.len : bad;
            }
            CHECK_INT(at, cases[i].bad);
            if (good) CHECK_INT(utf8_whole(&u), cases[i].whole);
        }
}

TEST(ill_formed_pieces_become_replacement_characters) {
    struct buf b;
    buf_init(&b, 200);
    CHECK(utf8_add_lossy(&b, LIT("a\xff"
                                 "b\xe2\x82"
                                 "c\xed\xa0\x80"
                                 "d\xc3\xa9")));
    /* One for 0xff, one for the broken start e2 82, three for the surrogate (no byte of it begins a character). */
    CHECK_TEXT(buf_slice(&b), LIT("a\xef\xbf\xbd"
                                  "b\xef\xbf\xbd"
                                  "c\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                  "d\xc3\xa9"));
    buf_reset(&b);
    CHECK(utf8_add_lossy(&b, LIT("\xf0\x9f\x98")));
    CHECK_TEXT(buf_slice(&b), LIT("\xef\xbf\xbd"));
    buf_release(&b);
}

TEST(memory_of_every_size_comes_and_goes) {
    enum { N = 4000 };
    static void *block[N];
    static size_t size[N];
    uint64_t state = 1;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            size[i] = (size_t)(state >> 33) % (i % 10 ? 2100 : 9000);
            block[i] = mem_get(size[i]);
            if (!CHECK(block[i])) return;
            memset(block[i], (int)i, size[i]);
        }
        for (size_t i = 0; i < N; i += 2) {
            size_t to = (size[i] * 7 + 13) % 5000;
            uint8_t *p = mem_grow(block[i], size[i], to);
            if (!CHECK(p)) return;
            for (size_t k = 0; k < size[i] && k < to; k++)
                if (p[k] != (uint8_t)i) {
                    CHECK(!"a moved block keeps its content");
                    break;
                }
            memset(p, (int)i, to);
            block[i] = p;
            size[i] = to;
        }
        for (size_t i = 0; i < N; i++) {
            size_t at = (i * 1237) % N;
            const uint8_t *p = block[at];
            for (size_t k = 0; k < size[at]; k++)
                if (p[k] != (uint8_t)at) {
                    CHECK(!"blocks do not overlap");
                    break;
                }
            mem_put(block[at], size[at]);
        }
    }
    mem_put(NULL, 0);
    mem_trim();
    void *empty = mem_grow(NULL, 0, 0);
    CHECK(empty != NULL);
    mem_put(empty, 0);
}

TEST(the_nth_allocation_can_be_made_to_fail) {
    mem_fault(2, 0);
    void *a = mem_get(10), *b = mem_get(10), *c = mem_get(10);
    CHECK(a && !b && c && mem_fault_hit());
    mem_fault(1, 1);
    CHECK(!mem_get(10) && !mem_get_zero(10) && !mem_grow(a, 10, 5000) && mem_fault_hit());
    mem_fault(0, 0);
    uint8_t *d = mem_get_zero(5000);
    CHECK(d && d[0] == 0 && d[4999] == 0);
    mem_fault(1, 0);
    CHECK(!mem_grow(d, 5000, 6000));
    mem_fault(0, 0);
    mem_put(a, 10);
    mem_put(c, 10);
    mem_put(d, 5000);
}

TAP_MAIN(T(an_error_says_code_place_limit_and_context), T(a_sentence_too_long_is_cut_and_says_so),
         T(nobody_has_to_care_about_an_error), T(codes_keep_the_numbers_that_clients_know),
         T(log_words_have_levels_and_lines_have_ends), T(what_must_not_happen_ends_the_process),
         T(utf8_is_exactly_rfc_3629), T(utf8_in_pieces_is_refused_at_the_first_wrong_byte),
         T(ill_formed_pieces_become_replacement_characters), T(memory_of_every_size_comes_and_goes),
         T(the_nth_allocation_can_be_made_to_fail))
