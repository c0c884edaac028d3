/* probe.c - what a disk holds: heads made by hand to the formats' descriptions and by the usual tools; and the list of a machine. */
#include "wardens.h"

#include "warden/superblock.h"

/* --- heads made by hand --- */

static uint8_t disk[SUPERBLOCK_HEAD];

static void put(size_t at, const char *bytes, size_t len) {
    memcpy(disk + at, bytes, len);
}
#define PUT(at, literal) put((at), (literal), sizeof(literal) - 1)

static void put_le(size_t at, uint64_t n, size_t len) {
    for (size_t i = 0; i < len; i++) disk[at + i] = (uint8_t)(n >> (8 * i));
}

#define UUID      "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"
#define UUID_TEXT "01234567-89ab-cdef-0123-456789abcdef"

static struct superblock read_head(size_t len) {
    struct superblock s;
    superblock_read(slice_of(disk, len), &s);
    return s;
}

static void check(const struct superblock *s, const char *kind, const char *label, const char *uuid,
                  const char *table) {
    CHECK_TEXT(slice_str(s->kind ? s->kind : "none"), slice_str(kind ? kind : "none"));
    CHECK_TEXT(slice_str(s->label), slice_str(label));
    CHECK_TEXT(slice_str(s->uuid), slice_str(uuid));
    CHECK_TEXT(slice_str(s->table ? s->table : "none"), slice_str(table ? table : "none"));
}

/* What is here is found, and no prefix of it is read beyond its end. */
static void check_head(const char *kind, const char *label, const char *uuid, const char *table) {
    struct superblock s = read_head(sizeof disk);
    check(&s, kind, label, uuid, table);
    for (size_t len = 0; len < sizeof disk; len += len < 1300 || (len >= 65536 && len < 66000) ? 1 : 97) {
        struct superblock cut;
        superblock_read(tap_guarded(slice_of(disk, len)), &cut);
        if (cut.kind && strcmp(cut.kind, kind ? kind : ""))
            CHECK_TEXT(slice_str(cut.kind), LIT("a shorter head is the same or none"));
    }
    memset(disk, 0, sizeof disk);
}

static void make_ext(unsigned compat, unsigned incompat, unsigned ro_compat) {
    put_le(1024 + 56, 0xef53, 2);
    put_le(1024 + 92, compat, 4);
    put_le(1024 + 96, incompat, 4);
    put_le(1024 + 100, ro_compat, 4);
    PUT(1024 + 104, UUID);
    PUT(1024 + 120, "sixteen letters!"); /* no NUL behind it */
}

TEST(file_systems_are_told_from_their_superblocks) {
    make_ext(0, 0x2, 0x3);
    check_head("ext2", "sixteen letters!", UUID_TEXT, NULL);
    make_ext(0x4, 0x6, 0x3);
    check_head("ext3", "sixteen letters!", UUID_TEXT, NULL);
    make_ext(0x4, 0x42, 0x3);
    check_head("ext4", "sixteen letters!", UUID_TEXT, NULL);
    make_ext(0, 0x2, 0x403);
    check_head("ext4", "sixteen letters!", UUID_TEXT, NULL);
    make_ext(0, 0x8, 0); /* a journal of another one */
    check_head(NULL, "", "", NULL);
    PUT(65536 + 0x40, "_BHRfS_M");
    PUT(65536 + 0x20, UUID);
    PUT(65536 + 0x12b, "pool");
    check_head("btrfs", "pool", UUID_TEXT, NULL);
    PUT(0, "XFSB\0\0\x10\0");
    PUT(32, UUID);
    PUT(108, "twelve bytes");
    check_head("xfs", "twelve bytes", UUID_TEXT, NULL);
    PUT(0, "XFSB\0\0\x10\1"); /* no size of a block */
    check_head(NULL, "", "", NULL);
    PUT(0, "hsqs");
    put_le(28, 4, 2);
    check_head("squashfs", "", "", NULL);
    PUT(1036, UUID);
    PUT(1052, "swap-one");
    PUT(4086, "SWAPSPACE2");
    check_head("swap", "swap-one", UUID_TEXT, NULL);
    PUT(65526, "SWAPSPACE2");
    check_head("swap", "", "", NULL); /* of a machine with large pages; zeros are no uuid */
    PUT(0, "LUKS\xba\xbe\0\1");
    PUT(24, "not a label");
    PUT(168, UUID_TEXT);
    check_head("crypto_LUKS", "", UUID_TEXT, NULL);
    PUT(0, "LUKS\xba\xbe\0\2");
    PUT(24, "label");
    PUT(168, UUID_TEXT);
    check_head("crypto_LUKS", "label", UUID_TEXT, NULL);
    PUT(0, "LUKS\xba\xbe\0\2");
    PUT(168, "a\nb");
    check_head("crypto_LUKS", "", "", NULL);
    PUT(0, "LUKS\xba\xbe\0\3");
    check_head(NULL, "", "", NULL);
}

