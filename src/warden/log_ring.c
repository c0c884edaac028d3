/* log_ring.c - see log_ring.h. Everything goes by loop/file.h, so that tests see every call that matters. */
#include "warden/log_ring.h"

#include "base/clock.h"
#include "loop/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL    ((size_t)2 * LIMIT_LOG_RECORD) /* the last whole line is in it, whatever else */
#define GATHER  16384                          /* lines that are written together */
#define MISSING 160                            /* bytes of the line that says how many are missing */

static const char *name_of(char out[32], unsigned i) {
    if (i)
        snprintf(out, 32, LOG_RING_NAME ".%u", i);
    else
        snprintf(out, 32, LOG_RING_NAME);
    return out;
}

/* --- where it ended --- */

/* The end of the last line in a piece that is one of ours, and its number; 0: there is none. False: no memory to tell, and then
 * nothing may be dropped. */
static bool last_good(struct slice piece, bool at_start, size_t *good, uint64_t *seq, struct err *e) {
    size_t end = piece.len;
    *good = 0;
    while (end) {
        if (piece.ptr[end - 1] != '\n') {
            end--;
            continue;
        }
        size_t begin = end - 1;
        while (begin && piece.ptr[begin - 1] != '\n') begin--;
        struct logline l;
        struct err why = ERR_INIT;
        bool whole = begin || at_start;
        if (whole && logline_read(slice_of(piece.ptr + begin, end - 1 - begin), &l, &why)) {
            *seq = l.seq;
            logline_release(&l);
            *good = end;
            return true;
        }
        if (why.code == ERR_NOMEM) return err_nomem(e, "the end of the log");
        end = begin;
    }
    return true;
}

/* Looks for the end of the last good line of a file. *end 0: it has none. */
static bool find_end(struct log_ring *r, int fd, uint64_t size, uint64_t *end, uint64_t *seq, struct err *e) {
    uint64_t from = size > TAIL ? size - TAIL : 0;
    uint8_t *tail = buf_room(&r->out, TAIL); /* nothing is gathered yet: borrowed */
    *end = 0;
    if (!tail) {
        buf_reset(&r->out);
        return err_nomem(e, "the end of the log");
    }
    ssize_t n = file_read_at(fd, tail, (size_t)(size - from), from, e);
    if (n < 0) return false;
    size_t at;
    if (!last_good(slice_of(tail, (size_t)n), from == 0, &at, seq, e)) return false;
    if (at) *end = from + at;
    return true;
}

/* The number the older files end with; nothing found is no failure. */
static bool find_seq(struct log_ring *r, uint64_t *found, struct err *e) {
    char name[32];
    for (unsigned i = 1; i < LIMIT_LOG_FILES; i++) {
        struct err why = ERR_INIT;
        uint64_t size, end = 0, seq = 0;
        int fd = file_open(r->dir, name_of(name, i), O_RDONLY, 0, &why);
        if (fd < 0 && why.code == ERR_NOT_FOUND) continue;
        bool good = fd >= 0 && file_size(fd, &size, &why) && find_end(r, fd, size, &end, &seq, &why);
        if (fd >= 0) close(fd);
        if (!good) {
            if (e) *e = why;
            return false;
        }
        if (end) {
            *found = seq;
            return true;
        }
    }
    return true;
}

/* --- opening --- */

static void shut(struct log_ring *r) {
    if (r->fd >= 0) close(r->fd);
    if (r->dir >= 0) close(r->dir);
    r->fd = r->dir = -1;
    r->size = 0;
}

static bool open_folder(struct log_ring *r, struct err *e) {
    struct err why = ERR_INIT;
    r->dir = file_open(r->root, r->folder, O_RDONLY | O_DIRECTORY, 0, &why);
    if (r->dir >= 0) return true;
    if (why.code != ERR_NOT_FOUND) {
        if (e) *e = why;
        return false;
    }
    if (mkdirat(r->root, r->folder, 0700) && errno != EEXIST)
        return err_os(e, ERR_FILESYSTEM, errno, "making the folder %s", r->folder);
    r->dir = file_open(r->root, r->folder, O_RDONLY | O_DIRECTORY, 0, e);
    return r->dir >= 0;
}

static bool open_file(struct log_ring *r, struct err *e) {
    struct stat st;
    r->size = 0;
    r->fd = file_open(r->dir, LOG_RING_NAME, O_RDWR | O_CREAT, 0600, e);
    if (r->fd < 0) return false;
    if (fstat(r->fd, &st)) return err_os(e, ERR_FILESYSTEM, errno, "looking at " LOG_RING_NAME);
    if (!S_ISREG(st.st_mode)) return err_set(e, ERR_INVALID, LOG_RING_NAME " is not a plain file");
    r->size = (uint64_t)st.st_size;
    return true;
}

/* Each file takes the name of the next older one. What is not there leaves a gap, and that is no failure. */
static bool rotate(struct log_ring *r, struct err *e) {
    char from[32], to[32];
    if (!file_sync(r->fd, e)) return false;
    for (unsigned i = LIMIT_LOG_FILES - 1; i > 0; i--) {
        struct err why = ERR_INIT;
        if (file_rename(r->dir, name_of(from, i - 1), name_of(to, i), &why) || why.code == ERR_NOT_FOUND) continue;
        if (e) *e = why;
        return false;
    }
    close(r->fd);
    return open_file(r, e);
}

