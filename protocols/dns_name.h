/* dns_name.h - domain names: on the wire (RFC 1035 3.1, 4.1.4) and as text (5.1).
 *
 * For: one name, always whole and uncompressed in memory: labels of 1 to 63 bytes with their lengths, then the
 *   root's zero. Any byte may stand in a label; spelling is kept, comparing ignores the case of ASCII letters (RFC
 *   4343).
 * Reading from a message follows compression pointers safely: each must go back before the run of labels it stands
 *   in and may not point into the message's head; the labels it leads to must end before that run. So no loop can be
 *   written.
 * Owns: nothing. No allocation.
 * Tried: tests/protocols/dns, fuzz/dns. */
#ifndef PROTOCOLS_DNS_NAME_H
#define PROTOCOLS_DNS_NAME_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/step.h"

#define DNS_NAME_MAX  255 /* bytes on the wire, the root's zero included */
#define DNS_LABEL_MAX 63
#define DNS_HEAD      12   /* bytes of a message's head */
#define DNS_NAME_TEXT 1016 /* bytes that the longest name may need as text */

struct dns_name {
    uint8_t len; /* bytes in use, 1 to 255 */
    uint8_t bytes[DNS_NAME_MAX];
};

#define DNS_NAME_ROOT                                                                                                  \
    {                                                                                                                  \
        .len = 1, .bytes = { 0 }                                                                                       \
    }

/* Reads the name at *at, whose bytes there must lie before `end`, and moves *at behind it. At most `jumps` pointers
 * are followed; with 0 a compressed name is refused. STEP_EVENT: read. STEP_MORE: the bytes end before the name does
 * (*e says so too). STEP_BAD: refused. Offsets count from the message's start. */
enum step dns_name_read(struct slice message, size_t *at, size_t end, unsigned jumps, struct dns_name *out,
                        struct err *e);

/* Text to name: labels with dots between, \. \\ and \DDD escapes, the last dot may be left out; "." is the root.
 * Refused: empty labels, names too long, what is not visible ASCII (international names come as xn--...). */
bool dns_name_from(struct slice text, struct dns_name *out, struct err *e);
/* Name to text, ending in a dot. What has a meaning in zone files ( . \ " ( ) ; @ $ ) gets a backslash, what is not
 * visible ASCII becomes \DDD. Reads back as the same name. */
bool dns_name_add(struct buf *out, const struct dns_name *name);

/* The same spelling; the same name whatever the case of letters. */
static inline bool dns_name_same(const struct dns_name *a, const struct dns_name *b) {
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
/* Whether name is parent or stands below it. */
bool dns_name_under(const struct dns_name *name, const struct dns_name *parent);
/* The name without its first label; the root stays the root. */
struct dns_name dns_name_parent(const struct dns_name *name);
/* Puts a label in front. False when it does not fit or is empty. */
bool dns_name_prepend(struct dns_name *name, struct slice label);
/* Its first label; empty for the root. Points into the name. */
static inline struct slice dns_name_label(const struct dns_name *name) {
    return slice_of(name->bytes + 1, name->bytes[0]);
}
/* How many labels, the root's not counted. */
unsigned dns_name_labels(const struct dns_name *name);
/* Makes letters lower-case: the form for tables. */
void dns_name_lower(struct dns_name *name);

#endif
