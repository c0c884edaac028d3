/* journal_log.c - entries of the system's journal: lines as journalctl writes them, what it is run with, and as whom. */
#include "wardens.h"

#include "lib/faults.h"
#include "warden/journal_log.h"

#include <grp.h>

#define BOOT "0123456789abcdef0123456789abcdef"

/* --- lines --- */

/* The one entry of a line, or VAL_NONE. */
static struct val entry_of(const char *line, const char *cursor) {
    struct page p = page_of(5, false);
    struct err e = ERR_INIT;
    CHECK(journal_log_line(&p, tap_guarded(slice_str(line)), slice_str(cursor), &e));
    struct val v = val_ref(val_at(&p.entries, 0));
    CHECK(val_count(&p.entries) <= 1);
    page_release(&p);
    return v;
}

static void check_entry(const char *line, struct val want) {
    struct val v = entry_of(line, "");
    if (!CHECK(val_equal(&v, &want))) tap_note("%s", line);
    val_unref(&v);
    val_unref(&want);
}

static struct val entry(struct val t, const char *message, struct val boot, struct val priority) {
    return MAP({"t", t}, {"message", val_of_str(message)}, {"cursor", val_of_str("s=1;i=a")}, {"boot", boot},
               {"priority", priority});
}

#define HEAD                                                                                                           \
    "{\"__CURSOR\":\"s=1;i=a\",\"__REALTIME_TIMESTAMP\":\"1700000000123456\",\"_BOOT_ID\":\"" BOOT                     \
    "\",\"PRIORITY\":\"6\""

TEST(a_line_of_journalctl_is_an_entry) {
    struct val whole = entry(val_of_u64(1700000000123), "hello", val_of_str(BOOT), val_of_u64(6));
    check_entry(HEAD ",\"MESSAGE\":\"hello\",\"_PID\":\"1\"}", val_ref(&whole));
    check_entry(HEAD ",\"MESSAGE\":[104,101,108,108,111]}", val_ref(&whole));
    check_entry(HEAD ",\"MESSAGE\":[\"hello\",\"again\"]}", val_ref(&whole));
    check_entry(HEAD ",\"MESSAGE\":[[104,101,108,108,111],\"again\"]}", val_ref(&whole));
    val_unref(&whole);
    check_entry(HEAD ",\"MESSAGE\":[255,0,900,-1,\"x\"]}",
                MAP({"t", val_of_u64(1700000000123)}, {"message", val_of_text(slice_of("\xef\xbf\xbd\0???", 7))},
                    {"cursor", val_of_str("s=1;i=a")}, {"boot", val_of_str(BOOT)}, {"priority", val_of_u64(6)}));
    check_entry(HEAD ",\"MESSAGE\":null}", entry(val_of_u64(1700000000123), "", val_of_str(BOOT), val_of_u64(6)));
    check_entry(HEAD ",\"MESSAGE\":[]}", entry(val_of_u64(1700000000123), "", val_of_str(BOOT), val_of_u64(6)));
    check_entry("{\"__CURSOR\":\"s=1;i=a\"}", entry(val_null(), "", val_null(), val_null()));
    check_entry(
        "{\"__CURSOR\":\"s=1;i=a\",\"PRIORITY\":\"8\",\"_BOOT_ID\":\"x\",\"__REALTIME_TIMESTAMP\":12,\"MESSAGE\":{}}",
        entry(val_null(), "", val_null(), val_null()));
}

TEST(what_is_no_entry_is_passed_over) {
    static const char *const bad[] = {"",
                                      "-- No entries --",
                                      "{",
                                      "{}",
                                      "[]",
                                      "null",
                                      "{\"MESSAGE\":\"x\"}",
                                      "{\"__CURSOR\":7}",
                                      "{\"__CURSOR\":\"\"}",
                                      "{\"__CURSOR\":\"a b\"}",
                                      "{\"__CURSOR\":\"a\\u0000\"}",
                                      "{\"__CURSOR\":\"--x$(y)\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct val v = entry_of(bad[i], "");
        if (!CHECK(val_is_none(&v))) tap_note("%s", bad[i]);
        val_unref(&v);
    }
    struct val v = entry_of(HEAD "}", "s=1;i=a"); /* the one at the cursor is known */
    CHECK(val_is_none(&v));
    val_unref(&v);
}

