/* http1.c - the reader. See http1.h.
 *
 * A section (a head, or the trailer section) is read in one pass, byte by byte through the phases below; the
 * runs inside a phase are what costs time, and they are one table look a byte. Where the bytes end in the
 * middle, the phase and a few offsets are kept, so no byte is looked at twice in this pass. A section that
 * came in pieces is collected, and when its last byte is there it is read a second time in the collected
 * form: only then do the slices point to where they stay.
 *
 *     START (EMPTY_LF START)* METHOD TARGET VERSION LINE_LF              of a request
 *     START STATUS_VERSION STATUS REASON LINE_LF                         of a response
 *     FIELD (NAME BLANK VALUE FIELD_LF FIELD)* LAST_LF                   of both, and alone the trailer section */
#include "protocols/http1.h"

#include "base/ascii.h"
#include "base/must.h"
#include "protocols/http_chars.h"

#define EMPTY_LINES  1  /* before a request: some clients send one behind a body (RFC 9112 2.2) */
#define INTERIM_MOST 64 /* 1xx responses to one request: more serve only to keep us waiting */

enum phase {
    PHASE_START,
    PHASE_EMPTY_LF,
    PHASE_METHOD,
    PHASE_TARGET,
    PHASE_VERSION,
    PHASE_STATUS_VERSION,
    PHASE_STATUS,
    PHASE_REASON,
    PHASE_LINE_LF,
    PHASE_FIELD,
    PHASE_NAME,
    PHASE_BLANK,
    PHASE_VALUE,
    PHASE_FIELD_LF,
    PHASE_LAST_LF,
};

enum got { GOT_MORE, GOT_ALL, GOT_BAD };

static const char *const role_names[] = {
#define X(name, text) [name] = text,
    HTTP1_ROLES(X)
#undef X
};

const char *http1_role_name(enum http1_role role) {
    return (unsigned)role <= HTTP1_CLIENT ? role_names[role] : "?";
}

bool http1_role_from(struct slice text, enum http1_role *role) {
    for (unsigned i = 0; i <= HTTP1_CLIENT; i++) {
        if (!slice_eq(text, slice_str(role_names[i]))) continue;
        *role = (enum http1_role)i;
        return true;
    }
    return false;
}

/* --- one section --- */

static void begin_section(struct http1 *h) {
    bool head = h->state == HTTP1_STATE_HEAD;
    h->phase = head ? PHASE_START : PHASE_FIELD;
    h->pos = h->line = h->mark = 0;
    h->odd = h->empty = 0;
    h->field_n = 0;
    if (head) h->head = (struct http1_head){0};
}

static size_t section_max(const struct http1 *h) {
    return h->state == HTTP1_STATE_HEAD ? h->limits.head : h->limits.trailer;
}

static enum got refuse(struct http1 *h, size_t pos, const char *want, uint8_t found, struct err *e) {
    err_at(e, ERR_SYNTAX, h->offset + pos, "want %s, found %s", want, http_seen(found).text);
    return GOT_BAD;
}

static enum got refuse_limit(struct http1 *h, const char *limit, size_t allowed, int status, struct err *e) {
    err_limit(e, limit, allowed, h->offset + h->pos);
    err_status(e, status);
    return GOT_BAD;
}

/* The bytes ended, or those that a limit lets us look at. */
static enum got run_dry(struct http1 *h, enum phase phase, size_t pos, struct err *e) {
    h->phase = (uint8_t)phase;
    h->pos = pos;
    /* RFC 9112 3: a method too long is one we do not know, a target too long has a status of its own. */
    int status = phase == PHASE_METHOD ? 501 : phase <= PHASE_VERSION ? 414 : 431;
    if (phase < PHASE_LINE_LF && pos - h->line > h->limits.line)
        return refuse_limit(h, "line", h->limits.line, status, e);
    if (pos < section_max(h)) return GOT_MORE;
    bool head = h->state == HTTP1_STATE_HEAD;
    return refuse_limit(h, head ? "head" : "trailer", section_max(h), status, e);
}

/* Where looking must stop: at the end of the bytes, of the section's limit, of the start line's limit. The
 * line may be looked at one byte further than its limit, since that byte may be its CR. */
static const uint8_t *find_stop(const struct http1 *h, const uint8_t *base, size_t n, bool line) {
    if (n > section_max(h)) n = section_max(h);
    if (line && h->limits.line < n && n - h->line > h->limits.line) n = h->line + h->limits.line + 1;
    return base + n;
}

