/* http1_write.c - the writers of http1.h. Fields pass through the same http1_frame as when they are read, so
 * what one side writes the other takes, and a contradiction is found where it was made. */
#include "protocols/http1.h"

#include "protocols/http_chars.h"

static bool say_full(enum buf_fault fault, size_t max, struct err *e) {
    return fault == BUF_OVER ? err_limit(e, "out", max, ERR_NOWHERE) : err_nomem(e, "a message head");
}

static bool refuse_room(struct buf *out, size_t mark, struct err *e) {
    enum buf_fault fault = out->fault;
    buf_rewind(out, mark);
    return say_full(fault, out->max, e);
}

static bool check_field(const struct http_field *f, struct err *e) {
    if (!http_is_token(f->name)) return err_set(e, ERR_INVALID, "want a field name that is a token");
    if (http_run(f->value, HTTP_VALUE) != f->value.len)
        return err_set(e, ERR_INVALID, "want no control characters in the value of %.*s", (int)f->name.len,
                       (const char *)f->name.ptr);
    if (slice_trim(f->value).len != f->value.len)
        return err_set(e, ERR_INVALID, "want no blanks around the value of %.*s", (int)f->name.len,
                       (const char *)f->name.ptr);
    return true;
}

static void add_field(struct buf *out, const struct http_field *f) {
    uint8_t *at = buf_room(out, f->name.len + f->value.len + 4);
    if (!at) return;
    memcpy(at, f->name.ptr, f->name.len);
    at += f->name.len;
    *at++ = ':';
    *at++ = ' ';
    if (f->value.len) memcpy(at, f->value.ptr, f->value.len);
    at += f->value.len;
    *at++ = '\r';
    *at = '\n';
    buf_wrote(out, f->name.len + f->value.len + 4);
}

static bool add_fields(struct buf *out, struct http1_frame *frame, const struct http_field *fields, size_t n,
                       struct err *e) {
    for (size_t i = 0; i < n; i++) {
        if (!check_field(&fields[i], e)) return false;
        if (!http1_frame_note(frame, &fields[i], ERR_NOWHERE, e)) return false;
        add_field(out, &fields[i]);
    }
    return true;
}

bool http1_write_request(struct buf *out, struct slice method, struct slice target, const struct http_field *fields,
                         size_t field_n, struct err *e) {
    if (!http_is_token(method)) return err_set(e, ERR_INVALID, "want a method that is a token");
    struct http1_head head = {.method = http1_method_from(method), .target = target};
    if (!http1_target_read(target, head.method, &head, 0, e)) return false;
    size_t mark = buf_mark(out);
    if (!buf_ok(out)) return say_full(out->fault, out->max, e);
    buf_add(out, method);
    buf_byte(out, ' ');
    buf_add(out, target);
    buf_add(out, LIT(" HTTP/1.1\r\n"));
    struct http1_frame frame;
    http1_frame_init(&frame, false, 1);
    if (!add_fields(out, &frame, fields, field_n, e) || !http1_frame_request(&frame, &head, ERR_NOWHERE, e)) {
        buf_rewind(out, mark);
        return false;
    }
    return buf_add(out, LIT("\r\n")) || refuse_room(out, mark, e);
}

bool http1_write_response(struct buf *out, enum http1_method asked, unsigned status, struct slice reason,
                          const struct http_field *fields, size_t field_n, struct err *e) {
    if (status < 100 || status > 599) return err_set(e, ERR_INVALID, "want a status from 100 to 599, found %u", status);
    if (!reason.len) reason = slice_str(http1_status_name(status));
    if (http_run(reason, HTTP_VALUE) != reason.len)
        return err_set(e, ERR_INVALID, "want no control characters in the reason phrase");
    size_t mark = buf_mark(out);
    if (!buf_ok(out)) return say_full(out->fault, out->max, e);
    uint8_t digits[] = {(uint8_t)('0' + status / 100), (uint8_t)('0' + status / 10 % 10), (uint8_t)('0' + status % 10),
                        ' '};
    buf_add(out, LIT("HTTP/1.1 "));
    buf_add(out, slice_of(digits, sizeof digits));
    buf_add(out, reason);
    buf_add(out, LIT("\r\n"));
    struct http1_frame frame;
    struct http1_head head = {.status = status};
    http1_frame_init(&frame, true, 1);
    bool good =
        add_fields(out, &frame, fields, field_n, e) && http1_frame_response(&frame, asked, &head, ERR_NOWHERE, e);
    /* RFC 9110 8.6, RFC 9112 6.1: readers ignore these there, but a server must not send them. */
    bool tunnel = asked == HTTP1_METHOD_CONNECT && status < 300;
    if (good && (status < 200 || status == 204 || tunnel) && (frame.has_length || frame.coded))
        good = err_set(e, ERR_INVALID, "want no Content-Length or Transfer-Encoding with status %u", status);
    if (!good) {
        buf_rewind(out, mark);
        return false;
    }
    return buf_add(out, LIT("\r\n")) || refuse_room(out, mark, e);
}

bool http1_write_last(struct buf *out, const struct http_field *trailers, size_t n, struct err *e) {
    size_t mark = buf_mark(out);
    if (!buf_ok(out)) return say_full(out->fault, out->max, e);
    buf_add(out, LIT("0\r\n"));
    for (size_t i = 0; i < n; i++) {
        bool good = check_field(&trailers[i], e);
        if (good && http1_trailer_banned(trailers[i].name))
            good = err_set(e, ERR_INVALID, "want no field %.*s in a trailer section", (int)trailers[i].name.len,
                           (const char *)trailers[i].name.ptr);
        if (!good) {
            buf_rewind(out, mark);
            return false;
        }
        add_field(out, &trailers[i]);
    }
    return buf_add(out, LIT("\r\n")) || refuse_room(out, mark, e);
}
