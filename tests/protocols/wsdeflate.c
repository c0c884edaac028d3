/* wsdeflate.c - permessage-deflate both ways, and whole messages in every cut. */
#include "protocols/wsdeflate.h"

#include "base/hex.h"
#include "base/mem.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <stdio.h>

#define BIG (1u << 22)

static const struct websocket_limits wide = {BIG, BIG, 1000, 1000};

/* --- whole messages --- */

struct setup {
    enum websocket_role role;
    struct websocket_limits limits;
    const struct wsdeflate_params *params;
    bool show_at;
};

static const struct wsdeflate_params keeping = {15, 15, false, false};
static const struct wsdeflate_params forgetting = {15, 15, true, true};

static void print_event(struct buf *out, const struct websocket_event *ev) {
    if (ev->kind == WEBSOCKET_DATA) {
        CHECK(ev->first && ev->last);
        buf_printf(out, "%s%s ", websocket_op_name(ev->op), ev->compressed ? "*" : "");
    } else if (ev->kind == WEBSOCKET_CLOSED)
        buf_printf(out, "close %u ", ev->code);
    else
        buf_add_str(out, ev->kind == WEBSOCKET_PING ? "ping " : "pong ");
    buf_add(out, ev->data);
    buf_byte(out, '\n');
}

static void play(void *arg, struct cuts *c, struct buf *out) {
    const struct setup *setup = arg;
    uint8_t scratch[64];
    struct wsmessage m;
    struct err e = ERR_INIT;
    enum step step = STEP_MORE;
    wsmessage_init(&m, setup->role, &setup->limits, setup->params, scratch, sizeof scratch);
    for (struct slice piece; step == STEP_MORE && cuts_next(c, &piece);) {
        do {
            struct websocket_event ev;
            struct fed fed = wsmessage_feed(&m, piece, &ev, &e);
            step = fed.step;
            piece = slice_skip(piece, fed.used);
            if (step == STEP_EVENT) print_event(out, &ev);
        } while (step == STEP_EVENT);
    }
    if (step == STEP_BAD) {
        buf_printf(out, "!bad %u%s%s", m.ws.close_code, e.limit ? " " : "", e.limit ? e.limit : "");
        if (setup->show_at) buf_printf(out, " at %zu: %s", e.at, e.text);
    } else
        buf_add_str(out, step == STEP_END ? "end" : wsmessage_eof(&m) ? "ok" : "need");
    wsmessage_release(&m);
}

struct row {
    const char *name, *hex, *want;
};

/* As seen by a client, so without masks. */
static void check_rows(const struct row *rows, size_t n, const struct wsdeflate_params *params,
                       const struct websocket_limits *limits) {
    for (size_t i = 0; i < n; i++) {
        struct setup setup = {WEBSOCKET_CLIENT, *limits, params, false};
        struct buf in;
        buf_init(&in, BIG);
        struct slice left = slice_str(rows[i].hex);
        while (left.len) CHECK(hex_read(&in, slice_cut(&left, ' '), NULL));
        cuts_check(play, &setup, buf_slice(&in), slice_str(rows[i].want), rows[i].name);
        setup.show_at = true;
        cuts_agree(play, &setup, buf_slice(&in), NULL, rows[i].name);
        buf_release(&in);
    }
}
#define CHECK_ROWS(rows, params, limits) check_rows(rows, sizeof rows / sizeof rows[0], params, limits)

TEST(whole_messages_are_gathered) {
    static const struct row rows[] = {
        {"nothing", "", "ok"},
        {"one frame", "8103616263", "text abc\nok"},
        {"fragments with a ping between", "010161 890170 800162", "ping p\ntext ab\nok"},
        {"empty", "8100 8200", "text \nbinary \nok"},
        {"empty fragments", "0100 0000 8000", "text \nok"},
        {"two in a row do not mix", "010161 800162 010163 800164", "text ab\ntext cd\nok"},
        {"unfinished", "010161", "need"},
        {"wrong text in the second fragment", "010161 8001ff", "!bad 1007"},
        {"a close ends it", "010161 880203e8 8101", "close 1000 \nend"},
        {"compression that nobody agreed on", "c10100", "!bad 1002"},
    };
    CHECK_ROWS(rows, NULL, &wide);
}

