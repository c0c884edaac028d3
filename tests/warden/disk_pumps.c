/* disk_pumps.c - pulls and pushes of the disk hand, by hand (tests/warden/pump.c has them by pumps): any part, many at
 * once, readers that never read, writers that leave, a full disk, failing and dying at every call. */
#include "warden/disk_box.h"
#include "warden/disk_room.h"

#include <bearssl.h>
#include <sched.h>
#include <sys/mount.h>

/* Reads all of a pipe while the loop goes on; how many bytes, all of them as fill makes them from `at` on. */
static uint64_t drain(int fd, uint64_t at, uint64_t most) {
    uint64_t n = 0;
    bool right = true;
    static uint8_t got[65536], want[65536];
    while (n < most) {
        size_t room = most - n < sizeof got ? (size_t)(most - n) : sizeof got;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 20000) != 1) break;
        ssize_t k = read(fd, got, room);
        if (k <= 0) break;
        fill(want, (size_t)k, at + n);
        right = right && !memcmp(got, want, (size_t)k);
        n += (uint64_t)k;
    }
    CHECK(right);
    return n;
}

static void put_big(const char *name, size_t len) {
    uint8_t *p = malloc(len);
    fill(p, len, 0);
    put_file(data_dir, name, slice_of(p, len));
    free(p);
}

static bool pull(struct reply *r, const char *name, uint64_t from, uint64_t len) {
    return ask(r, "disk.pull", VAL_MAP_OF(AT("data", name), {"from", val_of_u64(from)}, {"len", val_of_u64(len)}));
}

TEST(any_part_of_a_file_is_pulled_and_its_end_is_the_end) {
    if (!begin()) return;
    const uint64_t size = 1000003;
    put_big("big", size);
    CHECK(mkdirat(data_dir, "folder", 0700) == 0);
    static const struct {
        uint64_t from, len, want;
    } parts[] = {{0, UINT64_MAX, 1000003},  {0, 1000003, 1000003}, {0, 0, 0},       {1, 1, 1},
                 {999999, 1000, 4},         {1000003, 5, 0},       {5000000, 5, 0}, {4095, 300000, 300000},
                 {INT64_MAX, UINT64_MAX, 0}};
    unsigned files = hand_files();
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct reply r;
        if (!CHECK(pull(&r, "big", parts[i].from, parts[i].len) && r.fd >= 0)) continue;
        CHECK_INT(u64_of(&r, "size"), size);
        CHECK_INT(drain(r.fd, parts[i].from, UINT64_MAX), parts[i].want);
        reply_release(&r);
    }
    struct reply r;
    CHECK(pull(&r, "folder", 0, UINT64_MAX) && val_is_true(val_get(&r.result, LIT("folder"))) &&
          drain(r.fd, 0, UINT64_MAX) == 0);
    reply_release(&r);
    CHECK(!pull(&r, "none", 0, UINT64_MAX) && r.err.code == ERR_NOT_FOUND);
    reply_release(&r);
    CHECK(does("disk.stat", VAL_MAP_OF(AT("data", "big"))));
    CHECK_INT(hand_files(), files);
    end();
}

TEST(a_reader_that_never_reads_or_leaves_stops_only_its_own_pull) {
    if (!begin()) return;
    put_big("big", 3 << 20);
    unsigned files = hand_files();
    struct reply stuck[3], leaves, r;
    for (unsigned i = 0; i < 3; i++) CHECK(pull(&stuck[i], "big", 0, UINT64_MAX));
    CHECK(pull(&leaves, "big", 0, UINT64_MAX) && drain(leaves.fd, 0, 100000) == 100000);
    reply_release(&leaves);
    for (unsigned i = 0; i < 5; i++) {
        CHECK(pull(&r, "big", i, UINT64_MAX));
        CHECK_INT(drain(r.fd, i, UINT64_MAX), (3 << 20) - i);
        reply_release(&r);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (i) CHECK_INT(drain(stuck[i].fd, 0, UINT64_MAX), 3 << 20); /* it was only waiting */
        reply_release(&stuck[i]);
    }
    for (unsigned i = 0; i < 1000 && hand_files() != files; i++)
        CHECK(does("disk.space", VAL_MAP_OF({"root", val_of_str("ro")})));
    CHECK_INT(hand_files(), files);
    /* As many as there may be, then one more. */
    struct reply *all = calloc(LIMIT_DISK_PUMPS, sizeof *all);
    for (unsigned i = 0; i < LIMIT_DISK_PUMPS; i++) CHECK(pull(&all[i], "big", 0, UINT64_MAX));
    CHECK(!pull(&r, "big", 0, 1) && r.err.code == ERR_LIMIT && !strcmp(r.err.limit, "pumps"));
    for (unsigned i = 0; i < LIMIT_DISK_PUMPS; i++) reply_release(&all[i]);
    free(all);
    CHECK(does("disk.space", VAL_MAP_OF({"root", val_of_str("ro")})));
    for (unsigned i = 0; i < 1000 && hand_files() != files; i++)
        CHECK(does("disk.space", VAL_MAP_OF({"root", val_of_str("ro")})));
    CHECK(pull(&r, "big", 0, 1) && drain(r.fd, 0, 9) == 1);
    reply_release(&r);
    end();
}

