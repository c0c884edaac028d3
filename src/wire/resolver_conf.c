/* resolver_conf.c - see resolver_conf.h. */
#include "wire/resolver_conf.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "base/num.h"
#include "wire/resolver.h"

#include <stdio.h>

#define NONE UINT32_MAX

/* --- words --- */

static bool is_gap(uint8_t c) {
    return ascii_is_blank(c) || c == '\r' || c == '\v' || c == '\f';
}

/* Takes the next word off the line; empty at its end. */
static struct slice take_word(struct slice *line) {
    while (line->len && is_gap(line->ptr[0])) *line = slice_skip(*line, 1);
    size_t n = 0;
    while (n < line->len && !is_gap(line->ptr[n])) n++;
    struct slice word = slice_head(*line, n);
    *line = slice_skip(*line, n);
    return word;
}

static bool is_comment(struct slice word) {
    return !word.len || word.ptr[0] == '#' || word.ptr[0] == ';';
}

/* --- addresses and names --- */

/* With the port, as address_read wants it. */
static bool read_address(struct slice text, uint16_t port, struct address *a) {
    char both[120];
    bool six = slice_find(text, ':') < text.len;
    if (text.len < 2 || text.len > 100 || slice_find(text, '[') < text.len) return false;
    int n = snprintf(both, sizeof both, six ? "[%.*s]:%u" : "%.*s:%u", (int)text.len, (const char *)text.ptr, port);
    /* A host named "unix" looks like a path to address_read. */
    return n > 0 && address_read(slice_of(both, (size_t)n), a, NULL) && a->any.sa_family == (six ? AF_INET6 : AF_INET);
}

bool host_address_read(struct slice text, struct address *a) {
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        text = slice_of(text.ptr + 1, text.len - 2);
        if (slice_find(text, ':') == text.len) return false;
    }
    return read_address(text, 0, a);
}

/* What some programs would read as a part of an IPv4 address: digits, or 0x and hexadecimal ones. */
static bool is_number(struct slice label) {
    size_t i = 0;
    if (label.len >= 2 && label.ptr[0] == '0' && (label.ptr[1] | 32) == 'x') {
        for (i = 2; i < label.len && ascii_hex(label.ptr[i]) >= 0;) i++;
        return i == label.len;
    }
    while (i < label.len && ascii_is_digit(label.ptr[i])) i++;
    return i == label.len;
}

bool host_name_read(struct slice text, struct dns_name *name, bool *absolute, struct err *e) {
    bool dot = text.len > 1 && text.ptr[text.len - 1] == '.';
    struct slice last = slice_of("", 0);
    int shown = (int)(text.len < 80 ? text.len : 80);
    if (absolute) *absolute = dot;
    if (dot) text.len--;
    if (!text.len) return err_set(e, ERR_INVALID, "want the name of a host, found nothing");
    if (text.ptr[text.len - 1] == '.') return err_set(e, ERR_INVALID, "want a label, found nothing between two dots");
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c >= 0x80)
            return err_at(e, ERR_INVALID, i,
                          "want a host's name in ASCII (international names as xn--...), found byte 0x%02x", c);
        if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
            return err_at(e, ERR_INVALID, i,
                          "want letters, digits, - and dots in the name of a host, found byte 0x%02x", c);
        if (c == '-' && (i == 0 || text.ptr[i - 1] == '.'))
            return err_at(e, ERR_INVALID, i, "want a label that does not begin with -, found \"%.*s\"", shown,
                          (const char *)text.ptr);
    }
    for (struct slice rest = text; rest.len;) last = slice_cut(&rest, '.');
    if (is_number(last))
        return err_set(e, ERR_INVALID, "want an address or the name of a host, found \"%.*s\", which is neither", shown,
                       (const char *)text.ptr);
    if (!dns_name_from(text, name, e)) {
        if (e) e->code = ERR_INVALID;
        return false;
    }
    dns_name_lower(name);
    return true;
}

