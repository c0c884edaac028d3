/* link_room.h - what the files of the link share. Private to link*.c. */
#ifndef WARDEN_LINK_ROOM_H
#define WARDEN_LINK_ROOM_H

#include "warden/link.h"

/* Kind and id by hand, without memory: also of a packet that is refused, or cut. What cannot be read stays as it is. */
void link_frame_head(struct slice packet, struct link_frame *f);
/* Closes the descriptors of a frame, and nothing else. */
void link_frame_close(struct link_frame *f);
/* Whether descriptors may ride with it. */
bool link_kind_has_fds(enum link_kind kind);

#endif