/* "HTTP/1.1" stands at text, and behind it came the right byte. */
static bool take_version(struct http1 *h, struct slice text, struct err *e) {
    if (text.ptr[5] != '1') {
        err_at(e, ERR_UNSUPPORTED, h->offset + h->mark, "want HTTP/1.1 or HTTP/1.0, found HTTP/%c.%c", text.ptr[5],
               text.ptr[7]);
        return err_status(e, 505);
    }
    h->head.minor_written = text.ptr[7] - (unsigned)'0';
    h->minor = h->head.minor_written > 0;
    h->head.minor = h->minor;
    return true;
}

/* How far text agrees with HTTP-version; 8 when it is one. */
static size_t run_version(struct slice text) {
    static const char form[] = "HTTP/1.1";
    size_t n = 0;
    for (; n < text.len && n < 8; n++)
        if (n == 5 || n == 7 ? !ascii_is_digit(text.ptr[n]) : text.ptr[n] != (uint8_t)form[n]) break;
    return n;
}

static bool take_start_line(struct http1 *h, const uint8_t *base, struct err *e) {
    http1_frame_init(&h->frame, h->role == HTTP1_CLIENT, h->minor);
    if (h->role == HTTP1_CLIENT) return true;
    struct http1_head *head = &h->head;
    head->method_text = slice_of(base + h->line, h->name_len);
    head->target = slice_of(base + h->part, h->target_len);
    /* The usual target is right already: characters were looked at, and none needs a second look. */
    if (head->target.ptr[0] == '/' && !(h->odd & HTTP_ODD) && head->method != HTTP1_METHOD_CONNECT) {
        size_t n = slice_find(head->target, '?');
        head->form = HTTP1_FORM_ORIGIN;
        head->path = slice_head(head->target, n);
        if (n < head->target.len) head->query = slice_skip(head->target, n + 1);
        return true;
    }
    return http1_target_read(head->target, head->method, head, h->offset + h->part, e);
}

static bool take_field(struct http1 *h, const uint8_t *base, size_t end, struct err *e) {
    if (h->field_n == h->field_max) {
        err_limit(e, "headers", h->field_max, h->offset + h->part);
        return err_status(e, 431);
    }
    size_t len = end - h->mark;
    while (len && ascii_is_blank(base[h->mark + len - 1])) len--;
    struct http_field *f = &h->fields_lent[h->field_n++];
    *f = (struct http_field){slice_of(base + h->part, h->name_len), slice_of(base + h->mark, len)};
    if (h->state == HTTP1_STATE_HEAD) return http1_frame_note(&h->frame, f, h->offset + h->mark, e);
    if (!http1_trailer_banned(f->name)) return true;
    return err_at(e, ERR_INVALID, h->offset + h->part, "want no field %.*s in a trailer section", (int)f->name.len,
                  (const char *)f->name.ptr);
}

/* Passes over the characters of a field value, eight at a time where all of them are plain. */
static const uint8_t *skip_value(const uint8_t *p, const uint8_t *stop) {
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    while (stop - p >= 8) {
        uint64_t w, del;
        memcpy(&w, p, 8);
        del = w ^ 0x7f * ones;
        /* A byte below 0x20 or equal to 0x7f sets its top bit; a wrong alarm costs only the slow way. */
        if ((((w - 0x20 * ones) & ~w) | ((del - ones) & ~del)) & tops) break;
        p += 8;
    }
    while (p < stop && http_is(*p, HTTP_VALUE)) p++;
    return p;
}

static const char *want_name(const struct http1 *h, uint8_t c) {
    if (h->field_n && ascii_is_blank(c)) return "a field name (a value must not go on in a further line)";
    return "a field name";
}

#define POS ((size_t)(p - base))
#define NEED(phase)                                                                                                    \
    if (p == stop) return run_dry(h, phase, POS, e)
#define REFUSE(want) return refuse(h, POS, want, *p, e)

static enum got read_section(struct http1 *h, const uint8_t *base, size_t n, struct err *e) {
    const uint8_t *p = base + h->pos, *stop = find_stop(h, base, n, h->phase < PHASE_LINE_LF);
    size_t len;

