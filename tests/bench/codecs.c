/* codecs.c - JSON, CBOR and hashes against Debian's libraries, in one process, rounds interleaved: MB/s, median of the rounds.
 *
 * Peers build their usual tree from the same text and write it compact; each tree is freed inside the timing, as ours is.
 * jansson and json-c export the same names, so both are loaded on their own and called through pointers. */
#include "base/clock.h"
#include "base/mem.h"
#include "lib/statedoc.h"
#include "protocols/blake3.h"
#include "protocols/cbor.h"
#include "protocols/json.h"

#include <bearssl.h>
#include <cbor.h>
#include <cjson/cJSON.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 15

static struct slice text, bytes; /* the document */
static struct val doc;
static void *jansson_doc, *jsonc_doc;
static cJSON *cjson_doc;
static cbor_item_t *cbor_doc;
static volatile size_t sink;

static const struct json_limits json_limits = {.bytes = 1u << 30, .depth = 512};
static const struct cbor_limits cbor_limits = {.bytes = 1u << 30, .string = 1u << 30, .depth = 512};

static void our_json_parse(void) {
    struct val v = val_none;
    if (!json_parse(text, &json_limits, &v, NULL)) abort();
    val_unref(&v);
}
static void our_json_write(void) {
    struct buf b;
    buf_init(&b, 1u << 30);
    if (!json_write(&b, &doc, JSON_COMPACT, NULL)) abort();
    sink = b.len;
    buf_release(&b);
}
static void our_cbor_parse(void) {
    struct val v = val_none;
    if (!cbor_parse(bytes, &cbor_limits, &v, NULL)) abort();
    val_unref(&v);
}
static void our_cbor_write(void) {
    struct buf b;
    buf_init(&b, 1u << 30);
    if (!cbor_write(&b, &doc, NULL)) abort();
    sink = b.len;
    buf_release(&b);
}
static struct {
    void *(*loadb)(const char *, size_t, size_t, void *);
    char *(*dumps)(const void *, size_t);
    void (*delete)(void *);
} jansson;
#define JANSSON_COMPACT 0x20

static void jansson_parse(void) {
    jansson.delete(jansson.loadb((const char *)text.ptr, text.len, 0, NULL));
}
static void jansson_write(void) {
    char *s = jansson.dumps(jansson_doc, JANSSON_COMPACT);
    sink = strlen(s);
    free(s);
}

static struct {
    void *(*tokener_new)(void);
    void *(*parse_ex)(void *, const char *, int);
    void (*tokener_free)(void *);
    int (*put)(void *);
    const char *(*to_string)(void *, int, size_t *);
} jsonc;

static void *jsonc_read(void) {
    void *t = jsonc.tokener_new();
    void *o = jsonc.parse_ex(t, (const char *)text.ptr, (int)text.len);
    jsonc.tokener_free(t);
    return o;
}
static void jsonc_parse(void) {
    jsonc.put(jsonc_read());
}
static void jsonc_write(void) {
    size_t n;
    jsonc.to_string(jsonc_doc, 0, &n);
    sink = n;
}

static void *symbol(void *lib, const char *name) {
    void *p = lib ? dlsym(lib, name) : NULL;
    if (!p) {
        fprintf(stderr, "bench: %s is missing: make deps\n", name);
        exit(1);
    }
    return p;
}

static void load_peers(void) {
    void *a = dlopen("libjansson.so.4", RTLD_NOW | RTLD_LOCAL), *b = dlopen("libjson-c.so.5", RTLD_NOW | RTLD_LOCAL);
    *(void **)&jansson.loadb = symbol(a, "json_loadb");
    *(void **)&jansson.dumps = symbol(a, "json_dumps");
    *(void **)&jansson.delete = symbol(a, "json_delete");
    *(void **)&jsonc.tokener_new = symbol(b, "json_tokener_new");
    *(void **)&jsonc.parse_ex = symbol(b, "json_tokener_parse_ex");
    *(void **)&jsonc.tokener_free = symbol(b, "json_tokener_free");
    *(void **)&jsonc.put = symbol(b, "json_object_put");
    *(void **)&jsonc.to_string = symbol(b, "json_object_to_json_string_length");
}

