/* superblock.c - see superblock.h. Offsets are those of the formats' own descriptions; numbers are little-endian but xfs'. */
#include "warden/superblock.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

#include <stdio.h>

/* --- bytes, none of them beyond the end --- */

static struct slice piece(struct slice s, size_t at, size_t len) {
    struct slice rest = slice_skip(s, at);
    return rest.len >= len ? slice_head(rest, len) : slice_of(rest.ptr, 0);
}

static bool has(struct slice s, size_t at, struct slice want) {
    return slice_starts(slice_skip(s, at), want);
}

/* 0 beyond the end. */
static uint32_t le(struct slice s, size_t at, size_t len) {
    struct slice p = piece(s, at, len);
    uint32_t n = 0;
    for (size_t i = p.len; i > 0; i--) n = n << 8 | p.ptr[i - 1];
    return n;
}

static void put_text(char *out, size_t size, struct slice s) {
    size_t n = 0;
    while (n < s.len && n < size - 1 && s.ptr[n]) n++;
    while (n && s.ptr[n - 1] == ' ') n--; /* short ones are filled up */
    if (n) memcpy(out, s.ptr, n);
    out[n] = 0;
}

/* Sixteen bytes with four dashes; zeros are none. */
static void put_uuid(struct superblock *out, struct slice s) {
    static const char digits[] = "0123456789abcdef";
    char *to = out->uuid;
    bool any = false;
    for (size_t i = 0; i < s.len; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        *to++ = digits[s.ptr[i] >> 4];
        *to++ = digits[s.ptr[i] & 15];
        any |= s.ptr[i] != 0;
    }
    *to = 0;
    if (!any) out->uuid[0] = 0;
}

static void put_serial(struct superblock *out, uint32_t n) {
    snprintf(out->uuid, sizeof out->uuid, "%04X-%04X", (unsigned)(n >> 16), (unsigned)(n & 0xffff));
}

static bool is_power(uint32_t n, uint32_t least, uint32_t most) {
    return n >= least && n <= most && (n & (n - 1)) == 0;
}

/* --- one after the other --- */

static bool read_luks(struct slice h, struct superblock *out) {
    if (!has(h, 0, LIT("LUKS\xba\xbe")) || h.len < 208) return false;
    unsigned version = (unsigned)h.ptr[6] << 8 | h.ptr[7];
    if (version != 1 && version != 2) return false;
    out->kind = "crypto_LUKS";
    if (version == 2) put_text(out->label, sizeof out->label, piece(h, 24, 48));
    put_text(out->uuid, sizeof out->uuid, piece(h, 168, 40));
    for (const char *c = out->uuid; *c; c++) /* a text here; elsewhere it is made of bytes */
        if (!ascii_is_alnum((uint8_t)*c) && *c != '-') out->uuid[0] = 0;
    return true;
}

static bool read_xfs(struct slice h, struct superblock *out) {
    if (!has(h, 0, LIT("XFSB")) || h.len < 120 || !is_power(num_be32(h.ptr + 4), 512, 65536)) return false;
    out->kind = "xfs";
    put_uuid(out, piece(h, 32, 16));
    put_text(out->label, sizeof out->label, piece(h, 108, 12));
    return true;
}

static bool read_btrfs(struct slice h, struct superblock *out) {
    struct slice s = slice_skip(h, 65536);
    if (!has(s, 0x40, LIT("_BHRfS_M"))) return false;
    out->kind = "btrfs";
    put_uuid(out, piece(s, 0x20, 16));
    put_text(out->label, sizeof out->label, piece(s, 0x12b, 256));
    return true;
}

static bool read_squashfs(struct slice h, struct superblock *out) {
    if (!has(h, 0, LIT("hsqs")) || le(h, 28, 2) != 4) return false;
    out->kind = "squashfs";
    return true;
}

/* What ext3 knows; what has more is ext4. */
#define EXT3_INCOMPAT    0x16u
#define EXT3_RO_COMPAT   0x7u
#define EXT_HAS_JOURNAL  0x4u
#define EXT_IS_A_JOURNAL 0x8u

static bool read_ext(struct slice h, struct superblock *out) {
    struct slice s = slice_skip(h, 1024);
    if (s.len < 136 || le(s, 56, 2) != 0xef53) return false;
    uint32_t compat = le(s, 92, 4), incompat = le(s, 96, 4), ro_compat = le(s, 100, 4);
    if (incompat & EXT_IS_A_JOURNAL) return false; /* of another file system */
    if (incompat & ~EXT3_INCOMPAT || ro_compat & ~EXT3_RO_COMPAT)
        out->kind = "ext4";
    else
        out->kind = compat & EXT_HAS_JOURNAL ? "ext3" : "ext2";
    put_uuid(out, piece(s, 104, 16));
    put_text(out->label, sizeof out->label, piece(s, 120, 16));
    return true;
}

