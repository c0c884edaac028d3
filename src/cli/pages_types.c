/* pages_types.c - shapes as types of TypeScript, with names for those that contain themselves; see pages_room.h. */
#include "base/ascii.h"
#include "base/mem.h"
#include "cli/pages_room.h"
#include "protocols/json.h"
#include "state/plan.h"

/* --- names --- */

/* The way from a row down to a shape. */
struct way {
    const struct way *up;
    const struct shape *shape;
    const char *word; /* NULL: an element */
};

static struct pages_type *find(const struct pages_types *t, const struct shape *s) {
    for (size_t i = 0; i < t->n; i++)
        if (t->list[i].shape == s) return &t->list[i];
    return NULL;
}

static bool is_taken(const struct pages_types *t, const char *name) {
    for (size_t i = 0; i < t->n; i++)
        if (!strcmp(t->list[i].name, name)) return true;
    return false;
}

/* The words of the way, each with a capital: "config.get", "spec" is ConfigGetSpec. */
static size_t add_words(const struct way *at, char *out, size_t len) {
    size_t n = at->up ? add_words(at->up, out, len) : 0;
    bool capital = true;
    for (const char *c = at->word ? at->word : ""; *c && n < len; c++) {
        bool letter = ascii_is_alnum((uint8_t)*c);
        if (letter) out[n++] = (char)(capital ? ascii_is_alpha((uint8_t)*c) ? *c & ~32 : *c : *c);
        capital = !letter;
    }
    return n;
}

static void give_name(struct pages_types *t, struct pages_type *type, const struct way *at) {
    char base[PAGES_NAME - 16], name[PAGES_NAME];
    while (at->up && at->shape != type->shape) at = at->up;
    base[add_words(at, base, sizeof base - 1)] = 0;
    snprintf(name, sizeof name, "%s", base);
    for (unsigned k = 2; is_taken(t, name); k++) snprintf(name, sizeof name, "%s%u", base, k);
    memcpy(type->name, name, sizeof name);
}

static bool visit(struct pages_types *t, const struct shape *s, const char *word, const struct way *up, struct err *e) {
    if (!s || s->kind < SHAPE_LIST) return true;
    const struct way here = {up, s, word};
    struct pages_type *known = find(t, s);
    if (known) {
        if (known->open && !known->name[0]) give_name(t, known, up);
        return true;
    }
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        void *more = mem_grow(t->list, t->cap * sizeof *t->list, cap * sizeof *t->list);
        if (!more) return err_nomem(e, "the names of types");
        t->list = more;
        t->cap = cap;
    }
    size_t index = t->n++;
    t->list[index] = (struct pages_type){.shape = s, .open = true};
    bool good = true;
    if (s->kind == SHAPE_LIST || s->kind == SHAPE_MAP) good = visit(t, s->item, NULL, &here, e);
    for (unsigned i = 0; good && i < s->field_n; i++) good = visit(t, s->fields[i].shape, s->fields[i].name, &here, e);
    t->list[index].open = false;
    return good;
}

bool pages_types_add(struct pages_types *t, const struct method *m, struct err *e) {
    const struct way row = {NULL, NULL, m->name};
    return visit(t, m->params, "params", &row, e) && visit(t, m->result, "result", &row, e);
}

void pages_types_release(struct pages_types *t) {
    mem_put(t->list, t->cap * sizeof *t->list);
    *t = (struct pages_types){0};
}

const char *pages_type_name(const struct pages_types *t, const struct shape *s) {
    const struct pages_type *type = s ? find(t, s) : NULL;
    return type && type->name[0] ? type->name : NULL;
}

/* --- types --- */

static void add_indent(struct buf *out, unsigned indent) {
    for (unsigned i = 0; i < indent; i++) buf_add(out, LIT("    "));
}

void pages_type_comment(struct buf *out, struct slice text, unsigned indent) {
    bool lines = slice_find(text, '\n') < text.len;
    add_indent(out, indent);
    buf_add_str(out, lines ? "/**\n" : "/** ");
    while (text.len) {
        struct slice line = slice_cut(&text, '\n');
        if (lines) {
            add_indent(out, indent);
            buf_add_str(out, line.len ? " * " : " *");
        }
        for (size_t i = 0; i < line.len; i++) {
            buf_byte(out, line.ptr[i]);
            if (line.ptr[i] == '*' && i + 1 < line.len && line.ptr[i + 1] == '/') buf_byte(out, ' ');
        }
        if (lines) buf_byte(out, '\n');
    }
    if (lines) add_indent(out, indent);
    buf_add_str(out, " */\n");
}

static void add_words_type(struct buf *out, const char *words) {
    struct slice rest = slice_str(words);
    for (bool first = true; rest.len; first = false) {
        if (!first) buf_add_str(out, " | ");
        json_write_text(out, slice_cut(&rest, ' '));
    }
}

static void add_key(struct buf *out, const char *name) {
    bool plain = ascii_is_alpha((uint8_t)name[0]) || name[0] == '_';
    for (const char *c = name; *c; c++) plain = plain && (ascii_is_alnum((uint8_t)*c) || *c == '_');
    if (plain)
        buf_add_str(out, name);
    else
        json_write_text(out, slice_str(name));
}

