/* record.c - see record.h. */
#include "state/record.h"

#include "base/num.h"

#include <stdio.h>
#include <zlib.h>

#define SEGMENT_SUMMED 44 /* bytes of a segment's head below its checksum */
#define RECORD_SUMMED  40
#define FLAG_LAST      1

uint32_t record_sum(struct slice s) {
    return (uint32_t)crc32_z(0, s.ptr, s.len);
}

/* --- segments --- */

static const uint8_t segment_magic[8] = {'S', 'B', 'J', 'R', 'N', 'L', '1', '\n'};

void segment_head_write(uint8_t out[RECORD_BLOCK], const struct segment_head *h) {
    memset(out, 0, RECORD_BLOCK);
    memcpy(out, segment_magic, sizeof segment_magic);
    num_put_be64(out + 8, h->serial);
    num_put_be64(out + 16, h->size);
    num_put_be64(out + 24, h->base);
    num_put_be64(out + 32, h->store);
    num_put_be32(out + 40, h->version);
    num_put_be32(out + 44, record_sum(slice_of(out, SEGMENT_SUMMED)));
}

bool segment_head_read(const uint8_t *p, struct segment_head *h) {
    if (memcmp(p, segment_magic, sizeof segment_magic) != 0) return false;
    if (num_be32(p + 44) != record_sum(slice_of(p, SEGMENT_SUMMED))) return false;
    *h = (struct segment_head){.store = num_be64(p + 32),
                               .serial = num_be64(p + 8),
                               .size = num_be64(p + 16),
                               .base = num_be64(p + 24),
                               .version = num_be32(p + 40)};
    return h->serial <= RECORD_MOST && h->base <= RECORD_MOST;
}

/* --- records --- */

/* The finalizer of splitmix64: every bit of the input moves about half of the output's. */
static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The store's number goes in twice, so that a mark does not give it away. */
uint64_t record_mark(uint64_t store, uint64_t serial) {
    return mix(mix(store ^ mix(serial)) + store);
}

void record_write(uint8_t out[RECORD_HEAD], const struct record *r) {
    memset(out, 0, RECORD_HEAD);
    memcpy(out, "SBr", 3);
    out[3] = (uint8_t)r->kind;
    out[4] = r->last ? FLAG_LAST : 0;
    num_put_be32(out + 8, r->len);
    num_put_be32(out + 12, r->sum);
    num_put_be64(out + 16, r->mark);
    num_put_be64(out + 24, r->revision);
    num_put_be64(out + 32, r->horizon);
    num_put_be32(out + 40, record_sum(slice_of(out, RECORD_SUMMED)));
}

bool record_read(const uint8_t *p, struct record *r) {
    if (memcmp(p, "SBr", 3) != 0) return false;
    if (num_be32(p + 40) != record_sum(slice_of(p, RECORD_SUMMED))) return false;
    if ((p[3] != RECORD_PATCH && p[3] != RECORD_MARK) || (p[4] & ~FLAG_LAST) || p[5] || p[6] || p[7]) return false;
    *r = (struct record){.kind = (enum record_kind)p[3],
                         .last = p[4] & FLAG_LAST,
                         .len = num_be32(p + 8),
                         .sum = num_be32(p + 12),
                         .mark = num_be64(p + 16),
                         .revision = num_be64(p + 24),
                         .horizon = num_be64(p + 32)};
    if (r->kind == RECORD_MARK && r->len) return false;
    return r->revision <= RECORD_MOST && r->horizon <= RECORD_MOST;
}

/* --- names --- */

#define SEGMENT_WORD  "journal-"
#define SNAPSHOT_WORD "snapshot-"
#define DIGITS        16

static void write_name(char out[STATE_NAME], const char *word, uint64_t n) {
    snprintf(out, STATE_NAME, "%s%016llx", word, (unsigned long long)n);
}

static bool read_name(struct slice name, struct slice word, uint64_t *n) {
    struct slice digits = slice_skip(name, word.len);
    if (!slice_starts(name, word) || digits.len != DIGITS) return false;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] >= 'A' && digits.ptr[i] <= 'F') return false; /* a number has one name */
    return num_read_hex(digits, RECORD_MOST, n);
}

void segment_name(char out[STATE_NAME], uint64_t serial) {
    write_name(out, SEGMENT_WORD, serial);
}
bool segment_name_read(struct slice name, uint64_t *serial) {
    return read_name(name, LIT(SEGMENT_WORD), serial);
}
void snapshot_name(char out[STATE_NAME], uint64_t revision) {
    write_name(out, SNAPSHOT_WORD, revision);
}
bool snapshot_name_read(struct slice name, uint64_t *revision) {
    return read_name(name, LIT(SNAPSHOT_WORD), revision);
}
