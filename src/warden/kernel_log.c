/* kernel_log.c - see kernel_log.h. */
#include "warden/kernel_log.h"

#include "base/num.h"
#include "base/utf8.h"
#include "warden/page.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DEVICE      "/dev/kmsg"
#define RECORD_MOST 8192 /* as the kernel has it; a shorter buffer would be an error of the read */
#define MS          10000
#define MEMORY      (UINT64_C(128) << 20)
#define CPU_S       5

/* --- a record --- */

bool kernel_record_read(struct slice record, struct kernel_record *out) {
    uint64_t priority;
    size_t head = slice_find(record, ';');
    if (head == record.len) return false;
    struct slice fields = slice_head(record, head);
    struct slice first = slice_cut(&fields, ','), second = slice_cut(&fields, ','), third = slice_cut(&fields, ',');
    if (!num_read_u64(first, 0, UINT32_MAX, &priority) || !num_read_u64(second, 0, UINT64_MAX, &out->seq) ||
        !num_read_u64(third, 0, UINT64_MAX, &out->usec))
        return false;
    out->priority = (unsigned)(priority & 7); /* above it stands the facility */
    out->text = slice_skip(record, head + 1);
    out->text = slice_head(out->text, slice_find(out->text, '\n'));
    return true;
}

bool kernel_record_text(struct buf *out, const struct kernel_record *r) {
    struct buf plain;
    buf_init(&plain, RECORD_MOST);
    for (size_t i = 0; i < r->text.len; i++) {
        uint64_t byte;
        struct slice rest = slice_skip(r->text, i);
        bool escaped =
            rest.len >= 4 && slice_starts(rest, LIT("\\x")) && num_read_hex(slice_of(rest.ptr + 2, 2), 255, &byte);
        buf_byte(&plain, escaped ? (uint8_t)byte : rest.ptr[0]);
        if (escaped) i += 3;
    }
    bool good = buf_ok(&plain) && utf8_add_lossy(out, buf_slice(&plain));
    buf_release(&plain);
    return good;
}

/* --- the job --- */

static bool add_record(struct page *p, const struct kernel_record *r, struct err *e) {
    struct buf text;
    buf_init(&text, (size_t)3 * RECORD_MOST);
    bool good = kernel_record_text(&text, r) || err_nomem(e, "a record of the kernel");
    if (good)
        good = page_add(p,
                        VAL_MAP_OF({"seq", val_of_u64(r->seq)}, {"usec", val_of_u64(r->usec)},
                                   {"priority", val_of_u64(r->priority)}, {"text", val_of_text(buf_slice(&text))}),
                        text.len, e);
    buf_release(&text);
    return good;
}

/* 1: a record; 0: there is no further one; -1 with the reason. */
static int next_record(int fd, uint8_t *room, struct slice *out, struct err *e) {
    for (;;) {
        ssize_t n = read(fd, room, RECORD_MOST);
        *out = slice_of(room, n > 0 ? (size_t)n : 0);
        if (n > 0) return 1;
        if (n == 0 || errno == EAGAIN) return 0;
        if (errno == EINTR || errno == EPIPE)
            continue; /* EPIPE: overwritten meanwhile; the next is the oldest there is */
        err_os(e, ERR_FILESYSTEM, errno, "reading " DEVICE);
        return -1;
    }
}

bool kernel_log_collect(int fd, const struct val *args, struct val *result, struct err *e) {
    uint8_t room[RECORD_MOST];
    uint64_t limit = 1, after = 0, before = UINT64_MAX;
    bool has_after = val_as_u64(val_get(args, LIT("after")), &after);
    bool has_before = val_as_u64(val_get(args, LIT("before")), &before);
    val_as_u64(val_get(args, LIT("limit")), &limit);
    struct page p = page_of(limit, !has_after);
    struct slice bytes;
    int got = 0;
    bool good = true;
    while (good && (has_after ? !p.more : true) && (got = next_record(fd, room, &bytes, e)) > 0) {
        struct kernel_record r;
        if (!kernel_record_read(bytes, &r)) continue;
        if (has_after && r.seq <= after) continue;
        if (has_before && r.seq >= before) break; /* they come in their order */
        good = add_record(&p, &r, e);
    }
    good = good && got >= 0;
    if (good) {
        *result = page_take(&p, false);
        good = !val_is_none(result) || err_nomem(e, "a log");
    }
    page_release(&p);
    return good;
}

static bool open_device(struct job_call *c, struct err *e) {
    static int fd; /* in a process of its own */
    fd = open(DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    c->own = &fd;
    if (fd >= 0) return true;
    if (errno == EPERM || errno == EACCES)
        return err_os(e, ERR_AUTHORIZATION, errno, "the kernel's log may not be read (" DEVICE ")");
    return err_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_FILESYSTEM, errno, "opening " DEVICE);
}

static bool run(struct job_call *c, struct val *result, struct err *e) {
    return kernel_log_collect(*(const int *)c->own, c->args, result, e);
}

static const struct verb_arg arguments[] = {
    {.key = "limit", .type = VERB_U64, .min = 1, .max = LIMIT_LOG_PAGE},
    {.key = "after", .type = VERB_U64, .optional = true, .max = UINT64_MAX},
    {.key = "before", .type = VERB_U64, .optional = true, .max = UINT64_MAX},
};

const struct job_row kernel_log_row = {
    .verb = {.name = "log.kernel",
             .who = VERB_JOB,
             .args = arguments,
             .arg_n = sizeof arguments / sizeof arguments[0],
             .most_ms = MS,
             .about = "Reads the kernel's log."},
    .run = run,
    .open = open_device,
    .jail = JAIL_COUNT,
    .memory = MEMORY,
    .cpu_s = CPU_S,
    .files = 16,
    .group = 2, /* logs and disks are read one at a time */
    .at_once = 1,
    .queue = LIMIT_LOG_QUEUE,
};
