/* limit.c - see limit.h. */
#include "auth/limit.h"

static bool is_source(const struct auth_source *s, struct slice from) {
    return s->len == from.len && memcmp(s->key, from.ptr, from.len) == 0;
}

static struct auth_source *find(struct auth_limit *l, struct slice from) {
    for (unsigned i = 0; i < AUTH_SOURCES; i++)
        if (is_source(&l->of[i], from)) return &l->of[i];
    return NULL;
}

/* Nobody's place, else that of who was quiet for longest; NULL: everybody is trying. */
static struct auth_source *make_room(struct auth_limit *l) {
    struct auth_source *oldest = NULL;
    for (unsigned i = 0; i < AUTH_SOURCES; i++) {
        struct auth_source *s = &l->of[i];
        if (!s->len) return s;
        if (!s->trying && (!oldest || s->last_at < oldest->last_at)) oldest = s;
    }
    return oldest;
}

static int64_t wait_after(unsigned wrong) {
    int64_t ms = AUTH_WAIT_MS;
    if (wrong < AUTH_FREE) return 0;
    for (unsigned i = AUTH_FREE; i < wrong && ms < AUTH_WAIT_MOST; i++) ms *= 2;
    return ms < AUTH_WAIT_MOST ? ms : AUTH_WAIT_MOST;
}

static bool refuse(struct err *e, int64_t ms) {
    return err_set(e, ERR_RATE, "too many tries from your address; try again in %lld s",
                   (long long)((ms + 999) / 1000));
}

bool limit_begin(struct auth_limit *l, struct slice from, int64_t now, struct err *e) {
    if (!from.len) return true;
    from = slice_head(from, sizeof l->of[0].key);
    struct auth_source *s = find(l, from);
    if (s && s->trying) return refuse(e, 1000);
    if (s && now - s->last_at >= AUTH_QUIET_MS) s->wrong = 0;
    int64_t left = s ? s->last_at + wait_after(s->wrong) - now : 0;
    if (left > 0) return refuse(e, left);
    if (!s && !(s = make_room(l))) return refuse(e, 1000);
    if (!is_source(s, from)) {
        *s = (struct auth_source){.len = (uint8_t)from.len};
        memcpy(s->key, from.ptr, from.len);
    }
    s->trying = true;
    return true;
}

void limit_end(struct auth_limit *l, struct slice from, int64_t now, enum limit_outcome outcome) {
    struct auth_source *s = from.len ? find(l, slice_head(from, sizeof l->of[0].key)) : NULL;
    if (!s) return;
    s->trying = false;
    switch (outcome) {
    case LIMIT_RIGHT: *s = (struct auth_source){0}; return;
    case LIMIT_WRONG:
        s->last_at = now;
        if (s->wrong < UINT16_MAX) s->wrong++;
        return;
    case LIMIT_UNTRIED:
        if (!s->wrong) *s = (struct auth_source){0};
        return;
    }
}
