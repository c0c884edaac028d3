/* wshandshake.c - the opening handshake of RFC 6455 chapter 4 and the words of RFC 7692 chapter 7, both
 * sides. */
#include "protocols/wshandshake.h"

#include "lib/tap.h"

TEST(the_accept_value_is_that_of_the_rfc) {
    uint8_t accept[WSHANDSHAKE_ACCEPT_LEN], key[WSHANDSHAKE_KEY_LEN];
    wshandshake_accept(LIT("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    CHECK_TEXT(slice_of(accept, sizeof accept), LIT("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    wshandshake_key((const uint8_t *)"the sample nonce", key);
    CHECK_TEXT(slice_of(key, sizeof key), LIT("dGhlIHNhbXBsZSBub25jZQ=="));
}

#define NO                                                                                                             \
    { NULL, 0 }
#define KEY LIT_INIT("dGhlIHNhbXBsZSBub25jZQ==")

TEST(a_request_is_held_against_chapter_4) {
    static const struct {
        const char *name;
        struct wshandshake_request r;
        int status;
    } rows[] = {
        {"the plain one", {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"), KEY}, 0},
        {"Firefox's",
         {LIT_INIT("GET"), LIT_INIT("WebSocket"), LIT_INIT("keep-alive, Upgrade"), LIT_INIT("13"), KEY},
         0},
        {"lists", {LIT_INIT("GET"), LIT_INIT("h2c/1, websocket"), LIT_INIT(",upgrade ,"), LIT_INIT(" 13 "), KEY}, 0},
        {"POST", {LIT_INIT("POST"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"), KEY}, 405},
        {"no method in lower case",
         {LIT_INIT("get"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"), KEY},
         405},
        {"no Upgrade", {LIT_INIT("GET"), NO, LIT_INIT("Upgrade"), LIT_INIT("13"), KEY}, 400},
        {"another Upgrade", {LIT_INIT("GET"), LIT_INIT("websockets"), LIT_INIT("Upgrade"), LIT_INIT("13"), KEY}, 400},
        {"no Connection", {LIT_INIT("GET"), LIT_INIT("websocket"), NO, LIT_INIT("13"), KEY}, 400},
        {"another Connection", {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("close"), LIT_INIT("13"), KEY}, 400},
        {"no version", {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), NO, KEY}, 426},
        {"version 8", {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("8"), KEY}, 426},
        {"version 013", {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("013"), KEY}, 426},
        {"no key", {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"), NO}, 400},
        {"an empty key",
         {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"), LIT_INIT("")},
         400},
        {"15 bytes",
         {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"),
          LIT_INIT("AAAAAAAAAAAAAAAAAAAA")},
         400},
        {"17 bytes",
         {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"),
          LIT_INIT("dGhlIHNhbXBsZSBub25jZWE=")},
         400},
        {"letters outside the alphabet",
         {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"),
          LIT_INIT("dGhlIHNhbXBsZSBu_25jZQ==")},
         400},
        {"two keys",
         {LIT_INIT("GET"), LIT_INIT("websocket"), LIT_INIT("Upgrade"), LIT_INIT("13"),
          LIT_INIT("dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==")},
         400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = ERR_INIT;
        bool good = wshandshake_check_request(&rows[i].r, &e);
        if (good != (rows[i].status == 0) || e.http != rows[i].status)
            tap_note("%s: %d %s", rows[i].name, e.http, e.text);
        CHECK_INT(e.http, rows[i].status);
        CHECK(good == (rows[i].status == 0));
    }
}

TEST(the_subprotocol_is_the_first_of_the_client_that_we_speak) {
    static const struct slice ours[] = {LIT_INIT("chat"), LIT_INIT("superchat")};
    static const struct {
        struct slice offer, want;
        bool good;
    } rows[] = {
        {NO, LIT_INIT(""), true},
        {LIT_INIT("chat"), LIT_INIT("chat"), true},
        {LIT_INIT("superchat, chat"), LIT_INIT("superchat"), true},
        {LIT_INIT("soap , ,wamp,\tchat"), LIT_INIT("chat"), true},
        {LIT_INIT("soap"), LIT_INIT(""), true},
        {LIT_INIT("Chat"), LIT_INIT(""), true},
        {LIT_INIT(""), LIT_INIT(""), false},
        {LIT_INIT(" , "), LIT_INIT(""), false},
        {LIT_INIT("chat chat"), LIT_INIT(""), false},
        {LIT_INIT("chat, chat"), LIT_INIT(""), false},
        {LIT_INIT("chat/1"), LIT_INIT(""), false},
        {LIT_INIT("chat, \"x\""), LIT_INIT(""), false},
        {LIT_INIT("chat, \xff"), LIT_INIT(""), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice chosen;
        struct err e = ERR_INIT;
        CHECK(wshandshake_choose_protocol(rows[i].offer, ours, 2, &chosen, &e) == rows[i].good);
        CHECK_INT(e.http, rows[i].good ? 0 : 400);
        if (rows[i].good) CHECK_TEXT(chosen, rows[i].want);
    }
    struct buf many;
    struct slice chosen;
    struct err e = ERR_INIT;
    buf_init(&many, 1000);
    for (int i = 0; i < 65; i++) buf_printf(&many, "p%d,", i);
    CHECK(!wshandshake_choose_protocol(buf_slice(&many), ours, 2, &chosen, &e));
    CHECK_TEXT(slice_str(e.limit), LIT("subprotocols"));
    buf_release(&many);
}

TEST(offers_of_compression_are_answered_as_rfc_7692_says) {
    static const struct wsdeflate_params open = WSHANDSHAKE_PARAMS_INIT;
    static const struct wsdeflate_params thrifty = {10, 11, true, true};
    static const struct {
        struct slice offers;
        const struct wsdeflate_params *ours;
        const char *answer; /* NULL: the header is refused; "": declined */
        struct wsdeflate_params agreed;
    } rows[] = {
        {NO, &open, "", {0}},
        {LIT_INIT("permessage-deflate"), &open, "permessage-deflate", {15, 15, false, false}},
        {LIT_INIT("permessage-deflate; client_max_window_bits"), &open, "permessage-deflate", {15, 15, false, false}},
        {LIT_INIT("permessage-deflate; client_max_window_bits=10"),
         &open,
         "permessage-deflate; client_max_window_bits=10",
         {15, 10, false, false}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=10"),
         &open,
         "permessage-deflate; server_max_window_bits=10",
         {10, 15, false, false}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=15"),
         &open,
         "permessage-deflate; server_max_window_bits=15",
         {15, 15, false, false}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=8"),
         &open,
         "permessage-deflate; server_max_window_bits=8",
         {8, 15, false, false}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=\"9\""),
         &open,
         "permessage-deflate; server_max_window_bits=9",
         {9, 15, false, false}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=\"1\\0\""),
         &open,
         "permessage-deflate; server_max_window_bits=10",
         {10, 15, false, false}},
        {LIT_INIT("permessage-deflate; server_no_context_takeover"),
         &open,
         "permessage-deflate; server_no_context_takeover",
         {15, 15, true, false}},
        {LIT_INIT("permessage-deflate;client_no_context_takeover"),
         &open,
         "permessage-deflate; client_no_context_takeover",
         {15, 15, false, true}},
        {LIT_INIT("permessage-deflate"),
         &thrifty,
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=10",
         {10, 15, true, true}},
        {LIT_INIT("permessage-deflate; client_max_window_bits"),
         &thrifty,
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=10; "
         "client_max_window_bits=11",
         {10, 11, true, true}},
        {LIT_INIT("permessage-deflate; client_max_window_bits=9; server_max_window_bits=12"),
         &thrifty,
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=10; "
         "client_max_window_bits=9",
         {10, 9, true, true}},
        /* several, in order */
        {LIT_INIT("permessage-deflate; server_max_window_bits=10, permessage-deflate"),
         &open,
         "permessage-deflate; server_max_window_bits=10",
         {10, 15, false, false}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=99, permessage-deflate; client_max_window_bits"),
         &open,
         "permessage-deflate",
         {15, 15, false, false}},
        {LIT_INIT("x-webkit-deflate-frame, permessage-bzip2; level=9; x=\"a\" ,, permessage-deflate"),
         &open,
         "permessage-deflate",
         {15, 15, false, false}},
        /* declined */
        {LIT_INIT("permessage-bzip2"), &open, "", {0}},
        {LIT_INIT("Permessage-deflate"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; unknown"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; unknown=1"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_no_context_takeover; server_no_context_takeover"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_no_context_takeover=1"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; client_no_context_takeover=true"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=7"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=16"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=08"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=010"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=+9"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=1x"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; client_max_window_bits=7"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; client_max_window_bits=100"), &open, "", {0}},
        {LIT_INIT("permessage-deflate; client_max_window_bits; client_max_window_bits=9"), &open, "", {0}},
        /* broken */
        {LIT_INIT(""), &open, NULL, {0}},
        {LIT_INIT(","), &open, NULL, {0}},
        {LIT_INIT(";"), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate;"), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate; =1"), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits="), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=\"\""), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=\"9"), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=\"9\\"), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate; server_max_window_bits=\"9 \""), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate server_no_context_takeover"), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate, x y"), &open, NULL, {0}},
        {LIT_INIT("permessage-deflate, \xc3\xa9"), &open, NULL, {0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf answer;
        struct wsdeflate_params agreed = {0};
        struct err e = ERR_INIT;
        bool found = true;
        buf_init(&answer, 300);
        bool good = wshandshake_choose_deflate(rows[i].offers, rows[i].ours, &answer, &found, &agreed, &e);
        if (!CHECK(good == (rows[i].answer != NULL))) tap_note("%.*s", (int)rows[i].offers.len, rows[i].offers.ptr);
        CHECK_INT(e.http, good ? 0 : 400);
        if (rows[i].answer) {
            CHECK_TEXT(buf_slice(&answer), slice_str(rows[i].answer));
            CHECK(found == (*rows[i].answer != 0));
        }
        if (found && good) {
            CHECK_INT(agreed.server_bits, rows[i].agreed.server_bits);
            CHECK_INT(agreed.client_bits, rows[i].agreed.client_bits);
            CHECK_INT(agreed.server_no_context, rows[i].agreed.server_no_context);
            CHECK_INT(agreed.client_no_context, rows[i].agreed.client_no_context);
        }
        buf_release(&answer);
    }
    struct buf tiny;
    struct wsdeflate_params agreed;
    struct err e = ERR_INIT;
    bool found;
    buf_init(&tiny, 10);
    CHECK(!wshandshake_choose_deflate(LIT("permessage-deflate"), &open, &tiny, &found, &agreed, &e));
    CHECK(!found && tiny.len == 0 && e.code == ERR_LIMIT);
    buf_reset(&tiny);
    CHECK(!wshandshake_write_offer(&tiny, &open, &e));
    CHECK_INT(tiny.len, 0);
    buf_release(&tiny);
}

TEST(client_and_server_always_agree_with_each_other) {
    for (unsigned n = 0; n < 8 * 8 * 4; n++) {
        for (unsigned k = 0; k < 8 * 8 * 4; k += 7) {
            struct wsdeflate_params client = {(uint8_t)(8 + n % 8), (uint8_t)(8 + n / 8 % 8), n & 64, n & 128};
            struct wsdeflate_params server = {(uint8_t)(8 + k % 8), (uint8_t)(8 + k / 8 % 8), k & 64, k & 128};
            struct wsdeflate_params as_server = {0}, as_client = {0};
            struct buf offer, answer;
            struct err e = ERR_INIT;
            bool found = false;
            uint8_t accept[WSHANDSHAKE_ACCEPT_LEN];
            buf_init(&offer, 300);
            buf_init(&answer, 300);
            CHECK(wshandshake_write_offer(&offer, &client, &e));
            CHECK(wshandshake_choose_deflate(buf_slice(&offer), &server, &answer, &found, &as_server, &e) && found);
            wshandshake_accept((struct slice)KEY, accept);
            struct wshandshake_answer a = {101,
                                           LIT("websocket"),
                                           LIT("Upgrade"),
                                           slice_of(accept, sizeof accept),
                                           (struct slice)NO,
                                           buf_slice(&answer)};
            CHECK(wshandshake_check_answer(&a, (struct slice)KEY, (struct slice)NO, &client, &found, &as_client, &e) &&
                  found);
            /* Each compressor stays within what the other side's inflater is ready for. */
            CHECK_INT(as_client.server_bits, as_server.server_bits);
            CHECK(as_client.client_bits <= as_server.client_bits);
            CHECK_INT(as_client.server_no_context, as_server.server_no_context);
            CHECK_INT(as_client.client_no_context, as_server.client_no_context);
            buf_release(&offer);
            buf_release(&answer);
        }
    }
}

TEST(an_answer_is_taken_only_when_it_fits_the_offer) {
    static const struct wsdeflate_params open = WSHANDSHAKE_PARAMS_INIT, tight = {10, 10, true, false};
#define ACCEPT LIT_INIT("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
#define ANSWER(protocol, extensions)                                                                                   \
    { 101, LIT_INIT("websocket"), LIT_INIT("Upgrade"), ACCEPT, protocol, extensions }
    static const struct {
        const char *name;
        struct wshandshake_answer a;
        struct slice protocols;
        const struct wsdeflate_params *ours;
        bool good, found;
    } rows[] = {
        {"plain", ANSWER(NO, NO), NO, NULL, true, false},
        {"compression declined", ANSWER(NO, NO), NO, &open, true, false},
        {"status 200", {200, LIT_INIT("websocket"), LIT_INIT("Upgrade"), ACCEPT, NO, NO}, NO, NULL, false, false},
        {"no Upgrade", {101, NO, LIT_INIT("Upgrade"), ACCEPT, NO, NO}, NO, NULL, false, false},
        {"another Upgrade", {101, LIT_INIT("h2c"), LIT_INIT("Upgrade"), ACCEPT, NO, NO}, NO, NULL, false, false},
        {"no Connection", {101, LIT_INIT("WebSocket"), LIT_INIT("close"), ACCEPT, NO, NO}, NO, NULL, false, false},
        {"no Accept", {101, LIT_INIT("websocket"), LIT_INIT("upgrade"), NO, NO, NO}, NO, NULL, false, false},
        {"a wrong Accept",
         {101, LIT_INIT("websocket"), LIT_INIT("upgrade"), LIT_INIT("s3pPLMBiTxaQ9kYGzzhZRbK+xOO="), NO, NO},
         NO,
         NULL,
         false,
         false},
        {"a subprotocol that was offered", ANSWER(LIT_INIT("b"), NO), LIT_INIT("a, b"), NULL, true, false},
        {"one that was not", ANSWER(LIT_INIT("c"), NO), LIT_INIT("a, b"), NULL, false, false},
        {"one where none was", ANSWER(LIT_INIT("c"), NO), NO, NULL, false, false},
        {"an extension where none was offered", ANSWER(NO, LIT_INIT("permessage-deflate")), NO, NULL, false, false},
        {"another extension", ANSWER(NO, LIT_INIT("permessage-bzip2")), NO, &open, false, false},
        {"compression", ANSWER(NO, LIT_INIT("permessage-deflate")), NO, &open, true, true},
        {"all words",
         ANSWER(NO, LIT_INIT("permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                             "server_max_window_bits=9; client_max_window_bits=9")),
         NO, &open, true, true},
        {"twice", ANSWER(NO, LIT_INIT("permessage-deflate, permessage-deflate")), NO, &open, false, false},
        {"a word doubled",
         ANSWER(NO, LIT_INIT("permessage-deflate; client_no_context_takeover; client_no_context_takeover")), NO, &open,
         false, false},
        {"client_max_window_bits without a value", ANSWER(NO, LIT_INIT("permessage-deflate; client_max_window_bits")),
         NO, &open, false, false},
        {"server_max_window_bits without a value", ANSWER(NO, LIT_INIT("permessage-deflate; server_max_window_bits")),
         NO, &open, false, false},
        {"an unknown word", ANSWER(NO, LIT_INIT("permessage-deflate; x")), NO, &open, false, false},
        {"broken", ANSWER(NO, LIT_INIT("permessage-deflate;;")), NO, &open, false, false},
        {"what was asked for",
         ANSWER(NO, LIT_INIT("permessage-deflate; server_no_context_takeover; server_max_window_bits=10")), NO, &tight,
         true, true},
        {"no word on the window asked for", ANSWER(NO, LIT_INIT("permessage-deflate; server_no_context_takeover")), NO,
         &tight, false, false},
        {"a larger window than asked for",
         ANSWER(NO, LIT_INIT("permessage-deflate; server_no_context_takeover; server_max_window_bits=11")), NO, &tight,
         false, false},
        {"a larger window than offered",
         ANSWER(NO, LIT_INIT("permessage-deflate; server_no_context_takeover; "
                             "server_max_window_bits=9; client_max_window_bits=11")),
         NO, &tight, false, false},
        {"no word on the context", ANSWER(NO, LIT_INIT("permessage-deflate; server_max_window_bits=10")), NO, &tight,
         false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wsdeflate_params agreed;
        struct err e = ERR_INIT;
        bool found = true;
        bool good = wshandshake_check_answer(&rows[i].a, (struct slice)KEY, rows[i].protocols, rows[i].ours, &found,
                                             &agreed, &e);
        if (good != rows[i].good) tap_note("%s: %s", rows[i].name, e.text);
        CHECK(good == rows[i].good);
        if (good)
            CHECK(found == rows[i].found);
        else
            CHECK_INT(e.http, 502);
    }
}

TAP_MAIN(T(the_accept_value_is_that_of_the_rfc), T(a_request_is_held_against_chapter_4),
         T(the_subprotocol_is_the_first_of_the_client_that_we_speak),
         T(offers_of_compression_are_answered_as_rfc_7692_says), T(client_and_server_always_agree_with_each_other),
         T(an_answer_is_taken_only_when_it_fits_the_offer))
