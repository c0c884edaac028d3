/* http1_frame.c - see http1_frame.h. */
#include "protocols/http1_frame.h"

#include "base/ascii.h"
#include "base/num.h"
#include "protocols/http_chars.h"
#include "protocols/url.h"

#define LENGTH_DIGITS 19 /* of Content-Length, leading zeros included: all that INT64_MAX needs */

static const char *const method_names[] = {
#define X(name, text) [name] = text,
    HTTP1_METHODS(X)
#undef X
        [HTTP1_METHOD_OTHER] = "?",
};
static const char *const form_names[] = {
#define X(name, text) [name] = text,
    HTTP1_FORMS(X)
#undef X
};
static const char *const framing_names[] = {
#define X(name, text) [name] = text,
    HTTP1_FRAMINGS(X)
#undef X
};

/* The index of text among n names, or n. */
static unsigned find_name(const char *const *names, unsigned n, struct slice text) {
    unsigned i = 0;
    while (i < n && !slice_eq(text, slice_str(names[i]))) i++;
    return i;
}

const char *http1_method_name(enum http1_method method) {
    return method_names[(unsigned)method < HTTP1_METHOD_OTHER ? method : HTTP1_METHOD_OTHER];
}

enum http1_method http1_method_from(struct slice text) {
    return (enum http1_method)find_name(method_names, HTTP1_METHOD_OTHER, text);
}

const char *http1_form_name(enum http1_form form) {
    return (unsigned)form <= HTTP1_FORM_ASTERISK ? form_names[form] : "?";
}

bool http1_form_from(struct slice text, enum http1_form *form) {
    unsigned i = find_name(form_names, HTTP1_FORM_ASTERISK + 1, text);
    if (i > HTTP1_FORM_ASTERISK) return false;
    *form = (enum http1_form)i;
    return true;
}

const char *http1_framing_name(enum http1_framing framing) {
    return (unsigned)framing <= HTTP1_FRAMING_CLOSE ? framing_names[framing] : "?";
}

bool http1_framing_from(struct slice text, enum http1_framing *framing) {
    unsigned i = find_name(framing_names, HTTP1_FRAMING_CLOSE + 1, text);
    if (i > HTTP1_FRAMING_CLOSE) return false;
    *framing = (enum http1_framing)i;
    return true;
}

void http1_frame_init(struct http1_frame *f, bool response, unsigned minor) {
    *f = (struct http1_frame){.response = response, .old = minor == 0};
}

static bool note_host(struct http1_frame *f, struct slice value, size_t at, struct err *e) {
    if (f->has_host) return err_at(e, ERR_INVALID, at, "want one Host field, found a second");
    f->has_host = true;
    f->host = value;
    f->host_at = at;
    return true;
}

static bool note_length(struct http1_frame *f, struct slice value, size_t at, struct err *e) {
    if (f->has_length) return err_at(e, ERR_INVALID, at, "want one Content-Length field, found a second");
    if (f->coded) return err_at(e, ERR_INVALID, at, "want Content-Length or Transfer-Encoding, found both");
    if (value.len > LENGTH_DIGITS || !num_read_u64(value, 0, INT64_MAX, &f->length)) {
        size_t digits = 0;
        while (digits < value.len && ascii_is_digit(value.ptr[digits])) digits++;
        if (digits == value.len && digits)
            return err_at(e, ERR_SYNTAX, at, "want a Content-Length of at most %d digits and below 2^63",
                          LENGTH_DIGITS);
        return err_at(e, ERR_SYNTAX, at + digits, "want a Content-Length of digits only");
    }
    f->has_length = true;
    return true;
}

static bool note_coding(struct http1_frame *f, struct slice value, size_t at, struct err *e) {
    if (f->old) return err_at(e, ERR_INVALID, at, "want no Transfer-Encoding in HTTP/1.0");
    if (f->has_length) return err_at(e, ERR_INVALID, at, "want Content-Length or Transfer-Encoding, found both");
    f->coded = true;
    for (struct slice rest = value, coding; http_part_next(&rest, ',', &coding);) {
        size_t name = http_run(coding, HTTP_TOKEN);
        struct slice behind = slice_trim(slice_skip(coding, name));
        if (!name || (behind.len && behind.ptr[0] != ';'))
            return err_at(e, ERR_SYNTAX, at, "want a list of codings in Transfer-Encoding");
        if (f->chunked) return err_at(e, ERR_INVALID, at, "want chunked once and last in Transfer-Encoding");
        if (!slice_eq_nocase(slice_head(coding, name), LIT("chunked")))
            f->unknown = true;
        else if (behind.len)
            return err_at(e, ERR_SYNTAX, at, "want no parameters behind chunked");
        else
            f->chunked = true;
    }
    return true;
}

static bool note_connection(struct http1_frame *f, struct slice value, size_t at, struct err *e) {
    for (struct slice rest = value, option; http_part_next(&rest, ',', &option);) {
        if (option.len && !http_is_token(option))
            return err_at(e, ERR_SYNTAX, at, "want a list of tokens in Connection");
        if (slice_eq_nocase(option, LIT("close")))
            f->close = true;
        else if (slice_eq_nocase(option, LIT("keep-alive")))
            f->keep_alive = true;
        else if (slice_eq_nocase(option, LIT("upgrade")))
            f->upgrade = true;
    }
    return true;
}