TEST(a_file_that_fails_or_shrinks_in_the_middle_ends_the_pipe_early) {
    if (!folders_begin()) return;
    put_big("big", 1 << 20);
    struct reply r;
    if (!hand_begin("read:3:eio")) return;
    CHECK(pull(&r, "big", 0, UINT64_MAX) && drain(r.fd, 0, UINT64_MAX) < 1 << 20);
    reply_release(&r);
    CHECK_INT(hand_end(), 0);
    if (!hand_begin("read:1:short")) return;
    CHECK(pull(&r, "big", 0, UINT64_MAX) && drain(r.fd, 0, UINT64_MAX) == 1 << 20);
    reply_release(&r);
    int fd = openat(data_dir, "big", O_WRONLY | O_CLOEXEC);
    CHECK(pull(&r, "big", 0, UINT64_MAX) && ftruncate(fd, 300000) == 0 && drain(r.fd, 0, UINT64_MAX) <= 300000);
    close(fd);
    reply_release(&r);
    CHECK_INT(hand_end(), 0);
    folders_end();
}

/* --- pushes --- */

/* Starts a push and waits until bytes are wanted; the writer's end, or -1. */
static int push_open(struct reply *r, const char *name, uint64_t from, uint64_t quota, bool replace) {
    int ends[2];
    if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)) return -1;
    ask_with(r, "disk.push",
             VAL_MAP_OF(AT("data", name), {"from", val_of_u64(from)}, {"quota", val_of_u64(quota)},
                        {"replace", val_of_bool(replace)}),
             ends[1]);
    close(ends[1]);
    while (!r->done && val_is_none(val_get(&r->progress, LIT("push")))) loop_turn(loop, 1000);
    if (!r->done) return ends[0];
    close(ends[0]);
    return -1;
}

static bool seal(const struct reply *r, uint64_t size) {
    return does("disk.seal",
                VAL_MAP_OF({"push", val_ref(val_get(&r->progress, LIT("push")))}, {"size", val_of_u64(size)}));
}

static bool put_bytes(int fd, uint64_t at, size_t len) {
    static uint8_t bytes[65536];
    while (len) {
        size_t n = len < sizeof bytes ? len : sizeof bytes;
        fill(bytes, n, at);
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);
        if (k <= 0) return false;
        at += (uint64_t)k;
        len -= (size_t)k;
    }
    return true;
}

/* The sum of what fill makes. */
static bool sum_is_right(const struct val *result, size_t len) {
    br_sha256_context c;
    uint8_t bytes[4096], sum[32];
    br_sha256_init(&c);
    for (size_t at = 0; at < len;) {
        size_t n = len - at < sizeof bytes ? len - at : sizeof bytes;
        fill(bytes, n, at);
        br_sha256_update(&c, bytes, n);
        at += n;
    }
    br_sha256_out(&c, sum);
    return slice_eq(val_as_bytes(val_get(result, LIT("sum"))), slice_of(sum, sizeof sum));
}

static uint64_t size_of(const char *name) {
    struct stat st;
    return fstatat(data_dir, name, &st, 0) ? UINT64_MAX : (uint64_t)st.st_size;
}

