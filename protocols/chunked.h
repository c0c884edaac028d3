/* chunked.h - the chunked transfer coding of RFC 9112 7.1, both directions, without I/O.
 *
 * Owns: the position inside a chunk and its line; the data is given out as it comes, as slices into the
 * input. Never: allocates, or forgives: a size is 1 to 16 hexadecimal digits, a line ends in CR LF, an
 * extension follows the grammar (quoted strings included) and is then ignored. Driven: chunked_feed until
 * CHUNKED_LAST; what follows is the trailer section, which protocols/http1 reads. Limits: struct
 * chunked_limits; 0 stands for none. Tried: tests/protocols/http1_parts, fuzz/http1. */
#ifndef PROTOCOLS_CHUNKED_H
#define PROTOCOLS_CHUNKED_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/step.h"

struct chunked_limits {
    size_t line;       /* a size line without its CR LF */
    size_t extensions; /* bytes of extensions in a whole body */
    uint64_t body;     /* bytes of data */
};

#define CHUNKED_STATES(X)                                                                                              \
    X(CHUNKED_SIZE_FIRST, "a chunk size")                                                                              \
    X(CHUNKED_SIZE, "a hexadecimal digit, a semicolon or CR LF")                                                       \
    X(CHUNKED_SIZE_BLANK, "a semicolon behind the blank")                                                              \
    X(CHUNKED_NAME_FIRST, "the name of a chunk extension")                                                             \
    X(CHUNKED_NAME, "an equals sign, a semicolon or CR LF")                                                            \
    X(CHUNKED_NAME_BLANK, "an equals sign or a semicolon behind the blank")                                            \
    X(CHUNKED_VALUE_FIRST, "the value of a chunk extension")                                                           \
    X(CHUNKED_VALUE, "a semicolon or CR LF")                                                                           \
    X(CHUNKED_QUOTED, "a closing quote")                                                                               \
    X(CHUNKED_ESCAPED, "a character behind the back slash")                                                            \
    X(CHUNKED_VALUE_END, "a semicolon or CR LF behind the value")                                                      \
    X(CHUNKED_VALUE_BLANK, "a semicolon behind the blank")                                                             \
    X(CHUNKED_LINE_LF, "LF behind CR")                                                                                 \
    X(CHUNKED_BODY, "chunk data")                                                                                      \
    X(CHUNKED_BODY_CR, "CR LF behind the chunk data")                                                                  \
    X(CHUNKED_BODY_LF, "LF behind CR")                                                                                 \
    X(CHUNKED_OVER, "nothing more")                                                                                    \
    X(CHUNKED_BROKEN, "nothing more")

enum chunked_state {
#define X(name, want) name,
    CHUNKED_STATES(X)
#undef X
};

/* The fields are the room's. */
struct chunked {
    enum chunked_state state;
    unsigned digits;
    size_t line, extensions; /* bytes of this line, bytes of extensions in the body */
    size_t offset;           /* in the whole stream */
    uint64_t left, body;
    struct chunked_limits limits;
};

enum chunked_kind { CHUNKED_DATA, CHUNKED_LAST };
struct chunked_event {
    enum chunked_kind kind;
    struct slice data; /* of CHUNKED_DATA, never empty; lives until the next call */
};

/* offset: where in the stream the body begins, for errors. */
void chunked_init(struct chunked *c, const struct chunked_limits *limits, size_t offset);
struct fed chunked_feed(struct chunked *c, struct slice in, struct chunked_event *event, struct err *e);

/* Appends one chunk; empty data appends nothing, since an empty chunk would end the body. */
bool chunked_write(struct buf *out, struct slice data);

#endif
