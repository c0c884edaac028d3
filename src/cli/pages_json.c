/* pages_json.c - docs/methods.json: the rows as an OpenRPC document, for generators and clients. What OpenRPC has no word for begins
 * with "x-". */
#include "base/mem.h"
#include "cli/pages_room.h"
#include "protocols/json.h"
#include "state/plan.h"

/* --- lists of words --- */

static struct val of_bits(unsigned bits, const struct pages_word *words, size_t n) {
    struct val list = val_empty_array();
    for (size_t i = 0; i < n; i++) {
        if (!(bits & words[i].bits) || val_push(&list, val_of_str(words[i].word))) continue;
        val_unref(&list);
        return val_none;
    }
    return list;
}

static struct val of_callers(unsigned callers) {
    static const struct pages_word words[] = {
        {CALLER_NOBODY, "nobody"}, {CALLER_LOCAL, "local"}, {CALLER_SESSION, "session"}, {CALLER_KEY, "key"},
        {CALLER_GUEST, "guest"},   {CALLER_RELAY, "relay"}, {CALLER_CAPSULE, "capsule"}};
    return of_bits(callers, words, sizeof words / sizeof words[0]);
}

static struct val of_phases(unsigned phases) {
    static const struct pages_word words[] = {
        {PHASE_INIT, "init"}, {PHASE_SETUP, "setup"}, {PHASE_RUN, "run"}, {PHASE_DIAGNOSTIC, "diagnostic"}};
    return of_bits(phases, words, sizeof words / sizeof words[0]);
}

static struct val of_words(const char *text) {
    struct slice rest = slice_str(text ? text : "");
    struct val list = val_empty_array();
    while (rest.len) {
        if (val_push(&list, val_of_text(slice_cut(&rest, ' ')))) continue;
        val_unref(&list);
        return val_none;
    }
    return list;
}

static const char *effect_word(enum method_effect effect) {
    static const char *const words[] = {"reads", "changes", "final", "flow"};
    return words[effect];
}

/* --- rows --- */

static bool is_in(const struct val *list, struct slice word) {
    for (struct val_iter it = val_iter(list); val_next(&it);)
        if (val_is_text(it.value, word)) return true;
    return false;
}

static struct val of_param(const struct shape_field *f, const struct val *schema) {
    struct val v = VAL_MAP_OF({"name", val_of_str(f->name)},
                              {"required", val_of_bool(is_in(val_get(schema, LIT("required")), slice_str(f->name)))},
                              {"schema", val_ref(val_get(val_get(schema, LIT("properties")), slice_str(f->name)))});
    bool good = !val_is_none(&v) && (!f->alias || val_set_str(&v, "x-alias", val_of_str(f->alias))) &&
                (!(f->attrs & PLAN_SECRET) || val_set_str(&v, "x-secret", val_of_bool(true)));
    if (!good) val_unref(&v);
    return v;
}

static struct val of_params(const struct method *m) {
    struct val list = val_empty_array(), schema = schema_of_params(m);
    bool good = !val_is_none(&schema);
    for (unsigned i = 0; good && m->params && i < m->params->field_n; i++)
        good = val_push(&list, of_param(&m->params->fields[i], &schema));
    val_unref(&schema);
    if (!good) val_unref(&list);
    return list;
}

static struct val of_result(const struct method *m) {
    struct val schema = m->result ? schema_of_shape(m->result) : VAL_MAP_OF({"type", val_of_str("null")});
    return VAL_MAP_OF({"name", val_of_str("result")}, {"schema", schema});
}

static struct val of_method(const struct method *m) {
    return VAL_MAP_OF(
        {"name", val_of_str(m->name)}, {"summary", val_of_str(m->about)}, {"paramStructure", val_of_str("by-name")},
        {"params", of_params(m)}, {"result", of_result(m)}, {"x-callers", of_callers(m->callers)},
        {"x-phases", of_phases(m->phases)}, {"x-effect", val_of_str(effect_word(m->effect))},
        {"x-durable", val_of_bool(m->effect != METHOD_READS && !m->at_once)}, {"x-aliases", of_words(m->aliases)},
        {"x-command", val_of_bool(pages_has_command(m))}, {"x-words", of_words(m->words)});
}

static struct val of_rows(const struct pages *p) {
    struct val list = val_empty_array();
    for (size_t i = 0; i < p->row_n; i++) {
        if (val_push(&list, of_method(p->rows[i]))) continue;
        val_unref(&list);
        return val_none;
    }
    return list;
}

bool pages_json(const struct pages *p, struct buf *out, struct err *e) {
    /* JSON Schema of such a shape would have no end. */
    for (size_t i = 0; i < p->types.n; i++)
        if (p->types.list[i].name[0])
            return err_set(e, ERR_UNSUPPORTED, "%s contains itself, and JSON Schema of such shapes is not made yet",
                           p->types.list[i].name);
    struct val page =
        VAL_MAP_OF({"openrpc", val_of_str("1.3.2")},
                   {"info", VAL_MAP_OF({"title", val_of_str("startd")}, {"version", val_of_str(STARTBOX_VERSION)},
                                       {"description", val_of_str("Made from the method rows by `make golden`.")})},
                   {"methods", of_rows(p)});
    if (val_is_none(&page)) return err_nomem(e, "a page");
    bool good = json_write(out, &page, JSON_INDENTED, e);
    buf_byte(out, '\n');
    val_unref(&page);
    return good;
}