static bool file_is_right(const char *name, uint64_t len) {
    int fd = openat(data_dir, name, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && size_of(name) == len && drain(fd, 0, UINT64_MAX) == len;
    if (fd >= 0) close(fd);
    return good;
}

TEST(pushed_bytes_are_a_file_when_they_are_sealed_and_not_before) {
    if (!begin()) return;
    struct reply r;
    unsigned files = hand_files();
    int fd = push_open(&r, "up", 0, 1 << 20, false);
    CHECK(fd >= 0 && u64_of(&r, "size") == UINT64_MAX && put_bytes(fd, 0, 500000));
    CHECK(!is_there("up"));
    CHECK(seal(&r, 700000) && !r.done); /* the rest is on its way */
    CHECK(!seal(&r, 700000));           /* once */
    CHECK(put_bytes(fd, 500000, 200000));
    wait_for(&r.done);
    CHECK(!r.err.code && u64_of(&r, "size") == 700000 && sum_is_right(&r.result, 700000));
    CHECK(file_is_right("up", 700000) && !is_there("up.part"));
    close(fd);
    reply_release(&r);
    /* An empty one. */
    fd = push_open(&r, "empty", 0, 0, false);
    CHECK(seal(&r, 0));
    wait_for(&r.done);
    CHECK(!r.err.code && size_of("empty") == 0 && sum_is_right(&r.result, 0));
    close(fd);
    reply_release(&r);
    /* What is there is only replaced when that was asked. */
    CHECK(push_open(&r, "up", 0, 100, false) < 0 && r.err.code == ERR_DUPLICATE);
    reply_release(&r);
    fd = push_open(&r, "up", 0, 100, true);
    CHECK(put_bytes(fd, 0, 10) && seal(&r, 10));
    wait_for(&r.done);
    CHECK(!r.err.code && file_is_right("up", 10));
    close(fd);
    reply_release(&r);
    /* It came into being meanwhile. */
    fd = push_open(&r, "late", 0, 100, false);
    put_file(data_dir, "late", LIT("somebody else's"));
    CHECK(put_bytes(fd, 0, 10) && seal(&r, 10));
    wait_for(&r.done);
    CHECK(r.err.code == ERR_DUPLICATE && holds("late", LIT("somebody else's")) && size_of("late.part") == 10);
    close(fd);
    reply_release(&r);
    CHECK_INT(hand_files(), files);
    end();
}

TEST(a_writer_that_leaves_finishes_nothing_and_can_go_on) {
    if (!begin()) return;
    struct reply r, other;
    int fd = push_open(&r, "up", 0, 1 << 20, false);
    CHECK(put_bytes(fd, 0, 300000));
    close(fd);
    wait_for(&r.done);
    CHECK(r.err.code == ERR_CANCELLED && !is_there("up") && file_is_right("up.part", 300000));
    reply_release(&r);
    CHECK(push_open(&r, "up", 299999, 1 << 20, false) < 0 && r.err.code == ERR_INVALID && strstr(r.err.text, "300000"));
    reply_release(&r);
    fd = push_open(&r, "up", 300000, 1 << 20, false);
    uint64_t size = 0;
    CHECK(fd >= 0 && val_as_u64(val_get(&r.progress, LIT("size")), &size) && size == 300000);
    CHECK(push_open(&other, "up", 300000, 1 << 20, false) < 0 && other.err.code == ERR_DUPLICATE); /* one at a time */
    reply_release(&other);
    CHECK(put_bytes(fd, 300000, 100) && seal(&r, 400000)); /* sealed, and then it leaves too early */
    shutdown(fd, SHUT_WR);
    wait_for(&r.done);
    CHECK(r.err.code == ERR_CANCELLED && !is_there("up") && size_of("up.part") == 300100);
    close(fd);
    reply_release(&r);
    /* Cancelled. */
    fd = push_open(&r, "up", 300100, 1 << 20, false);
    CHECK(put_bytes(fd, 300100, 50));
    reply_release(&r);
    CHECK(does("disk.space", VAL_MAP_OF({"root", val_of_str("ro")})) && !is_there("up"));
    close(fd);
    uint64_t at = size_of("up.part"); /* the cancel may have been faster than the bytes */
    CHECK(at >= 300100 && at <= 300150);
    /* More than it may have: it stays at the quota, and says so. */
    fd = push_open(&r, "up", at, 350000, false);
    put_bytes(fd, at, 100000);
    wait_for(&r.done);
    CHECK(r.err.code == ERR_LIMIT && !strcmp(r.err.limit, "quota") && file_is_right("up.part", 350000));
    CHECK(!put_bytes(fd, 0, 1 << 20)); /* nobody takes them any more */
    close(fd);
    reply_release(&r);
    CHECK(push_open(&r, "up", 350000, 349999, false) < 0 && r.err.code == ERR_LIMIT);
    reply_release(&r);
    fd = push_open(&r, "up", 350000, 400000, false);
    CHECK(!seal(&r, 400001) && err.code == ERR_LIMIT && !strcmp(err.limit, "quota"));
    CHECK(!seal(&r, 349999) && err.code == ERR_INVALID);
    CHECK(seal(&r, 350001) && put_bytes(fd, 350000, 2)); /* one byte more than was said */
    wait_for(&r.done);
    CHECK(r.err.code == ERR_INVALID && !is_there("up"));
    close(fd);
    reply_release(&r);
    fd = push_open(&r, "up", 350001, 400000, false);
    CHECK(seal(&r, 350001));
    wait_for(&r.done);
    CHECK(!r.err.code && file_is_right("up", 350001) && sum_is_right(&r.result, 350001));
    close(fd);
    reply_release(&r);
    /* From the start again, over a part that is there. */
    put_file(data_dir, "again.part", LIT("something else that is longer than what comes"));
    fd = push_open(&r, "again", 0, 100, false);
    CHECK(put_bytes(fd, 0, 5) && seal(&r, 5));
    wait_for(&r.done);
    CHECK(!r.err.code && file_is_right("again", 5));
    close(fd);
    reply_release(&r);
    CHECK(push_open(&r, "none", 5, 100, false) < 0 && r.err.code == ERR_NOT_FOUND);
    reply_release(&r);
    end();
}

TEST(a_big_part_is_read_back_in_slices_with_progress) {
    if (!begin()) return;
    const size_t size = 40u << 20;
    put_big("up.part", size);
    struct reply r;
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    ask_with(&r, "disk.push", VAL_MAP_OF(AT("data", "up"), {"from", val_of_u64(size)}, {"quota", val_of_u64(1u << 30)}),
             ends[1]);
    close(ends[1]);
    unsigned hashed = 0, served = 0;
    uint64_t at, last = 0;
    while (!r.done && val_is_none(val_get(&r.progress, LIT("push")))) {
        if (val_as_u64(val_get(&r.progress, LIT("hashed")), &at) && at != last) {
            hashed++;
            CHECK(at > last && at <= size);
            last = at;
        }
        served += does("disk.space", VAL_MAP_OF({"root", val_of_str("ro")})); /* others are served meanwhile */
    }
    CHECK(hashed >= 1 && served >= 2);
    CHECK(put_bytes(ends[0], size, 10) && seal(&r, size + 10));
    wait_for(&r.done);
    CHECK(!r.err.code && sum_is_right(&r.result, size + 10) && size_of("up") == size + 10);
    close(ends[0]);
    reply_release(&r);
    end();
}

TEST(sixty_four_pulls_and_pushes_at_once_all_come_right) {
    if (!begin()) return;
    enum { N = 64 };
    const uint64_t size = 700001;
    put_big("big", size);
    struct reply pulls[N], pushes[N];
    int fds[N];
    uint64_t sent[N] = {0}, got[N] = {0};
    char name[20];
    static uint8_t bytes[65536], want[65536];
    bool right = true;
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "up%u", i);
        CHECK(pull(&pulls[i], "big", 0, UINT64_MAX));
        fds[i] = push_open(&pushes[i], name, 0, size, false);
        CHECK(fds[i] >= 0);
        fcntl(pulls[i].fd, F_SETFL, O_NONBLOCK);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    for (unsigned left = 2 * N, rounds = 0; left && rounds < 100000; rounds++) {
        left = 0;
        for (unsigned i = 0; i < N; i++) {
            if (got[i] < size) {
                ssize_t k = read(pulls[i].fd, bytes, sizeof bytes);
                if (k == 0) break;
                if (k > 0) {
                    fill(want, (size_t)k, got[i]);
                    right = right && !memcmp(bytes, want, (size_t)k);
                    got[i] += (uint64_t)k;
                }
                left++;
            }
            if (sent[i] < size) {
                size_t n = size - sent[i] < 30000 ? (size_t)(size - sent[i]) : 30000;
                fill(bytes, n, sent[i]);
                ssize_t k = send(fds[i], bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (k > 0) sent[i] += (uint64_t)k;
                left++;
            }
        }
        loop_turn(loop, 0);
    }
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "up%u", i);
        right = right && got[i] == size && sent[i] == size && seal(&pushes[i], size);
        wait_for(&pushes[i].done);
        right = right && !pushes[i].err.code && sum_is_right(&pushes[i].result, size) && size_of(name) == size;
        reply_release(&pulls[i]);
        reply_release(&pushes[i]);
        close(fds[i]);
    }
    CHECK(right && file_is_right("up63", size));
    end();
}

