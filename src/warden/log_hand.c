/* log_hand.c - see log_hand.h. It turns no loop: it waits for one descriptor. */
#include "warden/log_hand.h"

#include "base/ascii.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/file.h"
#include "warden/log_ring.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 16384 /* bytes read at once */

struct keeper {
    struct log_ring ring;
    int from, to;
    bool stuck;       /* standard error takes nothing for now */
    uint64_t unshown; /* bytes since then */
    bool told;        /* that the ring is broken */
    /* The line that is coming: enough of it to see that it is too long. */
    uint8_t line[LIMIT_LOG_LINE + 8];
    size_t line_len;
    uint8_t piece[PIECE];
};

/* --- showing --- */

/* Waits for at most so long. What a pipe takes without waiting is PIPE_BUF at least when it takes anything. */
static bool takes_more(const struct keeper *k, int most_ms) {
    struct pollfd p = {.fd = k->to, .events = POLLOUT};
    return poll(&p, 1, most_ms) > 0;
}

/* False: it was not taken. A standard error that is closed or fails swallows everything. */
static bool show_piece(struct keeper *k, struct slice *bytes) {
    if (!takes_more(k, k->stuck ? 0 : LIMIT_LOG_SHOW_MS)) return false;
    ssize_t n = write(k->to, bytes->ptr, bytes->len < PIPE_BUF ? bytes->len : PIPE_BUF);
    if (n < 0 && errno == EAGAIN) return false;
    if (n < 0 && errno != EINTR) n = (ssize_t)bytes->len;
    *bytes = slice_skip(*bytes, n < 0 ? 0 : (size_t)n);
    return true;
}

static void say_unshown(struct keeper *k) {
    char text[80];
    int n = snprintf(text, sizeof text, "\n<4>%llu bytes were not shown here\n", (unsigned long long)k->unshown);
    struct slice s = slice_of(text, (size_t)n);
    if (!show_piece(k, &s)) return;
    k->stuck = false;
    k->unshown = 0;
}

static void show(struct keeper *k, struct slice bytes) {
    if (k->stuck) say_unshown(k);
    while (!k->stuck && bytes.len) k->stuck = !show_piece(k, &bytes);
    if (k->stuck) k->unshown += bytes.len;
}

/* Once for each time it breaks: the ring's own line comes when it is whole again. */
static void show_trouble(struct keeper *k) {
    char text[ERR_TEXT + 64];
    if (k->ring.broken && !k->told) {
        int n = snprintf(text, sizeof text, "<4>the log is not kept for now: %s\n", k->ring.why.text);
        show(k, slice_of(text, (size_t)n));
    }
    k->told = k->ring.broken;
}

/* --- keeping --- */

static void end_line(struct keeper *k) {
    log_ring_add(&k->ring, slice_of(k->line, k->line_len));
    k->line_len = 0;
}

static void keep(struct keeper *k, struct slice bytes) {
    while (bytes.len) {
        size_t n = slice_find(bytes, '\n');
        size_t room = sizeof k->line - k->line_len, taken = n < room ? n : room;
        memcpy(k->line + k->line_len, bytes.ptr, taken);
        k->line_len += taken;
        if (n < bytes.len) end_line(k);
        bytes = slice_skip(bytes, n + 1);
    }
    log_ring_flush(&k->ring);
}

static void turn(struct keeper *k) {
    for (;;) {
        ssize_t n = read(k->from, k->piece, sizeof k->piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) { /* the reading end does not wait either, wherever it came from */
            struct pollfd p = {.fd = k->from, .events = POLLIN};
            poll(&p, 1, -1);
            continue;
        }
        if (n <= 0) break;
        struct slice bytes = slice_of(k->piece, (size_t)n);
        keep(k, bytes);
        show(k, bytes);
        show_trouble(k);
    }
    if (k->line_len) end_line(k);
}

/* --- life --- */

/* 32 digits; zeros where the kernel does not say. */
static void read_boot(char out[LOGLINE_BOOT + 1]) {
    struct buf text;
    size_t n = 0;
    buf_init(&text, 128);
    if (file_read_path("/proc/sys/kernel/random/boot_id", 100, &text, NULL))
        for (size_t i = 0; i < text.len && n < LOGLINE_BOOT; i++)
            if (ascii_is_digit(text.ptr[i]) || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f')) out[n++] = (char)text.ptr[i];
    memset(out + n, '0', LOGLINE_BOOT - n);
    out[LOGLINE_BOOT] = 0;
    buf_release(&text);
}

/* What it says itself goes past the pipe, and it must not hold a writing end: it would never see the pipe's end. */
static bool begin(const struct log_hand *h, struct err *e) {
    if (dup2(h->to, STDOUT_FILENO) < 0 || dup2(h->to, STDERR_FILENO) < 0)
        return err_os(e, ERR_UNKNOWN, errno, "finding standard error");
    /* It lives until the last writer is gone, and that may be the warden. */
    if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)) return err_os(e, ERR_UNKNOWN, errno, "outliving the warden");
    signal(SIGXFSZ, SIG_IGN);
    umask(0);
    struct stat st = {0};
    if (fstat(h->root.dir, &st)) return err_os(e, ERR_FILESYSTEM, errno, "looking at the root of the log");
    struct jail jail = {.kind = JAIL_DISK,
                        .change_user = h->change_user,
                        .uid = st.st_uid,
                        .gid = st.st_gid,
                        .roots = &h->root,
                        .root_n = 1};
    return jail_enter(&jail, NULL, e);
}

int log_hand(const struct log_hand *h) {
    struct err e = ERR_INIT;
    char boot[LOGLINE_BOOT + 1];
    struct keeper *k = mem_get_zero(sizeof *k);
    read_boot(boot);
    if (!k || !begin(h, &e)) {
        log_warn("the log hand cannot begin: %s", k ? e.text : "no memory");
        mem_put(k, sizeof *k);
        return 71;
    }
    k->from = h->from;
    k->to = h->to;
    log_ring_init(&k->ring, h->root.dir, h->folder, boot);
    turn(k);
    log_ring_release(&k->ring);
    mem_put(k, sizeof *k);
    return 0;
}
