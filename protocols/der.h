/* der.h - DER (X.690): a strict reader on base/cur.h, and a writer into a buf.
 *
 * For: certificates, requests and keys. Only what they are made of: tags below 31, lengths that fit the memory.
 * Reading: straight code. The first thing that is not DER (or not what was asked for) marks the reader bad, from then on
 *      everything is empty or 0; one look at cur_done (or `bad`) at the end of each part tells. What is read as a part has a
 *      reader of its own: it must be looked at too, the outer one knows nothing of it.
 * Writing: der_open, the content, der_close; the sticky fault of the buf is looked at once at the end.
 * Owns: nothing; slices point into the bytes that are read.
 * Never: takes BER: lengths are definite and the shortest, numbers too, TRUE is 0xff, bits that are not used are 0. Whether a
 *      value that is the default stands there although it must not is seen by whoever knows the defaults.
 * Tried: tests/protocols/x509, fuzz/x509. */
#ifndef PROTOCOLS_DER_H
#define PROTOCOLS_DER_H

#include "base/buf.h"
#include "base/cur.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_OCTETS = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_NUMERIC = 0x12,
    DER_PRINTABLE = 0x13,
    DER_TELETEX = 0x14,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_TIME = 0x18, /* GeneralizedTime */
    DER_VISIBLE = 0x1a,
    DER_UNIVERSAL = 0x1c,
    DER_BMP = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0x80u | (n)) /* [n], with bytes in it */
#define DER_PART(n)    (0xa0u | (n)) /* [n], with elements in it */

/* --- reading --- */

/* The tag of the next element; 0 at the end, or when the reader is bad. */
static inline unsigned der_peek(const struct cur *c) {
    return c->bad || c->at == c->end ? 0 : *c->at;
}
/* The content of the next element, which must have this tag. */
struct cur der_take(struct cur *c, unsigned tag);
/* The next element whatever it is: its tag (0 when bad) and content. */
struct cur der_take_any(struct cur *c, unsigned *tag);
/* The whole next element, tag and length and all; der_whole_any: whatever it is. */
struct slice der_whole(struct cur *c, unsigned tag);
struct slice der_whole_any(struct cur *c);

bool der_bool(struct cur *c);
/* A number that is not negative, in as few bytes as it needs, the highest first (0 is one byte). */
struct slice der_unsigned(struct cur *c, unsigned tag);
/* Such an INTEGER, at most max. */
uint64_t der_small(struct cur *c, uint64_t max);
struct slice der_octets(struct cur *c, unsigned tag);
/* The content of an OBJECT IDENTIFIER, checked. */
struct slice der_oid(struct cur *c);
/* Bits that are whole bytes. */
struct slice der_bits(struct cur *c);
/* Named bits: the first is 1, the second 2, ...; no more than 32 of them. The one thing that is not DER and is let pass: zeros
 * behind the last that is 1, as some of the roots have them that everybody trusts. */
uint32_t der_named_bits(struct cur *c);
/* UTCTime (the years 1950 to 2049) or GeneralizedTime, to the second and in UTC, as seconds since 1970. */
int64_t der_time(struct cur *c);
/* Whether the bytes are a checked object identifier, as content. */
bool der_oid_ok(struct slice oid);

/* --- writing --- */

/* Begins an element; what is appended from then on is its content. der_close wants what der_open answered. */
size_t der_open(struct buf *out, unsigned tag);
bool der_close(struct buf *out, size_t mark);
/* A whole element. */
bool der_add(struct buf *out, unsigned tag, struct slice content);
bool der_add_bool(struct buf *out, bool is);
/* A number that is not negative, the highest byte first; zeros in front are left out. */
bool der_add_unsigned(struct buf *out, unsigned tag, struct slice big_endian);
bool der_add_small(struct buf *out, uint64_t n);
bool der_add_bits(struct buf *out, struct slice bytes);
bool der_add_named_bits(struct buf *out, uint32_t bits);
/* UTCTime until 2049, GeneralizedTime from then on. False and nothing for a year before 1950 or after 9999. */
bool der_time_ok(int64_t when);
bool der_add_time(struct buf *out, int64_t when);

#endif
