/* dns.h - whole DNS messages read (RFC 1035, 2181, 3597, 6891, 9460, 8659; class bits of 6762), and their frame over
 * TCP.
 *
 * Reading walks over one message that is in memory: dns_open reads the head, dns_next gives question after question
 *   and record after record. Nothing is allocated. Refused: pointers that do not go back, lengths that do not fit,
 *   bytes behind the last record, an OPT in the wrong place or twice. A message that is cut short answers STEP_MORE,
 *   with the place in the err; for whoever has all of it, that is a refusal too.
 * Slices: point into the message.
 * Offsets in errors count from the message's start; in dns_frame_feed from dns_frame_init.
 * Limits: struct dns_limits.
 * Writing: dns_write.h.
 * Tried: tests/protocols/dns, fuzz/dns, `startbox codec dns`. */
#ifndef PROTOCOLS_DNS_H
#define PROTOCOLS_DNS_H

#include "protocols/dns_record.h"
#include "protocols/step.h"

#define DNS_JUMPS    127   /* pointers in one name: as many as it can have labels */
#define DNS_MESSAGE  65535 /* the longest message there can be */
#define DNS_UDP_SIZE 512   /* of a datagram, for a peer that sent no OPT */

struct dns_limits {
    size_t bytes;   /* of one message */
    size_t records; /* questions and records in all sections together */
    unsigned jumps; /* pointers followed in one name */
    bool mdns;      /* the top bit of classes is cache-flush or unicast-response, TXT may be empty */
};

struct dns_header {
    uint16_t id;
    bool qr, aa, tc, rd, ra, ad, cd;
    uint8_t opcode;
    uint16_t rcode;    /* reading: the four bits of the head; dns_rcode puts an OPT's on top. Writing: up to 4095 */
    uint16_t count[4]; /* by enum dns_section; writing: not looked at */
};

struct dns_reader {
    struct dns_header header; /* set by dns_open */
    bool has_edns;            /* an OPT was read */

    /* The rest is the room's. */
    struct slice message;
    struct dns_limits limits;
    size_t at;
    unsigned section, done; /* where we are: section, and how many of it were read */
    enum step end;          /* what it came to: STEP_EVENT while there is more */
};

/* STEP_EVENT: the head is read. Else STEP_MORE (fewer than 12 bytes) or STEP_BAD. The message must stay. */
enum step dns_open(struct dns_reader *r, struct slice message, const struct dns_limits *limits, struct err *e);
/* STEP_EVENT: *out is the next question or record. STEP_END: that was all, and the message ends there. */
enum step dns_next(struct dns_reader *r, struct dns_record *out, struct err *e);

/* What a server must know of a query to answer it, and a client of an answer to match it. */
struct dns_query {
    struct dns_header header; /* also set when the rest was refused, if there were 12 bytes: has_header */
    struct dns_name name;
    uint16_t type, klass;
    bool unicast; /* mDNS: the asker wants the answer to itself */
    bool has_header, has_edns;
    struct dns_edns edns; /* options point into the message */
    uint16_t rcode;       /* all bits, an OPT's too */
};
/* Reads all of a message with exactly one question. Refused besides what dns_next refuses: another number of
 * questions. */
enum step dns_query_read(struct dns_query *q, struct slice message, const struct dns_limits *limits, struct err *e);
/* Whether an answer belongs to what was asked: answer bit, id, opcode, question. `exact`: the name in the very same
 * spelling, for askers that mix case against forgery. */
bool dns_query_matches(const struct dns_query *asked, const struct dns_query *answer, bool exact);
/* How long an answer over UDP may be: 512 without EDNS, else what the asker can take, at least 512, at most `ours`. */
size_t dns_answer_room(const struct dns_query *q, size_t ours);

/* Over TCP each message comes behind its length in two bytes. */
struct dns_frame {
    /* The fields are the room's. */
    struct buf part; /* what came of a message that is not whole */
    size_t max;
    uint64_t at;
    bool given, bad;
};
/* `max`: bytes of one message. */
void dns_frame_init(struct dns_frame *f, size_t max);
void dns_frame_release(struct dns_frame *f);
/* STEP_EVENT: *message points into `in` when it is whole there, else into the reader, until the next call. Refused:
 * a message shorter than a head or over the limit "message". */
struct fed dns_frame_feed(struct dns_frame *f, struct slice in, struct slice *message, struct err *e);
/* Whether the stream may end here. */
bool dns_frame_eof(const struct dns_frame *f);
/* Appends length and message. */
bool dns_frame_write(struct buf *out, struct slice message, struct err *e);

#endif
