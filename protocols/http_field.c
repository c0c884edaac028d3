/* http_field.c - see http_field.h. */
#include "protocols/http_field.h"

#include "base/ascii.h"
#include "protocols/http_chars.h"

const struct http_field *http_field_find(const struct http_field *fields, size_t n, struct slice name) {
    for (size_t i = 0; i < n; i++)
        if (fields[i].name.len == name.len && slice_eq_nocase(fields[i].name, name)) return &fields[i];
    return NULL;
}

bool http_part_next(struct slice *rest, uint8_t mark, struct slice *part) {
    if (!rest->ptr) return false;
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->len; i++) {
        uint8_t c = rest->ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == mark && !quoted)
            break;
    }
    *part = slice_trim(slice_head(*rest, i));
    *rest = i < rest->len ? slice_skip(*rest, i + 1) : slice_of(NULL, 0);
    return true;
}

struct http_list http_list_of(const struct http_field *fields, size_t n, struct slice name) {
    return (struct http_list){fields, n ? fields + n : fields, name, {NULL, 0}};
}

struct http_list http_list_in(struct slice value) {
    return (struct http_list){.rest = value};
}

bool http_list_next(struct http_list *l, struct slice *element) {
    for (;;) {
        while (http_part_next(&l->rest, ',', element))
            if (element->len) return true;
        const struct http_field *f = http_field_find(l->field, (size_t)(l->end - l->field), l->name);
        if (!f) return false;
        l->rest = f->value;
        l->field = f + 1;
    }
}

bool http_list_has(struct http_list l, struct slice element) {
    for (struct slice s; http_list_next(&l, &s);)
        if (slice_eq_nocase(s, element)) return true;
    return false;
}

static size_t quoted_len(struct slice s) {
    if (!s.len || s.ptr[0] != '"') return 0;
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '"') return i + 1;
        if (s.ptr[i] == '\\' && ++i == s.len) break;
        if (!http_is(s.ptr[i], HTTP_VALUE)) break;
    }
    return 0;
}

bool http_param_next(struct slice *rest, struct slice *name, struct slice *value, bool *bad) {
    *bad = false;
    size_t marks = 0; /* empty parameters are allowed: ";;a=1" */
    for (*rest = slice_trim(*rest); rest->len && rest->ptr[0] == ';'; marks++) *rest = slice_trim(slice_skip(*rest, 1));
    if (!rest->len) return false;
    if (!marks) {
        *bad = true;
        return false;
    }
    size_t n = http_run(*rest, HTTP_TOKEN);
    *name = slice_head(*rest, n);
    *value = slice_of(NULL, 0);
    *rest = slice_skip(*rest, n);
    if (n && rest->len && rest->ptr[0] == '=') {
        *rest = slice_skip(*rest, 1);
        size_t len = quoted_len(*rest);
        if (!len) len = http_run(*rest, HTTP_TOKEN);
        if (!len) n = 0;
        *value = slice_head(*rest, len);
        *rest = slice_skip(*rest, len);
    }
    if (n) return true;
    *bad = true;
    return false;
}

bool http_unquote(struct buf *out, struct slice text) {
    if (http_is_token(text)) return buf_add(out, text);
    if (!text.len || quoted_len(text) != text.len) return false;
    uint8_t *at = buf_room(out, text.len);
    if (!at) return false;
    size_t n = 0;
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (text.ptr[i] == '\\') i++;
        at[n++] = text.ptr[i];
    }
    buf_wrote(out, n);
    return true;
}

bool http_quote(struct buf *out, struct slice text) {
    if (http_run(text, HTTP_VALUE) != text.len || !buf_ok(out)) return false;
    size_t mark = buf_mark(out);
    buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') buf_byte(out, '\\');
        buf_byte(out, text.ptr[i]);
    }
    if (buf_byte(out, '"')) return true;
    buf_rewind(out, mark);
    return false;
}

int http_quality(struct slice text) {
    if (!text.len || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1')) return -1;
    int q = (text.ptr[0] - '0') * 1000, worth = 100;
    if (text.len > 1 && text.ptr[1] != '.') return -1;
    for (size_t i = 2; i < text.len; i++, worth /= 10) {
        if (!ascii_is_digit(text.ptr[i])) return -1;
        q += (text.ptr[i] - '0') * worth;
    }
    return q > 1000 ? -1 : q;
}
