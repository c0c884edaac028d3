/* start_show.c - results for people and for programs: JSON, YAML, and on a terminal tables. */
#include "base/limits.h"
#include "cli/start_room.h"
#include "protocols/json.h"
#include "protocols/yaml.h"

#include <unistd.h>

#define OUT_MOST ((size_t)512 << 20)
#define CELL     60 /* characters of a table's cell */
#define COLUMNS  16

bool start_form(const char *word, enum show_form *form) {
    static const struct {
        const char *word;
        enum show_form form;
    } forms[] = {{"table", SHOW_TABLE}, {"json", SHOW_JSON}, {"json-pretty", SHOW_PRETTY}, {"yaml", SHOW_YAML}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (!strcmp(word, forms[i].word)) {
            *form = forms[i].form;
            return true;
        }
    return false;
}

/* --- tables --- */

/* What a terminal would obey is shown as a dot: texts come from services and from strangers. */
static size_t add_cell(struct buf *out, const struct val *v) {
    struct buf text;
    buf_init(&text, 65536);
    if (val_kind(v) == VAL_TEXT)
        buf_add(&text, val_as_text(v));
    else if (!val_is_none(v) && !val_is_null(v))
        json_write(&text, v, JSON_COMPACT, NULL);
    size_t width = 0;
    struct slice s = buf_slice(&text);
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if ((c & 0xc0) != 0x80 && ++width > CELL) {
            buf_add_str(out, "\xe2\x80\xa6");
            break;
        }
        buf_byte(out, c < 0x20 || c == 0x7f ? '.' : c);
    }
    buf_release(&text);
    return width > CELL ? CELL + 1 : width;
}

struct column {
    const struct val *key;
    size_t width;
};

static void add_row(struct buf *out, const struct column *columns, size_t n, const struct val *name, size_t name_width,
                    const struct val *record) {
    struct val header;
    if (name_width) {
        size_t w = add_cell(out, name);
        for (; w < name_width + 2; w++) buf_byte(out, ' ');
    }
    for (size_t i = 0; i < n; i++) {
        header = record ? val_ref(val_get(record, val_as_text(columns[i].key))) : val_ref(columns[i].key);
        size_t w = add_cell(out, &header);
        val_unref(&header);
        for (; i + 1 < n && w < columns[i].width + 2; w++) buf_byte(out, ' ');
    }
    buf_byte(out, '\n');
}

static size_t measure(const struct val *v) {
    struct buf cell;
    buf_init(&cell, 65536);
    size_t w = add_cell(&cell, v);
    buf_release(&cell);
    return w;
}

/* A list, or a map, of records that are alike. */
static bool is_table(const struct val *v) {
    if (!val_count(v)) return false;
    for (struct val_iter it = val_iter(v); val_next(&it);)
        if (val_kind(it.value) != VAL_MAP) return false;
    return true;
}

static void add_table(struct buf *out, const struct val *v) {
    struct column columns[COLUMNS];
    size_t n = 0, name_width = 0;
    struct val none = val_of_str("");
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        if (val_kind(v) == VAL_MAP && measure(it.key) > name_width) name_width = measure(it.key);
        for (struct val_iter in = val_iter(it.value); val_next(&in);) {
            size_t i = 0;
            while (i < n && !val_equal(columns[i].key, in.key)) i++;
            if (i == COLUMNS) continue;
            if (i == n) columns[n++] = (struct column){in.key, measure(in.key)};
            size_t w = measure(in.value);
            if (w > columns[i].width) columns[i].width = w;
        }
    }
    add_row(out, columns, n, &none, name_width, NULL);
    for (struct val_iter it = val_iter(v); val_next(&it);) add_row(out, columns, n, it.key, name_width, it.value);
}

/* Lines of a log: when, what. */
static bool is_log(const struct val *v) {
    const struct val *first = val_at(val_get(v, LIT("entries")), 0);
    return val_kind(val_get(first, LIT("timestamp"))) == VAL_TEXT &&
           val_kind(val_get(first, LIT("message"))) == VAL_TEXT;
}

static void add_clean(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        buf_byte(out, (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '.' : c);
    }
}

static void add_log(struct buf *out, const struct val *entries) {
    for (struct val_iter it = val_iter(entries); val_next(&it);) {
        buf_add(out, val_as_text(val_get(it.value, LIT("timestamp"))));
        buf_add_str(out, "  ");
        add_clean(out, val_as_text(val_get(it.value, LIT("message"))));
        buf_byte(out, '\n');
    }
}

static bool add_for_people(struct buf *out, const struct val *v, struct err *e) {
    if (val_is_null(v)) return true;
    if (is_log(v)) {
        add_log(out, val_get(v, LIT("entries")));
        return true;
    }
    if (is_table(v)) {
        add_table(out, v);
        return true;
    }
    if (val_kind(v) == VAL_TEXT) {
        add_clean(out, val_as_text(v));
        return buf_byte(out, '\n');
    }
    return yaml_write(out, v, e);
}

bool start_show(const struct val *v, enum show_form form, struct err *e) {
    struct buf out;
    bool good = true;
    buf_init(&out, OUT_MOST);
    /* For people on a terminal, for programs else; one text, or nothing, is the same for both. */
    bool plain = val_kind(v) == VAL_TEXT || val_is_null(v);
    if (form == SHOW_AUTO) form = isatty(1) || plain ? SHOW_TABLE : SHOW_PRETTY;
    switch (form) {
    case SHOW_AUTO:
    case SHOW_TABLE: good = add_for_people(&out, v, e); break;
    case SHOW_JSON: good = json_write(&out, v, JSON_COMPACT, e) && buf_byte(&out, '\n'); break;
    case SHOW_PRETTY: good = json_write(&out, v, JSON_INDENTED, e) && buf_byte(&out, '\n'); break;
    case SHOW_YAML: good = yaml_write(&out, v, e); break;
    }
    if (good && !buf_ok(&out)) good = err_nomem(e, "the result");
    if (good && out.len && (fwrite(out.ptr, 1, out.len, stdout) != out.len || fflush(stdout)))
        good = err_set(e, ERR_FILESYSTEM, "standard output takes no more");
    buf_release(&out);
    return good;
}
