/* doors.c - listeners: bound by the warden, kept, found again, bounded; Unix sockets beneath their roots. */
#include "wardens.h"

#include <sys/un.h>

static struct val unix_at(const char *root, const char *path) {
    return MAP({"kind", val_of_str("unix")}, {"root", val_of_str(root)}, {"path", val_of_str(path)});
}

static int ask_for_listeners(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "listen", tcp("127.0.0.1:0"));
    SEE_CODE(&a, ERR_NONE);
    SEE_INT(a.fd_n, 1);
    uint64_t first = a.fd_n ? cookie(a.fds[0]) : 0;
    int accepts = 0, flags = fcntl(a.fds[0], F_GETFL);
    socklen_t len = sizeof accepts;
    SEE(getsockopt(a.fds[0], SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts);
    SEE(flags & O_NONBLOCK && fcntl(a.fds[0], F_GETFD) & FD_CLOEXEC);
    char real[100];
    struct slice address = val_as_text(val_get(&a.result, LIT("address")));
    snprintf(real, sizeof real, "%.*s", (int)address.len, (const char *)address.ptr);
    SEE(slice_starts(address, LIT("127.0.0.1:")) && !slice_eq(address, LIT("127.0.0.1:0")));
    forget(&a);
    /* The very same again, by what was asked and by what came of it. */
    a = ask_and_wait(&r, "listen", tcp("127.0.0.1:0"));
    SEE(a.fd_n == 1 && cookie(a.fds[0]) == first);
    forget(&a);
    a = ask_and_wait(&r, "listen", tcp(real));
    SEE(a.fd_n == 1 && cookie(a.fds[0]) == first);
    /* One that was spoilt is bound anew. */
    SEE(shutdown(a.fds[0], SHUT_RDWR) == 0);
    forget(&a);
    a = ask_and_wait(&r, "listen", tcp(real));
    SEE_CODE(&a, ERR_NONE);
    len = sizeof accepts;
    SEE(a.fd_n == 1 && getsockopt(a.fds[0], SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts);
    forget(&a);
    SEE_INT(code_of(&r, "unlisten", tcp(real)), ERR_NONE);
    SEE_INT(code_of(&r, "unlisten", tcp(real)), ERR_NOT_FOUND);
    a = ask_and_wait(&r, "listen", MAP({"kind", val_of_str("udp")}, {"address", val_of_str("[::1]:0")}));
    int type = 0;
    len = sizeof type;
    SEE_CODE(&a, ERR_NONE);
    SEE(a.fd_n == 1 && getsockopt(a.fds[0], SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM);
    forget(&a);
    /* An address that is taken by somebody else, one that is nobody's, and what contradicts itself. */
    snprintf(real, sizeof real, "127.0.0.1:%lld", (long long)sh->number[0]);
    a = ask_and_wait(&r, "listen", tcp(real));
    SEE_INT(a.err.os, EADDRINUSE);
    forget(&a);
    SEE_INT(code_of(&r, "listen", tcp("192.0.2.1:1")), ERR_NETWORK);
    SEE_INT(code_of(&r, "listen", MAP({"kind", val_of_str("tcp")})), ERR_INVALID);
    SEE_INT(code_of(&r, "listen", MAP({"kind", val_of_str("unix")}, {"address", val_of_str("127.0.0.1:0")})),
            ERR_INVALID);
    SEE_INT(
        code_of(&r, "listen",
                MAP({"kind", val_of_str("tcp")}, {"address", val_of_str("127.0.0.1:0")}, {"root", val_of_str("data")})),
        ERR_INVALID);
    /* As many as there may be: one is there. */
    unsigned n = 1;
    for (enum err_code code = ERR_NONE; n < 100 && code == ERR_NONE; n += code == ERR_NONE) {
        snprintf(real, sizeof real, "127.0.1.%u:0", n);
        code = code_of(&r, "listen", tcp(real));
    }
    SEE_INT(n, LIMIT_LISTENERS);
    a = ask_and_wait(&r, "listen", tcp("127.0.2.1:0"));
    SEE(a.err.code == ERR_LIMIT && a.err.limit && !strcmp(a.err.limit, "listeners"));
    forget(&a);
    SEE_INT(code_of(&r, "unlisten", tcp("127.0.1.1:0")), ERR_NONE);
    SEE_INT(code_of(&r, "listen", tcp("127.0.2.1:0")), ERR_NONE);
    return 0;
}

TEST(listeners_are_bound_kept_found_again_and_bounded) {
    shared_begin();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    sh->number[0] = ntohs(at.sin_port);
    struct warden_config c = {.reactor = ask_for_listeners};
    CHECK_INT(warden_live(&c), 0);
    check_seen(26);
    close(fd);
}

static int ask_for_unix(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "listen", unix_at("data", "run.sock"));
    SEE_CODE(&a, ERR_NONE);
    SEE_INT(a.fd_n, 1);
    uint64_t first = a.fd_n ? cookie(a.fds[0]) : 0;
    forget(&a);
    a = ask_and_wait(&r, "listen", unix_at("data", "run.sock"));
    SEE(a.fd_n == 1 && cookie(a.fds[0]) == first);
    forget(&a);
    a = ask_and_wait(&r, "listen",
                     MAP({"kind", val_of_str("unix")}, {"root", val_of_str("data")}, {"path", val_of_str("deep/er/s")},
                         {"mode", val_of_u64(0600)}));
    SEE_CODE(&a, ERR_NONE);
    forget(&a);
    a = ask_and_wait(&r, "listen", unix_at("data", "stale"));
    SEE_CODE(&a, ERR_NONE);
    forget(&a);
    sh->stage = 1;
    while (sh->stage < 2) usleep(1000);
    a = ask_and_wait(&r, "listen", unix_at("data", "alive"));
    SEE_INT(a.err.os, EADDRINUSE);
    forget(&a);
    a = ask_and_wait(&r, "listen", unix_at("data", "file"));
    SEE_INT(a.err.os, EADDRINUSE);
    forget(&a);
    a = ask_and_wait(&r, "listen", unix_at("data", "link-to-stale"));
    SEE_INT(a.err.os, EADDRINUSE);
    forget(&a);
    SEE(code_of(&r, "listen", unix_at("data", "out/s")) != ERR_NONE); /* a symlink on the way */
    SEE_INT(code_of(&r, "listen", unix_at("data", "none/s")), ERR_NOT_FOUND);
    SEE_INT(code_of(&r, "listen", unix_at("web", "s")), ERR_AUTHORIZATION);
    SEE_INT(code_of(&r, "listen", unix_at("elsewhere", "s")), ERR_NOT_FOUND);
    SEE_INT(code_of(&r, "listen", unix_at("data", "../web/s")), ERR_INVALID);
    SEE_INT(code_of(&r, "listen", unix_at("data", "/tmp/s")), ERR_INVALID);
    SEE_INT(code_of(&r, "listen",
                    unix_at("data", "a-name-that-is-longer-than-what-fits-into-the-address-of-a-unix-"
                                    "socket-by-some-forty-bytes-at-least")),
            ERR_INVALID);
    if (birth->jail.change_user) /* the warden acts as the root's owner there, and that folder is root's */
        SEE(code_of(&r, "listen", unix_at("data", "roots/s")) != ERR_NONE);
    SEE_INT(code_of(&r, "unlisten", unix_at("data", "run.sock")), ERR_NONE);
    return 0;
}

static int unix_socket(const char *folder, const char *name, bool stale) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", folder, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
    if (geteuid() == 0) CHECK(chown(at.sun_path, 1234, 1234) == 0);
    if (!stale) return fd;
    close(fd);
    return -1;
}

