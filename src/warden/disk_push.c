/* disk_push.c - bytes from a socket into a file; see disk.h.
 *
 *     HASHING   what the part already has is read back, a slice a turn
 *     TAKING    bytes come; the push is known by its number
 *     SEALED    how long the file is was said; it is finished when so many bytes are there
 *
 * The request is answered once, when the file is in its place or when it will not be. The writer leaving, a cancel and
 * the end of the link leave the part, synced, to be gone on with. Bytes are synced as they come, so no sync is long;
 * after one that failed the part is cut back to what was synced before. */
#include "base/log.h"
#include "loop/file.h"
#include "warden/disk_room.h"

#include <bearssl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes read back between two words about it. */
#define PROGRESS (16u << 20)
#define ENDING   ".part"

enum push_state { PUSH_HASHING, PUSH_TAKING, PUSH_SEALED };

struct disk_push {
    struct disk_pump pump; /* at: bytes in the part that are hashed */
    enum push_state state;
    uint64_t number;
    uint64_t from, quota;
    /* So much is durable for certain. Of what was there before nothing is: a hand that was killed may have left it. */
    uint64_t synced;
    uint64_t size; /* of the whole, when SEALED */
    bool made;     /* the part's name may not be durable yet */
    bool replace;
    struct disk_place place; /* of the file, not of the part */
    br_sha256_context sum;
    struct loop_task hash;
};

static struct disk_push *push_of(struct disk_pump *p) {
    return LOOP_OWNER(struct disk_push, pump, p);
}

static void name_part(const struct disk_push *push, char *name, size_t len) {
    snprintf(name, len, "%s" ENDING, push->place.base);
}

/* --- ending --- */

static bool sync_part(struct disk_push *push, struct err *e) {
    struct disk_pump *p = &push->pump;
    bool good =
        (p->at == push->synced || file_sync(p->file, e)) && (!push->made || disk_sync_folder(push->place.folder, e));
    if (good) {
        push->synced = p->at;
        push->made = false;
        return true;
    }
    /* The kernel may have dropped what it could not write. */
    if (ftruncate(p->file, (off_t)push->synced)) log_warn("a part could not be cut back: errno=%d", errno);
    p->at = push->synced;
    return false;
}

static void release(struct disk_push *push) {
    loop_task_remove(&push->hash);
    disk_place_close(push->pump.disk, &push->place);
    disk_pump_free(&push->pump);
}

static void end_push(struct disk_pump *p, const struct err *why) {
    struct disk_push *push = push_of(p);
    struct obey *o = &p->disk->obey;
    uint64_t id = p->id;
    struct err e = ERR_INIT, own = ERR_INIT;
    if (why) {
        e = *why;
        disk_about(p->disk, push->place.root, push->place.path, &e);
    }
    if (push->state != PUSH_HASHING && !sync_part(push, &own)) log_warn("a part was cut back: %s", own.text);
    release(push);
    if (why) obey_error(o, id, &e);
}

/* Puts the part in its place. False: the part is still there. */
static bool put_in_place(struct disk_push *push, struct err *e) {
    char part[LIMIT_DISK_PATH + 8];
    struct stat st;
    const struct disk_place *place = &push->place;
    name_part(push, part, sizeof part);
    if (!push->replace && !fstatat(place->folder, place->base, &st, AT_SYMLINK_NOFOLLOW))
        return err_set(e, ERR_DUPLICATE, "there is such a file already");
    bool good = file_rename(place->folder, part, place->base, e);
    disk_file_drop(push->pump.disk, place->root, place->path);
    return good;
}

static void finish(struct disk_push *push) {
    struct disk_pump *p = &push->pump;
    struct obey *o = &p->disk->obey;
    struct err e = ERR_INIT;
    if (!sync_part(push, &e) || !put_in_place(push, &e)) {
        end_push(p, &e);
        return;
    }
    uint8_t sum[br_sha256_SIZE];
    br_sha256_out(&push->sum, sum);
    uint64_t id = p->id, size = p->at;
    release(push);
    obey_result(o, id, VAL_MAP_OF({"size", val_of_u64(size)}, {"sum", val_of_bytes(slice_of(sum, sizeof sum))}), -1);
}

