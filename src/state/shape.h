/* shape.h - what a branch of the tree must look like, as a static table, and holding a value against it.
 *
 * For: domains, which declare the shape of what they own; the plan (plan.h), which joins the tables.
 * Owns: nothing; shapes are const. A shape may contain itself.
 * Refusals name the path, what was wanted, what was found: "/public/ui/zoom: want an integer from 1 to 9, found "big"".
 *   What is secret is never shown, only its kind.
 * Tried: tests/state/shape. */
#ifndef STATE_SHAPE_H
#define STATE_SHAPE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/val.h"

enum shape_kind {
    SHAPE_ANY,  /* anything */
    SHAPE_BOOL, /* true or false */
    SHAPE_INT,  /* an integer; min, max: its worth */
    SHAPE_NUMBER,
    SHAPE_TEXT,   /* min, max: its bytes */
    SHAPE_BYTES,  /* the same; only where it is private: JSON has no form for it */
    SHAPE_WORD,   /* one of `words`, separated by single spaces */
    SHAPE_LIST,   /* an array of `item` (NULL: anything); min, max: how many */
    SHAPE_MAP,    /* a map with any text keys, each value an `item` (NULL: anything); min, max: how many */
    SHAPE_RECORD, /* a map with these fields and, unless `open`, no others */
    SHAPE_TAGGED, /* a map whose entry `tag` is a word: fields[i].name; the rest as fields[i].shape says, a record */
};

struct shape {
    enum shape_kind kind;
    bool null;        /* null is good too */
    bool open;        /* RECORD: other fields may be there */
    int64_t min, max; /* both 0: no bounds. INT64_MIN, INT64_MAX: no bound on that side */
    const char *words;
    const char *tag;
    const struct shape *item;
    const struct shape_field *fields;
    unsigned field_n;
    /* What the kinds cannot say, in the sentence "want ..., found ...": false with the reason, which the path is put in
     * front of. Asked behind everything else, not for null; again whenever something below has changed. What is
     * volatile may be missing. It shows nothing secret. May be NULL. */
    bool (*check)(const struct val *v, struct err *e);
};

struct shape_field {
    const char *name;
    const struct shape *shape; /* NULL: anything, or what a row of the plan says of that place */
    bool optional;  /* may be missing; else it is there, though perhaps null. What is volatile may be missing too */
    unsigned since; /* the version of the state that brought it; 0: always there */
    const char *fallback; /* JSON: what it becomes in a state from before `since`; NULL with optional: nothing */
    unsigned attrs;       /* PLAN_* (plan.h) of this place */
    const char *about;    /* one sentence for the reference, and for the help of a command; may be NULL */
    const char *alias;    /* of a parameter: another name it may come under; may be NULL */
};

/* Whether a value fits; `path` is its pointer, for the refusal. */
bool shape_check(const struct shape *shape, const struct val *v, struct slice path, struct err *e);

/* Puts the fallback of every field that came after `version` and is missing, all the way down. On failure *v is as it
 * was. */
bool shape_fill(const struct shape *shape, struct val *v, unsigned version, struct err *e);

/* What a shape wants, in words: "an integer from 1 to 9 or null". */
void shape_say(const struct shape *shape, struct buf *out);

/* --- for the plan: the same, where others have a say in what stands below --- */

struct shape_spot {
    const struct shape *shape; /* NULL: anything */
    const void
        *where;     /* what the other knows of this place; NULL: of nothing below it. Else no array may stand there */
    unsigned attrs; /* PLAN_* of the place: private needs no JSON form, of what is secret only the kind is shown */
};
/* *spot is that of an entry as the shapes say, but for `where`, which is the map's yet: makes it the entry's. key.ptr
 * NULL: a key that is no text. */
typedef void shape_other(struct shape_spot *spot, struct slice key);

/* Everything at and below the spot. */
bool shape_check_with(const struct shape_spot *spot, const struct val *v, struct slice path, shape_other *other,
                      struct err *e);
/* Only the value itself: its kind, how many, which fields are there; not what these are, and not the shape's own check.
 * */
bool shape_check_own(const struct shape_spot *spot, const struct val *v, struct slice path, shape_other *other,
                     struct err *e);
/* Only the shape's own check (of a TAGGED also the record's). */
bool shape_check_rule(const struct shape_spot *spot, const struct val *v, struct slice path, struct err *e);
/* From a map's spot to an entry's; `map` says which record it is. */
void shape_enter(struct shape_spot *spot, const struct val *map, struct slice key, shape_other *other);
/* From an array's spot to that of its elements. */
void shape_enter_array(struct shape_spot *spot);
/* Fallbacks of fields with after < since <= upto. */
bool shape_fill_with(const struct shape_spot *spot, struct val *v, unsigned after, unsigned upto, shape_other *other,
                     struct err *e);
/* The record a map must be: the shape itself, or the alternative its tag chooses. NULL: none. */
const struct shape *shape_record(const struct shape *shape, const struct val *map);
const struct shape_field *shape_field(const struct shape *record, struct slice name);
/* The attributes a field gives, with what they include. */
unsigned shape_attrs(unsigned attrs);

#endif
