/* start_args.c - words of the command line into a method and its parameters, by the row alone. */
#include "base/ascii.h"
#include "base/limits.h"
#include "base/num.h"
#include "cli/start_room.h"
#include "protocols/json.h"
#include "state/plan.h"

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

void start_flag(const char *name, char *out, size_t len) {
    size_t n = 0;
    for (; *name && n + 2 < len; name++) {
        if (ascii_is_upper((uint8_t)*name)) out[n++] = '-';
        out[n++] = (char)ascii_lower((uint8_t)*name);
    }
    out[n] = 0;
}

/* Whether the first n words, with dots between them, begin the name; *whole: they are all of it. */
static bool begins(const struct start *s, const struct method *m, size_t n, bool *whole) {
    struct slice rest = slice_str(m->name);
    for (size_t i = 0; i < n; i++) {
        struct slice part = slice_cut(&rest, '.');
        if (!slice_eq(part, slice_str(s->words[i]))) return false;
    }
    *whole = !rest.len;
    return true;
}

const struct method *start_find(const struct start *s, size_t *used) {
    const struct method *found = NULL;
    size_t group = 0, best = 0;
    bool whole;
    for (size_t i = 0; i < s->row_n; i++) {
        if (s->rows[i]->flags & METHOD_NO_COMMAND) continue;
        for (size_t n = 1; n <= s->word_n && begins(s, s->rows[i], n, &whole); n++) {
            if (n > group) group = n;
            if (!whole || n <= best) continue;
            found = s->rows[i];
            best = n;
        }
    }
    /* "db dmup": a group and a word that is none of it is no command, unless the group is one itself. */
    *used = found && best >= group ? best : group;
    if (found && best < group) found = NULL;
    return found;
}

bool start_is_word(const struct method *m, const char *field) {
    struct slice words = slice_str(m->words ? m->words : "");
    while (words.len)
        if (slice_eq(slice_cut(&words, ' '), slice_str(field))) return true;
    return false;
}

static const struct shape_field *find_flag(const struct method *m, struct slice flag) {
    char name[80];
    for (unsigned i = 0; m->params && i < m->params->field_n; i++) {
        const struct shape_field *f = &m->params->fields[i];
        start_flag(f->name, name, sizeof name);
        if (slice_eq(flag, slice_str(name)) || slice_eq(flag, slice_str(f->name)) ||
            (f->alias && slice_eq(flag, slice_str(f->alias))))
            return f;
    }
    return NULL;
}

static const struct shape_field *find_field(const struct method *m, struct slice name) {
    for (unsigned i = 0; m->params && i < m->params->field_n; i++)
        if (slice_eq(name, slice_str(m->params->fields[i].name))) return &m->params->fields[i];
    return NULL;
}

/* --- one value --- */

static bool read_json(struct slice text, struct val *out, struct err *e) {
    static const struct json_limits limits = {.bytes = LIMIT_RPC_BODY, .depth = LIMIT_RPC_DEPTH};
    return json_parse(text, &limits, out, e);
}

static bool read_text(struct slice text, struct val *out, struct err *e) {
    *out = val_of_text(text);
    return !val_is_none(out) || err_set(e, ERR_USAGE, "want text in UTF-8");
}

static bool read_value(const struct shape *shape, struct slice text, struct val *out, struct err *e) {
    switch (shape ? shape->kind : SHAPE_ANY) {
    case SHAPE_TEXT:
    case SHAPE_WORD: return read_text(text, out, e);
    case SHAPE_BOOL:
        if (!slice_eq(text, LIT("true")) && !slice_eq(text, LIT("false")))
            return err_set(e, ERR_USAGE, "want true or false");
        *out = val_of_bool(text.len == 4);
        return true;
    case SHAPE_ANY: /* JSON, or else a text as it stands */
        return read_json(text, out, NULL) || read_text(text, out, e);
    case SHAPE_LIST:
        if (text.len && text.ptr[0] == '[') return read_json(text, out, e);
        return read_value(shape->item, text, out, e);
    case SHAPE_INT:
    case SHAPE_NUMBER:
    case SHAPE_BYTES:
    case SHAPE_MAP:
    case SHAPE_RECORD:
    case SHAPE_TAGGED: break;
    }
    return read_json(text, out, e);
}