/* RFC 7692 7.2.3, each with its own answer. */
TEST(the_examples_of_rfc_7692_inflate) {
    static const struct row either[] = {
        {"one block", "c107f248cdc9c90700", "text* Hello\nok"},
        {"fragmented", "4103f248cd 8004c9c90700", "text* Hello\nok"},
        {"a block without compression", "c10b000500faff48656c6c6f00", "text* Hello\nok"},
        {"a final block", "c108f348cdc9c9070000", "text* Hello\nok"},
        {"two blocks", "c10df248050000 00ffffcac9c90700", "text* Hello\nok"},
        {"an empty message", "c10100", "text* \nok"},
        {"plain among compressed", "c107f248cdc9c90700 810548656c6c6f c107f248cdc9c90700",
         "text* Hello\ntext Hello\ntext* Hello\nok"},
        {"a ping between compressed fragments", "4103f248cd 890178 8004c9c90700", "ping x\ntext* Hello\nok"},
        {"empty compressed fragments", "4100 0003f248cd 0000 0004c9c90700 8000", "text* Hello\nok"},
        {"one byte a fragment", "4101f2 000148 0001cd 0001c9 0001c9 000107 800100", "text* Hello\nok"},
    };
    CHECK_ROWS(either, &keeping, &wide);
    CHECK_ROWS(either, &forgetting, &wide);
    static const struct row kept[] = {
        {"the window stays", "c107f248cdc9c90700 c105f200110000", "text* Hello\ntext* Hello\nok"},
        {"the window stays over plain and empty messages", "c107f248cdc9c90700 820178 c10100 c105f200110000",
         "text* Hello\nbinary x\ntext* \ntext* Hello\nok"},
        {"the window stays after a final block", "c108f348cdc9c9070000 c105f200110000", "text* Hello\ntext* Hello\nok"},
    };
    CHECK_ROWS(kept, &keeping, &wide);
    static const struct row gone[] = {
        {"the window is gone", "c107f248cdc9c90700 c105f200110000", "text* Hello\n!bad 1007"},
    };
    CHECK_ROWS(gone, &forgetting, &wide);
    static const struct row first[] = {{"there was no window", "c105f200110000", "!bad 1007"}};
    CHECK_ROWS(first, &keeping, &wide);
}

TEST(a_final_block_may_be_followed_by_more_and_looked_back_into) {
    static const struct row rows[] = {
        {"two final blocks", "c10ff348cdc9c90700f348cdc9c9070000", "text* HelloHello\nok"},
        {"looking back over a final block", "c10cf348cdc9c90700f200110000", "text* HelloHello\nok"},
        {"the byte behind the final block is missing", "c107f348cdc9c90700 c107f248cdc9c90700",
         "text* Hello\ntext* Hello\nok"},
        {"nor does that harm the window", "c107f348cdc9c90700 c105f200110000", "text* Hello\ntext* Hello\nok"},
    };
    CHECK_ROWS(rows, &keeping, &wide);
}

TEST(ends_that_are_not_quite_right_do_not_spoil_the_next_message) {
    static const struct row rows[] = {
        {"no byte at all", "c100 c107f248cdc9c90700", "text* \ntext* Hello\nok"},
        {"no byte at all, in fragments", "4100 8000 c10100", "text* \ntext* \nok"},
        {"the tail was left in", "c10bf248cdc9c907000000ffff c105f200110000", "text* Hello\ntext* Hello\nok"},
        {"cut inside a block", "c104f248cdc9", "!bad 1007"},
        {"cut inside a stored block", "c107000500faff4865", "!bad 1007"},
    };
    CHECK_ROWS(rows, &keeping, &wide);
}

TEST(what_is_not_deflate_is_refused) {
    static const struct row rows[] = {
        {"a reserved block type", "c10107", "!bad 1007"},
        {"a stored block whose lengths disagree", "c10500ffffffff", "!bad 1007"},
        {"no output, but the message before counts", "810161 c10107", "text a\n!bad 1007"},
        {"bad trees", "c104ffffffff", "!bad 1007"},
        {"a wrong byte before the end of the frame", "c17e100007", "!bad 1007"},
        {"a zlib header", "c10d789cf248cdc9c907000005 8c01f5", "!bad 1007"},
    };
    CHECK_ROWS(rows, &keeping, &wide);
    struct setup setup = {WEBSOCKET_CLIENT, wide, &keeping, true};
    cuts_check(play, &setup, slice_of("\x81\x01\x61\xc1\x01\x07", 6),
               LIT("text a\n!bad 1007 at 3: want DEFLATE data, found: invalid block type"), "where the message began");
}

