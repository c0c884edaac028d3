/* plan.h - which branches the tree has: whose each is, what may be seen of it, what it must look like, and how a state
 * of an older program becomes one of this.
 *
 * For: the transaction (may I write here, does it fit), the journal and snapshots (what is volatile stays out),
 *      watchers and dumps (what is private stays in). main joins the rows of all domains into one table; nothing here
 *      knows a domain.
 * Owns: a tree of nodes made from the rows and from those fields of their shapes that have attributes; const once made.
 *
 * Patterns: JSON Pointers whose parts are keys, or "*" for any key. They do not reach into arrays: what stands in an
 *   array belongs to the array, and where the plan knows something below a place no array may stand. A row holds for
 *   its place and everything below, until a longer one says otherwise. Where several patterns name a place, the one
 *   with a key at the first part where they differ comes before the one with "*"; what it leaves open (owner, shape) is
 *   as the next one says.
 * Attributes add up, from the root down and of all rows that name a place: no row takes one away. PLAN_SECRET includes
 *   PLAN_PRIVATE.
 * Tried: tests/state/plan, plan_rows, plan_strip, plan_migrate, plan_model (against a plain model). */
#ifndef STATE_PLAN_H
#define STATE_PLAN_H

#include "state/shape.h"

enum {
    PLAN_PRIVATE = 1,  /* leaves the process by no reader's road */
    PLAN_SECRET = 2,   /* nor is it printed by a dump or a log */
    PLAN_VOLATILE = 4, /* told to watchers, never journalled, gone at a restart */
    PLAN_NULL = 8,     /* with private: readers find null in its place, else they find nothing */
};
#define PLAN_ATTRS 15u /* all of them */

struct plan_branch {
    const char *pattern;
    const char *owner; /* a word; NULL: as above it */
    unsigned attrs;
    const struct shape *shape; /* NULL: as the shape above it says */
};

/* From version `from` to the next. The root is as the old program left it, after the fallbacks of new fields were put
 * in; what was volatile is not there. */
struct plan_migration {
    unsigned from;
    const char *about; /* one sentence, for the log */
    bool (*run)(struct val *root, struct err *e);
};

struct plan_config {
    const char *name;  /* of the personality: a state of another is refused */
    unsigned version;  /* of the state this program writes, from 1 */
    unsigned oldest;   /* that can be led on to this one; 0: all, from 1 */
    const char *birth; /* JSON: the first value of a new tree */
    const struct plan_branch *branches;
    unsigned branch_n;
    const struct plan_migration *migrations; /* by `from`; at most one for each version */
    unsigned migration_n;
};

struct plan;
/* The config is copied, what it points to stays. Refuses rows and shapes that contradict each other: a pattern twice, a
 * row below an array or below a record that has no such field, an attribute below an array or of the root, a shape with
 * attributes that contains itself, a fallback that is no JSON or does not fit, a required field that came later without
 * a fallback, a birth that does not fit, migrations out of order. */
struct plan *plan_new(const struct plan_config *config, struct err *e);
void plan_free(struct plan *p);
const struct plan_config *plan_config_of(const struct plan *p);

/* The bit of an owner; 0: no row names it. */
uint64_t plan_owner(const struct plan *p, const char *owner);
#define PLAN_ALL_OWNERS UINT64_MAX

/* Whether these owners may put `is` in place of `was` at a pointer (either may be &val_none): the place must be theirs,
 * and what belongs to others below it must be the same in both. At the root only the latter: that is how whole trees
 * are compared. A place that nobody owns is for PLAN_ALL_OWNERS only. Costs what differs. */
bool plan_may(const struct plan *p, uint64_t owners, struct slice pointer, const struct val *was, const struct val *is,
              struct err *e);

/* Whether a tree in which `v` stands at a pointer since a moment ago (&val_none: was removed) is as the shapes want it,
 * and v has a JSON form where it is not private. `root` is the tree with v in it: after all operations of a commit, if
 * these came from jsonpatch_diff. Looks at all of v, at what holds the place (its count, its fields), and asks the
 * rules of everything above. */
bool plan_fits(const struct plan *p, const struct val *root, struct slice pointer, const struct val *v, struct err *e);

/* What a place is, all rows above it added up. */
unsigned plan_attrs(const struct plan *p, struct slice pointer);
/* Whether anything at or below a place has one of these attributes beyond what the place itself has. */
bool plan_below(const struct plan *p, struct slice pointer, unsigned attrs);

/* Of a value that stands at a pointer: a version without what has any of these attributes; where that is PLAN_NULL and
 * private things are stripped, with null instead. VAL_NONE when nothing is left, or on failure (e says so). Shares all
 * it can: the very same value when nothing in it is marked. */
struct val plan_strip(const struct plan *p, struct slice pointer, const struct val *v, unsigned attrs, struct err *e);

/* Of an operation (add, remove, replace; a {op, path, value}): the same for patches. Applied to the stripped old tree,
 * what is left of a patch gives the stripped new one. *gone: nothing is left of it. Answers the operation to use;
 * VAL_NONE when it is gone, or on failure (then *gone is false). */
struct val plan_strip_op(const struct plan *p, const struct val *op, unsigned attrs, bool *gone, struct err *e);

/* For writers that leave out what has these attributes as they go (cbor_write_open_part): the root's mark (NULL:
 * nothing is left out), and how to step. What they write is what plan_strip makes of the root. */
struct plan_part {
    const struct plan *plan;
    unsigned attrs;
};
const void *plan_part_root(const struct plan_part *part);
const void *plan_part_step(const void *arg, const void *where, const struct val *key);

/* The patterns with an attribute, as an array of texts: it is written into snapshots, so that tools without this plan
 * know too. What another of them covers is not repeated. */
struct val plan_patterns(const struct plan *p, unsigned attr, struct err *e);
/* Replaces by null what a list of patterns names: how a tool hides secrets of a state whose plan it does not have. The
 * list may come from a file: what is no list of patterns is refused. On failure the root is as it was. */
bool plan_hide(struct val *root, const struct val *patterns, struct err *e);

/* Leads a root of an older version to this one's, step by step: the fallbacks of the fields that the next version
 * brought, then the migration, if there is one; at the end it is held against the shapes (plan_check). A root of this
 * version is left as it is, unseen. Refused: a newer one, and one older than config->oldest. `note` hears of every
 * migration; may be NULL. On failure the root is as it was. */
bool plan_migrate(const struct plan *p, struct val *root, unsigned version, void (*note)(const char *about),
                  struct err *e);
/* Holds a whole root against all shapes. What is volatile may be missing. */
bool plan_check(const struct plan *p, const struct val *root, struct err *e);

#endif