TEST(killed_at_any_call_of_a_push_it_leaves_the_old_file_or_the_new_one_and_a_part_to_go_on_with) {
    if (!folders_begin()) return;
    const uint64_t size = 150000;
    unsigned olds = 0, news = 0, n = 1;
    bool over = false;
    for (; !over && n < 150; n++) {
        char plan[40];
        struct reply r;
        snprintf(plan, sizeof plan, "any:%u:kill", n);
        CHECK(file_replace(data_dir, "up", old_text, 0600, &err));
        unlinkat(data_dir, "up.part", 0);
        if (!hand_begin(plan)) return;
        int fd = push_open(&r, "up", 0, size, true);
        if (fd >= 0) {
            put_bytes(fd, 0, size);
            if (!r.done) seal(&r, size);
            wait_for(&r.done);
            close(fd);
        }
        bool done = r.err.code == ERR_NONE;
        reply_release(&r);
        over = hand_end() == 0;
        bool is_old = holds("up", old_text), is_new = !is_old && file_is_right("up", size);
        if (!CHECK(is_old || is_new)) tap_note("%s: neither the old nor the new one", plan);
        if (!CHECK(!done || is_new)) tap_note("%s: told \"done\" of what is not there", plan);
        olds += is_old;
        news += is_new;
        uint64_t at = size_of("up.part");
        if (is_new || at == UINT64_MAX) continue;
        /* Whoever comes next goes on where it stands. */
        CHECK(at <= size && file_is_right("up.part", at));
        if (!hand_begin(NULL)) return;
        fd = push_open(&r, "up", at, size, true);
        CHECK(fd >= 0 && put_bytes(fd, at, size - at) && seal(&r, size));
        wait_for(&r.done);
        CHECK(!r.err.code && sum_is_right(&r.result, size) && file_is_right("up", size));
        close(fd);
        reply_release(&r);
        CHECK_INT(hand_end(), 0);
    }
    CHECK(over && olds > 5 && news > 1);
    tap_note("killed at %u calls: %u times the old file, %u times the new one", n - 2, olds, news);
    folders_end();
}

