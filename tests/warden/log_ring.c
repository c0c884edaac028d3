/* log_ring.c - the files of our own log: numbers, rotation, what a power cut or somebody else leaves, and a disk that fails. */
#include "warden/log_ring.h"
#include "base/clock.h"
#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "loop/fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOOT "0123456789abcdef0123456789abcdef"

static char base[64];
static int root = -1;
static int64_t now_us;

static int64_t tell_us(void *arg) {
    (void)arg;
    return now_us;
}

static bool begin(void) {
    static const struct clock_source by_hand = {tell_us, tell_us, NULL};
    snprintf(base, sizeof base, "/tmp/startbox-test-ring-XXXXXX");
    if (!CHECK(mkdtemp(base) != NULL)) return false;
    root = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    now_us = INT64_C(1700000000000000);
    clock_use(&by_hand);
    return CHECK(root >= 0);
}

static const char *path_of(const char *name) {
    static char path[200];
    snprintf(path, sizeof path, "%s/logs/%s", base, name);
    return path;
}

static const char *const names[] = {"startd.log.5", "startd.log.4", "startd.log.3",
                                    "startd.log.2", "startd.log.1", "startd.log"};
#define NAMES 6

static void clear(void) {
    char path[100];
    for (int i = 0; i < NAMES; i++) unlink(path_of(names[i]));
    snprintf(path, sizeof path, "%s/logs", base);
    rmdir(path);
}

static void end(void) {
    clock_use(NULL);
    clear();
    close(root);
    CHECK(rmdir(base) == 0);
}

static void ring_begin(struct log_ring *r) {
    log_ring_init(r, root, "logs", BOOT);
}

static void add(struct log_ring *r, const char *text) {
    log_ring_add(r, slice_str(text));
    log_ring_flush(r);
}

/* --- reading them back, from the oldest on --- */

struct found {
    unsigned files, lines, others; /* others: whole lines that are none of ours */
    uint64_t first, last, missing; /* numbers that are left out */
    uint64_t said;                 /* as missing, in lines that say so */
    uint64_t largest;              /* file */
    bool rising, torn;
    char text[100]; /* of the last line */
};

static void look_at_line(struct found *f, struct slice line) {
    struct logline l;
    if (!logline_read(line, &l, NULL)) {
        f->others++;
        return;
    }
    if (!f->lines++)
        f->first = l.seq;
    else {
        f->rising &= l.seq > f->last;
        f->missing += l.seq - f->last - 1;
    }
    f->last = l.seq;
    struct slice text = val_as_text(&l.text);
    snprintf(f->text, sizeof f->text, "%.*s", (int)text.len, (const char *)text.ptr);
    if (strstr(f->text, " lines could not be kept")) f->said += strtoull(f->text, NULL, 10);
    CHECK_TEXT(slice_str(l.boot), LIT(BOOT));
    logline_release(&l);
}

static struct found look(void) {
    struct found f = {.rising = true};
    for (int i = 0; i < NAMES; i++) {
        if (access(path_of(names[i]), F_OK)) continue;
        struct slice all = tap_file(path_of(names[i])), rest = all;
        f.files++;
        if (all.len > f.largest) f.largest = all.len;
        f.torn |= all.len && all.ptr[all.len - 1] != '\n';
        while (rest.len) look_at_line(&f, slice_cut(&rest, '\n'));
        tap_free(all);
    }
    return f;
}

