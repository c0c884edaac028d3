/* written.h - stores written byte by byte after docs/state.md, with none of the code that is tried; and reading them back.
 *
 * The state of such a store is {"n": N, "all": [...]}: revision r puts r in the place of N and behind the end of the list. So any tree can
 * be held against what it must be. Used by tests/state/recover and fuzz/recover. */
#ifndef TESTS_STATE_WRITTEN_H
#define TESTS_STATE_WRITTEN_H

#include "base/buf.h"
#include "protocols/cbor.h"
#include "state/recover.h"

#include <stdlib.h>
#include <zlib.h>

#define WRITTEN_FILES     12
#define WRITTEN_REVISIONS 256
#define WRITTEN_STORE     UINT64_C(0x5b0c7ed2a1f43968)
#define WRITTEN_BYTES     (1u << 20)

struct written_file {
    char name[STATE_NAME];
    struct buf bytes;
    bool gone;
};
struct written {
    struct written_file files[WRITTEN_FILES];
    unsigned file_n;
    uint64_t revisions[WRITTEN_REVISIONS]; /* all that were journalled or are in the first snapshot, going up */
    unsigned revision_n;
    struct buf *segment; /* the one at hand */
    uint64_t serial, at, batch_at;
    uint32_t version;
};

static inline void written_put(uint8_t *p, uint64_t n, int bytes) {
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
}
static inline uint32_t written_sum(const uint8_t *p, size_t n) {
    return (uint32_t)crc32(0, p, (uInt)n);
}

static inline struct written_file *written_file(struct written *w, const char *word, uint64_t n) {
    struct written_file *f = &w->files[w->file_n++];
    snprintf(f->name, sizeof f->name, "%s-%016llx", word, (unsigned long long)n);
    buf_init(&f->bytes, WRITTEN_BYTES);
    f->gone = false;
    return f;
}

static inline void written_zeros(struct buf *b, size_t n) {
    uint8_t *p = buf_room(b, n);
    if (!p) abort();
    memset(p, 0, n);
    buf_wrote(b, n);
}

static inline void written_free(struct written *w) {
    for (unsigned i = 0; i < w->file_n; i++) buf_release(&w->files[i].bytes);
    w->file_n = 0;
}

/* --- trees --- */

/* What the state is at a revision. */
static inline struct val written_tree(const struct written *w, uint64_t revision) {
    struct val all = val_empty_array();
    uint64_t n = 0;
    for (unsigned i = 0; i < w->revision_n && w->revisions[i] <= revision; i++) {
        n = w->revisions[i];
        val_push(&all, val_of_u64(n));
    }
    return VAL_MAP_OF({"n", val_of_u64(n)}, {"all", all});
}

static inline void written_patch(struct buf *out, uint64_t revision) {
    struct val patch = VAL_ARRAY_OF(
        VAL_MAP_OF({"op", val_of_str("replace")}, {"path", val_of_str("/n")}, {"value", val_of_u64(revision)}),
        VAL_MAP_OF({"op", val_of_str("add")}, {"path", val_of_str("/all/-")}, {"value", val_of_u64(revision)}));
    if (!cbor_write(out, &patch, NULL)) abort();
    val_unref(&patch);
}

/* --- segments --- */

static inline uint64_t written_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(13787848793156543929);
    x = (x ^ (x >> 27)) * UINT64_C(10723151780598845931);
    return x ^ (x >> 31);
}
static inline uint64_t written_mark(uint64_t store, uint64_t serial) {
    return written_mix(written_mix(store ^ written_mix(serial)) + store);
}

/* A prepared one: zeros. */
static inline void written_segment(struct written *w, uint64_t serial, size_t size) {
    struct written_file *f = written_file(w, "journal", serial);
    written_zeros(&f->bytes, size);
    w->segment = &f->bytes;
    w->serial = serial;
    w->at = w->batch_at = 512;
}

