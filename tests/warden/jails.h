/* jails.h - jailed children for a test, which write what they found into a page that the test shares with them. */
#ifndef TESTS_WARDEN_JAILS_H
#define TESTS_WARDEN_JAILS_H

#include "lib/tap.h"
#include "warden/jail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAYBE __attribute__((unused))

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Where a child writes down what it found; nothing else leaves a jail. */
#define NOTES 80
static struct note {
    const char *what;
    long long got;
} * notes;
static unsigned *note_n;
static char *why;

static MAYBE void note(const char *what, long long got) {
    if (*note_n < NOTES) notes[(*note_n)++] = (struct note){what, got};
}

/* 0 when it succeeded, else errno. */
static MAYBE int outcome(long result) {
    return result < 0 ? errno : 0;
}
#define TRY(call) note(#call, outcome((errno = 0, (long)(call))))

static MAYBE void share(void) {
    if (!notes) {
        uint8_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) abort();
        notes = (struct note *)(void *)p;
        note_n = (unsigned *)(void *)(p + 4096);
        why = (char *)p + 5000;
    }
    *note_n = 0;
    *why = 0;
}

/* Runs it in a child; the status of waitpid. */
static MAYBE int in_child(void (*body)(void *arg), void *arg) {
    share();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        body(arg);
        _exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) abort();
    if (*why) tap_note("the child says: %s", why);
    return status;
}

static MAYBE void must_do(bool good, const struct err *e) {
    if (good) return;
    snprintf(why, 300, "%s", e->text);
    _exit(99);
}

/* Every note is this outcome. */
static MAYBE void check_notes(unsigned n, long long want) {
    CHECK_INT(*note_n, n);
    for (unsigned i = 0; i < *note_n; i++)
        if (notes[i].got != want) {
            tap_note("%s: %lld (%s)", notes[i].what, notes[i].got, strerror((int)notes[i].got));
            CHECK_INT(notes[i].got, want);
        }
}

static MAYBE void jail_me(struct jail *j, struct jail_report *r) {
    struct err e = ERR_INIT;
    j->change_user = geteuid() == 0;
    if (j->change_user && !j->uid) j->uid = j->gid = 65534;
    must_do(jail_begin(NULL, 0, getppid(), &e), &e);
    must_do(jail_enter(j, r, &e), &e);
}

static MAYBE bool has_seccomp(void) {
    if (jail_has_seccomp()) return true;
    tap_skip("this kernel (or emulator) has no filters of system calls");
    return false;
}

#endif
