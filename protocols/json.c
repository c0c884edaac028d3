/* json.c - text to val; see json.h. Writing is json_write.c.
 *
 * jsmn says where strings, containers and other words begin and end; it is lax about everything else. So this room walks
 * from token to token, holds every byte between them against the grammar with a state of its own (enum want), and checks
 * what is inside strings and numbers. Nothing jsmn believes about structure is trusted.
 *
 * Tokens come in batches of a fixed array. When it is full, finished tokens are dropped; what jsmn still needs - the open
 * containers, the key it is at, the last token - moves to the front (compact). So memory does not follow the document,
 * and the work can stop and go on anywhere. */
#include "protocols/json.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"
#include "vendor/jsmn.h"

#include <math.h>
#include <stdio.h>

#define BATCH        512 /* tokens at first: 10 KiB */
#define WINDOW_FIRST 4096

enum want { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY, WANT_KEY_OR_END, WANT_COLON, WANT_COMMA_OR_END, WANT_NOTHING };

struct json {
    struct json_limits limits;
    struct val_builder build;
    const uint8_t *text;
    size_t len;  /* bytes there now */
    bool whole;  /* no more will come */
    size_t at;   /* everything before is understood */
    size_t seen; /* bytes jsmn was shown; a piece cut in the middle of a string is shown again when it has doubled */
    enum want want;
    unsigned depth;
    unsigned skip;                   /* inside the value of a dropped key of the container at this depth; 0: not */
    uint8_t maps[VAL_DEPTH_MAX / 8]; /* one bit a level: is it a map */
    jsmn_parser parser;
    jsmntok_t *tokens;
    unsigned tokens_cap, tokens_done;
    struct buf in;      /* the collecting form */
    struct buf scratch; /* strings with escapes */
    enum step result;   /* STEP_MORE while it runs */
    struct err err;
};

/* --- errors --- */

static const char *want_name(enum want want) {
    static const char *const names[] = {"a value",         "a value or \"]\"",
                                        "a key in quotes", "a key in quotes or \"}\"",
                                        "\":\"",           "\",\" or the closing bracket",
                                        "nothing more"};
    return names[want];
}

static bool bad(struct json *j, size_t at, const char *found) {
    return err_at(&j->err, ERR_SYNTAX, at, "want %s, found %s", want_name(j->want), found);
}

static bool bad_byte(struct json *j, size_t at) {
    if (at >= j->len) return bad(j, at, "the end of the text");
    uint8_t c = j->text[at];
    char found[16];
    if (c == '"') return bad(j, at, "a string");
    if (ascii_is_print(c))
        snprintf(found, sizeof found, "\"%c\"", c);
    else
        snprintf(found, sizeof found, "byte 0x%02x", c);
    return bad(j, at, found);
}

/* --- values into the builder --- */

static bool inside_map(const struct json *j) {
    unsigned level = j->depth - 1;
    return j->depth && (j->maps[level / 8] >> level % 8 & 1);
}

static bool built(struct json *j, bool good, size_t at) {
    return good || val_build_err(&j->build, at, &j->err);
}

static void after_value(struct json *j) {
    j->want = j->depth ? WANT_COMMA_OR_END : WANT_NOTHING;
    if (j->skip == j->depth) j->skip = 0;
}

static bool wants_value(const struct json *j) {
    return j->want == WANT_VALUE || j->want == WANT_VALUE_OR_END;
}

static bool give(struct json *j, struct val v, size_t at) {
    if (j->skip)
        val_unref(&v);
    else if (!val_build_add(&j->build, v))
        return built(j, false, at);
    after_value(j);
    return true;
}

static bool open_container(struct json *j, size_t at, bool map) {
    if (!wants_value(j)) return bad_byte(j, at);
    if (j->depth >= j->limits.depth) return err_limit(&j->err, "depth", j->limits.depth, at);
    if (!j->skip && !val_build_open(&j->build, map ? VAL_MAP : VAL_ARRAY)) return built(j, false, at);
    uint8_t bit = (uint8_t)(1 << j->depth % 8);
    if (map)
        j->maps[j->depth / 8] |= bit;
    else
        j->maps[j->depth / 8] &= (uint8_t)~bit;
    j->depth++;
    j->want = map ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    j->at = at + 1;
    return true;
}

