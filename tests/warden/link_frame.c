/* link_frame.c - frames as bytes: what the codec takes, refuses, and keeps of what it refused; errors as values. */
#include "lib/tap.h"
#include "warden/link.h"

#include <errno.h>

static struct err err;

static struct link_frame request(uint64_t id, const char *verb, struct val args) {
    return (struct link_frame){.kind = LINK_REQUEST, .id = id, .name = val_of_str(verb), .value = args};
}

TEST(every_kind_of_frame_survives_writing_and_reading) {
    struct link_frame all[] = {
        {.kind = LINK_REQUEST,
         .id = 1,
         .name = val_of_str("disk.read"),
         .value = VAL_MAP_OF({"a", val_null()}),
         .most_ms = UINT64_MAX},
        {.kind = LINK_CANCEL, .id = LINK_ID_MAX},
        {.kind = LINK_PROGRESS, .id = 70000, .value = val_of_double(0.5)},
        {.kind = LINK_LOG, .id = 300, .value = val_of_str("a line of the log")},
        {.kind = LINK_RESULT, .id = 24, .value = VAL_ARRAY_OF(val_of_u64(1), val_of_bool(true))},
        {.kind = LINK_ERROR, .id = 23, .value = val_empty_map()},
        {.kind = LINK_NOTICE, .name = val_of_str("hand"), .value = val_of_str("disk")},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct buf b;
        struct link_frame f;
        buf_init(&b, LIMIT_LINK_FRAME);
        CHECK(link_frame_write(&b, &all[i], &err) && link_frame_read(tap_guarded(buf_slice(&b)), &f, &err));
        CHECK(f.kind == all[i].kind && f.id == all[i].id && f.most_ms == all[i].most_ms && f.fd_n == 0);
        CHECK(val_equal(&f.name, &all[i].name) && val_equal(&f.value, &all[i].value));
        link_frame_release(&f);
        link_frame_release(&all[i]);
        buf_release(&b);
    }
}

TEST(the_bytes_of_a_frame_are_those_of_the_grammar) {
    struct buf b;
    buf_init(&b, 100);
    struct link_frame f = request(7, "a", val_empty_map());
    CHECK(link_frame_write(&b, &f, &err));
    CHECK_TEXT(buf_slice(&b), LIT("\x85\x01\x07\x61"
                                  "a\xa0\x00"));
    link_frame_release(&f);
    buf_reset(&b);
    struct link_frame poor = {.kind = LINK_ERROR, .id = 1}; /* no memory even for the error */
    CHECK(link_frame_write(&b, &poor, &err));
    struct err e = ERR_INIT;
    CHECK(link_frame_read(buf_slice(&b), &f, &err));
    link_error_read(&f.value, &e);
    CHECK(e.code == ERR_NOMEM && e.text[0]);
    link_frame_release(&f);
    buf_release(&b);
}

TEST(what_is_no_frame_is_refused_and_its_id_is_kept_where_it_can_be_read) {
    static const struct {
        struct slice bytes;
        enum link_kind kind;
        uint64_t id;
    } bad[] = {
        {LIT_INIT(""), 0, 0},
        {LIT_INIT("\xff"), 0, 0},
        {LIT_INIT("\x80"), 0, 0},
        {LIT_INIT("\xa0"), 0, 0},
        {LIT_INIT("\x01"), 0, 0},
        {LIT_INIT("\x82\x00\x01"), 0, 0},                                           /* no such kind */
        {LIT_INIT("\x82\x08\x01"), 0, 0},                                           /* nor this */
        {LIT_INIT("\x83\x02\x01\x01"), 0, 0},                                       /* a cancel with a value */
        {LIT_INIT("\x82\x02\x00"), LINK_CANCEL, 0},                                 /* id 0 */
        {LIT_INIT("\x82\x02\x20"), LINK_CANCEL, 0},                                 /* id -1 */
        {LIT_INIT("\x82\x02\x61x"), LINK_CANCEL, 0},                                /* text as id */
        {LIT_INIT("\x82\x02\x1b\x80\0\0\0\0\0\0\0"), LINK_CANCEL, 0},               /* id 2^63 */
        {LIT_INIT("\x85\x01\x07\x61"), LINK_REQUEST, 7},                            /* cut */
        {LIT_INIT("\x85\x01\x18\x64\x60\xa0\x00"), LINK_REQUEST, 100},              /* no name */
        {LIT_INIT("\x85\x01\x19\x03\xe8\x01\xa0\x00"), LINK_REQUEST, 1000},         /* a number as name */
        {LIT_INIT("\x85\x01\x07\x61v\xa0\x20"), LINK_REQUEST, 7},                   /* deadline -1 */
        {LIT_INIT("\x85\x01\x07\x61v\xa0\x61t"), LINK_REQUEST, 7},                  /* deadline text */
        {LIT_INIT("\x85\x01\x07\x61v\xa0\x00\x00"), LINK_REQUEST, 7},               /* bytes behind */
        {LIT_INIT("\x85\x01\x07\x61v\xa2\x61x\x00\x61x\x01\x00"), LINK_REQUEST, 7}, /* a key twice */
        {LIT_INIT("\x83\x04\x07\x01"), LINK_LOG, 7},                                /* a line that is no text */
        {LIT_INIT("\x83\x06\x07\x61x"), LINK_ERROR, 7},                             /* an error that is no map */
        {LIT_INIT("\x83\x07\x01\x00"), LINK_NOTICE, 0},                             /* a notice without a name */
        {LIT_INIT("\x83\x05\x1a\x00\x01\x11\x70\xc1\x00"), LINK_RESULT, 70000},     /* a tag */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct link_frame f;
        err = (struct err)ERR_INIT;
        bool read = link_frame_read(tap_guarded(bad[i].bytes), &f, &err);
        if (!CHECK(!read && err.code && f.kind == bad[i].kind && f.id == bad[i].id && val_is_none(&f.value)))
            tap_note("case %zu: kind %d id %llu: %s", i, (int)f.kind, (unsigned long long)f.id, err.text);
        if (read) link_frame_release(&f);
    }
}

