/* coding.c - see coding.h. */
#include "out/coding.h"

#include "base/mem.h"
#include "protocols/zmem.h"

#include <zlib.h>

#define WINDOW_GZIP (16 + MAX_WBITS)

enum coding_state {
    CODING_FRESH, /* no byte came yet */
    CODING_FIRST, /* deflate: the first byte came; the second tells whether there is a zlib frame */
    CODING_RUNNING,
    CODING_ENDED, /* by its own end; gzip: another member may follow */
    CODING_BROKEN,
};

struct coding {
    enum coding_kind kind;
    enum coding_state state;
    uint8_t first;
    bool made;
    z_stream z;
    uint8_t out[CODING_PIECE];
};

bool coding_from(const struct http_field *fields, size_t n, enum coding_kind *kind, struct err *e) {
    *kind = CODING_NONE;
    struct http_list l = http_list_of(fields, n, LIT("content-encoding"));
    for (struct slice s; http_list_next(&l, &s);) {
        if (slice_eq_nocase(s, LIT("identity"))) continue;
        bool gzip = slice_eq_nocase(s, LIT("gzip")) || slice_eq_nocase(s, LIT("x-gzip"));
        if (*kind != CODING_NONE || (!gzip && !slice_eq_nocase(s, LIT("deflate"))))
            return err_set(e, ERR_UNSUPPORTED, "the body is encoded in a way that was not asked for");
        *kind = gzip ? CODING_GZIP : CODING_DEFLATE;
    }
    return true;
}

struct coding *coding_new(enum coding_kind kind, struct err *e) {
    struct coding *c = mem_get(sizeof *c);
    if (!c) {
        err_nomem(e, "decompressing");
        return NULL;
    }
    c->kind = kind;
    c->state = CODING_FRESH;
    c->made = false;
    c->z = (z_stream){.zalloc = zmem_get, .zfree = zmem_put};
    return c;
}

void coding_free(struct coding *c) {
    if (!c) return;
    if (c->made) inflateEnd(&c->z);
    mem_put(c, sizeof *c);
}

bool coding_whole(const struct coding *c) {
    return c->state == CODING_FRESH || c->state == CODING_ENDED;
}

static struct fed refuse(struct coding *c, size_t used, const char *why, struct err *e) {
    c->state = CODING_BROKEN;
    err_set(e, ERR_SYNTAX, "the compressed body %s", why);
    return fed_bad(used);
}

/* Gives zlib bytes, once; what it eats and makes is in c->z. */
static int inflate_more(struct coding *c, const uint8_t *in, size_t n) {
    c->z.next_in = (Bytef *)(uintptr_t)in;
    c->z.avail_in = n > CODING_PIECE ? CODING_PIECE : (uInt)n;
    c->z.next_out = c->out;
    c->z.avail_out = CODING_PIECE;
    return inflate(&c->z, Z_NO_FLUSH);
}

static bool make(struct coding *c, int window) {
    c->made = inflateInit2(&c->z, window) == Z_OK;
    c->state = CODING_RUNNING;
    return c->made;
}

/* The state for the first bytes. False: bad, told. */
static bool begin(struct coding *c, struct slice in, size_t *used, struct err *e) {
    if (c->kind == CODING_GZIP) {
        if (make(c, WINDOW_GZIP)) return true;
        refuse(c, 0, "could not be undone", e);
        return err_nomem(e, "decompressing");
    }
    if (c->state == CODING_FRESH) {
        c->first = in.ptr[0];
        c->state = CODING_FIRST;
        *used = 1;
        return true;
    }
    bool framed = (c->first & 15) == 8 && ((unsigned)c->first << 8 | in.ptr[0]) % 31 == 0;
    if (!make(c, framed ? MAX_WBITS : -MAX_WBITS)) {
        refuse(c, 0, "could not be undone", e);
        return err_nomem(e, "decompressing");
    }
    /* One byte makes nothing yet. */
    if (inflate_more(c, &c->first, 1) == Z_OK && !c->z.avail_in) return true;
    refuse(c, 0, "is damaged", e);
    return false;
}

struct fed coding_feed(struct coding *c, struct slice in, struct slice *piece, struct err *e) {
    size_t used = 0;
    while (c->state != CODING_BROKEN) {
        /* Without input zlib may still have something to give. */
        if (used == in.len && c->state != CODING_RUNNING) return fed_more(used, 1);
        if (c->state == CODING_FRESH || c->state == CODING_FIRST) {
            size_t took = 0;
            if (!begin(c, slice_skip(in, used), &took, e)) return fed_bad(used);
            used += took;
            continue;
        }
        if (c->state == CODING_ENDED) {
            if (c->kind != CODING_GZIP) return refuse(c, used, "goes on behind its end", e);
            if (inflateReset(&c->z) != Z_OK) return refuse(c, used, "is damaged", e);
            c->state = CODING_RUNNING;
        }
        int r = inflate_more(c, in.len ? in.ptr + used : c->out, in.len - used);
        size_t had = in.len - used > CODING_PIECE ? CODING_PIECE : in.len - used;
        size_t ate = had - c->z.avail_in, made = CODING_PIECE - c->z.avail_out;
        used += ate;
        if (r == Z_STREAM_END) c->state = CODING_ENDED;
        if (made) { /* also in front of an error, which then comes again */
            *piece = slice_of(c->out, made);
            return fed_event(used);
        }
        if (r == Z_MEM_ERROR) {
            refuse(c, used, "could not be undone", e);
            err_nomem(e, "decompressing");
            return fed_bad(used);
        }
        if (r != Z_STREAM_END && r != Z_OK && r != Z_BUF_ERROR) return refuse(c, used, "is damaged", e);
        if (r != Z_STREAM_END && !ate) return fed_more(used, 1);
    }
    err_set(e, ERR_INVALID, "the body was refused before");
    return fed_bad(used);
}
