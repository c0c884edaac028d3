/* mad.c - a reactor that has gone mad, or was taken over: whatever it sends is refused with a reason, costs the warden nothing
 * that stays, and a good request is still obeyed; or a new reactor takes its place. */
#include "wardens.h"

#include "base/rng.h"
#include "protocols/cbor.h"

#include <poll.h>
#include <sys/socket.h>

/* --- speaking without manners --- */

static uint64_t last_id = 1000; /* of good requests; the mad ones use 7 */

static bool raw_fds(int fd, const void *bytes, size_t len, const int *fds, unsigned fd_n) {
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int) * 16)];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_n) {
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        if (!c) return false;
        *c = (struct cmsghdr){CMSG_LEN(sizeof(int) * fd_n), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_n);
    }
    for (;;) {
        if (sendmsg(fd, &m, MSG_NOSIGNAL) >= 0) return true;
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (errno != EAGAIN || poll(&p, 1, 10000) <= 0) return false;
    }
}

static bool raw(int fd, const void *bytes, size_t len) {
    return raw_fds(fd, bytes, len, NULL, 0);
}

static bool request(int fd, uint64_t id, const char *verb, struct val args) {
    struct link_frame f = {.kind = LINK_REQUEST, .id = id, .name = val_of_str(verb), .value = args};
    struct buf out;
    buf_init(&out, 1 << 20);
    bool good = link_frame_write(&out, &f, NULL) && raw(fd, out.ptr, out.len);
    buf_release(&out);
    val_unref(&f.name);
    val_unref(&f.value);
    return good;
}

struct heard {
    unsigned refusals;
    uint64_t id;
    enum link_kind kind;
    enum err_code code;
    char text[300];
};

/* A good request, obeyed; and what was heard before its answer. */
static bool still_obeys(int fd, struct heard *h) {
    uint64_t id = ++last_id;
    *h = (struct heard){0};
    if (!request(fd, id, "clock.get", val_empty_map())) return false;
    for (;;) {
        struct link_frame f;
        struct err e = ERR_INIT;
        if (!link_receive_waiting(fd, &f, &e)) return false;
        bool mine = f.kind == LINK_RESULT && f.id == id;
        if (!mine) {
            h->refusals++;
            h->id = f.id;
            h->kind = f.kind;
            link_error_read(&f.value, &e);
            h->code = e.code;
            struct slice text = val_as_text(val_get(&f.value, LIT("text")));
            snprintf(h->text, sizeof h->text, "%.*s", (int)text.len, (const char *)text.ptr);
        }
        link_frame_release(&f);
        if (mine) return true;
    }
}

/* An empty packet is known for what it is only when another comes behind it. */
static bool obeys_behind_empty(int fd) {
    struct heard first, second;
    return still_obeys(fd, &first) && still_obeys(fd, &second) && first.refusals + second.refusals == 1;
}

static bool begin(const struct warden_birth *birth) {
    struct err e = ERR_INIT;
    sh->reactor = getpid();
    sh->rounds = birth->round + 1;
    return SEE_E(jail_enter(&birth->jail, NULL, &e), &e);
}

/* The test counts the warden's descriptors before and after. */
static void meet(int stage) {
    sh->stage = stage;
    while (sh->stage == stage) usleep(1000);
}

static void check_life(const struct warden_config *c, unsigned seen) {
    shared_begin();
    pid_t warden = warden_begin(c, false);
    CHECK(UNTIL(sh->stage == 1 || !is_there(warden)));
    int before = count_fds(warden);
    sh->stage = 2;
    CHECK(UNTIL(sh->stage == 3 || !is_there(warden)));
    CHECK(UNTIL(count_fds(warden) == before)); /* the last job is answered a moment before it is gone */
    sh->stage = 4;
    CHECK_INT(warden_end(warden), 0);
    CHECK_INT(sh->rounds, 1);
    check_seen(seen);
}

/* --- frames that are none --- */

struct bad {
    const char *name;
    struct slice packet;
    uint64_t id; /* the refusal is an error to this request; 0: a notice */
};

#define GET                                                                                                            \
    "\x69"                                                                                                             \
    "clock.get"