static bool put(struct val *params, const struct shape_field *f, const char *word, struct err *e) {
    struct val v = val_none;
    char flag[80];
    start_flag(f->name, flag, sizeof flag);
    if (!read_value(f->shape, slice_str(word), &v, e)) {
        err_context(e, "%s", flag);
        if (e) e->code = ERR_USAGE;
        return false;
    }
    bool list = f->shape && f->shape->kind == SHAPE_LIST;
    if (list && val_kind(&v) != VAL_ARRAY) {
        struct val all = val_ref(val_get(params, slice_str(f->name)));
        if (val_is_none(&all)) all = val_empty_array();
        if (!val_push(&all, v)) val_unref(&all);
        v = all;
    } else if (!val_is_none(val_get(params, slice_str(f->name)))) {
        val_unref(&v);
        return err_set(e, ERR_USAGE, "--%s is given twice", flag);
    }
    return val_set_str(params, f->name, v) || err_nomem(e, "parameters");
}

/* --- all of them --- */

/* "--name value", "--name=value", and of a bool "--name" and "--no-name". */
static bool put_flag(const struct start *s, const struct method *m, size_t *i, struct val *params, struct err *e) {
    struct slice rest = slice_str(s->words[*i] + 2), name = slice_cut(&rest, '=');
    const struct shape_field *f = find_flag(m, name);
    if (!f && slice_starts(name, LIT("no-")) && (f = find_flag(m, slice_skip(name, 3))) && f->shape &&
        f->shape->kind == SHAPE_BOOL)
        return put(params, f, "false", e);
    if (!f) return err_set(e, ERR_USAGE, "there is no option %s; see --help", s->words[*i]);
    if (rest.ptr && (rest.len || slice_ends(slice_str(s->words[*i]), LIT("="))))
        return put(params, f, (const char *)rest.ptr, e); /* it ends where the word does */
    if (f->shape && f->shape->kind == SHAPE_BOOL) return put(params, f, "true", e);
    if (*i + 1 == s->word_n) return err_set(e, ERR_USAGE, "want a value behind %s", s->words[*i]);
    return put(params, f, s->words[++*i], e);
}

/* A password that was not given is asked for, on a terminal, or taken from the environment. */
static bool ask_secret(const struct shape_field *f, struct val *params, struct err *e) {
    char line[LIMIT_AUTH_PASSWORD + 2], name[80];
    struct termios was, quiet;
    start_flag(f->name, name, sizeof name);
    for (char *c = name; *c; c++) *c = *c == '-' ? '_' : (char)(*c & ~32);
    const char *given = getenv(name);
    if (given) return put(params, f, given, e);
    bool terminal = isatty(0) && tcgetattr(0, &was) == 0;
    start_flag(f->name, name, sizeof name);
    if (terminal) {
        quiet = was;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSAFLUSH, &quiet);
        fprintf(stderr, "%s: ", name);
    }
    bool got = fgets(line, sizeof line, stdin) != NULL;
    if (terminal) {
        tcsetattr(0, TCSAFLUSH, &was);
        fputc('\n', stderr);
    }
    if (!got) return err_set(e, ERR_USAGE, "want %s: by --%s, or on standard input", f->about ? f->about : name, name);
    line[strcspn(line, "\n")] = 0;
    struct val v = val_of_text(slice_str(line));
    explicit_bzero(line, sizeof line);
    return val_set_str(params, f->name, v) || err_set(e, ERR_USAGE, "want text in UTF-8");
}

static bool ask_secrets(const struct method *m, struct val *params, struct err *e) {
    for (unsigned i = 0; m->params && i < m->params->field_n; i++) {
        const struct shape_field *f = &m->params->fields[i];
        if (!(f->attrs & PLAN_SECRET) || f->optional || !val_is_none(val_get(params, slice_str(f->name)))) continue;
        if (!ask_secret(f, params, e)) return false;
    }
    return true;
}

bool start_params(const struct start *s, const struct method *m, size_t used, struct val *params, struct err *e) {
    struct slice words = slice_str(m->words ? m->words : "");
    const struct shape_field *last = NULL; /* a list takes all that follows */
    bool good = true, plain = false;
    *params = val_empty_map();
    for (size_t i = used; good && i < s->word_n; i++) {
        const char *word = s->words[i];
        if (!plain && !strcmp(word, "--")) {
            plain = true;
            continue;
        }
        bool pem = !strncmp(word, "-----", 5); /* no option is called so, but keys begin with it */
        if (!plain && !pem && !strncmp(word, "--", 2)) {
            good = put_flag(s, m, &i, params, e);
            continue;
        }
        const struct shape_field *f = words.len ? find_field(m, slice_cut(&words, ' ')) : last;
        last = f && f->shape && f->shape->kind == SHAPE_LIST ? f : NULL;
        good = f ? put(params, f, word, e) : err_set(e, ERR_USAGE, "one word too many: %s; see --help", word);
    }
    if (good && ask_secrets(m, params, e)) return true;
    val_unref(params);
    return false;
}
