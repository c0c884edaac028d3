/* dns_record.h - what stands in the sections of a DNS message: types, classes, and the data of each type.
 *
 * For: struct dns_record, one question or record, and looking into the parts of its data that are lists (TXT
 *   strings, SVCB parameters, EDNS options).
 * Types in a shape of their own: A AAAA CNAME NS PTR MD MF MB MG MR MINFO SOA MX RP AFSDB RT SRV TXT CAA SVCB HTTPS
 *   OPT. All others are raw bytes (RFC 3597). A, AAAA, SRV, SVCB and HTTPS have their shape in class IN only.
 * Slices: point into the message that was read, or to what the writer's caller lends.
 * Tried: tests/protocols/dns, fuzz/dns. */
#ifndef PROTOCOLS_DNS_RECORD_H
#define PROTOCOLS_DNS_RECORD_H

#include "protocols/dns_name.h"

/* Every number has a name or is shown as TYPE123, CLASS123 (RFC 3597), OPCODE3, RCODE12. */
#define DNS_TYPES(X)                                                                                                   \
    X(A, 1)                                                                                                            \
    X(NS, 2)                                                                                                           \
    X(MD, 3)                                                                                                           \
    X(MF, 4)                                                                                                           \
    X(CNAME, 5)                                                                                                        \
    X(SOA, 6)                                                                                                          \
    X(MB, 7)                                                                                                           \
    X(MG, 8)                                                                                                           \
    X(MR, 9)                                                                                                           \
    X(NULL, 10)                                                                                                        \
    X(WKS, 11)                                                                                                         \
    X(PTR, 12)                                                                                                         \
    X(HINFO, 13)                                                                                                       \
    X(MINFO, 14)                                                                                                       \
    X(MX, 15)                                                                                                          \
    X(TXT, 16)                                                                                                         \
    X(RP, 17)                                                                                                          \
    X(AFSDB, 18)                                                                                                       \
    X(RT, 21)                                                                                                          \
    X(SIG, 24)                                                                                                         \
    X(KEY, 25)                                                                                                         \
    X(PX, 26)                                                                                                          \
    X(AAAA, 28)                                                                                                        \
    X(LOC, 29)                                                                                                         \
    X(NXT, 30)                                                                                                         \
    X(SRV, 33)                                                                                                         \
    X(NAPTR, 35)                                                                                                       \
    X(KX, 36)                                                                                                          \
    X(CERT, 37)                                                                                                        \
    X(DNAME, 39)                                                                                                       \
    X(OPT, 41)                                                                                                         \
    X(APL, 42)                                                                                                         \
    X(DS, 43)                                                                                                          \
    X(SSHFP, 44)                                                                                                       \
    X(IPSECKEY, 45)                                                                                                    \
    X(RRSIG, 46)                                                                                                       \
    X(NSEC, 47)                                                                                                        \
    X(DNSKEY, 48)                                                                                                      \
    X(DHCID, 49)                                                                                                       \
    X(NSEC3, 50)                                                                                                       \
    X(NSEC3PARAM, 51)                                                                                                  \
    X(TLSA, 52)                                                                                                        \
    X(SMIMEA, 53)                                                                                                      \
    X(HIP, 55)                                                                                                         \
    X(CDS, 59)                                                                                                         \
    X(CDNSKEY, 60)                                                                                                     \
    X(OPENPGPKEY, 61)                                                                                                  \
    X(CSYNC, 62)                                                                                                       \
    X(ZONEMD, 63)                                                                                                      \
    X(SVCB, 64)                                                                                                        \
    X(HTTPS, 65)                                                                                                       \
    X(SPF, 99)                                                                                                         \
    X(EUI48, 108)                                                                                                      \
    X(EUI64, 109)                                                                                                      \
    X(TKEY, 249)                                                                                                       \
    X(TSIG, 250)                                                                                                       \
    X(IXFR, 251)                                                                                                       \
    X(AXFR, 252)                                                                                                       \
    X(MAILB, 253)                                                                                                      \
    X(MAILA, 254)                                                                                                      \
    X(ANY, 255)                                                                                                        \
    X(URI, 256)                                                                                                        \
    X(CAA, 257)