/* At the end of the first page, whose size is the machine's that made it. */
static bool read_swap(struct slice h, struct superblock *out) {
    for (size_t page = 4096; page <= 65536; page *= 2) {
        if (!has(h, page - 10, LIT("SWAPSPACE2"))) continue;
        out->kind = "swap";
        put_uuid(out, piece(h, 1036, 16));
        put_text(out->label, sizeof out->label, piece(h, 1052, 16));
        return true;
    }
    return false;
}

static bool is_boot_sector(struct slice h) {
    return has(h, 510, LIT("\x55\xaa")) && (h.ptr[0] == 0xeb || h.ptr[0] == 0xe9);
}

static bool read_exfat(struct slice h, struct superblock *out) {
    if (!is_boot_sector(h) || !has(h, 3, LIT("EXFAT   "))) return false;
    uint32_t heap = le(h, 88, 4), root = le(h, 96, 4), sector = le(h, 108, 1), cluster = le(h, 109, 1);
    if (sector < 9 || sector > 12 || cluster > 25 - sector) return false;
    out->kind = "exfat";
    put_serial(out, le(h, 100, 4));
    if (heap && root >= 2) out->folder = (heap + ((uint64_t)(root - 2) << cluster)) << sector;
    return true;
}

/* FAT16 keeps its root directory behind the tables, FAT32 in a cluster. */
static bool read_vfat(struct slice h, struct superblock *out) {
    if (!is_boot_sector(h)) return false;
    uint32_t sector = le(h, 11, 2), cluster = le(h, 13, 1), reserved = le(h, 14, 2), fats = le(h, 16, 1);
    uint32_t media = le(h, 21, 1), len16 = le(h, 22, 2), len32 = le(h, 36, 4), root = le(h, 44, 4);
    bool good = is_power(sector, 512, 4096) && is_power(cluster, 1, 128) && reserved && fats >= 1 && fats <= 2 &&
                (media == 0xf0 || media >= 0xf8) && (len16 || len32);
    bool wide = !len16;
    if (!good || !has(h, wide ? 82 : 54, LIT("FAT"))) return false;
    out->kind = "vfat";
    put_serial(out, le(h, wide ? 67 : 39, 4));
    struct slice label = piece(h, wide ? 71 : 43, 11);
    if (!slice_eq(label, LIT("NO NAME    "))) put_text(out->label, sizeof out->label, label);
    uint64_t data = reserved + (uint64_t)fats * (wide ? len32 : len16);
    if (wide && root < 2) return true;
    out->folder = (data + (wide ? (uint64_t)(root - 2) * cluster : 0)) * sector;
    return true;
}

/* --- the label in a directory --- */

static void label_exfat(struct slice entry, struct superblock *s) {
    size_t n = entry.ptr[1] <= 11 ? entry.ptr[1] : 0, len = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t point = le(entry, 2 + 2 * i, 2), low = i + 1 < n ? le(entry, 4 + 2 * i, 2) : 0;
        if (point >= 0xd800 && point < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
            i++;
        }
        uint8_t bytes[4];
        size_t k = utf8_write(bytes, point);
        if (!k) k = utf8_write(bytes, 0xfffd);
        memcpy(s->label + len, bytes, k);
        len += k;
    }
    s->label[len] = 0;
}

void superblock_label(struct slice folder, struct superblock *s) {
    bool exfat = s->kind && !strcmp(s->kind, "exfat"), vfat = s->kind && !strcmp(s->kind, "vfat");
    for (size_t at = 0; at + 32 <= folder.len; at += 32) {
        struct slice entry = piece(folder, at, 32);
        if (entry.ptr[0] == 0) return; /* behind the last */
        if (exfat && entry.ptr[0] == 0x83) {
            label_exfat(entry, s);
            return;
        }
        /* A label, and neither removed nor a part of a long name. */
        if (vfat && (entry.ptr[11] & 0x3f) != 0x0f && (entry.ptr[11] & 0x18) == 0x08 && entry.ptr[0] != 0xe5) {
            put_text(s->label, sizeof s->label, slice_head(entry, 11));
            return;
        }
    }
}

/* --- tables of partitions --- */

static bool is_mbr(struct slice h) {
    bool any = false;
    if (!has(h, 510, LIT("\x55\xaa"))) return false;
    for (size_t i = 0; i < 4; i++) {
        uint32_t boot = le(h, 446 + 16 * i, 1), type = le(h, 450 + 16 * i, 1);
        if (boot != 0 && boot != 0x80) return false;
        any |= type != 0 && le(h, 458 + 16 * i, 4) != 0;
    }
    return any;
}

/* What begins at the first byte comes first: a table is none with it, and writing a table destroys it. Farther in, something older may
 * be left behind a table, and then the table holds. */
void superblock_read(struct slice head, struct superblock *out) {
    *out = (struct superblock){.kind = NULL};
    if (has(head, 512, LIT("EFI PART")) || has(head, 4096, LIT("EFI PART")))
        out->table = "gpt";
    else if (read_luks(head, out) || read_xfs(head, out) || read_squashfs(head, out) || read_exfat(head, out) ||
             read_vfat(head, out))
        return;
    else if (is_mbr(head))
        out->table = "mbr";
    else if (!read_btrfs(head, out) && !read_ext(head, out))
        read_swap(head, out);
}
