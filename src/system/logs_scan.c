/* logs_scan.c - the files of our log from their end backwards; see logs.h. */
#include "system/logs.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "warden/logline.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE ((size_t)32 << 10)

struct val logs_cursor(uint64_t seq) {
    uint8_t text[NUM_U64_MAX];
    return val_of_text(slice_of(text, num_write_u64(text, seq)));
}

bool logs_want_read(const struct val *params, struct logs_want *w, struct err *e) {
    const struct val *boot = val_get(params, LIT("boot")), *cursor = val_get(params, LIT("cursor"));
    int64_t back = 0;
    *w = (struct logs_want){.limit = 50, .before = val_is_true(val_get(params, LIT("before")))};
    val_as_u64(val_get(params, LIT("limit")), &w->limit);
    if (val_kind(cursor) == VAL_TEXT && !num_read_u64(val_as_text(cursor), 1, UINT64_MAX, &w->cursor))
        return err_set(e, ERR_INVALID, "want a cursor that an earlier answer gave");
    if (val_as_i64(boot, &back)) {
        w->by_index = true;
        w->index = back <= 0 && back > -16 ? (unsigned)-back : 16;
    } else if (val_kind(boot) == VAL_TEXT)
        snprintf(w->boot, sizeof w->boot, "%.*s", (int)val_as_text(boot).len, (const char *)val_as_text(boot).ptr);
    return true;
}

struct val logs_show(struct slice line, uint64_t *seq, char boot[33]) {
    struct logline l;
    if (!logline_read(line, &l, NULL)) return val_none;
    *seq = l.seq;
    memcpy(boot, l.boot, sizeof l.boot);
    struct val v = VAL_MAP_OF({"timestamp", system_time(l.wall_ms)}, {"message", val_ref(&l.text)},
                              {"bootId", val_of_str(l.boot)});
    logline_release(&l);
    return v;
}

/* --- what a line is worth --- */

/* How many boots back from the newest line. */
static unsigned boot_index(struct logs_scan *s, const char *boot) {
    const unsigned most = sizeof s->boots / sizeof s->boots[0];
    for (unsigned i = 0; i < s->boot_n; i++)
        if (!strcmp(s->boots[i], boot)) return i;
    if (s->boot_n == most) return most;
    memcpy(s->boots[s->boot_n], boot, sizeof s->boots[0]);
    return s->boot_n++;
}

static bool is_wanted(struct logs_scan *s, uint64_t seq, const char *boot) {
    const struct logs_want *w = &s->want;
    unsigned index = boot_index(s, boot);
    if (w->by_index && index > w->index) s->over = true; /* older ones only come now */
    if (w->by_index ? index != w->index : w->boot[0] && strcmp(w->boot, boot) != 0) return false;
    if (!w->cursor) return true;
    if (!w->before && seq <= w->cursor) s->over = true;
    return w->before ? seq < w->cursor : seq > w->cursor;
}

/* Newest first while it is scanned. Behind a cursor the oldest ones are wanted: newer ones make room. */
static bool add(struct logs_scan *s, uint64_t seq, struct val shown) {
    bool oldest = s->want.cursor && !s->want.before;
    if (oldest && s->n == s->want.limit && s->n) {
        val_unref(&s->entries[0].shown);
        memmove(s->entries, s->entries + 1, --s->n * sizeof *s->entries);
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct logs_entry *g = mem_grow(s->entries, s->cap * sizeof *g, cap * sizeof *g);
        if (!g) {
            val_unref(&shown);
            return false;
        }
        s->entries = g;
        s->cap = cap;
    }
    s->entries[s->n++] = (struct logs_entry){seq, shown};
    if (!oldest && s->n >= s->want.limit) s->over = true;
    return true;
}

static bool take_line(struct logs_scan *s, struct slice line) {
    char boot[33];
    uint64_t seq = 0;
    struct val shown = logs_show(line, &seq, boot);
    if (val_is_none(&shown)) return true;
    if (is_wanted(s, seq, boot)) return add(s, seq, shown);
    val_unref(&shown);
    return true;
}

/* The lines of a piece from its end; what stands before its first newline belongs to the piece before it. */
static bool take_piece(struct logs_scan *s, struct slice piece, bool first_of_file) {
    struct buf whole;
    buf_init(&whole, PIECE + LIMIT_LOG_LINE * 8 + 65536);
    bool good = buf_add(&whole, piece) && buf_add(&whole, buf_slice(&s->carry));
    buf_reset(&s->carry);
    struct slice text = buf_slice(&whole);
    size_t from = first_of_file ? 0 : slice_find(text, '\n') + 1;
    if (good && !first_of_file) good = buf_add(&s->carry, slice_head(text, from));
    size_t end = text.len;
    while (good && !s->over && end > from) {
        size_t line_end = end - (text.ptr[end - 1] == '\n'), start = line_end;
        while (start > from && text.ptr[start - 1] != '\n') start--;
        good = take_line(s, slice_of(text.ptr + start, line_end - start));
        end = start;
    }
    buf_release(&whole);
    return good;
}