/* Opens what is there, and finds the number it ends with. */
static bool open_old(struct log_ring *r, uint64_t *seq, struct err *e) {
    uint64_t end;
    if (!open_folder(r, e) || !open_file(r, e) || !find_end(r, r->fd, r->size, &end, seq, e)) return false;
    if (!end && !find_seq(r, seq, e)) return false;
    if (r->size && !end) return rotate(r, e); /* nothing in it is ours: it is put aside whole */
    if (end < r->size && ftruncate(r->fd, (off_t)end)) return err_os(e, ERR_FILESYSTEM, errno, "dropping a torn line");
    r->size = end;
    return true;
}

static bool open_ring(struct log_ring *r, struct err *e) {
    uint64_t seq = 0;
    if (!open_old(r, &seq, e)) return false;
    if (!r->numbered)
        r->seq += seq; /* what was missed before the first opening was counted from nothing */
    else if (seq > r->seq)
        r->seq = seq;
    r->numbered = true;
    return true;
}

/* --- writing --- */

static void lose(struct log_ring *r, const struct err *why) {
    shut(r);
    r->missed += r->out_lines;
    r->out_lines = 0;
    buf_reset(&r->out);
    r->why = *why;
    r->broken = true;
    r->again_at = clock_mono_ms() + LIMIT_LOG_AGAIN_MS;
}

/* Somebody removed the file, or cut it: what we know of it is no longer so. */
static bool is_ours(const struct log_ring *r) {
    struct stat st;
    return fstat(r->fd, &st) == 0 && st.st_nlink > 0 && (uint64_t)st.st_size == r->size;
}

static bool write_out(struct log_ring *r, struct err *e) {
    if (r->size && r->size + r->out.len > LIMIT_LOG_FILE && !rotate(r, e)) return false;
    if (!file_write_at(r->fd, buf_slice(&r->out), r->size, e)) return false;
    r->size += r->out.len;
    return true;
}

void log_ring_flush(struct log_ring *r) {
    struct err e = ERR_INIT;
    if (!r->out_lines) return;
    if (write_out(r, &e)) {
        r->out_lines = r->missed = 0;
        buf_reset(&r->out);
        return;
    }
    /* What a short write left behind is no line; where this fails too, the next start drops it. */
    if (r->fd >= 0 && ftruncate(r->fd, (off_t)r->size)) err_context(&e, "and not to be undone");
    lose(r, &e);
}

static bool append(struct log_ring *r, unsigned priority, struct slice text) {
    struct logline l = {.seq = r->seq, .wall_ms = clock_wall_ms(), .priority = priority};
    memcpy(l.boot, r->boot, sizeof l.boot);
    if (!logline_write(&r->out, &l, text)) return false;
    r->out_lines++;
    return true;
}

/* A line among the lines, with a number like any other; but when it is lost too, it is not missed. */
static bool say_missing(struct log_ring *r) {
    char text[MISSING];
    snprintf(text, sizeof text, "%llu lines could not be kept: %.100s", (unsigned long long)r->missed, r->why.text);
    r->seq++;
    bool good = append(r, 4, slice_str(text));
    r->out_lines = 0;
    return good;
}

/* Whether there is a file to write into. */
static bool be_ready(struct log_ring *r) {
    struct err e = ERR_INIT;
    if (r->broken && clock_mono_ms() < r->again_at) return false;
    if (r->fd >= 0 && !r->out_lines && !is_ours(r)) shut(r);
    if (r->fd >= 0) return true;
    bool good = open_ring(r, &e);
    buf_release(&r->out); /* looking for the end wants more memory than anything behind it */
    if (good && r->missed && !say_missing(r)) good = err_nomem(&e, "a line of the log");
    if (!good) {
        lose(r, &e);
        return false;
    }
    r->broken = false;
    return true;
}

void log_ring_add(struct log_ring *r, struct slice line) {
    struct err e = ERR_INIT;
    unsigned priority = logline_priority(&line);
    if (!be_ready(r)) {
        r->seq++;
        r->missed++;
        return;
    }
    r->seq++;
    if (!append(r, priority, line)) {
        err_nomem(&e, "a line of the log");
        lose(r, &e);
        r->missed++;
        return;
    }
    if (r->out.len >= GATHER) log_ring_flush(r);
}

void log_ring_init(struct log_ring *r, int root, const char *folder, const char *boot) {
    *r = (struct log_ring){.root = root, .folder = folder, .dir = -1, .fd = -1, .why = ERR_INIT};
    snprintf(r->boot, sizeof r->boot, "%s", boot);
    buf_init(&r->out, TAIL > GATHER + LIMIT_LOG_RECORD ? TAIL : GATHER + LIMIT_LOG_RECORD);
}

void log_ring_release(struct log_ring *r) {
    log_ring_flush(r);
    shut(r);
    buf_release(&r->out);
}
