/* link_frame.c - the frames of a link as bytes, and errors as values; see link.h. No I/O but closing what a frame
 * brought. */
#include "base/cur.h"
#include "base/must.h"
#include "base/utf8.h"
#include "protocols/cbor.h"
#include "warden/link_room.h"

#include <assert.h>
#include <unistd.h>

/* --- the codec --- */

/* What each kind consists of: how many items, and whether descriptors may ride with it. */
static const struct {
    uint8_t items;
    bool fds;
} kinds[] = {
    [LINK_REQUEST] = {5, true}, [LINK_CANCEL] = {2, false}, [LINK_PROGRESS] = {3, false}, [LINK_LOG] = {3, false},
    [LINK_RESULT] = {3, true},  [LINK_ERROR] = {3, false},  [LINK_NOTICE] = {3, true},
};

bool link_kind_has_fds(enum link_kind kind) {
    return kinds[kind].fds;
}

static bool is_kind(uint64_t n) {
    return n >= LINK_REQUEST && n <= LINK_NOTICE;
}

void link_frame_head(struct slice packet, struct link_frame *f) {
    struct cur c = cur_of(packet);
    uint8_t array = cur_u8(&c), kind = cur_u8(&c), head = cur_u8(&c);
    if (c.bad || !is_kind(kind) || (array != 0x9f && array != (0x80 | kinds[kind].items))) return;
    uint64_t id = head < 24    ? head
                  : head == 24 ? cur_u8(&c)
                  : head == 25 ? cur_be16(&c)
                  : head == 26 ? cur_be32(&c)
                               : 0;
    if (head == 27) id = cur_be64(&c);
    f->kind = (enum link_kind)kind;
    if (kind != LINK_NOTICE && head <= 27 && !c.bad && id <= LINK_ID_MAX) f->id = id;
}

static bool read_id(const struct val *v, uint64_t *id, struct err *e) {
    uint64_t n;
    if (!val_as_u64(v, &n) || n < 1 || n > LINK_ID_MAX)
        return err_set(e, ERR_SYNTAX, "a frame's id: want 1 to 2^63-1, found %s", val_kind_name(val_kind(v)));
    *id = n;
    return true;
}

static bool check_name(const struct val *v, struct err *e) {
    size_t len = val_as_text(v).len;
    if (val_kind(v) == VAL_TEXT && len >= 1 && len <= LINK_NAME) return true;
    return err_set(e, ERR_SYNTAX, "a frame's name: want text of 1 to %d bytes, found %s of %zu", LINK_NAME,
                   val_kind_name(val_kind(v)), len);
}

static bool check_value(enum link_kind kind, const struct val *v, struct err *e) {
    if (kind == LINK_LOG && val_kind(v) != VAL_TEXT)
        return err_set(e, ERR_SYNTAX, "a log frame: want text, found %s", val_kind_name(val_kind(v)));
    if (kind == LINK_ERROR && val_kind(v) != VAL_MAP)
        return err_set(e, ERR_SYNTAX, "an error frame: want a map, found %s", val_kind_name(val_kind(v)));
    return true;
}

static bool read_items(const struct val *v, struct link_frame *f, struct err *e) {
    uint64_t kind;
    if (val_kind(v) != VAL_ARRAY || !val_as_u64(val_at(v, 0), &kind) || !is_kind(kind))
        return err_set(e, ERR_SYNTAX, "want a frame: an array that begins with its kind, 1 to 7");
    if (val_count(v) != kinds[kind].items)
        return err_set(e, ERR_SYNTAX, "a frame of kind %u: want %u items, found %zu", (unsigned)kind, kinds[kind].items,
                       val_count(v));
    f->kind = (enum link_kind)kind;
    const struct val *name = &val_none, *value = val_at(v, 2);
    if (kind == LINK_NOTICE)
        name = val_at(v, 1);
    else if (!read_id(val_at(v, 1), &f->id, e))
        return false;
    if (kind == LINK_REQUEST) {
        name = val_at(v, 2);
        value = val_at(v, 3);
        if (!val_as_u64(val_at(v, 4), &f->most_ms))
            return err_set(e, ERR_SYNTAX, "a deadline: want whole milliseconds");
    }
    if (!val_is_none(name) && !check_name(name, e)) return false;
    if (!check_value(f->kind, value, e)) return false;
    f->name = val_ref(name);
    f->value = val_ref(value);
    return true;
}

bool link_frame_read(struct slice packet, struct link_frame *f, struct err *e) {
    static const struct cbor_limits limits = {
        .bytes = LIMIT_LINK_FRAME, .string = LIMIT_LINK_FRAME, .depth = LIMIT_LINK_DEPTH};
    *f = (struct link_frame){0};
    struct val v;
    bool good = false;
    if (packet.len > LIMIT_LINK_FRAME)
        err_limit(e, "link frame", LIMIT_LINK_FRAME, LIMIT_LINK_FRAME);
    else if (cbor_parse(packet, &limits, &v, e)) {
        good = read_items(&v, f, e);
        val_unref(&v);
    }
    if (!good) link_frame_head(packet, f);
    return good;
}