static void make_fat(bool wide) {
    PUT(0, "\xeb\x58\x90mkfs.fat");
    put_le(11, 512, 2);
    put_le(13, 4, 1);
    put_le(14, 32, 2);
    put_le(16, 2, 1);
    put_le(21, 0xf8, 1);
    if (wide) {
        put_le(36, 1000, 4);
        put_le(44, 2, 4);
        put_le(67, 0x1234abcd, 4);
        PUT(71, "NO NAME    FAT32   ");
    } else {
        put_le(22, 100, 2);
        put_le(39, 0x1234abcd, 4);
        PUT(43, "BOOT       FAT16   ");
    }
    PUT(510, "\x55\xaa");
}

TEST(labels_of_vfat_and_exfat_are_found_in_their_folders) {
    make_fat(false);
    struct superblock s = read_head(sizeof disk);
    check(&s, "vfat", "BOOT", "1234-ABCD", NULL);
    CHECK_INT(s.folder, (32 + 2 * 100) * 512);
    check_head("vfat", "BOOT", "1234-ABCD", NULL);
    make_fat(true);
    s = read_head(sizeof disk);
    check(&s, "vfat", "", "1234-ABCD", NULL);
    CHECK_INT(s.folder, (32 + 2 * 1000) * 512);
    memset(disk, 0, sizeof disk);
    /* a part of a long name, a removed label, a file, and then the label */
    PUT(0, "Aabcdefghij\x0f");
    PUT(32, "\xe5LDNAME    \x08");
    PUT(64, "FILE    TXT\x20");
    PUT(96, "NEW NAME   \x08");
    superblock_label(slice_of(disk, 96), &s);
    CHECK_TEXT(slice_str(s.label), LIT(""));
    superblock_label(tap_guarded(slice_of(disk, 128 + 5)), &s);
    CHECK_TEXT(slice_str(s.label), LIT("NEW NAME"));
    memset(disk, 0, 32); /* the folder ends before */
    s.label[0] = 0;
    superblock_label(slice_of(disk, 128), &s);
    CHECK_TEXT(slice_str(s.label), LIT(""));
    memset(disk, 0, sizeof disk);
    PUT(0, "\xeb\x76\x90"
           "EXFAT   ");
    put_le(88, 128, 4);
    put_le(96, 5, 4);
    put_le(100, 0x00c0ffee, 4);
    put_le(108, 9, 1);
    put_le(109, 3, 1);
    PUT(510, "\x55\xaa");
    s = read_head(sizeof disk);
    check(&s, "exfat", "", "00C0-FFEE", NULL);
    CHECK_INT(s.folder, (128 + (3 << 3)) * 512);
    put_le(108, 60, 1); /* would shift out of any number */
    struct superblock odd = read_head(sizeof disk);
    check(&odd, NULL, "", "", NULL);
    memset(disk, 0, sizeof disk);
    PUT(0, "\x81");
    PUT(32, "\x83\x05S\0\xe4\0\x3d\xd8\x00\xde\x00\xd8"); /* "S", a with dots, a face, half of a pair */
    superblock_label(slice_of(disk, 4096), &s);
    CHECK_TEXT(slice_str(s.label), LIT("S\xc3\xa4\xf0\x9f\x98\x80\xef\xbf\xbd"));
    PUT(32, "\x83\xff");
    superblock_label(slice_of(disk, 4096), &s);
    CHECK_TEXT(slice_str(s.label), LIT(""));
    memset(disk, 0, sizeof disk);
}