/* Text as DEFLATE without compression: the bytes stand as they are. */
TEST(compressed_text_is_checked_as_it_inflates) {
    static const struct row rows[] = {
        {"good", "c108 000200fdff c3a9 00", "text* \xc3\xa9\nok"},
        {"split by a block", "c10d 000100feff c3 000100feff a9 00", "text* \xc3\xa9\nok"},
        {"split by a frame", "4106 000100feff c3 8007 000100feff a9 00", "text* \xc3\xa9\nok"},
        {"wrong", "c107 000100feff ff 00", "!bad 1007"},
        {"wrong before the end of the message", "4106 000100feff ff", "!bad 1007"},
        {"wrong before the end of the frame", "c17e1000 000100feff ff", "!bad 1007"},
        {"unfinished at the end", "c107 000100feff c3 00", "!bad 1007"},
        {"unfinished so far", "4106 000100feff c3", "need"},
        {"the next message begins anew", "c108 000200fdff c3a9 00 c107 000100feff 41 00",
         "text* \xc3\xa9\ntext* A\nok"},
        {"binary is not looked at", "c207 000100feff ff 00", "binary* \xff\nok"},
    };
    CHECK_ROWS(rows, &keeping, &wide);
}

TEST(the_message_limit_counts_inflated_bytes) {
    static const struct websocket_limits five = {1000, 5, 100, 100};
    static const struct websocket_limits four = {1000, 4, 100, 100};
    static const struct row at[] = {
        {"at the limit", "c107f248cdc9c90700 c105f200110000", "text* Hello\ntext* Hello\nok"},
        {"at the limit in fragments", "4103f248cd 8004c9c90700", "text* Hello\nok"},
        {"plain at the limit", "8105 48656c6c6f", "text Hello\nok"},
    };
    static const struct row over[] = {
        {"over", "c107f248cdc9c90700", "!bad 1009 message"},
        {"over before the message ends", "4107f248cdc9c90700", "!bad 1009 message"},
        {"plain over", "8105 48656c6c6f", "!bad 1009 message"},
        {"wrong text before the limit is seen first", "c10b 000500faff 41ff414141 00", "!bad 1007"},
        {"wrong text beyond the limit is not seen", "c10b 000500faff 41414141ff 00", "!bad 1009 message"},
    };
    CHECK_ROWS(at, &keeping, &five);
    CHECK_ROWS(over, &keeping, &four);
}

TEST(a_bomb_is_refused_on_the_way_and_costs_no_more_than_the_limit) {
    const struct websocket_limits limits = {BIG, 100000, 100, 100};
    struct wsdeflate z;
    struct buf frame, zeros;
    struct err e = ERR_INIT;
    buf_init(&frame, BIG);
    buf_init(&zeros, BIG);
    memset(buf_room(&zeros, BIG), 0, BIG);
    buf_wrote(&zeros, BIG);
    wsdeflate_init(&z, 15, 8, 9, true);
    CHECK(wsdeflate_write(&z, &frame, WEBSOCKET_OP_BINARY, buf_slice(&zeros), NULL, &e));
    CHECK(frame.len < 5000);
    uint64_t before = mem_stats().live_bytes;
    struct wsmessage m;
    struct websocket_event ev;
    wsmessage_init(&m, WEBSOCKET_CLIENT, &limits, &keeping, NULL, 0);
    struct fed fed = wsmessage_feed(&m, buf_slice(&frame), &ev, &e);
    CHECK_INT(fed.step, STEP_BAD);
    CHECK_INT(m.ws.close_code, 1009);
    CHECK_TEXT(slice_str(e.limit), LIT("message"));
    CHECK(mem_stats().live_bytes - before <= 100000 + wsinflate_cost());
    CHECK_INT(wsmessage_feed(&m, LIT("\x81\x00"), &ev, &e).step, STEP_BAD);
    wsmessage_release(&m);
    wsdeflate_release(&z);
    buf_release(&frame);
    buf_release(&zeros);
}

/* --- compressing --- */

static void fill(struct buf *b, size_t n, int kind) {
    uint32_t seed = 12345;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        uint8_t c = kind == 0 ? 'a' : kind == 1 ? (uint8_t)('a' + i % 26) : (uint8_t)(seed >> 24);
        if (kind == 3) c = (uint8_t)("{\"value\": 12345}, "[i % 18] + (i % 400 == 0));
        buf_byte(b, c);
    }
}