#define DNS_CLASSES(X)                                                                                                 \
    X(IN, 1)                                                                                                           \
    X(CH, 3)                                                                                                           \
    X(HS, 4)                                                                                                           \
    X(NONE, 254)                                                                                                       \
    X(ANY, 255)
#define DNS_OPCODES(X)                                                                                                 \
    X(QUERY, 0)                                                                                                        \
    X(IQUERY, 1)                                                                                                       \
    X(STATUS, 2)                                                                                                       \
    X(NOTIFY, 4)                                                                                                       \
    X(UPDATE, 5)                                                                                                       \
    X(DSO, 6)
#define DNS_RCODES(X)                                                                                                  \
    X(NOERROR, 0)                                                                                                      \
    X(FORMERR, 1)                                                                                                      \
    X(SERVFAIL, 2)                                                                                                     \
    X(NXDOMAIN, 3)                                                                                                     \
    X(NOTIMP, 4)                                                                                                       \
    X(REFUSED, 5)                                                                                                      \
    X(YXDOMAIN, 6)                                                                                                     \
    X(YXRRSET, 7)                                                                                                      \
    X(NXRRSET, 8)                                                                                                      \
    X(NOTAUTH, 9)                                                                                                      \
    X(NOTZONE, 10)                                                                                                     \
    X(DSOTYPENI, 11)                                                                                                   \
    X(BADVERS, 16)                                                                                                     \
    X(BADKEY, 17)                                                                                                      \
    X(BADTIME, 18)                                                                                                     \
    X(BADMODE, 19)                                                                                                     \
    X(BADNAME, 20)                                                                                                     \
    X(BADALG, 21)                                                                                                      \
    X(BADTRUNC, 22)                                                                                                    \
    X(BADCOOKIE, 23)
/* Parameters of SVCB and HTTPS, and EDNS options. */
#define DNS_PARAMS(X)                                                                                                  \
    X(MANDATORY, 0, "mandatory")                                                                                       \
    X(ALPN, 1, "alpn")                                                                                                 \
    X(NO_DEFAULT_ALPN, 2, "no-default-alpn")                                                                           \
    X(PORT, 3, "port")                                                                                                 \
    X(IPV4HINT, 4, "ipv4hint")                                                                                         \
    X(ECH, 5, "ech")                                                                                                   \
    X(IPV6HINT, 6, "ipv6hint")
#define DNS_OPTIONS(X)                                                                                                 \
    X(NSID, 3)                                                                                                         \
    X(CLIENT_SUBNET, 8)                                                                                                \
    X(EXPIRE, 9)                                                                                                       \
    X(COOKIE, 10)                                                                                                      \
    X(TCP_KEEPALIVE, 11)                                                                                               \
    X(PADDING, 12)                                                                                                     \
    X(EDE, 15)

#define X(name, number) DNS_TYPE_##name = number,
enum dns_type { DNS_TYPES(X) };
#undef X
#define X(name, number) DNS_CLASS_##name = number,
enum dns_class { DNS_CLASSES(X) };
#undef X
#define X(name, number) DNS_OPCODE_##name = number,
enum dns_opcode { DNS_OPCODES(X) };
#undef X
#define X(name, number) DNS_RCODE_##name = number,
enum dns_rcode { DNS_RCODES(X) };
#undef X
#define X(name, number, text) DNS_PARAM_##name = number,
enum dns_param_key { DNS_PARAMS(X) };
#undef X
#define X(name, number) DNS_OPTION_##name = number,
enum dns_option_code { DNS_OPTIONS(X) };
#undef X

/* The name, or NULL for a number without one. */
const char *dns_type_name(unsigned type);
const char *dns_class_name(unsigned klass);
const char *dns_opcode_name(unsigned opcode);
const char *dns_rcode_name(unsigned rcode);
const char *dns_param_name(unsigned key);
const char *dns_option_name(unsigned code);
/* The number of a name, either case, TYPE123, CLASS123, OPCODE3, RCODE12 and key123 included. */
bool dns_type_from(struct slice text, uint16_t *type);
bool dns_class_from(struct slice text, uint16_t *klass);
bool dns_opcode_from(struct slice text, uint16_t *opcode);
bool dns_rcode_from(struct slice text, uint16_t *rcode);
bool dns_param_from(struct slice text, uint16_t *key);

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };

