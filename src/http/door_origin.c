/* door_origin.c - which pages may call us: against names rebound to our address, and other sites' scripts. See rpc_door.h. */
#include "base/ascii.h"
#include "http/rpc_door.h"

#include <arpa/inet.h>

static struct slice field(const struct http1_head *head, struct slice name) {
    const struct http_field *f = http_field_find(head->fields, head->field_n, name);
    return f ? f->value : slice_of(NULL, 0);
}

void door_shown(struct http_exchange *x, const struct http1_head *head, struct auth_shown *shown) {
    struct unix_peer peer = {.uid = (uid_t)-1};
    *shown = (struct auth_shown){.cookies = field(head, LIT("cookie")),
                                 .agent = field(head, LIT("user-agent")),
                                 .from = http_from(x),
                                 .local = http_is_local(x)};
    if (shown->local && !http_unix_peer(x, &peer, NULL)) shown->local = false;
    shown->uid = peer.uid;
}

/* Without the port. */
static struct slice host_of(struct slice authority) {
    size_t end = authority.len;
    if (authority.len && authority.ptr[0] == '[') return slice_head(authority, slice_find(authority, ']') + 1);
    while (end && ascii_is_digit(authority.ptr[end - 1])) end--;
    return end && authority.ptr[end - 1] == ':' ? slice_head(authority, end - 1) : authority;
}

struct slice door_host(const struct http1_head *head) {
    return host_of(head->host);
}

static bool is_address(struct slice host) {
    char text[INET6_ADDRSTRLEN + 1];
    uint8_t room[16];
    bool six = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (six) host = slice_of(host.ptr + 1, host.len - 2);
    if (!host.len || host.len >= sizeof text) return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    return inet_pton(six ? AF_INET6 : AF_INET, text, room) == 1;
}

/* Names that no stranger can point at an address of the house: they mean nothing in the public name space. */
static bool is_of_a_house(struct slice host) {
    static const char *const ends[] = {".local", ".localhost", ".lan", ".home", ".internal", ".home.arpa", ".onion"};
    if (slice_ends(host, LIT("."))) host.len--;
    if (slice_find(host, '.') == host.len) return true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct slice end = slice_str(ends[i]);
        if (host.len > end.len && slice_eq_nocase(slice_skip(host, host.len - end.len), end)) return true;
    }
    return false;
}

static bool in_list(const char *list, struct slice origin) {
    struct slice rest = slice_str(list ? list : "");
    while (rest.len)
        if (slice_eq_nocase(slice_cut(&rest, ' '), origin)) return true;
    return false;
}

bool door_may_ask(const struct rpc_door *d, const struct http1_head *head, struct slice *origin, struct err *e) {
    struct slice from = field(head, LIT("origin")), authority = head->host, host = host_of(authority);
    *origin = slice_of(NULL, 0);
    if (!is_address(host) && !is_of_a_house(host) && !(d->knows_host && d->knows_host(d->arg, host))) {
        err_set(e, ERR_AUTHORIZATION, "this box is not known by the name it was asked for");
        return err_status(e, 421);
    }
    if (!from.len) return true;
    size_t scheme = slice_starts(from, LIT("https://")) ? 8 : slice_starts(from, LIT("http://")) ? 7 : 0;
    if (scheme && slice_eq_nocase(slice_skip(from, scheme), authority)) return true;
    if (in_list(d->origins, from)) {
        *origin = from;
        return true;
    }
    err_set(e, ERR_AUTHORIZATION, "pages of other sites may not call this box");
    return err_status(e, 403);
}