TEST(what_is_compressed_reads_back_for_every_window_memory_level_and_role) {
    static const size_t sizes[] = {0, 1, 5, 64, 125, 300, 5000, 70000};
    static const unsigned memories[] = {1, 5, 9}, levels[] = {0, 1, 6};
    for (unsigned bits = 8; bits <= 15; bits++) {
        for (unsigned n = 0; n < 3 * 3 * 2 * 2; n++) {
            bool keep = n & 1, server = n & 2;
            struct wsdeflate_params params = {(uint8_t)bits, (uint8_t)bits, !keep, !keep};
            struct wsdeflate z;
            struct wsmessage m;
            uint8_t scratch[1000];
            wsdeflate_init(&z, bits, memories[n / 4 % 3], levels[n / 12], keep);
            wsmessage_init(&m, server ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT, &wide, &params, scratch, sizeof scratch);
            for (int kind = 0; kind < 4; kind++) {
                for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
                    struct buf message, frame;
                    struct err e = ERR_INIT;
                    struct websocket_event ev = {0};
                    buf_init(&message, BIG);
                    buf_init(&frame, BIG);
                    fill(&message, sizes[s], kind);
                    CHECK(wsdeflate_write(&z, &frame, WEBSOCKET_OP_BINARY, buf_slice(&message),
                                          server ? (const uint8_t *)"\1\2\3\4" : NULL, &e));
                    struct fed fed = wsmessage_feed(&m, buf_slice(&frame), &ev, &e);
                    CHECK_INT(fed.step, STEP_EVENT);
                    CHECK_INT(fed.used, frame.len);
                    CHECK(slice_eq(ev.data, buf_slice(&message)));
                    if (keep)
                        CHECK(ev.compressed);
                    else
                        CHECK(frame.len <= sizes[s] + WEBSOCKET_HEAD_MAX);
                    buf_release(&message);
                    buf_release(&frame);
                }
            }
            wsmessage_release(&m);
            wsdeflate_release(&z);
        }
    }
}

TEST(context_pays_and_a_frame_without_it_is_the_same_for_all) {
    struct slice text = LIT("{\"event\":\"progress\",\"package\":\"bitcoind\",\"value\":17}");
    struct buf first, again;
    struct err e = ERR_INIT;
    struct wsdeflate z;
    buf_init(&first, 1000);
    buf_init(&again, 1000);
    wsdeflate_init(&z, 15, 8, 6, true);
    CHECK(wsdeflate_write(&z, &first, WEBSOCKET_OP_TEXT, text, NULL, &e));
    CHECK(wsdeflate_write(&z, &again, WEBSOCKET_OP_TEXT, text, NULL, &e));
    CHECK(again.len < 12);
    wsdeflate_release(&z);
    buf_reset(&first);
    buf_reset(&again);
    wsdeflate_init(&z, 9, 1, 9, false);
    struct slice twice = LIT("abcabcabcabcabcabcabcabcabcabcabcabcabcabcabc");
    CHECK(wsdeflate_write(&z, &first, WEBSOCKET_OP_TEXT, twice, NULL, &e));
    CHECK(wsdeflate_write(&z, &again, WEBSOCKET_OP_TEXT, twice, NULL, &e));
    CHECK_TEXT(buf_slice(&first), buf_slice(&again));
    CHECK_INT(first.ptr[0], 0xc1);
    wsdeflate_release(&z); /* between messages, at any time */
    CHECK(wsdeflate_write(&z, &again, WEBSOCKET_OP_TEXT, twice, NULL, &e));
    /* What does not become shorter is sent plain. */
    buf_reset(&first);
    CHECK(wsdeflate_write(&z, &first, WEBSOCKET_OP_TEXT, LIT("xyz"), NULL, &e));
    CHECK_TEXT(buf_slice(&first), LIT("\x81\x03xyz"));
    wsdeflate_release(&z);
    buf_release(&first);
    buf_release(&again);
}

