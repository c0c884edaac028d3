/* recover.c - a small store that the input describes, and what it does to its files: bytes flipped, ends cut off, files gone, blocks of
 * the last batch not written, a disk that refuses. Whatever comes out as a state is one that the store has had; an untouched store is
 * whole; a torn last batch is no damage; and of one flipped byte the law of tests/state/recover holds. */
#include "state/written.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p;
    size_t left;
};
static unsigned take(struct input *in) {
    if (!in->left) return 0;
    in->left--;
    return *in->p++;
}

struct made {
    struct written w;
    uint64_t durable, full; /* the last revision of the batch before the last, and of the last */
    unsigned last_file;
    size_t last_from, last_to;
    bool marked; /* nothing is open */
};

#define SIZE 4096

static void put_batch(struct made *m, struct input *in, uint64_t *n, uint64_t *said) {
    struct written *w = &m->w;
    unsigned how = take(in), records = 1 + how % 5, skip = how >> 4 & 3;
    uint64_t horizon = *n;
    bool first = w->at == 512;
    m->last_file = w->file_n - 1;
    m->last_from = first ? 0 : (size_t)w->at;
    m->durable = horizon;
    if (how & 128) {
        written_mark_record(w, *n);
        m->marked = true;
    } else {
        for (unsigned i = 0; i < records; i++) {
            *n += 1 + skip;
            /* Some end with a block, so that the next one begins where a batch could. */
            uint64_t block = (w->at + 511) / 512 * 512 + (w->at % 512 > 350 || w->at % 512 == 0 ? 512 : 0);
            if (!(how & 64) || !written_record_to(w, i + 1 == records, *n, horizon, block))
                written_record(w, i + 1 == records, *n, horizon, true);
        }
        m->marked = false;
    }
    m->full = *n;
    m->last_to = (size_t)w->at;
    *said = horizon;
}

/* Snapshots, segments, batches; in the end a prepared segment. */
static void make(struct made *m, struct input *in) {
    uint64_t n = 1, said = 0, serial = 1;
    struct written *w = &m->w;
    *m = (struct made){.w.version = 1, .full = 1, .durable = 1, .marked = true};
    written_note(w, 1);
    written_snapshot(w, WRITTEN_STORE, 1, 1, "testd");
    unsigned segments = take(in) % 4;
    for (unsigned i = 0; i < segments; i++, serial++) {
        unsigned how = take(in), batches = how % 5;
        written_segment(w, serial, SIZE);
        if (how & 64 && serial > 1) { /* used again */
            w->serial = 0;
            written_head(w, WRITTEN_STORE, 0, 0);
            written_record(w, true, 1, 0, false);
            written_record(w, false, 2, 1, false);
            written_record(w, true, 3, 1, false);
            w->serial = serial;
            w->at = 512;
        }
        if (!batches) continue; /* never begun */
        written_head(w, WRITTEN_STORE, serial, n);
        struct buf *segment = w->segment;
        for (unsigned k = 0; k < batches; k++) {
            w->segment = segment;
            unsigned file = w->file_n;
            if (how & 128 && k == 2 && n > 1 && file < WRITTEN_FILES - 4) {
                uint64_t at = w->at;
                if (m->w.files[file - 1].name[0] != 's') written_snapshot(w, WRITTEN_STORE, n, serial, "testd");
                w->segment = segment;
                w->at = at;
            }
            put_batch(m, in, &n, &said);
            for (unsigned f = 0; f < w->file_n; f++)
                if (&w->files[f].bytes == segment) m->last_file = f;
        }
    }
}

static void check(const struct made *m, struct recover_config config, struct written_trouble *t, bool may_lose,
                  uint64_t least) {
    struct recover_result r;
    struct err e = ERR_INIT;
    config.past_damage = true;
    if (!written_recover(&m->w, &config, t, &r, &e)) abort();
    if (r.refused) abort();
    if (r.damaged && (!may_lose || !r.why.text[0] || !r.finding_n)) abort();
    if (!val_is_none(&r.root)) {
        struct val want = written_tree(&m->w, r.revision);
        if (!val_equal(&want, &r.root)) abort(); /* a tree the store never had */
        val_unref(&want);
        if (r.journalled > m->full || r.next_serial > 100) abort();
    } else if (!r.damaged && !r.empty)
        abort();
    if (!r.damaged && r.revision < least) abort(); /* lost and not said */
    recover_result_release(&r);
}

static void edit(struct made *m, struct input *in, struct written_trouble *t) {
    struct written_file *f = &m->w.files[take(in) % m->w.file_n];
    size_t at = (size_t)take(in) << 8;
    at |= take(in);
    unsigned how = take(in);
    if (!f->bytes.len) return;
    at %= f->bytes.len;
    switch (how & 7) {
    case 0: f->gone = true; break;
    case 1: f->bytes.len = at; break;
    case 2: t->file = (unsigned)(f - m->w.files), t->from = at, t->to = at + 1; break;
    case 3: memset(f->bytes.ptr + at, 0, f->bytes.len - at < 512 ? f->bytes.len - at : 512); break;
    default: f->bytes.ptr[at] ^= (uint8_t)(how >> 3 | 1); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct made m;
    struct written_trouble t = {0};
    struct recover_config config = {.name = "testd", .version = 1, .most = WRITTEN_BYTES};
    unsigned what = take(&in);
    config.all = what & 4;
    make(&m, &in);
    if (m.full > 1) check(&m, config, NULL, false, m.full);
    switch (what & 3) {
    case 0: /* the last batch is torn, block by block */
        if (m.last_to > m.last_from) {
            uint8_t *p = m.w.files[m.last_file].bytes.ptr;
            unsigned blocks = take(&in) << 8;
            blocks |= take(&in);
            for (size_t at = m.last_from; at < m.last_to; at += 512, blocks >>= 1)
                if (blocks & 1) memset(p + at, 0, 512);
            check(&m, config, NULL, false, m.durable);
        }
        break;
    case 1: { /* one byte is another */
        unsigned file = take(&in) % m.w.file_n;
        size_t at = (size_t)take(&in) << 8;
        at |= take(&in);
        struct written_file *f = &m.w.files[file];
        if (!f->bytes.len) break;
        at %= f->bytes.len;
        f->bytes.ptr[at] ^= (uint8_t)(take(&in) | 1);
        bool in_last = file == m.last_file && at >= m.last_from && at < m.last_to;
        check(&m, config, NULL, true, in_last ? m.durable : m.full);
        break;
    }
    default: /* anything */
        while (in.left) edit(&m, &in, &t);
        check(&m, config, &t, true, 0);
        break;
    }
    written_free(&m.w);
    return 0;
}
