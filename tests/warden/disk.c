/* disk.c - the disk hand: its verbs, what it refuses, what it leaves behind when it fails or is killed at any call. */
#include "warden/disk_box.h"

#include "base/rng.h"
#include "lib/faults.h"
#include "warden/disk_room.h"

#include <sys/file.h>
#include <sys/inotify.h>

/* --- the verbs --- */

TEST(small_files_are_written_read_replaced_renamed_and_removed) {
    if (!begin()) return;
    struct reply r;
    CHECK(does("disk.replace", VAL_MAP_OF(AT("data", "a"), {"bytes", val_of_bytes(LIT("first"))})));
    CHECK(holds("a", LIT("first")));
    CHECK(does("disk.replace",
               VAL_MAP_OF(AT("data", "a"), {"bytes", val_of_bytes(LIT("the second"))}, {"mode", val_of_u64(0644)})));
    struct stat st;
    CHECK(fstatat(data_dir, "a", &st, 0) == 0 && (st.st_mode & 0777) == 0644 && holds("a", LIT("the second")));
    CHECK(ask(&r, "disk.stat", VAL_MAP_OF(AT("data", "a"))));
    CHECK(u64_of(&r, "size") == 10 && u64_of(&r, "id") == st.st_ino && !val_is_true(val_get(&r.result, LIT("folder"))));
    CHECK(u64_of(&r, "mtime_ns") == (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec);
    reply_release(&r);
    CHECK(ask(&r, "disk.read", VAL_MAP_OF(AT("data", "a"), {"most", val_of_u64(10)})));
    CHECK_TEXT(val_as_bytes(val_get(&r.result, LIT("bytes"))), LIT("the second"));
    CHECK_INT(u64_of(&r, "size"), 10);
    reply_release(&r);
    CHECK(refuses("disk.read", VAL_MAP_OF(AT("data", "a"), {"most", val_of_u64(9)})) == ERR_LIMIT &&
          !strcmp(err.limit, "file"));
    CHECK(does("disk.folder", VAL_MAP_OF(AT("data", "x/y/z"))) && does("disk.folder", VAL_MAP_OF(AT("data", "x/y/z"))));
    CHECK(fstatat(data_dir, "x/y/z", &st, 0) == 0 && S_ISDIR(st.st_mode));
    CHECK(ask(&r, "disk.stat", VAL_MAP_OF(AT("data", "x"))) && val_is_true(val_get(&r.result, LIT("folder"))));
    reply_release(&r);
    CHECK(does("disk.rename",
               VAL_MAP_OF({"root", val_of_str("data")}, {"from", val_of_str("a")}, {"to", val_of_str("x/y/z/b")})));
    CHECK(!is_there("a") && holds("x/y/z/b", LIT("the second")));
    CHECK(does("disk.rename",
               VAL_MAP_OF({"root", val_of_str("data")}, {"from", val_of_str("x/y")}, {"to", val_of_str("moved")})));
    CHECK(holds("moved/z/b", LIT("the second")) && !is_there("x/y"));
    CHECK(!does("disk.remove", VAL_MAP_OF(AT("data", "moved"))) && err.os == ENOTEMPTY); /* not empty */
    CHECK(does("disk.remove", VAL_MAP_OF(AT("data", "moved/z/b"))) &&
          does("disk.remove", VAL_MAP_OF(AT("data", "moved/z"))));
    CHECK(!is_there("moved/z") && does("disk.remove", VAL_MAP_OF(AT("data", "moved/z"))) &&
          does("disk.remove", VAL_MAP_OF(AT("data", "never/was")))); /* what is not there is gone */
    CHECK(refuses("disk.stat", VAL_MAP_OF(AT("data", "none"))) == ERR_NOT_FOUND);
    CHECK(refuses("disk.read", VAL_MAP_OF(AT("data", "none/at/all"), {"most", val_of_u64(1)})) == ERR_NOT_FOUND);
    CHECK(refuses("disk.rename", VAL_MAP_OF({"root", val_of_str("data")}, {"from", val_of_str("none")},
                                            {"to", val_of_str("b")})) == ERR_NOT_FOUND);
    put_file(data_dir, "plain", LIT("x"));
    CHECK(refuses("disk.stat", VAL_MAP_OF(AT("data", "plain/b"))) == ERR_NOT_FOUND); /* nothing is beneath a file */
    CHECK(refuses("disk.folder", VAL_MAP_OF(AT("data", "plain/b"))) == ERR_DUPLICATE);
    CHECK(refuses("disk.read", VAL_MAP_OF(AT("data", "moved"), {"most", val_of_u64(1)})) == ERR_INVALID); /* a folder */
    CHECK(!does("disk.replace", VAL_MAP_OF(AT("data", "moved"), {"bytes", val_of_bytes(LIT("x"))})));
    CHECK(ask(&r, "disk.space", VAL_MAP_OF({"root", val_of_str("ro")})));
    CHECK(u64_of(&r, "total") > 0 && u64_of(&r, "free") <= u64_of(&r, "total"));
    reply_release(&r);
    end();
}

TEST(bytes_are_written_in_place_and_files_stay_open) {
    if (!begin()) return;
    CHECK(refuses("disk.stat", VAL_MAP_OF(AT("data", "j"))) == ERR_NOT_FOUND); /* so it has begun */
    unsigned before = hand_files();
    CHECK(does("disk.write", VAL_MAP_OF(AT("data", "j"), {"at", val_of_u64(3)}, {"bytes", val_of_bytes(LIT("abc"))})));
    CHECK(holds("j", LIT("\0\0\0abc")));
    CHECK(does("disk.write", VAL_MAP_OF(AT("data", "j"), {"at", val_of_u64(0)}, {"bytes", val_of_bytes(LIT("0123"))},
                                        {"sync", val_of_bool(true)})));
    CHECK(holds("j", LIT("0123bc")) && does("disk.sync", VAL_MAP_OF(AT("data", "j"))));
    if (before) CHECK_INT(hand_files(), before + 1);
    CHECK(refuses("disk.sync", VAL_MAP_OF(AT("data", "none"))) == ERR_NOT_FOUND && !is_there("none"));
    /* More files than are kept open. */
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 3 * LIMIT_DISK_FILES; i++) {
            char name[20];
            snprintf(name, sizeof name, "many%u", i);
            CHECK(does("disk.write",
                       VAL_MAP_OF(AT("data", name), {"at", val_of_u64(round)}, {"bytes", val_of_bytes(LIT("x"))})));
            if (round) CHECK(holds(name, LIT("xx")));
        }
    if (before) CHECK_INT(hand_files(), before + LIMIT_DISK_FILES);
    /* A path that means another file now is opened anew. */
    CHECK(does("disk.write", VAL_MAP_OF(AT("data", "j"), {"at", val_of_u64(0)}, {"bytes", val_of_bytes(LIT("old"))})));
    CHECK(does("disk.replace", VAL_MAP_OF(AT("data", "j"), {"bytes", val_of_bytes(LIT("another"))})));
    CHECK(does("disk.write", VAL_MAP_OF(AT("data", "j"), {"at", val_of_u64(0)}, {"bytes", val_of_bytes(LIT("AN"))})));
    CHECK(holds("j", LIT("ANother")));
    CHECK(does("disk.remove", VAL_MAP_OF(AT("data", "j"))));
    CHECK(does("disk.write", VAL_MAP_OF(AT("data", "j"), {"at", val_of_u64(0)}, {"bytes", val_of_bytes(LIT("new"))})));
    CHECK(holds("j", LIT("new")));
    CHECK(does("disk.folder", VAL_MAP_OF(AT("data", "d"))));
    CHECK(
        does("disk.write", VAL_MAP_OF(AT("data", "d/j"), {"at", val_of_u64(0)}, {"bytes", val_of_bytes(LIT("in d"))})));
    CHECK(does("disk.rename",
               VAL_MAP_OF({"root", val_of_str("data")}, {"from", val_of_str("d")}, {"to", val_of_str("e")})));
    CHECK(!does("disk.write", VAL_MAP_OF(AT("data", "d/j"), {"at", val_of_u64(0)}, {"bytes", val_of_bytes(LIT("x"))})));
    CHECK(holds("e/j", LIT("in d")) && err.code == ERR_NOT_FOUND);
    end();
}

