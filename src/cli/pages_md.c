/* pages_md.c - docs/methods.md: every method for people who read. */
#include "cli/pages_room.h"
#include "state/plan.h"

/* Text of ours where Markdown must see nothing else; "|" would end a table's cell. */
static void add_text(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("\\`*<[|", text.ptr[i]) && text.ptr[i]) buf_byte(out, '\\');
        buf_byte(out, text.ptr[i]);
    }
}

/* Text as it stands, a "|" kept from a table. A backtick in it wants a longer fence. */
static void add_code(struct buf *out, const char *text) {
    const char *fence = strchr(text, '`') ? "``" : "`";
    buf_add_str(out, fence);
    for (const char *c = text; *c; c++) {
        if (*c == '|') buf_byte(out, '\\');
        buf_byte(out, (uint8_t)*c);
    }
    buf_add_str(out, fence);
}

/* --- parameters --- */

/* What a shape wants, and what each thing in it is. */
static void add_want(struct buf *out, const struct shape_field *f) {
    static const struct shape any = {.kind = SHAPE_ANY};
    const struct shape *s = f->shape ? f->shape : &any;
    struct buf want;
    buf_init(&want, PAGES_MOST);
    shape_say(s, &want);
    if ((s->kind == SHAPE_LIST || s->kind == SHAPE_MAP) && s->item) {
        buf_add_str(&want, ", each ");
        shape_say(s->item, &want);
    }
    if (f->attrs & PLAN_SECRET) buf_add_str(&want, ", secret");
    add_text(out, buf_slice(&want));
    if (!buf_ok(&want)) out->fault = want.fault;
    buf_release(&want);
}

static void add_param(struct buf *out, const struct shape_field *f) {
    buf_add_str(out, "| ");
    add_code(out, f->name);
    if (f->alias) {
        buf_add_str(out, ", ");
        add_code(out, f->alias);
    }
    buf_add_str(out, " | ");
    add_want(out, f);
    buf_add_str(out, " | ");
    if (f->fallback)
        add_code(out, f->fallback);
    else
        buf_add_str(out, f->optional ? "may be left out" : "required");
    buf_add_str(out, " | ");
    add_text(out, slice_str(f->about ? f->about : ""));
    buf_add_str(out, " |\n");
}

/* Whether words of one line do not tell what it is. */
static bool is_deep(const struct pages_types *t, const struct shape *s) {
    while (s && (s->kind == SHAPE_LIST || s->kind == SHAPE_MAP) && !pages_type_name(t, s)) s = s->item;
    return s && (s->kind == SHAPE_RECORD || s->kind == SHAPE_TAGGED || pages_type_name(t, s));
}

static void add_type(struct buf *out, const struct pages *p, const struct shape *s) {
    buf_add_str(out, "\n\n```ts\n");
    pages_type(out, &p->types, s, 0);
    buf_add_str(out, "\n```\n");
}

static void add_params(struct buf *out, const struct pages *p, const struct method *m) {
    if (!m->params || !m->params->field_n) {
        buf_add_str(out, "\nNo parameters.\n");
        return;
    }
    buf_add_str(out, "\n| parameter | type | default | |\n|---|---|---|---|\n");
    for (unsigned i = 0; i < m->params->field_n; i++) add_param(out, &m->params->fields[i]);
    for (unsigned i = 0; i < m->params->field_n; i++) {
        if (!is_deep(&p->types, m->params->fields[i].shape)) continue;
        buf_printf(out, "\n`%s`:", m->params->fields[i].name);
        add_type(out, p, m->params->fields[i].shape);
    }
}

/* --- methods --- */

static void add_command(struct buf *out, const struct method *m) {
    struct pages_part part;
    buf_add_str(out, "- Command: `start-cli ");
    for (const char *c = m->name; *c; c++) buf_byte(out, *c == '.' ? ' ' : (uint8_t)*c);
    for (unsigned i = 0; pages_part(m, i, &part); i++) {
        buf_printf(out, part.lack ? " [" : " ");
        if (part.flag) buf_printf(out, "--%s ", part.name);
        for (const char *c = part.name; *c; c++)
            buf_byte(out, *c >= 'a' && *c <= 'z' ? (uint8_t)(*c - 32) : (uint8_t)*c);
        if (part.list) buf_add_str(out, "...");
        if (part.lack) buf_byte(out, ']');
    }
    buf_add_str(out, pages_has_options(m) ? " [options]`\n" : "`\n");
}

