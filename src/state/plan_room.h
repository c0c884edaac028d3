/* plan_room.h - what the files of the plan share: its nodes, and walking them.
 *
 * A node stands for one place that rows or marked fields name, with "*" already worked into its siblings: at every node
 * the key's child comes first, else the one of "*", else the place is off the plan and everything is as at the node.
 * Never: included by anyone else. */
#ifndef STATE_PLAN_ROOM_H
#define STATE_PLAN_ROOM_H

#include "base/arena.h"
#include "state/plan.h"

struct plan_node {
    struct slice key; /* without escapes; of the root and of "*" nothing */
    struct plan_node **kids;
    unsigned kid_n; /* by key */
    struct plan_node *any;
    unsigned attrs, below; /* of the place; and what is added to them further down */
    uint64_t owner, owners_below;
    const struct shape *shape; /* of the row; NULL: as the shape above says */
};

struct plan_shape {
    const struct shape *shape;
    bool marked; /* a field at some level below it has attributes */
    uint8_t seen;
};

struct plan {
    struct plan_config config;
    struct arena arena;
    struct plan_node *root;
    const char *owners[LIMIT_STATE_OWNERS];
    unsigned owner_n;
    struct plan_shape *shapes; /* all that can be reached from rows, by address once they are known */
    size_t shape_n, shape_cap;
};

/* plan_shapes.c: finds all shapes of the rows and holds them against themselves. */
bool plan_learn_shapes(struct plan *p, struct err *e);
bool plan_shape_marked(const struct plan *p, const struct shape *s); /* s NULL: no */
/* plan_make.c: the nodes. */
bool plan_make_nodes(struct plan *p, struct err *e);

/* A key's child; key.ptr NULL: a key that is no text, which only "*" means. NULL: off the plan. */
const struct plan_node *plan_step(const struct plan_node *node, struct slice key);
/* The same with a part of a pointer, still escaped. */
const struct plan_node *plan_step_part(const struct plan_node *node, struct slice part);
const struct plan_node *plan_step_val(const struct plan_node *node, const struct val *key);
/* The last node on the way; *off: the place itself lies below it. */
const struct plan_node *plan_walk(const struct plan *p, struct slice pointer, bool *off);
static inline bool plan_leads_on(const struct plan_node *node) {
    return node->kid_n || node->any;
}

/* The plan as a shape_other. */
struct shape_spot plan_spot(const struct plan *p);
void plan_enter(struct shape_spot *spot, struct slice key);

/* A sentence's attributes: none that nobody knows, null only with private. */
bool plan_attrs_ok(unsigned attrs, const char *place, struct err *e);

#endif
