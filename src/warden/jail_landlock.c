/* jail_landlock.c - the part of the jail that knows about files: nothing but the roots, nothing at all without roots.
 *
 * By raw system calls: libc has no wrappers. Headers of Debian 12 know ABI 2; the later bits are defined here as the kernel's
 * documentation numbers them, under names of ours. Rights a kernel does not know are not asked for: ABI n has a mask.
 * Tried: tests/warden/jail. */
#include "warden/jail_room.h"

#include <errno.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444 /* the same on every architecture */
#define __NR_landlock_add_rule       445
#define __NR_landlock_restrict_self  446
#endif

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
};
#define NET_BIND_TCP      (UINT64_C(1) << 0)
#define SCOPE_ABSTRACT    (UINT64_C(1) << 0)
#define SCOPE_SIGNAL      (UINT64_C(1) << 1)
#define CREATE_VERSION    1u
#define RULE_PATH_BENEATH 1

/* As the kernel lays them out; a kernel that knows fewer fields is given fewer bytes. */
struct ruleset {
    uint64_t fs, net, scoped;
};
struct beneath {
    uint64_t allowed;
    int32_t dir;
} __attribute__((packed));

/* Bits of file rights each ABI has. */
static uint64_t known_fs(int abi) {
    unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;
    return (UINT64_C(1) << bits) - 1;
}

static size_t ruleset_len(int abi) {
    return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

static bool allow(int rules, const struct jail_root *root, uint64_t known, struct err *e) {
    uint64_t rights = FS_READ_FILE | FS_READ_DIR;
    if (root->write)
        rights |= FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE;
    struct stat st;
    if (fstat(root->dir, &st)) return err_os(e, ERR_FILESYSTEM, errno, "looking at a root of the jail");
    if (!S_ISDIR(st.st_mode))
        rights &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE; /* else the kernel refuses the rule */
    struct beneath rule = {.allowed = rights & known, .dir = root->dir};
    return syscall(__NR_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0) == 0 ||
           err_os(e, ERR_UNKNOWN, errno, "opening a root of the jail");
}

int jail_landlock_abi(void) {
    long version = syscall(__NR_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return version > 0 ? (int)version : 0;
}

bool jail_landlock(const struct jail *j, bool *in_force, int *abi, struct err *e) {
    *in_force = false;
    *abi = jail_landlock_abi();
    if (*abi == 0) return true; /* built without it, switched off, or an emulator */
    struct ruleset attr = {.fs = known_fs(*abi), .net = NET_BIND_TCP, .scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL};
    int rules = (int)syscall(__NR_landlock_create_ruleset, &attr, ruleset_len(*abi), 0);
    if (rules < 0) return err_os(e, ERR_UNKNOWN, errno, "making the rules of the jail");
    bool good = true;
    for (unsigned i = 0; good && i < j->root_n; i++) good = allow(rules, &j->roots[i], attr.fs, e);
    if (good && syscall(__NR_landlock_restrict_self, rules, 0))
        good = err_os(e, ERR_UNKNOWN, errno, "putting the rules of the jail in force");
    close(rules);
    *in_force = good;
    return good;
}