TEST(a_long_message_is_cut_and_marked) {
    static char line[3 * LIMIT_LOG_LINE];
    size_t n = (size_t)snprintf(line, sizeof line, HEAD ",\"MESSAGE\":\"");
    memset(line + n, 'x', LIMIT_LOG_LINE + 1);
    snprintf(line + n + LIMIT_LOG_LINE + 1, 10, "\"}");
    struct val v = entry_of(line, "");
    struct slice s = val_as_text(val_get(&v, LIT("message")));
    CHECK_INT(s.len, LIMIT_LOG_LINE + 3);
    CHECK(slice_ends(s, LIT("xxx...")));
    val_unref(&v);
}

static bool read_line(void *arg) {
    (void)arg;
    struct page p = page_of(5, false);
    struct err e = ERR_INIT;
    bool good = journal_log_line(&p, LIT(HEAD ",\"MESSAGE\":[104,101,108,108,111,255]}"), LIT(""), &e);
    CHECK(good || e.code == ERR_NOMEM);
    CHECK(!good || val_count(&p.entries) == 1);
    page_release(&p);
    return good;
}

TEST(a_lack_of_memory_is_an_error_and_not_a_missing_entry) {
    CHECK(faults_sweep(read_line, NULL, "a line"));
}

/* --- running it --- */

static char base[64], program[100];

/* The stand-in: a script, for everybody to read. */
static bool make_program(const char *script) {
    snprintf(base, sizeof base, "/tmp/startbox-test-journal-XXXXXX");
    if (!CHECK(mkdtemp(base) != NULL && chmod(base, 0755) == 0)) return false;
    snprintf(program, sizeof program, "%s/journalctl", base);
    int fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    CHECK(write(fd, script, strlen(script)) == (ssize_t)strlen(script));
    return CHECK(close(fd) == 0 && chmod(program, 0755) == 0);
}

#define SAY(message) "echo '{\"__CURSOR\":\"s='$n'\",\"MESSAGE\":\"'\"" message "\"'\"}'\n"

static struct val unit_args(uint64_t limit) {
    return MAP({"unit", val_of_str("ssh.service")}, {"limit", val_of_u64(limit)});
}

/* words[0]: the message of the first entry; number[0]: the code, [1]: entries, [2]: more. */
static int read_once(const struct warden_birth *birth, void *arg) {
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "journal.read", arg ? val_ref(arg) : unit_args(3));
    const struct val *list = val_get(&a.result, LIT("entries"));
    struct slice text = val_as_text(val_get(val_at(list, 0), LIT("message")));
    sh->number[0] = a.err.code;
    sh->number[1] = (long long)val_count(list);
    sh->number[2] = val_is_true(val_get(&a.result, LIT("more")));
    snprintf(sh->words[0], sizeof sh->words[0], "%.*s", (int)text.len, (const char *)text.ptr);
    snprintf(sh->words[1], sizeof sh->words[1], "%s", a.err.text);
    text = val_as_text(val_get(val_at(list, val_count(list) - 1), LIT("message")));
    snprintf(sh->words[2], sizeof sh->words[2], "%.*s", (int)text.len, (const char *)text.ptr);
    forget(&a);
    return 0;
}

static void run_with(struct val args, bool nobody) {
    shared_begin();
    struct warden_config c = {.reactor = read_once, .arg = &args, .journalctl = program};
    CHECK_INT(warden_end(warden_begin(&c, nobody)), 0);
    val_unref(&args);
}

TEST(it_is_run_with_fixed_arguments_a_small_environment_and_nobody_s_rights) {
    if (!make_program("#!/bin/sh\nn=1\n" SAY("$*")
                          SAY("$(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort | tr '\\n' ' ')")
                              SAY("$(id -u) $(id -g) $(id -G) $(ls /proc/self/fd | tr '\\n' ' ')")))
        return;
    run_with(unit_args(1), false);
    CHECK_INT(sh->number[0], ERR_NONE);
    CHECK_INT(sh->number[1], 1);
    CHECK(sh->number[2]);
    run_with(unit_args(3), false);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("--output=json --output-fields=MESSAGE,PRIORITY --all --quiet --no-pager "
                                            "--unit=ssh.service --lines=4"));
    const struct group *g = getgrnam("systemd-journal");
    char want[100];
    snprintf(want, sizeof want, "65534 65534 65534 %u 0 1 2 3 ", g ? (unsigned)g->gr_gid : 65534);
    if (geteuid() == 0) CHECK_TEXT(slice_str(sh->words[2]), slice_str(g ? want : "65534 65534 65534 0 1 2 3 "));
    run_with(MAP({"unit", val_of_str("a.b")}, {"limit", val_of_u64(1000)}, {"cursor", val_of_str("s=1;i=2._-")},
                 {"boot", val_of_str(BOOT)}),
             false);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("--output=json --output-fields=MESSAGE,PRIORITY --all --quiet --no-pager "
                                            "--unit=a.b --lines=1001 --boot=" BOOT " --after-cursor=s=1;i=2._-"));
    CHECK_INT(sh->number[1], 3);
    run_with(MAP({"unit", val_of_str("a.b")}, {"limit", val_of_u64(9)}, {"cursor", val_of_str("s=7")},
                 {"before", val_of_bool(true)}, {"boot", val_of_str("-1")}),
             true);
    CHECK_TEXT(slice_str(sh->words[2]), LIT("--output=json --output-fields=MESSAGE,PRIORITY --all --quiet --no-pager "
                                            "--unit=a.b --lines=10 --boot=-1 --after-cursor=s=7 --reverse"));
    CHECK_INT(sh->number[1], 3);
    remove_tree(base);
    if (!make_program("#!/bin/sh\nn=1\n" SAY("$(tr '\\0' ' ' < /proc/$$/environ)"))) return;
    run_with(unit_args(3), false);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("PATH=/usr/bin:/bin LC_ALL=C "));
    remove_tree(base);
}

