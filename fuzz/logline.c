/* logline.c - any bytes as a line of our log, as a line to be written, and as a piece of a file: what is written reads back, and
 * what is found begins a line. */
#include "warden/logline.h"
#include "base/must.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(struct slice text) {
    struct logline l = {.seq = text.len, .wall_ms = 5, .boot = "00000000000000000000000000000000"}, again;
    struct buf out;
    l.priority = logline_priority(&text);
    must(l.priority <= 7);
    buf_init(&out, LIMIT_LOG_RECORD);
    must(logline_write(&out, &l, text) && slice_find(buf_slice(&out), '\n') == out.len - 1);
    must(logline_read(slice_head(buf_slice(&out), out.len - 1), &again, NULL));
    must(again.seq == l.seq && again.wall_ms == 5 && again.priority == l.priority);
    struct slice read = val_as_text(&again.text);
    if (text.len <= LIMIT_LOG_LINE && utf8_ok(text)) must(slice_eq(read, text));
    uint64_t seq;
    must(logline_seq(buf_slice(&out), &seq) && seq == l.seq && logline_find(buf_slice(&out), true, seq) == 0);
    logline_release(&again);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice s = slice_of(data, size);
    struct logline l;
    struct err e = ERR_INIT;
    if (logline_read(s, &l, &e)) {
        must(l.priority <= 7 && val_kind(&l.text) == VAL_TEXT && l.boot[LOGLINE_BOOT] == 0);
        logline_release(&l);
    } else
        must(e.code != ERR_NONE && val_is_none(&l.text));
    write_and_read(s);
    size_t at = logline_find(s, false, 7);
    uint64_t seq;
    struct slice rest = slice_skip(s, at);
    rest = slice_head(rest, slice_find(rest, '\n'));
    must(at == size || (at > 0 && data[at - 1] == '\n' && logline_seq(rest, &seq) && seq >= 7));
    return 0;
}