    switch ((enum phase)h->phase) {
    case PHASE_START:
    start:
        NEED(PHASE_START);
        if (h->role == HTTP1_CLIENT) goto status_version;
        if (*p != '\r' || h->empty == EMPTY_LINES) goto method;
        p++;
        __attribute__((fallthrough));
    case PHASE_EMPTY_LF:
        NEED(PHASE_EMPTY_LF);
        if (*p != '\n') REFUSE("LF behind CR");
        p++;
        h->empty++;
        h->line = h->mark = POS;
        stop = find_stop(h, base, n, true);
        goto start;

    case PHASE_METHOD:
    method:
        while (p < stop && http_is(*p, HTTP_TOKEN)) p++;
        NEED(PHASE_METHOD);
        if (*p != ' ' || POS == h->line) REFUSE("a method and one space");
        h->name_len = POS - h->line;
        h->head.method = http1_method_from(slice_of(base + h->line, h->name_len));
        p++;
        h->part = POS;
        __attribute__((fallthrough));
    case PHASE_TARGET: {
        unsigned odd = h->odd;
        while (p < stop && http_is(*p, HTTP_TARGET | HTTP_ODD)) odd |= http_chars[*p++];
        h->odd = (uint8_t)odd;
    }
        NEED(PHASE_TARGET);
        if (*p == '\r' || *p == '\n') REFUSE("a space and HTTP/1.1 behind the request target");
        if (*p != ' ' || POS == h->part) REFUSE("a character that may stand in a request target");
        h->target_len = POS - h->part;
        p++;
        h->mark = POS;
        __attribute__((fallthrough));
    case PHASE_VERSION:
        len = run_version(slice_of(base + h->mark, (size_t)(stop - base) - h->mark));
        p = base + h->mark + len;
        NEED(PHASE_VERSION);
        if (len < 8) REFUSE("HTTP/1.1 or HTTP/1.0 behind one space");
        if (*p != '\r') REFUSE("CR LF behind the version");
        if (!take_version(h, slice_of(p - 8, 8), e)) return GOT_BAD;
        p++;
        goto line_lf;

    case PHASE_STATUS_VERSION:
    status_version:
        len = run_version(slice_of(base, (size_t)(stop - base)));
        p = base + len;
        NEED(PHASE_STATUS_VERSION);
        if (len < 8) REFUSE("a status line that begins with HTTP/1.1 or HTTP/1.0");
        if (*p != ' ') REFUSE("one space behind the version");
        if (!take_version(h, slice_of(base, 8), e)) return GOT_BAD;
        p++;
        __attribute__((fallthrough));
    case PHASE_STATUS:
        for (; POS < 12; p++) {
            NEED(PHASE_STATUS);
            if (!ascii_is_digit(*p) || (POS == 9 && *p == '0')) REFUSE("a status of three digits from 100 on");
            h->head.status = h->head.status * 10 + (*p - (unsigned)'0');
        }
        NEED(PHASE_STATUS);
        if (*p != ' ') REFUSE("one space behind the status");
        p++;
        h->part = POS;
        __attribute__((fallthrough));
    case PHASE_REASON:
        p = skip_value(p, stop);
        NEED(PHASE_REASON);
        if (*p != '\r') REFUSE("a reason phrase and CR LF");
        h->head.reason = slice_of(base + h->part, POS - h->part);
        p++;
        __attribute__((fallthrough));

    case PHASE_LINE_LF:
    line_lf:
        stop = find_stop(h, base, n, false);
        NEED(PHASE_LINE_LF);
        if (*p != '\n') REFUSE("LF behind CR");
        p++;
        if (!take_start_line(h, base, e)) return GOT_BAD;
        __attribute__((fallthrough));

    case PHASE_FIELD:
    field:
        NEED(PHASE_FIELD);
        if (*p == '\r') {
            p++;
            goto last_lf;
        }
        if (!http_is(*p, HTTP_TOKEN)) REFUSE(want_name(h, *p));
        h->part = POS;
        __attribute__((fallthrough));
    case PHASE_NAME:
        while (p < stop && http_is(*p, HTTP_TOKEN)) p++;
        NEED(PHASE_NAME);
        if (*p != ':') REFUSE("a colon right behind the field name");
        h->name_len = POS - h->part;
        p++;
        __attribute__((fallthrough));
    case PHASE_BLANK:
        while (p < stop && ascii_is_blank(*p)) p++;
        NEED(PHASE_BLANK);
        h->mark = POS;
        __attribute__((fallthrough));
    case PHASE_VALUE:
        p = skip_value(p, stop);
        NEED(PHASE_VALUE);
        if (*p != '\r') REFUSE("a field value and CR LF");
        if (!take_field(h, base, POS, e)) return GOT_BAD;
        p++;
        __attribute__((fallthrough));
    case PHASE_FIELD_LF:
        NEED(PHASE_FIELD_LF);
        if (*p != '\n') REFUSE("LF behind CR");
        p++;
        goto field;

    case PHASE_LAST_LF:
    last_lf:
        NEED(PHASE_LAST_LF);
        if (*p != '\n') REFUSE("LF behind CR");
        p++;
        h->pos = POS;
    }
    return GOT_ALL;
}

