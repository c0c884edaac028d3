/* websocket.c - RFC 6455 frames: every rule of chapters 5 and 7 in both roles, in every cut; writers read
 * back; limits. */
#include "protocols/websocket.h"

#include "base/hex.h"
#include "lib/cuts.h"
#include "lib/tap.h"

#include <stdio.h>

#define BIG (1u << 22)

struct setup {
    enum websocket_role role;
    struct websocket_limits limits;
    bool deflate, show_at;
    size_t scratch; /* 0: large */
};

static const struct websocket_limits wide = {BIG, BIG, 1000, 1000};

/* One line a message, its pieces glued: "text 6162<ping 00>63." */
static void print_event(struct buf *out, const struct websocket_event *ev) {
    switch (ev->kind) {
    case WEBSOCKET_DATA:
        if (ev->first) buf_printf(out, "%s%s ", websocket_op_name(ev->op), ev->compressed ? "*" : "");
        hex_add(out, ev->data);
        if (ev->last) buf_add_str(out, ".\n");
        break;
    case WEBSOCKET_PING: buf_add_str(out, "<ping "); break;
    case WEBSOCKET_PONG: buf_add_str(out, "<pong "); break;
    case WEBSOCKET_CLOSED: buf_printf(out, "<close %u ", ev->code); break;
    }
    if (ev->kind == WEBSOCKET_DATA) return;
    hex_add(out, ev->data);
    buf_add_str(out, ">");
}

static void play(void *arg, struct cuts *c, struct buf *out) {
    const struct setup *setup = arg;
    uint8_t scratch[4096];
    struct websocket w;
    websocket_init(&w, setup->role, &setup->limits, setup->deflate, scratch,
                   setup->scratch ? setup->scratch : sizeof scratch);
    struct err e = ERR_INIT;
    enum step step = STEP_MORE;
    size_t need = 0; /* the promise of the last STEP_MORE */
    for (struct slice piece; cuts_next(c, &piece) && step == STEP_MORE;) {
        do {
            struct websocket_event ev;
            struct fed fed = websocket_feed(&w, piece, &ev, &e);
            step = fed.step;
            if (step != STEP_MORE) CHECK(piece.len >= need);
            piece = slice_skip(piece, fed.used);
            need = fed.need;
            if (step == STEP_MORE) CHECK_INT(piece.len, 0);
            if (step == STEP_EVENT) print_event(out, &ev);
        } while (step == STEP_EVENT);
    }
    if (step == STEP_BAD) {
        struct websocket_event ev;
        buf_printf(out, "!bad %u%s%s", w.close_code, e.limit ? " " : "", e.limit ? e.limit : "");
        if (setup->show_at) buf_printf(out, " at %zu: %s", e.at, e.text);
        CHECK(e.text[0] && !websocket_eof(&w));
        CHECK_INT(websocket_feed(&w, LIT("\x81\x00"), &ev, &e).step, STEP_BAD);
        return;
    }
    buf_add_str(out, step == STEP_END ? "end" : websocket_eof(&w) ? "ok" : "need");
}

/* "81:68656c 80:" are frames by first byte and payload in hex, with the shortest length and, for a server, a
 * mask;
 * "=8180" are raw bytes. */
static void build(struct buf *in, enum websocket_role role, const char *spec) {
    struct slice left = slice_str(spec);
    uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    buf_init(in, BIG * 2);
    while (left.len) {
        struct slice word = slice_cut(&left, ' ');
        if (!word.len) continue;
        if (*word.ptr == '=') {
            CHECK(hex_read(in, slice_skip(word, 1), NULL));
            continue;
        }
        struct buf first, payload;
        buf_init(&first, 1);
        buf_init(&payload, BIG);
        CHECK(hex_read(&first, slice_cut(&word, ':'), NULL) && hex_read(&payload, word, NULL));
        mask[3]++;
        uint8_t head[WEBSOCKET_HEAD_MAX];
        const uint8_t *with = role == WEBSOCKET_SERVER ? mask : NULL;
        buf_add(in, slice_of(head, websocket_put_head(head, (enum websocket_op) * first.ptr, 0, payload.len, with)));
        for (size_t i = 0; i < payload.len; i++) buf_byte(in, payload.ptr[i] ^ (with ? mask[i & 3] : 0));
        buf_release(&first);
        buf_release(&payload);
    }
}

struct row {
    const char *name, *spec, *want;
};