/* --- taking bytes --- */

/* False: the push is over. */
static bool take(struct disk_push *push, struct slice bytes) {
    struct disk_pump *p = &push->pump;
    struct err e = ERR_INIT;
    uint64_t most = push->state == PUSH_SEALED ? push->size : push->quota, room = most - p->at;
    struct slice fits = slice_head(bytes, room < bytes.len ? (size_t)room : bytes.len);
    bool good = file_write_at(p->file, fits, p->at, &e);
    if (good) {
        p->at += fits.len;
        br_sha256_update(&push->sum, fits.ptr, fits.len);
        if (fits.len < bytes.len)
            good = push->state == PUSH_SEALED ? err_set(&e, ERR_INVALID, "more bytes came than were said")
                                              : err_limit(&e, "quota", push->quota, ERR_NOWHERE);
    }
    if (good && p->at - push->synced >= LIMIT_DISK_UNSYNCED) good = sync_part(push, &e);
    if (!good) end_push(p, &e);
    return good;
}

static void push_ready(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct disk_push *push = LOOP_OWNER(struct disk_push, pump.pipe, w);
    struct disk_pump *p = &push->pump;
    uint8_t *scratch = loop_scratch(p->disk->loop);
    struct err e = ERR_INIT;
    for (unsigned i = 0; i < LIMIT_DISK_TURN / LOOP_SCRATCH; i++) {
        ssize_t n = recv(w->fd, scratch, LOOP_SCRATCH, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            err_set(&e, ERR_CANCELLED, "the writer left with %llu bytes written", (unsigned long long)p->at);
            end_push(p, &e);
            return;
        }
        if (!take(push, slice_of(scratch, (size_t)n))) return;
        if (push->state == PUSH_SEALED && p->at == push->size) {
            finish(push);
            return;
        }
    }
}

/* --- beginning --- */

/* The part is hashed: bytes may come. */
static bool open_push(struct disk_push *push, struct err *e) {
    struct disk_pump *p = &push->pump;
    push->state = PUSH_TAKING;
    return loop_fd_add(p->disk->loop, &p->pipe, p->pipe.fd, LOOP_READ, e) &&
           obey_progress(&p->disk->obey, p->id,
                         VAL_MAP_OF({"push", val_of_u64(push->number)}, {"size", val_of_u64(push->from)}), e);
}

static bool hash_some(struct loop_task *t) {
    struct disk_push *push = LOOP_OWNER(struct disk_push, hash, t);
    struct disk_pump *p = &push->pump;
    uint8_t *scratch = loop_scratch(p->disk->loop);
    struct err e = ERR_INIT;
    bool good = true;
    for (unsigned i = 0; good && i < LIMIT_DISK_TURN / LOOP_SCRATCH && p->at < push->from; i++) {
        uint64_t left = push->from - p->at;
        ssize_t n = file_read_at(p->file, scratch, left < LOOP_SCRATCH ? (size_t)left : LOOP_SCRATCH, p->at, &e);
        good = n > 0 || (n == 0 && err_set(&e, ERR_FILESYSTEM, "the part became shorter while it was read back"));
        if (!good) break;
        br_sha256_update(&push->sum, scratch, (size_t)n);
        p->at += (uint64_t)n;
        if (p->at % PROGRESS == 0)
            obey_progress(&p->disk->obey, p->id, VAL_MAP_OF({"hashed", val_of_u64(p->at)}), NULL);
    }
    if (good && p->at < push->from) return true;
    good = good && open_push(push, &e);
    if (!good) end_push(p, &e);
    return false;
}

/* The writer's socket, of which this end waits for nothing whatever the writer does to it. */
static bool check_socket(int fd, struct err *e) {
    int family = 0, type = 0;
    socklen_t len = sizeof family;
    bool good = !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) &&
                !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && family == AF_UNIX && type == SOCK_STREAM;
    return good || err_set(e, ERR_INVALID, "want a Unix stream socket to take the bytes from");
}