static void make_table(unsigned boot, unsigned type, unsigned len) {
    put_le(446, boot, 1);
    put_le(450, type, 1);
    put_le(458, len, 4);
    PUT(510, "\x55\xaa");
}

TEST(tables_of_partitions_are_told_from_file_systems) {
    make_table(0x80, 0x83, 1000);
    check_head(NULL, "", "", "mbr");
    make_table(0x80, 0x83, 1000);
    make_ext(0, 0x42, 0); /* left behind by what was there before */
    check_head(NULL, "", "", "mbr");
    make_table(0x12, 0x83, 1000);
    check_head(NULL, "", "", NULL);
    make_table(0, 0, 0);
    check_head(NULL, "", "", NULL);
    make_table(0, 0xee, 1000);
    PUT(512, "EFI PART");
    check_head(NULL, "", "", "gpt");
    PUT(4096, "EFI PART"); /* sectors of 4096 bytes */
    check_head(NULL, "", "", "gpt");
    make_fat(true);
    check_head("vfat", "", "1234-ABCD", NULL);
    check_head(NULL, "", "", NULL); /* zeros */
}

/* --- heads the usual tools made --- */

static struct superblock read_image(const char *path) {
    struct superblock s;
    static uint8_t folder[SUPERBLOCK_FOLDER];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(disk, 0, sizeof disk);
    ssize_t n = pread(fd, disk, sizeof disk, 0);
    superblock_read(slice_of(disk, n > 0 ? (size_t)n : 0), &s);
    if (s.folder && (n = pread(fd, folder, sizeof folder, (off_t)s.folder)) > 0)
        superblock_label(slice_of(folder, (size_t)n), &s);
    close(fd);
    memset(disk, 0, sizeof disk);
    return s;
}

TEST(what_the_usual_tools_make_is_told_right) {
    static const struct {
        const char *tool, *arguments, *kind, *label, *uuid, *table;
        bool must; /* on every Debian */
    } rows[] = {
        {"mkfs.ext4", "-q -F -L 'my data' -U " UUID_TEXT, "ext4", "my data", UUID_TEXT, NULL, true},
        {"mkfs.ext3", "-q -F -L old", "ext3", "old", NULL, NULL, true},
        {"mkfs.ext2", "-q -F", "ext2", "", NULL, NULL, true},
        {"mkswap", "-q -L more -U " UUID_TEXT, "swap", "more", UUID_TEXT, NULL, true},
        {"mkfs.btrfs", "-q -f -L pool -U " UUID_TEXT, "btrfs", "pool", UUID_TEXT, NULL, false},
        {"mkfs.xfs", "-q -f -L xlabel -m uuid=" UUID_TEXT, "xfs", "xlabel", UUID_TEXT, NULL, false},
        {"mkfs.vfat", "-F 16 -i 1234abcd -n BOOT", "vfat", "BOOT", "1234-ABCD", NULL, false},
        {"mkfs.vfat", "-F 32 -i 1234abcd -n 'TWO WORDS'", "vfat", "TWO WORDS", "1234-ABCD", NULL, false},
        {"mkfs.vfat", "-F 12 -s 128 -S 2048 -i 1234abcd", "vfat", "", "1234-ABCD", NULL, false},
        {"mkfs.exfat", "-L Stick", "exfat", "Stick", NULL, NULL, false},
        {"cryptsetup",
         "luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label sealed --uuid " UUID_TEXT
         " --key-file /etc/hostname",
         "crypto_LUKS", "sealed", UUID_TEXT, NULL, false},
        {"cryptsetup",
         "luksFormat -q --type luks1 --pbkdf-force-iterations 1000 --uuid " UUID_TEXT " --key-file /etc/hostname",
         "crypto_LUKS", "", UUID_TEXT, NULL, false},
        {"echo 'label: gpt' | sfdisk", "-q", NULL, "", "", "gpt", false},
        {"echo ',,L' | sfdisk", "-q --label dos", NULL, "", "", "mbr", false},
    };
    char path[] = "/tmp/startbox-test-image-XXXXXX";
    int fd = mkstemp(path);
    if (!CHECK(fd >= 0)) return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char command[600];
        CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, 320 << 20) == 0);
        snprintf(command, sizeof command, "PATH=$PATH:/usr/sbin:/sbin; %s %s %s >/dev/null 2>&1", rows[i].tool,
                 rows[i].arguments, path);
        int status = system(command);
        if (status != 0) {
            tap_note("not tried: %s (%d)", rows[i].tool, WEXITSTATUS(status));
            CHECK(!rows[i].must);
            continue;
        }
        struct superblock s = read_image(path);
        check(&s, rows[i].kind, rows[i].label, rows[i].uuid ? rows[i].uuid : s.uuid, rows[i].table);
        if (!rows[i].uuid) CHECK(strlen(s.uuid) >= 9);
    }
    close(fd);
    unlink(path);
}

