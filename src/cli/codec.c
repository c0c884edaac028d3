/* codec.c - the frame of `startbox codec`: reads standard input, cuts it, prints what drivers say. See codec.h. */
#include "cli/codec.h"

#include "base/hex.h"
#include "base/limits.h"
#include "base/num.h"
#include "protocols/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct codec_row {
    const char *name;
    int (*run)(struct codec_run *run);
    const char *sentence;
} codecs[] = {
    {"json", codec_json, "a document, printed compact"},
    {"cbor", codec_cbor, "hex of one item, printed as JSON or diagnostic notation; `roundtrip`: deterministic hex"},
    {"jsonptr", codec_jsonptr, "{\"doc\":…,\"pointer\":\"…\"}, prints what it points to"},
    {"jsonpatch", codec_jsonpatch, "{\"doc\":…,\"patch\":[…]}, prints the result"},
    {"jsonrpc", codec_jsonrpc, "calls, batches and answers, one line an event"},
    {"lines", codec_lines, "lines as a stream of messages"},
    {"http1", codec_http1, "--role server|client: requests or answers, one line an event"},
    {"websocket", codec_websocket, "--role server|client: frames, one line an event"},
    {"sse", codec_sse, "an event stream, one line an event; `retry`: the last retry time"},
    {"dns", codec_dns, "hex of one message a line, printed as JSON"},
    {"jose", codec_jose, "open|seal|jwk|sign|verify: keys, encrypted and signed texts, JSON in and out"},
    {"x509", codec_x509, "PEM: certificates, one line each; keys and others by kind only"},
    {"blake3", codec_blake3, "--key HEX, --derive CONTEXT, --len N: the hash of the input in hexadecimal"},
    {"ed25519ph", codec_ed25519ph, "key|sign|verify: signatures with a context, JSON in and out"},
    {"authsig", codec_authsig, "read|sign|check: the header of signed requests, JSON in and out"},
    {"yaml", codec_yaml, "a JSON document, printed as YAML"},
};

#define CODEC_N (sizeof codecs / sizeof codecs[0])

static void die_of_memory(void) {
    fprintf(stderr, "startbox codec: out of memory\n");
    exit(71);
}

struct slice codec_piece(struct codec_run *run) {
    size_t n = run->input.len;
    if (run->cut && n) {
        run->cut = run->cut * 6364136223846793005u + 1442695040888963407u;
        size_t want = 1 + (size_t)((run->cut >> 33) % (run->cut >> 60 & 1 ? 5 : 60));
        if (want < n) n = want;
    }
    struct slice piece = slice_head(run->input, n);
    run->input = slice_skip(run->input, n);
    return piece;
}

const char *codec_option(const struct codec_run *run, const char *name) {
    for (int i = 0; i + 1 < run->argc; i++)
        if (!strncmp(run->argv[i], "--", 2) && !strcmp(run->argv[i] + 2, name)) return run->argv[i + 1];
    return NULL;
}

void codec_flush(struct codec_run *run) {
    size_t done = 0;
    while (done < run->out.len) {
        ssize_t n = write(STDOUT_FILENO, run->out.ptr + done, run->out.len - done);
        if (n < 0) exit(71);
        done += (size_t)n;
    }
    buf_reset(&run->out);
}

void codec_say(struct codec_run *run, struct val event) {
    if (val_is_none(&event)) die_of_memory();
    struct err e = ERR_INIT;
    if (!json_write(&run->out, &event, JSON_COMPACT, &e) || !buf_byte(&run->out, '\n')) die_of_memory();
    val_unref(&event);
    if (run->out.len > 65536) codec_flush(run);
}

void codec_say_need(struct codec_run *run) {
    codec_say(run, VAL_MAP_OF({"event", val_of_str("need")}));
}

int codec_say_bad(struct codec_run *run, int status, const struct err *e) {
    codec_say(run, VAL_MAP_OF({"event", val_of_str("bad")}, {"status", status ? val_of_i64(status) : val_null()},
                              {"limit", e->limit ? val_of_str(e->limit) : val_null()},
                              {"at", e->at == ERR_NOWHERE ? val_null() : val_of_u64(e->at)},
                              {"why", val_of_text_lossy(slice_str(e->text))}));
    return 1;
}

bool codec_document(struct codec_run *run, struct val *out, struct err *e) {
    struct json_limits limits = {.bytes = LIMIT_JSON_BYTES, .depth = LIMIT_VAL_DEPTH};
    for (int i = 0; i < run->argc; i++)
        if (!strcmp(run->argv[i], "--drop-reserved")) limits.drop_reserved = true;
    struct json *j = json_new(&limits);
    if (!j) return err_nomem(e, "a JSON reader");
    bool good = true;
    for (struct slice piece; good && (piece = codec_piece(run)).len;) good = json_feed(j, piece, e).step == STEP_MORE;
    good = good && json_eof(j, e) == STEP_END;
    if (good) *out = json_take(j);
    json_free(j);
    return good;
}

int codec_fail(const char *name, const struct err *e) {
    if (e->at == ERR_NOWHERE)
        fprintf(stderr, "startbox codec %s: %s\n", name, e->text);
    else
        fprintf(stderr, "startbox codec %s: %s (at byte %zu)\n", name, e->text, e->at);
    return 1;
}

struct val codec_hex(struct slice bytes) {
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    hex_add(&b, bytes);
    struct val v = buf_ok(&b) ? val_of_text_checked(buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

static int usage(void) {
    fprintf(stderr, "usage: startbox codec NAME [--cut SEED] [options] < input\n\n");
    for (size_t i = 0; i < CODEC_N; i++) fprintf(stderr, "  %-10s %s\n", codecs[i].name, codecs[i].sentence);
    return 2;
}

static bool read_input(struct buf *in) {
    for (;;) {
        uint8_t *at = buf_room(in, 65536);
        if (!at) return false;
        ssize_t n = read(STDIN_FILENO, at, 65536);
        if (n < 0) return false;
        if (n == 0) return true;
        buf_wrote(in, (size_t)n);
    }
}

int codec_main(int argc, char **argv) {
    const struct codec_row *row = NULL;
    for (size_t i = 0; i < CODEC_N && argc > 0; i++)
        if (!strcmp(argv[0], codecs[i].name)) row = &codecs[i];
    if (!row) return usage();
    struct codec_run run = {0};
    /* Take --cut SEED out, leave the rest to the driver. */
    char **rest = calloc((size_t)argc, sizeof *rest);
    if (!rest) die_of_memory();
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--cut")) {
            uint64_t seed;
            if (i + 1 == argc || !num_read_u64(slice_str(argv[i + 1]), 0, UINT64_MAX, &seed)) {
                fprintf(stderr, "startbox codec: --cut wants a number\n");
                free(rest);
                return 2;
            }
            run.cut = seed * 2 + 1;
            i++;
        } else
            rest[run.argc++] = argv[i];
    }
    run.argv = rest;
    buf_init(&run.out, SIZE_MAX / 2);
    struct buf in;
    buf_init(&in, LIMIT_CODEC_INPUT + 65536);
    int code;
    if (!read_input(&in) || in.len > LIMIT_CODEC_INPUT) {
        fprintf(stderr,
                "startbox codec: the input cannot be read, or is over the limit LIMIT_CODEC_INPUT of %u bytes\n",
                LIMIT_CODEC_INPUT);
        code = 1;
    } else {
        run.input = buf_slice(&in);
        code = row->run(&run);
        codec_flush(&run);
    }
    buf_release(&run.out);
    buf_release(&in);
    free(rest);
    return code;
}