static bool close_container(struct json *j, size_t at) {
    enum want empty = inside_map(j) ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    if (!j->depth || (j->want != WANT_COMMA_OR_END && j->want != empty)) return bad_byte(j, at);
    if ((j->text[at] == '}') != inside_map(j)) return bad_byte(j, at);
    j->depth--;
    if (!j->skip && !val_build_close(&j->build)) return built(j, false, at);
    after_value(j);
    return true;
}

/* Everything in [at, to): spaces, commas, colons, closing brackets, and each only where it may stand. */
static bool walk_gap(struct json *j, size_t to) {
    while (j->at < to) {
        switch (j->text[j->at]) {
        case ' ':
        case '\t':
        case '\n':
        case '\r': break;
        case ',':
            if (j->want != WANT_COMMA_OR_END) return bad_byte(j, j->at);
            j->want = inside_map(j) ? WANT_KEY : WANT_VALUE;
            break;
        case ':':
            if (j->want != WANT_COLON) return bad_byte(j, j->at);
            j->want = WANT_VALUE;
            break;
        case ']':
        case '}':
            if (!close_container(j, j->at)) return false;
            break;
        default: return bad_byte(j, j->at);
        }
        j->at++;
    }
    return true;
}

/* --- strings --- */

/* Whether eight bytes hold a control character, a backslash, or anything beyond ASCII. */
static bool special8(uint64_t w) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t slash = w ^ ones * '\\';
    return ((w | (w - ones * 0x20) | (slash - ones)) & high) != 0;
}

/* Length of the part without control characters, backslashes and bytes beyond ASCII. May stop early only at those. */
static size_t plain_run(struct slice s) {
    size_t i = 0;
    uint64_t w;
    while (s.len - i >= 8 && (memcpy(&w, s.ptr + i, 8), !special8(w))) i += 8;
    /* The rest of a longer text in one look, overlapping what was seen. */
    if (i && s.len - i < 8 && (memcpy(&w, s.ptr + s.len - 8, 8), !special8(w))) return s.len;
    while (i < s.len && s.ptr[i] >= 0x20 && s.ptr[i] < 0x80 && s.ptr[i] != '\\') i++;
    return i;
}

static int hex4(const uint8_t *p) {
    int n = 0;
    for (int i = 0; i < 4; i++) {
        int d = ascii_hex(p[i]);
        if (d < 0) return -1;
        n = n << 4 | d;
    }
    return n;
}

/* The escape at s (behind the backslash comes s.ptr[0]). Returns its length, 0 with the error set. */
static size_t unescape(struct json *j, struct slice s, size_t at) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *hit = s.len && s.ptr[0] ? strchr(from, s.ptr[0]) : NULL;
    if (hit) {
        buf_byte(&j->scratch, (uint8_t)to[hit - from]);
        return 1;
    }
    int unit = s.len >= 5 && s.ptr[0] == 'u' ? hex4(s.ptr + 1) : -1;
    if (unit < 0) {
        err_at(&j->err, ERR_SYNTAX, at, "a backslash that begins no escape of JSON");
        return 0;
    }
    size_t used = 5;
    uint32_t point = (uint32_t)unit;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        int low = s.len >= 11 && s.ptr[5] == '\\' && s.ptr[6] == 'u' ? hex4(s.ptr + 7) : -1;
        if (low >= 0xdc00 && low <= 0xdfff) {
            point = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
            used = 11;
        }
    }
    uint8_t utf8[4];
    size_t n = utf8_write(utf8, point);
    if (!n) {
        err_at(&j->err, ERR_SYNTAX, at, "half of a surrogate pair: \\u%04x", (unsigned)point);
        return 0;
    }
    buf_add(&j->scratch, slice_of(utf8, n));
    return used;
}

/* The content of a string as UTF-8: itself when it has no escapes, else in the scratch buffer. */
static bool read_string(struct json *j, struct slice raw, size_t at, struct slice *out) {
    size_t i = plain_run(raw);
    *out = raw;
    if (i == raw.len) return true;
    bool escaped = false;
    buf_reset(&j->scratch);
    size_t from = 0; /* what has been copied */
    while (i < raw.len) {
        uint8_t c = raw.ptr[i];
        if (c < 0x20) return err_at(&j->err, ERR_SYNTAX, at + i, "control character 0x%02x inside a string", c);
        if (c == '\\') {
            buf_add(&j->scratch, slice_of(raw.ptr + from, i - from));
            size_t n = unescape(j, slice_skip(raw, i + 1), at + i);
            if (!n) return false;
            i += 1 + n;
            from = i;
            escaped = true;
        } else {
            struct slice rest = slice_skip(raw, i);
            size_t run = 0; /* up to the next escape or control character */
            while (run < rest.len && rest.ptr[run] >= 0x20 && rest.ptr[run] != '\\') run++;
            size_t good = utf8_valid(slice_head(rest, run));
            if (good < run) return err_at(&j->err, ERR_UTF8, at + i + good, "bytes inside a string that are not UTF-8");
            i += run;
        }
        i += plain_run(slice_skip(raw, i));
    }
    if (!escaped) return true;
    buf_add(&j->scratch, slice_of(raw.ptr + from, raw.len - from));
    *out = buf_slice(&j->scratch);
    return buf_ok(&j->scratch) || err_nomem(&j->err, "a string");
}

