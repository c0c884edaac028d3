/* source.c - see source.h.
 *
 * Base64 lines hold 57 bytes each, so the text of a file is that of its full lines, and of what is left in the last one. Fewer
 * than 57 bytes stay with the pump until more come; that never fills it. */
#include "out/source.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/must.h"

#define LINE_BYTES 57
#define LINE_TEXT  78 /* 76 and CR LF */
#define LINES      64 /* made at once */

struct source_text {
    size_t len, done;
    uint8_t bytes[LINES * LINE_TEXT];
};

static uint64_t sent_size(const struct source_part *p) {
    if (!p->file.disk) return p->bytes.len;
    uint64_t n = p->was.size;
    if (!p->base64) return n;
    return (n + 2) / 3 * 4 + (n + LINE_BYTES - 1) / LINE_BYTES * 2;
}

static void fail(struct source *s, const struct err *e) {
    struct err own = *e;
    source_stop(s);
    s->err = own;
    s->call(s, SOURCE_FAILED);
}

/* --- which part --- */

static void heard(struct pump *p, enum pump_event event);

/* Starts what the part at hand needs. Passes over parts that are used up. */
static bool enter_part(struct source *s, struct err *e) {
    for (; s->at < s->part_n; s->at++, s->moved = 0) {
        struct source_part *p = &s->parts[s->at];
        if (p->file.disk && (s->asking || s->moved < p->was.size)) {
            s->pump = (struct pump){.call = heard, .name = s->name};
            return pump_read(&s->pump, s->loop, p->file.disk, p->file.root, p->file.path, 0,
                             s->asking ? 0 : p->was.size, e);
        }
        if (!s->asking && !p->file.disk && s->moved < p->bytes.len) return true;
    }
    return true;
}

static void go_on(struct source *s) {
    struct err e = ERR_INIT;
    if (!enter_part(s, &e)) {
        fail(s, &e);
        return;
    }
    if (s->asking && source_over(s)) {
        s->asking = false;
        s->size = 0;
        for (size_t i = 0; i < s->part_n; i++) s->size += sent_size(&s->parts[i]);
        s->call(s, SOURCE_OPEN);
    } else if (!s->asking)
        s->call(s, SOURCE_DATA);
}

static bool run_task(struct loop_task *t) {
    go_on(LOOP_OWNER(struct source, task, t));
    return false;
}

/* --- files --- */

static bool is_same_file(const struct pump_file *a, const struct pump_file *b) {
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->id == b->id;
}

static void opened(struct source *s, struct source_part *p) {
    struct err e = ERR_INIT;
    if (s->pump.file.folder)
        err_set(&e, ERR_INVALID, "%s is a folder and cannot be sent", s->name);
    else if (s->asking)
        p->was = s->pump.file;
    else if (!is_same_file(&p->was, &s->pump.file))
        err_set(&e, ERR_FILESYSTEM, "the file was changed while it was sent");
    if (e.code) fail(s, &e);
}

static void heard(struct pump *pump, enum pump_event event) {
    struct source *s = LOOP_OWNER(struct source, pump, pump);
    struct source_part *p = &s->parts[s->at];
    struct err e = ERR_INIT;
    switch (event) {
    case PUMP_OPEN: opened(s, p); return;
    case PUMP_DATA: s->call(s, SOURCE_DATA); return;
    case PUMP_DRAINED: return;
    case PUMP_DONE:
        /* Of the bytes only eating the last one leads here. */
        if (s->asking || !s->text || s->text->done == s->text->len) {
            s->at++;
            s->moved = 0;
            go_on(s);
        }
        return;
    case PUMP_FAILED:
        e = pump->err;
        err_context(&e, "reading the file to be sent");
        fail(s, &e);
        return;
    }
}

/* Makes lines of what the pump has. */
static void make_text(struct source *s, const struct source_part *p) {
    struct source_text *t = s->text;
    struct slice raw = slice_head(pump_data(&s->pump), LINES * LINE_BYTES);
    bool last = s->moved + raw.len == p->was.size;
    if (!last) raw.len -= raw.len % LINE_BYTES;
    t->len = t->done = 0;
    for (size_t done = 0; done < raw.len; done += LINE_BYTES) {
        t->len += base64_put(t->bytes + t->len, BASE64_STD, slice_head(slice_skip(raw, done), LINE_BYTES));
        t->bytes[t->len++] = '\r';
        t->bytes[t->len++] = '\n';
    }
    s->moved += raw.len;
    pump_eat(&s->pump, raw.len);
}

/* --- taking --- */

struct slice source_data(struct source *s) {
    if (s->asking || source_over(s)) return slice_of(NULL, 0);
    const struct source_part *p = &s->parts[s->at];
    if (!p->file.disk) return slice_skip(p->bytes, (size_t)s->moved);
    if (!p->base64) return pump_data(&s->pump);
    if (s->text->done == s->text->len) make_text(s, p);
    return slice_of(s->text->bytes + s->text->done, s->text->len - s->text->done);
}

void source_eat(struct source *s, size_t n) {
    if (!n) return;
    must(!source_over(s));
    const struct source_part *p = &s->parts[s->at];
    if (p->file.disk && p->base64) {
        s->text->done += n;
        must(s->text->done <= s->text->len);
        /* The pump was done before its text: then the next part begins from the loop. */
        if (s->text->done == s->text->len && s->moved == p->was.size && !s->pump.room) {
            s->at++;
            s->moved = 0;
            loop_task_queue(s->loop, &s->task, LOOP_LATER);
        }
        return;
    }
    s->moved += n;
    if (p->file.disk) {
        pump_eat(&s->pump, n); /* PUMP_DONE leads to the next part */
        return;
    }
    must(s->moved <= p->bytes.len);
    if (s->moved < p->bytes.len) return;
    s->at++;
    s->moved = 0;
    while (s->at < s->part_n && !s->parts[s->at].file.disk && !s->parts[s->at].bytes.len) s->at++;
    if (s->at < s->part_n && s->parts[s->at].file.disk) loop_task_queue(s->loop, &s->task, LOOP_LATER);
}

/* --- beginning and ending --- */

void source_open(struct source *s, struct loop *l) {
    must(s->call && s->name);
    s->loop = l;
    s->task = (struct loop_task)LOOP_TASK(run_task, s->name);
    s->pump.room = NULL;
    s->text = NULL;
    s->asking = true;
    s->at = 0;
    s->moved = 0;
    loop_task_queue(l, &s->task, LOOP_ANSWER);
}

bool source_begin(struct source *s, struct err *e) {
    bool wants_text = false;
    loop_task_remove(&s->task);
    pump_stop(&s->pump);
    s->at = 0;
    s->moved = 0;
    for (size_t i = 0; i < s->part_n; i++) wants_text |= s->parts[i].file.disk && s->parts[i].base64;
    if (wants_text && !s->text && !(s->text = mem_get(sizeof *s->text))) return err_nomem(e, "a file to be sent");
    if (s->text) s->text->len = s->text->done = 0;
    return enter_part(s, e);
}

void source_stop(struct source *s) {
    if (!s->loop) return;
    loop_task_remove(&s->task);
    pump_stop(&s->pump);
    mem_put(s->text, sizeof *s->text);
    s->text = NULL;
    s->at = s->part_n = 0;
    s->loop = NULL;
}
