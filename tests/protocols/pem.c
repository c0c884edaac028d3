/* pem.c - RFC 7468 both ways, in any cut. Cases of our own; base64 as RFC 4648 10 has it ("foobar" is Zm9vYmFy). */
#include "protocols/pem.h"

#include "base/hex.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/tap.h"

static const struct pem_limits wide = {.bytes = 1 << 16, .blocks = 100};

/* A line for each block: where, label, bytes in hexadecimal; then how it ended. */
static void play(void *arg, struct cuts *cuts, struct buf *out) {
    struct pem p;
    struct pem_block block;
    struct err e = ERR_INIT;
    enum step step = STEP_MORE;
    pem_init(&p, arg ? arg : &wide);
    for (struct slice piece; step != STEP_BAD && cuts_next(cuts, &piece);) {
        do {
            struct fed fed = pem_feed(&p, piece, &block, &e);
            CHECK(fed.used <= piece.len);
            piece = slice_skip(piece, fed.used);
            step = fed.step;
            if (step == STEP_MORE) CHECK(!piece.len);
            if (step == STEP_EVENT) {
                buf_printf(out, "%u %.*s ", (unsigned)block.at, (int)block.label.len, (const char *)block.label.ptr);
                hex_add(out, block.bytes);
                buf_byte(out, '\n');
            }
        } while (step == STEP_EVENT);
    }
    while (step != STEP_BAD && step != STEP_END) {
        step = pem_eof(&p, &block, &e);
        if (step != STEP_EVENT) continue;
        buf_printf(out, "%u %.*s ", (unsigned)block.at, (int)block.label.len, (const char *)block.label.ptr);
        hex_add(out, block.bytes);
        buf_byte(out, '\n');
    }
    if (step == STEP_BAD) {
        struct err again = ERR_INIT;
        buf_printf(out, "%zd: %s", e.at == ERR_NOWHERE ? (ssize_t)-1 : (ssize_t)e.at, e.text);
        CHECK(pem_feed(&p, LIT("x"), &block, &again).step == STEP_BAD && again.code == ERR_SYNTAX);
        CHECK(pem_eof(&p, &block, &again) == STEP_BAD);
    }
    pem_release(&p);
}

#define A "-----BEGIN A-----\n"
#define Z "-----END A-----\n"

