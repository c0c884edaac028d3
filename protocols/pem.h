/* pem.h - PEM (RFC 7468): blocks of base64 between BEGIN and END lines, read from a stream and written.
 *
 * Reading: any number of blocks with any label, in a text of any kind. A block's base64 is strict: only its letters, padding
 *      as it must be, no bits left over; lines may have any length and end in CRLF, and blanks may stand at their ends. Refused
 *      as damage: a line that begins as a BEGIN or END line and does not go on as one, an END without its BEGIN, another
 *      label than that of the BEGIN, a block that is empty or cut. Header lines in a block (old keys with a passphrase have
 *      them) are told apart, and refused too.
 * Owns: the bytes of the block that is read; they may be a key: they are wiped before they are freed or moved.
 * Limits: struct pem_limits; a label has at most PEM_LABEL_MAX bytes.
 * Tried: tests/protocols/pem, fuzz/pem, `startbox codec x509`. */
#ifndef PROTOCOLS_PEM_H
#define PROTOCOLS_PEM_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/step.h"

#define PEM_LABEL_MAX 64
#define PEM_LINE_MAX  (PEM_LABEL_MAX + 24) /* a BEGIN or END line with some blanks at its end */

struct pem_limits {
    size_t bytes;    /* of one block, decoded */
    unsigned blocks; /* of one text */
};

struct pem_block {
    struct slice label, bytes; /* in the reader; until the next call */
    uint64_t at;               /* where its BEGIN line stands in the stream */
};

#define PEM_STATES(X)                                                                                                  \
    X(PEM_OUTSIDE)     /* a line begins */                                                                             \
    X(PEM_TEXT)        /* in a line of other text */                                                                   \
    X(PEM_BORDER)      /* in a line that may be a BEGIN line */                                                        \
    X(PEM_INSIDE)      /* in a block, a line begins */                                                                 \
    X(PEM_LETTERS)     /* in a line of base64 */                                                                       \
    X(PEM_BLANKS)      /* behind the base64 of a line */                                                               \
    X(PEM_LAST_BORDER) /* in a line that must be the END line */                                                       \
    X(PEM_BAD)

enum pem_state {
#define X(name) name,
    PEM_STATES(X)
#undef X
};

/* Fields are the room's. */
struct pem {
    struct pem_limits limits;
    enum pem_state state;
    uint64_t at, line_at, block_at; /* offsets: of what comes next, of the line, of the block */
    unsigned blocks;                /* of the text so far */
    uint8_t line[PEM_LINE_MAX], label[PEM_LABEL_MAX], four[4];
    size_t line_len, label_len;
    unsigned have; /* letters in four */
    bool padded;   /* the padding has come: no more base64 */
    struct buf bytes;
};

/* Does not allocate. */
void pem_init(struct pem *p, const struct pem_limits *limits);
/* STEP_EVENT: *block is filled. Offsets in errors count from the start of the stream. */
struct fed pem_feed(struct pem *p, struct slice in, struct pem_block *block, struct err *e);
/* The stream is over. STEP_EVENT: the last block, whose END line was the last; call again. STEP_END: all is well. STEP_BAD. */
enum step pem_eof(struct pem *p, struct pem_block *block, struct err *e);
/* Wipes and frees. */
void pem_release(struct pem *p);

/* Appends a block with lines of 64 letters, or nothing. The label must be one (RFC 7468 3) and there must be bytes. When they
 * are secret: `out` grows once at most, by pem_len, so room for it beforehand keeps it from leaving copies behind. */
bool pem_write(struct buf *out, struct slice label, struct slice bytes, struct err *e);
/* How long that is. */
size_t pem_len(struct slice label, struct slice bytes);

#endif
