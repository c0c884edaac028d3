/* url.c (fuzz) - URLs: the parts put together again are the text; what is encoded decodes to the same; no
 * file path leaves its root; forms that were read can be written and read the same. */
#include "protocols/url.h"
#include "base/must.h"
#include "protocols/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(struct slice text) {
    struct url u;
    if (!url_read(text, &u, NULL)) return;
    size_t len = u.scheme.len + 3 + u.userinfo.len + u.has_userinfo + u.path.len + u.query.len + u.has_query +
                 u.fragment.len + u.has_fragment;
    must(len <= text.len && u.host.len <= text.len - len);
    if (u.fragment.len) must(u.fragment.ptr + u.fragment.len == text.ptr + text.len);
    struct url again;
    if (!u.has_userinfo) {
        struct slice authority =
            slice_of(text.ptr + u.scheme.len + 3, (size_t)(u.path.ptr - text.ptr) - u.scheme.len - 3);
        must(url_read_authority(authority, &again, NULL) && slice_eq(again.host, u.host) && again.port == u.port);
    }
    if (u.path.len) must(url_read_origin(u.path, &again, NULL));
}

static void check_path(struct slice text) {
    struct buf out, again;
    buf_init(&out, 4096);
    buf_init(&again, 4096);
    struct buf encoded;
    buf_init(&encoded, 16384);
    if (url_file_path(&out, text, NULL)) {
        struct slice path = buf_slice(&out);
        must(path.len && path.ptr[0] == '/' && !memchr(path.ptr, 0, path.len));
        for (struct slice rest = slice_skip(path, 1); rest.len;) {
            struct slice part = slice_cut(&rest, '/');
            must(part.len && !slice_eq(part, LIT("..")) && !slice_eq(part, LIT(".")));
        }
        /* Once safe, always safe. */
        must(url_encode(&encoded, URL_PATH, path) && url_file_path(&again, buf_slice(&encoded), NULL));
        must(slice_eq(path, buf_slice(&again)));
    } else
        must(out.len == 0);
    buf_release(&out);
    buf_release(&again);
    buf_release(&encoded);
}

static void check_coding(struct slice text) {
    for (unsigned part = URL_COMPONENT; part <= URL_QUERY; part++) {
        struct buf out, back;
        buf_init(&out, 3 * text.len);
        buf_init(&back, text.len);
        must(url_encode(&out, (enum url_part)part, text) && url_decode(&back, buf_slice(&out), NULL));
        must(slice_eq(buf_slice(&back), text));
        buf_release(&out);
        buf_release(&back);
    }
}

/* Each pair, a NUL behind each part; and the whole form written anew into out. */
static size_t read_form(struct slice text, struct buf *plain, struct buf *out) {
    struct form f;
    struct form_pair pair;
    struct form_limits limits = {20, 2000};
    struct buf scratch;
    size_t n = 0;
    buf_init(&scratch, 8192);
    form_init(&f, text, &limits);
    for (; form_next(&f, &scratch, &pair, NULL) == STEP_EVENT; n++) {
        must(pair.name.len + pair.value.len <= limits.bytes);
        buf_printf(plain, "%zu %zu ", pair.name.len, pair.value.len);
        buf_add(plain, pair.name);
        buf_add(plain, pair.value);
        must(form_write(out, n == 0, pair.name, pair.value, NULL));
    }
    must(n <= limits.pairs);
    buf_release(&scratch);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1000) return 0;
    struct slice text = slice_of(data, size);
    struct buf a, b, form, form2;
    check_parts(text);
    check_path(text);
    check_coding(text);
    buf_init(&a, 1 << 16);
    buf_init(&b, 1 << 16);
    buf_init(&form, 1 << 16);
    buf_init(&form2, 1 << 16);
    must(read_form(text, &a, &form) == read_form(buf_slice(&form), &b, &form2));
    must(slice_eq(buf_slice(&a), buf_slice(&b)) && slice_eq(buf_slice(&form), buf_slice(&form2)));
    buf_release(&a);
    buf_release(&b);
    buf_release(&form);
    buf_release(&form2);
    return 0;
}