/* Which member of `data` counts. */
enum dns_form {
    DNS_FORM_RAW,      /* rdata only */
    DNS_FORM_QUESTION, /* a question has no data */
    DNS_FORM_EMPTY,    /* a record of an UPDATE that names a set and has no data (RFC 2136) */
    DNS_FORM_IPV4,     /* A */
    DNS_FORM_IPV6,     /* AAAA */
    DNS_FORM_NAME,     /* CNAME NS PTR MD MF MB MG MR: name */
    DNS_FORM_NAMES,    /* MINFO RP: name, other */
    DNS_FORM_MX,       /* MX AFSDB RT: preference (or subtype), name */
    DNS_FORM_SOA,
    DNS_FORM_SRV,
    DNS_FORM_TXT, /* rdata: see dns_text_next */
    DNS_FORM_CAA,
    DNS_FORM_SVCB, /* SVCB HTTPS; params: see dns_param_next */
    DNS_FORM_OPT,
};

struct dns_edns {
    uint16_t size;      /* bytes of a datagram that the sender can take */
    uint8_t rcode_high; /* what the rcode in the head has no room for, its upper eight bits */
    uint8_t version;
    bool dnssec_ok;
    struct slice options; /* see dns_option_next */
};

struct dns_record {
    enum dns_section section;
    enum dns_form form;
    struct dns_name name;
    uint16_t type, klass;
    bool flush;         /* with mDNS rules the top bit of the class: cache-flush, in questions unicast-response */
    uint32_t ttl;       /* at most 2^31 - 1; a larger one on the wire is 0 (RFC 2181 8) */
    struct slice rdata; /* as on the wire: names inside may be compressed. Writing: of RAW and TXT */
    size_t at;          /* where it began in the message */
    union {
        uint8_t ipv4[4];
        uint8_t ipv6[16];
        struct {
            struct dns_name name, other; /* SOA: mname, rname; SRV, SVCB: the target */
            uint16_t preference;         /* MX; SRV, SVCB: priority */
            uint16_t weight, port;       /* SRV */
            uint32_t serial, refresh, retry, expire, minimum;
            struct slice params; /* SVCB */
        };
        struct {
            uint8_t flags;
            struct slice tag, value;
        } caa;
        struct dns_edns edns;
    } data;
};

enum dns_form dns_form_of(unsigned type, unsigned klass);

/* Lists inside data that was read: takes the next one off *rest; false at the end. */
bool dns_text_next(struct slice *rest, struct slice *text);
bool dns_param_next(struct slice *rest, uint16_t *key, struct slice *value);
bool dns_option_next(struct slice *rest, uint16_t *code, struct slice *value);
/* The parts of alpn, one after the other. */
static inline bool dns_alpn_next(struct slice *rest, struct slice *id) {
    return dns_text_next(rest, id);
}

/* And making them: each appends one whole part. A string of at most 255 bytes; parameters in rising order of their keys
 * into a buffer that holds nothing else. */
bool dns_text_add(struct buf *out, struct slice text, struct err *e);
bool dns_param_add(struct buf *params, unsigned key, struct slice value, struct err *e);
bool dns_option_add(struct buf *options, unsigned code, struct slice value, struct err *e);

/* The rules of the lists; `at` is where they stand, for the error. An empty list of strings is refused. A priority
 * of 0 (alias mode) has parameters that nobody looks at, so only their order and lengths count (RFC 9460 2.4.2). */
bool dns_text_check(struct slice strings, size_t at, struct err *e);
bool dns_params_check(struct slice params, unsigned priority, size_t at, struct err *e);
bool dns_options_check(struct slice options, size_t at, struct err *e);
bool dns_caa_check(struct slice tag, size_t at, struct err *e);

/* The data of record r (name, type, class, section known) in message[start, end). Fills form, rdata, data. `update`:
 * by the rules of opcode UPDATE; `mdns`: an empty TXT is let through (RFC 6763 6.1). */
struct dns_data_rules {
    unsigned jumps;
    bool update, mdns;
};
bool dns_data_read(struct slice message, size_t start, size_t end, const struct dns_data_rules *rules,
                   struct dns_record *r, struct err *e);

#endif
