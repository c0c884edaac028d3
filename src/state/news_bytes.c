/* news_bytes.c - news as bytes; see news.h. A message is {"id":n,"patch":[...]} or {"id":n,"value":...}, with what the format
 * writes before it. The fixed parts are written by hand, so no value is made for them.
 *
 * The head of a message tells its length and stands before it: so many bytes are left free as it had for another message, and
 * the message moves in the rare case that it is of another length: that is a small one, for the frames we know. */
#include "base/mem.h"
#include "base/must.h"
#include "state/news.h"

#define OUT_MOST (SIZE_MAX / 2)

const struct watch_format watch_json = {.name = "json"}, watch_cbor = {.name = "cbor", .cbor = true};

struct shared *issue_find(const struct issue *i, const struct watch_format *format) {
    for (const struct issue_bytes *b = i->bytes; b; b = b->next)
        if (b->format == format) return b->shared;
    return NULL;
}

bool issue_put(struct issue *i, const struct watch_format *format, struct shared *bytes) {
    struct issue_bytes *b = mem_get(sizeof *b);
    if (!b) return false;
    *b = (struct issue_bytes){.next = i->bytes, .format = format, .shared = bytes};
    i->bytes = b;
    return true;
}

static size_t write_head(const struct watch_format *f, uint8_t head[WATCH_HEAD], uint64_t len) {
    size_t n = f->head ? f->head(head, len) : 0;
    must(n <= WATCH_HEAD);
    return n;
}

/* A writer that fails winds the buffer back, and a fault from before is forgotten with that: so every step is looked at. */
static bool begin_message(struct buf *out, const struct watch_format *f, uint64_t guessed_len, size_t *guess) {
    uint8_t head[WATCH_HEAD];
    *guess = write_head(f, head, guessed_len);
    if (!buf_room(out, *guess)) return false;
    buf_wrote(out, *guess);
    return true;
}

static bool begin_body(struct buf *out, const struct watch_format *f, uint64_t id, struct slice name) {
    if (f->cbor) {
        struct val n = val_of_u64(id);
        return buf_add(out, LIT("\xa2\x62id")) && cbor_write(out, &n, NULL) &&
               buf_byte(out, (uint8_t)(0x60 + name.len)) && buf_add(out, name);
    }
    buf_add(out, LIT("{\"id\":"));
    buf_u64(out, id);
    buf_add(out, LIT(",\""));
    buf_add(out, name);
    return buf_add(out, LIT("\":"));
}

static void end_body(struct buf *out, const struct watch_format *f) {
    if (!f->cbor) buf_byte(out, '}');
}

/* The message that begins at `at` is whole behind `guess` free bytes: puts its head before it. */
static void end_message(struct buf *out, const struct watch_format *f, size_t at, size_t guess) {
    uint8_t head[WATCH_HEAD];
    if (!buf_ok(out)) return;
    size_t body = out->len - at - guess, n = write_head(f, head, body);
    if (n > guess && !buf_room(out, n - guess)) return;
    if (n != guess) memmove(out->ptr + at + n, out->ptr + at + guess, body);
    out->len = at + n + body;
    if (n) memcpy(out->ptr + at, head, n);
}

static bool write_revision(struct buf *out, const struct watch_format *f, const struct watch_revision *r) {
    size_t at = out->len, guess;
    if (!begin_message(out, f, 200, &guess) || !begin_body(out, f, r->id, LIT("patch"))) return false;
    if (!(f->cbor ? cbor_write(out, &r->patch, NULL) : json_write(out, &r->patch, JSON_COMPACT, NULL))) return false;
    end_body(out, f);
    end_message(out, f, at, guess);
    return buf_ok(out);
}

static bool begin_shared(struct buf *out) {
    buf_init(out, OUT_MOST);
    if (!buf_room(out, SHARED_ROOM)) return false;
    buf_wrote(out, SHARED_ROOM);
    return true;
}

static struct shared *encode_changes(const struct issue *i, const struct watch_format *format) {
    struct buf out;
    bool good = begin_shared(&out);
    for (size_t k = 0; good && k < i->n; k++) good = write_revision(&out, format, &i->revisions[k]);
    struct shared *bytes = good ? shared_of_buf(&out) : NULL;
    buf_release(&out);
    return bytes;
}

static struct shared *encode_value(const struct issue *i, const struct watch_format *format) {
    struct encoder c;
    struct shared *bytes = NULL;
    if (encoder_open(&c, format, i) && encoder_run(&c, SIZE_MAX) == STEP_END) bytes = encoder_take(&c);
    encoder_release(&c);
    return bytes;
}

struct shared *issue_encode(struct issue *i, const struct watch_format *format) {
    struct shared *bytes = i->kind == ISSUE_VALUE ? encode_value(i, format) : encode_changes(i, format);
    if (!bytes || issue_put(i, format, bytes)) return bytes;
    shared_unref(bytes);
    return NULL;
}

/* --- in slices --- */

bool encoder_open(struct encoder *c, const struct watch_format *format, const struct issue *i) {
    *c = (struct encoder){.format = format};
    bool good = begin_shared(&c->out) && begin_message(&c->out, format, 1u << 20, &c->guess) &&
                begin_body(&c->out, format, i->to, LIT("value"));
    if (!good) return false;
    if (format->cbor)
        c->cbor = cbor_write_open(&i->value);
    else
        c->json = json_write_open(&i->value, JSON_COMPACT);
    return c->cbor || c->json;
}

enum step encoder_run(struct encoder *c, size_t budget) {
    return c->cbor ? cbor_write_run(c->cbor, &c->out, budget, NULL) : json_write_run(c->json, &c->out, budget, NULL);
}

struct shared *encoder_take(struct encoder *c) {
    end_body(&c->out, c->format);
    end_message(&c->out, c->format, SHARED_ROOM, c->guess);
    return buf_ok(&c->out) ? shared_of_buf(&c->out) : NULL;
}

void encoder_release(struct encoder *c) {
    cbor_write_free(c->cbor);
    json_write_free(c->json);
    buf_release(&c->out);
}