static const struct {
    const char *text, *want;
} texts[] = {
    {"", ""},
    {"no block\nat all", ""},
    {A "Zm9vYmFy\n" Z, "0 A 666f6f626172\n"},
    {A "Zm9vYmFy\n-----END A-----", "0 A 666f6f626172\n"}, /* the last line without its end */
    {"some words\n\n---\n- x\n" A "Zm9vYmE=\n" Z "more\n" A "Zg==\n" Z "words", "20 A 666f6f6261\n68 A 66\n"},
    {A "Zm9vYmFy\r\nZm9v\r\n-----END A-----\r\n", "0 A 666f6f626172666f6f\n"},
    {A "Zm9vYm\nF\ny\n" Z, "0 A 666f6f626172\n"},    /* lines of any length */
    {A "\nZm9vYmFy \t\n\n" Z, "0 A 666f6f626172\n"}, /* blanks at the ends, blank lines */
    {"-----BEGIN A-----  \t\r\nZg==\n-----END A----- \n", "0 A 66\n"},
    {"-----BEGIN X.509 CRL-----\nZg==\n-----END X.509 CRL-----\n", "0 X.509 CRL 66\n"},
    {"-----BEGIN A-B C-----\nZg==\n-----END A-B C-----\n", "0 A-B C 66\n"},
    {"-----BEGIN -----\nZg==\n-----END -----\n", "0  66\n"}, /* an empty label is one (RFC 7468 3) */
    {" -----BEGIN A-----\nZm9v\n", ""},                      /* does not begin the line */
    {"-----BEGIN\n-----END\n----BEGIN A-----\n", ""},
    {"-----BEGIN A----\nZg==\n", "0: a BEGIN line of PEM is damaged"},
    {"-----BEGIN A-----x\n", "0: a BEGIN line of PEM is damaged"},
    {"-----BEGIN A\x01-----\n", "0: a BEGIN line of PEM is damaged"},
    {"-----BEGIN A  B-----\n", "0: a BEGIN line of PEM is damaged"},
    {"-----BEGIN A--B-----\n", "0: a BEGIN line of PEM is damaged"},
    {"-----BEGIN A ------\n", "0: a BEGIN line of PEM is damaged"},
    {"x\n" Z, "2: an END line of PEM has no BEGIN line"},
    {A "Zg==\n" Z Z, "0 A 66\n39: an END line of PEM has no BEGIN line"},
    {A Z, "18: the PEM block A is damaged: it is empty"},
    {A "Zm9\n" Z, "22: the PEM block A is damaged: its base64 is cut"},
    {A "Zm9v\n-----END B-----\n", "23: the PEM block A is damaged: its END line has another label"},
    {A "Zm9v\n-----END A----\n", "23: the PEM block A is damaged: its END line cannot be read"},
    {A "Zm9v\n" A, "23: the PEM block A is damaged: its END line cannot be read"},
    {A "Zm9v\n", "0: the PEM block A is damaged: the text ends before its END line"},
    {A "Zm9v", "0: the PEM block A is damaged: the text ends before its END line"},
    {A, "0: the PEM block A is damaged: the text ends before its END line"},
    {A "Zm9v\n-----END A----", "23: the PEM block A is damaged: its END line cannot be read"},
    {A "Zm9*\n" Z, "21: the PEM block A is damaged: this is not base64"},
    {A "Zm-v\n" Z, "20: the PEM block A is damaged: this is not base64"},
    {A "Z*9v\n" Z, "19: the PEM block A is damaged: this is not base64"},
    {A "*\n" Z, "18: the PEM block A is damaged: this is not base64"},
    {A "Zm_v\n" Z, "20: the PEM block A is damaged: this is not base64"},
    {A "Zg==Zg==\n" Z, "25: the PEM block A is damaged: this is not base64"},
    {A "Zh==\n" Z, "21: the PEM block A is damaged: this is not base64"}, /* bits left over */
    {A "Z===\n" Z, "21: the PEM block A is damaged: this is not base64"},
    {A "Zm=v\n" Z, "21: the PEM block A is damaged: this is not base64"},
    {A "Zm9v Zm9v\n" Z, "23: the PEM block A is damaged: something stands behind a blank"},
    {A " Zm9v\n" Z, "19: the PEM block A is damaged: something stands behind a blank"},
    {A "Zm9v\rZm9v\n" Z, "23: the PEM block A is damaged: something stands behind a blank"},
    {A "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nZm9v\n" Z,
     "0: the PEM block A has header lines, as keys with a passphrase have; it is needed without them"},
    {A "Comment: x\nZm9v\n" Z,
     "0: the PEM block A has header lines, as keys with a passphrase have; it is needed without them"},
};

TEST(every_text_is_read_or_refused_with_its_place_in_any_cut) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cuts_check(play, NULL, slice_str(texts[i].text), slice_str(texts[i].want), texts[i].text);
}

TEST(limits_are_held_and_named) {
    struct pem_limits tiny = {.bytes = 4, .blocks = 2};
    cuts_check(play, &tiny, LIT(A "Zm9vYg==\n" Z), LIT("0 A 666f6f62\n"), "just fits");
    cuts_check(play, &tiny, LIT(A "Zm9vYmE=\n" Z), LIT("0: over the limit bytes, which allows 4"), "one too many");
    cuts_check(play, &tiny, LIT(A "Zg==\n" Z A "Zg==\n" Z A "Zg==\n" Z),
               LIT("0 A 66\n39 A 66\n78: over the limit blocks, which allows 2"), "blocks");
    tiny.bytes = 0;
    cuts_check(play, &tiny, LIT(A "Zg==\n" Z), LIT("0: over the limit bytes, which allows 0"), "nothing");
    struct buf text;
    buf_init(&text, 4000);
    for (int len = PEM_LABEL_MAX; len <= PEM_LABEL_MAX + 1; len++) {
        buf_reset(&text);
        buf_add(&text, LIT("-----BEGIN "));
        for (int i = 0; i < len; i++) buf_byte(&text, 'L');
        buf_add(&text, LIT("-----\n"));
        cuts_check(play, NULL, buf_slice(&text),
                   len == PEM_LABEL_MAX
                       ? LIT("0: the PEM block LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL is "
                             "damaged: the text ends before its END line")
                       : LIT("0: a BEGIN line of PEM is damaged"),
                   "label");
    }
    buf_reset(&text);
    buf_add(&text, LIT("-----BEGIN A"));
    for (int i = 0; i < 200; i++) buf_byte(&text, 'L');
    cuts_check(play, NULL, buf_slice(&text), LIT("0: a BEGIN or END line is too long"), "long label");
    buf_reset(&text);
    for (int i = 0; i < 3000; i++) buf_byte(&text, '-'); /* long and of dashes, but text */
    buf_add(&text, LIT("\n" A "Zg==\n" Z));
    cuts_check(play, NULL, buf_slice(&text), LIT("3001 A 66\n"), "a long line of text");
    buf_reset(&text);
    buf_add(&text, LIT(A "Zg==\n-----END A"));
    for (int i = 0; i < 200; i++) buf_byte(&text, ' ');
    cuts_check(play, NULL, buf_slice(&text), LIT("23: the PEM block A is damaged: a BEGIN or END line is too long"),
               "long end");
    buf_release(&text);
}

