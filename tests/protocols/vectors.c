/* vectors.c - the public suites, read from the folder STARTBOX_VECTORS names (see README). Unset: skipped loudly. */
#include "base/hex.h"
#include "lib/tap.h"
#include "protocols/cbor.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"

#include <stdio.h>
#include <stdlib.h>

static const struct json_limits json_limits = {.bytes = 1 << 26, .depth = 512};
static const struct cbor_limits cbor_limits = {.bytes = 1 << 20, .string = 1 << 20, .depth = 100};

static bool open_vectors(const char *name, struct slice *text) {
    const char *dir = getenv("STARTBOX_VECTORS");
    if (!dir) {
        tap_skip("STARTBOX_VECTORS is not set");
        return false;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    *text = tap_file(path);
    return true;
}

static struct val parse(struct slice text) {
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(json_parse(text, &json_limits, &v, &e))) tap_note("%s at %zu", e.text, e.at);
    return v;
}

static bool is_text(const struct val *v, const char *key, const char *text) {
    return val_is_text(val_get(v, slice_str(key)), slice_str(text));
}

static bool accepts_in_cuts(struct slice text) {
    struct json *j = json_new(&json_limits);
    bool good = true;
    for (size_t at = 0; good && at < text.len; at += 3)
        good = json_feed(j, slice_head(slice_skip(text, at), 3), NULL).step == STEP_MORE;
    good = good && json_eof(j, NULL) == STEP_END;
    json_free(j);
    return good;
}

TEST(json_accepts_and_refuses_what_the_public_suite_says) {
    struct slice text;
    if (!open_vectors("json-parsing.jsonl", &text)) return;
    unsigned n = 0;
    struct slice rest = text;
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');
        if (!line.len) continue;
        struct val c = parse(line), v = val_none;
        struct buf b;
        buf_init(&b, 1 << 26);
        const struct val *repeat = val_get(&c, LIT("repeat"));
        uint64_t times = 0;
        val_as_u64(val_get(repeat, LIT("times")), &times);
        while (times--) buf_add(&b, val_as_text(val_get(repeat, LIT("unit"))));
        CHECK(base64_read(&b, BASE64_STD, val_as_text(val_get(&c, LIT("b64")))));
        bool good = json_parse(tap_guarded(buf_slice(&b)), &json_limits, &v, NULL);
        bool may = !is_text(&c, "expect", "n"), must = is_text(&c, "expect", "y");
        struct slice name = val_as_text(val_get(&c, LIT("name")));
        if (!CHECK(good ? may : !must) || !CHECK(accepts_in_cuts(buf_slice(&b)) == good))
            tap_note("%.*s", (int)name.len, (const char *)name.ptr);
        n++;
        val_unref(&v);
        val_unref(&c);
        buf_release(&b);
    }
    tap_note("%u documents", n);
    CHECK(n >= 340);
    tap_free(text);
}

/* What the data model has no place for: tags, undefined, simple values. */
static bool lacks_a_place(const struct val *c) {
    struct slice hex = val_as_text(val_get(c, LIT("hex")));
    return slice_starts(hex, LIT("c")) || slice_starts(hex, LIT("d")) || slice_eq(hex, LIT("f7")) ||
           slice_eq(hex, LIT("f0")) || slice_starts(hex, LIT("f8"));
}