static void cjson_parse(void) {
    cJSON_Delete(cJSON_ParseWithLength((const char *)text.ptr, text.len));
}
static void cjson_write(void) {
    char *s = cJSON_PrintUnformatted(cjson_doc);
    sink = strlen(s);
    cJSON_free(s);
}
static void libcbor_parse(void) {
    struct cbor_load_result r;
    cbor_item_t *item = cbor_load(bytes.ptr, bytes.len, &r);
    cbor_decref(&item);
}
static void libcbor_write(void) {
    unsigned char *out = NULL;
    size_t size = 0;
    sink = cbor_serialize_alloc(cbor_doc, &out, &size);
    free(out);
}

bool simdjson_parse(const char *text, size_t len); /* simdjson.cc */
size_t simdjson_minify(const char *text, size_t len);
static void simd_parse(void) {
    if (!simdjson_parse((const char *)text.ptr, text.len)) abort();
}
static void simd_write(void) {
    sink = simdjson_minify((const char *)text.ptr, text.len);
}

/* A large body in memory. On a processor with instructions for SHA-256, others than BearSSL are faster. */
#define BODY (8u << 20)
static struct slice body;

static void our_blake3(void) {
    uint8_t sum[BLAKE3_SUM];
    blake3_sum(body, sum);
    sink = sum[0];
}
static void our_blake3_plain(void) {
    struct blake3 b;
    uint8_t sum[BLAKE3_SUM];
    blake3_init(&b);
    b.lanes = 1;
    blake3_add(&b, body);
    blake3_end(&b, sum, sizeof sum);
    sink = sum[0];
}
static void bear_sha256(void) {
    uint8_t sum[br_sha256_SIZE];
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, body.ptr, body.len);
    br_sha256_out(&sha, sum);
    sink = sum[0];
}

struct line {
    const char *name;
    void (*run)(void);
    const struct slice *size;
    double mbs[ROUNDS], median;
};

static int compare(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void measure(struct line *lines, size_t n) {
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < n; i++) {
            int64_t start = clock_mono_us(), now;
            unsigned times = 0;
            do {
                lines[i].run();
                times++;
                now = clock_mono_us();
            } while (now - start < 40000);
            lines[i].mbs[round] = (double)lines[i].size->len * times / (double)(now - start);
        }
    for (size_t i = 0; i < n; i++) {
        qsort(lines[i].mbs, ROUNDS, sizeof(double), compare);
        lines[i].median = lines[i].mbs[ROUNDS / 2];
    }
}

static void show(const char *what, const struct line *lines, size_t n) {
    printf("%s\n", what);
    for (size_t i = 0; i < n; i++) printf("  %-14s %8.0f MB/s%s", lines[i].name, lines[i].median, i ? "" : "\n");
    for (size_t i = 1; i < n; i++)
        printf("%s%.2f x %s", i == 1 ? "\n  startbox is   " : ", ", lines[0].median / lines[i].median, lines[i].name);
    printf("\n");
}

/* Many small values, some 15 bytes each: what logs and metrics look like. */
static struct val small_values(void) {
    struct val list = val_empty_array();
    for (uint64_t i = 0; i < 9000; i++) {
        struct val m = val_empty_map();
        for (uint64_t k = 0; k < 9; k++) {
            char key[32], word[40];
            snprintf(key, sizeof key, "field%u-%u", (unsigned)k, (unsigned)(k * k));
            snprintf(word, sizeof word, "text %u of it", (unsigned)(i * k));
            val_set_str(&m, key, k % 3 == 0 ? val_of_u64(i * k) : k % 3 == 1 ? val_of_str(word) : val_of_bool(k & 1));
        }
        val_push(&list, m);
    }
    return list;
}

