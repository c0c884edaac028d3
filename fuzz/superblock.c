/* superblock.c - any bytes as the head of a disk: what is found is one of the known kinds, its texts end, and a directory beside it is
 * read within its bounds. The input's last 64 bytes are the directory; between both lie zeros, as far as btrfs' superblock. */
#include "warden/superblock.h"
#include "base/must.h"
#include "base/utf8.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct slice head, struct slice folder) {
    static const char *const kinds[] = {"ext2", "ext3",  "ext4", "btrfs",       "xfs",
                                        "vfat", "exfat", "swap", "crypto_LUKS", "squashfs"};
    struct superblock s;
    superblock_read(head, &s);
    bool known = !s.kind;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) known |= s.kind && !strcmp(s.kind, kinds[i]);
    must(known && !(s.kind && s.table));
    must(strnlen(s.label, sizeof s.label) < sizeof s.label && strnlen(s.uuid, sizeof s.uuid) < sizeof s.uuid);
    must(utf8_ok(slice_str(s.uuid)));
    if (s.folder) superblock_label(folder, &s);
    must(strnlen(s.label, sizeof s.label) < sizeof s.label);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t far[SUPERBLOCK_HEAD];
    struct slice all = slice_of(data, size);
    size_t n = size > 64 ? size - 64 : 0;
    look(slice_head(all, n), slice_skip(all, n));
    if (size > 4096) return 0;
    memset(far, 0, sizeof far);
    if (size) memcpy(far + 65536, data, size);
    look(slice_of(far, sizeof far), all);
    return 0;
}