TEST(a_piece_of_a_file_is_read_from_any_offset) {
    if (!begin()) return;
    struct reply r;
    put_file(data_dir, "long", LIT("0123456789"));
    static const struct {
        uint64_t at, most;
        const char *want;
    } cases[] = {{0, 4, "0123"}, {4, 4, "4567"}, {8, 4, "89"},
                 {10, 4, ""},    {11, 4, ""},    {INT64_MAX - LIMIT_DISK_BYTES, 1, ""},
                 {3, 0, ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK(
            ask(&r, "disk.read",
                VAL_MAP_OF(AT("data", "long"), {"most", val_of_u64(cases[i].most)}, {"at", val_of_u64(cases[i].at)})));
        CHECK_TEXT(val_as_bytes(val_get(&r.result, LIT("bytes"))), slice_str(cases[i].want));
        CHECK_INT(u64_of(&r, "size"), 10);
        reply_release(&r);
    }
    CHECK(refuses("disk.read", VAL_MAP_OF(AT("data", "long"), {"most", val_of_u64(65537)}, {"at", val_of_u64(0)})) ==
          ERR_INVALID);
    end();
}

TEST(a_locked_file_is_held_against_other_processes_until_the_hand_ends) {
    if (!begin()) return;
    CHECK(does("disk.lock", VAL_MAP_OF(AT("data", "lock"))) && does("disk.lock", VAL_MAP_OF(AT("data", "lock"))));
    int fd = openat(data_dir, "lock", O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
    CHECK_INT(hand_end(), 0);
    CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
    if (!hand_begin(NULL)) return;
    CHECK(refuses("disk.lock", VAL_MAP_OF(AT("data", "lock"))) == ERR_DUPLICATE);
    CHECK(strstr(err.text, "held by another process") != NULL);
    close(fd);
    CHECK(does("disk.lock", VAL_MAP_OF(AT("data", "lock"))));
    for (unsigned i = 1; i < LIMIT_DISK_LOCKS; i++) {
        char name[20];
        snprintf(name, sizeof name, "lock%u", i);
        CHECK(does("disk.lock", VAL_MAP_OF(AT("data", name))));
    }
    CHECK(refuses("disk.lock", VAL_MAP_OF(AT("data", "more"))) == ERR_LIMIT && !strcmp(err.limit, "locks"));
    CHECK(refuses("disk.lock", VAL_MAP_OF(AT("ro", "lock"))) == ERR_AUTHORIZATION);
    end();
}

/* Who made it may have died between making it and making its name durable. */
TEST(the_names_of_what_is_there_already_are_made_durable_too) {
    if (!begin()) return;
    CHECK(does("disk.folder", VAL_MAP_OF(AT("data", "f/g"))));
    put_file(data_dir, "w", LIT("x"));
    for (unsigned nth = 1; nth <= 2; nth++) { /* of f, and of g in it */
        char fault[20];
        CHECK_INT(hand_end(), 0);
        snprintf(fault, sizeof fault, "sync:%u:eio", nth);
        if (!hand_begin(fault)) return;
        CHECK(!does("disk.folder", VAL_MAP_OF(AT("data", "f/g"))) && err.os == EIO);
        CHECK(does("disk.folder", VAL_MAP_OF(AT("data", "f/g"))));
    }
    CHECK_INT(hand_end(), 0);
    if (!hand_begin("sync:1:eio")) return;
    struct val y = val_of_bytes(LIT("y"));
    CHECK(!does("disk.write", VAL_MAP_OF(AT("data", "w"), {"at", val_of_u64(0)}, {"bytes", val_ref(&y)})) &&
          err.os == EIO);
    CHECK(holds("w", LIT("x"))); /* nothing is written before */
    CHECK(does("disk.write", VAL_MAP_OF(AT("data", "w"), {"at", val_of_u64(0)}, {"bytes", y})) && holds("w", LIT("y")));
    end();
}

TEST(folders_are_listed_in_order_page_by_page) {
    if (!begin()) return;
    char name[300], last[300] = "";
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "f%03u-%0120u", i * 7 % 300, i * 7 % 300);
        put_file(data_dir, name, slice_of("xxxxxxxxxx", i % 10));
    }
    CHECK(mkdirat(data_dir, "a folder", 0700) == 0 && mkfifoat(data_dir, "b pipe", 0600) == 0 &&
          symlinkat("f000", data_dir, "c link") == 0);
    put_file(data_dir, "z\xc3\xa4", LIT(""));
    put_file(data_dir, "z\xff", LIT("")); /* no verb could ask for these */
    put_file(data_dir, "z\n", LIT(""));
    unsigned pages = 0, n = 0;
    bool more = true, sorted = true;
    while (more && pages < 20) {
        struct reply r;
        struct val args = VAL_MAP_OF({"root", val_of_str("data")}, {"most", val_of_u64(64)});
        if (last[0]) val_set_str(&args, "after", val_of_str(last));
        if (!CHECK(ask(&r, "disk.list", args))) break;
        const struct val *names = val_get(&r.result, LIT("names"));
        for (struct val_iter it = val_iter(names); val_next(&it); n++) {
            struct slice s = val_as_text(val_at(it.value, 0));
            sorted = sorted && slice_cmp(s, slice_str(last)) > 0;
            memcpy(last, s.ptr, s.len);
            last[s.len] = 0;
            if (n == 0) CHECK(slice_eq(s, LIT("a folder")) && val_is_true(val_at(it.value, 3)));
            if (n == 1) CHECK(slice_starts(s, LIT("f000")) && !val_is_true(val_at(it.value, 3)));
            CHECK(val_count(it.value) == 4);
        }
        more = val_is_true(val_get(&r.result, LIT("more")));
        CHECK(val_count(names) == (more ? 64 : 302 % 64));
        reply_release(&r);
        pages++;
    }
    CHECK(n == 302 && pages == 5 && sorted && !strcmp(last, "z\xc3\xa4"));
    struct reply r;
    CHECK(ask(&r, "disk.list", VAL_MAP_OF(AT("data", "a folder"), {"most", val_of_u64(LIMIT_DISK_LIST)})));
    CHECK(val_count(val_get(&r.result, LIT("names"))) == 0 && val_kind(val_get(&r.result, LIT("names"))) == VAL_ARRAY);
    reply_release(&r);
    CHECK(refuses("disk.list", VAL_MAP_OF(AT("data", "none"), {"most", val_of_u64(1)})) == ERR_NOT_FOUND);
    CHECK(refuses("disk.list", VAL_MAP_OF({"root", val_of_str("data")}, {"most", val_of_u64(LIMIT_DISK_LIST + 1)})) ==
          ERR_INVALID);
    /* The largest page there can be fits a frame. */
    CHECK(mkdirat(data_dir, "long", 0700) == 0);
    int dir = openat(data_dir, "long", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < LIMIT_DISK_LIST; i++) {
        snprintf(name, sizeof name, "%0*u", LIMIT_DISK_PATH, i);
        put_file(dir, name, LIT(""));
    }
    close(dir);
    CHECK(ask(&r, "disk.list", VAL_MAP_OF(AT("data", "long"), {"most", val_of_u64(LIMIT_DISK_LIST)})));
    CHECK_INT(val_count(val_get(&r.result, LIT("names"))), LIMIT_DISK_LIST);
    reply_release(&r);
    end();
}

