/* resolvconf.c - any text as resolv.conf and as hosts: the bounds hold, what was read is well-formed, every name that was taken is
 * found again, and addresses and names as text agree with each other. */
#include "base/ascii.h"
#include "base/must.h"
#include "wire/resolver.h"
#include "wire/resolver_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_conf(struct slice text) {
    struct resolver_conf c;
    must(resolver_conf_read(&c, text, 53, NULL));
    must(c.server_n >= 1 && c.server_n <= LIMIT_RESOLV_SERVERS && c.search_n <= LIMIT_RESOLV_SEARCH);
    must(c.ndots <= LIMIT_RESOLV_NDOTS && c.timeout_s >= 1 && c.timeout_s <= LIMIT_RESOLV_TIMEOUT);
    must(c.attempts >= 1 && c.attempts <= LIMIT_RESOLV_ATTEMPTS);
    for (size_t i = 0; i < c.server_n; i++)
        must(address_port(&c.server[i]) == 53 &&
             (c.server[i].any.sa_family == AF_INET || c.server[i].any.sa_family == AF_INET6));
    for (size_t i = 0; i < c.search_n; i++) {
        struct dns_name lower = c.search[i];
        dns_name_lower(&lower);
        must(lower.len > 1 && dns_name_same(&lower, &c.search[i]));
    }
}

static void check_word(const struct resolver_hosts *h, struct slice word) {
    struct dns_name name;
    struct address a, found[4];
    bool absolute, known, is_address = host_address_read(word, &a);
    if (!host_name_read(word, &name, &absolute, NULL)) return;
    must(!is_address && name.len > 1 && word.len <= 254);
    uint8_t bytes[DNS_NAME_TEXT];
    struct buf text = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    must(dns_name_add(&text, &name));
    must(slice_eq_nocase(slice_head(buf_slice(&text), word.len - absolute), slice_head(word, word.len - absolute)));
    size_t n = resolver_hosts_find(h, &name, RESOLVE_BOTH, found, 4, &known);
    must(known == (n > 0));
    size_t four = resolver_hosts_find(h, &name, RESOLVE_V4, found, 4, &known);
    size_t six = resolver_hosts_find(h, &name, RESOLVE_V6, found, 4, &known);
    must(known == (four + six > 0) && four + six >= n);
}

/* Whether the names of a line beginning with an address are known. */
static void check_line(const struct resolver_hosts *h, struct slice line) {
    line = slice_head(line, slice_find(line, '#'));
    struct address a;
    bool first = true, address = false;
    while (line.len) {
        size_t n = 0;
        while (n < line.len && line.ptr[n] > ' ') n++;
        struct slice word = slice_head(line, n);
        line = slice_skip(line, n ? n : 1);
        if (!n) continue;
        check_word(h, word);
        struct dns_name name;
        bool known;
        if (first)
            address = host_address_read(word, &a);
        else if (address && host_name_read(word, &name, NULL, NULL)) {
            resolver_hosts_find(h, &name, RESOLVE_BOTH, NULL, 0, &known);
            must(known);
        }
        first = false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > LIMIT_RESOLV_BYTES) return 0;
    struct slice text = slice_of(data, size);
    struct resolver_hosts h;
    struct err e = ERR_INIT;
    check_conf(text);
    if (!resolver_hosts_read(&h, text, &e)) {
        must(e.code == ERR_LIMIT);
        return 0;
    }
    /* Other control bytes part words for nobody but this loop: only lines of print and blanks are looked at again. */
    bool plain = true;
    for (size_t i = 0; i < size; i++) plain &= ascii_is_print(data[i]) || data[i] == '\n' || data[i] == '\t';
    while (plain && text.len) check_line(&h, slice_cut(&text, '\n'));
    resolver_hosts_release(&h);
    return 0;
}