static bool take_string(struct json *j, size_t start, size_t end) {
    if (!walk_gap(j, start - 1)) return false;
    bool key = j->want == WANT_KEY || j->want == WANT_KEY_OR_END;
    if (!key && !wants_value(j)) return bad_byte(j, start - 1);
    struct slice s;
    if (!read_string(j, slice_of(j->text + start, end - start), start, &s)) return false;
    j->at = end + 1;
    if (!key) return j->skip ? give(j, val_null(), start) : give(j, val_of_text_checked(s), start);
    if (!j->skip) {
        if (j->limits.drop_reserved && slice_starts(s, LIT("__")))
            j->skip = j->depth;
        else if (!val_build_key(&j->build, s))
            return built(j, false, start);
    }
    j->want = WANT_COLON;
    return true;
}

/* --- numbers and words --- */

static bool read_integer(struct slice s, struct val *out) {
    bool negative = s.ptr[0] == '-';
    if (negative) s = slice_skip(s, 1);
    if (s.len == 0 || s.len > NUM_U64_MAX || (s.ptr[0] == '0' && (s.len > 1 || negative))) return false;
    uint64_t n;
    if (num_read_u64(s, 0, UINT64_MAX, &n)) {
        *out = negative ? val_of_negative(n - 1) : val_of_u64(n);
        return true;
    }
    if (!negative || !slice_eq(s, LIT("18446744073709551616"))) return false;
    *out = val_of_negative(UINT64_MAX);
    return true;
}

static bool take_word(struct json *j, size_t start, size_t end) {
    if (!walk_gap(j, start)) return false;
    if (!wants_value(j)) return bad_byte(j, start);
    struct slice s = slice_of(j->text + start, end - start);
    struct val v;
    double d = 0;
    if (slice_eq(s, LIT("true")))
        v = val_of_bool(true);
    else if (slice_eq(s, LIT("false")))
        v = val_of_bool(false);
    else if (slice_eq(s, LIT("null")))
        v = val_null();
    else if (read_integer(s, &v)) {
    } else if (num_read_double(s, &d))
        v = val_of_double(d);
    else if (isnan(d))
        return err_nomem(&j->err, "a number");
    else if (d != 0)
        return err_at(&j->err, ERR_SYNTAX, start, "a number beyond the range of double");
    else {
        char found[40];
        size_t n = s.len < 24 ? s.len : 24;
        for (size_t i = 0; i < n; i++) found[1 + i] = ascii_is_print(s.ptr[i]) ? (char)s.ptr[i] : '?';
        snprintf(found + 1 + n, sizeof found - 1 - n, "%s", n < s.len ? "...\"" : "\"");
        found[0] = '"';
        j->want = WANT_VALUE;
        return bad(j, start, found);
    }
    j->at = end;
    return give(j, v, start);
}

/* --- driving jsmn --- */

static bool take_tokens(struct json *j) {
    for (; j->tokens_done < j->parser.toknext; j->tokens_done++) {
        const jsmntok_t *t = &j->tokens[j->tokens_done];
        size_t start = (size_t)t->start;
        switch (t->type) {
        case JSMN_OBJECT:
        case JSMN_ARRAY:
            if (!walk_gap(j, start) || !open_container(j, start, t->type == JSMN_OBJECT)) return false;
            break;
        case JSMN_STRING:
            if (!take_string(j, start, (size_t)t->end)) return false;
            break;
        case JSMN_PRIMITIVE:
            if (!take_word(j, start, (size_t)t->end)) return false;
            break;
        case JSMN_UNDEFINED: break;
        }
    }
    return true;
}