#undef POS
#undef NEED
#undef REFUSE

/* --- messages --- */

void http1_init(struct http1 *h, enum http1_role role, const struct http1_limits *limits, struct http_field *fields,
                size_t field_max) {
    *h = (struct http1){
        .role = role, .asked = HTTP1_METHOD_GET, .fields_lent = fields, .field_max = field_max, .limits = *limits};
    if (h->limits.line > SIZE_MAX / 2) h->limits.line = SIZE_MAX / 2;
    buf_init(&h->held, limits->head > limits->trailer ? limits->head : limits->trailer);
    begin_section(h);
}

void http1_release(struct http1 *h) {
    buf_release(&h->held);
}

void http1_ask(struct http1 *h, enum http1_method method) {
    h->asked = method;
}

static struct fed go_bad(struct http1 *h, size_t used) {
    h->state = HTTP1_STATE_BAD;
    buf_release(&h->held);
    return fed_bad(used);
}

static bool check_body(const struct http1 *h, struct err *e) {
    if (!h->body_max || h->head.framing != HTTP1_FRAMING_LENGTH || h->head.length <= h->body_max) return true;
    return err_limit(e, "body", h->body_max, h->offset);
}

static void begin_body(struct http1 *h) {
    h->left = h->head.length;
    switch (h->head.framing) {
    case HTTP1_FRAMING_NONE: h->state = HTTP1_STATE_END; break;
    case HTTP1_FRAMING_LENGTH: h->state = h->left ? HTTP1_STATE_LENGTH : HTTP1_STATE_END; break;
    case HTTP1_FRAMING_CHUNKED: {
        struct chunked_limits limits = {h->limits.chunk_line, h->limits.chunk_extensions, h->body_max};
        chunked_init(&h->chunked, &limits, h->offset);
        h->state = HTTP1_STATE_CHUNKED;
        break;
    }
    case HTTP1_FRAMING_CLOSE:
        h->left = 0; /* counts upwards here */
        h->state = HTTP1_STATE_CLOSE;
        break;
    }
}

bool http1_limit_body(struct http1 *h, uint64_t most, struct err *e) {
    h->body_max = most;
    h->chunked.limits.body = most;
    if (check_body(h, e)) return true;
    h->state = HTTP1_STATE_BAD;
    return false;
}

/* The head is whole: does it make sense? */
static bool finish_head(struct http1 *h, struct err *e) {
    struct http1_head *head = &h->head;
    head->fields = h->fields_lent;
    head->field_n = h->field_n;
    h->body_max = h->limits.body;
    if (h->role == HTTP1_SERVER) {
        if (!http1_frame_request(&h->frame, head, h->offset, e)) return false;
    } else {
        if (!http1_frame_response(&h->frame, h->asked, head, h->offset, e)) return false;
        h->interim = head->status < 200 ? (uint8_t)(h->interim + 1) : 0;
        if (h->interim > INTERIM_MOST) return err_limit(e, "interim_responses", INTERIM_MOST, h->offset);
    }
    return check_body(h, e);
}

static struct fed feed_section(struct http1 *h, struct slice in, struct http1_event *event, struct err *e) {
    size_t had = h->held.len;
    struct slice all = in;
    if (!in.len) return fed_more(0, 1);
    if (had) {
        if (!buf_add(&h->held, slice_head(in, section_max(h) - had))) {
            err_nomem(e, "a message head");
            return go_bad(h, 0);
        }
        all = buf_slice(&h->held);
    }
    enum got got = read_section(h, all.ptr, all.len, e);
    if (got == GOT_BAD) return go_bad(h, 0);
    if (got == GOT_MORE) {
        if (had || buf_add(&h->held, in)) return fed_more(in.len, 1);
        err_nomem(e, "a message head");
        return go_bad(h, 0);
    }
    size_t size = h->pos;
    if (had) { /* now that it stays where it is */
        begin_section(h);
        must(read_section(h, all.ptr, size, NULL) == GOT_ALL);
        h->whole = true;
    }
    h->offset += size;
    h->pos = 0;
    if (h->state == HTTP1_STATE_TRAILER) {
        h->state = HTTP1_STATE_END;
        *event = (struct http1_event){.kind = h->field_n ? HTTP1_EVENT_TRAILERS : HTTP1_EVENT_END};
        event->fields = h->fields_lent;
        event->field_n = h->field_n;
        if (h->field_n) return fed_event(size - had);
        struct fed fed = http1_feed(h, slice_of(NULL, 0), event, e);
        fed.used = size - had;
        return fed;
    }
    if (!finish_head(h, e)) return go_bad(h, 0);
    begin_body(h);
    *event = (struct http1_event){.kind = HTTP1_EVENT_HEAD, .head = &h->head};
    return fed_event(size - had);
}

