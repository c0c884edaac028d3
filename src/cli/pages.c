/* pages.c - which rows stand on a page, in which order, and what every form says alike; see pages.h. */
#include "cli/pages.h"

#include "base/mem.h"
#include "cli/pages_room.h"
#include "cli/start_room.h"
#include "state/plan.h"

#include <stdlib.h>

/* --- words --- */

/* The first entry whose bits are all there takes them. */
static void say_bits(struct buf *out, unsigned bits, const struct pages_word *words, size_t n) {
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if ((bits & words[i].bits) != words[i].bits) continue;
        buf_printf(out, "%s%s", first ? "" : ", ", words[i].word);
        bits &= ~words[i].bits;
        first = false;
    }
}

void pages_say_callers(struct buf *out, unsigned callers) {
    static const struct pages_word words[] = {
        {CALLER_ANY, "anybody"},
        {CALLER_NOBODY, "who has shown nothing"},
        {CALLER_LOCAL, "the box's own root"},
        {CALLER_SESSION, "a login session"},
        {CALLER_KEY, "a signed key"},
        {CALLER_GUEST, "a service"},
        {CALLER_RELAY, "an account of the relay"},
        {CALLER_CAPSULE, "a capsule"},
    };
    say_bits(out, callers, words, sizeof words / sizeof words[0]);
}

void pages_say_phases(struct buf *out, unsigned phases) {
    static const struct pages_word words[] = {{PHASE_EVER, "all"},
                                              {PHASE_INIT, "init"},
                                              {PHASE_SETUP, "setup"},
                                              {PHASE_RUN, "run"},
                                              {PHASE_DIAGNOSTIC, "diagnostic"}};
    say_bits(out, phases, words, sizeof words / sizeof words[0]);
}

struct slice pages_group(const struct method *m) {
    struct slice name = slice_str(m->name);
    size_t dot = slice_find(name, '.');
    return slice_head(name, dot < name.len ? dot : 0);
}

/* --- commands --- */

bool pages_has_command(const struct method *m) {
    return !(m->flags & METHOD_NO_COMMAND);
}

bool pages_may_lack(const struct shape_field *f) {
    return f->optional || f->fallback || f->attrs & PLAN_SECRET;
}

const struct shape_field *pages_field(const struct method *m, struct slice name) {
    return m->params ? shape_field(m->params, name) : NULL;
}

static void fill_part(struct pages_part *part, const struct shape_field *f, bool flag) {
    part->field = f;
    part->flag = flag;
    part->lack = pages_may_lack(f);
    part->list = f->shape && f->shape->kind == SHAPE_LIST;
    start_flag(f->name, part->name, sizeof part->name);
}

bool pages_part(const struct method *m, unsigned at, struct pages_part *part) {
    struct slice words = slice_str(m->words ? m->words : "");
    while (words.len) {
        const struct shape_field *f = pages_field(m, slice_cut(&words, ' '));
        if (!f || at--) continue;
        fill_part(part, f, false);
        return true;
    }
    for (unsigned i = 0; m->params && i < m->params->field_n; i++) {
        const struct shape_field *f = &m->params->fields[i];
        if (pages_may_lack(f) || start_is_word(m, f->name) || at--) continue;
        fill_part(part, f, true);
        return true;
    }
    return false;
}

bool pages_has_options(const struct method *m) {
    for (unsigned i = 0; m->params && i < m->params->field_n; i++)
        if (pages_may_lack(&m->params->fields[i]) && !start_is_word(m, m->params->fields[i].name)) return true;
    return false;
}

/* --- rows --- */

static bool is_asked(const struct method *m, const char *name) {
    if (!name) return true;
    size_t len = strlen(name);
    if (!strncmp(m->name, name, len) && (!m->name[len] || m->name[len] == '.')) return true;
    struct slice aliases = slice_str(m->aliases ? m->aliases : "");
    while (aliases.len)
        if (slice_eq(slice_cut(&aliases, ' '), slice_str(name))) return true;
    return false;
}

static int compare(const void *a, const void *b) {
    const struct method *x = *(const struct method *const *)a, *y = *(const struct method *const *)b;
    bool plain_x = !pages_group(x).len, plain_y = !pages_group(y).len;
    return plain_x != plain_y ? (int)plain_y - (int)plain_x : strcmp(x->name, y->name);
}

static bool pick(struct pages *p, const char *name, const struct method *const *rows, size_t row_n, struct err *e) {
    for (size_t i = 0; i < row_n; i++)
        if (is_asked(rows[i], name)) p->rows[p->row_n++] = rows[i];
    if (name && !p->row_n) return err_set(e, ERR_NOT_FOUND, "there is no method %s", name);
    qsort(p->rows, p->row_n, sizeof(struct method *), compare);
    for (size_t i = 0; i < p->row_n; i++)
        if (!pages_types_add(&p->types, p->rows[i], e)) return false;
    return true;
}

typedef bool form_fn(const struct pages *p, struct buf *out, struct err *e);

static form_fn *find_form(const char *form) {
    static const struct {
        const char *name;
        form_fn *write;
    } forms[] = {{"md", pages_md}, {"man", pages_man}, {"ts", pages_ts}, {"json", pages_json}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (!strcmp(form, forms[i].name)) return forms[i].write;
    return NULL;
}

bool pages_write(struct buf *out, const char *form, const char *name, const struct method *const *rows, size_t row_n,
                 struct err *e) {
    form_fn *write = find_form(form);
    if (!write) return err_set(e, ERR_USAGE, "there is no form %s: want md, man, ts or json", form);
    size_t mark = buf_mark(out);
    struct pages p = {.rows = mem_get((row_n + 1) * sizeof(struct method *))};
    if (!p.rows) return err_nomem(e, "a page");
    bool good = pick(&p, name, rows, row_n, e) && write(&p, out, e);
    if (good && !buf_ok(out)) {
        good = out->fault == BUF_OVER ? err_limit(e, "PAGES_MOST", out->max, ERR_NOWHERE) : err_nomem(e, "a page");
    }
    if (!good) buf_rewind(out, mark);
    pages_types_release(&p.types);
    mem_put(p.rows, (row_n + 1) * sizeof(struct method *));
    return good;
}

int pages_main(int argc, char **argv, const struct method *const *rows, size_t row_n) {
    struct err e = ERR_INIT;
    struct buf out;
    if (argc < 1 || argc > 2) {
        fprintf(stderr, "usage: startbox methods md|man|ts|json [NAME]\n");
        return 2;
    }
    buf_init(&out, PAGES_MOST);
    bool good = pages_write(&out, argv[0], argc == 2 ? argv[1] : NULL, rows, row_n, &e);
    if (good && (fwrite(out.ptr, 1, out.len, stdout) != out.len || fflush(stdout)))
        good = err_set(&e, ERR_FILESYSTEM, "standard output takes no more");
    buf_release(&out);
    if (good) return 0;
    fprintf(stderr, "startbox methods: %s\n", e.text);
    return err_exit(e.code);
}