TEST(changes_in_a_watched_folder_are_there_before_the_next_request) {
    if (!begin()) return;
    struct reply r, second;
    uint64_t number;
    uint8_t events[4096];
    CHECK(mkdirat(data_dir, "web", 0700) == 0);
    CHECK(ask(&r, "disk.watch", VAL_MAP_OF(AT("data", "web"))) && r.fd >= 0);
    number = u64_of(&r, "watch");
    CHECK(fcntl(r.fd, F_GETFL) & O_NONBLOCK);
    CHECK(ask(&second, "disk.watch", VAL_MAP_OF({"root", val_of_str("ro")})) &&
          second.fd < 0); /* the first brought it */
    CHECK(u64_of(&second, "watch") != number);
    put_file(data_dir, "web/index.html", LIT("hello"));
    ssize_t n = read(r.fd, events, sizeof events); /* at once, without a turn of the loop */
    CHECK(n > 0);
    const struct inotify_event *first = (const struct inotify_event *)(const void *)events;
    CHECK((uint64_t)first->wd == number && !strcmp(first->name, "index.html") && first->mask & IN_CREATE);
    put_file(ro_dir, "x", LIT(""));
    CHECK(read(r.fd, events, sizeof events) > 0 && (uint64_t)first->wd == u64_of(&second, "watch"));
    put_file(data_dir, "outside", LIT("nobody watches this one"));
    CHECK(read(r.fd, events, sizeof events) < 0 && errno == EAGAIN);
    /* Watched twice: it ends with the second unwatch. */
    CHECK(does("disk.watch", VAL_MAP_OF(AT("data", "web"))));
    CHECK(does("disk.unwatch", VAL_MAP_OF({"watch", val_of_u64(number)})));
    put_file(data_dir, "web/a", LIT(""));
    CHECK(read(r.fd, events, sizeof events) > 0 && first->mask & IN_CREATE);
    CHECK(does("disk.unwatch", VAL_MAP_OF({"watch", val_of_u64(number)})));
    CHECK(read(r.fd, events, sizeof events) > 0 && first->mask & IN_IGNORED);
    put_file(data_dir, "web/b", LIT(""));
    CHECK(read(r.fd, events, sizeof events) < 0);
    CHECK(refuses("disk.unwatch", VAL_MAP_OF({"watch", val_of_u64(number)})) == ERR_NOT_FOUND);
    CHECK(refuses("disk.watch", VAL_MAP_OF(AT("data", "web/a"))) == ERR_NOT_FOUND); /* a file */
    /* As many as are allowed, and one more. */
    char name[20];
    unsigned watched = 1;
    for (; watched < LIMIT_DISK_WATCHES + 1; watched++) {
        snprintf(name, sizeof name, "w%u", watched);
        CHECK(mkdirat(data_dir, name, 0700) == 0);
        if (!does("disk.watch", VAL_MAP_OF(AT("data", name)))) break;
    }
    CHECK(watched == LIMIT_DISK_WATCHES && err.code == ERR_LIMIT && !strcmp(err.limit, "watches"));
    reply_release(&r);
    reply_release(&second);
    end();
}