static void put_file(const char *name, const char *text, bool behind) {
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC | (behind ? O_APPEND : O_TRUNC), 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* --- numbers --- */

TEST(lines_are_kept_with_numbers_that_go_on_over_starts) {
    struct log_ring r;
    struct stat st;
    if (!begin()) return;
    for (int start = 0; start < 3; start++) {
        ring_begin(&r);
        add(&r, "<4>one");
        log_ring_add(&r, LIT("two"));
        log_ring_add(&r, LIT("three")); /* flushed by the end */
        log_ring_release(&r);
    }
    struct found f = look();
    CHECK(f.rising && !f.torn && !f.others && !f.missing);
    CHECK_INT(f.lines, 9);
    CHECK_INT(f.first, 1);
    CHECK_INT(f.last, 9);
    CHECK_INT(f.files, 1);
    CHECK_TEXT(slice_str(f.text), LIT("three"));
    CHECK(stat(path_of("startd.log"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(stat(path_of(""), &st) == 0 && (st.st_mode & 0777) == 0700);
    end();
}

TEST(a_torn_last_line_is_dropped_and_its_number_is_given_again) {
    static const char *const torn[] = {
        "{\"s\":3,\"t\":17", "x", "\n", "{\"s\":3}\n", "{\"s\":3}\n{\"s\":4,\"t\":1,", "\n\n\n"};
    struct log_ring r;
    if (!begin()) return;
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        ring_begin(&r);
        add(&r, "one");
        add(&r, "two");
        log_ring_release(&r);
        put_file("startd.log", torn[i], true);
        ring_begin(&r);
        add(&r, "three");
        log_ring_release(&r);
        struct found f = look();
        CHECK(f.rising && !f.torn && !f.others && !f.missing);
        CHECK_INT(f.last, 3);
        CHECK_TEXT(slice_str(f.text), LIT("three"));
        clear();
    }
    end();
}

/* A megabyte of zeros, as some file systems leave behind a power cut, hides the last line. */
TEST(a_file_with_nothing_of_ours_at_its_end_is_put_aside_whole) {
    static const uint8_t zeros[300000];
    struct log_ring r;
    if (!begin()) return;
    ring_begin(&r);
    add(&r, "one");
    log_ring_release(&r);
    CHECK(renameat(root, "logs/startd.log", root, "logs/startd.log.2") == 0);
    int fd = open(path_of("startd.log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(write(fd, zeros, sizeof zeros) == (ssize_t)sizeof zeros);
    close(fd);
    ring_begin(&r);
    add(&r, "two");
    CHECK(!r.broken);
    log_ring_release(&r);
    struct stat st;
    CHECK(stat(path_of("startd.log.1"), &st) == 0 && st.st_size == (off_t)sizeof zeros);
    unlink(path_of("startd.log.1"));
    struct found f = look();
    CHECK(f.rising && !f.others && f.lines == 2 && f.last == 2); /* its number is from startd.log.2, now .3 */
    end();
}

TEST(files_rotate_and_the_oldest_goes) {
    char text[1001];
    struct log_ring r;
    if (!begin()) return;
    memset(text, 'x', 1000);
    text[1000] = 0;
    ring_begin(&r);
    for (int i = 0; i < 7000; i++) {
        log_ring_add(&r, slice_str(text));
        if (i % 7 == 0) log_ring_flush(&r);
        if (i == 3000) { /* over a start as well */
            log_ring_release(&r);
            ring_begin(&r);
        }
    }
    log_ring_release(&r);
    struct found f = look();
    CHECK_INT(f.files, LIMIT_LOG_FILES);
    CHECK(f.largest <= LIMIT_LOG_FILE && f.largest > LIMIT_LOG_FILE - 50000);
    CHECK(f.rising && !f.torn && !f.others && !f.missing);
    CHECK_INT(f.last, 7000);
    CHECK(f.lines > 3 * 900 && access(path_of("startd.log.4"), F_OK) != 0);
    end();
}

TEST(a_file_that_somebody_removed_or_cut_is_begun_anew) {
    struct log_ring r;
    if (!begin()) return;
    ring_begin(&r);
    add(&r, "one");
    CHECK(unlink(path_of("startd.log")) == 0);
    add(&r, "two");
    struct found f = look();
    CHECK(f.lines == 1 && f.last == 2);
    CHECK(truncate(path_of("startd.log"), 0) == 0);
    add(&r, "three");
    f = look();
    CHECK(f.lines == 1 && f.last == 3 && !f.others);
    put_file("startd.log", "other", true);
    add(&r, "four");
    f = look();
    CHECK(f.lines == 2 && f.last == 4 && !f.others && !r.broken);
    log_ring_release(&r);
    end();
}

/* --- failing --- */

TEST(what_is_no_file_of_ours_is_refused_and_waited_for) {
    struct log_ring r;
    char path[100], other[100];
    if (!begin()) return;
    snprintf(path, sizeof path, "%s/logs", base);
    snprintf(other, sizeof other, "%s/other", base);
    CHECK(mkdir(other, 0700) == 0 && symlink(other, path) == 0); /* the folder is a way out */
    ring_begin(&r);
    add(&r, "lost");
    CHECK(r.broken && rmdir(other) == 0);
    unlink(path);
    CHECK(mkdir(path, 0700) == 0 && mkfifo(path_of("startd.log"), 0600) == 0);
    now_us += 10000001;
    add(&r, "lost");
    CHECK(r.broken);
    unlink(path_of("startd.log"));
    CHECK(symlink(other, path_of("startd.log")) == 0);
    now_us += 10000001;
    add(&r, "lost");
    CHECK(r.broken && access(other, F_OK) != 0);
    unlink(path_of("startd.log"));
    add(&r, "too early");
    CHECK(r.broken);
    CHECK_INT(look().files, 0);
    now_us += 10000001;
    add(&r, "kept");
    CHECK(!r.broken);
    struct found f = look();
    CHECK_INT(f.lines, 2);
    CHECK_INT(f.said, 4);
    CHECK_INT(f.last, 6);
    CHECK_TEXT(slice_str(f.text), LIT("kept"));
    log_ring_release(&r);
    end();
}

/* Some lines, over a start and a rotation; a failure waits for its next try in between. */
static void live(bool wait) {
    static char text[4001];
    struct log_ring r;
    memset(text, 'x', 4000);
    text[4000] = 0;
    ring_begin(&r);
    add(&r, "one");
    log_ring_release(&r);
    ring_begin(&r);
    for (int i = 0; i < 300; i++) {
        log_ring_add(&r, slice_str(text));
        if (wait && i % 20 == 0) now_us += 11000000;
    }
    if (wait) now_us += 11000000;
    add(&r, "last");
    if (wait && r.broken) {
        now_us += 11000000;
        add(&r, "last");
    }
    if (wait) {
        CHECK(!r.broken);
        CHECK_INT(r.missed, 0);
    }
    log_ring_release(&r);
}

TEST(every_call_may_fail_and_lines_are_missing_but_what_is_kept_is_whole_and_says_so) {
    static const char *const acts[] = {"eio", "enospc", "short"};
    if (!begin()) return;
    unsigned n = 0;
    for (int act = 0; act < 3; act++) {
        bool hit = true;
        for (n = 1; hit && n < 500; n++) {
            char fault[40];
            snprintf(fault, sizeof fault, "any:%u:%s", n, acts[act]);
            CHECK(fault_set(fault));
            live(true);
            hit = fault_hit();
            fault_set(NULL);
            struct found f = look();
            bool good = f.rising && !f.torn && !f.others && f.files == 2 && f.said == f.missing + f.first - 1;
            good &= !strcmp(f.text, "last");
            if (!CHECK(good))
                tap_note("%s: %u lines, %llu missing, %llu said, last %s", fault, f.lines,
                         (unsigned long long)f.missing, (unsigned long long)f.said, f.text);
            if (!hit) CHECK(f.lines == 302 && f.missing == 0);
            clear();
        }
        tap_note("%s: %u calls failed in turn", acts[act], n - 2);
        CHECK(n > 30 && n < 500);
    }
    end();
}

TEST(killed_at_every_call_the_next_start_goes_on) {
    if (!begin()) return;
    unsigned n = 1;
    for (bool hit = true; hit && n < 500; n++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            char fault[40];
            snprintf(fault, sizeof fault, "any:%u:kill", n);
            fault_set(fault);
            live(false);
            _exit(0);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        hit = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        uint64_t before = look().last;
        struct log_ring r;
        ring_begin(&r);
        add(&r, "afterwards");
        CHECK(!r.broken);
        log_ring_release(&r);
        struct found f = look();
        if (!CHECK(f.rising && !f.torn && !f.others && !f.missing && f.last == before + 1)) tap_note("call %u", n);
        clear();
    }
    tap_note("killed at %u calls", n - 2);
    CHECK(n > 30 && n < 500);
    end();
}

static bool live_twice(void *arg) {
    (void)arg;
    struct log_ring r;
    bool good = true;
    for (int i = 0; i < 2; i++) {
        ring_begin(&r);
        add(&r, "one");
        good &= !r.broken;
        now_us += 11000000;
        add(&r, "two");
        good &= !r.broken && !r.missed;
        log_ring_release(&r);
    }
    mem_fault(0, 0);
    struct found f = look();
    CHECK(f.rising && !f.others && !f.torn);
    if (good) CHECK_INT(f.lines, 4);
    clear();
    return good;
}

TEST(a_lack_of_memory_costs_lines_and_nothing_else) {
    if (!begin()) return;
    bool hit = true;
    unsigned n = 1;
    for (; hit && n < 200; n++) {
        uint64_t before = mem_stats().live_blocks;
        mem_fault(n, n % 2);
        bool good = live_twice(&hit);
        hit = !good;
        CHECK_INT(mem_stats().live_blocks, before);
        if (n > 100) break;
    }
    CHECK(n > 3 && n < 100);
    end();
}

TAP_MAIN(T(lines_are_kept_with_numbers_that_go_on_over_starts),
         T(a_torn_last_line_is_dropped_and_its_number_is_given_again),
         T(a_file_with_nothing_of_ours_at_its_end_is_put_aside_whole), T(files_rotate_and_the_oldest_goes),
         T(a_file_that_somebody_removed_or_cut_is_begun_anew), T(what_is_no_file_of_ours_is_refused_and_waited_for),
         T(every_call_may_fail_and_lines_are_missing_but_what_is_kept_is_whole_and_says_so),
         T(killed_at_every_call_the_next_start_goes_on), T(a_lack_of_memory_costs_lines_and_nothing_else))
