/* der.c - see der.h. */
#include "protocols/der.h"

#include "base/ascii.h"
#include "protocols/date.h"

/* --- heads --- */

static void spoil(struct cur *c) {
    c->bad = true;
    c->at = c->end;
}

/* Elements within: SEQUENCE, SET and what is rarely seen; bytes: all others. Other classes say it themselves. */
static bool is_tag(unsigned tag) {
    unsigned number = tag & 0x1f;
    if (number == 0x1f || tag == 0) return false; /* longer tags; the end of contents in BER */
    if (tag & 0xc0) return true;
    bool made = number == 0x10 || number == 0x11 || number == 0x08 || number == 0x0b || number == 0x1d;
    return made == !!(tag & 0x20);
}

struct cur der_take_any(struct cur *c, unsigned *tag) {
    *tag = cur_u8(c);
    size_t len = cur_u8(c);
    if (!is_tag(*tag)) spoil(c);
    if (len >= 0x80) {
        unsigned width = len & 0x7f;
        if (width < 1 || width > 4) spoil(c); /* indefinite, or more than there can be */
        len = 0;
        for (unsigned i = 0; i < width && !c->bad; i++) len = len << 8 | cur_u8(c);
        if (!c->bad && (len < 0x80 || len >> (8 * (width - 1)) == 0)) spoil(c); /* not the shortest */
    }
    struct cur in = cur_sub(c, c->bad ? 0 : len);
    if (in.bad) *tag = 0;
    return in;
}

struct cur der_take(struct cur *c, unsigned want) {
    unsigned tag;
    struct cur in = der_take_any(c, &tag);
    if (tag == want) return in;
    spoil(c);
    return cur_sub(c, 0);
}

struct slice der_whole_any(struct cur *c) {
    const uint8_t *from = c->at;
    unsigned tag;
    der_take_any(c, &tag);
    return c->bad ? slice_of(c->end, 0) : slice_of(from, (size_t)(c->at - from));
}

struct slice der_whole(struct cur *c, unsigned tag) {
    if (der_peek(c) == tag) return der_whole_any(c);
    spoil(c);
    return slice_of(c->end, 0);
}

/* --- values --- */

struct slice der_octets(struct cur *c, unsigned tag) {
    struct cur in = der_take(c, tag);
    return cur_rest(&in);
}

bool der_bool(struct cur *c) {
    struct slice s = der_octets(c, DER_BOOLEAN);
    if (s.len == 1 && (s.ptr[0] == 0 || s.ptr[0] == 0xff)) return s.ptr[0];
    spoil(c);
    return false;
}

struct slice der_unsigned(struct cur *c, unsigned tag) {
    struct slice s = der_octets(c, tag);
    if (s.len == 0 || s.ptr[0] >= 0x80 || (s.len > 1 && s.ptr[0] == 0 && s.ptr[1] < 0x80)) {
        spoil(c);
        return slice_of(c->end, 0);
    }
    return s.len > 1 && s.ptr[0] == 0 ? slice_skip(s, 1) : s;
}

uint64_t der_small(struct cur *c, uint64_t max) {
    struct slice s = der_unsigned(c, DER_INTEGER);
    uint64_t n = 0;
    if (s.len > 8) spoil(c);
    for (size_t i = 0; i < s.len && !c->bad; i++) n = n << 8 | s.ptr[i];
    if (n > max) spoil(c);
    return c->bad ? 0 : n;
}

bool der_oid_ok(struct slice oid) {
    if (!oid.len || oid.ptr[oid.len - 1] >= 0x80) return false;
    for (size_t i = 0; i < oid.len; i++)
        if (oid.ptr[i] == 0x80 && (i == 0 || oid.ptr[i - 1] < 0x80)) return false; /* a number begins with a zero */
    return true;
}

struct slice der_oid(struct cur *c) {
    struct slice s = der_octets(c, DER_OID);
    if (der_oid_ok(s)) return s;
    spoil(c);
    return slice_of(c->end, 0);
}

/* The bytes, and how many bits of the last do not count; those are 0. */
static struct slice take_bits(struct cur *c, unsigned *unused) {
    struct slice s = der_octets(c, DER_BITS);
    *unused = s.len ? s.ptr[0] : 8;
    if (*unused > 7 || (*unused && (s.len < 2 || s.ptr[s.len - 1] & ((1u << *unused) - 1)))) {
        spoil(c);
        return slice_of(c->end, 0);
    }
    return slice_skip(s, 1);
}

struct slice der_bits(struct cur *c) {
    unsigned unused;
    struct slice s = take_bits(c, &unused);
    if (!unused) return s;
    spoil(c);
    return slice_of(c->end, 0);
}

uint32_t der_named_bits(struct cur *c) {
    unsigned unused;
    struct slice s = take_bits(c, &unused);
    uint32_t bits = 0;
    if (s.len > 4) spoil(c);
    for (size_t i = 0; i < 8 * s.len && !c->bad; i++)
        if (s.ptr[i / 8] & 0x80 >> i % 8) bits |= UINT32_C(1) << i;
    return bits;
}