/* --- resolv.conf --- */

static void read_option(struct resolver_conf *c, struct slice word) {
    static const struct {
        struct slice name;
        size_t field;
        unsigned least, most;
    } rows[] = {
        {LIT_INIT("ndots:"), offsetof(struct resolver_conf, ndots), 0, LIMIT_RESOLV_NDOTS},
        {LIT_INIT("timeout:"), offsetof(struct resolver_conf, timeout_s), 1, LIMIT_RESOLV_TIMEOUT},
        {LIT_INIT("attempts:"), offsetof(struct resolver_conf, attempts), 1, LIMIT_RESOLV_ATTEMPTS},
    };
    if (slice_eq(word, LIT("rotate"))) c->rotate = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t n;
        if (!slice_starts(word, rows[i].name)) continue;
        if (!num_read_u64(slice_skip(word, rows[i].name.len), 0, UINT64_MAX, &n)) return;
        if (n < rows[i].least) n = rows[i].least;
        if (n > rows[i].most) n = rows[i].most;
        *(unsigned *)(void *)((uint8_t *)c + rows[i].field) = (unsigned)n;
    }
}

static void read_line(struct resolver_conf *c, struct slice line, uint16_t port) {
    struct slice key = take_word(&line), word;
    if (is_comment(key)) return;
    if (slice_eq(key, LIT("nameserver"))) {
        if (c->server_n < LIMIT_RESOLV_SERVERS && read_address(take_word(&line), port, &c->server[c->server_n]))
            c->server_n++;
        return;
    }
    bool search = slice_eq(key, LIT("search"));
    if (search || slice_eq(key, LIT("domain"))) {
        c->search_n = 0; /* the last line of either kind counts */
        while (!is_comment(word = take_word(&line)) && c->search_n < (search ? LIMIT_RESOLV_SEARCH : 1u))
            if (host_name_read(word, &c->search[c->search_n], NULL, NULL)) c->search_n++;
        return;
    }
    if (slice_eq(key, LIT("options")))
        while (!is_comment(word = take_word(&line))) read_option(c, word);
}

bool resolver_conf_read(struct resolver_conf *c, struct slice text, uint16_t port, struct err *e) {
    *c = (struct resolver_conf){.ndots = 1, .timeout_s = 5, .attempts = 2};
    if (text.len > LIMIT_RESOLV_BYTES) return err_limit(e, "resolv.conf", LIMIT_RESOLV_BYTES, LIMIT_RESOLV_BYTES);
    while (text.len) read_line(c, slice_cut(&text, '\n'), port);
    if (!c->server_n) read_address(LIT("127.0.0.1"), port, &c->server[c->server_n++]);
    return true;
}

/* --- hosts --- */

struct hosts_entry {
    uint32_t name_at, next; /* in the names; the next one in its bucket */
    uint32_t scope;
    uint8_t name_len;
    bool six;
    uint8_t ip[16];
};

static uint32_t hash_name(struct slice s) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++) h = (h ^ s.ptr[i]) * 16777619u;
    return h ^ h >> 15;
}

static struct slice entry_name(const struct resolver_hosts *h, const struct hosts_entry *entry) {
    return slice_of(h->names.ptr + entry->name_at, entry->name_len);
}

static bool add_entry(struct resolver_hosts *h, const struct address *a, const struct dns_name *name, struct err *e) {
    if (h->n == LIMIT_HOSTS_NAMES) return err_limit(e, "names in hosts", LIMIT_HOSTS_NAMES, ERR_NOWHERE);
    if (h->n == h->cap) {
        uint32_t cap = h->cap ? h->cap * 2 : 16;
        struct hosts_entry *grown = mem_grow(h->entry, h->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) return err_nomem(e, "the hosts");
        h->entry = grown;
        h->cap = cap;
    }
    struct hosts_entry *entry = &h->entry[h->n];
    *entry = (struct hosts_entry){
        .name_at = (uint32_t)h->names.len, .name_len = name->len, .six = a->any.sa_family == AF_INET6, .next = NONE};
    if (entry->six) {
        memcpy(entry->ip, &a->v6.sin6_addr, 16);
        entry->scope = a->v6.sin6_scope_id;
    } else
        memcpy(entry->ip, &a->v4.sin_addr, 4);
    if (!buf_add(&h->names, slice_of(name->bytes, name->len))) return err_nomem(e, "the hosts");
    h->n++;
    return true;
}