static inline void written_head(struct written *w, uint64_t store, uint64_t serial, uint64_t base) {
    uint8_t *p = w->segment->ptr;
    memset(p, 0, 512);
    memcpy(p, "SBJRNL1\n", 8);
    written_put(p + 8, serial, 8);
    written_put(p + 16, w->segment->len, 8);
    written_put(p + 24, base, 8);
    written_put(p + 32, store, 8);
    written_put(p + 40, w->version, 4);
    written_put(p + 44, written_sum(p, 44), 4);
}

/* Makes the segment longer when it does not fit, as the journal does. */
static inline void written_record_of(struct written *w, int kind, bool last, uint64_t revision, uint64_t horizon,
                                     struct slice payload) {
    size_t end = (size_t)w->at + 44 + payload.len;
    if (end > w->segment->len) written_zeros(w->segment, end - w->segment->len);
    uint8_t *p = w->segment->ptr + w->at;
    memset(p, 0, 44);
    memcpy(p, "SBr", 3);
    p[3] = (uint8_t)kind;
    p[4] = last;
    written_put(p + 8, payload.len, 4);
    written_put(p + 12, written_sum(payload.ptr ? payload.ptr : p, payload.len), 4);
    written_put(p + 16, written_mark(WRITTEN_STORE, w->serial), 8);
    written_put(p + 24, revision, 8);
    written_put(p + 32, horizon, 8);
    written_put(p + 40, written_sum(p, 40), 4);
    if (payload.len) memcpy(p + 44, payload.ptr, payload.len);
    w->at = end;
    if (!last) return;
    w->batch_at = w->at = (w->at + 511) / 512 * 512;
}

static inline void written_note(struct written *w, uint64_t revision) {
    if (w->revision_n == WRITTEN_REVISIONS) abort();
    w->revisions[w->revision_n++] = revision;
}

/* A record that counts, or (not `real`) one that never became real. */
static inline void written_record(struct written *w, bool last, uint64_t revision, uint64_t horizon, bool real) {
    struct buf b;
    buf_init(&b, 4096);
    written_patch(&b, revision);
    if (real) written_note(w, revision);
    written_record_of(w, 1, last, revision, horizon, buf_slice(&b));
    buf_release(&b);
}

static inline size_t written_padded(struct buf *out, uint64_t revision, size_t pad) {
    static const uint8_t fill[1024];
    struct val patch = VAL_ARRAY_OF(
        VAL_MAP_OF({"op", val_of_str("replace")}, {"path", val_of_str("/n")}, {"value", val_of_u64(revision)}),
        VAL_MAP_OF({"op", val_of_str("add")}, {"path", val_of_str("/all/-")}, {"value", val_of_u64(revision)},
                   {"pad", val_of_bytes(slice_of(fill, pad))}));
    buf_reset(out);
    if (!cbor_write(out, &patch, NULL)) abort();
    val_unref(&patch);
    return out->len;
}

/* A record that ends at an offset, by so many bytes that nobody reads. False: none can be so long. */
static inline bool written_record_to(struct written *w, bool last, uint64_t revision, uint64_t horizon, uint64_t end) {
    struct buf b;
    buf_init(&b, 4096);
    size_t least = written_padded(&b, revision, 0), room = (size_t)(end - w->at);
    bool good = false;
    for (size_t head = 0; head < 3 && !good; head++) {
        size_t pad = room - 44 - least - head;
        good = room >= 44 + least + head && pad <= 1024 && written_padded(&b, revision, pad) + 44 == room;
    }
    if (good) {
        written_note(w, revision);
        written_record_of(w, 1, last, revision, horizon, buf_slice(&b));
    }
    buf_release(&b);
    return good;
}

static inline void written_mark_record(struct written *w, uint64_t revision) {
    written_record_of(w, 2, true, revision, revision, slice_of(NULL, 0));
}

/* --- snapshots --- */

