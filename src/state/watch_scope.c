/* watch_scope.c - the scopes in the order of their pointers, their watchers in parts, and which of them a patch touches; see
 * watch_room.h. */
#include "base/must.h"
#include "state/watch_room.h"

#define FIRST_SCOPES 16

/* --- lists --- */

void list_add(struct scope *s, enum scope_list list) {
    struct watchers *ws = s->owner;
    if (s->in >> list & 1) return;
    s->in |= (uint8_t)(1u << list);
    s->next[list] = NULL;
    s->prev[list] = ws->last[list];
    if (ws->last[list])
        ws->last[list]->next[list] = s;
    else
        ws->first[list] = s;
    ws->last[list] = s;
}

void list_remove(struct scope *s, enum scope_list list) {
    struct watchers *ws = s->owner;
    if (!(s->in >> list & 1)) return;
    s->in &= (uint8_t) ~(1u << list);
    if (s->prev[list])
        s->prev[list]->next[list] = s->next[list];
    else
        ws->first[list] = s->next[list];
    if (s->next[list])
        s->next[list]->prev[list] = s->prev[list];
    else
        ws->last[list] = s->prev[list];
}

/* --- parts --- */

static void put(struct scope *s, uint32_t place, struct watch *w) {
    s->watches[place] = w;
    w->place = place;
}

static void exchange(struct scope *s, struct watch *w, uint32_t place) {
    if (w->place == place) return;
    put(s, w->place, s->watches[place]);
    put(s, place, w);
}

void scope_move(struct scope *s, struct watch *w, enum part to) {
    unsigned part = 0;
    while (w->place >= s->end[part]) part++;
    for (; part < to; part++) exchange(s, w, --s->end[part]);
    for (; part > to; part--) exchange(s, w, s->end[part - 1]++);
}

bool scope_add(struct scope *s, struct watch *w, enum part part) {
    uint32_t n = s->end[PART_BEHIND];
    if (n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 1;
        struct watch **grown = mem_grow(s->watches, s->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) return false;
        s->watches = grown;
        s->cap = cap;
    }
    put(s, n, w);
    s->end[PART_BEHIND]++;
    w->scope = s;
    scope_move(s, w, part);
    return true;
}

void scope_remove(struct scope *s, struct watch *w) {
    scope_move(s, w, PART_BEHIND);
    exchange(s, w, --s->end[PART_BEHIND]);
    w->scope = NULL;
    uint32_t n = s->end[PART_BEHIND], cap = s->cap / 2;
    if (n >= s->cap / 4 || cap < 16) return;
    struct watch **less = mem_grow(s->watches, s->cap * sizeof *less, cap * sizeof *less);
    if (!less) return; /* it stays large */
    s->watches = less;
    s->cap = cap;
}

void scope_spoil(struct scope *s) {
    s->end[PART_DONE] = s->end[PART_OWED] = s->end[PART_WAIT] = 0;
    if (s->round) s->owner->rounds--;
    s->round = false;
    watchers_drop_issue(s->owner, &s->news);
    spread_wake(s->owner, s);
}

/* --- by pointer --- */

/* Compares a pointer with a path, or with the path and a slash behind it. */
static int compare(struct slice pointer, struct slice path, bool slash) {
    if (!slash || pointer.len <= path.len) {
        int c = slice_cmp(pointer, path);
        return slash && c == 0 ? -1 : c;
    }
    int c = path.len ? memcmp(pointer.ptr, path.ptr, path.len) : 0;
    if (c) return c;
    return pointer.ptr[path.len] < '/' ? -1 : 1;
}

