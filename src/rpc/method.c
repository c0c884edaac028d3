/* method.c - rows held against themselves, and calls against rows; see method.h. */
#include "rpc/method.h"

#include "base/mem.h"
#include "protocols/json.h"

const char *method_effect_name(enum method_effect effect) {
    static const char *const names[] = {"reads", "changes", "cannot be undone", "starts a flow"};
    return names[effect];
}

/* --- rows --- */

static bool is_name(struct slice s) {
    while (s.len) {
        struct slice word = slice_cut(&s, '.');
        for (size_t i = 0; i < word.len; i++) {
            uint8_t c = word.ptr[i];
            bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
            if (!letter && !(i && (digit || (c == '-' && i + 1 < word.len)))) return false;
        }
        if (!word.len || (!s.len && s.ptr && word.ptr + word.len != s.ptr)) return false;
    }
    return true;
}

static const struct shape_field *find_field(const struct method *m, struct slice name) {
    for (unsigned i = 0; m->params && i < m->params->field_n; i++) {
        const struct shape_field *f = &m->params->fields[i];
        if (slice_eq(name, slice_str(f->name)) || (f->alias && slice_eq(name, slice_str(f->alias)))) return f;
    }
    return NULL;
}

bool method_default(const struct shape_field *f, struct val *out, struct err *e) {
    static const struct json_limits limits = {.bytes = 4096, .depth = 16};
    if (json_parse(slice_str(f->fallback), &limits, out, e)) return true;
    err_context(e, "the default of %s", f->name);
    return false;
}

static bool check_field(const struct method *m, unsigned i, struct err *e) {
    const struct shape_field *f = &m->params->fields[i];
    struct val v = val_none;
    if (find_field(m, slice_str(f->name)) != f || (f->alias && find_field(m, slice_str(f->alias)) != f))
        return err_set(e, ERR_INVALID, "the parameter %s has the name of another", f->name);
    if (!f->about) return err_set(e, ERR_INVALID, "the parameter %s has no sentence", f->name);
    if (!f->fallback) return true;
    if (!method_default(f, &v, e)) return false;
    bool good = shape_check(f->shape, &v, slice_str(f->name), e);
    val_unref(&v);
    return good;
}

static bool check_words(const struct method *m, struct err *e) {
    struct slice words = slice_str(m->words ? m->words : "");
    while (words.len) {
        struct slice word = slice_cut(&words, ' ');
        if (!find_field(m, word))
            return err_set(e, ERR_INVALID, "there is no parameter %.*s for the command line", (int)word.len,
                           (const char *)word.ptr);
    }
    return true;
}

static bool check_row(const struct method *m, struct err *e) {
    if (!m->run) return err_set(e, ERR_INVALID, "nothing runs it");
    if (!m->about || !m->about[0]) return err_set(e, ERR_INVALID, "it has no sentence");
    if (!m->callers || !m->where || !m->phases)
        return err_set(e, ERR_INVALID, "nobody may call it, or nowhere, or never");
    if (m->params && m->params->kind != SHAPE_RECORD) return err_set(e, ERR_INVALID, "its parameters are no record");
    for (unsigned i = 0; m->params && i < m->params->field_n; i++)
        if (!check_field(m, i, e)) return false;
    struct slice aliases = slice_str(m->aliases ? m->aliases : "");
    while (aliases.len)
        if (!is_name(slice_cut(&aliases, ' '))) return err_set(e, ERR_INVALID, "an alias that is no name");
    return check_words(m, e);
}

bool method_check(const struct method *m, struct err *e) {
    struct err own = ERR_INIT;
    if (!m->name || !m->name[0] || !is_name(slice_str(m->name)))
        return err_set(e, ERR_INVALID, "a method whose name is none: \"%s\"", m->name ? m->name : "");
    if (check_row(m, &own)) return true;
    err_context(&own, "the method %s", m->name);
    if (e) *e = own;
    return false;
}

/* --- calls --- */

static bool refuse(struct err *e, const struct err *why) {
    if (e) {
        *e = *why;
        if (e->code != ERR_NOMEM) e->code = ERR_RPC_PARAMS;
    }
    return false;
}

/* What was given for a field, under its name or its alias; null and absent are one where the field is optional. */
static const struct val *find_given(const struct shape_field *f, const struct val *given) {
    const struct val *v = val_get(given, slice_str(f->name));
    if (val_is_none(v) && f->alias) v = val_get(given, slice_str(f->alias));
    bool null_is_none = f->optional || f->fallback;
    if (val_is_null(v) && null_is_none && !(f->shape && f->shape->null)) return &val_none;
    return v;
}

static bool put_field(const struct shape_field *f, const struct val *given, struct val *out, struct err *e) {
    struct val v = val_ref(find_given(f, given));
    if (val_is_none(&v) && f->fallback && !method_default(f, &v, e)) return false;
    if (val_is_none(&v)) {
        if (f->optional) return true;
        struct buf want;
        buf_init(&want, 200);
        if (f->shape) shape_say(f->shape, &want);
        err_set(e, ERR_RPC_PARAMS, "%s: want %.*s, found nothing", f->name, (int)want.len, (const char *)want.ptr);
        buf_release(&want);
        return false;
    }
    if (f->shape && !shape_check(f->shape, &v, slice_str(f->name), e)) {
        val_unref(&v);
        return false;
    }
    return val_set(out, val_of_str(f->name), v) || err_nomem(e, "parameters");
}

struct val method_params(const struct method *m, const struct val *given, struct err *e) {
    struct err own = ERR_INIT;
    struct val out = val_empty_map();
    bool none = val_is_none(given) || val_is_null(given) || (given->kind == VAL_ARRAY && !val_count(given));
    bool good = none || given->kind == VAL_MAP ||
                err_set(&own, ERR_RPC_PARAMS, "want parameters by name, found %s", val_kind_name(val_kind(given)));
    const struct val *from = none ? &out : given;
    for (unsigned i = 0; good && m->params && i < m->params->field_n; i++)
        good = put_field(&m->params->fields[i], from, &out, &own);
    /* A rule about all of them together is asked last. */
    if (good && m->params && m->params->check) good = m->params->check(&out, &own);
    if (good) return out;
    refuse(e, &own);
    val_unref(&out);
    return val_none;
}

bool method_result(const struct method *m, const struct val *result, struct err *e) {
    if (m->result) return shape_check(m->result, result, LIT(""), e);
    return val_is_null(result) || err_set(e, ERR_INVALID, "want null, found %s", val_kind_name(val_kind(result)));
}