TEST(cbor_reads_and_writes_appendix_a) {
    struct slice text;
    if (!open_vectors("cbor-appendix-a.json", &text)) return;
    struct val all = parse(text);
    unsigned n = 0, refused = 0;
    for (struct val_iter it = val_iter(&all); val_next(&it); n++) {
        struct slice hex = val_as_text(val_get(it.value, LIT("hex")));
        struct buf b, out;
        buf_init(&b, 1000);
        buf_init(&out, 1000);
        CHECK(hex_read(&b, hex, NULL));
        struct val v = val_none;
        bool good = cbor_parse(tap_guarded(buf_slice(&b)), &cbor_limits, &v, NULL);
        if (lacks_a_place(it.value)) {
            CHECK(!good);
            refused++;
        } else if (CHECK(good)) {
            const struct val *decoded = val_get(it.value, LIT("decoded")), *diag = val_get(it.value, LIT("diagnostic"));
            if (!val_is_none(decoded) && !CHECK(val_equal_number(&v, decoded)))
                tap_note("%.*s", (int)hex.len, (const char *)hex.ptr);
            if (!val_is_none(diag) && !slice_starts(val_as_text(diag), LIT("(_"))) {
                json_write(&out, &v, JSON_DIAG, NULL);
                CHECK_TEXT(buf_slice(&out), val_as_text(diag));
            }
            if (val_is_true(val_get(it.value, LIT("roundtrip")))) {
                buf_reset(&out);
                CHECK(cbor_write_sorted(&out, &v, NULL));
                CHECK_TEXT(buf_slice(&out), buf_slice(&b));
                buf_reset(&out);
                CHECK(cbor_write(&out, &v, NULL));
                CHECK_TEXT(buf_slice(&out), buf_slice(&b));
            }
        }
        val_unref(&v);
        buf_release(&b);
        buf_release(&out);
    }
    tap_note("%u items, %u of them refused because the data model has no place for them", n, refused);
    CHECK(n == 82);
    val_unref(&all);
    tap_free(text);
}

static void run_patches(const char *file, unsigned least) {
    struct slice text;
    if (!open_vectors(file, &text)) return;
    struct val all = parse(text);
    struct jsonpatch_limits limits = {.ops = 1000, .copied = 100000};
    unsigned n = 0;
    for (struct val_iter it = val_iter(&all); val_next(&it);) {
        const struct val *c = it.value, *patch = val_get(c, LIT("patch")), *want = val_get(c, LIT("expected"));
        if (val_is_none(patch) || val_is_true(val_get(c, LIT("disabled")))) continue;
        n++;
        struct val doc = val_ref(val_get(c, LIT("doc")));
        bool good = jsonpatch_apply(&doc, patch, &limits, NULL), refuse = !val_is_none(val_get(c, LIT("error")));
        struct slice comment = val_as_text(val_get(c, LIT("comment")));
        if (!CHECK(good != refuse) || (!val_is_none(want) && !CHECK(val_equal_number(&doc, want))))
            tap_note("%zu: %.*s", it.index, (int)comment.len, (const char *)comment.ptr);
        val_unref(&doc);
    }
    tap_note("%u patches", n);
    CHECK(n >= least);
    val_unref(&all);
    tap_free(text);
}

TEST(json_patch_passes_the_public_suite) {
    run_patches("json-patch-tests.json", 90);
}
TEST(json_patch_passes_the_examples_of_the_rfc) {
    run_patches("json-patch-spec-tests.json", 16);
}

TEST(json_pointer_passes_its_suite) {
    struct slice text;
    if (!open_vectors("json-pointer.json", &text)) return;
    struct val all = parse(text);
    for (struct val_iter it = val_iter(&all); val_next(&it);) {
        const struct val *want = val_get(it.value, LIT("value"));
        struct slice pointer = val_as_text(val_get(it.value, LIT("pointer")));
        const struct val *found = jsonptr_get(val_get(it.value, LIT("doc")), pointer, NULL);
        if (!CHECK(val_equal(found, want))) tap_note("%.*s", (int)pointer.len, (const char *)pointer.ptr);
    }
    CHECK(val_count(&all) >= 56);
    val_unref(&all);
    tap_free(text);
}

TAP_MAIN(T(json_accepts_and_refuses_what_the_public_suite_says), T(cbor_reads_and_writes_appendix_a),
         T(json_patch_passes_the_public_suite), T(json_patch_passes_the_examples_of_the_rfc),
         T(json_pointer_passes_its_suite))