TEST(a_compressor_refuses_what_would_not_read_back_and_goes_on_after_a_full_buffer) {
    struct wsdeflate z;
    struct wsmessage m;
    struct buf small, out, noise;
    struct err e = ERR_INIT;
    struct websocket_event ev;
    buf_init(&small, 20);
    buf_init(&out, 10000);
    buf_init(&noise, 2000);
    fill(&noise, 1000, 2);
    wsdeflate_init(&z, 15, 8, 6, true);
    wsmessage_init(&m, WEBSOCKET_CLIENT, &wide, &keeping, NULL, 0);
    CHECK(!wsdeflate_write(&z, &out, WEBSOCKET_OP_PING, LIT(""), NULL, &e));
    CHECK(!wsdeflate_write(&z, &out, WEBSOCKET_OP_TEXT, LIT("a\xff"), NULL, &e));
    CHECK_INT(e.at, 1);
    CHECK_INT(out.len, 0);
    buf_byte(&small, 'x');
    CHECK(!wsdeflate_write(&z, &small, WEBSOCKET_OP_BINARY, buf_slice(&noise), NULL, &e));
    CHECK_INT(e.code, ERR_LIMIT);
    CHECK_INT(small.len, 1);
    CHECK(!wsdeflate_write(&z, &small, WEBSOCKET_OP_BINARY, LIT(""), NULL, &e)); /* the fault stays */
    /* What did not go out is not in the window that the next message looks back into. */
    for (int i = 0; i < 2; i++) {
        buf_reset(&out);
        CHECK(wsdeflate_write(&z, &out, WEBSOCKET_OP_BINARY, buf_slice(&noise), NULL, &e));
        CHECK_INT(wsmessage_feed(&m, buf_slice(&out), &ev, &e).step, STEP_EVENT);
        CHECK(slice_eq(ev.data, buf_slice(&noise)));
    }
    CHECK(out.len < 100);
    /* Without context a buffer that only the plain form fits gets that. */
    struct wsdeflate plain;
    wsdeflate_init(&plain, 15, 8, 6, false);
    buf_reset(&small);
    CHECK(wsdeflate_write(&plain, &small, WEBSOCKET_OP_TEXT, LIT("0123456789"), NULL, &e));
    CHECK_TEXT(buf_slice(&small), LIT("\x81\x0a"
                                      "0123456789"));
    buf_reset(&small);
    CHECK(!wsdeflate_write(&plain, &small, WEBSOCKET_OP_BINARY, buf_slice(&noise), NULL, &e));
    CHECK_INT(small.len, 0);
    wsdeflate_release(&plain);
    wsmessage_release(&m);
    wsdeflate_release(&z);
    buf_release(&small);
    buf_release(&out);
    buf_release(&noise);
}

/* zlib looks back into its window and into what the same call wrote, so with a window of the promised size
 * the answer would depend on the cut. Found by fuzz/wsdeflate. */
TEST(a_peer_that_looks_back_too_far_is_understood_in_every_cut) {
    static const struct wsdeflate_params promised = {8, 8, false, false};
    struct setup setup = {WEBSOCKET_CLIENT, wide, &promised, false};
    struct wsdeflate z;
    struct buf frame, message, want;
    struct err e = ERR_INIT;
    buf_init(&frame, BIG);
    buf_init(&message, BIG);
    buf_init(&want, BIG);
    fill(&message, 2000, 2);
    fill(&message, 2000, 2);
    wsdeflate_init(&z, 15, 8, 6, true);
    CHECK(wsdeflate_write(&z, &frame, WEBSOCKET_OP_BINARY, buf_slice(&message), NULL, &e));
    CHECK(frame.len < 3000);
    buf_add_str(&want, "binary* ");
    buf_add(&want, buf_slice(&message));
    buf_add_str(&want, "\nok");
    cuts_check(play, &setup, buf_slice(&frame), buf_slice(&want), "too far");
    wsdeflate_release(&z);
    buf_release(&frame);
    buf_release(&message);
    buf_release(&want);
}