/* Drops tokens that are done. jsmn goes on needing the chain of parents from its current super token (the open containers
 * and the keys they hang on) and the last token (a colon makes it the super token). They move to the front. */
static void compact(struct json *j) {
    int order[2 * VAL_DEPTH_MAX + 2] = {0}; /* the chain, innermost first: at most a container and its key a level */
    int n = 0, last = (int)j->parser.toknext - 1;
    for (int i = j->parser.toksuper; i != -1; i = j->tokens[i].parent) order[n++] = i;
    int hang = last;
    int at = 0; /* the place in the chain of the last token or of its nearest ancestor there */
    while (hang != -1) {
        while (at < n && order[at] > hang) at++;
        if (at < n && order[at] == hang) break;
        hang = j->tokens[hang].parent;
    }
    jsmntok_t end = {0};
    if (last >= 0) end = j->tokens[last];
    for (int i = 0; i < n; i++) {
        j->tokens[i] = j->tokens[order[n - 1 - i]];
        j->tokens[i].parent = i - 1;
    }
    if (last >= 0 && hang != last) {
        end.parent = hang == -1 ? -1 : n - 1 - at;
        j->tokens[n] = end;
        j->parser.toknext = (unsigned)n + 1;
    } else {
        j->parser.toknext = (unsigned)n;
    }
    j->parser.toksuper = n - 1;
    j->tokens_done = j->parser.toknext;
}

static bool make_room(struct json *j) {
    compact(j);
    if (j->tokens_cap && j->parser.toknext <= j->tokens_cap / 2) return true;
    unsigned cap = j->tokens_cap ? j->tokens_cap * 2 : BATCH;
    jsmntok_t *tokens = mem_grow(j->tokens, j->tokens_cap * sizeof *tokens, cap * sizeof *tokens);
    if (!tokens) return err_nomem(&j->err, "the tokens of a document");
    j->tokens = tokens;
    j->tokens_cap = cap;
    return true;
}

/* jsmn refused something: say what. Tokens before it are done. */
static bool explain(struct json *j) {
    size_t at = j->parser.pos;
    if (!walk_gap(j, at)) return false;
    struct slice rest = slice_of(j->text + at, j->len - at), s;
    if (rest.len == 0 || rest.ptr[0] != '"') return bad_byte(j, at);
    /* A string with a bad escape: read it up to its end as we see it. */
    size_t n = 1;
    while (n < rest.len && rest.ptr[n] != '"') n += rest.ptr[n] == '\\' ? 2 : 1;
    if (n > rest.len) n = rest.len;
    if (!read_string(j, slice_of(rest.ptr + 1, n - 1), at + 1, &s)) return false;
    return bad_byte(j, at);
}

/* A word at the very end of the text, or a string without its end. */
static bool finish(struct json *j) {
    size_t end = j->len;
    if (!walk_gap(j, j->parser.pos)) return false;
    while (j->at < end &&
           (j->text[j->at] == ' ' || j->text[j->at] == '\t' || j->text[j->at] == '\n' || j->text[j->at] == '\r'))
        j->at++;
    if (j->at < end) {
        size_t to = j->at;
        if (j->text[to] == '"') { /* what is wrong inside it comes first */
            struct slice s;
            return read_string(j, slice_of(j->text + to + 1, end - to - 1), to + 1, &s) &&
                   err_at(&j->err, ERR_SYNTAX, to, "a string without its closing quote");
        }
        while (to < end && j->text[to] > ' ' && !strchr(",:]}[{\"", j->text[to])) to++;
        if (to == j->at) return bad_byte(j, to);
        if (!take_word(j, j->at, to) || !walk_gap(j, end)) return false;
    }
    return j->want == WANT_NOTHING || bad_byte(j, end);
}

static enum step fail(struct json *j, struct err *e) {
    j->result = STEP_BAD;
    if (e) *e = j->err;
    return STEP_BAD;
}

/* Shows jsmn the text up to `to`. STEP_MORE: all of it is understood as far as it goes. */
static enum step advance(struct json *j, size_t to) {
    for (;;) {
        int n = jsmn_parse(&j->parser, (const char *)j->text, to, j->tokens, j->tokens_cap);
        if (!take_tokens(j)) return STEP_BAD;
        if (n == JSMN_ERROR_NOMEM) {
            if (!make_room(j)) return STEP_BAD;
            continue;
        }
        if (n == JSMN_ERROR_INVAL) return explain(j) ? STEP_MORE : STEP_BAD;
        /* jsmn stops at a NUL as if the text ended there. */
        if (j->parser.pos < to && j->text[j->parser.pos] == 0)
            return walk_gap(j, j->parser.pos + 1) ? STEP_MORE : STEP_BAD;
        j->seen = to;
        return STEP_MORE;
    }
}