TEST(names_depth_and_length_have_their_limits) {
    struct buf b;
    struct link_frame f;
    char name[LINK_NAME + 2];
    memset(name, 'v', sizeof name);
    buf_init(&b, LIMIT_LINK_FRAME);
    for (int over = 0; over < 2; over++) {
        name[LINK_NAME + over] = 0;
        f = request(1, name, val_null());
        CHECK(link_frame_write(&b, &f, &err) == !over);
        link_frame_release(&f);
        name[LINK_NAME + over] = 'v';
    }
    buf_reset(&b);
    struct val deep = val_null();
    for (unsigned i = 1; i < LIMIT_LINK_DEPTH; i++) deep = VAL_ARRAY_OF(deep);
    f = request(1, "v", deep);
    struct link_frame back;
    CHECK(link_frame_write(&b, &f, &err) && link_frame_read(buf_slice(&b), &back, &err));
    link_frame_release(&back);
    f.value = VAL_ARRAY_OF(f.value);
    CHECK(!link_frame_write(&b, &f, &err) && err.code == ERR_LIMIT && !strcmp(err.limit, "link depth"));
    link_frame_release(&f);
    /* The same by hand: sixteen arrays around nothing, in a frame. */
    buf_reset(&b);
    buf_add(&b, LIT("\x83\x05\x01"));
    for (unsigned i = 0; i < LIMIT_LINK_DEPTH; i++) buf_byte(&b, 0x81);
    buf_byte(&b, 0xf6);
    CHECK(!link_frame_read(buf_slice(&b), &back, &err) && back.id == 1);
    buf_release(&b);
    buf_init(&b, LIMIT_LINK_FRAME + 100);
    CHECK(buf_room(&b, LIMIT_LINK_FRAME + 1));
    buf_wrote(&b, LIMIT_LINK_FRAME + 1);
    memcpy(b.ptr, "\x82\x02\x05", 3);
    CHECK(!link_frame_read(buf_slice(&b), &back, &err) && err.code == ERR_LIMIT && back.id == 5);
    buf_release(&b);
}

TEST(errors_cross_the_link_whole) {
    struct err from = ERR_INIT, to = ERR_INIT;
    err_os(&from, ERR_FILESYSTEM, ENOSPC, "writing a file");
    struct val v = link_error_value(&from);
    link_error_read(&v, &to);
    CHECK(to.code == ERR_FILESYSTEM && to.os == ENOSPC && !strcmp(to.text, from.text) && !to.limit);
    val_unref(&v);
    err_limit(&from, "quota", 1000, ERR_NOWHERE);
    v = link_error_value(&from);
    link_error_read(&v, &to);
    CHECK(to.code == ERR_LIMIT && !strcmp(to.limit, "quota") && !strcmp(to.text, from.text));
    val_unref(&v);
    static const struct {
        struct val_pair pair;
    } odd[] = {{{"code", {.kind = VAL_NULL}}}, {{"os", {.kind = VAL_NULL}}}, {{"text", {.kind = VAL_NULL}}}};
    for (size_t i = 0; i < 3; i++) {
        v = val_map_of(&odd[i].pair, 1);
        link_error_read(&v, &to);
        CHECK(to.code == ERR_UNKNOWN && to.os == 0 && to.text[0]);
        val_unref(&v);
    }
    static const uint64_t codes[] = {0, ERR_CODE_N, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        v = VAL_MAP_OF({"code", val_of_u64(codes[i])}, {"os", val_of_i64(-1)}, {"limit", val_of_str("made up")});
        link_error_read(&v, &to);
        CHECK(to.code == ERR_UNKNOWN && to.os == 0 && to.limit && strcmp(to.limit, "made up") != 0);
        val_unref(&v);
    }
    char longest[2 * ERR_TEXT + 1]; /* of two-byte characters: cut between them */
    for (size_t i = 0; i < 2 * ERR_TEXT; i += 2) memcpy(longest + i, "\xc3\xa4", 2);
    longest[2 * ERR_TEXT] = 0;
    v = VAL_MAP_OF({"code", val_of_u64(ERR_INVALID)}, {"text", val_of_str(longest)});
    link_error_read(&v, &to);
    CHECK_INT(strlen(to.text), ERR_TEXT - 2);
    val_unref(&v);
    struct val nothing = val_none;
    link_error_read(&nothing, &to);
    CHECK(to.code == ERR_UNKNOWN);
}

TAP_MAIN(T(every_kind_of_frame_survives_writing_and_reading), T(the_bytes_of_a_frame_are_those_of_the_grammar),
         T(what_is_no_frame_is_refused_and_its_id_is_kept_where_it_can_be_read),
         T(names_depth_and_length_have_their_limits), T(errors_cross_the_link_whole))
