/* disk_list.c - a folder's names in order, page by page; see disk.h.
 *
 * Every page reads the whole folder once and keeps the smallest names behind `after`, so it needs memory for one page
 * however big the folder is, and what changes between pages is neither lost nor told twice unless it is itself what
 * changed.
 * Left out: what is neither a plain file nor a folder, and names no verb would take. */
#include "base/mem.h"
#include "base/utf8.h"
#include "loop/file.h"
#include "warden/disk_room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct page {
    char *names[LIMIT_DISK_LIST + 1]; /* in order */
    unsigned n, most;
    bool more; /* there was one too many */
};

/* An entry as the kernel writes it (getdents64): 8 bytes of inode, 8 of offset, 2 of length, 1 of type, the name. */
struct entry {
    uint16_t len;
    uint8_t type;
    const char *name;
};

static struct entry read_entry(const uint8_t *at) {
    struct entry entry = {.type = at[18], .name = (const char *)at + 19};
    memcpy(&entry.len, at + 16, sizeof entry.len);
    return entry;
}

static void drop_name(char *name) {
    mem_put(name, strlen(name) + 1);
}

static void release(struct page *page) {
    while (page->n) drop_name(page->names[--page->n]);
}

/* Only what a verb's path may be made of (verb.h, VERB_PATH). */
static bool is_askable(const char *name) {
    struct slice s = slice_str(name);
    if (slice_eq(s, LIT(".")) || slice_eq(s, LIT("..")) || s.len > LIMIT_DISK_PATH || !utf8_ok(s)) return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f || (s.ptr[i] == 0xc2 && s.ptr[i + 1] < 0xa0)) return false;
    return true;
}

static bool is_listed(int fd, const struct entry *entry) {
    struct stat st;
    if (entry->type == DT_REG || entry->type == DT_DIR) return true;
    return entry->type == DT_UNKNOWN && !fstatat(fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) &&
           (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static bool put_name(struct page *page, const char *name, struct err *e) {
    if (page->n > page->most) { /* full: the last one has to go, if it is not this one */
        if (strcmp(name, page->names[page->n - 1]) > 0) return true;
        drop_name(page->names[--page->n]);
    }
    unsigned low = 0, high = page->n;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (strcmp(page->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t len = strlen(name) + 1;
    char *copy = mem_get(len);
    if (!copy) return err_nomem(e, "a page of names");
    memcpy(copy, name, len);
    memmove(&page->names[low + 1], &page->names[low], (page->n - low) * sizeof *page->names);
    page->names[low] = copy;
    page->n++;
    return true;
}

static bool collect(struct disk *d, int fd, struct slice after, struct page *page, struct err *e) {
    uint8_t *scratch = loop_scratch(d->loop);
    for (;;) {
        long n = syscall(SYS_getdents64, fd, scratch, LOOP_SCRATCH);
        if (n < 0) return err_os(e, ERR_FILESYSTEM, errno, "reading a folder");
        if (n == 0) break;
        for (long at = 0; at < n;) {
            struct entry entry = read_entry(scratch + at);
            at += entry.len;
            if (after.len && slice_cmp(slice_str(entry.name), after) <= 0) continue;
            if (is_askable(entry.name) && is_listed(fd, &entry) && !put_name(page, entry.name, e)) return false;
        }
    }
    page->more = page->n > page->most;
    if (page->more) drop_name(page->names[--page->n]);
    return true;
}

/* [name, size, mtime_ns, folder]; what vanished meanwhile stays away. */
static bool describe(int fd, const struct page *page, struct val *names) {
    *names = val_empty_array();
    for (unsigned i = 0; i < page->n; i++) {
        struct stat st;
        if (fstatat(fd, page->names[i], &st, AT_SYMLINK_NOFOLLOW)) continue;
        struct val d = disk_describe(&st);
        struct val row = VAL_ARRAY_OF(val_of_str(page->names[i]), val_ref(val_get(&d, LIT("size"))),
                                      val_ref(val_get(&d, LIT("mtime_ns"))), val_ref(val_get(&d, LIT("folder"))));
        val_unref(&d);
        if (!val_push(names, row)) return false;
    }
    return true;
}

bool disk_list(struct disk *d, struct obey_ask *ask, struct err *e) {
    unsigned root;
    int fd;
    uint64_t most = 0;
    struct slice after = val_as_text(val_get(ask->args, LIT("after")));
    val_as_u64(val_get(ask->args, LIT("most")), &most);
    if (!disk_open_folder(d, ask->args, &root, &fd, e)) return false;
    struct page page = {.most = (unsigned)most};
    struct val names = val_none;
    bool good = collect(d, fd, after, &page, e);
    if (good && !describe(fd, &page, &names)) good = err_nomem(e, "a page of names");
    if (good) ask->result = VAL_MAP_OF({"names", val_ref(&names)}, {"more", val_of_bool(page.more)});
    val_unref(&names);
    release(&page);
    close(fd);
    return good;
}
