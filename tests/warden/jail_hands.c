/* jail_hands.c - the jails of the disk hand, the sampler and jobs that count; and limits. */
#include "jails.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* --- the disk --- */

static char base[64];

static bool make_roots(int dirs[2]) {
    snprintf(base, sizeof base, "/tmp/startbox-test-jail-XXXXXX");
    if (!CHECK(mkdtemp(base) != NULL)) return false;
    char path[100];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%d", base, i);
        CHECK(mkdir(path, 0777) == 0 && chmod(path, 0777) == 0);
        dirs[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int fd = openat(dirs[i], "there", O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        CHECK(fd >= 0 && write(fd, "text", 4) == 4 && fchmod(fd, 0666) == 0);
        close(fd);
    }
    return CHECK(dirs[0] >= 0 && dirs[1] >= 0 && chmod(base, 0755) == 0);
}

static void remove_roots(int dirs[2]) {
    for (int i = 0; i < 2; i++) {
        unlinkat(dirs[i], "there", 0);
        unlinkat(dirs[i], "new", 0);
        unlinkat(dirs[i], "a/b", 0);
        unlinkat(dirs[i], "a", AT_REMOVEDIR);
        close(dirs[i]);
        char path[100];
        snprintf(path, sizeof path, "%s/%d", base, i);
        CHECK(rmdir(path) == 0);
    }
    CHECK(rmdir(base) == 0);
}

static void use_disk(void *arg) {
    const int *dirs = arg;
    struct err e = ERR_INIT;
    struct jail_report r;
    struct jail_root roots[] = {{dirs[0], true}, {dirs[1], false}};
    struct jail j = {
        .kind = JAIL_DISK, .change_user = geteuid() == 0, .uid = 65534, .gid = 65534, .roots = roots, .root_n = 2};
    must_do(jail_begin(dirs, 2, getppid(), &e), &e);
    must_do(jail_enter(&j, &r, &e), &e);
    if (!r.landlock) {
        note("none", 0);
        return;
    }
    /* what is meant to go */
    int fd = openat(dirs[0], "new", O_CREAT | O_RDWR | O_TRUNC, 0600);
    TRY(fd);
    TRY(pwrite(fd, "hello", 5, 0));
    TRY(fdatasync(fd));
    TRY(ftruncate(fd, 3));
    TRY(fsync(dirs[0]));
    TRY(mkdirat(dirs[0], "a", 0700));
    TRY(renameat(dirs[0], "new", dirs[0], "a/b"));
    TRY(openat(dirs[1], "there", O_RDONLY));
    int watch = inotify_init1(IN_NONBLOCK);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", dirs[0]);
    TRY(inotify_add_watch(watch, path, IN_CREATE));
    /* what is not */
    note("--", -1);
    TRY(openat(dirs[1], "there", O_RDWR));
    TRY(openat(dirs[1], "new", O_CREAT | O_WRONLY, 0600));
    TRY(unlinkat(dirs[1], "there", 0));
    TRY(openat(AT_FDCWD, "/etc/passwd", O_RDONLY));
    TRY(openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
    TRY(openat(dirs[0], "../1/there", O_RDWR));
    note("--", -1);
    TRY(socket(AF_INET, SOCK_STREAM, 0));
    TRY(socket(AF_UNIX, SOCK_STREAM, 0));
    TRY(syscall(SYS_execve, "/bin/true", NULL, NULL));
    TRY(syscall(SYS_mknodat, dirs[0], "dev", S_IFCHR | 0600, 259));
    TRY(syscall(SYS_symlinkat, "/etc", dirs[0], "way"));
    TRY(syscall(SYS_linkat, dirs[0], "a/b", dirs[0], "c", 0));
    TRY(syscall(SYS_fchown, fd, 0, 0));
}

TEST(the_disk_hand_has_its_roots_and_nothing_beside_them) {
    int dirs[2];
    if (!make_roots(dirs)) return;
    CHECK_INT(in_child(use_disk, dirs), 0);
    remove_roots(dirs);
    if (*note_n == 1) {
        tap_skip("this kernel has no Landlock");
        return;
    }
    CHECK_INT(*note_n, 24);
    int want = 0;
    for (unsigned i = 0; i < *note_n; i++) {
        if (notes[i].got == -1)
            want = want == 0 ? EACCES : ENOSYS;
        else if (want != ENOSYS || jail_has_seccomp()) {
            if (notes[i].got != want) tap_note("%s", notes[i].what);
            CHECK_INT(notes[i].got, want);
        }
    }
}

/* A kernel without Landlock, by a filter that denies it: what enters a jail must not know the difference. */
static void without_landlock(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(97);
}

static void be_root_without_landlock(void *arg) {
    const int *dirs = arg;
    struct err e = ERR_INIT;
    struct jail_report r;
    struct jail_root roots[] = {{dirs[0], true}};
    struct jail j = {.kind = JAIL_DISK, .change_user = true, .roots = roots, .root_n = 1};
    must_do(jail_begin(dirs, 2, getppid(), &e), &e);
    without_landlock();
    must_do(jail_enter(&j, &r, &e), &e);
    note("landlock", r.landlock);
    note("abi", r.landlock_abi);
    TRY(openat(dirs[0], "there", O_RDWR));
    TRY(openat(dirs[0], "new", O_CREAT | O_RDWR, 0600));
    note("--", -1);
    TRY(openat(AT_FDCWD, "/etc/passwd", O_RDONLY));
    TRY(openat(AT_FDCWD, "/mine", O_CREAT | O_RDWR, 0600));
}

TEST(without_Landlock_a_child_that_stays_root_is_shut_into_an_empty_folder) {
    if (geteuid() != 0 || !jail_has_seccomp()) {
        tap_skip("not root, or no filters: nobody stays root here");
        return;
    }
    int dirs[2];
    if (!make_roots(dirs)) return;
    CHECK_INT(in_child(be_root_without_landlock, dirs), 0);
    remove_roots(dirs);
    CHECK_INT(*note_n, 7);
    for (unsigned i = 0; i < 4; i++) CHECK_INT(notes[i].got, 0);
    CHECK_INT(notes[5].got, ENOENT);
    CHECK_INT(notes[6].got, ENOENT);
}

/* --- sampling, counting --- */

static void use_sampler(void *arg) {
    (void)arg;
    struct jail_report r;
    int stat_fd = open("/proc/stat", O_RDONLY), keep = stat_fd;
    struct err e = ERR_INIT;
    char text[100];
    struct jail j = {.kind = JAIL_SAMPLER, .change_user = geteuid() == 0, .uid = 65534, .gid = 65534};
    must_do(jail_begin(&keep, 1, getppid(), &e), &e);
    must_do(jail_enter(&j, &r, &e), &e);
    TRY(pread(stat_fd, text, sizeof text, 0));
    TRY(pread(stat_fd, text, sizeof text, 0));
    note("--", -1);
    TRY(syscall(SYS_openat, AT_FDCWD, "/tmp/startbox-none", O_CREAT | O_WRONLY, 0600));
    TRY(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR));
    TRY(socket(AF_INET, SOCK_STREAM, 0));
    TRY(socket(AF_UNIX, SOCK_STREAM, 0));
    TRY(pwrite(stat_fd, "x", 1, 0));
    note("opens at all", r.landlock ? syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) >= 0 : 0);
}