/* --- the job --- */

static char base[64];

static void make_file(const char *path, const char *text) {
    char full[300];
    snprintf(full, sizeof full, "%s/%s", base, path);
    for (char *c = full + strlen(base) + 1; (c = strchr(c, '/')); c++) {
        *c = 0;
        mkdir(full, 0755);
        *c = '/';
    }
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void make_device(const char *name, const uint8_t *bytes) {
    char path[100], full[200];
    snprintf(path, sizeof path, "dev/%s", name);
    make_file(path, "");
    snprintf(full, sizeof full, "%s/%s", base, path);
    int fd = open(full, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && (!bytes || write(fd, bytes, SUPERBLOCK_HEAD) == SUPERBLOCK_HEAD));
    close(fd);
}

static int probe_once(const struct warden_birth *birth, void *arg) {
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "disk.probe", NO_ARGS);
    SEE_CODE(&a, ERR_NONE);
    if (arg) {
        const struct val *want = arg;
        SEE(val_equal(&a.result, want));
    }
    const struct val *disks = val_get(&a.result, LIT("disks"));
    sh->number[0] = (long long)val_count(disks);
    for (struct val_iter it = val_iter(disks); val_next(&it);) {
        uint64_t size = 0;
        struct slice name = val_as_text(val_get(it.value, LIT("name")));
        SEE(val_as_u64(val_get(it.value, LIT("size")), &size) && size > 0);
        SEE(name.len && !slice_starts(name, LIT("loop")) && !slice_starts(name, LIT("zram")));
    }
    forget(&a);
    return 0;
}

static struct val part(const char *name, uint64_t size, bool read_only, const char *kind, const char *label,
                       const char *uuid) {
    return MAP({"name", val_of_str(name)}, {"size", val_of_u64(size)}, {"read_only", val_of_bool(read_only)},
               {"fstype", kind ? val_of_str(kind) : val_null()}, {"label", label ? val_of_str(label) : val_null()},
               {"uuid", uuid ? val_of_str(uuid) : val_null()});
}