/* --- reading --- */

static void finish(struct logs_scan *s, const struct err *why) {
    for (size_t i = 0; i < s->n / 2; i++) {
        struct logs_entry t = s->entries[i];
        s->entries[i] = s->entries[s->n - 1 - i];
        s->entries[s->n - 1 - i] = t;
    }
    s->done(s, why); /* may free s */
}

static void go_on(struct logs_scan *s) {
    struct err e = ERR_INIT;
    while (!s->over && s->file < s->file_n && !s->at) {
        buf_reset(&s->carry); /* no line goes over two files */
        if (++s->file < s->file_n) s->at = s->files[s->file].size;
    }
    if (s->over || s->file >= s->file_n) {
        finish(s, NULL);
        return;
    }
    char path[64];
    size_t len = s->at < PIECE ? (size_t)s->at : PIECE;
    snprintf(path, sizeof path, LOGS_FOLDER "/%s", s->files[s->file].name);
    s->at -= len;
    struct val args = VAL_MAP_OF({"root", val_of_str(LOGS_ROOT)}, {"path", val_of_str(path)}, {"at", val_of_u64(s->at)},
                                 {"most", val_of_u64(len)});
    if (!call_start(&s->call, s->system->config.disk, "disk.read", args, NULL, 0, 0, &e)) finish(s, &e);
}

static void got_piece(struct call *c, struct call_answer *a) {
    struct logs_scan *s = LOOP_OWNER(struct logs_scan, call, c);
    struct err e = a->err;
    if (e.code == ERR_NOT_FOUND) { /* it was turned over meanwhile: what is older is gone on with */
        s->at = 0;
        go_on(s);
        return;
    }
    if (e.code == ERR_NONE && !s->file) val_as_u64(val_get(&a->result, LIT("id")), &s->newest_id);
    if (e.code == ERR_NONE && !take_piece(s, val_as_bytes(val_get(&a->result, LIT("bytes"))), s->at == 0))
        err_nomem(&e, "lines of the log");
    if (e.code == ERR_NONE)
        go_on(s);
    else
        finish(s, &e);
}

static int newest_first(const void *a, const void *b) {
    return strcmp(a, b); /* startd.log, startd.log.1, ... */
}

static void listed(struct call *c, struct call_answer *a) {
    struct logs_scan *s = LOOP_OWNER(struct logs_scan, call, c);
    if (a->err.code != ERR_NONE && a->err.code != ERR_NOT_FOUND) {
        finish(s, &a->err);
        return;
    }
    for (struct val_iter it = val_iter(val_get(&a->result, LIT("names"))); s->file_n < LOGS_FILES && val_next(&it);) {
        struct slice name = val_as_text(val_at(it.value, 0));
        if (!slice_starts(name, LIT("startd.log")) || name.len >= sizeof s->files[0].name) continue;
        memcpy(s->files[s->file_n].name, name.ptr, name.len);
        s->files[s->file_n].name[name.len] = 0;
        val_as_u64(val_at(it.value, 1), &s->files[s->file_n++].size);
    }
    qsort(s->files, s->file_n, sizeof s->files[0], newest_first);
    if (s->file_n) s->end = s->at = s->files[0].size;
    c->done = got_piece;
    go_on(s);
}

bool logs_scan_begin(struct logs_scan *s, struct err *e) {
    s->call = (struct call){.done = listed};
    buf_init(&s->carry, LIMIT_LOG_LINE * 8 + 65536);
    s->over = !s->want.limit;
    return call_start(
        &s->call, s->system->config.disk, "disk.list",
        VAL_MAP_OF({"root", val_of_str(LOGS_ROOT)}, {"path", val_of_str(LOGS_FOLDER)}, {"most", val_of_u64(64)}), NULL,
        0, 0, e);
}

void logs_scan_end(struct logs_scan *s) {
    call_cancel(&s->call);
    buf_release(&s->carry);
    for (size_t i = 0; i < s->n; i++) val_unref(&s->entries[i].shown);
    mem_put(s->entries, s->cap * sizeof *s->entries);
    s->entries = NULL;
    s->n = s->cap = 0;
}