static bool read_host_line(struct resolver_hosts *h, struct slice line, struct err *e) {
    struct address a;
    struct dns_name name = DNS_NAME_ROOT;
    line = slice_head(line, slice_find(line, '#'));
    if (!host_address_read(take_word(&line), &a)) return true;
    for (struct slice word = take_word(&line); word.len; word = take_word(&line))
        if (host_name_read(word, &name, NULL, NULL) && !add_entry(h, &a, &name, e)) return false;
    return true;
}

/* The last entry first, so that each bucket lists them in the order of the text. */
static bool index_entries(struct resolver_hosts *h, struct err *e) {
    h->bucket_n = 16;
    while (h->bucket_n < h->n) h->bucket_n *= 2;
    h->bucket = mem_get(h->bucket_n * sizeof *h->bucket);
    if (!h->bucket) return err_nomem(e, "the hosts");
    for (uint32_t i = 0; i < h->bucket_n; i++) h->bucket[i] = NONE;
    for (uint32_t i = h->n; i-- > 0;) {
        uint32_t *bucket = &h->bucket[hash_name(entry_name(h, &h->entry[i])) & (h->bucket_n - 1)];
        h->entry[i].next = *bucket;
        *bucket = i;
    }
    return true;
}

bool resolver_hosts_read(struct resolver_hosts *h, struct slice text, struct err *e) {
    *h = (struct resolver_hosts){0};
    /* A name is at most one byte longer on the wire, its end aside, than in the text. */
    buf_init(&h->names, 2 * (size_t)LIMIT_HOSTS_BYTES);
    if (text.len > LIMIT_HOSTS_BYTES) return err_limit(e, "hosts", LIMIT_HOSTS_BYTES, LIMIT_HOSTS_BYTES);
    bool good = true;
    while (good && text.len) good = read_host_line(h, slice_cut(&text, '\n'), e);
    if (good && index_entries(h, e)) return true;
    resolver_hosts_release(h);
    return false;
}

void resolver_hosts_release(struct resolver_hosts *h) {
    mem_put(h->entry, h->cap * sizeof *h->entry);
    mem_put(h->bucket, h->bucket ? h->bucket_n * sizeof *h->bucket : 0);
    buf_release(&h->names);
    *h = (struct resolver_hosts){0};
}

size_t resolver_hosts_find(const struct resolver_hosts *h, const struct dns_name *name, unsigned want,
                           struct address *out, size_t room, bool *known) {
    struct slice key = slice_of(name->bytes, name->len);
    size_t n = 0;
    *known = false;
    if (!h->n) return 0;
    for (uint32_t i = h->bucket[hash_name(key) & (h->bucket_n - 1)]; i != NONE; i = h->entry[i].next) {
        const struct hosts_entry *entry = &h->entry[i];
        if (!slice_eq(entry_name(h, entry), key)) continue;
        *known = true;
        if (n == room || !(want & (entry->six ? RESOLVE_V6 : RESOLVE_V4))) continue;
        struct address *a = &out[n++];
        *a = (struct address){0};
        if (entry->six) {
            a->v6.sin6_family = AF_INET6;
            a->v6.sin6_scope_id = entry->scope;
            memcpy(&a->v6.sin6_addr, entry->ip, 16);
            a->len = sizeof a->v6;
        } else {
            a->v4.sin_family = AF_INET;
            memcpy(&a->v4.sin_addr, entry->ip, 4);
            a->len = sizeof a->v4;
        }
    }
    return n;
}
