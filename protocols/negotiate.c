/* negotiate.c - see negotiate.h. Each offer looks for the most exact element that names it; that element's
 * quality counts. The list is walked once an offer: offers are few. */
#include "protocols/negotiate.h"

#include "protocols/http_chars.h"

/* The quality among parameters, 1000 without one, -1 when they are not by the grammar. *rest becomes what
 * stands before the first "q". */
static int take_quality(struct slice *params) {
    struct slice rest = *params, name, value;
    bool bad;
    int q = 1000;
    while (http_param_next(&rest, &name, &value, &bad)) {
        if (!slice_eq_nocase(name, LIT("q"))) continue;
        /* What stands before ";q=" belongs to the type, what comes behind is an extension of Accept. */
        *params = slice_trim(slice_head(*params, (size_t)(name.ptr - params->ptr)));
        while (params->len && params->ptr[params->len - 1] == ';')
            *params = slice_trim(slice_head(*params, params->len - 1));
        q = http_quality(value);
        break;
    }
    return bad ? -1 : q;
}

static bool same_value(struct slice a, struct slice b) {
    struct buf one, two;
    if (slice_eq_nocase(a, b)) return true;
    if (!a.ptr || !b.ptr) return false;
    buf_init(&one, a.len);
    buf_init(&two, b.len);
    bool same = http_unquote(&one, a) && http_unquote(&two, b) && slice_eq_nocase(buf_slice(&one), buf_slice(&two));
    buf_release(&one);
    buf_release(&two);
    return same;
}

/* How many parameters of the range there are, all of which the offer must have; -1 when one is missing. */
static int count_params(struct slice range, struct slice offer) {
    struct slice name, value;
    bool bad;
    int n = 0;
    for (; http_param_next(&range, &name, &value, &bad); n++) {
        struct slice rest = offer, name2, value2;
        bool bad2, found = false;
        while (!found && http_param_next(&rest, &name2, &value2, &bad2))
            found = slice_eq_nocase(name, name2) && same_value(value, value2);
        if (!found) return -1;
    }
    return bad ? -1 : n;
}

static struct slice type_of(struct slice text) {
    return slice_trim(slice_head(text, slice_find(text, ';')));
}
static struct slice params_of(struct slice text) {
    return slice_skip(text, slice_find(text, ';'));
}

/* How exactly a media range names an offer: -1 not, 0 for any type, then any subtype, then the type, then
 * parameters. */
static int match_type(struct slice range, struct slice params, struct slice offer) {
    size_t slash = slice_find(range, '/');
    struct slice type = type_of(offer), main_type = slice_head(range, slash), sub = slice_skip(range, slash + 1);
    if (!http_is_token(main_type) || !http_is_token(sub)) return -1;
    int more = count_params(params, params_of(offer));
    if (more < 0) return -1;
    if (slice_eq(range, LIT("*/*"))) return more;
    if (slice_eq(sub, LIT("*"))) {
        bool same = slice_eq_nocase(main_type, slice_head(type, slice_find(type, '/')));
        return same ? 1000 + more : -1;
    }
    return slice_eq_nocase(range, type) ? 2000 + more : -1;
}

int negotiate_type(struct http_list accept, const struct slice *offered, size_t n) {
    int best = -1, best_q = 0;
    for (size_t i = 0; i < n; i++) {
        struct http_list list = accept;
        int rank = -1, q = 0;
        bool any = false;
        for (struct slice element; http_list_next(&list, &element);) {
            any = true;
            struct slice params = params_of(element);
            int worth = take_quality(&params);
            int r = worth < 0 ? -1 : match_type(type_of(element), params, offered[i]);
            if (r > rank) rank = r, q = worth;
        }
        if (!any) return 0; /* no Accept, or an empty one */
        if (q > best_q) best = (int)i, best_q = q;
    }
    return best;
}

int negotiate_encoding(struct http_list accept, bool there, const struct slice *offered, size_t n) {
    int best = -1, best_q = 0;
    for (size_t i = 0; i < n; i++) {
        bool identity = slice_eq_nocase(offered[i], LIT("identity"));
        /* Unless it is refused, identity is always acceptable, though what was asked for by name goes first.
         */
        int q = -1, star = -1;
        struct http_list list = accept;
        for (struct slice element; there && http_list_next(&list, &element);) {
            struct slice coding = type_of(element), params = params_of(element);
            int worth = take_quality(&params);
            if (worth < 0) continue;
            bool same = slice_eq_nocase(coding, offered[i]) ||
                        (slice_eq_nocase(coding, LIT("x-gzip")) && slice_eq_nocase(offered[i], LIT("gzip")));
            if (same && q < 0) q = worth;
            if (slice_eq(coding, LIT("*"))) star = worth;
        }
        if (q < 0) q = star;
        if (q < 0)
            q = identity ? 0 : -1; /* not named: the last resort, worth less than any quality */
        else if (q == 0)
            continue;
        if (q < 0) continue;
        if (best < 0 || q > best_q) best = (int)i, best_q = q;
    }
    return best;
}

/* How well a language range fits a tag: 0 not, else more for more letters in common. */
static size_t match_language(struct slice range, struct slice tag) {
    for (size_t len = range.len; len;) {
        struct slice head = slice_head(range, len);
        /* The whole range may go on in the tag; a shortened one must be it. */
        bool goes_on = len == range.len && tag.len > len && tag.ptr[len] == '-';
        if ((tag.len == len || goes_on) && slice_eq_nocase(slice_head(tag, len), head))
            return 2 * len + (len == range.len);
        do len--;
        while (len && range.ptr[len] != '-');
        /* A single letter introduces what follows it; alone it says nothing (RFC 4647 3.4). */
        if (len >= 2 && range.ptr[len - 2] == '-') len -= 2;
    }
    return 0;
}

int negotiate_language(struct http_list accept, const struct slice *offered, size_t n) {
    int best = -1, best_q = 0;
    size_t best_exact = 0;
    for (size_t i = 0; i < n; i++) {
        struct http_list list = accept;
        size_t exact = 0;
        int q = 0;
        bool any = false, refused = false;
        for (struct slice element; http_list_next(&list, &element);) {
            struct slice range = type_of(element), params = params_of(element);
            int worth = take_quality(&params);
            any = true;
            if (worth < 0) continue;
            size_t fit = slice_eq(range, LIT("*")) ? 1 : match_language(range, offered[i]);
            /* Only a range that names the tag itself can refuse it. */
            if (!worth)
                refused |= fit > 1 && fit % 2;
            else if (fit > exact)
                exact = fit, q = worth;
        }
        if (!any) return 0;
        if (refused) continue;
        if (q > best_q || (q == best_q && q && exact > best_exact)) best = (int)i, best_q = q, best_exact = exact;
    }
    return best;
}