/* --- the three ways in --- */

static struct json *make(const struct json_limits *limits) {
    struct json *j = mem_get_zero(sizeof *j);
    if (!j) return NULL;
    j->limits = *limits;
    if (j->limits.depth > VAL_DEPTH_MAX) j->limits.depth = VAL_DEPTH_MAX;
    if (j->limits.bytes > INT32_MAX) j->limits.bytes = INT32_MAX; /* jsmn counts in int */
    val_build_init(&j->build, j->limits.depth, false);
    jsmn_init(&j->parser);
    buf_init(&j->in, j->limits.bytes);
    buf_init(&j->scratch, j->limits.bytes);
    j->result = STEP_MORE;
    j->err.at = ERR_NOWHERE;
    return j;
}

void json_free(struct json *j) {
    if (!j) return;
    val_build_release(&j->build);
    mem_put(j->tokens, j->tokens_cap * sizeof *j->tokens);
    buf_release(&j->in);
    buf_release(&j->scratch);
    mem_put(j, sizeof *j);
}

struct val json_take(struct json *j) {
    return j->result == STEP_END ? val_build_take(&j->build) : val_none;
}

struct json *json_open(struct slice text, const struct json_limits *limits) {
    struct json *j = make(limits);
    if (!j) return NULL;
    j->text = text.ptr;
    j->len = text.len;
    j->whole = true;
    if (text.len > j->limits.bytes) {
        err_limit(&j->err, "bytes", j->limits.bytes, j->limits.bytes);
        j->result = STEP_BAD;
    }
    return j;
}

enum step json_run(struct json *j, size_t budget, struct err *e) {
    if (j->result == STEP_BAD) return fail(j, e);
    if (j->result != STEP_MORE) return j->result;
    if (!j->tokens_cap && !make_room(j)) return fail(j, e);
    /* A token that did not end within the last window is shown again in one of twice the size: linear in all. */
    size_t from = j->parser.pos, window = budget < WINDOW_FIRST ? WINDOW_FIRST : budget;
    if (j->seen > from && window < 2 * (j->seen - from)) window = 2 * (j->seen - from);
    size_t to = j->len - from < window ? j->len : from + window;
    if (advance(j, to) == STEP_BAD) return fail(j, e);
    if (j->seen < j->len || !j->whole) return STEP_MORE;
    if (!finish(j)) return fail(j, e);
    return j->result = STEP_END;
}

bool json_parse(struct slice text, const struct json_limits *limits, struct val *out, struct err *e) {
    struct json *j = json_open(text, limits);
    if (!j) return err_nomem(e, "a JSON reader");
    enum step step;
    while ((step = json_run(j, SIZE_MAX / 4, e)) == STEP_MORE) {
    }
    if (step == STEP_END) *out = json_take(j);
    json_free(j);
    return step == STEP_END;
}

struct json *json_new(const struct json_limits *limits) {
    return make(limits);
}

struct fed json_feed(struct json *j, struct slice in, struct err *e) {
    if (j->result == STEP_BAD) {
        fail(j, e);
        return fed_bad(0);
    }
    if (!buf_add(&j->in, in)) {
        if (j->in.fault == BUF_NOMEM)
            err_nomem(&j->err, "a document");
        else
            err_limit(&j->err, "bytes", j->limits.bytes, j->limits.bytes);
        fail(j, e);
        return fed_bad(0);
    }
    j->text = j->in.ptr;
    j->len = j->in.len;
    size_t stuck = j->seen - j->parser.pos; /* bytes of a token that had not ended */
    if (j->len - j->parser.pos < 2 * stuck) return fed_more(in.len, 0);
    if (json_run(j, SIZE_MAX / 4, e) == STEP_BAD) return fed_bad(in.len);
    return fed_more(in.len, 0);
}

enum step json_eof(struct json *j, struct err *e) {
    if (j->result != STEP_MORE) return j->result == STEP_BAD ? fail(j, e) : j->result;
    j->whole = true;
    j->text = j->in.ptr ? j->in.ptr : (const uint8_t *)"";
    enum step step;
    while ((step = json_run(j, SIZE_MAX / 4, e)) == STEP_MORE) {
    }
    return step;
}