/* The first scope that does not come before. */
static size_t find(const struct watchers *ws, struct slice path, bool slash) {
    size_t from = 0, to = ws->scope_n;
    while (from < to) {
        size_t mid = (from + to) / 2;
        const struct scope *s = ws->scopes[mid];
        if (compare(slice_of(s->pointer, s->len), path, slash) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static bool is_at(const struct watchers *ws, size_t at, struct slice path) {
    return at < ws->scope_n && slice_eq(slice_of(ws->scopes[at]->pointer, ws->scopes[at]->len), path);
}

static bool make_room(struct watchers *ws) {
    if (ws->scope_n < ws->scope_cap) return true;
    size_t cap = ws->scope_cap ? ws->scope_cap * 2 : FIRST_SCOPES;
    struct scope **grown = mem_grow(ws->scopes, ws->scope_cap * sizeof *grown, cap * sizeof *grown);
    if (!grown) return false;
    ws->scopes = grown;
    ws->scope_cap = cap;
    return true;
}

struct scope *scope_find(struct watchers *ws, struct slice pointer, bool inside) {
    size_t at = find(ws, pointer, false);
    for (; is_at(ws, at, pointer); at++)
        if (ws->scopes[at]->inside == inside)
            return ws->scopes[at];
        else if (inside < ws->scopes[at]->inside)
            break;
    if (!make_room(ws)) return NULL;
    struct scope *s = mem_get_zero(sizeof *s + pointer.len);
    if (!s) return NULL;
    s->owner = ws;
    s->inside = inside;
    s->len = (uint32_t)pointer.len;
    if (pointer.len) memcpy(s->pointer, pointer.ptr, pointer.len);
    memmove(ws->scopes + at + 1, ws->scopes + at, (ws->scope_n - at) * sizeof(struct scope *));
    ws->scopes[at] = s;
    ws->scope_n++;
    /* What is settled already and not told yet may touch it. */
    if (ws->pending.n || ws->pending_lost) list_add(s, LIST_TOUCHED);
    return s;
}

void scope_drop_idle(struct scope *s) {
    struct watchers *ws = s->owner;
    if (s->end[PART_BEHIND] || ws->working == s) return;
    if (s->round) ws->rounds--;
    if (s->round && !ws->rounds) spread_wake(ws, NULL); /* the next ones can go out */
    watchers_drop_issue(ws, &s->news);
    watchers_drop_issue(ws, &s->resume);
    whole_stop(s);
    whole_forget(s);
    for (int list = 0; list < LIST_N; list++) list_remove(s, (enum scope_list)list);
    size_t at = find(ws, slice_of(s->pointer, s->len), false);
    while (ws->scopes[at] != s) at++;
    memmove(ws->scopes + at, ws->scopes + at + 1, (ws->scope_n - at - 1) * sizeof(struct scope *));
    ws->scope_n--;
    mem_put(s->watches, s->cap * sizeof *s->watches);
    mem_put(s, sizeof *s + s->len);
}

/* --- what a patch touches --- */

static void touch_at(struct watchers *ws, struct slice path) {
    for (size_t at = find(ws, path, false); is_at(ws, at, path); at++) list_add(ws->scopes[at], LIST_TOUCHED);
}

static void touch_below(struct watchers *ws, struct slice path) {
    for (size_t at = find(ws, path, true); at < ws->scope_n; at++) {
        struct scope *s = ws->scopes[at];
        struct slice p = slice_of(s->pointer, s->len);
        if (!slice_starts(p, path)) break;
        list_add(s, LIST_TOUCHED);
    }
}

/* Whether a part of a path could be the place of an element that moves others. */
static bool may_be_index(struct slice part) {
    if (slice_eq(part, LIT("-"))) return true;
    for (size_t i = 0; i < part.len; i++)
        if (part.ptr[i] < '0' || part.ptr[i] > '9') return false;
    return part.len != 0;
}

/* The operation before: what it has in common with the next need not be looked up again. */
struct touching {
    struct slice path, parent; /* parent: of an element it may have moved; NULL: none */
};

/* Everything above, at and below the path. */
static void touch_path(struct watchers *ws, struct slice path, bool replaces, struct touching *before) {
    struct slice was = before->path;
    size_t same = 0, most = path.len < was.len ? path.len : was.len, slash = 0;
    while (same < most && path.ptr[same] == was.ptr[same]) same++;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        bool known = was.ptr && i <= same && (i == was.len || was.ptr[i] == '/');
        if (!known) touch_at(ws, slice_head(path, i));
        if (i < path.len) slash = i;
    }
    before->path = path;
    struct slice parent = slice_head(path, slash);
    if (!replaces && path.len && may_be_index(slice_skip(path, slash + 1))) {
        if (!before->parent.ptr || !slice_eq(parent, before->parent)) touch_below(ws, parent);
        before->parent = parent;
    } else {
        touch_below(ws, path);
    }
}

void scopes_touch(struct watchers *ws, const struct val *patch) {
    struct touching before = {.path = {NULL, 0}, .parent = {NULL, 0}};
    if (!ws->scope_n) return;
    for (struct val_iter it = val_iter(patch); val_next(&it);)
        touch_path(ws, val_as_text(val_get(it.value, LIT("path"))),
                   val_is_text(val_get(it.value, LIT("op")), LIT("replace")), &before);
}
