/* pages_ts.c - web/api.d.ts: what every method takes and gives, as types for whoever calls from TypeScript. */
#include "cli/pages_room.h"

static void add_method(const struct pages *p, const struct method *m, struct buf *out) {
    struct buf about;
    buf_init(&about, PAGES_MOST);
    buf_printf(&about, "%s\n\nWho: ", m->about);
    pages_say_callers(&about, m->callers);
    buf_add_str(&about, ". Phases: ");
    pages_say_phases(&about, m->phases);
    buf_printf(&about, ". Effect: %s.", method_effect_name(m->effect));
    pages_type_comment(out, buf_slice(&about), 1);
    if (!buf_ok(&about)) out->fault = about.fault;
    buf_release(&about);
    buf_printf(out, "    \"%s\": {\n        params: ", m->name);
    pages_type_params(out, &p->types, m, 2);
    buf_add_str(out, ";\n        result: ");
    if (m->result)
        pages_type(out, &p->types, m->result, 2);
    else
        buf_add_str(out, "null");
    buf_add_str(out, ";\n    };\n");
    struct slice aliases = slice_str(m->aliases ? m->aliases : "");
    while (aliases.len) {
        struct slice alias = slice_cut(&aliases, ' ');
        buf_printf(out, "    /** Another name of %s. */\n    \"%.*s\": Methods[\"%s\"];\n", m->name, (int)alias.len,
                   (const char *)alias.ptr, m->name);
    }
}

bool pages_ts(const struct pages *p, struct buf *out, struct err *e) {
    (void)e;
    buf_add_str(
        out,
        "/* What the daemon's methods take and give. Made from their rows by `make golden`: change those, not this.\n"
        " * Names that a method does not know are ignored. null is as good as leaving out what may be left out. */\n\n"
        "export interface Methods {\n");
    for (size_t i = 0; i < p->row_n; i++) add_method(p, p->rows[i], out);
    buf_add_str(out, "}\n\n"
                     "export type MethodName = keyof Methods;\n"
                     "export type Params<M extends MethodName> = Methods[M][\"params\"];\n"
                     "export type Result<M extends MethodName> = Methods[M][\"result\"];\n");
    pages_type_names(out, &p->types, "\n");
    return true;
}