TEST(an_error_of_any_call_of_a_push_is_told_and_what_cannot_be_trusted_is_cut_off) {
    if (!folders_begin()) return;
    static const struct {
        const char *plan;
        bool part; /* some of it stays */
    } cases[] = {{"open:1:eio", false}, {"write:1:enospc", true}, {"write:2:enospc", true},
                 {"sync:1:eio", true},  {"sync:2:eio", true},     {"rename:1:eio", true}};
    const uint64_t size = 300000;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply r;
        CHECK(file_replace(data_dir, "up", old_text, 0600, &err));
        unlinkat(data_dir, "up.part", 0);
        if (!hand_begin(cases[i].plan)) return;
        int fd = push_open(&r, "up", 0, size, true);
        if (fd >= 0) {
            put_bytes(fd, 0, size);
            if (!r.done) seal(&r, size);
            wait_for(&r.done);
            close(fd);
        }
        if (!CHECK(r.err.code == ERR_FILESYSTEM && (r.err.os == EIO || r.err.os == ENOSPC) && holds("up", old_text)))
            tap_note("%s: %s", cases[i].plan, r.err.text);
        reply_release(&r);
        uint64_t at = size_of("up.part");
        CHECK((at != UINT64_MAX) == cases[i].part);
        if (!strncmp(cases[i].plan, "sync", 4)) CHECK_INT(at, 0); /* nothing of it had been synced */
        if (at != UINT64_MAX) {                                   /* and the hand goes on */
            fd = push_open(&r, "up", at, size, true);
            CHECK(fd >= 0 && put_bytes(fd, at, size - at) && seal(&r, size));
            wait_for(&r.done);
            CHECK(!r.err.code && file_is_right("up", size));
            close(fd);
            reply_release(&r);
        }
        CHECK_INT(hand_end(), 0);
    }
    folders_end();
}

