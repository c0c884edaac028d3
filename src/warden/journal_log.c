/* journal_log.c - see journal_log.h. */
#include "warden/journal_log.h"

#include "base/ascii.h"
#include "base/log.h"
#include "base/num.h"
#include "base/utf8.h"
#include "protocols/json.h"
#include "warden/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRAM     "/usr/bin/journalctl"
#define GROUP       "systemd-journal"
#define MS          20000
#define CPU_S       15
#define MEMORY      (UINT64_C(128) << 20)
#define CURSOR_MOST 400
#define BOOT_MOST   32
#define PIECE       16384

/* What open leaves to run. */
struct reading {
    int out, err; /* what it says, and why it does not */
};

/* --- a line --- */

/* A field is a text; bytes that are no UTF-8 are an array of numbers; a field that is there twice is an array of these: its first. */
static bool add_field(struct buf *out, const struct val *v) {
    if (val_kind(v) == VAL_TEXT) return buf_add(out, val_as_text(v));
    if (val_kind(v) != VAL_ARRAY) return true;
    const struct val *first = val_at(v, 0);
    if (val_kind(first) != VAL_INT) return val_kind(first) == VAL_NONE || add_field(out, first);
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        uint64_t byte;
        if (!val_as_u64(it.value, &byte) || byte > 255) byte = '?';
        if (!buf_byte(out, (uint8_t)byte)) return false;
    }
    return true;
}

/* The message, mended, and at most as long as a line of our own log. VAL_NONE: no memory. */
static struct val message_of(const struct val *v, size_t *len) {
    struct buf raw, text;
    struct val out = val_none;
    buf_init(&raw, LIMIT_JOURNAL_LINE);
    buf_init(&text, (size_t)3 * LIMIT_LOG_LINE + 3);
    if (add_field(&raw, v)) {
        bool cut = raw.len > LIMIT_LOG_LINE;
        if (utf8_add_lossy(&text, slice_head(buf_slice(&raw), LIMIT_LOG_LINE)) && (!cut || buf_add_str(&text, "...")))
            out = val_of_text(buf_slice(&text));
    }
    *len = text.len;
    buf_release(&raw);
    buf_release(&text);
    return out;
}

static bool is_cursor(struct slice s) {
    bool good = s.len > 0 && s.len <= CURSOR_MOST;
    for (size_t i = 0; good && i < s.len; i++)
        good = ascii_is_alnum(s.ptr[i]) || (s.ptr[i] && strchr("=;._-", s.ptr[i]));
    return good;
}

static struct val number_or_null(struct slice s, uint64_t most, uint64_t divisor) {
    uint64_t n;
    return num_read_u64(s, 0, most, &n) ? val_of_u64(n / divisor) : val_null();
}

static bool is_boot(struct slice s) {
    bool good = s.len == BOOT_MOST;
    for (size_t i = 0; good && i < s.len; i++) good = ascii_is_digit(s.ptr[i]) || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f');
    return good;
}

static bool add_entry(struct page *p, const struct val *map, struct slice cursor, struct err *e) {
    struct slice here = val_as_text(val_get(map, LIT("__CURSOR"))), boot = val_as_text(val_get(map, LIT("_BOOT_ID")));
    size_t len = 0;
    if (!is_cursor(here) || slice_eq(here, cursor)) return true;
    struct val message = message_of(val_get(map, LIT("MESSAGE")), &len);
    struct val t = number_or_null(val_as_text(val_get(map, LIT("__REALTIME_TIMESTAMP"))), UINT64_MAX, 1000);
    struct val priority = number_or_null(val_as_text(val_get(map, LIT("PRIORITY"))), 7, 1);
    return page_add(p,
                    VAL_MAP_OF({"t", t}, {"message", message}, {"cursor", val_of_text(here)},
                               {"boot", is_boot(boot) ? val_of_text(boot) : val_null()}, {"priority", priority}),
                    len + here.len + BOOT_MOST, e);
}

bool journal_log_line(struct page *p, struct slice line, struct slice cursor, struct err *e) {
    static const struct json_limits limits = {.bytes = LIMIT_JOURNAL_LINE, .depth = 8};
    struct val map = val_none;
    struct err why = ERR_INIT;
    if (!json_parse(line, &limits, &map, &why)) return why.code != ERR_NOMEM || err_nomem(e, "a line of the journal");
    bool good = add_entry(p, &map, cursor, e);
    val_unref(&map);
    return good;
}

/* --- running it, before the jail closes --- */

