/* httpfields.c (fuzz) - values of fields: whatever is read can be written and is then read the same; choices
 * are among what is offered; ranges lie inside the length and apart from each other. */
#include "base/must.h"
#include "protocols/cookie.h"
#include "protocols/date.h"
#include "protocols/etag.h"
#include "protocols/negotiate.h"
#include "protocols/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cookies(struct slice text, struct buf *out) {
    struct cookie c, back;
    struct slice rest = text, name, value;
    for (size_t n = 0; cookie_next(&rest, &name, &value); n++) must(n < text.len);
    buf_reset(out);
    if (!cookie_read(text, &c) || !cookie_write(out, &c, NULL)) return;
    must(cookie_read(buf_slice(out), &back) && slice_eq(c.name, back.name) && slice_eq(c.value, back.value));
    must(slice_eq(c.path, back.path) && slice_eq(c.domain, back.domain) && c.site == back.site);
    must(c.secure == back.secure && c.http_only == back.http_only && c.has_max_age == back.has_max_age);
    must(c.max_age == back.max_age && c.has_expires == back.has_expires &&
         (!c.has_expires || c.expires == back.expires));
}

static void check_dates(struct slice text) {
    int64_t when, back;
    uint8_t out[DATE_LEN];
    if (date_read_cookie(text, &when)) must(date_write(when, out));
    if (!date_read(text, 1700000000, &when)) return;
    if (when <= 253402300799)
        must(date_write(when, out) && date_read(slice_of(out, DATE_LEN), 0, &back) && back == when);
}

static void check_ranges(struct slice text, struct buf *out) {
    static const uint64_t lengths[] = {0, 1, 10, 10000, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct range parts[5];
        size_t n;
        enum range_found found = range_read(text, lengths[i], parts, 5, &n);
        must(found == RANGE_PARTS ? n > 0 && n <= 5 : n == 0);
        for (size_t a = 0; a < n; a++) {
            must(parts[a].first <= parts[a].last && parts[a].last < lengths[i]);
            for (size_t b = 0; b < a; b++) must(parts[a].last < parts[b].first || parts[b].last < parts[a].first);
        }
    }
    struct range_content c, back;
    if (!range_content_read(text, &c, NULL)) return;
    buf_reset(out);
    must(range_content_write(out, &c, NULL) && range_content_read(buf_slice(out), &back, NULL));
    must(c.has_range == back.has_range && c.range.first == back.range.first && c.range.last == back.range.last);
    must(c.has_length == back.has_length && c.length == back.length);
}

static void check_tags(struct slice text, struct buf *out) {
    struct etag tag, back;
    const struct etag is = {LIT("a"), false};
    etag_if_match(http_list_in(text), &is);
    etag_if_none_match(http_list_in(text), &is);
    if (!etag_read(text, &tag)) return;
    buf_reset(out);
    must(etag_write(out, &tag) && etag_read(buf_slice(out), &back) && etag_same_weak(&tag, &back) &&
         tag.weak == back.weak);
    must(etag_if_none_match(http_list_in(text), &tag) == false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct slice types[] = {LIT_INIT("text/html"), LIT_INIT("text/html;a=b"), LIT_INIT("image/png")};
    static const struct slice codings[] = {LIT_INIT("gzip"), LIT_INIT("identity")};
    static const struct slice languages[] = {LIT_INIT("en"), LIT_INIT("de-CH"), LIT_INIT("zh-Hant-TW")};
    if (size > 1000) return 0;
    struct slice text = slice_of(data, size), element, rest = text, name, value;
    struct buf out, back;
    bool bad;
    buf_init(&out, 4096);
    buf_init(&back, 4096);
    size_t total = 0;
    for (struct http_list l = http_list_in(text); http_list_next(&l, &element); total += element.len) must(element.len);
    must(total <= size);
    while (http_param_next(&rest, &name, &value, &bad)) must(name.len);
    if (http_quote(&out, text)) must(http_unquote(&back, buf_slice(&out)) && slice_eq(buf_slice(&back), text));
    int q = http_quality(text);
    must(q >= -1 && q <= 1000);
    int i = negotiate_type(http_list_in(text), types, 3);
    must(i >= -1 && i < 3);
    i = negotiate_encoding(http_list_in(text), true, codings, 2);
    must(i >= -1 && i < 2);
    i = negotiate_language(http_list_in(text), languages, 3);
    must(i >= -1 && i < 3);
    check_cookies(text, &out);
    check_dates(text);
    check_ranges(text, &out);
    check_tags(text, &out);
    buf_release(&out);
    buf_release(&back);
    return 0;
}