static void check_rows(const struct row *rows, size_t n, bool deflate, const struct websocket_limits *limits) {
    for (size_t i = 0; i < n; i++) {
        for (int role = WEBSOCKET_SERVER; role <= WEBSOCKET_CLIENT; role++) {
            struct setup setup = {.role = (enum websocket_role)role, .limits = *limits, .deflate = deflate};
            struct buf in;
            build(&in, setup.role, rows[i].spec);
            cuts_check(play, &setup, buf_slice(&in), slice_str(rows[i].want), rows[i].name);
            setup.scratch = 3;
            cuts_check(play, &setup, buf_slice(&in), slice_str(rows[i].want), rows[i].name);
            setup.show_at = true;
            cuts_agree(play, &setup, buf_slice(&in), NULL, rows[i].name);
            buf_release(&in);
        }
    }
}
#define CHECK_ROWS(rows, deflate, limits) check_rows(rows, sizeof rows / sizeof rows[0], deflate, limits)

/* The same text a server and a client of the RFC's examples (5.7) would see. */
TEST(the_examples_of_the_rfc_read_as_it_says) {
    static const struct {
        enum websocket_role role;
        const char *hex, *want;
    } rows[] = {
        {WEBSOCKET_CLIENT, "810548656c6c6f", "text 48656c6c6f.\nok"},
        {WEBSOCKET_SERVER, "818537fa213d7f9f4d5158", "text 48656c6c6f.\nok"},
        {WEBSOCKET_CLIENT, "010348656c80026c6f", "text 48656c6c6f.\nok"},
        {WEBSOCKET_CLIENT, "890548656c6c6f", "<ping 48656c6c6f>ok"},
        {WEBSOCKET_SERVER, "8a8537fa213d7f9f4d5158", "<pong 48656c6c6f>ok"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setup setup = {.role = rows[i].role, .limits = wide};
        struct buf in;
        buf_init(&in, BIG);
        hex_read(&in, slice_str(rows[i].hex), NULL);
        cuts_check(play, &setup, buf_slice(&in), slice_str(rows[i].want), rows[i].hex);
        buf_release(&in);
    }
}

TEST(every_length_form_reads_and_only_the_shortest_is_taken) {
    static const size_t lengths[] = {0,   1,   2,   3,   4,   5,   7,   8,     9,     31,    32,    33,
                                     124, 125, 126, 127, 128, 255, 256, 65535, 65536, 65537, 200000};
    const size_t cut_most = 300; /* above that a byte at a time takes too long */
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (int role = WEBSOCKET_SERVER; role <= WEBSOCKET_CLIENT; role++) {
            struct buf payload, frame, want;
            buf_init(&payload, BIG);
            buf_init(&frame, BIG);
            buf_init(&want, BIG);
            for (size_t k = 0; k < lengths[i]; k++) buf_byte(&payload, (uint8_t)(k * 7 + (k >> 8)));
            CHECK(websocket_write_binary(&frame, buf_slice(&payload),
                                         role == WEBSOCKET_SERVER ? (const uint8_t *)"\x11\x22\x33\x44" : NULL, NULL));
            size_t head = lengths[i] < 126 ? 2 : lengths[i] < 65536 ? 4 : 10;
            CHECK_INT(frame.len, head + (role == WEBSOCKET_SERVER ? 4 : 0) + lengths[i]);
            buf_add_str(&want, "binary ");
            hex_add(&want, buf_slice(&payload));
            buf_add_str(&want, ".\nok");
            struct setup setup = {.role = (enum websocket_role)role, .limits = wide};
            if (lengths[i] <= cut_most)
                cuts_check(play, &setup, buf_slice(&frame), buf_slice(&want), "length");
            else {
                struct buf got;
                buf_init(&got, BIG);
                struct cuts whole = {.rest = buf_slice(&frame)};
                play(&setup, &whole, &got);
                CHECK(slice_eq(buf_slice(&got), buf_slice(&want)));
                buf_release(&got);
            }
            buf_release(&payload);
            buf_release(&frame);
            buf_release(&want);
        }
    }
    /* Not the shortest form; and the top bit of the longest. The second byte is that of a client's reader. */
    static const struct row longer[] = {
        {"126 for 0", "=827e0000", "!bad 1002"},
        {"126 for 125", "=827e007d", "!bad 1002"},
        {"126 for 126 begins", "=827e007e", "need"},
        {"127 for 0", "=827f0000000000000000", "!bad 1002"},
        {"127 for 125", "=827f000000000000007d", "!bad 1002"},
        {"127 for 65535", "=827f000000000000ffff", "!bad 1002"},
        {"127 for 65536 begins", "=827f0000000000010000", "need"},
        {"the top bit", "=827f8000000000000000", "!bad 1002"},
        {"all bits", "=827fffffffffffffffff", "!bad 1002"},
        {"the largest length is over the limit", "=827f7fffffffffffffff", "!bad 1009 frame"},
        {"4 GiB and a bit do not wrap around", "=827f0000000100000001", "!bad 1009 frame"},
    };
    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        struct buf in;
        build(&in, WEBSOCKET_CLIENT, longer[i].spec);
        struct setup setup = {.role = WEBSOCKET_CLIENT, .limits = wide};
        cuts_check(play, &setup, buf_slice(&in), slice_str(longer[i].want), longer[i].name);
        in.ptr[1] |= 0x80;
        setup.role = WEBSOCKET_SERVER;
        cuts_check(play, &setup, buf_slice(&in), slice_str(longer[i].want), longer[i].name);
        buf_release(&in);
    }
}