/* --- what is refused --- */

/* The arguments of a verb for a path, complete. */
static struct val args_for(const char *verb, const char *root, const char *path) {
    struct val v = VAL_MAP_OF({"root", val_of_str(root)});
    bool renames = !strcmp(verb, "disk.rename");
    val_set_str(&v, renames ? "from" : "path", val_of_str(path));
    if (renames) val_set_str(&v, "to", val_of_str("other"));
    if (!strcmp(verb, "disk.read") || !strcmp(verb, "disk.list")) val_set_str(&v, "most", val_of_u64(10));
    if (!strcmp(verb, "disk.write")) val_set_str(&v, "at", val_of_u64(0));
    if (!strcmp(verb, "disk.write") || !strcmp(verb, "disk.replace")) val_set_str(&v, "bytes", bytes_of("x"));
    if (!strcmp(verb, "disk.pull")) val_set_str(&v, "len", val_of_u64(10));
    if (!strcmp(verb, "disk.push")) val_set_str(&v, "quota", val_of_u64(10));
    if (!strcmp(verb, "disk.pull") || !strcmp(verb, "disk.push")) val_set_str(&v, "from", val_of_u64(0));
    return v;
}

static const char *const readers[] = {"disk.stat", "disk.read", "disk.list", "disk.watch", "disk.pull"};
static const char *const writers[] = {"disk.write",  "disk.sync",   "disk.replace", "disk.rename",
                                      "disk.remove", "disk.folder", "disk.push"};

/* Asks with a descriptor where one belongs. */
static enum err_code try_verb(const char *verb, const char *root, const char *path) {
    struct reply r;
    int ends[2] = {-1, -1};
    if (!strcmp(verb, "disk.push")) CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    ask_with(&r, verb, args_for(verb, root, path), ends[1]);
    if (ends[1] >= 0) close(ends[1]);
    for (unsigned i = 0; i < 2000 && !r.done && val_is_none(&r.progress); i++) loop_turn(loop, 1000);
    err = r.err;
    bool good = !r.err.code;
    reply_release(&r);
    if (ends[0] >= 0) close(ends[0]);
    return good ? ERR_NONE : err.code;
}

