/* tls.c - any bytes as what a client, or a server, sends: fed by the doors, in the cuts that the first byte says.
 *
 * Without keys nobody gets through a handshake, so what is tried is all that stands before it: records, the hello, alerts, and a
 * server's certificates. First byte: lowest bit: which side we are; the others: the cuts.
 * Beyond not crashing: no plain bytes ever come out; a filter that has failed wants no more bytes and says why. */
#include "wire/tls.h"

#include "base/must.h"
#include "lib/box_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct loop *l, struct stream_filter *f, struct slice in, size_t step) {
    for (unsigned idle = 0; in.len && idle < 3;) {
        size_t room;
        uint8_t *to = f->ops->raw_room(f, &room);
        if (room) {
            struct slice part = slice_head(in, room < step ? room : step);
            memcpy(to, part.ptr, part.len);
            f->ops->raw_came(f, part.len);
            in = slice_skip(in, part.len);
            idle = 0;
        } else {
            idle++;
            loop_turn(l, 0); /* it may have done enough for a turn */
        }
        enum stream_filter_state state = f->ops->state(f);
        must(!f->ops->plain_out(f).len && state != STREAM_FILTER_UP);
        must(state != STREAM_FILTER_FAILED || f->why);
        struct slice out = f->ops->raw_out(f);
        if (out.len) f->ops->raw_sent(f, out.len > 100 ? 100 : out.len);
    }
    size_t room = 0;
    if (f->ops->state(f) == STREAM_FILTER_FAILED) f->ops->raw_room(f, &room);
    must(room == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct loop *l;
    static struct tls_server *server;
    static struct tls_client *client;
    struct err e = ERR_INIT;
    if (!l) {
        struct tls_identity_text text = {slice_str(chain), slice_str(key)};
        l = loop_new(&e);
        server = tls_server_new(l, NULL, &e);
        client = tls_client_new(l, &(struct tls_trust){.roots = slice_str(chain)}, &e);
        must(l && server && client && tls_server_certificates(server, &text, 1, &e));
    }
    if (size < 2 || size > 1 << 16) return 0;
    struct stream_filter *f =
        data[0] & 1 ? tls_accept(server, &e) : tls_connect(client, LIT("box.test"), "http/1.1", &e);
    must(f);
    feed(l, f, slice_of(data + 1, size - 1), data[0] >> 1 ? data[0] >> 1 : SIZE_MAX);
    tls_drop(f);
    must(tls_server_counts(server).open == 0 && tls_client_counts(client).open == 0);
    return 0;
}