TEST(what_is_written_has_64_columns_and_reads_back) {
    uint8_t bytes[200];
    struct buf text, hex;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37);
    buf_init(&text, 1000);
    buf_init(&hex, 1000);
    struct err e = ERR_INIT;
    CHECK(pem_write(&text, LIT("SOME THING"), slice_of(bytes, 49), &e));
    /* As `base64 -w 64` has it. */
    CHECK_TEXT(buf_slice(&text), LIT("-----BEGIN SOME THING-----\n"
                                     "ACVKb5S53gMoTXKXvOEGK1B1mr/kCS5TeJ3C5wwxVnugxeoPNFl+o8jtEjdcgabL\n"
                                     "8A==\n"
                                     "-----END SOME THING-----\n"));
    for (size_t len = 1; len <= sizeof bytes; len++) {
        buf_reset(&text);
        buf_reset(&hex);
        CHECK(pem_write(&text, LIT("A"), slice_of(bytes, len), &e));
        CHECK_INT(text.len, pem_len(LIT("A"), slice_of(bytes, len)));
        buf_add(&hex, LIT("0 A "));
        hex_add(&hex, slice_of(bytes, len));
        buf_byte(&hex, '\n');
        if (len < 100 || len == sizeof bytes) cuts_check(play, NULL, buf_slice(&text), buf_slice(&hex), "read back");
    }
    buf_release(&text);
    buf_release(&hex);
}

TEST(what_would_not_read_back_is_not_written) {
    static const char *const labels[] = {
        "a\nb",     " a",    "a ",
        "a  b",     "a-",    "-a",
        "\xc3\xa4", "a\x7f", "1234567890123456789012345678901234567890123456789012345678901234x"};
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 64);
    buf_add(&out, LIT("kept"));
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        CHECK(!pem_write(&out, slice_str(labels[i]), LIT("x"), &e) && e.code == ERR_INVALID);
    CHECK(!pem_write(&out, LIT("A"), LIT(""), &e) && e.code == ERR_INVALID);
    CHECK(!pem_write(&out, LIT("A"), LIT("nineteen bytes here"), &e) && e.code == ERR_LIMIT);
    CHECK(buf_ok(&out));
    CHECK_TEXT(buf_slice(&out), LIT("kept"));
    CHECK(pem_write(&out, LIT("A"), LIT("eighteen bytes her"), &e)); /* 4 + 34 + 25: all there is room for but one */
    buf_release(&out);
}

static bool read_and_write(void *arg) {
    struct pem p;
    struct pem_block block;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 1 << 16);
    pem_init(&p, &wide);
    bool good = pem_feed(&p, *(struct slice *)arg, &block, &e).step == STEP_EVENT;
    CHECK(good || e.code == ERR_NOMEM);
    good = good && pem_write(&out, LIT("B"), block.bytes, &e);
    CHECK(good || e.code == ERR_NOMEM);
    pem_release(&p);
    buf_release(&out);
    return good;
}

TEST(every_failed_allocation_is_an_error_of_that_call) {
    struct buf text;
    static const uint8_t bytes[5000] = {1};
    buf_init(&text, 1 << 16);
    CHECK(pem_write(&text, LIT("A"), slice_of(bytes, sizeof bytes), NULL));
    struct slice all = buf_slice(&text);
    faults_sweep(read_and_write, &all, "a block of 5000 bytes");
    buf_release(&text);
}

TAP_MAIN(T(every_text_is_read_or_refused_with_its_place_in_any_cut), T(limits_are_held_and_named),
         T(what_is_written_has_64_columns_and_reads_back), T(what_would_not_read_back_is_not_written),
         T(every_failed_allocation_is_an_error_of_that_call))
