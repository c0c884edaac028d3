/* probe.c - see probe.h. */
#include "warden/probe.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "base/num.h"
#include "loop/file.h"
#include "warden/superblock.h"
#include "warden/warden.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS        30000 /* a disk that spins up */
#define NAME_MOST 32
#define TEXT_MOST 48   /* a model of NVMe has 40, of SCSI 16 */
#define WHOLE     (-1) /* as the disk of a node: it is one itself */

struct node {
    char name[NAME_MOST];
    int disk; /* the place of the disk it is a part of */
    int fd;   /* -1: it cannot be read */
    uint64_t size;
    bool removable, read_only;
    char model[TEXT_MOST], vendor[TEXT_MOST];
};

struct probe {
    struct node nodes[LIMIT_PROBE_NODES]; /* each disk, then its partitions */
    unsigned n;
    bool more; /* there are some that had no place */
    int sys, dev;
    bool files; /* in tests the devices are files */
};

/* --- what the kernel tells, outside the jail --- */

/* A short text of a folder of /sys, without blanks at its ends; "" when it is not there. */
static void read_text(int dir, const char *name, char *out, size_t size) {
    int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
    if (fd >= 0) close(fd);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == ' ')) n--;
    out[n > 0 ? n : 0] = 0;
}

static uint64_t read_number(int dir, const char *name) {
    char text[24];
    uint64_t n = 0;
    read_text(dir, name, text, sizeof text);
    return num_read_u64(slice_str(text), 0, UINT64_MAX / 512, &n) ? n : 0;
}

/* Names of devices are letters and digits; the kernel's folders have others too. */
static bool is_plain(const char *name) {
    size_t n = 0;
    while (ascii_is_alnum((uint8_t)name[n]) || name[n] == '-' || name[n] == '_') n++;
    return n > 0 && n < NAME_MOST && name[n] == 0;
}

static bool is_disk(const char *name) {
    static const char *const others[] = {"loop", "ram", "zram", "dm-", "fd", "sr"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!strncmp(name, others[i], strlen(others[i]))) return false;
    return !(!strncmp(name, "mmcblk", 6) && (strstr(name, "boot") || strstr(name, "rpmb"))); /* a card's own firmware */
}

static int compare(const void *a, const void *b) {
    return strverscmp(*(const char *const *)a, *(const char *const *)b); /* sda2 before sda10 */
}

/* Takes the directory descriptor. Calls each in the order of the names; at most LIMIT_PROBE_NAMES of them. */
static bool each_name(struct probe *p, int dir, bool (*each)(struct probe *p, int dir, const char *name, int disk),
                      int disk) {
    static char room[LIMIT_PROBE_NAMES][NAME_MOST]; /* of this process; the disks are listed before their partitions */
    char *names[LIMIT_PROBE_NAMES];
    unsigned n = 0;
    DIR *d = dir < 0 ? NULL : fdopendir(dir);
    if (!d) {
        if (dir >= 0) close(dir);
        return false;
    }
    for (struct dirent *entry; (entry = readdir(d));) {
        if (!is_plain(entry->d_name)) continue;
        if (n == LIMIT_PROBE_NAMES) {
            p->more = true;
            break;
        }
        names[n] = room[n];
        snprintf(names[n++], NAME_MOST, "%.*s", NAME_MOST - 1, entry->d_name);
    }
    qsort(names, n, sizeof *names, compare);
    bool good = true;
    for (unsigned i = 0; good && i < n; i++) good = each(p, dirfd(d), names[i], disk);
    closedir(d);
    return good;
}

static int open_device(const struct probe *p, const char *name) {
    struct stat st;
    int fd = openat(p->dev, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (fstat(fd, &st) == 0 && (S_ISBLK(st.st_mode) || (p->files && S_ISREG(st.st_mode))))) return fd;
    close(fd);
    return -1;
}

/* The next free place, filled with what both kinds have; NULL: there is none. */
static struct node *add_node(struct probe *p, int dir, const char *name, int disk) {
    if (p->n == LIMIT_PROBE_NODES) {
        p->more = true;
        return NULL;
    }
    struct node *node = &p->nodes[p->n++];
    *node = (struct node){.disk = disk, .fd = open_device(p, name)};
    memcpy(node->name, name, strlen(name) + 1);
    node->size = read_number(dir, "size") * 512; /* in these units, whatever its sectors are */
    node->read_only = read_number(dir, "ro") != 0;
    return node;
}

static bool add_partition(struct probe *p, int parent, const char *name, int disk) {
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return true; /* a file that tells something of the disk */
    if (read_number(dir, "partition")) add_node(p, dir, name, disk);
    close(dir);
    return true;
}

/* Its partitions are added when all disks are known: the room of the names is one. */
static bool add_disk(struct probe *p, int parent, const char *name, int disk) {
    if (!is_disk(name)) return true;
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return true;
    struct node *node = read_number(dir, "size") ? add_node(p, dir, name, disk) : NULL; /* 0: a slot without a card */
    if (node) {
        node->removable = read_number(dir, "removable") != 0;
        read_text(dir, "device/model", node->model, sizeof node->model);
        if (!node->model[0]) read_text(dir, "device/name", node->model, sizeof node->model); /* cards */
        read_text(dir, "device/vendor", node->vendor, sizeof node->vendor);
    }
    close(dir);
    return true;
}