static bool check_alone(struct disk_push *push, struct err *e) {
    for (struct disk_pump *p = push->pump.disk->pumps; p; p = p->next) {
        if (p->end != end_push || p == &push->pump) continue;
        const struct disk_place *a = &push->place, *b = &push_of(p)->place;
        if (a->root == b->root && !strcmp(a->path, b->path))
            return err_set(e, ERR_DUPLICATE, "it is being written already");
    }
    return true;
}

static bool open_part(struct disk_push *push, struct err *e) {
    char part[LIMIT_DISK_PATH + 8];
    struct stat st;
    const struct disk_place *place = &push->place;
    name_part(push, part, sizeof part);
    bool there = !fstatat(place->folder, place->base, &st, AT_SYMLINK_NOFOLLOW);
    if (there && !S_ISREG(st.st_mode)) return err_set(e, ERR_INVALID, "what is there is no plain file");
    if (there && !push->replace) return err_set(e, ERR_DUPLICATE, "there is such a file already");
    int flags = O_RDWR | (push->from ? 0 : O_CREAT);
    push->made = !push->from;
    push->pump.file = disk_open(place->folder, part, flags, false, &st, e);
    if (push->pump.file < 0) return false;
    if (!push->from && st.st_size && ftruncate(push->pump.file, 0))
        return err_os(e, ERR_FILESYSTEM, errno, "beginning %s anew", part);
    if (push->from && (uint64_t)st.st_size != push->from)
        return err_set(e, ERR_INVALID, "%s has %llu bytes, and it was asked to go on at %llu", part,
                       (unsigned long long)st.st_size, (unsigned long long)push->from);
    return true;
}

static bool begin(struct disk_push *push, const struct val *args, struct err *e) {
    val_as_u64(val_get(args, LIT("from")), &push->from);
    val_as_u64(val_get(args, LIT("quota")), &push->quota);
    push->replace = val_is_true(val_get(args, LIT("replace")));
    if (push->from > push->quota) return err_limit(e, "quota", push->quota, ERR_NOWHERE);
    return check_alone(push, e) && open_part(push, e);
}

bool disk_push(struct disk *d, struct obey_ask *ask, struct err *e) {
    if (!check_socket(ask->frame->fds[0], e)) return false;
    struct disk_pump *p = disk_pump_new(d, sizeof(struct disk_push), e);
    if (!p) return false;
    struct disk_push *push = push_of(p);
    p->end = end_push;
    p->id = ask->id;
    p->waits_for_answer = true;
    push->hash = (struct loop_task)LOOP_TASK(hash_some, "disk push: reading back");
    br_sha256_init(&push->sum);
    if (!disk_place_open(d, ask->args, "path", true, &push->place, e)) {
        disk_pump_free(p);
        return false;
    }
    p->pipe = (struct loop_fd){.call = push_ready, .name = "disk push", .fd = link_frame_take_fd(ask->frame, 0)};
    if (!begin(push, ask->args, e)) {
        disk_about(d, push->place.root, push->place.path, e);
        release(push);
        return false;
    }
    push->number = ++d->last_push;
    ask->later = true;
    loop_task_queue(d->loop, &push->hash, LOOP_LATER);
    return true;
}

bool disk_seal(struct disk *d, struct obey_ask *ask, struct err *e) {
    uint64_t number = 0, size = 0;
    val_as_u64(val_get(ask->args, LIT("push")), &number);
    val_as_u64(val_get(ask->args, LIT("size")), &size);
    struct disk_pump *p = d->pumps;
    while (p && (p->end != end_push || push_of(p)->number != number)) p = p->next;
    if (!p) return err_set(e, ERR_NOT_FOUND, "there is no push %llu", (unsigned long long)number);
    struct disk_push *push = push_of(p);
    if (push->state != PUSH_TAKING) return err_set(e, ERR_INVALID, "it cannot be sealed now");
    if (size > push->quota) return err_limit(e, "quota", push->quota, ERR_NOWHERE);
    if (size < p->at) return err_set(e, ERR_INVALID, "more bytes came than it is to have");
    push->state = PUSH_SEALED;
    push->size = size;
    ask->result = val_empty_map();
    if (size == p->at) finish(push);
    return true;
}