TEST(nothing_is_written_beneath_a_root_that_must_only_be_read) {
    if (!begin()) return;
    put_file(ro_dir, "a", LIT("as it was"));
    for (size_t i = 0; i < COUNT(writers); i++) {
        static const char *const paths[] = {"a", "new"};
        for (size_t k = 0; k < 2; k++)
            if (!CHECK(try_verb(writers[i], "ro", paths[k]) == ERR_AUTHORIZATION && strstr(err.text, "\"ro\"")))
                tap_note("%s: %s", writers[i], err.text);
    }
    struct buf b;
    buf_init(&b, 1 << 20);
    CHECK(file_read_all(ro_dir, "a", 100, &b, &err) && slice_eq(buf_slice(&b), LIT("as it was")));
    buf_release(&b);
    struct stat st;
    CHECK(fstatat(ro_dir, "new", &st, 0) < 0 && fstatat(ro_dir, "new.part", &st, 0) < 0);
    for (size_t i = 0; i < COUNT(readers); i++)
        if (strcmp(readers[i], "disk.list") != 0 && strcmp(readers[i], "disk.watch") != 0)
            CHECK(try_verb(readers[i], "ro", "a") == ERR_NONE);
    end();
}

TEST(paths_out_of_grammar_are_refused_by_every_verb) {
    if (!begin()) return;
    char longest[LIMIT_DISK_PATH + 2];
    memset(longest, 'n', sizeof longest);
    longest[LIMIT_DISK_PATH + 1] = 0;
    const char *const bad[] = {"",     "/etc/passwd", "..",   "../x",  "a/../b", ".",    "./a",
                               "a//b", "a/",          "a\nb", "a\x7f", "a/.",    "a/..", longest};
    for (size_t i = 0; i < COUNT(readers) + COUNT(writers); i++) {
        const char *verb = i < COUNT(readers) ? readers[i] : writers[i - COUNT(readers)];
        for (size_t k = 0; k < COUNT(bad); k++)
            if (!CHECK(try_verb(verb, "data", bad[k]) == ERR_INVALID))
                tap_note("%s \"%s\": %s", verb, bad[k], err.text);
        CHECK(try_verb(verb, "nowhere", "a") == ERR_NOT_FOUND);
        CHECK(try_verb(verb, "NOT A WORD", "a") == ERR_INVALID);
    }
    struct val nul = val_of_text(slice_of("a\0b", 3));
    CHECK(refuses("disk.stat", VAL_MAP_OF({"root", val_of_str("data")}, {"path", nul})) == ERR_INVALID);
    longest[LIMIT_DISK_PATH] = 0; /* the longest path there may be works, with every ending */
    CHECK(does("disk.replace", VAL_MAP_OF(AT("data", longest), {"bytes", bytes_of("x")})) && holds(longest, LIT("x")));
    CHECK(try_verb("disk.push", "data", longest) == ERR_DUPLICATE); /* it is there, and it may not be replaced */
    end();
}

TEST(symlinks_are_not_followed_and_pipes_not_waited_for) {
    if (!begin()) return;
    CHECK(symlinkat("/etc", data_dir, "out") == 0 && symlinkat("/etc/passwd", data_dir, "passwd") == 0);
    CHECK(mkfifoat(data_dir, "pipe", 0600) == 0 && mkfifoat(data_dir, "p.new", 0600) == 0 &&
          mkfifoat(data_dir, "q.part", 0600) == 0);
    CHECK(mkdirat(data_dir, "in", 0700) == 0 && symlinkat("in", data_dir, "beside") == 0);
    for (size_t i = 0; i < COUNT(readers) + COUNT(writers); i++) {
        const char *verb = i < COUNT(readers) ? readers[i] : writers[i - COUNT(readers)];
        if (!CHECK(try_verb(verb, "data", "out/passwd") != ERR_NONE)) tap_note("%s", verb);
        if (!CHECK(try_verb(verb, "data", "beside/new") != ERR_NONE))
            tap_note("%s", verb); /* not even within the root */
        if (!strcmp(verb, "disk.remove") || !strcmp(verb, "disk.rename") || !strcmp(verb, "disk.replace")) continue;
        if (!CHECK(try_verb(verb, "data", "passwd") != ERR_NONE)) tap_note("%s", verb);
        if (!CHECK(try_verb(verb, "data", "pipe") != ERR_NONE)) tap_note("%s", verb);
    }
    CHECK(try_verb("disk.replace", "data", "pipe") == ERR_INVALID &&
          try_verb("disk.replace", "data", "p") == ERR_INVALID);
    CHECK(try_verb("disk.push", "data", "q") == ERR_INVALID || err.os == ENXIO);
    CHECK(try_verb("disk.remove", "data", "passwd") == ERR_NONE && !is_there("passwd")); /* the link itself goes */
    struct stat st;
    CHECK(stat("/etc/passwd", &st) == 0 && st.st_size > 0 && !is_there("in/new"));
    end();
}

