/* stream_room.h - what the files of the stream share. Private to src/loop. */
#ifndef LOOP_STREAM_ROOM_H
#define LOOP_STREAM_ROOM_H

#include "loop/stream.h"

#include <sys/uio.h>

#define STREAM_VECTORS 64 /* parts written in one call */

static inline bool stream_is_open(const struct stream *s) {
    return s->state == STREAM_CONNECTING || s->state == STREAM_UP;
}

/* stream.c */
bool stream_wants_read(const struct stream *s);
void stream_watch(struct stream *s);
void stream_fail(struct stream *s, enum err_code code, int os, const char *what);
/* The descriptor closes before sleeping, in its own phase: until then nobody's feet lose their ground. */
void stream_die(struct stream *s);
void stream_tell(struct stream *s, enum stream_event event);
/* More plain bytes stand at the start of the scratch. */
void stream_came(struct stream *s, size_t n);
void stream_end(struct stream *s);

/* stream_write.c. Gathers what is to be written, in order, into STREAM_VECTORS runs at most; returns how many. */
int stream_gather(const struct stream *s, struct iovec *v);
/* So many bytes are written. */
void stream_advance(struct stream *s, size_t n);
/* One system call for some runs of bytes. */
ssize_t stream_send_runs(struct stream *s, struct iovec *v, int n);
/* Each writes as much as the peer takes. False: the stream is dead. */
bool stream_write_plain(struct stream *s);
bool stream_write_pulled(struct stream *s);
void stream_drop_out(struct stream *s);

/* stream_filter.c. False: the stream is dead. */
bool stream_write_filtered(struct stream *s);
void stream_read_filtered(struct stream *s);

#endif