TEST(a_full_disk_is_an_error_and_loses_nothing) {
    if (getuid() != 0) {
        tap_skip("a small file system wants root to be mounted");
        return;
    }
    if (!folders_begin()) return;
    char path[80];
    snprintf(path, sizeof path, "%s/data", top);
    /* In a name space of this process, so it is gone with it whatever happens. */
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", path, "tmpfs", 0, "size=1m")) {
        tap_skip("mounting a tmpfs is not allowed here");
        folders_end();
        return;
    }
    close(data_dir);
    data_dir = file_open_dir(path, &err);
    if (hand_begin(NULL)) {
        struct reply r;
        CHECK(does("disk.replace", VAL_MAP_OF(AT("data", "keep"), {"bytes", val_of_bytes(old_text)})));
        int fd = push_open(&r, "up", 0, 4 << 20, false);
        put_bytes(fd, 0, 2 << 20);
        wait_for(&r.done);
        CHECK(r.err.code == ERR_FILESYSTEM && r.err.os == ENOSPC && holds("keep", old_text) && !is_there("up"));
        uint64_t at = size_of("up.part");
        CHECK(at > 500000 && at < 1 << 20);
        close(fd);
        reply_release(&r);
        static uint8_t big[LIMIT_DISK_BYTES];
        CHECK(
            !does("disk.replace", VAL_MAP_OF(AT("data", "keep"), {"bytes", val_of_bytes(slice_of(big, sizeof big))})) &&
            err.os == ENOSPC && holds("keep", old_text) && !is_there("keep.new"));
        CHECK(!does("disk.write",
                    VAL_MAP_OF(AT("data", "w"), {"at", val_of_u64(0)},
                               {"bytes", val_of_bytes(slice_of(big, sizeof big))}, {"sync", val_of_bool(true)})) &&
              err.os == ENOSPC);
        CHECK(does("disk.write", VAL_MAP_OF(AT("data", "keep"), {"at", val_of_u64(0)}, {"bytes", bytes_of("THE")},
                                            {"sync", val_of_bool(true)})));
        CHECK(does("disk.remove", VAL_MAP_OF(AT("data", "up.part"))) &&
              does("disk.remove", VAL_MAP_OF(AT("data", "w"))));
        CHECK(does("disk.write", VAL_MAP_OF(AT("data", "w"), {"at", val_of_u64(0)},
                                            {"bytes", val_of_bytes(slice_of(big, sizeof big))})));
        CHECK_INT(hand_end(), 0);
    }
    close(data_dir);
    data_dir = -1;
    CHECK(umount(path) == 0);
    folders_end();
}

TAP_MAIN(T(any_part_of_a_file_is_pulled_and_its_end_is_the_end),
         T(a_reader_that_never_reads_or_leaves_stops_only_its_own_pull),
         T(a_file_that_fails_or_shrinks_in_the_middle_ends_the_pipe_early),
         T(pushed_bytes_are_a_file_when_they_are_sealed_and_not_before),
         T(a_writer_that_leaves_finishes_nothing_and_can_go_on), T(a_big_part_is_read_back_in_slices_with_progress),
         T(sixty_four_pulls_and_pushes_at_once_all_come_right),
         T(killed_at_any_call_of_a_push_it_leaves_the_old_file_or_the_new_one_and_a_part_to_go_on_with),
         T(an_error_of_any_call_of_a_push_is_told_and_what_cannot_be_trusted_is_cut_off),
         T(a_full_disk_is_an_error_and_loses_nothing))