static const struct bad bads[] = {
    {"nothing but a break", LIT_INIT("\xff"), 0},
    {"a number", LIT_INIT("\x07"), 0},
    {"an empty array", LIT_INIT("\x80"), 0},
    {"a map", LIT_INIT("\xa1\x01\x07"), 0},
    {"text", LIT_INIT("\x66listen"), 0},
    {"a tag", LIT_INIT("\xc1\x80"), 0},
    {"an array that is cut", LIT_INIT("\x85\x01\x07\x66li"), 7},
    {"an array that promises 2^32 items", LIT_INIT("\x9a\xff\xff\xff\xff\x01"), 0},
    {"text that promises 2^60 bytes", LIT_INIT("\x85\x01\x07\x7b\x10\x00\x00\x00\x00\x00\x00\x00"), 7},
    {"something behind the frame", LIT_INIT("\x82\x02\x07\x00"), 7},
    {"kind 0", LIT_INIT("\x82\x00\x07"), 0},
    {"kind 8", LIT_INIT("\x82\x08\x07"), 0},
    {"a kind of text", LIT_INIT("\x82\x61\x31\x07"), 0},
    {"too few items", LIT_INIT("\x84\x01\x07" GET "\xa0"), 0},
    {"too many items", LIT_INIT("\x86\x01\x07" GET "\xa0\x00\x00"), 0},
    {"id 0", LIT_INIT("\x85\x01\x00" GET "\xa0\x00"), 0},
    {"a negative id", LIT_INIT("\x85\x01\x26" GET "\xa0\x00"), 0},
    {"an id beyond all", LIT_INIT("\x85\x01\x1b\xff\xff\xff\xff\xff\xff\xff\xff" GET "\xa0\x00"), 0},
    {"an id of text", LIT_INIT("\x85\x01\x61\x37" GET "\xa0\x00"), 0},
    {"a verb that is a number", LIT_INIT("\x85\x01\x07\x09\xa0\x00"), 7},
    {"a verb without a name", LIT_INIT("\x85\x01\x07\x60\xa0\x00"), 7},
    {"a verb of 65 bytes",
     LIT_INIT("\x85\x01\x07\x78\x41"
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xa0\x00"),
     7},
    {"a verb that is no UTF-8", LIT_INIT("\x85\x01\x07\x63\xff\xfe\xfd\xa0\x00"), 7},
    {"a negative deadline", LIT_INIT("\x85\x01\x07" GET "\xa0\x20"), 7},
    {"a deadline of text", LIT_INIT("\x85\x01\x07" GET "\xa0\x61\x31"), 7},
    {"a key that is an array", LIT_INIT("\x85\x01\x07" GET "\xa1\x80\x00\x00"), 7},
    {"the same key twice", LIT_INIT("\x85\x01\x07" GET "\xa2\x61\x61\x00\x61\x61\x00\x00"), 7},
    {"nesting of 20",
     LIT_INIT("\x85\x01\x07" GET "\xa1\x61\x61"
              "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x80\x00"),
     7},
    {"a cancel of what was never asked", LIT_INIT("\x82\x02\x1a\x7f\xff\xff\xff"), 0x7fffffff},
    {"progress for the warden", LIT_INIT("\x83\x03\x07\x01"), 7},
    {"a line for the warden", LIT_INIT("\x83\x04\x07\x62hi"), 7},
    {"a line that is no text", LIT_INIT("\x83\x04\x07\x01"), 7},
    {"a result for the warden", LIT_INIT("\x83\x05\x07\xa0"), 7},
    {"an error for the warden", LIT_INIT("\x83\x06\x07\xa0"), 7},
    {"an error that is no map", LIT_INIT("\x83\x06\x07\x80"), 7},
    {"a notice the warden does not know",
     LIT_INIT("\x83\x07\x63"
              "end\xa0"),
     0},
    {"a notice without a name", LIT_INIT("\x83\x07\x01\xa0"), 0},
    {"an id used before", LIT_INIT("\x85\x01\x07" GET "\xa0\x00"), 7},
};
#define BADS (sizeof bads / sizeof bads[0])

static int send_bad_frames(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct heard h;
    int fd = birth->warden_fd;
    if (!begin(birth) || !SEE(still_obeys(fd, &h))) return 0;
    meet(1);
    for (size_t i = 0; i < BADS; i++) {
        raw(fd, bads[i].packet.ptr, bads[i].packet.len);
        if (!see(still_obeys(fd, &h), __LINE__, bads[i].name, "no answer any more")) return 0;
        see(h.refusals == 1 && h.text[0], __LINE__, bads[i].name, "is refused once, with a reason");
        see(h.kind == (bads[i].id ? LINK_ERROR : LINK_NOTICE) && h.id == bads[i].id, __LINE__, bads[i].name, h.text);
    }
    meet(3);
    return 0;
}

TEST(every_frame_that_is_none_is_refused_with_a_reason_and_a_good_one_is_still_obeyed) {
    struct warden_config c = {.reactor = send_bad_frames};
    check_life(&c, 2 + 3 * BADS);
}

static int send_odd_packets(const struct warden_birth *birth, void *arg) {
    (void)arg;
    static uint8_t large[200000];
    static const char get[] = "\x85\x01\x07" GET "\xa0\x00", cancel[] = "\x82\x02\x07";
    struct heard h;
    int fd = birth->warden_fd, fds[16];
    if (!begin(birth) || !SEE(still_obeys(fd, &h))) return 0;
    meet(1);
    /* Too long by one, and by far. */
    memcpy(large, "\x85\x01\x07", 3);
    for (int i = 0; i < 2; i++) {
        SEE(raw(fd, large, i ? 150000 : LIMIT_LINK_FRAME + 1));
        SEE(still_obeys(fd, &h) && h.refusals == 1 && h.id == 7 && h.code == ERR_LIMIT);
    }
    /* An empty packet, which looks like the end of the link. */
    SEE(raw(fd, large, 0));
    SEE(obeys_behind_empty(fd));
    /* Descriptors: with a frame that has none, more than there may be, with a verb that wants none. */
    for (int i = 0; i < 16; i++) fds[i] = i % 3;
    SEE(raw_fds(fd, cancel, 3, fds, 2));
    SEE(still_obeys(fd, &h) && h.refusals == 1 && h.id == 7);
    for (unsigned n = LIMIT_LINK_FDS + 1; n <= 16 && sh->filters;
         n += 11) { /* an emulator loses those that do not fit */
        SEE(raw_fds(fd, get, sizeof get - 1, fds, n));
        SEE(still_obeys(fd, &h) && h.refusals == 1 && h.id == 7);
    }
    SEE(raw_fds(fd, get, sizeof get - 1, fds,
                1)); /* also an id that goes backwards: refused before the descriptors are looked at */
    SEE(still_obeys(fd, &h) && h.refusals == 1 && h.id == 7);
    SEE(raw_fds(fd, "\xff", 1, fds, LIMIT_LINK_FDS));
    SEE(still_obeys(fd, &h) && h.refusals == 1);
    SEE(raw_fds(fd, "", 0, fds, 1));
    SEE(obeys_behind_empty(fd));
    uint8_t next[] = "\x85\x01\x19\x00\x00" GET "\xa0\x00";
    uint64_t id = ++last_id;
    next[3] = (uint8_t)(id >> 8);
    next[4] = (uint8_t)id;
    SEE(raw_fds(fd, next, sizeof next - 1, fds, 3));
    SEE(still_obeys(fd, &h) && h.refusals == 1 && h.id == id && h.code == ERR_INVALID);
    meet(3);
    return 0;
}

TEST(packets_too_long_and_descriptors_that_belong_nowhere_leave_nothing_behind) {
    struct warden_config c = {.reactor = send_odd_packets};
    shared_begin();
    check_life(&c, sh && sh->filters ? 22 : 18);
}

/* --- good frames, bad grammar --- */

#define M(...)  VAL_MAP_OF(__VA_ARGS__)
#define S(text) val_of_str(text)
#define U(n)    val_of_u64(n)
#define B(text) val_of_bytes(slice_str(text))
#define TCP                                                                                                            \
    { "kind", S("tcp") }
#define UNIX                                                                                                           \
    {"kind", S("unix")}, {                                                                                             \
        "root", S("data")                                                                                              \
    }

/* Answers the code that is wanted. */
static void ask_badly(int fd, const char *verb, struct val args, enum err_code want, int line) {
    struct heard h;
    uint64_t id = ++last_id;
    if (!see(request(fd, id, verb, args), line, verb, "could not be sent")) return;
    if (!see(still_obeys(fd, &h), line, verb, "no answer any more")) return;
    see(h.refusals == 1 && h.kind == LINK_ERROR && h.id == id && h.text[0], line, verb,
        "is refused once, with a reason");
    see(h.code == want, line, verb, h.text);
}
#define BAD(verb, ...)          ask_badly(fd, verb, __VA_ARGS__, ERR_INVALID, __LINE__)
#define BAD_AS(code, verb, ...) ask_badly(fd, verb, __VA_ARGS__, code, __LINE__)

static int send_bad_arguments(const struct warden_birth *birth, void *arg) {
    (void)arg;
    static char many[2000];
    struct heard h;
    int fd = birth->warden_fd;
    memset(many, 'a', sizeof many - 1);
    if (!begin(birth) || !SEE(still_obeys(fd, &h))) return 0;
    meet(1);
    static const char *const verbs[] = {"lISTEN", "listen ", "clock", "clock.get.",
                                        "..",     "\x01",    "exec",  "password.hash\x00x"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        BAD_AS(i == 7 ? ERR_INVALID : ERR_UNSUPPORTED, verbs[i], val_empty_map());
    BAD("clock.get", val_empty_array());
    BAD("clock.get", val_null());
    BAD("clock.get", U(1));
    BAD("clock.get", M({"now", U(1)}));
    BAD("restart", M({"command", S("/bin/sh")}));
    BAD("sampler", M({"path", S("/etc")}));
    BAD("kernel.status", M({"", U(1)}));
    BAD("listen", val_empty_map());
    BAD("listen", M({"kind", U(6)}, {"address", S("127.0.0.1:0")}));
    BAD("listen", M({"kind", S("sctp")}, {"address", S("127.0.0.1:0")}));
    BAD("listen", M({"kind", S("tcp udp")}, {"address", S("127.0.0.1:0")}));
    BAD("listen", M({"kind", S("")}, {"address", S("127.0.0.1:0")}));
    BAD("listen", M(TCP, {"address", U(80)}));
    BAD("listen", M(TCP, {"address", B("127.0.0.1:0")}));
    static const char *const addresses[] = {"",
                                            "127.0.0.1",
                                            "127.0.0.1:",
                                            "127.0.0.1:65536",
                                            "127.0.0.1:-1",
                                            "1.2.3:1",
                                            "unix:/tmp/s",
                                            "localhost:80",
                                            "[::1:80",
                                            "::1:80x",
                                            "[fe80::1%none]:1",
                                            " 127.0.0.1:0",
                                            "127.0.0.1:0 ",
                                            "127.0.0.1:0\n",
                                            "\x7f:0"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        BAD("listen", M(TCP, {"address", S(addresses[i])}));
    BAD("listen", M(TCP, {"address", val_of_text(LIT("127.0.0.1:0\0x"))}));
    BAD("listen", M(TCP, {"address", S(many)}));
    BAD("listen", M(TCP, {"address", S("127.0.0.1:0")}, {"flags", U(1)}));
    BAD("listen", M(TCP, {"address", S("127.0.0.1:0")}, {"mode", U(0600)}));
    BAD("listen", M(UNIX, {"path", S("s")}, {"mode", U(01777)}));
    BAD("listen", M(UNIX, {"path", S("s")}, {"mode", val_of_i64(-1)}));
    BAD("listen", M(UNIX, {"path", S("s")}, {"mode", val_of_double(1.0)}));
    static const char *const paths[] = {"",   "/etc/passwd", "..", "../web/s", "a/../../s", "a//s",  "./s",
                                        "s/", "a/./s",       "/",  "a/..",     "s\n",       "s\x7f", "\xc2\x85s"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) BAD("listen", M(UNIX, {"path", S(paths[i])}));
    BAD("listen", M(UNIX, {"path", val_of_text(LIT("s\0t"))}));
    BAD("listen", M(UNIX, {"path", S(many)}));
    BAD("listen", M(UNIX, {"path", B("s")}));
    static const char *const roots[] = {"", ".", "..", "-x", "Data", "da ta", "data/", "_x", "d\xc3\xa4ta"};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        BAD("listen", M({"kind", S("unix")}, {"root", S(roots[i])}, {"path", S("s")}));
    BAD_AS(ERR_NOT_FOUND, "listen", M({"kind", S("unix")}, {"root", S("elsewhere")}, {"path", S("s")}));
    BAD_AS(ERR_NOT_FOUND, "unlisten", M(TCP, {"address", S("127.0.0.1:1")}));
    BAD("unlisten", M(TCP, {"address", S("127.0.0.1:1")}, {"mode", U(1)}));
    BAD("password.hash", val_empty_map());
    BAD("password.hash", M({"password", S("text")}));
    BAD("password.hash", M({"password", B("")}));
    BAD("password.hash", M({"password", B(many)}));
    BAD("password.hash", M({"password", B("x")}, {"cost", U(1)}));
    BAD("password.verify", M({"password", B("x")}));
    BAD("password.verify", M({"password", B("x")}, {"hash", S("")}));
    BAD("password.verify", M({"password", B("x")}, {"hash", S(many)}));
    BAD("password.verify", M({"password", B("x")}, {"hash", S("$argon2id$\n")}));
    BAD("clock.trust", M({"floor_ms", val_of_i64(-1)}));
    BAD("clock.trust", M({"floor_ms", U(UINT64_MAX)}));
    BAD("clock.trust", M({"by_operator", U(1)}));
    BAD("clock.trust", M({"wall_ms", S("now")}));
    meet(3);
    return 0;
}

TEST(arguments_out_of_grammar_are_refused_each_by_name_and_are_no_reason_for_a_new_reactor) {
    struct place p;
    if (!place_make(&p, 1234)) return;
    struct warden_config c = {.roots = p.roots, .root_n = 2, .reactor = send_bad_arguments};
    check_life(&c, 2 + 4 * 78);
    place_remove(&p);
}

/* --- too much of it --- */

/* Sends as fast as it goes while it reads. Each request is answered once, in its order where no job is asked. */
static int ask_ten_thousand_times(const struct warden_birth *birth, void *arg) {
    const char *verb = arg;
    bool jobs = !strcmp(verb, "password.verify");
    static uint8_t answered[10001];
    unsigned n = 0, sent = 0, twice = 0, refused = 0;
    struct heard h;
    int fd = birth->warden_fd;
    if (!begin(birth) || !SEE(still_obeys(fd, &h))) return 0;
    meet(1);
    uint64_t first = last_id + 1;
    struct buf out;
    buf_init(&out, 1 << 16);
    while (n < 10000) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (sent < 10000 ? POLLOUT : 0))};
        if (!SEE(poll(&p, 1, 30000) == 1)) return 0;
        if (p.revents & POLLOUT) {
            struct val args = jobs ? M({"hash", S("$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
                                                  "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M")},
                                       {"password", B("x")})
                                   : val_empty_map();
            struct link_frame f = {.kind = LINK_REQUEST, .id = first + sent, .name = val_of_str(verb), .value = args};
            buf_reset(&out);
            link_frame_write(&out, &f, NULL);
            val_unref(&f.name);
            val_unref(&f.value);
            sent += send(fd, out.ptr, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
        }
        if (p.revents & POLLIN) {
            struct link_frame f;
            struct err e = ERR_INIT;
            if (!SEE_E(link_receive_waiting(fd, &f, &e), &e)) return 0;
            if (f.id >= first && f.id < first + 10000) {
                uint64_t i = f.id - first;
                twice += answered[i]++;
                if (f.kind == LINK_ERROR) refused++;
                n++;
            }
            link_frame_release(&f);
        }
    }
    last_id = first + 9999;
    buf_release(&out);
    SEE_INT(twice, 0);
    SEE(jobs ? refused > 5000 : refused == 0); /* those that found no place in the queue */
    SEE(still_obeys(fd, &h) && !h.refusals);
    meet(3);
    return 0;
}

TEST(ten_thousand_requests_at_once_are_answered_each_once) {
    char verb[] = "clock.get", job[] = "password.verify";
    struct warden_config c = {.reactor = ask_ten_thousand_times, .arg = verb};
    check_life(&c, 5);
    c.arg = job;
    check_life(&c, 5);
}

static long long resident_kib(pid_t pid) {
    char path[64], line[200];
    long long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "VmHWM:", 6)) kib = strtoll(line + 6, NULL, 10);
    if (f) fclose(f);
    return kib;
}