static bool check_arguments(const struct val *args, struct err *e) {
    const struct val *cursor = val_get(args, LIT("cursor")), *boot = val_get(args, LIT("boot"));
    if (!val_is_none(cursor) && !is_cursor(val_as_text(cursor)))
        return err_set(e, ERR_INVALID, "journal.read: argument \"cursor\": want letters, digits and = ; . _ -");
    if (val_is_none(boot) || is_boot(val_as_text(boot))) return true;
    struct slice s = val_as_text(boot);
    uint64_t n;
    if (slice_starts(s, LIT("-"))) s = slice_skip(s, 1);
    return num_read_u64(s, 0, 9999, &n) ||
           err_set(e, ERR_INVALID,
                   "journal.read: argument \"boot\": want 32 digits as the journal has them, or 0, -1, ...");
}

struct command {
    char unit[80], count[24], cursor[CURSOR_MOST + 24], boot[BOOT_MOST + 16];
    char *argv[12];
};

static void put(char *out, size_t size, const char *option, const struct val *v) {
    struct slice s = val_as_text(v);
    snprintf(out, size, "%s%.*s", option, (int)s.len, (const char *)s.ptr);
}

/* With --reverse it goes back from behind the cursor. One more than wanted, to see whether there are more. */
static void fill_command(struct command *c, const char *program, const struct val *args) {
    static char json[] = "--output=json", fields[] = "--output-fields=MESSAGE,PRIORITY", all[] = "--all",
                quiet[] = "--quiet", pager[] = "--no-pager", reverse[] = "--reverse";
    uint64_t limit = 1;
    unsigned n = 0;
    val_as_u64(val_get(args, LIT("limit")), &limit);
    put(c->unit, sizeof c->unit, "--unit=", val_get(args, LIT("unit")));
    snprintf(c->count, sizeof c->count, "--lines=%llu", (unsigned long long)limit + 1);
    c->argv[n++] = (char *)(uintptr_t)program;
    c->argv[n++] = json;
    c->argv[n++] = fields;
    c->argv[n++] = all;
    c->argv[n++] = quiet;
    c->argv[n++] = pager;
    c->argv[n++] = c->unit;
    c->argv[n++] = c->count;
    if (!val_is_none(val_get(args, LIT("boot")))) {
        put(c->boot, sizeof c->boot, "--boot=", val_get(args, LIT("boot")));
        c->argv[n++] = c->boot;
    }
    if (!val_is_none(val_get(args, LIT("cursor")))) {
        put(c->cursor, sizeof c->cursor, "--after-cursor=", val_get(args, LIT("cursor")));
        c->argv[n++] = c->cursor;
        if (val_is_true(val_get(args, LIT("before")))) c->argv[n++] = reverse;
    }
    c->argv[n] = NULL;
}

/* Whoever may read the journal is in its group; nothing else of root is needed. */
static bool become_reader(const struct job_call *c, struct err *e) {
    if (!c->change_user) return true;
    const struct group *g = getgrnam(GROUP);
    gid_t journal = g ? g->gr_gid : c->gid;
    return (setgroups(1, &journal) == 0 && setresgid(c->gid, c->gid, c->gid) == 0 &&
            setresuid(c->uid, c->uid, c->uid) == 0) ||
           err_os(e, ERR_UNKNOWN, errno, "becoming whom reads the journal");
}

static _Noreturn void be_journalctl(const struct job_call *c, struct command *command, const int out[2], pid_t parent) {
    static char path[] = "PATH=/usr/bin:/bin", language[] = "LC_ALL=C";
    char *const envp[] = {path, language, NULL};
    struct err e = ERR_INIT;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool good = null >= 0 && dup2(null, 0) >= 0 && dup2(out[0], 1) >= 0 && dup2(out[1], 2) >= 0;
    good = good && jail_begin(NULL, 0, parent, &e) && jail_limit(0, CPU_S, 0, &e) && become_reader(c, &e);
    /* Changing the user has taken back that it dies with the job. */
    good = good && jail_begin(NULL, 0, parent, &e);
    signal(SIGPIPE, SIG_DFL);
    if (good) execve(command->argv[0], command->argv, envp);
    _exit(127);
}

static bool make_pipe(int ends[2], struct err *e) {
    return pipe2(ends, O_CLOEXEC) == 0 || err_os(e, ERR_UNKNOWN, errno, "making a pipe");
}