static void add_aliases(struct buf *out, const struct method *m) {
    struct slice aliases = slice_str(m->aliases ? m->aliases : "");
    if (!aliases.len) return;
    buf_add_str(out, "- Other names: ");
    for (bool first = true; aliases.len; first = false) {
        struct slice alias = slice_cut(&aliases, ' ');
        buf_printf(out, "%s`%.*s`", first ? "" : ", ", (int)alias.len, (const char *)alias.ptr);
    }
    buf_byte(out, '\n');
}

static void add_facts(struct buf *out, const struct method *m) {
    buf_add_str(out, "\n\n- Who: ");
    pages_say_callers(out, m->callers);
    buf_add_str(out, "\n- Phases: ");
    pages_say_phases(out, m->phases);
    buf_printf(out, "\n- Effect: %s\n", method_effect_name(m->effect));
    if (m->effect != METHOD_READS)
        buf_printf(out, "- Answer: %s\n",
                   m->at_once ? "at once, perhaps before what it changed is durable"
                              : "when what it changed is durable");
    if (m->most_ms) buf_printf(out, "- Takes: at most %u s\n", (unsigned)((m->most_ms + 999) / 1000));
    if (m->flags & METHOD_SYNC)
        buf_add_str(out, "- Header: `X-Patch-Sequence`, the revision to wait for to see what was done\n");
    if (m->flags & METHOD_LOGIN) buf_add_str(out, "- Cookie: `session`, of its result's `session`\n");
    if (m->flags & METHOD_LOGOUT) buf_add_str(out, "- Cookie: `session` is taken back\n");
    add_aliases(out, m);
    if (pages_has_command(m)) add_command(out, m);
}

static void add_method(struct buf *out, const struct pages *p, const struct method *m) {
    buf_printf(out, "\n<a id=\"%s\"></a>\n### %s\n\n", m->name, m->name);
    add_text(out, slice_str(m->about));
    add_facts(out, m);
    add_params(out, p, m);
    if (!m->result) {
        buf_add_str(out, "\nResult: null.\n");
        return;
    }
    buf_add_str(out, "\nResult:");
    add_type(out, p, m->result);
}

/* --- the page --- */

static bool begins_group(const struct pages *p, size_t i) {
    return i == 0 || !slice_eq(pages_group(p->rows[i]), pages_group(p->rows[i - 1]));
}

static void add_group(struct buf *out, const struct method *m) {
    struct slice group = pages_group(m);
    if (!group.len) group = LIT("Of one word");
    buf_printf(out, "\n## %.*s\n", (int)group.len, (const char *)group.ptr);
}

static void add_contents(struct buf *out, const struct pages *p) {
    for (size_t i = 0; i < p->row_n; i++) {
        const struct method *m = p->rows[i];
        if (begins_group(p, i)) buf_byte(out, '\n');
        buf_printf(out, "- [%s](#%s): ", m->name, m->name);
        add_text(out, slice_str(m->about));
        buf_byte(out, '\n');
    }
}

static bool has_names(const struct pages_types *t) {
    for (size_t i = 0; i < t->n; i++)
        if (t->list[i].name[0]) return true;
    return false;
}

bool pages_md(const struct pages *p, struct buf *out, struct err *e) {
    (void)e;
    buf_add_str(
        out,
        "# Methods\n\n"
        "Made from the method rows by `make golden`: change those, not this page.\n\n"
        "A call is JSON-RPC: `POST /rpc/v1`, or the same on the daemon's local socket, with\n"
        "`{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"echo\", \"params\": {\"message\": \"hi\"}}`.\n"
        "Parameters go by name. Names that a method does not know are ignored; null is as good as leaving out what "
        "may\n"
        "be left out. On the command line every parameter is also a flag (`--name VALUE`).\n"
        "The same for programs: [methods.json](methods.json) (OpenRPC), [api.d.ts](../web/api.d.ts) (TypeScript).\n");
    add_contents(out, p);
    for (size_t i = 0; i < p->row_n; i++) {
        if (begins_group(p, i)) add_group(out, p->rows[i]);
        add_method(out, p, p->rows[i]);
    }
    if (!has_names(&p->types)) return true;
    buf_add_str(out, "\n## Types\n\n```ts\n");
    pages_type_names(out, &p->types, "");
    buf_add_str(out, "```\n");
    return true;
}