static inline void written_snapshot_of(struct buf *b, const struct val *about, struct slice body) {
    struct buf text;
    uint8_t number[16];
    buf_init(&text, 4096);
    if (!cbor_write(&text, about, NULL)) abort();
    size_t mark = b->len;
    buf_add(b, LIT("SBSNAP1\n"));
    buf_be32(b, (uint32_t)text.len);
    buf_be32(b, written_sum(text.ptr, text.len));
    buf_be32(b, written_sum(b->ptr + mark, 16));
    buf_add(b, buf_slice(&text));
    while (body.len) {
        struct slice piece = slice_head(body, 100);
        written_put(number, piece.len, 4);
        uLong sum = crc32(crc32(0, number, 4), piece.ptr, (uInt)piece.len);
        buf_be32(b, (uint32_t)piece.len);
        buf_be32(b, (uint32_t)sum);
        buf_add(b, piece);
        body = slice_skip(body, piece.len);
    }
    buf_release(&text);
}

static inline struct val written_about(uint64_t store, uint64_t revision, uint64_t serial, uint32_t version,
                                       const char *name) {
    return VAL_MAP_OF({"store", val_of_u64(store)}, {"revision", val_of_u64(revision)}, {"serial", val_of_u64(serial)},
                      {"version", val_of_u64(version)}, {"written", val_of_u64(1700000000000)},
                      {"name", val_of_str(name)}, {"private", VAL_ARRAY_OF(val_of_str("/private"))},
                      {"secret", VAL_ARRAY_OF(val_of_str("/private/keys"))});
}

/* The tree of a revision, the journal going on in segment `serial`. */
static inline void written_snapshot(struct written *w, uint64_t store, uint64_t revision, uint64_t serial,
                                    const char *name) {
    struct written_file *f = written_file(w, "snapshot", revision);
    struct val about = written_about(store, revision, serial, w->version, name), root = written_tree(w, revision);
    struct buf body;
    uint8_t end[16] = {0};
    buf_init(&body, WRITTEN_BYTES);
    if (!cbor_write(&body, &root, NULL)) abort();
    written_snapshot_of(&f->bytes, &about, buf_slice(&body));
    written_put(end + 4, body.len, 8);
    written_put(end + 12, written_sum(end, 12), 4);
    buf_add(&f->bytes, slice_of(end, 16));
    if (!buf_ok(&f->bytes)) abort();
    buf_release(&body);
    val_unref(&about);
    val_unref(&root);
}

/* --- reading them --- */

struct written_trouble {
    unsigned file;         /* whose bytes the disk refuses; */
    uint64_t from, to;     /* none when both are 0 */
    uint64_t longer;       /* files are said to be so much longer than they are */
    uint64_t reads, bytes; /* how many there were */
};

static inline struct slice written_read(const struct written *w, const struct recover_want *want, unsigned *file) {
    for (unsigned i = 0; i < w->file_n; i++)
        if (!w->files[i].gone && !strcmp(w->files[i].name, want->name)) {
            struct slice s = buf_slice(&w->files[i].bytes);
            *file = i;
            return slice_head(slice_skip(s, want->at > s.len ? s.len : (size_t)want->at), want->len);
        }
    abort(); /* it wants a file that is not there */
}

/* False: recover_feed said no (e). */
static inline bool written_recover(const struct written *w, const struct recover_config *config,
                                   struct written_trouble *trouble, struct recover_result *out, struct err *e) {
    static const struct err refused = {.code = ERR_FILESYSTEM, .text = "Input/output error"};
    struct recover_file files[WRITTEN_FILES];
    struct recover_want want;
    size_t n = 0;
    for (unsigned i = 0; i < w->file_n; i++) {
        if (w->files[i].gone) continue;
        memcpy(files[n].name, w->files[i].name, STATE_NAME);
        files[n++].size = w->files[i].bytes.len + (trouble ? trouble->longer : 0);
    }
    struct recover *r = recover_new(config, files, n, e);
    bool good = r != NULL;
    while (good && recover_next(r, &want) == RECOVER_READ) {
        unsigned file;
        struct slice bytes = written_read(w, &want, &file);
        if (!want.len || want.len > 65536) abort();
        if (trouble) {
            trouble->reads++;
            trouble->bytes += bytes.len;
        }
        if (trouble && trouble->to && trouble->file == file && want.at < trouble->to &&
            want.at + want.len > trouble->from)
            good = recover_unreadable(r, &refused, e);
        else
            good = recover_feed(r, bytes, e);
    }
    if (good) recover_take(r, out);
    recover_free(r);
    return good;
}

#endif
