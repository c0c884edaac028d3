/* snapfile.c - see snapfile.h. */
#include "state/snapfile.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "protocols/cbor.h"
#include "state/record.h"

#include <zlib.h>

#define HEAD_SUMMED 16
#define HEAD_LEN    20
#define PIECE_HEAD  8
#define END_SUMMED  12
#define END_LEN     16 /* its first PIECE_HEAD bytes are read as a piece's head */

static const struct slice magic = LIT_INIT("SBSNAP1\n");

/* Of a piece: its length too, so that a length that went wrong is seen with certainty. */
static uint32_t sum_piece(const uint8_t len[4], struct slice bytes) {
    return (uint32_t)crc32_z(crc32_z(0, len, 4), bytes.ptr, bytes.len);
}

void snapfile_about_release(struct snapfile_about *a) {
    val_unref(&a->name);
    val_unref(&a->priv);
    val_unref(&a->secret);
}

/* --- the description --- */

static bool is_texts(const struct val *v) {
    if (v->kind != VAL_ARRAY) return false;
    for (struct val_iter it = val_iter(v); val_next(&it);)
        if (it.value->kind != VAL_TEXT) return false;
    return true;
}

static bool get_u64(const struct val *map, const char *key, uint64_t most, uint64_t *out) {
    return val_as_u64(val_get(map, slice_str(key)), out) && *out <= most;
}

/* The bytes were checked: what does not fit was written so. */
static bool read_about(struct slice bytes, struct snapfile_about *a, struct err *e) {
    static const struct cbor_limits limits = {LIMIT_SNAPFILE_ABOUT, LIMIT_SNAPFILE_ABOUT, LIMIT_VAL_DEPTH};
    struct val map = val_none;
    uint64_t version = 0;
    if (!cbor_parse(bytes, &limits, &map, e)) {
        if (!e || e->code != ERR_NOMEM) err_context(e, "the description");
        return false;
    }
    const struct val *name = val_get(&map, LIT("name")), *priv = val_get(&map, LIT("private"));
    const struct val *secret = val_get(&map, LIT("secret"));
    const char *bad = NULL;
    if (map.kind != VAL_MAP)
        bad = "is no map";
    else if (!get_u64(&map, "store", UINT64_MAX, &a->store))
        bad = "has no number of the store";
    else if (!get_u64(&map, "revision", RECORD_MOST, &a->revision))
        bad = "has no revision";
    else if (!get_u64(&map, "serial", RECORD_MOST, &a->serial))
        bad = "has no serial of a segment";
    else if (!get_u64(&map, "version", UINT32_MAX, &version))
        bad = "has no version";
    else if (!val_as_i64(val_get(&map, LIT("written")), &a->written_ms))
        bad = "has no time";
    else if (name->kind != VAL_TEXT)
        bad = "has no name";
    else if (!is_texts(priv) || !is_texts(secret))
        bad = "has no patterns of what is private and secret";
    if (!bad) {
        a->version = (uint32_t)version;
        a->name = val_ref(name);
        a->priv = val_ref(priv);
        a->secret = val_ref(secret);
    }
    val_unref(&map);
    return !bad || err_at(e, ERR_SYNTAX, HEAD_LEN, "the description %s", bad);
}

/* --- writing --- */

static bool write_about(struct buf *out, const struct snapfile_about *a, struct err *e) {
    struct val map = VAL_MAP_OF({"store", val_of_u64(a->store)}, {"revision", val_of_u64(a->revision)},
                                {"serial", val_of_u64(a->serial)}, {"version", val_of_u64(a->version)},
                                {"written", val_of_i64(a->written_ms)}, {"name", val_ref(&a->name)},
                                {"private", val_ref(&a->priv)}, {"secret", val_ref(&a->secret)});
    bool good = !val_is_none(&map) ? cbor_write(out, &map, e) : err_nomem(e, "the description of a snapshot");
    val_unref(&map);
    return good;
}

bool snapfile_write_head(struct buf *out, const struct snapfile_about *about, struct err *e) {
    struct buf text;
    struct snapfile_about again = {.name = val_none, .priv = val_none, .secret = val_none};
    buf_init(&text, LIMIT_SNAPFILE_ABOUT);
    bool good = write_about(&text, about, e) && read_about(buf_slice(&text), &again, e);
    snapfile_about_release(&again);
    size_t mark = buf_mark(out);
    if (good && buf_ok(out)) {
        buf_add(out, magic);
        buf_be32(out, (uint32_t)text.len);
        buf_be32(out, record_sum(buf_slice(&text)));
        if (buf_ok(out)) buf_be32(out, record_sum(slice_of(out->ptr + mark, HEAD_SUMMED)));
        if (!buf_add(out, buf_slice(&text))) {
            buf_rewind(out, mark);
            good = err_nomem(e, "the head of a snapshot");
        }
    } else if (good)
        good = err_nomem(e, "the head of a snapshot");
    buf_release(&text);
    return good;
}

