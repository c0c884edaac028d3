/* pages_room.h - what the files of `startbox methods` share. Pages are appended to a buffer, whose fault is asked once at the end. */
#ifndef CLI_PAGES_ROOM_H
#define CLI_PAGES_ROOM_H

#include "cli/pages.h"

/* --- pages_types.c: shapes as types of TypeScript --- */

#define PAGES_NAME 128

/* A shape that was met on the way through all rows. One that is met again below itself needs a name, or its type would have no end. */
struct pages_type {
    const struct shape *shape;
    bool open;             /* the way is still below it */
    char name[PAGES_NAME]; /* "AuthSessionListResultItem"; empty: needs none */
};
struct pages_types {
    struct pages_type *list;
    size_t n, cap;
};
/* Adds what a row takes and gives. */
bool pages_types_add(struct pages_types *t, const struct method *m, struct err *e);
void pages_types_release(struct pages_types *t);
/* NULL: it needs none. Whoever walks down from shape to shape stops at one with a name. */
const char *pages_type_name(const struct pages_types *t, const struct shape *s);

/* A type as it stands behind a colon; further lines begin with 4 * indent spaces. NULL: anything. */
void pages_type(struct buf *out, const struct pages_types *t, const struct shape *s, unsigned indent);
/* A row's parameters: those with a default may be left out. */
void pages_type_params(struct buf *out, const struct pages_types *t, const struct method *m, unsigned indent);
/* "/ ** text * /" on lines of its own. */
void pages_type_comment(struct buf *out, struct slice text, unsigned indent);
/* "export type Name = ...;" for every shape that has a name. */
void pages_type_names(struct buf *out, const struct pages_types *t, const char *before);

/* --- pages.c: what all forms say alike --- */

struct pages {
    const struct method **rows; /* those without a dot first, then by name */
    size_t row_n;
    struct pages_types types;
};

struct pages_word {
    unsigned bits;
    const char *word;
};
/* Words between commas: "a login session, a signed key". */
void pages_say_callers(struct buf *out, unsigned callers);
void pages_say_phases(struct buf *out, unsigned phases);
/* The first word of a name with a dot; empty: it has none. */
struct slice pages_group(const struct method *m);
bool pages_has_command(const struct method *m);
/* On the command line: it may be left out, is asked for, or has a default. */
bool pages_may_lack(const struct shape_field *f);
const struct shape_field *pages_field(const struct method *m, struct slice name);

/* What stands behind a command's own words: first parameters without a flag, then flags that must be there. */
struct pages_part {
    const struct shape_field *field;
    bool flag, lack, list; /* has a flag; may be left out; takes several words */
    char name[80];         /* as a flag */
};
bool pages_part(const struct method *m, unsigned at, struct pages_part *part);
/* Whether there are parameters that are no part. */
bool pages_has_options(const struct method *m);

/* --- the forms --- */

bool pages_md(const struct pages *p, struct buf *out, struct err *e);
bool pages_man(const struct pages *p, struct buf *out, struct err *e);
bool pages_ts(const struct pages *p, struct buf *out, struct err *e);
bool pages_json(const struct pages *p, struct buf *out, struct err *e);

#endif