TEST(a_machine_is_listed_with_what_its_disks_hold) {
    snprintf(base, sizeof base, "/tmp/startbox-test-probe-XXXXXX");
    if (!CHECK(mkdtemp(base) != NULL)) return;
    make_file("sys/sda/size", "2048000\n");
    make_file("sys/sda/removable", "1\n");
    make_file("sys/sda/ro", "0\n");
    make_file("sys/sda/device/model", "Flash Disk      \n");
    make_file("sys/sda/device/vendor", "Ger\xe4tebau\n");
    make_file("sys/sda/queue/rotational", "0\n");
    make_file("sys/sda/holders/x", "");
    make_file("sys/sda/sda10/partition", "10\n");
    make_file("sys/sda/sda10/size", "8\n");
    make_file("sys/sda/sda2/partition", "2\n");
    make_file("sys/sda/sda2/size", "16\n");
    make_file("sys/sda/sda2/ro", "1\n");
    make_file("sys/mmcblk0/size", "4096\n");
    make_file("sys/mmcblk0/device/name", "SD32G\n");
    make_file("sys/sdb/size", "0\n"); /* a reader without a card */
    make_file("sys/sdc/size", "9999999999999999999999\n");
    make_file("sys/.sdd/size", "5\n");
    static const char *const others[] = {"loop0", "zram0", "ram0", "dm-0", "sr0", "fd0", "mmcblk0boot0", "mmcblk0rpmb"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char path[60];
        snprintf(path, sizeof path, "sys/%s/size", others[i]);
        make_file(path, "100\n");
    }
    make_table(0, 0x83, 5);
    make_device("sda", disk);
    memset(disk, 0, sizeof disk);
    make_ext(0x4, 0x42, 0);
    make_device("sda2", disk);
    make_device("target", disk);
    memset(disk, 0, sizeof disk);
    make_device("sda10", NULL); /* shorter than any head */
    char link[100];
    snprintf(link, sizeof link, "%s/dev/mmcblk0", base);
    CHECK(symlink("target", link) == 0); /* not followed */
    char sys[80], dev[80];
    snprintf(sys, sizeof sys, "%s/sys", base);
    snprintf(dev, sizeof dev, "%s/dev", base);
    struct val parts = VAL_ARRAY_OF(part("sda2", 8192, true, "ext4", "sixteen letters!", UUID_TEXT),
                                    part("sda10", 4096, false, NULL, NULL, NULL));
    struct val card =
        MAP({"name", val_of_str("mmcblk0")}, {"size", val_of_u64(4096 * 512)}, {"read_only", val_of_bool(false)},
            {"removable", val_of_bool(false)}, {"model", val_of_str("SD32G")}, {"vendor", val_null()},
            {"table", val_null()}, {"fstype", val_null()}, {"label", val_null()}, {"uuid", val_null()},
            {"partitions", val_empty_array()});
    struct val stick =
        MAP({"name", val_of_str("sda")}, {"size", val_of_u64(UINT64_C(2048000) * 512)},
            {"read_only", val_of_bool(false)}, {"removable", val_of_bool(true)}, {"model", val_of_str("Flash Disk")},
            {"vendor", val_of_str("Ger\xef\xbf\xbdtebau")}, {"table", val_of_str("mbr")}, {"fstype", val_null()},
            {"label", val_null()}, {"uuid", val_null()}, {"partitions", parts});
    struct val want = MAP({"disks", VAL_ARRAY_OF(card, stick)}, {"more", val_of_bool(false)});
    shared_begin();
    struct warden_config c = {.reactor = probe_once, .arg = &want, .sys_block = sys, .dev = dev};
    CHECK_INT(warden_live(&c), 0);
    check_seen(9);
    CHECK_INT(sh->number[0], 2);
    val_unref(&want);
    remove_tree(base);
}

TEST(more_disks_than_an_answer_takes_are_told_as_more) {
    snprintf(base, sizeof base, "/tmp/startbox-test-probe-XXXXXX");
    if (!CHECK(mkdtemp(base) != NULL)) return;
    for (int i = 0; i < LIMIT_PROBE_NODES + 10; i++) {
        char path[60];
        snprintf(path, sizeof path, "sys/sd%d/size", i);
        make_file(path, "100\n");
        snprintf(path, sizeof path, "sys/sd%d/device/model", i);
        make_file(
            path,
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\n");
    }
    make_file("dev/x", "");
    char sys[80], dev[80];
    snprintf(sys, sizeof sys, "%s/sys", base);
    snprintf(dev, sizeof dev, "%s/dev", base);
    shared_begin();
    struct warden_config c = {.reactor = probe_once, .sys_block = sys, .dev = dev};
    CHECK_INT(warden_live(&c), 0);
    check_seen(4 + 2 * LIMIT_PROBE_NODES);
    CHECK_INT(sh->number[0], LIMIT_PROBE_NODES);
    remove_tree(base);
}

TEST(this_machine_is_listed_whoever_asks) {
    for (int nobody = 0; nobody < 2; nobody++) {
        shared_begin();
        struct warden_config c = {.reactor = probe_once};
        CHECK_INT(warden_end(warden_begin(&c, nobody)), 0);
        check_seen(4);
        tap_note("%lld disks", sh->number[0]);
    }
}

TAP_MAIN(T(file_systems_are_told_from_their_superblocks), T(labels_of_vfat_and_exfat_are_found_in_their_folders),
         T(tables_of_partitions_are_told_from_file_systems), T(what_the_usual_tools_make_is_told_right),
         T(a_machine_is_listed_with_what_its_disks_hold), T(more_disks_than_an_answer_takes_are_told_as_more),
         T(this_machine_is_listed_whoever_asks))
