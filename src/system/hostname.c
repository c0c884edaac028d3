/* hostname.c - see hostname.h. */
#include "system/hostname.h"

#include "base/ascii.h"
#include "base/rng.h"
#include "base/utf8.h"

#include <stdio.h>

static bool check_host(struct slice host, struct err *e) {
    bool good = host.len && host.len <= HOSTNAME_MOST && host.ptr[0] != '-' && host.ptr[host.len - 1] != '-';
    for (size_t i = 0; good && i < host.len; i++) {
        uint8_t c = host.ptr[i];
        good = (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-';
    }
    return good ||
           err_set(e, ERR_INVALID, "want a host name of small letters, digits and dashes between them, at most %d",
                   HOSTNAME_MOST);
}

static void host_of_name(struct slice name, char *out) {
    size_t n = 0;
    bool gap = false;
    for (size_t i = 0; i < name.len && n + 1 < HOSTNAME_MOST; i++) {
        uint8_t c = name.ptr[i];
        if (c == ' ' || c == '-')
            gap = n > 0;
        else if (ascii_is_alnum(c)) {
            if (gap) out[n++] = '-';
            gap = false;
            out[n++] = (char)ascii_lower(c);
        }
    }
    out[n] = 0;
    if (n < 4) snprintf(out, HOSTNAME_MOST + 1, "startbox-%04x", (unsigned)rng_below(65536));
}

static void name_of_host(struct slice host, char *out) {
    bool first = true;
    size_t n = 0;
    for (size_t i = 0; i < host.len; i++) {
        char c = (char)host.ptr[i];
        out[n++] = c == '-' ? ' ' : first && c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
        first = c == '-';
    }
    out[n] = 0;
}

bool hostname_find(struct slice name, struct slice host, struct hostname_names *out, struct err *e) {
    if (!name.len && !host.len) return err_set(e, ERR_INVALID, "want a name or a host name");
    if (name.len > NAME_MOST) return err_limit(e, "name", NAME_MOST, ERR_NOWHERE);
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return err_set(e, ERR_INVALID, "want a name without control characters");
    if (host.len && !check_host(host, e)) return false;
    if (host.len) {
        memcpy(out->host, host.ptr, host.len);
        out->host[host.len] = 0;
    } else
        host_of_name(name, out->host);
    if (name.len) {
        memcpy(out->name, name.ptr, name.len);
        out->name[name.len] = 0;
    } else
        name_of_host(host, out->name);
    return true;
}
