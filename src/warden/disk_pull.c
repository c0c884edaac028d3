/* disk_pull.c - bytes of a file into a pipe; see disk.h.
 *
 * The kernel moves the pages from its cache into the pipe (splice), so they are not touched here. How many will come is
 * said before the first, so a reader who gets fewer knows that something failed: the pipe cannot say it.
 * Measured with 256 MiB from the cache, processor time of both ends: a third of pread and write into a pipe, a quarter
 * of pread and send into a socket; a pipe of 256 KiB instead of 64 halves it again. */
#include "base/log.h"
#include "loop/fault.h"
#include "loop/file.h"
#include "warden/disk_room.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIPE_ROOM 262144 /* pages of the cache stand in it, no memory of its own */

struct disk_pull {
    struct disk_pump pump;
    uint64_t end;
    bool by_hand; /* this file system cannot splice */
};

static void end_pull(struct disk_pump *p, const struct err *why) {
    if (why && why->code != ERR_CANCELLED) log_warn("a pull ended early: %s", log_text(slice_str(why->text)));
    disk_pump_free(p);
}

/* Moves up to len bytes: how many, 0 at the end of the file, or -1 with errno. */
static ssize_t move(struct disk_pull *pull, size_t len) {
    struct disk_pump *p = &pull->pump;
    enum fault_act act = fault_next(FAULT_READ);
    if (act == FAULT_SHORT) len = (len + 1) / 2;
    if (act && act != FAULT_SHORT) return -1;
    if (!pull->by_hand) {
        off_t at = (off_t)p->at;
        ssize_t n = splice(p->file, &at, p->pipe.fd, NULL, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n >= 0 || (errno != EINVAL && errno != ENOSYS)) return n;
        pull->by_hand = true;
        fcntl(p->pipe.fd, F_SETPIPE_SZ, LOOP_SCRATCH); /* copies do take memory */
    }
    uint8_t *scratch = loop_scratch(p->disk->loop);
    ssize_t n = pread(p->file, scratch, len < LOOP_SCRATCH ? len : LOOP_SCRATCH, (off_t)p->at);
    return n > 0 ? write(p->pipe.fd, scratch, (size_t)n) : n;
}

static void pull_ready(struct loop_fd *w, unsigned ready) {
    struct disk_pull *pull = LOOP_OWNER(struct disk_pull, pump.pipe, w);
    struct disk_pump *p = &pull->pump;
    struct err e = ERR_INIT;
    err_set(&e, ERR_CANCELLED, "the reader left");
    if (ready & LOOP_GONE) {
        end_pull(p, &e);
        return;
    }
    for (uint64_t moved = 0; p->at < pull->end && moved < LIMIT_DISK_TURN;) {
        uint64_t left = pull->end - p->at;
        ssize_t n = move(pull, left < LIMIT_DISK_TURN - moved ? (size_t)left : (size_t)(LIMIT_DISK_TURN - moved));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            if (n == 0) err_set(&e, ERR_FILESYSTEM, "the file became shorter while it was read");
            if (n < 0 && errno != EPIPE) err_os(&e, ERR_FILESYSTEM, errno, "reading a file");
            end_pull(p, &e);
            return;
        }
        p->at += (uint64_t)n;
        moved += (uint64_t)n;
    }
    if (p->at == pull->end) end_pull(p, NULL);
}

/* Opens the file and says what part of it is wanted. */
static bool begin(struct disk *d, const struct val *args, struct disk_pull *pull, struct stat *st, struct err *e) {
    struct disk_place place;
    uint64_t from = 0, len = 0;
    val_as_u64(val_get(args, LIT("from")), &from);
    val_as_u64(val_get(args, LIT("len")), &len);
    if (!disk_place_open(d, args, "path", false, &place, e)) return false;
    pull->pump.file = disk_open(place.folder, place.base, O_RDONLY, true, st, e);
    disk_place_close(d, &place);
    if (pull->pump.file < 0) return disk_about(d, place.root, place.path, e);
    uint64_t size = S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size;
    pull->pump.at = from < size ? from : size;
    pull->end = len < size - pull->pump.at ? pull->pump.at + len : size;
    return true;
}

bool disk_pull(struct disk *d, struct obey_ask *ask, struct err *e) {
    int pipes[2];
    struct stat st;
    struct disk_pump *p = disk_pump_new(d, sizeof(struct disk_pull), e);
    if (!p) return false;
    struct disk_pull *pull = LOOP_OWNER(struct disk_pull, pump, p);
    p->end = end_pull;
    p->id = ask->id;
    bool good = begin(d, ask->args, pull, &st, e);
    if (good && pipe2(pipes, O_NONBLOCK | O_CLOEXEC)) good = err_os(e, ERR_FILESYSTEM, errno, "making a pipe");
    if (!good) {
        disk_pump_free(p);
        return false;
    }
    ask->fd = pipes[0];
    fcntl(pipes[1], F_SETPIPE_SZ, PIPE_ROOM); /* where it is refused the pipe is as big as it is */
    p->pipe = (struct loop_fd){.call = pull_ready, .name = "disk pull", .fd = pipes[1]};
    ask->result = disk_describe(&st);
    good = p->at == pull->end || loop_fd_add(d->loop, &p->pipe, pipes[1], LOOP_WRITE, e);
    if (!good || p->at == pull->end) disk_pump_free(p);
    return good;
}
