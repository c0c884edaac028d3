/* logline.c - see logline.h. */
#include "warden/logline.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "protocols/json.h"

#define HEAD "{\"s\":"
#define MARK "..."

/* --- reading --- */

static bool read_boot(const struct val *v, char out[LOGLINE_BOOT + 1]) {
    struct slice s = val_as_text(v);
    if (s.len != LOGLINE_BOOT) return false;
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_digit(s.ptr[i]) && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f')) return false;
    memcpy(out, s.ptr, LOGLINE_BOOT);
    out[LOGLINE_BOOT] = 0;
    return true;
}

static bool read_map(const struct val *map, struct logline *out, struct err *e) {
    const struct val *text = val_get(map, LIT("m"));
    uint64_t priority;
    bool good = val_as_u64(val_get(map, LIT("s")), &out->seq) && val_as_i64(val_get(map, LIT("t")), &out->wall_ms) &&
                read_boot(val_get(map, LIT("b")), out->boot) && val_as_u64(val_get(map, LIT("p")), &priority) &&
                priority <= 7 && val_kind(text) == VAL_TEXT;
    if (!good) return err_set(e, ERR_SYNTAX, "this is no line of a log");
    out->priority = (unsigned)priority;
    out->text = val_ref(text);
    return true;
}

bool logline_read(struct slice line, struct logline *out, struct err *e) {
    static const struct json_limits limits = {.bytes = LIMIT_LOG_RECORD, .depth = 4};
    struct val map = val_none;
    *out = (struct logline){.text = val_none};
    if (!json_parse(line, &limits, &map, e)) return false;
    bool good = read_map(&map, out, e);
    val_unref(&map);
    return good;
}

void logline_release(struct logline *l) {
    val_unref(&l->text);
}

bool logline_seq(struct slice line, uint64_t *seq) {
    if (!slice_starts(line, LIT(HEAD))) return false;
    line = slice_skip(line, sizeof HEAD - 1);
    size_t len = slice_find(line, ',');
    return len < line.len && num_read_u64(slice_head(line, len), 0, UINT64_MAX, seq);
}

size_t logline_find(struct slice piece, bool at_start, uint64_t seq) {
    size_t at = 0;
    bool begins = at_start;
    while (at < piece.len) {
        struct slice rest = slice_skip(piece, at);
        size_t len = slice_find(rest, '\n');
        uint64_t found;
        if (len == rest.len) break; /* not whole */
        if (begins && logline_seq(slice_head(rest, len), &found) && found >= seq) return at;
        begins = true;
        at += len + 1;
    }
    return piece.len;
}

/* --- writing --- */

unsigned logline_priority(struct slice *text) {
    if (text->len < 3 || text->ptr[0] != '<' || text->ptr[2] != '>') return LOGLINE_USUAL;
    unsigned p = (unsigned)text->ptr[1] - '0';
    if (p > 7) return LOGLINE_USUAL;
    *text = slice_skip(*text, 3);
    return p;
}

/* At most LIMIT_LOG_LINE bytes with the mark, and not in the middle of a character. */
static struct slice cut(struct slice text, bool *marked) {
    *marked = text.len > LIMIT_LOG_LINE;
    if (!*marked) return text;
    size_t n = LIMIT_LOG_LINE - (sizeof MARK - 1);
    for (int i = 0; i < 3 && (text.ptr[n] & 0xc0) == 0x80; i++) n--;
    return slice_head(text, n);
}

bool logline_write(struct buf *out, const struct logline *l, struct slice text) {
    struct buf mended;
    bool marked;
    size_t mark = buf_mark(out);
    if (!buf_ok(out)) return false;
    buf_init(&mended, (size_t)3 * LIMIT_LOG_LINE + 3); /* each byte may become three */
    utf8_add_lossy(&mended, cut(text, &marked));
    if (marked) buf_add_str(&mended, MARK);
    buf_printf(out, HEAD "%llu,\"t\":%lld,\"b\":\"%s\",\"p\":%u,\"m\":", (unsigned long long)l->seq,
               (long long)l->wall_ms, l->boot, l->priority);
    bool good = buf_ok(&mended) && json_write_text(out, buf_slice(&mended)) && buf_add(out, LIT("}\n")) && buf_ok(out);
    buf_release(&mended);
    if (!good) buf_rewind(out, mark);
    return good;
}