TEST(the_sampler_reads_what_it_opened_and_writes_nothing) {
    if (!has_seccomp()) return;
    CHECK_INT(in_child(use_sampler, NULL), 0);
    CHECK_INT(*note_n, 9);
    for (unsigned i = 0; i < 9; i++) CHECK_INT(notes[i].got, i == 2 ? -1 : i > 2 && i < 8 ? ENOSYS : 0);
}

static void use_count(void *arg) {
    (void)arg;
    struct jail j = {.kind = JAIL_COUNT};
    int pair[2];
    jail_me(&j, NULL);
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    TRY(socket(AF_INET, SOCK_DGRAM, 0));
    TRY(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY));
    TRY(syscall(SYS_pipe2, pair, 0));
    TRY(syscall(SYS_epoll_create1, 0));
    TRY(kill(getppid(), 0));
    TRY(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    uint8_t *volatile big = malloc(64 << 20);
    note("64 MiB of memory", big ? ENOSYS : 0);
}

TEST(a_job_that_counts_has_memory_and_nothing_else) {
    if (!has_seccomp()) return;
    CHECK_INT(in_child(use_count, NULL), 0);
    check_notes(8, ENOSYS);
}

/* --- limits --- */

static void meet_limits(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    must_do(jail_limit(SANITIZED ? 0 : 200 << 20, 0, 8, &e), &e);
    int n = 0;
    while (n < 100 && dup(0) >= 0) n++;
    note("descriptors more than 8", n > 8);
    note("errno", errno != EMFILE);
    /* Sanitizers want all addresses there are, and emulators do not count them. */
    uint8_t *volatile big = SANITIZED || !jail_has_seccomp() ? NULL : malloc(400 << 20);
    note("more memory than allowed", big != NULL);
    note("wider again", jail_limit(0, 0, 4000, &e) && dup(0) >= 0);
}

TEST(limits_of_memory_and_descriptors_hold) {
    CHECK_INT(in_child(meet_limits, NULL), 0);
    check_notes(4, 0);
}

static void spin(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    must_do(jail_limit(0, 1, 0, &e), &e);
    for (volatile unsigned n = 0;; n++) {
    }
}

TEST(a_limit_of_processor_time_ends_who_spins) {
    int status = in_child(spin, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
}

TAP_MAIN(T(the_disk_hand_has_its_roots_and_nothing_beside_them),
         T(without_Landlock_a_child_that_stays_root_is_shut_into_an_empty_folder),
         T(the_sampler_reads_what_it_opened_and_writes_nothing), T(a_job_that_counts_has_memory_and_nothing_else),
         T(limits_of_memory_and_descriptors_hold), T(a_limit_of_processor_time_ends_who_spins))