TEST(whatever_it_is_asked_it_refuses_and_goes_on) {
    if (!begin()) return;
    struct reply r;
    CHECK(refuses("disk.format", val_empty_map()) == ERR_INVALID);
    CHECK(refuses("disk.stat", val_null()) == ERR_INVALID && refuses("disk.stat", val_empty_map()) == ERR_INVALID);
    CHECK(refuses("disk.stat", VAL_MAP_OF(AT("data", "a"), {"more", val_null()})) == ERR_INVALID);
    CHECK(refuses("disk.stat", VAL_MAP_OF({"root", val_of_u64(1)}, {"path", val_of_str("a")})) == ERR_INVALID);
    CHECK(refuses("disk.write", VAL_MAP_OF(AT("data", "a"), {"at", val_of_u64(INT64_MAX)}, {"bytes", bytes_of("x")})) ==
          ERR_INVALID);
    CHECK(refuses("disk.write", VAL_MAP_OF(AT("data", "a"), {"at", val_of_u64(0)}, {"bytes", val_of_str("text")})) ==
          ERR_INVALID);
    CHECK(refuses("disk.write", VAL_MAP_OF(AT("data", "far"), {"at", val_of_u64(INT64_MAX - LIMIT_DISK_BYTES)},
                                           {"bytes", bytes_of("x")})) == ERR_FILESYSTEM); /* beyond what the disk can */
    static uint8_t big[LIMIT_DISK_BYTES + 1];
    CHECK(does("disk.write", VAL_MAP_OF(AT("data", "big"), {"at", val_of_u64(0)},
                                        {"bytes", val_of_bytes(slice_of(big, sizeof big - 1))})));
    CHECK(refuses("disk.write", VAL_MAP_OF(AT("data", "big"), {"at", val_of_u64(0)},
                                           {"bytes", val_of_bytes(slice_of(big, sizeof big))})) == ERR_INVALID);
    CHECK(ask(&r, "disk.read", VAL_MAP_OF(AT("data", "big"), {"most", val_of_u64(LIMIT_DISK_BYTES)})));
    CHECK_INT(val_as_bytes(val_get(&r.result, LIT("bytes"))).len, LIMIT_DISK_BYTES);
    reply_release(&r);
    ask_with(&r, "disk.stat", args_for("disk.stat", "data", "a"), data_dir); /* a descriptor where none belongs */
    wait_for(&r.done);
    CHECK_INT(r.err.code, ERR_INVALID);
    reply_release(&r);
    CHECK(refuses("disk.push", args_for("disk.push", "data", "a")) == ERR_INVALID); /* none where one belongs */
    int pipes[2], datagram[2];
    CHECK(pipe2(pipes, O_CLOEXEC) == 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagram) == 0);
    int wrong[] = {pipes[0], datagram[0], data_dir}; /* ones that might make it wait */
    for (size_t i = 0; i < COUNT(wrong); i++) {
        ask_with(&r, "disk.push", args_for("disk.push", "data", "a"), wrong[i]);
        wait_for(&r.done);
        CHECK_INT(r.err.code, ERR_INVALID);
        reply_release(&r);
    }
    CHECK(refuses("disk.seal", VAL_MAP_OF({"push", val_of_u64(1)}, {"size", val_of_u64(1)})) == ERR_NOT_FOUND);
    unsigned files = hand_files();
    /* Below the grammar: packets that are no frames, ids that go backwards, answers to nothing. */
    int fd = port.link.fd.fd;
    static const struct slice packets[] = {LIT_INIT("\xff"),
                                           LIT_INIT("\x82\x02\x01"),
                                           LIT_INIT("\x83\x05\x01\xf6"),
                                           LIT_INIT("\x83\x07\x61n\xf6"),
                                           LIT_INIT("\x85\x01\x01\x61v\xa0\x00"),
                                           LIT_INIT("\x85\x01\x1b\x00\x00\x00\x10\x00\x00\x00\x00\x61v\xa0")};
    log_use(say_nothing, NULL);
    for (size_t i = 0; i < COUNT(packets); i++) CHECK(send(fd, packets[i].ptr, packets[i].len, 0) > 0);
    rng_use_seed(11);
    for (unsigned i = 0; i < 500; i++) {
        uint8_t bytes[40];
        rng_bytes(bytes, sizeof bytes);
        bytes[0] = (uint8_t)(0x80 | (2 + bytes[0] % 4)), bytes[1] %= 9, bytes[2] %= 24; /* so no id is far ahead */
        while (send(fd, bytes, 1 + bytes[3] % sizeof bytes, 0) < 0 && errno == EAGAIN && !hand_gone) loop_turn(loop, 1);
        loop_turn(loop, 0);
    }
    rng_use_seed(0);
    /* The id 2^36 was refused because its frame was cut, and ids count up: a link that sent it can say no more. */
    for (unsigned i = 0; i < 100; i++) loop_turn(loop, 0);
    CHECK(refuses("disk.stat", VAL_MAP_OF(AT("data", "big"))) == ERR_INVALID && strstr(err.text, "count up"));
    log_use(NULL, NULL);
    CHECK_INT(hand_files(), files);
    close(pipes[0]);
    close(pipes[1]);
    close(datagram[0]);
    close(datagram[1]);
    end();
}

/* --- without the process: what it costs --- */

struct inside {
    struct disk disk;
    struct jail_root roots[1];
};
static const char *const inside_names[] = {"data"};

static void inside_begin(struct inside *in) {
    *in = (struct inside){.roots = {{data_dir, true}}};
    in->disk = (struct disk){.roots = in->roots, .names = inside_names, .root_n = 1, .inotify = -1};
    in->disk.loop = loop_new(NULL);
    for (size_t i = 0; i < LIMIT_DISK_FILES; i++) in->disk.files[i].fd = -1;
}

