/* feed.h - what goes on behind an answer: a call gave out a guid, and whoever brings it gets a stream of messages.
 *
 * For: handlers that follow something (the tree, logs, progress), and the doors that carry it (http/feed_door.h: a WebSocket).
 * Owns: the guids that are out. A feed is embedded by its maker and is the maker's again once `gone` was called.
 * A guid is 32 characters of A-Z2-7 (20 random bytes), good once, for FEED_WAIT_MS unless the feed says another time: it is all that
 *   whoever comes has to show. A feed belongs to the caller who made it: when that one's session ends, so does the feed.
 * Never: calls back from inside one of its own functions, but feed_claim calls nothing at all.
 * Tried: tests/rpc/feed, tests/cli/live.sh. */
#ifndef RPC_FEED_H
#define RPC_FEED_H

#include "base/shared.h"
#include "base/slice.h"
#include "loop/loop.h"

#define FEED_GUID    32
#define FEED_WAIT_MS 30000

struct feed;
struct feeds;
struct rpc_caller;

struct feed_kind {
    const char *name;
    uint32_t wait_ms;                                           /* until somebody comes; 0: FEED_WAIT_MS */
    void (*open)(struct feed *f);                               /* somebody has come: messages may be sent */
    void (*came)(struct feed *f, bool text, struct slice data); /* what they say; NULL: nobody listens */
    void (*drained)(struct feed *f); /* behind feed_send that was false: there is room again; may be NULL */
    /* Over: nobody came, they left, feed_end, the session ended. Once and last; the feed may be freed. */
    void (*gone)(struct feed *f);
};

/* The carrier: a WebSocket, as a rule. */
struct feed_line_ops {
    bool (*send)(void *line, struct slice text);
    bool (*send_frames)(void *line, struct shared *frames);
    /* why NULL: all is said; the carrier says goodbye and answers with feed_left. */
    void (*end)(void *line, const struct err *why);
};

enum feed_state { FEED_NONE, FEED_WAITING, FEED_CLAIMED, FEED_OPEN, FEED_ENDING };

struct feed {
    const struct feed_kind *kind;
    char guid[FEED_GUID + 1];
    /* private */
    struct feeds *feeds;
    struct feed *next, *prev; /* of all */
    enum feed_state state;
    struct loop_timer timer;
    struct loop_task task; /* gone, told from the loop */
    unsigned owner_kind;
    struct slice owner; /* copied */
    const struct feed_line_ops *ops;
    void *line;
    bool owes_drained;
};

struct feeds *feeds_new(struct loop *l, struct err *e);
/* Every feed is ended; `gone` comes for each from inside. */
void feeds_free(struct feeds *fs);

/* For handlers. f->kind is set. The guid is to be given in the answer. */
bool feed_begin(struct feeds *fs, struct feed *f, const struct rpc_caller *owner, struct err *e);
/* One message. False: it is not open, or whoever reads does not keep up; then `drained` comes when there is room. */
bool feed_send(struct feed *f, struct slice text);
/* Whole WebSocket frames, made once for many. */
bool feed_send_frames(struct feed *f, struct shared *frames);
/* All is said (NULL), or why it cannot go on. `gone` comes from the loop. */
void feed_end(struct feed *f, const struct err *why);
static inline bool feed_is_open(const struct feed *f) {
    return f->state == FEED_OPEN;
}

/* A caller's feeds end: the session was ended. */
void feeds_end_of(struct feeds *fs, unsigned owner_kind, struct slice owner, const struct err *why);
/* All of them: the program ends. */
void feeds_end_all(struct feeds *fs, const struct err *why);
size_t feeds_count(const struct feeds *fs);

/* --- for doors --- */

/* Whose guid it is, taken out of those that wait; NULL: no such. feed_opened, or feed_left, must follow. */
struct feed *feed_claim(struct feeds *fs, struct slice guid);
void feed_opened(struct feed *f, const struct feed_line_ops *ops, void *line);
void feed_came(struct feed *f, bool text, struct slice data);
void feed_drained(struct feed *f);
/* The carrier is gone. */
void feed_left(struct feed *f);

#endif
