/* file.c - files: names stay beneath their directory, every call may fail, and a crash leaves the old file or the new one. */
#include "loop/file.h"

#include "lib/tap.h"
#include "loop/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];
static int dir = -1;
static struct err e;

static void begin(void) {
    snprintf(path, sizeof path, "/tmp/startbox-test-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
    e = (struct err)ERR_INIT;
    fault_set(NULL);
    dir = file_open_dir(path, &e);
    CHECK(dir >= 0);
}

static void end(void) {
    fault_set(NULL);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", path);
    close(dir);
    CHECK(system(command) == 0);
}

static bool holds(const char *name, struct slice want) {
    struct buf b;
    buf_init(&b, 1 << 21);
    struct err own = ERR_INIT;
    bool good = file_read_all(dir, name, 1 << 20, &b, &own) && slice_eq(buf_slice(&b), want);
    buf_release(&b);
    return good;
}

TEST(a_file_is_replaced_and_read_whole) {
    begin();
    CHECK(file_replace(dir, "a", LIT("one"), 0600, &e) && holds("a", LIT("one")));
    CHECK(file_replace(dir, "a", LIT("second"), 0600, &e) && holds("a", LIT("second")));
    struct stat st;
    CHECK(fstatat(dir, "a", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(mkdirat(dir, "sub", 0700) == 0 && file_replace(dir, "sub/b", LIT(""), 0600, &e) && holds("sub/b", LIT("")));
    static uint8_t big[300000];
    memset(big, 'x', sizeof big);
    CHECK(file_replace(dir, "big", slice_of(big, sizeof big), 0600, &e) && holds("big", slice_of(big, sizeof big)));
    struct buf b;
    buf_init(&b, 1 << 21);
    buf_byte(&b, '!');
    CHECK(!file_read_all(dir, "big", 1000, &b, &e) && e.code == ERR_LIMIT && b.len == 1);
    CHECK(!file_read_all(dir, "none", 1000, &b, &e) && e.code == ERR_NOT_FOUND && b.len == 1);
    buf_release(&b);
    CHECK(file_remove(dir, "a", &e) && file_remove(dir, "a", &e) && !holds("a", LIT("second")));
    CHECK(!file_rename(dir, "a", "c", &e) && e.code == ERR_NOT_FOUND);
    int fd = file_open(dir, "big", O_RDONLY, 0, &e);
    uint64_t size = 0;
    char two[4];
    CHECK(file_size(fd, &size, &e) && size == sizeof big);
    CHECK_INT(file_read_at(fd, two, 4, sizeof big - 2, &e), 2);
    CHECK(!file_write_at(fd, LIT("x"), 0, &e) && e.os == EBADF);
    close(fd);
    CHECK(file_open_dir("/nowhere/at/all", &e) < 0 && e.os == ENOENT);
    end();
}

TEST(names_stay_beneath_their_directory) {
    begin();
    static const char *const bad[] = {"", ".", "..", "../x", "/etc/passwd", "a/../b", "a//b", "a/", "./a", "a/."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!CHECK(file_open(dir, bad[i], O_RDONLY, 0, &e) < 0 && e.code == ERR_INVALID)) tap_note("%s", bad[i]);
    char longest[300];
    memset(longest, 'n', sizeof longest);
    longest[299] = 0;
    CHECK(!file_replace(dir, longest, LIT("x"), 0600, &e) && e.code == ERR_INVALID);
    longest[198] = 0;
    CHECK(!file_replace(dir, longest, LIT("x"), 0600, &e) && e.code == ERR_INVALID);
    CHECK(!file_rename(dir, "..", "x", &e) && !file_rename(dir, "x", "..", &e) && !file_remove(dir, "../x", &e));
    CHECK(symlinkat("/etc", dir, "out") == 0 && symlinkat("/etc/passwd", dir, "link") == 0);
    CHECK(file_open(dir, "out/passwd", O_RDONLY, 0, &e) < 0 && e.code == ERR_FILESYSTEM);
    CHECK(file_open(dir, "link", O_RDONLY, 0, &e) < 0 && e.os == ELOOP);
    /* Nor does renaming or removing follow a symlink on the way, also to a folder beneath. */
    CHECK(mkdirat(dir, "real", 0700) == 0 && symlinkat("real", dir, "way") == 0);
    CHECK(file_replace(dir, "real/f", LIT("here"), 0600, &e) && file_replace(dir, "g", LIT("g"), 0600, &e));
    CHECK(!file_remove(dir, "way/f", &e) && !file_rename(dir, "way/f", "h", &e) && !file_rename(dir, "g", "way/f", &e));
    CHECK(!file_replace(dir, "way/f", LIT("there"), 0600, &e));
    CHECK(holds("real/f", LIT("here")) && holds("g", LIT("g")));
    CHECK(file_rename(dir, "g", "real/g", &e) && holds("real/g", LIT("g")));
    CHECK(file_remove(dir, "real/g", &e) && file_remove(dir, "real/g", &e) && file_remove(dir, "nowhere/g", &e));
    end();
}

TEST(every_call_that_fails_is_an_error_and_the_old_file_stands) {
    begin();
    CHECK(file_replace(dir, "a", LIT("the old content"), 0600, &e));
    fault_set(NULL);
    CHECK(file_replace(dir, "a", LIT("the old content"), 0600, &e));
    uint64_t calls = fault_calls();
    CHECK(calls >= 5); /* open, write, sync, rename, sync of the directory */
    static const char *const acts[] = {"eio", "enospc", "short"};
    for (size_t i = 0; i < 3; i++)
        for (uint64_t n = 1; n <= calls; n++) {
            char plan[40];
            snprintf(plan, sizeof plan, "any:%llu:%s", (unsigned long long)n, acts[i]);
            CHECK(file_replace(dir, "a", LIT("the old content"), 0600, &e));
            CHECK(fault_set(plan));
            bool good = file_replace(dir, "a", LIT("what is new"), 0600, &e);
            fault_set(NULL);
            /* A short write is finished; a directory that cannot be synced may have the new file already. */
            if (good)
                CHECK(holds("a", LIT("what is new")));
            else if (!CHECK(holds("a", n == calls ? LIT("what is new") : LIT("the old content"))))
                tap_note("%s", plan);
            if (!good) CHECK(e.code == ERR_FILESYSTEM && (strstr(e.text, "a: ") || strstr(e.text, "a.new: ")));
        }
    struct buf b;
    buf_init(&b, 1 << 20);
    CHECK(file_replace(dir, "a", LIT("the old content"), 0600, &e));
    CHECK(fault_set("read:1:short") && file_read_all(dir, "a", 1000, &b, &e) && b.len == 15);
    CHECK(fault_set("read:1:eio") && !file_read_all(dir, "a", 1000, &b, &e) && b.len == 15 && e.os == EIO);
    buf_release(&b);
    CHECK(fault_set("unlink:1:eio") && !file_remove(dir, "a", &e) && e.os == EIO);
    static const char *const bad[] = {"",          "write",  "write:0:eio", "write:x:eio", "write:1:boom",
                                      "fly:1:eio", "write:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK(!fault_set(bad[i]));
    end();
}

TEST(a_process_killed_at_any_call_leaves_the_old_file_or_the_new_one) {
    begin();
    unsigned old_n = 0, new_n = 0;
    bool over = false;
    for (unsigned n = 1; !over && n < 50; n++) {
        CHECK(file_replace(dir, "a", LIT("the old content, which is the longer one"), 0600, &e));
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            char plan[40];
            snprintf(plan, sizeof plan, "any:%u:kill", n);
            fault_set(plan);
            _exit(file_replace(dir, "a", LIT("what is new"), 0600, NULL) ? 0 : 1);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        over = WIFEXITED(status);
        CHECK(over ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
        bool is_old = holds("a", LIT("the old content, which is the longer one")),
             is_new = holds("a", LIT("what is new"));
        if (!CHECK(is_old || is_new)) tap_note("killed at call %u", n);
        old_n += is_old;
        new_n += is_new;
    }
    tap_note("killed at %u calls: %u times the old file, %u times the new one", old_n + new_n - 1, old_n, new_n - 1);
    CHECK(over && old_n >= 4 && new_n >= 1);
    end();
}

TAP_MAIN(T(a_file_is_replaced_and_read_whole), T(names_stay_beneath_their_directory),
         T(every_call_that_fails_is_an_error_and_the_old_file_stands),
         T(a_process_killed_at_any_call_leaves_the_old_file_or_the_new_one))
