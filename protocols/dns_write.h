/* dns_write.h - DNS messages made: a builder over a buffer, with a size limit and name compression.
 *
 * Driven: dns_write_open, then questions and records in the order of the sections, then dns_write_end. After each
 *   call the bytes are a whole, well-formed message. Room for the OPT is kept from the start, so it always fits.
 * Truncation: a record that does not fit leaves no trace. In the answer and authority sections it sets TC; in the
 *   additional section it does not (RFC 2181 9). After it no further record is written.
 * Compression: owner names and the names inside the types of RFC 1035 (NS CNAME PTR MD MF MB MG MR MINFO SOA MX),
 *   spelling kept; SRV only by mDNS rules (RFC 6762 18.14), never RP, AFSDB, RT, SVCB, HTTPS (RFC 3597 4, RFC 9460
 *   2.2).
 * Owns: nothing; the buffer is the caller's. A bounded table of names lies inside the struct: no allocation but the
 * buffer's.
 * Refused: what dns_next would not read back.
 * Tried: tests/protocols/dns, fuzz/dns, `startbox codec dns roundtrip`. */
#ifndef PROTOCOLS_DNS_WRITE_H
#define PROTOCOLS_DNS_WRITE_H

#include "protocols/dns.h"

#define DNS_WRITE_SLOTS 128 /* of the name table; three quarters are used */

enum dns_wrote { DNS_WROTE, DNS_CUT, DNS_REFUSED };

struct dns_writer {
    /* May be changed until dns_write_end: the answer's bits and rcode (above 15 only with EDNS). TC sets itself. */
    struct dns_header header;
    bool compress; /* true from dns_write_open on */
    bool mdns;     /* `flush` is written; SRV may be compressed; an empty TXT is let through */

    /* The rest is the room's. */
    struct buf *out;
    size_t base, limit, kept; /* where the message starts; how long it may get; what is kept for the OPT */
    struct dns_edns edns;
    bool has_edns, full, ended;
    enum dns_section section;
    unsigned names;
    uint16_t hash[DNS_WRITE_SLOTS], at[DNS_WRITE_SLOTS]; /* at 0: free */
};

/* Begins a message behind what `out` holds. `limit`: bytes of the message, at most 65535. `edns`: what its OPT shall
 * say, or NULL; the options are borrowed until dns_write_end, rcode_high is not looked at. False: no room for head
 * and OPT. */
bool dns_write_open(struct dns_writer *w, struct buf *out, size_t limit, const struct dns_header *header,
                    const struct dns_edns *edns, struct err *e);
/* `unicast`: the mDNS bit. A question that does not fit is refused. */
bool dns_write_question(struct dns_writer *w, const struct dns_name *name, unsigned type, unsigned klass, bool unicast,
                        struct err *e);
/* Writes r by its form into its section. DNS_CUT: it did not fit, or one before it did not. OPT is refused here. */
enum dns_wrote dns_write_record(struct dns_writer *w, const struct dns_record *r, struct err *e);
/* Writes the OPT and the head. Records may still follow in the additional section (a TSIG must stand last). */
bool dns_write_end(struct dns_writer *w, struct err *e);
/* Keeps n bytes more free until dns_write_end, for a record that must stand behind the OPT. */
bool dns_write_keep(struct dns_writer *w, size_t n, struct err *e);
/* How long the message is now, the room kept for the OPT not counted. */
static inline size_t dns_write_length(const struct dns_writer *w) {
    return w->out->len - w->base;
}

/* Records in one expression:
 *     struct dns_record r = dns_record_of(DNS_ANSWER, &name, DNS_TYPE_A, 60);
 * Class IN, the form of the type, no data yet. The name is copied. */
struct dns_record dns_record_of(enum dns_section section, const struct dns_name *name, unsigned type, uint32_t ttl);

/* A query with one question in class IN, recursion desired; what a stub resolver asks. Appends all of it or nothing. */
bool dns_query_write(struct buf *out, uint16_t id, const struct dns_name *name, unsigned type,
                     const struct dns_edns *edns, struct err *e);
/* Begins an answer to q: its id, opcode, RD, CD and question in the asker's spelling; with an OPT that tells `ours`
 * as our size when q had one. An rcode above 15 wants EDNS in q. */
bool dns_answer_open(struct dns_writer *w, struct buf *out, size_t limit, const struct dns_query *q, unsigned rcode,
                     unsigned ours, struct err *e);
/* The answer to what could not be read: the head alone. Only when q->has_header, and never to an answer
 * (q->header.qr). */
bool dns_refusal_write(struct buf *out, const struct dns_query *q, unsigned rcode, struct err *e);

/* A message straight behind its TCP length: begin, write the message, end with what begin answered. */
size_t dns_frame_begin(struct buf *out);
bool dns_frame_end(struct buf *out, size_t begun, struct err *e);

#endif