static int refuse_all(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    static const char *const cursors[] = {"a b", "a\"", "$(x)", "a'", "a/b", "\xc3\xa4", ""};
    static const char *const boots[] = {"x", "--x", "+1", "-", "0123456789ABCDEF0123456789abcdef", "-99999", "1 ", ""};
    static const char *const units[] = {"", "-x", "a b", "a/b", "*", "A", "a;b", "--unit"};
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++)
        SEE_INT(code_of(&r, "journal.read",
                        MAP({"unit", val_of_str("a")}, {"limit", val_of_u64(1)}, {"cursor", val_of_str(cursors[i])})),
                ERR_INVALID);
    for (size_t i = 0; i < sizeof boots / sizeof boots[0]; i++)
        SEE_INT(code_of(&r, "journal.read",
                        MAP({"unit", val_of_str("a")}, {"limit", val_of_u64(1)}, {"boot", val_of_str(boots[i])})),
                ERR_INVALID);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        SEE_INT(code_of(&r, "journal.read", MAP({"unit", val_of_str(units[i])}, {"limit", val_of_u64(1)})),
                ERR_INVALID);
    SEE_INT(code_of(&r, "journal.read", unit_args(0)), ERR_INVALID);
    SEE_INT(code_of(&r, "journal.read", unit_args(1001)), ERR_INVALID);
    SEE_INT(code_of(&r, "journal.read", NO_ARGS), ERR_INVALID);
    return 0;
}

TEST(other_arguments_are_refused_and_nothing_is_run) {
    if (!make_program("#!/bin/sh\n: > \"$(dirname \"$0\")/was-run\"\n")) return;
    CHECK(chmod(base, 0777) == 0);
    char mark[100];
    snprintf(mark, sizeof mark, "%s/was-run", base);
    shared_begin();
    struct warden_config c = {.reactor = refuse_all, .journalctl = program};
    CHECK_INT(warden_live(&c), 0);
    check_seen(3 + 7 + 8 + 8 + 3);
    CHECK(access(mark, F_OK) != 0);
    run_with(unit_args(1), false);
    CHECK(access(mark, F_OK) == 0); /* the mark is one */
    CHECK(sh->number[0] == ERR_NONE && sh->number[1] == 0 && !sh->number[2]);
    remove_tree(base);
}

TEST(what_journalctl_cannot_do_is_said_with_its_words) {
    if (!make_program("#!/bin/sh\necho 'Failed to seek to cursor: Invalid argument' >&2\nexit 1\n")) return;
    run_with(unit_args(1), false);
    CHECK_INT(sh->number[0], ERR_UNKNOWN);
    CHECK(strstr(sh->words[1], "journalctl: Failed to seek to cursor: Invalid argument") != NULL);
    remove_tree(base);
    if (!make_program("#!/bin/sh\necho 'No journal files were opened due to insufficient permissions.' >&2\nexit 1\n"))
        return;
    run_with(unit_args(1), false);
    CHECK_INT(sh->number[0], ERR_AUTHORIZATION);
    CHECK(unlink(program) == 0);
    run_with(unit_args(1), false);
    CHECK_INT(sh->number[0], ERR_NOT_FOUND);
    remove_tree(base);
    /* More words than a pipe takes, before anything else. */
    if (!make_program("#!/bin/sh\nn=1\nhead -c 300000 /dev/zero >&2\n" SAY("behind"))) return;
    run_with(unit_args(1), false);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("behind"));
    remove_tree(base);
}