bool snapfile_write_piece(struct buf *out, struct slice bytes) {
    if (!bytes.len || bytes.len > SNAPFILE_PIECE || !buf_ok(out)) return false;
    size_t mark = buf_mark(out);
    buf_be32(out, (uint32_t)bytes.len);
    if (buf_ok(out)) buf_be32(out, sum_piece(out->ptr + mark, bytes));
    if (buf_add(out, bytes)) return true;
    enum buf_fault fault = out->fault;
    buf_rewind(out, mark);
    out->fault = fault;
    return false;
}

bool snapfile_write_end(struct buf *out, uint64_t total) {
    if (!buf_ok(out)) return false;
    size_t mark = buf_mark(out);
    buf_be32(out, 0);
    buf_be64(out, total);
    if (buf_ok(out) && buf_be32(out, record_sum(slice_of(out->ptr + mark, END_SUMMED)))) return true;
    enum buf_fault fault = out->fault;
    buf_rewind(out, mark);
    out->fault = fault;
    return false;
}

/* --- reading --- */

enum reading { READING_HEAD, READING_ABOUT, READING_PIECE, READING_BYTES, READING_END, READING_DONE, READING_BAD };

struct snapfile {
    enum reading reading;
    uint64_t most;
    uint64_t at;              /* bytes eaten */
    uint64_t total;           /* of pieces */
    uint32_t len, sum;        /* of the description, or of the piece */
    uint8_t head[PIECE_HEAD]; /* of the piece */
    struct buf part;          /* of what is read now, when it came cut */
    struct cbor *cbor;
    bool root_whole;
    struct snapfile_about about;
    bool told;
    struct err err;
};

struct snapfile *snapfile_new(uint64_t most) {
    struct snapfile *s = mem_get_zero(sizeof *s);
    if (!s) return NULL;
    const size_t bytes = most < SIZE_MAX ? (size_t)most : SIZE_MAX;
    const struct cbor_limits limits = {bytes, bytes, LIMIT_VAL_DEPTH};
    s->most = most;
    s->about = (struct snapfile_about){.name = val_none, .priv = val_none, .secret = val_none};
    buf_init(&s->part, LIMIT_SNAPFILE_ABOUT > SNAPFILE_PIECE ? LIMIT_SNAPFILE_ABOUT : SNAPFILE_PIECE);
    s->cbor = cbor_new(&limits);
    if (s->cbor) return s;
    snapfile_free(s);
    return NULL;
}

void snapfile_free(struct snapfile *s) {
    if (!s) return;
    buf_release(&s->part);
    cbor_free(s->cbor);
    snapfile_about_release(&s->about);
    mem_put(s, sizeof *s);
}

const struct snapfile_about *snapfile_about_of(const struct snapfile *s) {
    return s->told ? &s->about : NULL;
}

struct val snapfile_take(struct snapfile *s) {
    return s->reading == READING_DONE ? cbor_take(s->cbor) : val_none;
}

static size_t wanted(const struct snapfile *s) {
    switch (s->reading) {
    case READING_HEAD: return HEAD_LEN;
    case READING_PIECE: return PIECE_HEAD;
    case READING_END: return END_LEN - PIECE_HEAD;
    case READING_ABOUT:
    case READING_BYTES: return s->len;
    case READING_DONE:
    case READING_BAD: break;
    }
    return 1;
}

/* The file's place of an offset in what is read now. */
static size_t place(const struct snapfile *s, size_t offset) {
    uint64_t at = s->at + offset;
    return at < ERR_NOWHERE ? (size_t)at : ERR_NOWHERE - 1;
}

static bool take_head(struct snapfile *s, const uint8_t *p) {
    if (!slice_starts(slice_of(p, HEAD_LEN), magic))
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "it does not begin as a snapshot does");
    if (num_be32(p + 16) != record_sum(slice_of(p, HEAD_SUMMED)))
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "the checksum of its head is wrong");
    s->len = num_be32(p + 8);
    s->sum = num_be32(p + 12);
    if (!s->len || s->len > LIMIT_SNAPFILE_ABOUT)
        return err_limit(&s->err, "LIMIT_SNAPFILE_ABOUT", LIMIT_SNAPFILE_ABOUT, place(s, 8));
    s->reading = READING_ABOUT;
    return true;
}

static bool take_about(struct snapfile *s, struct slice bytes) {
    if (record_sum(bytes) != s->sum)
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "the checksum of its description is wrong");
    if (!read_about(bytes, &s->about, &s->err)) {
        s->err.at = place(s, 0);
        return false;
    }
    s->told = true;
    s->reading = READING_PIECE;
    return true;
}