/* --- dates --- */

static int two_digits(struct cur *c) {
    uint8_t a = cur_u8(c), b = cur_u8(c);
    if (!ascii_is_digit(a) || !ascii_is_digit(b)) spoil(c);
    return c->bad ? 0 : (a - '0') * 10 + b - '0';
}

int64_t der_time(struct cur *c) {
    unsigned tag;
    struct cur t = der_take_any(c, &tag);
    if (tag != DER_UTC_TIME && tag != DER_TIME) spoil(c);
    struct date_moment m = {.year = two_digits(&t)};
    if (tag == DER_TIME)
        m.year = m.year * 100 + two_digits(&t);
    else
        m.year += m.year < 50 ? 2000 : 1900;
    m.month = two_digits(&t);
    m.day = two_digits(&t);
    m.hour = two_digits(&t);
    m.minute = two_digits(&t);
    m.second = two_digits(&t);
    if (cur_u8(&t) != 'Z' || !cur_done(&t) || c->bad || m.year < 1 || !date_moment_ok(&m, 59)) {
        spoil(c);
        return 0;
    }
    return date_seconds(&m);
}

/* --- writing --- */

size_t der_open(struct buf *out, unsigned tag) {
    buf_byte(out, (uint8_t)tag);
    buf_byte(out, 0);
    return out->len;
}

bool der_close(struct buf *out, size_t mark) {
    if (!buf_ok(out)) return false;
    size_t len = out->len - mark, width = 0;
    if (len >= 0x80)
        for (size_t n = len; n; n >>= 8) width++;
    if (width && !buf_room(out, width)) return false;
    uint8_t *at = out->ptr + mark;
    at[-1] = (uint8_t)(width ? 0x80 | width : len);
    if (!width) return true;
    memmove(at + width, at, len);
    for (size_t i = 0; i < width; i++) at[i] = (uint8_t)(len >> (8 * (width - 1 - i)));
    buf_wrote(out, width);
    return true;
}

bool der_add(struct buf *out, unsigned tag, struct slice content) {
    size_t mark = der_open(out, tag);
    buf_add(out, content);
    return der_close(out, mark);
}

bool der_add_bool(struct buf *out, bool is) {
    return der_add(out, DER_BOOLEAN, is ? LIT("\xff") : slice_of("", 1));
}

bool der_add_unsigned(struct buf *out, unsigned tag, struct slice n) {
    while (n.len && n.ptr[0] == 0) n = slice_skip(n, 1);
    size_t mark = der_open(out, tag);
    if (!n.len || n.ptr[0] >= 0x80) buf_byte(out, 0); /* else it would be negative */
    buf_add(out, n);
    return der_close(out, mark);
}

bool der_add_small(struct buf *out, uint64_t n) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(n >> (56 - 8 * i));
    return der_add_unsigned(out, DER_INTEGER, slice_of(bytes, sizeof bytes));
}

bool der_add_bits(struct buf *out, struct slice bytes) {
    size_t mark = der_open(out, DER_BITS);
    buf_byte(out, 0);
    buf_add(out, bytes);
    return der_close(out, mark);
}

bool der_add_named_bits(struct buf *out, uint32_t bits) {
    uint8_t bytes[5] = {0};
    size_t len = 1;
    for (unsigned i = 0; i < 32; i++) {
        if (!(bits >> i & 1)) continue;
        bytes[1 + i / 8] |= (uint8_t)(0x80 >> i % 8);
        bytes[0] = (uint8_t)(7 - i % 8);
        len = 2 + i / 8;
    }
    return der_add(out, DER_BITS, slice_of(bytes, len));
}

bool der_time_ok(int64_t when) {
    const struct date_moment first = {1950, 1, 1, 0, 0, 0}, behind = {10000, 1, 1, 0, 0, 0};
    return when >= date_seconds(&first) && when < date_seconds(&behind);
}

static void put_digits(uint8_t *at, int64_t n, int width) {
    for (; width--; n /= 10) at[width] = (uint8_t)('0' + n % 10);
}

bool der_add_time(struct buf *out, int64_t when) {
    if (!der_time_ok(when)) return false;
    const struct date_moment m = date_of_seconds(when);
    uint8_t text[15];
    put_digits(text, m.year, 4);
    put_digits(text + 4, m.month, 2);
    put_digits(text + 6, m.day, 2);
    put_digits(text + 8, m.hour, 2);
    put_digits(text + 10, m.minute, 2);
    put_digits(text + 12, m.second, 2);
    text[14] = 'Z';
    struct slice all = slice_of(text, sizeof text);
    return m.year < 2050 ? der_add(out, DER_UTC_TIME, slice_skip(all, 2)) : der_add(out, DER_TIME, all);
}
