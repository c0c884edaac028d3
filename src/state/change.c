/* change.c - see change.h. */
#include "state/change.h"

#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"

static bool lies_within(struct slice inner, struct slice outer) {
    return slice_starts(inner, outer) && (inner.len == outer.len || inner.ptr[outer.len] == '/');
}

unsigned change_outermost(struct change *list, unsigned n) {
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) {
        bool covered = false;
        for (unsigned k = 0; k < n && !covered; k++) {
            struct slice inner = list[i].place, outer = list[k].place;
            covered = k != i && lies_within(inner, outer) && (outer.len < inner.len || k < i);
        }
        list[i].was = covered ? NULL : &val_none; /* marks who stays, until all are known */
    }
    for (unsigned i = 0; i < n; i++)
        if (list[i].was) list[kept++] = list[i];
    return kept;
}

bool change_find(struct change *c, const struct val *was, const struct val *is, struct err *e) {
    return (jsonptr_find(was, c->place, &c->was) && jsonptr_find(is, c->place, &c->is)) || err_nomem(e, "a revision");
}

bool change_make(const struct change *c, struct val *ops, struct err *e) {
    return jsonpatch_diff_at(c->place, c->was, c->is, ops, e);
}
