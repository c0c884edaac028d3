/* superblock.h - what the first bytes of a disk or a partition say it holds.
 *
 * For: the job disk.probe. A pure function over bytes: whoever owns the stick wrote them, so nothing in them is believed.
 * Knows: ext2, ext3, ext4, btrfs, xfs, vfat, exfat, swap, crypto_LUKS, squashfs (as blkid names them), and tables of partitions.
 * Never: checks whether what they describe is whole; allocates.
 * Tried: tests/warden/probe (against images the usual tools made), fuzz/superblock. */
#ifndef WARDEN_SUPERBLOCK_H
#define WARDEN_SUPERBLOCK_H

#include "base/slice.h"

/* The farthest is btrfs', a page at 64 KiB. A shorter head is a shorter disk. */
#define SUPERBLOCK_HEAD (68u << 10)
/* A directory of vfat or exfat in which a label stands, if it does. */
#define SUPERBLOCK_FOLDER 4096

struct superblock {
    const char *kind;  /* NULL: not known */
    char label[65];    /* bytes as they stand there, not checked, and at most so many; exfat's as UTF-8. "" : none */
    char uuid[41];     /* as blkid writes it; "" : none */
    uint64_t folder;   /* not 0: where the directory with the label begins; read it and call superblock_label */
    const char *table; /* "gpt", "mbr", or NULL */
};

void superblock_read(struct slice head, struct superblock *out);
/* Takes the label from the directory; what is none leaves it as it was. */
void superblock_label(struct slice folder, struct superblock *s);

#endif