static int flood(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct heard h;
    int fd = birth->warden_fd;
    if (!begin(birth) || !SEE(still_obeys(fd, &h))) return 0;
    if (birth->round) {
        SEE(birth->last && strstr(birth->last, "does not read its answers"));
        meet(3);
        return 0;
    }
    meet(1);
    for (uint64_t i = 0; i < 1000000; i++)
        if (!request(fd, ++last_id, "kernel.status", val_empty_map())) break;
    for (;;) usleep(1000);
}

TEST(a_flood_that_nobody_reads_ends_in_a_new_reactor_and_the_warden_does_not_grow) {
    shared_begin();
    struct warden_config c = {.reactor = flood};
    pid_t warden = warden_begin(&c, false);
    CHECK(UNTIL(sh->stage == 1));
    long long before = resident_kib(warden);
    int fds = count_fds(warden);
    sh->stage = 2;
    CHECK(UNTIL(sh->stage == 3));
    long long after = resident_kib(warden);
    tap_note("the warden had %lld KiB, and %lld at most in the flood", before, after);
    CHECK(after - before <
          (SANITIZED ? 512 : 16) * 1024); /* the queue may hold 4 MiB; sanitizers keep what was freed */
    CHECK_INT(count_fds(warden), fds);
    sh->stage = 4;
    CHECK_INT(warden_end(warden), 0);
    CHECK_INT(sh->rounds, 2);
    check_seen(5);
}