static void inside_end(struct inside *in) {
    for (size_t i = 0; i < LIMIT_DISK_FILES; i++)
        if (in->disk.files[i].fd >= 0) close(in->disk.files[i].fd);
    if (in->disk.inotify >= 0) close(in->disk.inotify);
    loop_free(in->disk.loop);
}

/* Takes args. */
static bool inside_does(struct inside *in, const char *verb, struct val args, struct val *result) {
    unsigned n;
    const struct verb *rows = disk_rows(&n);
    struct obey_ask a = {
        .id = 1, .args = &args, .fd = -1, .row = (unsigned)(verb_find(rows, n, slice_str(verb)) - rows)};
    struct err e = ERR_INIT;
    bool good = !val_is_none(&args) && disk_act(&in->disk.obey, &a, &e);
    err = e;
    if (result)
        *result = a.result;
    else {
        good = good && !val_is_none(&a.result);
        val_unref(&a.result);
    }
    if (a.fd >= 0 && !a.keep_fd) close(a.fd);
    val_unref(&args);
    return good;
}

static struct val write_args(unsigned at, const char *text, bool sync) {
    return VAL_MAP_OF(AT("data", "journal/1"), {"at", val_of_u64(at)}, {"bytes", bytes_of(text)},
                      {"sync", val_of_bool(sync)});
}

TEST(a_journal_write_is_one_write_and_one_sync_and_nothing_else) {
    if (!folders_begin()) return;
    struct inside in;
    inside_begin(&in);
    CHECK(mkdirat(data_dir, "journal", 0700) == 0 && inside_does(&in, "disk.write", write_args(0, "warm", true), NULL));
    fault_set(NULL);
    for (unsigned i = 0; i < 10; i++) CHECK(inside_does(&in, "disk.write", write_args(i, "entry", true), NULL));
    CHECK_INT(fault_calls(), 20);
    CHECK(fault_set("write:1:kill")); /* a sync alone writes nothing */
    CHECK(inside_does(&in, "disk.write", write_args(0, "", true), NULL));
    fault_set(NULL);
    inside_end(&in);
    folders_end();
}

TEST(after_a_failed_sync_the_file_is_closed_and_the_error_says_not_to_trust_it) {
    if (!folders_begin()) return;
    struct inside in;
    inside_begin(&in);
    CHECK(mkdirat(data_dir, "journal", 0700) == 0 && inside_does(&in, "disk.write", write_args(0, "warm", true), NULL));
    CHECK(in.disk.files[0].fd >= 0 && fault_set("sync:1:eio"));
    CHECK(!inside_does(&in, "disk.write", write_args(0, "entry", true), NULL) && err.os == EIO &&
          strstr(err.text, "trusted") && strstr(err.text, "data:journal/1"));
    CHECK(in.disk.files[0].fd < 0);
    CHECK(fault_set("sync:1:eio") && !inside_does(&in, "disk.sync", VAL_MAP_OF(AT("data", "journal/1")), NULL) &&
          strstr(err.text, "trusted"));
    inside_end(&in);
    folders_end();
}

static bool many_verbs(void *arg) {
    struct inside *in = arg;
    struct val result = val_none;
    bool good = inside_does(in, "disk.write", write_args(0, "some bytes that live outside", false), NULL) &&
                inside_does(in, "disk.read", VAL_MAP_OF(AT("data", "journal/1"), {"most", val_of_u64(100)}), &result);
    good = good && val_count(&result) == 5;
    val_unref(&result);
    good = good &&
           inside_does(in, "disk.list", VAL_MAP_OF({"root", val_of_str("data")}, {"most", val_of_u64(2)}), &result);
    good = good && val_count(val_get(&result, LIT("names"))) == 2 && val_is_true(val_get(&result, LIT("more")));
    val_unref(&result);
    return good &&
           inside_does(in, "disk.pull",
                       VAL_MAP_OF(AT("data", "journal/1"), {"from", val_of_u64(100)}, {"len", val_of_u64(1)}), NULL);
}

TEST(any_allocation_of_the_verbs_may_fail) {
    if (!folders_begin()) return;
    struct inside in;
    inside_begin(&in);
    CHECK(mkdirat(data_dir, "journal", 0700) == 0);
    put_file(data_dir, "a name that is longer than lives inside a value", LIT(""));
    put_file(data_dir, "z", LIT(""));
    unsigned files = open_files(getpid());
    faults_sweep(many_verbs, &in, "write, read, list, pull");
    CHECK_INT(open_files(getpid()), files + 1); /* the journal stays open */
    inside_end(&in);
    folders_end();
}

/* --- failing and dying at every call --- */

static const struct slice new_text = LIT_INIT("what is new");

static struct val replace_args(void) {
    return VAL_MAP_OF(AT("data", "f"), {"bytes", val_of_bytes(new_text)});
}
/* As the journal does it: the same length, in place. */
static const struct slice in_place = LIT_INIT("THE NEW CONTENT, WHICH IS AS LONG ......");
static struct val in_place_args(void) {
    return VAL_MAP_OF(AT("data", "f"), {"at", val_of_u64(0)}, {"bytes", val_of_bytes(in_place)},
                      {"sync", val_of_bool(true)});
}