static bool say_full(const struct buf *out, struct err *e) {
    if (out->fault == BUF_NOMEM) return err_nomem(e, "a frame");
    return err_limit(e, "link frame", out->max, ERR_NOWHERE);
}

static bool write_u64(struct buf *out, uint64_t n, struct err *e) {
    struct val v = val_of_u64(n);
    return cbor_write(out, &v, e);
}

/* An error for which there was no memory: {"code": ERR_NOMEM}. */
static bool write_poor_error(struct buf *out) {
    static_assert(ERR_NOMEM < 24, "a code of one byte");
    return buf_add(out, LIT("\xa1\x64"
                            "code")) &&
           buf_byte(out, ERR_NOMEM);
}

static bool write_value(struct buf *out, const struct link_frame *f, struct err *e) {
    if (!val_is_none(&f->value)) return cbor_write(out, &f->value, e);
    if (f->kind != LINK_ERROR) return err_nomem(e, "the value of a frame");
    return write_poor_error(out) || say_full(out, e);
}

static bool write_items(struct buf *out, const struct link_frame *f, struct err *e) {
    if (!buf_byte(out, (uint8_t)(0x80 | kinds[f->kind].items)) || !buf_byte(out, (uint8_t)f->kind))
        return say_full(out, e);
    if (f->kind != LINK_NOTICE && !write_u64(out, f->id, e)) return false;
    if (!val_is_none(&f->name) && !cbor_write(out, &f->name, e)) return false;
    if (f->kind != LINK_CANCEL && !write_value(out, f, e)) return false;
    return f->kind != LINK_REQUEST || write_u64(out, f->most_ms, e);
}

bool link_frame_write(struct buf *out, const struct link_frame *f, struct err *e) {
    must(is_kind(f->kind) && (f->kind == LINK_NOTICE || (f->id >= 1 && f->id <= LINK_ID_MAX)));
    bool named = f->kind == LINK_REQUEST || f->kind == LINK_NOTICE;
    if (named ? !check_name(&f->name, e) : !val_is_none(&f->name) && !err_set(e, ERR_INVALID, "no name belongs here"))
        return false;
    if (!val_is_none(&f->value) && !check_value(f->kind, &f->value, e)) return false;
    if (val_depth(&f->value) >= LIMIT_LINK_DEPTH) return err_limit(e, "link depth", LIMIT_LINK_DEPTH, ERR_NOWHERE);
    size_t mark = buf_mark(out);
    struct err own = ERR_INIT;
    if (write_items(out, f, &own)) return true;
    if (own.code == ERR_LIMIT) err_limit(&own, "link frame", out->max, ERR_NOWHERE);
    buf_rewind(out, mark);
    if (e) *e = own;
    return false;
}

void link_frame_close(struct link_frame *f) {
    for (unsigned i = 0; i < f->fd_n; i++)
        if (f->fds[i] >= 0) close(f->fds[i]);
    f->fd_n = 0;
}

void link_frame_release(struct link_frame *f) {
    val_unref(&f->name);
    val_unref(&f->value);
    link_frame_close(f);
}

int link_frame_take_fd(struct link_frame *f, unsigned i) {
    if (i >= f->fd_n) return -1;
    int fd = f->fds[i];
    f->fds[i] = -1;
    return fd;
}

/* --- errors --- */

/* A limit's name must outlive the frame it came in. */
static const char *known_limit(struct slice name) {
    static const char *const names[] = {"quota",      "file",       "link frame",
                                        "link depth", "link queue", "link descriptors",
                                        "calls",      "jobs",       "listeners",
                                        "pumps",      "watches",    "locks",
                                        "path",       "roots",      "descriptors a child keeps"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_eq(name, slice_str(names[i]))) return names[i];
    return name.len ? "of the other end" : NULL;
}

struct val link_error_value(const struct err *e) {
    struct val v = VAL_MAP_OF({"code", val_of_u64((uint64_t)e->code)}, {"os", val_of_i64(e->os)},
                              {"text", val_of_text_lossy(slice_str(e->text))});
    if (e->limit) val_set_str(&v, "limit", val_of_str(e->limit));
    return v;
}

void link_error_read(const struct val *v, struct err *e) {
    uint64_t code = 0;
    int64_t os = 0;
    if (!val_as_u64(val_get(v, LIT("code")), &code) || code == ERR_NONE || code >= ERR_CODE_N) code = ERR_UNKNOWN;
    if (!val_as_i64(val_get(v, LIT("os")), &os) || os < 0 || os > 4095) os = 0;
    struct slice text = val_as_text(val_get(v, LIT("text")));
    if (!text.len) text = slice_str(err_label((enum err_code)code));
    if (text.len >= ERR_TEXT) text.len = utf8_valid(slice_head(text, ERR_TEXT - 1)); /* no half character at the end */
    err_set(e, (enum err_code)code, "%.*s", (int)text.len, (const char *)text.ptr);
    if (!e) return;
    e->os = (int)os;
    e->limit = known_limit(val_as_text(val_get(v, LIT("limit"))));
}
