/* kernel_log.c - records of the kernel's log, pages of them, and the job in a real warden. */
#include "wardens.h"

#include "lib/faults.h"
#include "warden/kernel_log.h"
#include "warden/page.h"

static void check_record(const char *text, bool good, unsigned priority, uint64_t seq, uint64_t usec,
                         const char *want) {
    struct kernel_record r;
    struct buf out;
    if (!CHECK(kernel_record_read(tap_guarded(slice_str(text)), &r) == good)) tap_note("%s", text);
    if (!good) return;
    CHECK_INT(r.priority, priority);
    CHECK(r.seq == seq && r.usec == usec);
    buf_init(&out, 1000);
    CHECK(kernel_record_text(&out, &r));
    CHECK_TEXT(buf_slice(&out), slice_str(want));
    buf_release(&out);
}

TEST(a_record_has_priority_number_time_and_text) {
    check_record("6,339,5140900,-;NET: Registered\n", true, 6, 339, 5140900, "NET: Registered");
    check_record("30,1,0,c,caller=T1;text\n SUBSYSTEM=pci\n DEVICE=+pci:0000\n", true, 6, 1, 0, "text");
    check_record("4,18446744073709551615,18446744073709551615,-;", true, 4, UINT64_MAX, UINT64_MAX, "");
    check_record("3,1,2;a;b\n", true, 3, 1, 2, "a;b");
    check_record("3,1,2,-;tab\\x09 back\\x5cslash \\xc3\\xa4 \\xff \\x4 \\xzz \\", true, 3, 1, 2,
                 "tab\t back\\slash \xc3\xa4 \xef\xbf\xbd \\x4 \\xzz \\");
    check_record("", false, 0, 0, 0, "");
    check_record(";", false, 0, 0, 0, "");
    check_record("6,339,5140900,-", false, 0, 0, 0, "");
    check_record("6,339;x", false, 0, 0, 0, "");
    check_record("x,339,1,-;x", false, 0, 0, 0, "");
    check_record("-6,339,1,-;x", false, 0, 0, 0, "");
    check_record("6,18446744073709551616,1,-;x", false, 0, 0, 0, "");
}

/* As the device does it: one record a read, then nothing more for now. */
static int make_device(unsigned from, unsigned to, size_t len) {
    int pair[2];
    char record[8192], text[4096];
    if (!CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0)) return -1;
    int size = 4 << 20;
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    memset(text, 'x', sizeof text);
    for (unsigned i = from; i < to; i++) {
        int n = snprintf(record, sizeof record, "%u,%u,%u,-;%.*s\n", i % 8, i, i * 10, (int)len, text);
        if (write(pair[1], record, (size_t)n) != n) tap_note("record %u was not taken: %d", i, errno);
    }
    CHECK(write(pair[1], "what is none", 12) == 12);
    close(pair[1]);
    return pair[0];
}

static struct val collect(int fd, struct val args) {
    struct val result = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(kernel_log_collect(fd, &args, &result, &e))) tap_note("%s", e.text);
    val_unref(&args);
    close(fd);
    return result;
}

/* The numbers of a page: from, to, in order without a gap. */
static void check_page(struct val result, uint64_t from, uint64_t to, bool more) {
    const struct val *list = val_get(&result, LIT("entries"));
    uint64_t want = from, seq = 0, usec = 0, priority = 9;
    for (struct val_iter it = val_iter(list); val_next(&it); want++) {
        CHECK(val_as_u64(val_get(it.value, LIT("seq")), &seq) && val_as_u64(val_get(it.value, LIT("usec")), &usec));
        CHECK(val_as_u64(val_get(it.value, LIT("priority")), &priority) && priority == seq % 8 && usec == seq * 10);
        if (seq != want) CHECK_INT(seq, want);
    }
    CHECK_INT(want, to);
    CHECK_INT(val_is_true(val_get(&result, LIT("more"))), more);
    val_unref(&result);
}

TEST(a_page_is_the_newest_or_what_comes_next) {
#define LIMITED(n) {"limit", val_of_u64(n)}
#define AFTER(n)                                                                                                       \
    { "after", val_of_u64(n) }
#define BEFORE(n)                                                                                                      \
    { "before", val_of_u64(n) }
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20))), 85, 105, true);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(100))), 5, 105, false);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(1000))), 5, 105, false);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20), BEFORE(50))), 30, 50, true);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20), BEFORE(5))), 5, 5, false);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20), AFTER(50))), 51, 71, true);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20), AFTER(0))), 5, 25, true);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20), AFTER(90))), 91, 105, false);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20), AFTER(104))), 105, 105, false);
    check_page(collect(make_device(5, 105, 10), MAP(LIMITED(20), AFTER(50), BEFORE(60))), 51, 60, false);
    check_page(collect(make_device(5, 5, 10), MAP(LIMITED(20))), 5, 5, false);
}

