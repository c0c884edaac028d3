/* hostname.h - what a box is called, by people and on the network; one is made from the other as StartOS does it.
 *
 * Tried: tests/system/hostname. */
#ifndef SYSTEM_HOSTNAME_H
#define SYSTEM_HOSTNAME_H

#include "base/err.h"
#include "base/slice.h"

#define HOSTNAME_MOST 63
#define NAME_MOST     200

struct hostname_names {
    char name[NAME_MOST + 1], host[HOSTNAME_MOST + 1];
};
/* At least one is given; the other follows from it: a name is lower-cased, what is no letter or digit left out, runs of spaces and
 * dashes become a dash, and if fewer than four characters are left it is startbox- and four random digits; a host name's words are
 * capitalised. Refused: a host name that is no label, a name that is too long. */
bool hostname_find(struct slice name, struct slice host, struct hostname_names *out, struct err *e);

#endif