int main(void) {
    load_peers();
    doc = statedoc_make(200, 1);
    struct buf b, c;
    buf_init(&b, 1u << 30);
    buf_init(&c, 1u << 30);
    if (!json_write(&b, &doc, JSON_COMPACT, NULL) || !cbor_write(&c, &doc, NULL)) return 1;
    text = buf_slice(&b);
    bytes = buf_slice(&c);
    val_unref(&doc);
    uint64_t before = mem_stats().live_bytes;
    if (!json_parse(text, &json_limits, &doc, NULL)) return 1;
    uint64_t tree = mem_stats().live_bytes - before;
    printf("codecs: %zu bytes of JSON, %zu of CBOR, %zu values; tree %.2f x the text, %.2f x the CBOR\n", text.len,
           bytes.len, val_weight(&doc, SIZE_MAX), (double)tree / (double)text.len, (double)tree / (double)bytes.len);
    jansson_doc = jansson.loadb((const char *)text.ptr, text.len, 0, NULL);
    jsonc_doc = jsonc_read();
    cjson_doc = cJSON_ParseWithLength((const char *)text.ptr, text.len);
    struct cbor_load_result r;
    cbor_doc = cbor_load(bytes.ptr, bytes.len, &r);
    struct line parse[] = {{"startbox", our_json_parse, &text, {0}, 0},
                           {"jansson", jansson_parse, &text, {0}, 0},
                           {"json-c", jsonc_parse, &text, {0}, 0},
                           {"cJSON", cjson_parse, &text, {0}, 0},
                           {"simdjson tape", simd_parse, &text, {0}, 0}};
    struct line write[] = {{"startbox", our_json_write, &text, {0}, 0},
                           {"jansson", jansson_write, &text, {0}, 0},
                           {"json-c", jsonc_write, &text, {0}, 0},
                           {"cJSON", cjson_write, &text, {0}, 0},
                           {"simdjson tape", simd_write, &text, {0}, 0}};
    struct line cparse[] = {{"startbox", our_cbor_parse, &bytes, {0}, 0},
                            {"libcbor tree", libcbor_parse, &bytes, {0}, 0}};
    struct line cwrite[] = {{"startbox", our_cbor_write, &bytes, {0}, 0},
                            {"libcbor tree", libcbor_write, &bytes, {0}, 0}};
    measure(parse, 5);
    show("JSON to value (bar: 1.0 x cJSON, 1.3 x the better of jansson and json-c)", parse, 5);
    measure(write, 5);
    show("value to JSON (bar: 2 x cJSON, 1.3 x the better of jansson and json-c)", write, 5);
    measure(cparse, 2);
    show("CBOR to value (bar: 3.5 x libcbor)", cparse, 2);
    measure(cwrite, 2);
    show("value to CBOR (bar: 2 x libcbor)", cwrite, 2);
    val_unref(&doc);
    doc = small_values();
    buf_reset(&b);
    buf_reset(&c);
    if (!json_write(&b, &doc, JSON_COMPACT, NULL) || !cbor_write(&c, &doc, NULL)) return 1;
    text = buf_slice(&b);
    bytes = buf_slice(&c);
    printf("\nmany small values: %zu bytes of JSON, %zu of CBOR, %zu values\n", text.len, bytes.len,
           val_weight(&doc, SIZE_MAX));
    measure(parse, 5);
    show("JSON to value", parse, 5);
    measure(cparse, 2);
    show("CBOR to value (bar: 3.5 x libcbor)", cparse, 2);
    val_unref(&doc);
    struct line hash[] = {{"startbox", our_blake3, &body, {0}, 0},
                          {"one at a time", our_blake3_plain, &body, {0}, 0},
                          {"BearSSL SHA-256", bear_sha256, &body, {0}, 0}};
    buf_reset(&b);
    uint8_t *at = buf_room(&b, BODY);
    if (!at) return 1;
    for (size_t i = 0; i < BODY; i++) at[i] = (uint8_t)(i * i >> 7);
    buf_wrote(&b, BODY);
    body = buf_slice(&b);
    measure(hash, 3);
    printf("\n");
    show("BLAKE3 of 8 MiB (bar: 5 x SHA-256)", hash, 3);
    jansson.delete(jansson_doc);
    jsonc.put(jsonc_doc);
    cJSON_Delete(cjson_doc);
    cbor_decref(&cbor_doc);
    buf_release(&b);
    buf_release(&c);
    return 0;
}
