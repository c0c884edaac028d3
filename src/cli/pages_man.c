/* pages_man.c - the section COMMANDS of man/start-cli.1, in mdoc(7): every method that is a command. */
#include "base/ascii.h"
#include "cli/pages_room.h"
#include "cli/start_room.h"
#include "state/plan.h"

/* Text, and the inside of quotes: what roff would take for its own is escaped. */
static void add_text(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool first = !out->len || out->ptr[out->len - 1] == '\n';
        bool ends = i && c == ' ' && text.ptr[i - 1] == '.' && i + 1 < text.len && ascii_is_upper(text.ptr[i + 1]);
        if (c == '\\')
            buf_add_str(out, "\\e");
        else if (c == '"')
            buf_add_str(out, "\\(dq");
        else if (first && (c == '.' || c == '\''))
            buf_printf(out, "\\&%c", c);
        else
            buf_byte(out, ends ? '\n' : c); /* a sentence begins its line */
    }
}

static void add_line(struct buf *out, const char *text) {
    add_text(out, slice_str(text));
    buf_byte(out, '\n');
}

static void add_heading(struct buf *out, const struct method *m) {
    struct pages_part part;
    buf_add_str(out, ".It Cm ");
    for (const char *c = m->name; *c; c++) buf_byte(out, *c == '.' ? ' ' : (uint8_t)*c);
    for (unsigned i = 0; pages_part(m, i, &part); i++) {
        if (part.lack) buf_add_str(out, " Oo");
        if (part.flag) buf_printf(out, " Fl -%s", part.name);
        buf_printf(out, " Ar %s%s%s", part.name, part.list ? " ..." : "", part.lack ? " Oc" : "");
    }
    buf_add_str(out, pages_has_options(m) ? " Op Ar options\n" : "\n");
}

/* What stands behind a flag. */
static const char *value_word(const struct shape *s) {
    switch (s ? s->kind : SHAPE_ANY) {
    case SHAPE_ANY: return "value";
    case SHAPE_BOOL: return "true|false";
    case SHAPE_INT: return "integer";
    case SHAPE_NUMBER: return "number";
    case SHAPE_TEXT: return "text";
    case SHAPE_WORD: return "word";
    case SHAPE_BYTES:
    case SHAPE_LIST:
    case SHAPE_MAP:
    case SHAPE_RECORD:
    case SHAPE_TAGGED: break;
    }
    return "json";
}

static void add_want(struct buf *out, const struct shape *s) {
    bool list = s && s->kind == SHAPE_LIST;
    const struct shape *one = list ? s->item : s;
    if (list) add_line(out, "May be given several times.");
    bool tells = one && (one->min || one->max || one->null || one->kind == SHAPE_WORD || one->kind == SHAPE_TAGGED);
    if (!tells || one->kind == SHAPE_ANY) return;
    struct buf want;
    buf_init(&want, PAGES_MOST);
    buf_add_str(&want, list ? "Each: " : "Wants ");
    shape_say(one, &want);
    buf_byte(&want, '.');
    add_text(out, buf_slice(&want));
    buf_byte(out, '\n');
    if (!buf_ok(&want)) out->fault = want.fault;
    buf_release(&want);
}

static void add_param(struct buf *out, const struct method *m, const struct shape_field *f) {
    char name[80];
    start_flag(f->name, name, sizeof name);
    const struct shape *s = f->shape;
    buf_add_str(out, ".It ");
    if (start_is_word(m, f->name)) buf_printf(out, "Ar %s , ", name);
    buf_printf(out, "Fl -%s", name);
    if (s && s->kind == SHAPE_BOOL)
        buf_printf(out, " , Fl -no-%s\n", name);
    else
        buf_printf(out, " Ar %s\n", value_word(s && s->kind == SHAPE_LIST ? s->item : s));
    add_line(out, f->about ? f->about : "");
    add_want(out, f->shape);
    if (f->attrs & PLAN_SECRET && !f->optional) {
        add_line(out, "Asked for when it is not given.");
    } else if (f->fallback) {
        buf_add_str(out, "Default:\n.Ql \"");
        add_text(out, slice_str(f->fallback));
        buf_add_str(out, "\" .\n");
    }
}

static const struct method *find_follow(const struct pages *p, const struct method *m) {
    size_t len = strlen(m->name);
    for (size_t i = 0; i < p->row_n; i++)
        if (!strncmp(p->rows[i]->name, m->name, len) && !strcmp(p->rows[i]->name + len, ".follow")) return p->rows[i];
    return NULL;
}

static void add_command(struct buf *out, const struct pages *p, const struct method *m) {
    add_heading(out, m);
    add_line(out, m->about);
    if (m->effect == METHOD_FINAL) add_line(out, "It cannot be undone.");
    if (find_follow(p, m)) buf_add_str(out, "With\n.Fl f\nit goes on.\n");
    if (!m->params || !m->params->field_n) return;
    buf_add_str(out, ".Bl -tag -width Ds\n");
    for (unsigned i = 0; i < m->params->field_n; i++) add_param(out, m, &m->params->fields[i]);
    buf_add_str(out, ".El\n");
}

bool pages_man(const struct pages *p, struct buf *out, struct err *e) {
    (void)e;
    struct slice group = LIT("");
    bool open = false;
    buf_add_str(
        out, ".\\\" From here to the mark below made from the method rows by `make golden`: change those, not this.\n"
             ".Sh COMMANDS\n"
             "Every parameter has a flag; those that come first without one are named behind the command.\n");
    for (size_t i = 0; i < p->row_n; i++) {
        const struct method *m = p->rows[i];
        if (!pages_has_command(m)) continue;
        if (!open || !slice_eq(group, pages_group(m))) {
            if (open) buf_add_str(out, ".El\n");
            group = pages_group(m);
            if (group.len) buf_printf(out, ".Ss %.*s\n", (int)group.len, (const char *)group.ptr);
            buf_add_str(out, ".Bl -tag -width Ds\n");
            open = true;
        }
        add_command(out, p, m);
    }
    if (open) buf_add_str(out, ".El\n");
    buf_add_str(out, ".\\\" To here.\n");
    return true;
}
