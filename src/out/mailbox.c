/* mailbox.c - see mailbox.h. */
#include "out/mailbox.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "protocols/url.h"

#define LOCAL_MAX   64  /* RFC 5321 4.5.3.1.1 */
#define DOMAIN_MAX  255 /* 4.5.3.1.2 */
#define ADDRESS_MAX 254 /* what fits a path of 256 with its brackets */
#define LABEL_MAX   63

bool mailbox_is_atext(uint8_t c) {
    return ascii_is_alnum(c) || c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool refuse(struct err *e, const char *want) {
    return err_set(e, ERR_INVALID, "want a mail address such as name@example.org: %s", want);
}

/* How long a quoted string at the start of the text is, quotes included; 0: there is none that ends. */
static size_t run_quoted(struct slice text) {
    if (!text.len || text.ptr[0] != '"') return 0;
    for (size_t i = 1; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '"') return i + 1;
        if (c == '\\') c = ++i < text.len ? text.ptr[i] : 0;
        if (c < 0x20 || c == 0x7f) return 0;
    }
    return 0;
}

static bool check_local(struct slice local, struct err *e) {
    if (!local.len || local.len > LOCAL_MAX) return refuse(e, "1 to 64 bytes before the @");
    if (local.ptr[0] == '"') return run_quoted(local) == local.len || refuse(e, "a quoted part that ends before the @");
    bool dot = true; /* none at the ends, nor two in a row */
    for (size_t i = 0; i < local.len; i++) {
        uint8_t c = local.ptr[i];
        if (c == '.' ? dot : !mailbox_is_atext(c))
            return refuse(e, "letters, digits and single dots before the @, or all of it in quotes");
        dot = c == '.';
    }
    return !dot || refuse(e, "no dot right before the @");
}

static bool check_literal(struct slice inside, struct err *e) {
    uint8_t bytes[16];
    struct slice six = slice_skip(inside, 5);
    if (slice_eq_nocase(slice_head(inside, 5), LIT("IPv6:")) ? url_read_ipv6(six, bytes) : url_read_ipv4(inside, bytes))
        return true;
    return refuse(e, "an IP address between [ and ]");
}

static bool check_domain(struct slice domain, struct err *e) {
    if (!domain.len || domain.len > DOMAIN_MAX) return refuse(e, "1 to 255 bytes behind the @");
    if (domain.ptr[0] == '[') {
        if (domain.ptr[domain.len - 1] != ']') return refuse(e, "] behind the address");
        return check_literal(slice_of(domain.ptr + 1, domain.len - 2), e);
    }
    while (domain.ptr) {
        size_t n = slice_find(domain, '.');
        struct slice label = slice_head(domain, n);
        if (!label.len || label.len > LABEL_MAX) return refuse(e, "a host name behind the @");
        if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return refuse(e, "no hyphen at the ends of a part of the host name");
        for (size_t i = 0; i < label.len; i++)
            if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-' && label.ptr[i] < 0x80)
                return refuse(e, "letters, digits, dots and hyphens behind the @");
        domain = n < domain.len ? slice_skip(domain, n + 1) : slice_of(NULL, 0);
    }
    return true;
}

bool mailbox_check(struct slice address, bool *wide, struct err *e) {
    if (!utf8_ok(address)) return refuse(e, "text in UTF-8");
    size_t local = run_quoted(address);
    if (!local) local = slice_find(address, '@');
    if (local >= address.len || address.ptr[local] != '@') return refuse(e, "an @ between name and host");
    if (address.len > ADDRESS_MAX) return refuse(e, "at most 254 bytes");
    *wide = false;
    for (size_t i = 0; i < address.len; i++) *wide |= address.ptr[i] >= 0x80;
    return check_local(slice_head(address, local), e) && check_domain(slice_skip(address, local + 1), e);
}

/* Words and quoted strings, with one blank between them; quotes are taken off. */
static bool read_name(struct arena *arena, struct slice text, struct slice *name, struct err *e) {
    uint8_t *to = arena_get(arena, text.len + 1);
    size_t n = 0;
    if (!to) return err_nomem(e, "a mail address");
    for (text = slice_trim(text); text.len; text = slice_trim(text)) {
        size_t quoted = run_quoted(text), len = 0;
        if (n) to[n++] = ' ';
        if (quoted) {
            for (size_t i = 1; i + 1 < quoted; i++) {
                if (text.ptr[i] == '\\') i++;
                to[n++] = text.ptr[i];
            }
            text = slice_skip(text, quoted);
            continue;
        }
        while (len < text.len && (mailbox_is_atext(text.ptr[len]) || text.ptr[len] == '.')) to[n++] = text.ptr[len++];
        if (!len) return refuse(e, "a name in quotes when it has other characters than letters, digits and blanks");
        text = slice_skip(text, len);
    }
    *name = slice_of(to, n);
    return utf8_ok(*name) || refuse(e, "a name in UTF-8");
}

bool mailbox_read(struct arena *arena, struct slice text, struct mailbox *m, struct err *e) {
    *m = (struct mailbox){.name = LIT("")};
    text = slice_trim(text);
    size_t open = 0;
    while (open < text.len && text.ptr[open] != '<') {
        size_t quoted = run_quoted(slice_skip(text, open));
        open += quoted ? quoted : 1;
    }
    if (open >= text.len)
        m->address = text;
    else {
        if (text.ptr[text.len - 1] != '>') return refuse(e, "> at its end");
        m->address = slice_of(text.ptr + open + 1, text.len - open - 2);
        if (!read_name(arena, slice_head(text, open), &m->name, e)) return false;
    }
    return mailbox_check(m->address, &m->wide, e);
}