static bool open_journal(struct job_call *c, struct err *e) {
    static struct reading r; /* in a process of its own */
    const struct warden_config *config = c->facts;
    const char *program = config->journalctl ? config->journalctl : PROGRAM;
    struct command command;
    int out[2], err[2];
    c->own = &r;
    if (!check_arguments(c->args, e)) return false;
    if (access(program, X_OK)) return err_os(e, ERR_NOT_FOUND, errno, "there is no journal here (%s)", program);
    fill_command(&command, program, c->args);
    if (!make_pipe(out, e) || !make_pipe(err, e)) return false;
    fcntl(err[1], F_SETFL, O_NONBLOCK); /* it is read last, and must not hold up what is read first */
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) be_journalctl(c, &command, (int[2]){out[1], err[1]}, parent);
    close(out[1]);
    close(err[1]);
    r = (struct reading){.out = out[0], .err = err[0]};
    return pid > 0 || err_os(e, ERR_UNKNOWN, errno, "making a process (journalctl)");
}

/* --- reading what it says, in the jail --- */

static ssize_t read_some(int fd, uint8_t *room, size_t len) {
    ssize_t n;
    do n = read(fd, room, len);
    while (n < 0 && errno == EINTR);
    return n;
}

/* A line too long is passed over, and counts as something left out. */
static bool read_lines(int fd, struct page *p, struct slice cursor, struct err *e) {
    struct buf line;
    uint8_t room[PIECE];
    ssize_t n = 0;
    bool good = true, full = false;
    buf_init(&line, LIMIT_JOURNAL_LINE);
    while (good && !full && (n = read_some(fd, room, sizeof room)) > 0) {
        struct slice rest = slice_of(room, (size_t)n);
        while (good && !full && rest.len) {
            size_t len = slice_find(rest, '\n');
            bool ends = len < rest.len;
            buf_add(&line, slice_head(rest, len));
            rest = slice_skip(rest, len + 1);
            if (line.fault == BUF_NOMEM) good = err_nomem(e, "a line of the journal");
            if (!ends) continue;
            if (buf_ok(&line))
                good = good && journal_log_line(p, buf_slice(&line), cursor, e);
            else
                p->more = true;
            full = !p->newest && p->more;
            buf_reset(&line);
        }
    }
    if (good && n < 0) good = err_os(e, ERR_FILESYSTEM, errno, "reading what journalctl says");
    buf_release(&line);
    return good;
}

/* Nothing came: it may have said why. */
static bool check_reason(int fd, struct err *e) {
    uint8_t room[200];
    ssize_t n = read_some(fd, room, sizeof room);
    struct slice why = slice_of(room, n > 0 ? (size_t)n : 0);
    why = slice_head(why, slice_find(why, '\n'));
    if (!why.len) return true;
    bool denied = false;
    for (size_t i = 0; i < why.len; i++) denied |= slice_starts(slice_skip(why, i), LIT("ermission"));
    return err_set(e, denied ? ERR_AUTHORIZATION : ERR_UNKNOWN, "journalctl: %s", log_text(why));
}

static bool run(struct job_call *c, struct val *result, struct err *e) {
    const struct reading *r = c->own;
    struct slice cursor = val_as_text(val_get(c->args, LIT("cursor")));
    bool backwards = cursor.len && val_is_true(val_get(c->args, LIT("before")));
    uint64_t limit = 1;
    val_as_u64(val_get(c->args, LIT("limit")), &limit);
    struct page p = page_of(limit, !cursor.len);
    bool good = read_lines(r->out, &p, cursor, e) && (val_count(&p.entries) || p.more || check_reason(r->err, e));
    if (good) {
        *result = page_take(&p, backwards);
        good = !val_is_none(result) || err_nomem(e, "a page of the journal");
    }
    page_release(&p);
    return good;
}

static const struct verb_arg arguments[] = {
    {.key = "unit", .type = VERB_WORD},
    {.key = "limit", .type = VERB_U64, .min = 1, .max = LIMIT_LOG_PAGE},
    {.key = "cursor", .type = VERB_TEXT, .optional = true, .min = 1, .max = CURSOR_MOST},
    {.key = "before", .type = VERB_BOOL, .optional = true},
    {.key = "boot", .type = VERB_TEXT, .optional = true, .min = 1, .max = BOOT_MOST},
};

const struct job_row journal_log_row = {
    .verb = {.name = "journal.read",
             .who = VERB_JOB,
             .args = arguments,
             .arg_n = sizeof arguments / sizeof arguments[0],
             .most_ms = MS,
             .about = "Reads the system's journal of one unit."},
    .run = run,
    .open = open_journal,
    .jail = JAIL_COUNT,
    .memory = MEMORY,
    .cpu_s = CPU_S,
    .files = 16,
    .group = 2, /* with the other logs (kernel_log.c) */
    .at_once = 1,
    .queue = LIMIT_LOG_QUEUE,
};