static void sweep(const char *verb, struct val (*args)(void), struct slice want, const char *plan_form, unsigned most) {
    unsigned olds = 0, news = 0, n = 1;
    for (; n <= most; n++) {
        char plan[40];
        snprintf(plan, sizeof plan, plan_form, n);
        CHECK(file_replace(data_dir, "f", old_text, 0600, &err));
        if (!hand_begin(plan)) return;
        bool done = does(verb, args());
        bool killed = hand_gone;
        int code = hand_end();
        CHECK(code == 0 || code == 71 || code == -SIGKILL);
        bool is_old = holds("f", old_text), is_new = holds("f", want);
        if (!CHECK(is_old != is_new)) tap_note("%s: neither the old nor the new one", plan);
        if (!CHECK(!done || is_new)) tap_note("%s: told \"done\" of what is not there", plan);
        olds += is_old;
        news += is_new;
        if (done && !killed && code == 0) break;
    }
    CHECK(n > 2 && n < most && olds > 0);
    tap_note("%s %s: %u times the old content, %u times the new", verb, plan_form, olds, news);
}

TEST(killed_at_any_call_of_a_write_or_a_replace_it_leaves_the_old_or_the_new_and_never_lied) {
    if (!folders_begin()) return;
    sweep("disk.replace", replace_args, new_text, "any:%u:kill", 100);
    sweep("disk.write", in_place_args, in_place, "any:%u:kill", 100);
    folders_end();
}

TEST(an_error_of_any_call_is_an_error_of_the_request) {
    if (!folders_begin()) return;
    static const char *const ops[] = {"open", "write", "sync", "rename"};
    static const char *const acts[] = {"eio", "enospc"};
    for (size_t i = 0; i < COUNT(ops) * COUNT(acts); i++) {
        char plan[40];
        const char *op = ops[i % COUNT(ops)];
        snprintf(plan, sizeof plan, "%s:1:%s", op, acts[i / COUNT(ops)]);
        CHECK(file_replace(data_dir, "f", old_text, 0600, &err));
        if (!hand_begin(plan)) return;
        CHECK(!does("disk.replace", replace_args()) && err.code == ERR_FILESYSTEM &&
              (err.os == EIO || err.os == ENOSPC));
        CHECK(strstr(err.text, "data:f") && holds("f", old_text));
        CHECK(does("disk.replace", replace_args()) && holds("f", new_text)); /* and it goes on */
        CHECK(does("disk.stat", VAL_MAP_OF(AT("data", "f"))));
        CHECK_INT(hand_end(), 0);
        bool short_plan = fault_set("write:1:short");
        CHECK(short_plan);
        fault_set(NULL);
    }
    if (!hand_begin("write:1:short")) return;
    CHECK(does("disk.replace", replace_args()) && holds("f", new_text));
    CHECK_INT(hand_end(), 0);
    folders_end();
}

/* --- the page about it --- */

TEST(every_row_and_argument_stands_in_the_page_about_hands) {
    struct slice page = tap_file("docs/warden-hands.md");
    unsigned n;
    const struct verb *rows = disk_rows(&n);
    for (unsigned i = 0; i < n; i++) {
        char head[80];
        snprintf(head, sizeof head, "\n### %s\n", rows[i].name);
        const char *at = memmem(page.ptr, page.len, head, strlen(head));
        if (!CHECK(at != NULL)) {
            tap_note("%s", rows[i].name);
            continue;
        }
        const char *from = at + strlen(head);
        size_t left = page.len - (size_t)((const uint8_t *)from - page.ptr);
        const char *next = memmem(from, left, "\n### ", 5);
        if (next) left = (size_t)(next - from);
        CHECK(rows[i].about && rows[i].about[0]);
        for (unsigned k = 0; k < rows[i].arg_n; k++) {
            snprintf(head, sizeof head, "| `%s` |", rows[i].args[k].key);
            if (!CHECK(memmem(from, left, head, strlen(head)) != NULL)) tap_note("%s: %s", rows[i].name, head);
        }
    }
    tap_free(page);
}

TAP_MAIN(T(small_files_are_written_read_replaced_renamed_and_removed),
         T(bytes_are_written_in_place_and_files_stay_open), T(a_piece_of_a_file_is_read_from_any_offset),
         T(a_locked_file_is_held_against_other_processes_until_the_hand_ends),
         T(the_names_of_what_is_there_already_are_made_durable_too), T(folders_are_listed_in_order_page_by_page),
         T(changes_in_a_watched_folder_are_there_before_the_next_request),
         T(nothing_is_written_beneath_a_root_that_must_only_be_read), T(paths_out_of_grammar_are_refused_by_every_verb),
         T(symlinks_are_not_followed_and_pipes_not_waited_for), T(whatever_it_is_asked_it_refuses_and_goes_on),
         T(a_journal_write_is_one_write_and_one_sync_and_nothing_else),
         T(after_a_failed_sync_the_file_is_closed_and_the_error_says_not_to_trust_it),
         T(any_allocation_of_the_verbs_may_fail),
         T(killed_at_any_call_of_a_write_or_a_replace_it_leaves_the_old_or_the_new_and_never_lied),
         T(an_error_of_any_call_is_an_error_of_the_request), T(every_row_and_argument_stands_in_the_page_about_hands))