TEST(frames_are_taken_and_refused_as_chapter_5_says) {
    static const struct row rows[] = {
        {"nothing", "", "ok"},
        {"an empty text", "81:", "text .\nok"},
        {"an empty binary", "82:", "binary .\nok"},
        {"two messages", "81:6162 82:00ff", "text 6162.\nbinary 00ff.\nok"},
        {"RSV1 without an extension", "c1:61", "!bad 1002"},
        {"RSV2", "a1:61", "!bad 1002"},
        {"RSV3", "91:61", "!bad 1002"},
        {"RSV 1 and 2", "e1:61", "!bad 1002"},
        {"all RSV", "f1:61", "!bad 1002"},
        {"RSV on a ping", "d9:", "!bad 1002"},
        {"RSV on a close", "b8:", "!bad 1002"},
        {"a good frame before a bad one counts", "81:61 b1:61", "text 61.\n!bad 1002"},
        {"opcode 3", "83:61", "!bad 1002"},
        {"opcode 4", "84:", "!bad 1002"},
        {"opcode 5", "85:", "!bad 1002"},
        {"opcode 6", "86:", "!bad 1002"},
        {"opcode 7", "87:61", "!bad 1002"},
        {"opcode 11", "8b:61", "!bad 1002"},
        {"opcode 12", "8c:", "!bad 1002"},
        {"opcode 13", "8d:", "!bad 1002"},
        {"opcode 14", "8e:", "!bad 1002"},
        {"opcode 15", "8f:61", "!bad 1002"},
        {"a reserved opcode is seen at the first byte", "=83", "!bad 1002"},
        {"a message of three frames", "01:61 00:62 80:63", "text 616263.\nok"},
        {"empty frames in a message", "01: 00: 00:61 00: 80:", "text 61.\nok"},
        {"all of it empty", "02: 00: 80:", "binary .\nok"},
        {"a continuation of nothing", "80:61", "!bad 1002"},
        {"a fragment of nothing", "00:61", "!bad 1002"},
        {"a continuation after the end", "01:61 80:62 80:63", "text 6162.\n!bad 1002"},
        {"a text inside a text", "01:61 81:62", "text 61!bad 1002"},
        {"a binary inside a text", "01:61 02:62", "text 61!bad 1002"},
        {"a text inside an empty start", "01: 81:62", "!bad 1002"},
        {"a fragment without end", "01:61", "text 61need"},
        {"a fragment without end, empty", "01:", "need"},
        {"one byte", "=81", "need"},
        {"control between fragments", "01:61 89:00 00:62 8a:01 80:63", "text 61<ping 00>62<pong 01>63.\nok"},
        {"many controls between", "01:61 89: 89: 8a: 80:62", "text 61<ping ><ping ><pong >62.\nok"},
    };
    CHECK_ROWS(rows, false, &wide);
}