static bool list(struct probe *p, struct err *e) {
    if (!each_name(p, dup(p->sys), add_disk, WHOLE))
        return err_os(e, ERR_FILESYSTEM, errno, "listing the disks of this machine");
    for (unsigned i = 0, disks = p->n; i < disks; i++) {
        int dir = openat(p->sys, p->nodes[i].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        each_name(p, dir, add_partition, (int)i); /* one that was pulled out meanwhile has none */
    }
    return true;
}

static bool open_all(struct job_call *c, struct err *e) {
    const struct warden_config *config = c->facts;
    struct probe *p = mem_get_zero(sizeof *p);
    if (!p) return err_nomem(e, "the list of disks");
    c->own = p; /* as long as this process */
    p->files = config->dev != NULL;
    p->sys = file_open_dir(config->sys_block ? config->sys_block : "/sys/block", e);
    p->dev = p->sys < 0 ? -1 : file_open_dir(config->dev ? config->dev : "/dev", e);
    bool good = p->dev >= 0 && list(p, e);
    if (p->sys >= 0) close(p->sys);
    if (p->dev >= 0) close(p->dev);
    return good;
}

/* --- what stands on them, in the jail --- */

/* By seeking: the jail of what counts knows no other way. Fewer bytes at the end, or where it cannot be read. */
static struct slice read_at(int fd, uint64_t at, uint8_t *room, size_t len) {
    size_t n = 0;
    if (fd < 0 || at > INT64_MAX || lseek(fd, (off_t)at, SEEK_SET) < 0) return slice_of(room, 0);
    while (n < len) {
        ssize_t got = read(fd, room + n, len - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        n += (size_t)got;
    }
    return slice_of(room, n);
}

static struct val text_or_null(const char *text) {
    return text && *text ? val_of_text_lossy(slice_str(text)) : val_null();
}

/* Takes the partitions, which are none of a partition. */
static struct val describe(const struct node *node, uint8_t *room, struct val partitions) {
    struct superblock s;
    superblock_read(read_at(node->fd, 0, room, SUPERBLOCK_HEAD), &s);
    if (s.folder && s.folder < node->size) superblock_label(read_at(node->fd, s.folder, room, SUPERBLOCK_FOLDER), &s);
    if (node->disk != WHOLE)
        return VAL_MAP_OF({"name", val_of_str(node->name)}, {"size", val_of_u64(node->size)},
                          {"read_only", val_of_bool(node->read_only)}, {"fstype", text_or_null(s.kind)},
                          {"label", text_or_null(s.label)}, {"uuid", text_or_null(s.uuid)});
    return VAL_MAP_OF({"name", val_of_str(node->name)}, {"size", val_of_u64(node->size)},
                      {"read_only", val_of_bool(node->read_only)}, {"removable", val_of_bool(node->removable)},
                      {"model", text_or_null(node->model)}, {"vendor", text_or_null(node->vendor)},
                      {"table", text_or_null(s.table)}, {"fstype", text_or_null(s.kind)},
                      {"label", text_or_null(s.label)}, {"uuid", text_or_null(s.uuid)}, {"partitions", partitions});
}

static struct val describe_disk(const struct probe *p, unsigned disk, uint8_t *room) {
    struct val parts = val_empty_array();
    for (unsigned i = 0; i < p->n; i++)
        if (p->nodes[i].disk == (int)disk && !val_push(&parts, describe(&p->nodes[i], room, val_none))) {
            val_unref(&parts);
            return val_none;
        }
    return describe(&p->nodes[disk], room, parts);
}

static bool run(struct job_call *c, struct val *result, struct err *e) {
    const struct probe *p = c->own;
    uint8_t *room = mem_get(SUPERBLOCK_HEAD);
    struct val disks = val_empty_array();
    bool good = room != NULL;
    for (unsigned i = 0; good && i < p->n; i++)
        if (p->nodes[i].disk == WHOLE) good = val_push(&disks, describe_disk(p, i, room));
    mem_put(room, SUPERBLOCK_HEAD);
    if (good)
        *result = VAL_MAP_OF({"disks", disks}, {"more", val_of_bool(p->more)});
    else
        val_unref(&disks);
    return (good && !val_is_none(result)) || err_nomem(e, "the list of disks");
}

const struct job_row probe_row = {
    .verb = {.name = "disk.probe",
             .who = VERB_JOB,
             .most_ms = MS,
             .about = "Tells the disks of the machine, their partitions, and what these hold."},
    .run = run,
    .open = open_all,
    .jail = JAIL_COUNT,
    .memory = UINT64_C(128) << 20,
    .cpu_s = 10,
    .files = LIMIT_PROBE_NODES + 32,
    .group = 2, /* with the logs (kernel_log.c) */
    .at_once = 1,
    .queue = LIMIT_LOG_QUEUE,
};