static bool take_piece_head(struct snapfile *s, const uint8_t *p) {
    memcpy(s->head, p, PIECE_HEAD);
    s->len = num_be32(p);
    s->sum = num_be32(p + 4);
    s->reading = s->len ? READING_BYTES : READING_END;
    if (s->len > SNAPFILE_PIECE)
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "a piece that claims to be %lu bytes long",
                      (unsigned long)s->len);
    return s->len <= s->most - s->total || err_limit(&s->err, "LIMIT_STATE_SNAPSHOT", s->most, place(s, 0));
}

static bool take_bytes(struct snapfile *s, struct slice bytes) {
    if (sum_piece(s->head, bytes) != s->sum)
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "the checksum of a piece is wrong");
    s->reading = READING_PIECE;
    size_t used = 0;
    if (!s->root_whole) {
        struct err own = ERR_INIT;
        struct fed fed = cbor_feed(s->cbor, bytes, &own);
        if (fed.step == STEP_BAD) {
            s->err = own;
            /* The error counts from the start of the root; it may be of an item that began in an earlier piece. */
            bool here = own.at != ERR_NOWHERE && own.at >= s->total;
            s->err.at = place(s, here ? (size_t)(own.at - s->total) : 0);
            if (own.code != ERR_NOMEM) err_context(&s->err, "the tree");
            return false;
        }
        s->root_whole = fed.step == STEP_END;
        used = fed.used;
    }
    s->total += bytes.len;
    return used == bytes.len || err_at(&s->err, ERR_SYNTAX, place(s, used), "something follows behind the tree");
}

static bool take_end(struct snapfile *s, const uint8_t *p) {
    uint8_t end[END_LEN];
    memcpy(end, s->head, PIECE_HEAD);
    memcpy(end + PIECE_HEAD, p, END_LEN - PIECE_HEAD);
    if (num_be32(end + END_SUMMED) != record_sum(slice_of(end, END_SUMMED)))
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "the checksum of its end is wrong");
    if (num_be64(end + 4) != s->total)
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "pieces are missing: %llu bytes of %llu are there",
                      (unsigned long long)s->total, (unsigned long long)num_be64(end + 4));
    if (!s->root_whole) return err_at(&s->err, ERR_SYNTAX, place(s, 0), "the tree ends in its middle");
    s->reading = READING_DONE;
    return true;
}

/* One whole part. False: s->err. */
static bool take(struct snapfile *s, struct slice part) {
    switch (s->reading) {
    case READING_HEAD: return take_head(s, part.ptr);
    case READING_ABOUT: return take_about(s, part);
    case READING_PIECE: return take_piece_head(s, part.ptr);
    case READING_BYTES: return take_bytes(s, part);
    case READING_END: return take_end(s, part.ptr);
    case READING_DONE:
        return err_at(&s->err, ERR_SYNTAX, place(s, 0), "something follows behind the end of the snapshot");
    case READING_BAD: break;
    }
    return false;
}

static struct fed refuse(struct snapfile *s, size_t used, struct err *e) {
    s->reading = READING_BAD;
    if (e) *e = s->err;
    return fed_bad(used);
}

struct fed snapfile_feed(struct snapfile *s, struct slice in, struct err *e) {
    size_t used = 0;
    if (s->reading == READING_BAD) return refuse(s, 0, e);
    while (used < in.len) {
        struct slice rest = slice_skip(in, used), part;
        size_t want = wanted(s);
        if (!s->part.len && rest.len >= want) {
            part = slice_head(rest, want);
            used += want;
        } else {
            part = slice_head(rest, want - s->part.len);
            if (!buf_add(&s->part, part)) {
                err_nomem(&s->err, "reading a snapshot");
                return refuse(s, used, e);
            }
            used += part.len;
            if (s->part.len < want) return fed_more(used, want - s->part.len);
            part = buf_slice(&s->part);
        }
        enum reading was = s->reading;
        if (!take(s, part)) return refuse(s, used, e);
        buf_reset(&s->part);
        s->at += want;
        if (was == READING_ABOUT) return fed_event(used);
        if (s->reading == READING_DONE) return fed_end(used);
    }
    return s->reading == READING_DONE ? fed_end(used) : fed_more(used, wanted(s) - s->part.len);
}

bool snapfile_eof(const struct snapfile *s, struct err *e) {
    if (s->reading == READING_DONE) return true;
    if (s->reading == READING_BAD) {
        if (e) *e = s->err;
        return false;
    }
    return err_at(e, ERR_SYNTAX, place(s, s->part.len), "the file ends in its middle");
}