/* Frames that were good once, and noise. What is understood in the end is asked of a real warden: nothing here is harmful
 * (no clock, no restart). Bounded; each life ends by the warden's patience. */
static int rave(const struct warden_birth *birth, void *arg) {
    (void)arg;
    static const struct slice seeds[] = {
        LIT_INIT("\x85\x01\x19\x10\x00" GET "\xa0\x00"),
        LIT_INIT("\x85\x01\x19\x10\x00\x66listen\xa2\x64kind\x63tcp\x67"
                 "address\x6b"
                 "127.0.0.1:0\x00"),
        LIT_INIT("\x85\x01\x19\x10\x00\x6dpassword.hash\xa1\x68password\x41x\x00"),
        LIT_INIT("\x82\x02\x19\x10\x00"),
        LIT_INIT("\x83\x05\x19\x10\x00\xa0"),
        LIT_INIT("\x83\x07\x63"
                 "end\xa0"),
    };
    uint8_t packet[300];
    struct heard h;
    int fd = birth->warden_fd;
    if (!begin(birth) || !SEE(still_obeys(fd, &h))) return 0;
    if (birth->round == 4) {
        SEE(birth->last && strstr(birth->last, "frames were refused"));
        return 0;
    }
    rng_use_seed(77 + birth->round);
    for (unsigned i = 0; i < 20000; i++) {
        size_t len;
        if (i % 4) {
            struct slice seed = seeds[rng_below(sizeof seeds / sizeof seeds[0])];
            memcpy(packet, seed.ptr, seed.len);
            len = seed.len;
            for (uint64_t k = rng_below(4); k; k--) packet[rng_below(len)] = (uint8_t)rng_below(256);
            if (rng_below(5) == 0) len = 1 + (size_t)rng_below(len);
        } else {
            len = 1 + (size_t)rng_below(sizeof packet);
            rng_bytes(packet, len);
        }
        int fds[4] = {0, 1, 2, fd};
        if (!raw_fds(fd, packet, len, fds, i % 9 == 0 ? (unsigned)rng_below(5) : 0)) break;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct link_frame f;
        while (poll(&p, 1, 0) == 1) {
            if (!link_receive_waiting(fd, &f, NULL)) break;
            link_frame_release(&f);
        }
    }
    for (;;) usleep(1000); /* it is killed for this */
}

TEST(garbage_ends_in_a_new_reactor_and_never_in_a_dead_warden) {
    shared_begin();
    struct warden_config c = {.reactor = rave};
    CHECK_INT(warden_live(&c), 0);
    CHECK_INT(sh->rounds, 5);
    check_seen(11);
}

TAP_MAIN(T(every_frame_that_is_none_is_refused_with_a_reason_and_a_good_one_is_still_obeyed),
         T(packets_too_long_and_descriptors_that_belong_nowhere_leave_nothing_behind),
         T(arguments_out_of_grammar_are_refused_each_by_name_and_are_no_reason_for_a_new_reactor),
         T(ten_thousand_requests_at_once_are_answered_each_once),
         T(a_flood_that_nobody_reads_ends_in_a_new_reactor_and_the_warden_does_not_grow),
         T(garbage_ends_in_a_new_reactor_and_never_in_a_dead_warden))