TEST(unix_sockets_stand_beneath_their_root_with_their_mode_and_owner) {
    struct place p;
    struct stat st;
    char path[300], to[300];
    shared_begin();
    if (!place_make(&p, 1234)) return;
    snprintf(path, sizeof path, "%s/deep", p.data);
    snprintf(to, sizeof to, "%s/deep/er", p.data);
    CHECK(mkdir(path, 0755) == 0 && mkdir(to, 0755) == 0);
    if (geteuid() == 0) CHECK(chown(path, 1234, 1234) == 0 && chown(to, 1234, 1234) == 0);
    snprintf(path, sizeof path, "%s/roots", p.data);
    CHECK(mkdir(path, 0755) == 0);
    unix_socket(p.data, "stale", true);
    struct warden_config c = {.roots = p.roots, .root_n = 2, .reactor = ask_for_unix};
    pid_t warden = warden_begin(&c, false);
    CHECK(UNTIL(sh->stage == 1 || !is_there(warden)));
    snprintf(path, sizeof path, "%s/run.sock", p.data);
    CHECK(lstat(path, &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK_INT(st.st_mode & 07777, 0660);
    if (geteuid() == 0) CHECK_INT(st.st_uid, 1234);
    snprintf(path, sizeof path, "%s/deep/er/s", p.data);
    CHECK(lstat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    int alive = unix_socket(p.data, "alive", false);
    unix_socket(p.data, "stale-too", true);
    snprintf(path, sizeof path, "%s/file", p.data);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    snprintf(path, sizeof path, "%s/out", p.data);
    CHECK(symlink(p.base, path) == 0);
    snprintf(path, sizeof path, "%s/link-to-stale", p.data);
    CHECK(symlink("stale-too", path) == 0);
    sh->stage = 2;
    CHECK_INT(warden_end(warden), 0);
    check_seen(16);
    snprintf(path, sizeof path, "%s/run.sock", p.data);
    CHECK(lstat(path, &st) < 0);
    snprintf(path, sizeof path, "%s/file", p.data);
    CHECK(lstat(path, &st) == 0 && S_ISREG(st.st_mode));
    if (alive >= 0) close(alive);
    place_remove(&p);
}

TAP_MAIN(T(listeners_are_bound_kept_found_again_and_bounded),
         T(unix_sockets_stand_beneath_their_root_with_their_mode_and_owner))