/* What the type itself does not tell: the sentence, bounds, the default. */
static void add_field_comment(struct buf *out, const struct shape_field *f, bool param, unsigned indent) {
    struct buf text;
    const struct shape *s = f->shape;
    buf_init(&text, PAGES_MOST);
    if (f->about) buf_add_str(&text, f->about);
    if (s && (s->min || s->max)) {
        if (text.len) buf_byte(&text, '\n');
        size_t mark = buf_mark(&text);
        shape_say(s, &text);
        if (buf_ok(&text)) text.ptr[mark] &= (uint8_t)~32; /* what a shape wants begins with a small letter */
        buf_byte(&text, '.');
    }
    if (param && f->fallback) buf_printf(&text, "%s@default %s", text.len ? "\n" : "", f->fallback);
    if (text.len) pages_type_comment(out, buf_slice(&text), indent);
    if (!buf_ok(&text)) out->fault = text.fault;
    buf_release(&text);
}

static void add_fields(struct buf *out, const struct pages_types *t, const struct shape *record, bool params,
                       unsigned indent) {
    for (unsigned i = 0; i < record->field_n; i++) {
        const struct shape_field *f = &record->fields[i];
        bool lack = f->optional || f->attrs & PLAN_VOLATILE || (params && f->fallback);
        add_field_comment(out, f, params, indent);
        add_indent(out, indent);
        add_key(out, f->name);
        buf_add_str(out, lack ? "?: " : ": ");
        pages_type(out, t, f->shape, indent);
        buf_add_str(out, ";\n");
    }
    if (record->open && !params) {
        add_indent(out, indent);
        buf_add_str(out, "[key: string]: unknown;\n");
    }
}

static void add_record(struct buf *out, const struct pages_types *t, const struct shape *s, bool params,
                       unsigned indent) {
    if (!s->field_n && (params || !s->open)) {
        buf_add_str(out, "Record<string, never>");
        return;
    }
    buf_add_str(out, "{\n");
    add_fields(out, t, s, params, indent + 1);
    add_indent(out, indent);
    buf_byte(out, '}');
}

static void add_alternative(struct buf *out, const struct pages_types *t, const struct shape *s,
                            const struct shape_field *f, unsigned indent) {
    const char *name = pages_type_name(t, f->shape);
    buf_add_str(out, "{\n");
    add_indent(out, indent + 1);
    add_key(out, s->tag);
    buf_add_str(out, ": ");
    json_write_text(out, slice_str(f->name));
    buf_add_str(out, ";\n");
    if (f->shape && !name) add_fields(out, t, f->shape, false, indent + 1);
    add_indent(out, indent);
    buf_byte(out, '}');
    if (name) buf_printf(out, " & %s", name);
}

/* As "A | B" or "A & B": in an array it needs brackets. */
static bool is_joined(const struct pages_types *t, const struct shape *s) {
    if (!s || s->kind == SHAPE_ANY || pages_type_name(t, s)) return false;
    return s->null || (s->kind == SHAPE_WORD && strchr(s->words, ' ')) ||
           (s->kind == SHAPE_TAGGED && (s->field_n > 1 || pages_type_name(t, s->fields[0].shape)));
}

static void add_list(struct buf *out, const struct pages_types *t, const struct shape *s, unsigned indent) {
    bool joined = is_joined(t, s->item);
    if (joined) buf_byte(out, '(');
    pages_type(out, t, s->item, indent);
    buf_add_str(out, joined ? ")[]" : "[]");
}

/* The type spelled out, whether the shape has a name or not. */
static void add_whole(struct buf *out, const struct pages_types *t, const struct shape *s, bool params,
                      unsigned indent) {
    switch (s->kind) {
    case SHAPE_ANY: buf_add_str(out, "unknown"); return;
    case SHAPE_BOOL: buf_add_str(out, "boolean"); break;
    case SHAPE_INT:
    case SHAPE_NUMBER: buf_add_str(out, "number"); break;
    case SHAPE_TEXT:
    case SHAPE_BYTES: buf_add_str(out, "string"); break;
    case SHAPE_WORD: add_words_type(out, s->words); break;
    case SHAPE_LIST: add_list(out, t, s, indent); break;
    case SHAPE_MAP: /* Record<string, T> may not be a part of T, this may */
        buf_add_str(out, "{ [key: string]: ");
        pages_type(out, t, s->item, indent);
        buf_add_str(out, " }");
        break;
    case SHAPE_RECORD: add_record(out, t, s, params, indent); break;
    case SHAPE_TAGGED:
        for (unsigned i = 0; i < s->field_n; i++) {
            if (i) buf_add_str(out, " | ");
            add_alternative(out, t, s, &s->fields[i], indent);
        }
        break;
    }
    if (s->null) buf_add_str(out, " | null");
}

void pages_type(struct buf *out, const struct pages_types *t, const struct shape *s, unsigned indent) {
    const char *name = pages_type_name(t, s);
    if (name)
        buf_add_str(out, name);
    else if (s)
        add_whole(out, t, s, false, indent);
    else
        buf_add_str(out, "unknown");
}

void pages_type_params(struct buf *out, const struct pages_types *t, const struct method *m, unsigned indent) {
    static const struct shape none = {.kind = SHAPE_RECORD};
    add_whole(out, t, m->params ? m->params : &none, true, indent);
}

void pages_type_names(struct buf *out, const struct pages_types *t, const char *before) {
    for (size_t i = 0; i < t->n; i++) {
        if (!t->list[i].name[0]) continue;
        buf_printf(out, "%sexport type %s = ", before, t->list[i].name);
        add_whole(out, t, t->list[i].shape, false, 0);
        buf_add_str(out, ";\n");
    }
}