TEST(memory_is_what_the_costs_say_and_none_when_idle) {
    for (unsigned bits = 9; bits <= 15; bits += 3) {
        struct wsdeflate z;
        struct wsmessage m;
        struct buf frame, message;
        struct err e = ERR_INIT;
        struct websocket_event ev;
        buf_init(&frame, BIG);
        buf_init(&message, BIG);
        fill(&message, 70000, 1);
        uint64_t before = mem_stats().live_bytes;
        wsdeflate_init(&z, bits, 5, 6, true);
        CHECK_INT(mem_stats().live_bytes, before);
        CHECK(wsdeflate_write(&z, &frame, WEBSOCKET_OP_TEXT, buf_slice(&message), NULL, &e));
        uint64_t cost = mem_stats().live_bytes - before - frame.cap;
        CHECK(cost <= wsdeflate_cost(bits, 5) && cost >= wsdeflate_cost(bits, 5) / 2);

        struct wsdeflate_params params = {(uint8_t)bits, (uint8_t)bits, false, false};
        before = mem_stats().live_bytes;
        wsmessage_init(&m, WEBSOCKET_CLIENT, &wide, &params, NULL, 0);
        CHECK_INT(wsmessage_feed(&m, buf_slice(&frame), &ev, &e).step, STEP_EVENT);
        CHECK_INT(wsmessage_feed(&m, LIT(""), &ev, &e).step, STEP_MORE);
        cost = mem_stats().live_bytes - before;
        CHECK(cost <= wsinflate_cost() && cost >= wsinflate_cost() / 2);
        wsmessage_release(&m);

        /* Without context nothing stays behind. */
        params.server_no_context = true;
        before = mem_stats().live_bytes;
        wsmessage_init(&m, WEBSOCKET_CLIENT, &wide, &params, NULL, 0);
        CHECK_INT(wsmessage_feed(&m, buf_slice(&frame), &ev, &e).step, STEP_EVENT);
        CHECK_INT(wsmessage_feed(&m, LIT(""), &ev, &e).step, STEP_MORE);
        CHECK_INT(mem_stats().live_bytes, before);
        wsmessage_release(&m);
        wsdeflate_release(&z);
        buf_release(&frame);
        buf_release(&message);
    }
}

/* One conversation of each kind; true when every step of it was right. */
static bool talk(void *arg) {
    bool keep = *(bool *)arg, good = true;
    struct wsdeflate_params params = {15, 15, !keep, !keep};
    uint8_t scratch[256];
    struct wsdeflate z;
    struct wsmessage m;
    struct buf frame, message;
    struct err e = ERR_INIT;
    struct websocket_event ev;
    buf_init(&frame, BIG);
    buf_init(&message, BIG);
    fill(&message, 2000, 3);
    wsdeflate_init(&z, 12, 4, 1, keep);
    wsmessage_init(&m, WEBSOCKET_SERVER, &wide, &params, scratch, sizeof scratch);
    for (int i = 0; i < 2 && good; i++) {
        buf_reset(&frame);
        const uint8_t *mask = (const uint8_t *)"abcd";
        good = buf_ok(&message) && wsdeflate_write(&z, &frame, WEBSOCKET_OP_TEXT, buf_slice(&message), mask, &e) &&
               websocket_write_frame(&frame, WEBSOCKET_OP_BINARY, 0, buf_slice(&message), mask, &e) &&
               websocket_write_frame(&frame, WEBSOCKET_OP_CONTINUATION, WEBSOCKET_FIN, LIT("x"), mask, &e);
        if (!good) break;
        struct fed fed = wsmessage_feed(&m, buf_slice(&frame), &ev, &e);
        good = fed.step == STEP_EVENT && slice_eq(ev.data, buf_slice(&message));
        if (!good) break;
        fed = wsmessage_feed(&m, slice_skip(buf_slice(&frame), fed.used), &ev, &e);
        good = fed.step == STEP_EVENT && ev.data.len == 2001;
    }
    if (!good && m.ws.close_code) CHECK_INT(m.ws.close_code, WEBSOCKET_CLOSE_INTERNAL);
    if (!good && buf_ok(&message)) CHECK_INT(e.code, ERR_NOMEM);
    wsmessage_release(&m);
    wsdeflate_release(&z);
    buf_release(&frame);
    buf_release(&message);
    return good;
}

TEST(an_allocation_that_fails_is_an_error_of_that_message) {
    bool keep = false;
    faults_sweep(talk, &keep, "without context");
    keep = true;
    faults_sweep(talk, &keep, "with context");
}

TAP_MAIN(T(whole_messages_are_gathered), T(the_examples_of_rfc_7692_inflate),
         T(a_final_block_may_be_followed_by_more_and_looked_back_into),
         T(ends_that_are_not_quite_right_do_not_spoil_the_next_message), T(what_is_not_deflate_is_refused),
         T(compressed_text_is_checked_as_it_inflates), T(the_message_limit_counts_inflated_bytes),
         T(a_bomb_is_refused_on_the_way_and_costs_no_more_than_the_limit),
         T(what_is_compressed_reads_back_for_every_window_memory_level_and_role),
         T(context_pays_and_a_frame_without_it_is_the_same_for_all),
         T(a_compressor_refuses_what_would_not_read_back_and_goes_on_after_a_full_buffer),
         T(a_peer_that_looks_back_too_far_is_understood_in_every_cut),
         T(memory_is_what_the_costs_say_and_none_when_idle), T(an_allocation_that_fails_is_an_error_of_that_message))