TEST(a_page_fits_a_frame_whatever_the_texts_are) {
    for (int after = 0; after < 2; after++) {
        int fd = make_device(5, 105, 2000);
        struct val result = after ? collect(fd, MAP(LIMITED(1000), AFTER(1))) : collect(fd, MAP(LIMITED(1000)));
        struct link_frame f = {.kind = LINK_RESULT, .id = UINT32_MAX, .value = result};
        struct buf out;
        struct err e = ERR_INIT;
        buf_init(&out, LIMIT_LINK_FRAME);
        CHECK(link_frame_write(&out, &f, &e));
        CHECK(out.len > LIMIT_LINK_FRAME * 3 / 4);
        buf_release(&out);
        size_t n = val_count(val_get(&result, LIT("entries")));
        CHECK(n > 40 && n < 49);
        check_page(result, after ? 5 : 105 - n, after ? 5 + n : 105, true);
    }
}

TEST(a_page_can_be_turned_and_takes_nothing_behind_a_gap) {
    struct err e = ERR_INIT;
    struct page p = page_of(3, false);
    static char many[LIMIT_LINK_FRAME];
    memset(many, 'x', sizeof many);
    CHECK(page_add(&p, MAP({"n", val_of_u64(1)}), 0, &e) && page_add(&p, MAP({"n", val_of_u64(2)}), 0, &e) && !p.more);
    CHECK(page_add(&p, MAP({"n", val_of_text(slice_of(many, sizeof many))}), sizeof many, &e) && p.more);
    CHECK(page_add(&p, MAP({"n", val_of_u64(3)}), 0, &e));
    struct val v = page_take(&p, true),
               want = MAP({"entries", VAL_ARRAY_OF(MAP({"n", val_of_u64(2)}), MAP({"n", val_of_u64(1)}))},
                          {"more", val_of_bool(true)});
    CHECK(val_equal(&v, &want));
    val_unref(&v);
    val_unref(&want);
    page_release(&p);
}

static bool collect_some(void *arg) {
    (void)arg;
    int fd = make_device(1, 70, 30);
    struct val args = MAP(LIMITED(60)), result = val_none;
    struct err e = ERR_INIT;
    bool good = !val_is_none(&args) && kernel_log_collect(fd, &args, &result, &e);
    CHECK(good || val_is_none(&result));
    val_unref(&args);
    val_unref(&result);
    close(fd);
    return good;
}

TEST(a_lack_of_memory_is_an_error_of_the_call) {
    CHECK(faults_sweep(collect_some, NULL, "a page"));
}

TEST(a_device_that_fails_is_an_error_with_its_number) {
    struct val args = MAP(LIMITED(1)), result = val_none;
    struct err e = ERR_INIT;
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(!kernel_log_collect(fd, &args, &result, &e) && e.os == EISDIR && e.code == ERR_FILESYSTEM);
    close(fd);
    val_unref(&args);
}

static int read_log(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "log.kernel", MAP({"limit", val_of_u64(3)}));
    sh->number[0] = a.err.code;
    const struct val *list = val_get(&a.result, LIT("entries"));
    sh->number[1] = (long long)val_count(list);
    uint64_t seq = 0;
    if (val_count(list)) {
        SEE(val_as_u64(val_get(val_at(list, 0), LIT("seq")), &seq));
        SEE(val_kind(val_get(val_at(list, 0), LIT("text"))) == VAL_TEXT);
        forget(&a);
        a = ask_and_wait(&r, "log.kernel", MAP({"limit", val_of_u64(1)}, {"after", val_of_u64(seq)}));
        uint64_t next = 0;
        SEE(val_as_u64(val_get(val_at(val_get(&a.result, LIT("entries")), 0), LIT("seq")), &next) && next > seq);
    }
    forget(&a);
    SEE_INT(code_of(&r, "log.kernel", NO_ARGS), ERR_INVALID);
    SEE_INT(code_of(&r, "log.kernel", MAP({"limit", val_of_u64(0)})), ERR_INVALID);
    SEE_INT(code_of(&r, "log.kernel", MAP({"limit", val_of_u64(1001)})), ERR_INVALID);
    return 0;
}

TEST(the_job_reads_the_device_where_it_may) {
    for (int nobody = 0; nobody < 2; nobody++) {
        shared_begin();
        struct warden_config c = {.reactor = read_log};
        CHECK_INT(warden_end(warden_begin(&c, nobody)), 0);
        int fd = -1;
        if (nobody || geteuid() != 0) {
            CHECK(sh->number[0] == ERR_AUTHORIZATION || sh->number[0] == ERR_NOT_FOUND || sh->number[0] == ERR_NONE);
            check_seen(6);
        } else if ((fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
            tap_skip("this machine's kernel log may not be read here");
        else {
            close(fd);
            CHECK_INT(sh->number[0], ERR_NONE);
            CHECK_INT(sh->number[1], 3);
            check_seen(9);
        }
    }
}

TAP_MAIN(T(a_record_has_priority_number_time_and_text), T(a_page_is_the_newest_or_what_comes_next),
         T(a_page_fits_a_frame_whatever_the_texts_are), T(a_page_can_be_turned_and_takes_nothing_behind_a_gap),
         T(a_lack_of_memory_is_an_error_of_the_call), T(a_device_that_fails_is_an_error_with_its_number),
         T(the_job_reads_the_device_where_it_may))
