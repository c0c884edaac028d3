/* x509_room.h - what the files of the room x509 share. Not for others.
 *
 *   x509.c       writing
 *   x509_read.c  reading
 *   x509_name.c  names of subjects and hosts, both ways */
#ifndef PROTOCOLS_X509_ROOM_H
#define PROTOCOLS_X509_ROOM_H

#include "protocols/der.h"
#include "protocols/x509.h"
#include "protocols/x509_oid.h"

/* The Name that comes next. */
bool x509_name_take(struct cur *c, struct x509_name *name);
/* Appends it; refused: what is no text of at most 64 characters, or (der) no Name. */
bool x509_name_add(struct buf *out, const struct x509_name *name, struct err *e);
/* Nothing in it. */
bool x509_name_is_empty(const struct x509_name *name);

/* The content of GeneralNames, at least one; every one is looked at. *over: there are more than so many. */
bool x509_alts_ok(struct slice content, unsigned most, bool *over);
/* Appends SubjectAltName: dns and ip only. */
bool x509_alts_add(struct buf *out, const struct x509_alt *alts, size_t n, struct err *e);

#endif
