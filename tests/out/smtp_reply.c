/* smtp_reply.c - replies of SMTP servers: the grammar and its limits, in any cut. */
#include "out/smtp_reply.h"

#include "lib/cuts.h"
#include "lib/tap.h"

static void play_replies(void *arg, struct cuts *c, struct buf *to) {
    static const struct smtp_reply_limits limits = {.line = 40, .lines = 4, .bytes = 60};
    (void)arg;
    struct smtp_reply r;
    bool bad = false;
    smtp_reply_init(&r, &limits);
    for (struct slice piece; cuts_next(c, &piece) && !bad;) {
        struct smtp_reply_event event;
        struct fed fed;
        do {
            struct err e = ERR_INIT;
            fed = smtp_reply_feed(&r, piece, &event, &e);
            piece = slice_skip(piece, fed.used);
            if (fed.step == STEP_EVENT)
                buf_printf(to, "%u[%.*s]", event.code, (int)event.text.len, (const char *)event.text.ptr);
            if (fed.step == STEP_BAD) buf_printf(to, "bad %zu", e.code == ERR_LIMIT ? (size_t)0 : e.at);
        } while (fed.step == STEP_EVENT);
        bad = fed.step == STEP_BAD;
    }
    buf_add_str(to, bad ? "" : smtp_reply_idle(&r) ? "." : "...");
    smtp_reply_release(&r);
}

TEST(replies_are_read_strictly_in_any_cut) {
    static const char *const rows[][2] = {
        {"", "."},
        {"220 hi\r\n", "220[hi]."},
        {"220\r\n", "220[]."},
        {"220 \r\n", "220[]."},
        {"250-a\r\n250-\r\n250 c d\r\n354 go\r\n", "250[a\n\nc d]354[go]."},
        {"250-a\r\n250\r\n", "250[a\n]."},
        {"250 tab\there \xc3\xa4\r\n", "250[tab\there \xc3\xa4]."},
        {"25", "..."},
        {"250-a\r\n", "..."},
        {"250 x", "..."},
        {"250 x\r", "..."},
        {"199 x\r\n", "bad 0"}, /* offsets of the byte */
        {"260 x\r\n", "bad 1"},
        {"600 x\r\n", "bad 0"},
        {"2x0 x\r\n", "bad 1"},
        {"25 x\r\n", "bad 2"},
        {"2500 x\r\n", "bad 3"},
        {"250_x\r\n", "bad 3"},
        {"250 x\n", "bad 5"},
        {"250 x\r\r\n", "bad 6"},
        {"250 x\x01\r\n", "bad 5"},
        {"250 a\x7f\r\n", "bad 5"},
        {"250-x\r\n251 y\r\n", "bad 9"},
        {"250-x\r\n\r\n", "bad 7"},
        {"\r\n", "bad 0"},
        {"250 0123456789012345678901234567890123456\r\n", "bad 0"},                                     /* line: 41 */
        {"250 012345678901234567890123456789012345\r\n", "250[012345678901234567890123456789012345]."}, /* 40 */
        {"250-\r\n250-\r\n250-\r\n250-\r\n250 \r\n", "bad 0"},                                          /* lines: 5 */
        {"250-\r\n250-\r\n250-\r\n250 \r\n", "250[\n\n\n]."},
        {"250-01234567890123456789012345678901\r\n250 0123456789012345678901234567\r\n", "bad 0"}, /* bytes: 61 */
        {"250-01234567890123456789012345678901\r\n250 012345678901234567890123456\r\n",
         "250[01234567890123456789012345678901\n012345678901234567890123456]."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cuts_check(play_replies, NULL, slice_str(rows[i][0]), slice_str(rows[i][1]), rows[i][0]);
}

TEST(extensions_are_found_by_their_whole_name) {
    struct slice text = LIT("box.test greets\nSIZE 1000\nauth PLAIN LOGIN\nSTARTTLSX\n8BITMIME"), p;
    CHECK(smtp_extension(text, LIT("size"), &p) && slice_eq(p, LIT("1000")));
    CHECK(smtp_extension(text, LIT("AUTH"), &p) && slice_eq(p, LIT("PLAIN LOGIN")));
    CHECK(smtp_extension(text, LIT("8BITMIME"), &p) && !p.len);
    CHECK(!smtp_extension(text, LIT("STARTTLS"), &p) && !smtp_extension(text, LIT("BOX.TEST"), &p));
    CHECK(smtp_extension(LIT("x\nAUTH=LOGIN"), LIT("AUTH"), &p) && slice_eq(p, LIT("LOGIN")));
}

TAP_MAIN(T(replies_are_read_strictly_in_any_cut), T(extensions_are_found_by_their_whole_name))