TEST(control_frames_are_short_and_whole) {
    static const char hex125[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                                 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
                                 "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
                                 "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c";
    char spec[400], want[400], longer[400], closing[400];
    snprintf(spec, sizeof spec, "89:%s", hex125);
    snprintf(want, sizeof want, "<ping %s>ok", hex125);
    snprintf(longer, sizeof longer, "89:%s7d", hex125);
    snprintf(closing, sizeof closing, "88:%s7d", hex125);
    const struct row rows[] = {
        {"a ping of 125 bytes", spec, want},
        {"a ping of 126 bytes", longer, "!bad 1002"},
        {"a close of 126 bytes", closing, "!bad 1002"},
        {"an empty ping", "89:", "<ping >ok"},
        {"a ping of bytes that are no text", "89:00fffefdfcfb00ff", "<ping 00fffefdfcfb00ff>ok"},
        {"ten pings", "89:30 89:31 89:32 89:33 89:34 89:35 89:36 89:37 89:38 89:39",
         "<ping 30><ping 31><ping 32><ping 33><ping 34><ping 35><ping 36><ping 37><ping 38><ping 39>ok"},
        {"a pong nobody asked for", "8a:61 89:62", "<pong 61><ping 62>ok"},
        {"a fragmented ping", "09:61 80:62", "!bad 1002"},
        {"a fragmented pong", "0a:", "!bad 1002"},
        {"a fragmented close", "08:03e8", "!bad 1002"},
        {"a ping that stops", "=89", "need"},
    };
    CHECK_ROWS(rows, false, &wide);
}

TEST(the_mask_is_wanted_from_clients_and_refused_from_servers) {
    static const struct {
        enum websocket_role role;
        const char *hex, *want;
    } rows[] = {
        {WEBSOCKET_SERVER, "8100", "!bad 1002 at 1: want a frame from a client to be masked, found no mask"},
        {WEBSOCKET_SERVER, "8900", "!bad 1002 at 1: want a frame from a client to be masked, found no mask"},
        {WEBSOCKET_CLIENT, "818000000000", "!bad 1002 at 1: want a frame from a server to be unmasked, found a mask"},
        {WEBSOCKET_CLIENT, "888000000000", "!bad 1002 at 1: want a frame from a server to be unmasked, found a mask"},
        {WEBSOCKET_SERVER, "81800000000081", "text .\nneed"},
        {WEBSOCKET_SERVER, "8180000000", "need"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setup setup = {.role = rows[i].role, .limits = wide, .show_at = true};
        struct buf in;
        buf_init(&in, BIG);
        hex_read(&in, slice_str(rows[i].hex), NULL);
        cuts_check(play, &setup, buf_slice(&in), slice_str(rows[i].want), rows[i].hex);
        buf_release(&in);
    }
}

TEST(close_frames_carry_what_chapter_7_allows) {
    static const struct row rows[] = {
        {"no code", "88:", "<close 0 >end"},
        {"one byte", "88:03", "!bad 1002"},
        {"a code", "88:03e8", "<close 1000 >end"},
        {"a code and a reason", "88:03e9627965", "<close 1001 627965>end"},
        {"a reason that is no UTF-8", "88:03e8ff", "!bad 1007"},
        {"a reason that ends in a character", "88:03e861e282", "!bad 1007"},
        {"an overlong reason", "88:03e8c0af", "!bad 1007"},
        {"what follows is not read", "88:03e8 81:61 89: =ffff", "<close 1000 >end"},
        {"a second close is not read", "88:03e8 88:03", "<close 1000 >end"},
        {"in the middle of a message", "01:61 88:03e8 80:62", "text 61<close 1000 >end"},
        {"after a message", "81:61 88:03e8", "text 61.\n<close 1000 >end"},
        {"after a ping", "89: 88:", "<ping ><close 0 >end"},
        {"that stops", "81:61 =88", "text 61.\nneed"},
    };
    CHECK_ROWS(rows, false, &wide);

    unsigned allowed_n = 0;
    for (unsigned code = 0; code < 65536; code++) {
        bool want = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        uint8_t frame[4] = {0x88, 2, (uint8_t)(code >> 8), (uint8_t)code};
        struct websocket w;
        struct websocket_event ev;
        struct err e = ERR_INIT;
        websocket_init(&w, WEBSOCKET_CLIENT, &wide, false, NULL, 0);
        struct fed fed = websocket_feed(&w, slice_of(frame, 4), &ev, &e);
        if ((fed.step == STEP_EVENT) != want) CHECK_INT(code, -1);
        if (want)
            CHECK_INT(ev.code, code);
        else
            CHECK_INT(w.close_code, 1002);
        allowed_n += want;
    }
    CHECK_INT(allowed_n, 4 + 8 + 2000);
}

/* Each text once whole, once with a frame's border at every place. */
static void check_text(const char *hex, const char *want) {
    size_t n = strlen(hex) / 2;
    for (size_t border = 0; border <= n; border++) {
        char spec[300];
        struct row row = {hex, spec, want};
        if (border == 0)
            snprintf(spec, sizeof spec, "81:%s", hex);
        else
            snprintf(spec, sizeof spec, "01:%.*s 89: 80:%s", (int)(2 * border), hex, hex + 2 * border);
        /* The ping stands where the border is, unless the refusal comes before it. */
        char with_ping[300];
        size_t start = strlen("text "), good = strspn(want + start, "0123456789abcdef") / 2;
        if (border && good >= border) {
            snprintf(with_ping, sizeof with_ping, "%.*s<ping >%s", (int)(start + 2 * border), want,
                     want + start + 2 * border);
            row.want = with_ping;
        }
        check_rows(&row, 1, false, &wide);
    }
}

TEST(text_is_utf8_across_fragments_and_refused_at_the_first_wrong_byte) {
    static const struct {
        const char *hex, *want;
    } rows[] = {
        {"48c3a9", "text 48c3a9.\nok"},
        {"ceba", "text ceba.\nok"},
        {"e1bdb9", "text e1bdb9.\nok"},
        {"f0908080", "text f0908080.\nok"},
        {"f48fbfbf", "text f48fbfbf.\nok"}, /* U+10FFFF */
        {"ed9fbf", "text ed9fbf.\nok"},     /* U+D7FF */
        {"ee8080", "text ee8080.\nok"},     /* U+E000 */
        {"efbfbe", "text efbfbe.\nok"},     /* U+FFFE, no character, but encoded well */
        {"efbbbf61", "text efbbbf61.\nok"}, /* a byte order mark is text */
        {"00", "text 00.\nok"},
        {"7f", "text 7f.\nok"},
        {"c280", "text c280.\nok"},
        {"61c0af", "text 61!bad 1007"},       /* overlong '/' */
        {"61c1bf", "text 61!bad 1007"},       /* overlong */
        {"61e080af", "text 61e0!bad 1007"},   /* overlong: 80 cannot follow e0 */
        {"61f08080af", "text 61f0!bad 1007"}, /* overlong */
        {"61eda080", "text 61ed!bad 1007"},   /* U+D800 */
        {"61edbfbf", "text 61ed!bad 1007"},   /* U+DFFF */
        {"61f4908080", "text 61f4!bad 1007"}, /* beyond U+10FFFF */
        {"61f5", "text 61!bad 1007"},
        {"61f88880808080", "text 61!bad 1007"},
        {"61fe", "text 61!bad 1007"},
        {"61ff", "text 61!bad 1007"},
        {"6180", "text 61!bad 1007"},
        {"61bf62", "text 61!bad 1007"},
        {"61c3c3", "text 61c3!bad 1007"},
        {"61e2822862", "text 61e282!bad 1007"},
        {"61c3", "text 61c3!bad 1007"}, /* ends inside a character */
        {"61e282", "text 61e282!bad 1007"},
        {"61f09f98", "text 61f09f98!bad 1007"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) check_text(rows[i].hex, rows[i].want);

    static const struct row more[] = {
        {"an unfinished character and an empty last frame", "01:c3 80:", "text c3!bad 1007"},
        {"an unfinished character in a message that goes on", "01:c3", "text c3need"},
        {"the next message begins anew", "81:c3a9 81:c3a9", "text c3a9.\ntext c3a9.\nok"},
        {"binary is not looked at", "82:c0ffee", "binary c0ffee.\nok"},
        {"binary in fragments is not looked at", "02:c0 80:ff", "binary c0ff.\nok"},
    };
    CHECK_ROWS(more, false, &wide);

    /* A frame that announces much more is refused when the wrong byte comes, not at its end. */
    struct setup setup = {.role = WEBSOCKET_CLIENT, .limits = wide, .show_at = true};
    cuts_check(play, &setup,
               slice_of("\x81\x7e\x40\x00"
                        "ab\xff",
                        7),
               LIT("text 6162!bad 1007 at 6: want text in UTF-8, found a byte that cannot be part of it"), "fail fast");
    setup.role = WEBSOCKET_SERVER;
    cuts_check(play, &setup,
               slice_of("\x81\xfe\x40\x00\1\2\3\4"
                        "`a\xfc",
                        11),
               LIT("text 6163!bad 1007 at 10: want text in UTF-8, found a byte that cannot be part of it"),
               "fail fast");
}

TEST(the_compression_bit_stands_on_the_first_frame_only) {
    static const struct row rows[] = {
        {"one frame", "c1:f248", "text* f248.\nok"},
        {"one not compressed", "81:61", "text 61.\nok"},
        {"both kinds in turn", "c2:00 82:61 c1:00", "binary* 00.\nbinary 61.\ntext* 00.\nok"},
        {"fragments", "41:f2 00:48 80:cd", "text* f248cd.\nok"},
        {"a ping between", "41:f2 89: 80:cd", "text* f2<ping >cd.\nok"},
        {"compressed text is not looked at here", "c1:ff", "text* ff.\nok"},
        {"on a continuation", "41:f2 c0:48", "text* f2!bad 1002"},
        {"on a continuation of an uncompressed one", "01:61 c0:48", "text 61!bad 1002"},
        {"on a ping", "c9:", "!bad 1002"},
        {"on a pong", "ca:", "!bad 1002"},
        {"on a close", "c8:", "!bad 1002"},
        {"with RSV2", "e1:61", "!bad 1002"},
        {"with RSV3", "d1:61", "!bad 1002"},
        {"on a reserved opcode", "c3:61", "!bad 1002"},
    };
    CHECK_ROWS(rows, true, &wide);
}

TEST(every_limit_is_met_exactly) {
    static const struct websocket_limits tight = {.frame = 4, .message = 6, .fragments = 3, .controls = 2};
    static const struct row rows[] = {
        {"a frame at the limit", "82:01020304", "binary 01020304.\nok"},
        {"a frame over it", "82:0102030405", "!bad 1009 frame"},
        {"a message at the limit", "02:01020304 80:0506", "binary 010203040506.\nok"},
        {"a message over it", "02:01020304 80:050607", "binary 01020304!bad 1009 message"},
        {"the next message counts anew", "02:01020304 80:0506 82:01020304",
         "binary 010203040506.\nbinary 01020304.\nok"},
        {"fragments at the limit", "02:01 00: 80:", "binary 01.\nok"},
        {"fragments over it", "02:01 00: 00: 80:", "binary 01!bad 1008 fragments"},
        {"controls at the limit", "89: 8a: 82: 89: 8a: 82:", "<ping ><pong >binary .\n<ping ><pong >binary .\nok"},
        {"controls over it", "89: 8a: 89:", "<ping ><pong >!bad 1008 controls"},
        {"controls over it inside a message", "02:01 89: 8a: 89:", "binary 01<ping ><pong >!bad 1008 controls"},
        {"a control frame is not held to the frame limit", "89:0102030405060708", "<ping 0102030405060708>ok"},
        {"a close counts as well", "89: 8a: 88:", "<ping ><pong >!bad 1008 controls"},
    };
    CHECK_ROWS(rows, false, &tight);
    static const struct websocket_limits packed = {.frame = 1000, .message = 8, .fragments = 1000, .controls = 10};
    static const struct row wire[] = {
        {"compressed may be longer on the wire", "42:0000000000000000 80:00", "binary* 000000000000000000.\nok"},
        {"plain may not", "02:0000000000000000 80:00", "binary 0000000000000000!bad 1009 message"},
    };
    CHECK_ROWS(wire, true, &packed);
    /* A limit without end does not wrap around when it is made longer. */
    static const struct websocket_limits endless = {UINT64_MAX, UINT64_MAX, 1, 1};
    static const struct row huge[] = {{"huge", "c2:00", "binary* 00.\nok"}};
    CHECK_ROWS(huge, true, &endless);
}

TEST(controls_are_forgiven_on_request) {
    struct websocket_limits limits = wide;
    limits.controls = 2;
    struct websocket w;
    struct websocket_event ev;
    struct err e = ERR_INIT;
    websocket_init(&w, WEBSOCKET_CLIENT, &limits, false, NULL, 0);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(websocket_feed(&w, LIT("\x8a\x00"), &ev, &e).step, STEP_EVENT);
        CHECK_INT(websocket_feed(&w, LIT("\x8a\x00"), &ev, &e).step, STEP_EVENT);
        websocket_forgive(&w);
    }
    CHECK_INT(websocket_feed(&w, LIT("\x8a\x00\x8a\x00\x8a\x00"), &ev, &e).used, 2);
    CHECK_INT(websocket_feed(&w, LIT("\x8a\x00\x8a\x00"), &ev, &e).used, 2);
    CHECK_INT(websocket_feed(&w, LIT("\x8a\x00"), &ev, &e).step, STEP_BAD);
    CHECK_INT(e.code, ERR_LIMIT);
    CHECK_INT(w.close_code, WEBSOCKET_CLOSE_POLICY);
}

TEST(a_refusal_from_outside_stays) {
    struct websocket w;
    struct websocket_event ev;
    struct err e = ERR_INIT;
    websocket_init(&w, WEBSOCKET_CLIENT, &wide, false, NULL, 0);
    websocket_refuse(&w, WEBSOCKET_CLOSE_INTERNAL);
    CHECK_INT(websocket_feed(&w, LIT("\x81\x00"), &ev, &e).step, STEP_BAD);
    CHECK_INT(w.close_code, 1011);
    CHECK(!websocket_eof(&w));
}

TEST(the_mask_is_its_own_inverse_at_every_phase_and_length) {
    uint8_t from[100], to[100], back[100];
    const uint8_t mask[4] = {0x01, 0x80, 0x5a, 0xff};
    for (size_t i = 0; i < 100; i++) from[i] = (uint8_t)(i * 37);
    for (size_t phase = 0; phase < 4; phase++) {
        for (size_t n = 0; n <= 90; n++) {
            websocket_mask(to + 3, from + 5, n, mask, phase);
            for (size_t i = 0; i < n; i++) CHECK_INT(to[3 + i], from[5 + i] ^ mask[(phase + i) & 3]);
            memcpy(back, to, 100);
            websocket_mask(back + 3, back + 3, n, mask, phase); /* in place */
            CHECK(n == 0 || memcmp(back + 3, from + 5, n) == 0);
        }
    }
}

TEST(what_is_written_reads_back_in_both_roles) {
    for (int role = WEBSOCKET_SERVER; role <= WEBSOCKET_CLIENT; role++) {
        const uint8_t *mask = role == WEBSOCKET_SERVER ? (const uint8_t *)"\xde\xad\xbe\xef" : NULL;
        struct buf out;
        buf_init(&out, BIG);
        struct err e = ERR_INIT;
        CHECK(websocket_write_text(&out, LIT("h\xc3\xa9"), mask, &e));
        CHECK(websocket_write_binary(&out, slice_of("\0\xff", 2), mask, &e));
        CHECK(websocket_write_ping(&out, LIT("p"), mask, &e));
        CHECK(websocket_write_pong(&out, LIT(""), mask, &e));
        CHECK(websocket_write_frame(&out, WEBSOCKET_OP_TEXT, WEBSOCKET_RSV1, LIT("a"), mask, &e));
        CHECK(websocket_write_head(&out, WEBSOCKET_OP_CONTINUATION, WEBSOCKET_FIN, 1, mask, &e));
        CHECK(buf_byte(&out, mask ? 'b' ^ 0xde : 'b'));
        CHECK(websocket_write_close(&out, 4321, LIT("bye"), mask, &e));
        struct setup setup = {.role = (enum websocket_role)role, .limits = wide, .deflate = true};
        cuts_check(play, &setup, buf_slice(&out),
                   LIT("text 68c3a9.\nbinary 00ff.\n<ping 70><pong >text* 6162.\n<close 4321 627965>end"), "written");
        buf_reset(&out);
        CHECK(websocket_write_close(&out, 0, LIT(""), mask, &e));
        cuts_check(play, &setup, buf_slice(&out), LIT("<close 0 >end"), "close without code");
        buf_release(&out);
        CHECK_INT(e.code, ERR_NONE);
    }
}

TEST(writers_refuse_what_would_not_read_back) {
    char long_text[200];
    memset(long_text, 'x', sizeof long_text);
    struct buf out;
    buf_init(&out, 100);
    struct err e = ERR_INIT;
    CHECK(!websocket_write_text(&out, LIT("a\xff"), NULL, &e));
    CHECK_INT(e.at, 1);
    CHECK(!websocket_write_ping(&out, slice_of(long_text, 126), NULL, &e));
    CHECK_TEXT(slice_str(e.limit), LIT("control"));
    CHECK(!websocket_write_close(&out, 1005, LIT(""), NULL, &e));
    CHECK(!websocket_write_close(&out, 999, LIT(""), NULL, &e));
    CHECK(!websocket_write_close(&out, 0, LIT("why"), NULL, &e));
    CHECK(!websocket_write_close(&out, 1000, LIT("\xff"), NULL, &e));
    CHECK(!websocket_write_close(&out, 1000, slice_of(long_text, 124), NULL, &e));
    CHECK_TEXT(slice_str(e.limit), LIT("reason"));
    CHECK(!websocket_write_frame(&out, (enum websocket_op)3, WEBSOCKET_FIN, LIT(""), NULL, &e));
    CHECK(!websocket_write_frame(&out, WEBSOCKET_OP_PING, 0, LIT(""), NULL, &e));
    CHECK(!websocket_write_frame(&out, WEBSOCKET_OP_PING, WEBSOCKET_FIN | WEBSOCKET_RSV1, LIT(""), NULL, &e));
    CHECK(!websocket_write_frame(&out, WEBSOCKET_OP_CONTINUATION, WEBSOCKET_RSV1, LIT(""), NULL, &e));
    CHECK(!websocket_write_frame(&out, WEBSOCKET_OP_TEXT, 0x20, LIT(""), NULL, &e));
    CHECK(!websocket_write_head(&out, WEBSOCKET_OP_TEXT, 0, (uint64_t)1 << 63, NULL, &e));
    CHECK_INT(out.len, 0);
    CHECK(buf_ok(&out));
    /* All or nothing at the buffer's maximum. */
    CHECK(websocket_write_binary(&out, slice_of(long_text, 98), NULL, &e));
    CHECK_INT(out.len, 100);
    CHECK(!websocket_write_binary(&out, LIT(""), NULL, &e));
    CHECK_INT(e.code, ERR_LIMIT);
    CHECK_INT(out.len, 100);
    buf_reset(&out);
    CHECK(!websocket_write_binary(&out, slice_of(long_text, 99), NULL, &e));
    CHECK_INT(out.len, 0);
    buf_reset(&out);
    out.len = 99;
    CHECK(!websocket_write_head(&out, WEBSOCKET_OP_TEXT, 0, 5, NULL, &e));
    CHECK_INT(out.len, 99);
    buf_release(&out);
}

TEST(names_and_numbers_of_the_wire) {
    enum websocket_op op;
    unsigned n = 0;
    for (unsigned wire = 0; wire < 20; wire++) {
        if (!websocket_op_from(wire, &op)) continue;
        CHECK_INT(op, wire);
        n++;
    }
    CHECK_INT(n, 6);
    CHECK_TEXT(slice_str(websocket_op_name(WEBSOCKET_OP_PONG)), LIT("pong"));
    CHECK_TEXT(slice_str(websocket_op_name((enum websocket_op)7)), LIT("reserved"));
    uint16_t code = 0;
    CHECK(websocket_code_from(1009, &code));
    CHECK_INT(code, WEBSOCKET_CLOSE_TOO_BIG);
    CHECK(!websocket_code_from(1015, &code));
    CHECK_TEXT(slice_str(websocket_code_name(1009)), LIT("message too big"));
    CHECK_TEXT(slice_str(websocket_code_name(0)), LIT("none"));
    CHECK_TEXT(slice_str(websocket_code_name(3999)), LIT("registered"));
    CHECK_TEXT(slice_str(websocket_code_name(4000)), LIT("private"));
    CHECK_TEXT(slice_str(websocket_code_name(1006)), LIT("reserved"));
}

TEST(an_idle_reader_is_small) {
    CHECK(sizeof(struct websocket) <= 320);
}

TAP_MAIN(T(the_examples_of_the_rfc_read_as_it_says), T(every_length_form_reads_and_only_the_shortest_is_taken),
         T(frames_are_taken_and_refused_as_chapter_5_says), T(control_frames_are_short_and_whole),
         T(the_mask_is_wanted_from_clients_and_refused_from_servers), T(close_frames_carry_what_chapter_7_allows),
         T(text_is_utf8_across_fragments_and_refused_at_the_first_wrong_byte),
         T(the_compression_bit_stands_on_the_first_frame_only), T(every_limit_is_met_exactly),
         T(controls_are_forgiven_on_request), T(a_refusal_from_outside_stays),
         T(the_mask_is_its_own_inverse_at_every_phase_and_length), T(what_is_written_reads_back_in_both_roles),
         T(writers_refuse_what_would_not_read_back), T(names_and_numbers_of_the_wire), T(an_idle_reader_is_small))