TEST(pages_are_the_newest_or_go_on_from_a_cursor_and_huge_lines_are_left_out) {
    if (!make_program("#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9; do\n" SAY("entry $n") "done\n")) return;
    run_with(unit_args(4), false);
    CHECK(sh->number[1] == 4 && sh->number[2]);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("entry 6"));
    CHECK_TEXT(slice_str(sh->words[2]), LIT("entry 9"));
    struct val cursor = MAP({"unit", val_of_str("a")}, {"limit", val_of_u64(4)}, {"cursor", val_of_str("s=2")});
    run_with(val_ref(&cursor), false);
    CHECK(sh->number[1] == 4 && sh->number[2]);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("entry 1"));
    CHECK_TEXT(slice_str(sh->words[2]), LIT("entry 5")); /* without the one at the cursor */
    CHECK(val_set_str(&cursor, "before", val_of_bool(true)));
    run_with(val_ref(&cursor), false);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("entry 5"));
    CHECK_TEXT(slice_str(sh->words[2]), LIT("entry 1"));
    val_unref(&cursor);
    remove_tree(base);
    if (!make_program("#!/bin/sh\nn=1\nhead -c 2000000 /dev/zero | tr '\\0' x\necho\n" SAY("behind"))) return;
    run_with(unit_args(4), false);
    CHECK(sh->number[0] == ERR_NONE && sh->number[1] == 1 && sh->number[2]);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("behind"));
    remove_tree(base);
}

static int cancel_it(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    struct reply a;
    if (!reactor_open(&r, birth)) return 1;
    ask(&r, &a, "journal.read", unit_args(1), 300);
    await(&r, &a);
    SEE_CODE(&a, ERR_TIMEOUT);
    forget(&a);
    return 0;
}

TEST(one_that_does_not_end_is_gone_with_its_job) {
    if (!make_program("#!/bin/sh\necho $$ > \"$(dirname \"$0\")/pid\"\nexec sleep 1000\n")) return;
    CHECK(chmod(base, 0777) == 0);
    char path[100], text[20] = "";
    snprintf(path, sizeof path, "%s/pid", base);
    shared_begin();
    struct warden_config c = {.reactor = cancel_it, .journalctl = program};
    CHECK_INT(warden_live(&c), 0);
    check_seen(4);
    FILE *f = fopen(path, "r");
    if (f) { /* a slow machine may not have come so far */
        CHECK(fgets(text, sizeof text, f) != NULL);
        pid_t pid = (pid_t)strtol(text, NULL, 10);
        CHECK(pid > 1 && UNTIL(is_over(pid)));
        fclose(f);
    } else
        tap_note("it was ended before it had begun");
    remove_tree(base);
}

TEST(the_real_one_takes_our_arguments) {
    if (access("/usr/bin/journalctl", X_OK)) {
        tap_skip("there is no journalctl here");
        return;
    }
    snprintf(program, sizeof program, "/usr/bin/journalctl");
    for (int i = 0; i < 2; i++) {
        struct val args = unit_args(5);
        if (i) /* of no journal there is */
            CHECK(val_set_str(&args, "cursor", val_of_str("s=" BOOT ";i=1;b=" BOOT ";m=1;t=1;x=1")) &&
                  val_set_str(&args, "before", val_of_bool(true)) && val_set_str(&args, "boot", val_of_str("0")));
        run_with(args, false);
        CHECK(sh->number[0] == ERR_NONE || sh->number[0] == ERR_AUTHORIZATION || sh->number[0] == ERR_UNKNOWN);
        CHECK(!strstr(sh->words[1], "option") && !strstr(sh->words[1], "arse"));
        if (sh->number[0]) tap_note("%s", sh->words[1]);
    }
}

TAP_MAIN(T(a_line_of_journalctl_is_an_entry), T(what_is_no_entry_is_passed_over), T(a_long_message_is_cut_and_marked),
         T(a_lack_of_memory_is_an_error_and_not_a_missing_entry),
         T(it_is_run_with_fixed_arguments_a_small_environment_and_nobody_s_rights),
         T(other_arguments_are_refused_and_nothing_is_run), T(what_journalctl_cannot_do_is_said_with_its_words),
         T(pages_are_the_newest_or_go_on_from_a_cursor_and_huge_lines_are_left_out),
         T(one_that_does_not_end_is_gone_with_its_job), T(the_real_one_takes_our_arguments))