static bool note_expect(struct http1_frame *f, struct slice value, size_t at, struct err *e) {
    for (struct slice rest = value, word; http_part_next(&rest, ',', &word);) {
        if (!word.len) continue;
        if (!slice_eq_nocase(word, LIT("100-continue"))) {
            err_at(e, ERR_UNSUPPORTED, at, "want no expectation but 100-continue");
            return err_status(e, 417);
        }
        f->expect = !f->old; /* RFC 9110 10.1.1: from an HTTP/1.0 client it must be ignored */
    }
    return true;
}

bool http1_frame_note(struct http1_frame *f, const struct http_field *field, size_t at, struct err *e) {
    struct slice name = field->name;
    switch (name.len) {
    case 4:
        if (!f->response && slice_eq_nocase(name, LIT("host"))) return note_host(f, field->value, at, e);
        break;
    case 6:
        if (!f->response && slice_eq_nocase(name, LIT("expect"))) return note_expect(f, field->value, at, e);
        break;
    case 7:
        if (slice_eq_nocase(name, LIT("upgrade")) && field->value.len) f->upgrade_named = true;
        break;
    case 10:
        if (slice_eq_nocase(name, LIT("connection"))) return note_connection(f, field->value, at, e);
        break;
    case 14:
        if (slice_eq_nocase(name, LIT("content-length"))) return note_length(f, field->value, at, e);
        break;
    case 17:
        if (slice_eq_nocase(name, LIT("transfer-encoding"))) return note_coding(f, field->value, at, e);
        break;
    default: break;
    }
    return true;
}

/* What both roles share: codings we cannot undo, the framing, the connection. */
static bool decide(const struct http1_frame *f, struct http1_head *head, size_t at, struct err *e) {
    /* RFC 9112 6.3: without chunked at its end the length of a body cannot be known. */
    if (f->coded && !f->chunked)
        return err_at(e, ERR_INVALID, at, "want chunked as the last transfer coding, found none");
    if (f->unknown) return err_at(e, ERR_UNSUPPORTED, at, "want no transfer coding but chunked");
    head->has_length = f->has_length;
    head->length = f->has_length ? f->length : 0;
    head->framing = f->coded ? HTTP1_FRAMING_CHUNKED : f->has_length ? HTTP1_FRAMING_LENGTH : HTTP1_FRAMING_NONE;
    /* RFC 9112 9.3 */
    head->keep_alive = !f->close && (!f->old || f->keep_alive);
    head->upgrade = f->upgrade && f->upgrade_named && !f->old;
    return true;
}

static bool check_host(const struct http1_frame *f, struct http1_head *head, size_t at, struct err *e) {
    if (!f->has_host) {
        if (f->old) return true;
        return err_at(e, ERR_INVALID, at, "want a Host field, as HTTP/1.1 demands");
    }
    struct url host;
    if (!url_read_authority(f->host, &host, e)) {
        if (e && e->at != ERR_NOWHERE) e->at += f->host_at;
        err_context(e, "field Host");
        return false;
    }
    /* RFC 9112 3.2.2: an absolute target replaces what Host says. */
    if (head->form == HTTP1_FORM_ABSOLUTE) return true;
    if (!host.host.len && (f->host.len || head->form == HTTP1_FORM_ORIGIN))
        return err_at(e, ERR_INVALID, f->host_at, "want a host name in the field Host, found none");
    head->host = f->host;
    return true;
}

bool http1_frame_request(const struct http1_frame *f, struct http1_head *head, size_t at, struct err *e) {
    if (!check_host(f, head, at, e) || !decide(f, head, at, e)) return false;
    head->expect = f->expect;
    if (head->method == HTTP1_METHOD_CONNECT) {
        /* RFC 9110 9.3.6 gives CONNECT no body; whoever sends one wants two readers to differ. */
        if (f->coded || head->length) return err_at(e, ERR_INVALID, at, "want no body in a CONNECT request");
        head->host = head->target;
        head->keep_alive = false;
    }
    return true;
}

bool http1_frame_response(const struct http1_frame *f, enum http1_method asked, struct http1_head *head, size_t at,
                          struct err *e) {
    if (!decide(f, head, at, e)) return false;
    unsigned status = head->status;
    bool tunnel = asked == HTTP1_METHOD_CONNECT && status >= 200 && status < 300;
    /* RFC 9112 6.3: these have no body, whatever the fields say. */
    if (status < 200 || status == 204 || tunnel) {
        head->framing = HTTP1_FRAMING_NONE;
        head->has_length = false;
        head->length = 0;
    } else if (asked == HTTP1_METHOD_HEAD || status == 304)
        head->framing = HTTP1_FRAMING_NONE;
    else if (head->framing == HTTP1_FRAMING_NONE) {
        head->framing = HTTP1_FRAMING_CLOSE;
        head->keep_alive = false;
    }
    if (tunnel || status == 101) head->keep_alive = false;
    return true;
}

bool http1_trailer_banned(struct slice name) {
    /* RFC 9110 6.5.1. */
    static const char *const banned[] = {
        "content-length",
        "transfer-encoding",
        "trailer",
        "host",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
        "expect",
        "max-forwards",
        "authorization",
        "proxy-authorization",
        "www-authenticate",
        "proxy-authenticate",
        "cookie",
        "set-cookie",
        "content-encoding",
        "content-type",
        "content-range",
        "range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
        "cache-control",
        "pragma",
        "age",
        "expires",
        "date",
        "location",
        "retry-after",
        "vary",
    };
    for (size_t i = 0; i < sizeof banned / sizeof banned[0]; i++)
        if (slice_eq_nocase(name, slice_str(banned[i]))) return true;
    return false;
}