static struct fed feed_data(struct http1 *h, struct slice in, struct http1_event *event, struct err *e) {
    if (!in.len) return fed_more(0, 1);
    size_t n = in.len;
    if (h->state == HTTP1_STATE_LENGTH) {
        if (n > h->left) n = (size_t)h->left;
        h->left -= n;
        if (!h->left) h->state = HTTP1_STATE_END;
    } else {
        uint64_t most = h->body_max ? h->body_max - h->left : UINT64_MAX;
        if (!most) {
            err_limit(e, "body", h->body_max, h->offset);
            return go_bad(h, 0);
        }
        if (n > most) n = (size_t)most;
        h->left += n;
    }
    h->offset += n;
    *event = (struct http1_event){.kind = HTTP1_EVENT_BODY, .data = slice_head(in, n)};
    return fed_event(n);
}

static struct fed feed_chunked(struct http1 *h, struct slice in, struct http1_event *event, struct err *e) {
    struct chunked_event chunk;
    struct fed fed = chunked_feed(&h->chunked, in, &chunk, e);
    h->offset += fed.used;
    if (fed.step == STEP_BAD) return go_bad(h, fed.used);
    if (fed.step != STEP_EVENT) return fed;
    if (chunk.kind == CHUNKED_DATA) {
        *event = (struct http1_event){.kind = HTTP1_EVENT_BODY, .data = chunk.data};
        return fed;
    }
    h->state = HTTP1_STATE_TRAILER;
    begin_section(h);
    struct fed next = feed_section(h, slice_skip(in, fed.used), event, e);
    next.used += fed.used;
    return next;
}

struct fed http1_feed(struct http1 *h, struct slice in, struct http1_event *event, struct err *e) {
    if (h->whole) { /* the slices into it were promised until now */
        buf_release(&h->held);
        h->whole = false;
    }
    switch (h->state) {
    case HTTP1_STATE_HEAD:
    case HTTP1_STATE_TRAILER: return feed_section(h, in, event, e);
    case HTTP1_STATE_LENGTH:
    case HTTP1_STATE_CLOSE: return feed_data(h, in, event, e);
    case HTTP1_STATE_CHUNKED: return feed_chunked(h, in, event, e);
    case HTTP1_STATE_END: {
        bool final = h->role == HTTP1_SERVER || h->head.status >= 200;
        h->state = h->head.keep_alive || (!final && h->head.status != 101) ? HTTP1_STATE_HEAD : HTTP1_STATE_OVER;
        if (final) h->asked = HTTP1_METHOD_GET;
        begin_section(h);
        *event = (struct http1_event){.kind = HTTP1_EVENT_END};
        return fed_event(0);
    }
    case HTTP1_STATE_OVER: return fed_end(0);
    case HTTP1_STATE_BAD: break;
    }
    err_at(e, ERR_INVALID, h->offset, "the stream was refused before");
    return fed_bad(0);
}

struct fed http1_eof(struct http1 *h, struct http1_event *event, struct err *e) {
    if (h->state == HTTP1_STATE_CLOSE) h->state = HTTP1_STATE_END;
    if (h->state == HTTP1_STATE_END) return http1_feed(h, slice_of(NULL, 0), event, e);
    /* An empty line that clients may send ahead is no beginning of a request. */
    bool head = h->state == HTTP1_STATE_HEAD && h->phase == PHASE_START;
    if (head || h->state == HTTP1_STATE_OVER) return fed_end(0);
    if (h->state == HTTP1_STATE_BAD) return http1_feed(h, slice_of(NULL, 0), event, e);
    err_at(e, ERR_SYNTAX, h->offset + h->pos, "the connection ended in the middle of a message");
    return go_bad(h, 0);
}

const char *http1_status_name(unsigned status) {
    switch (status) {
#define X(code, text)                                                                                                  \
    case code: return text;
        HTTP1_STATUSES(X)
#undef X
    default: return "";
    }
}

unsigned http1_status_from(struct slice reason) {
#define X(code, text)                                                                                                  \
    if (slice_eq(reason, LIT(text))) return code;
    HTTP1_STATUSES(X)
#undef X
    return 0;
}
