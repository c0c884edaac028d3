/* tls_real.c - TLS against the programs people use: openssl s_client, openssl s_server, curl. Over 127.0.0.1. */
#include "tls_play.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>

/* --- a server of ours that answers one request a connection --- */

struct visit {
    struct end end;
    struct visit *next;
};

static struct visit *visits;
static unsigned accepted;
static char last_cipher[60], last_name[60], last_protocol[30], last_why[100];
static bool last_resumed;

static void copy_text(char *to, size_t room, struct slice s) {
    snprintf(to, room, "%.*s", (int)s.len, (const char *)s.ptr);
}

static void serve(struct stream *s, enum stream_event event) {
    struct visit *v = LOOP_OWNER(struct visit, end, LOOP_OWNER(struct end, s, s));
    if (event == STREAM_OPEN) {
        copy_text(last_cipher, sizeof last_cipher, slice_str(tls_cipher(s->filter)));
        copy_text(last_name, sizeof last_name, tls_name(s->filter));
        copy_text(last_protocol, sizeof last_protocol, tls_protocol(s->filter));
        last_resumed = tls_is_resumed(s->filter);
    }
    if (event == STREAM_DATA) {
        buf_add(&v->end.got, stream_data(s));
        stream_eat(s, stream_data(s).len);
        if (v->end.got.len >= 4 && slice_ends(buf_slice(&v->end.got), LIT("\r\n\r\n")) && !v->end.data++) {
            CHECK(stream_write(s, LIT("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nthe box says hello\n")));
            stream_linger(s, 500);
        }
    }
    if (event == STREAM_END) stream_close(s);
    if (event == STREAM_GONE) {
        v->end.gone = 1;
        copy_text(last_why, sizeof last_why, slice_str(s->why.text ? s->why.text : ""));
    }
}

static int listening = -1;
static int port;

static bool open_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&a, len) || listen(listening, 50) ||
        getsockname(listening, (struct sockaddr *)&a, &len))
        return false;
    port = ntohs(a.sin_port);
    return true;
}

static void accept_all(void) {
    for (int fd; (fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; accepted++) {
        struct visit *v = calloc(1, sizeof *v);
        v->end.s.call = serve;
        v->end.s.name = "visit";
        buf_init(&v->end.got, 1 << 20);
        v->next = visits;
        visits = v;
        struct stream_filter *f = tls_accept(server, &err);
        if (!CHECK(stream_start(&v->end.s, loop, fd, false, 1 << 16, 1 << 20, &err))) return;
        stream_filter(&v->end.s, f);
    }
}

static void begin_serving(void) {
    SERVER("box", "rsa", "big");
    CHECK(open_port());
    accepted = 0;
    last_why[0] = last_cipher[0] = 0;
}

static void end_serving(void) {
    close(listening);
    while (visits) {
        struct visit *v = visits;
        visits = v->next;
        if (!v->end.gone) stream_abort(&v->end.s);
        turns(2);
        buf_release(&v->end.got);
        free(v);
    }
    finish();
}

/* --- a program beside the loop --- */

static char output[1 << 17];

/* Runs it in the folder while our loop turns; `input` is what it reads. Its exit code; -1: it did not end in time. */
static int run_beside(const char *const *args, const char *input) {
    int in[2], out[2], status = -1;
    pid_t pid;
    size_t got = 0;
    posix_spawn_file_actions_t actions;
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) return -1;
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    posix_spawn_file_actions_addchdir_np(&actions, play_folder);
    int bad = posix_spawnp(&pid, args[0], &actions, NULL, (char **)(uintptr_t)args, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (!bad) {
        signal(SIGPIPE, SIG_IGN); /* it may have ended already */
        if (write(in[1], input, strlen(input)) < 0) tap_note("%s did not wait for its input", args[0]);
        int64_t until = clock_mono_ms() + 20000;
        while (clock_mono_ms() < until && waitpid(pid, &status, WNOHANG) == 0) {
            accept_all();
            loop_turn(loop, 1);
            ssize_t n = read(out[0], output + got, sizeof output - 1 - got);
            if (n > 0) got += (size_t)n;
        }
        if (status == -1) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        for (ssize_t n; (n = read(out[0], output + got, sizeof output - 1 - got)) > 0;) got += (size_t)n;
    }
    output[got] = 0;
    close(in[1]);
    close(out[0]);
    for (int i = 0; i < 3000; i++) { /* until our side has heard of it */
        const struct visit *v = visits;
        accept_all();
        loop_turn(loop, 1);
        while (v && v->end.gone) v = v->next;
        if (!v && i > 5) break;
    }
    return bad || status == -1 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

/* Words parted by spaces; %p: our port. */
static int run_words(const char *words, const char *input) {
    static char text[2000];
    const char *args[60];
    size_t n = 0, len = 0;
    char *at = text;
    for (; *words && len + 10 < sizeof text; words++)
        if (words[0] == '%' && words[1] == 'p') {
            len += (size_t)snprintf(text + len, 8, "%d", port);
            words++;
        } else
            text[len++] = *words;
    text[len] = 0;
    while (*at && n < 59) {
        args[n++] = at;
        at += strcspn(at, " ");
        while (*at == ' ') *at++ = 0;
    }
    args[n] = NULL;
    return run_beside(args, input);
}

#define REQUEST "GET / HTTP/1.0\r\n\r\n"
#define CLIENT  "openssl s_client -connect 127.0.0.1:%p -CAfile root.pem -verify_return_error -ign_eof -no_ticket"

/* One visit of openssl; whether it got the answer. */
static bool visit_with(const char *more) {
    char words[1000];
    last_why[0] = last_cipher[0] = 0;
    snprintf(words, sizeof words, "%s %s", CLIENT, more);
    int code = run_words(words, REQUEST);
    return code == 0 && strstr(output, "the box says hello");
}

/* --- openssl and curl come to us --- */

TEST(openssl_reads_our_answers_with_every_suite_and_curve) {
    PLAY_NEEDS_OPENSSL();
    static const char *const suites[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                         "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
                                         "ECDHE-RSA-AES256-GCM-SHA384",   "ECDHE-RSA-CHACHA20-POLY1305"};
    begin_serving();
    for (int i = 0; i < 6; i++) {
        char more[200];
        const char *host = i < 3 ? "box.test" : "rsa.test";
        snprintf(more, sizeof more, "-servername %s -verify_hostname %s -cipher %s", host, host, suites[i]);
        if (!CHECK(visit_with(more))) tap_note("%s", output);
        CHECK_TEXT(slice_str(last_cipher), slice_str(suites[i]));
        CHECK_TEXT(slice_str(last_name), slice_str(host));
        CHECK(strstr(output, "TLSv1.2") && strstr(output, "Verify return code: 0 (ok)"));
        CHECK_TEXT(slice_str(last_why), LIT(""));
    }
    CHECK(visit_with("-servername rsa.test -groups X25519") && strstr(output, "X25519"));
    CHECK(visit_with("-servername rsa.test -groups P-256") && strstr(output, "ECDH, prime256v1"));
    CHECK(visit_with("-servername box.test -groups P-256") && strstr(output, "ECDH, prime256v1"));
    CHECK(visit_with("-servername box.test -groups X25519:P-256") && strstr(output, "X25519"));
    CHECK(visit_with("-servername big.test -verify_hostname big.test")); /* a key on P-384 */
    CHECK(!visit_with("-servername rsa.test -groups P-384"));
    CHECK_TEXT(slice_str(last_why), LIT("no cipher, curve or signature in common with the peer"));
    CHECK(visit_with("-servername box.test -alpn http/1.1") && strstr(output, "ALPN protocol: http/1.1"));
    CHECK_TEXT(slice_str(last_protocol), LIT("http/1.1"));
    CHECK(visit_with("-servername box.test -alpn h2,http/1.1") && strstr(output, "ALPN protocol: http/1.1"));
    CHECK(!visit_with("-servername box.test -alpn h2"));
    CHECK_TEXT(slice_str(last_why), LIT("the peer names only protocols that are not spoken here"));
    CHECK(visit_with("-servername box.test -maxfraglen 512"));
    CHECK(visit_with("-noservername"));
    end_serving();
}

TEST(other_versions_are_refused_with_the_right_alert) {
    PLAY_NEEDS_OPENSSL();
    begin_serving();
    CHECK(visit_with("-servername box.test -tls1_2"));
    CHECK(visit_with("-servername box.test -tls1_2 -fallback_scsv")); /* 1.2 is our best too */
    CHECK(!visit_with("-servername box.test -tls1_3"));
    CHECK_TEXT(slice_str(last_why), LIT("the peer does not speak TLS 1.2"));
    CHECK(strstr(output, "alert protocol version") != NULL);
    CHECK(!visit_with("-servername box.test -tls1_1 -cipher DEFAULT@SECLEVEL=0"));
    CHECK_TEXT(slice_str(last_why), LIT("the peer does not speak TLS 1.2"));
    CHECK(strstr(output, "alert protocol version") != NULL);
    CHECK(!visit_with("-servername box.test -cipher AES128-SHA:AES128-GCM-SHA256")); /* without forward secrecy */
    CHECK_TEXT(slice_str(last_why), LIT("no cipher, curve or signature in common with the peer"));
    CHECK(!visit_with("-servername box.test -sigalgs ECDSA+SHA1:RSA+SHA1 -cipher DEFAULT@SECLEVEL=0"));
    end_serving();
}

TEST(openssl_refuses_what_is_wrong_and_says_so) {
    PLAY_NEEDS_OPENSSL();
    begin_serving();
    CHECK(!visit_with("-servername box.test -verify_hostname other.test"));
    CHECK_TEXT(slice_str(last_why), LIT("the peer cannot use our certificate"));
    int code = run_words("openssl s_client -connect 127.0.0.1:%p -CAfile stranger.pem -no-CApath -no-CAstore "
                         "-verify_return_error -servername box.test",
                         REQUEST);
    CHECK(code != 0);
    CHECK_TEXT(slice_str(last_why), LIT("the peer does not trust our certificate"));
    end_serving();
}

TEST(openssl_resumes_five_times) {
    PLAY_NEEDS_OPENSSL();
    begin_serving();
    /* Each of its connections says nothing and goes; the last reads. */
    run_words(
        "openssl s_client -connect 127.0.0.1:%p -CAfile root.pem -servername box.test -no_ticket -tls1_2 -reconnect "
        "-ign_eof",
        REQUEST);
    unsigned reused = 0;
    for (const char *at = output; (at = strstr(at, "Reused, TLSv1.2")); at++) reused++;
    CHECK_INT(reused, 5);
    CHECK(strstr(output, "the box says hello") != NULL);
    struct tls_counts n = tls_server_counts(server);
    CHECK_INT(n.handshakes, 6);
    CHECK_INT(n.resumed, 5);
    CHECK_INT(n.steps, 2);
    end_serving();
}

TEST(curl_is_served) {
    PLAY_NEEDS_OPENSSL();
    if (!play_has("curl") && PLAY_RUN("curl", "--version")) {
        tap_skip("there is no curl");
        return;
    }
    begin_serving();
    CHECK_INT(run_words("curl -sS --http1.1 --cacert root.pem --connect-to ::127.0.0.1:%p https://box.test/", ""), 0);
    CHECK_TEXT(slice_str(output), LIT("the box says hello\n"));
    CHECK_INT(run_words("curl -sS --cacert root.pem --connect-to ::127.0.0.1:%p https://x.box.test/", ""), 0);
    CHECK_TEXT(slice_str(output), LIT("the box says hello\n")); /* offers h2 as well */
    CHECK_INT(run_words("curl -sS --cacert root.pem --connect-to ::127.0.0.1:%p https://nobody.test/", ""), 60);
    CHECK_INT(run_words("curl -sS --cacert stranger.pem --connect-to ::127.0.0.1:%p https://box.test/", ""), 60);
    CHECK_TEXT(slice_str(last_why), LIT("the peer does not trust our certificate"));
    CHECK(run_words("curl -sS http://127.0.0.1:%p/", "") != 0);
    CHECK_TEXT(slice_str(last_why), LIT("the peer speaks plain HTTP where TLS is spoken"));
    end_serving();
}

/* --- we go to openssl --- */

/* Starts a server in the folder; its port from what it prints; 0: it did not start. */
static pid_t start_openssl(const char *const *args, int *out_fd) {
    int out[2];
    pid_t pid = 0;
    char text[500];
    size_t got = 0;
    posix_spawn_file_actions_t actions;
    if (pipe2(out, O_CLOEXEC)) return 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    posix_spawn_file_actions_addchdir_np(&actions, play_folder);
    if (posix_spawnp(&pid, args[0], &actions, NULL, (char **)(uintptr_t)args, environ)) pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    port = 0;
    while (pid && !port && got < sizeof text - 1) {
        struct pollfd p = {.fd = out[0], .events = POLLIN};
        ssize_t n = poll(&p, 1, 10000) == 1 ? read(out[0], text + got, sizeof text - 1 - got) : 0;
        if (n <= 0) break;
        got += (size_t)n;
        text[got] = 0;
        const char *line = strstr(text, "ACCEPT 127.0.0.1:");
        if (line && strchr(line, '\n')) port = (int)strtol(line + 17, NULL, 10);
    }
    *out_fd = out[0];
    return pid;
}

/* A line to it, and what comes back: openssl turns lines around with -rev. */
static void visit_openssl(struct end *c, const char *host, const char *protocol) {
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0 || errno == EINPROGRESS);
    struct stream_filter *f = tls_connect(client, slice_str(host), protocol, &err);
    *c = (struct end){.s = {.call = end_heard, .name = "end"}};
    buf_init(&c->got, END_MAX);
    if (!CHECK(f) || !CHECK(stream_start(&c->s, loop, fd, true, END_MAX, END_MAX, &err))) return;
    stream_filter(&c->s, f);
    CHECK(stream_write(&c->s, LIT("hello box\n")));
    for (int i = 0; i < 2000 && !c->gone && !c->end && c->got.len < 10; i++) loop_turn(loop, 5);
}

/* With a goodbye: openssl forgets the session of a connection that was cut. */
static void leave_openssl(struct end *c) {
    stream_close(&c->s);
    for (int i = 0; i < 20; i++) loop_turn(loop, 1);
    end_release(c);
}

static void stop_openssl(pid_t pid, int fd) {
    if (!pid) return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(fd);
}

TEST(our_client_talks_to_openssl) {
    PLAY_NEEDS_OPENSSL();
    static const struct {
        const char *cert, *key, *cipher, *groups, *host, *suite;
    } cases[] = {
        {"box", "box.key", "ECDHE-ECDSA-AES128-GCM-SHA256", "X25519", "box.test", "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"box", "box.key", "ECDHE-ECDSA-AES256-GCM-SHA384", "P-256", "box.test", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"box", "box.key", "ECDHE-ECDSA-CHACHA20-POLY1305", "P-384", "a.box.test", "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {"rsa", "rsa.key", "ECDHE-RSA-AES128-GCM-SHA256", "P-521", "rsa.test", "ECDHE-RSA-AES128-GCM-SHA256"},
        {"rsa", "rsa.key", "ECDHE-RSA-CHACHA20-POLY1305", "X25519", "rsa.test", "ECDHE-RSA-CHACHA20-POLY1305"},
        {"big", "big.key", "ECDHE-ECDSA-AES256-GCM-SHA384", "P-256", "big.test", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"weak", "weak.key", "ALL:@SECLEVEL=0", "X25519", "weak.test", NULL},
        {"rsa", "rsa.key", "AES128-GCM-SHA256", "X25519", "rsa.test", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char pem[40];
        int out;
        snprintf(pem, sizeof pem, "%s.pem", cases[i].cert);
        const char *const args[] = {"openssl",     "s_server",
                                    "-accept",     "127.0.0.1:0",
                                    "-cert",       pem,
                                    "-cert_chain", i < 3 ? "middle.pem" : "root.pem",
                                    "-key",        cases[i].key,
                                    "-rev",        "-tls1_2",
                                    "-cipher",     cases[i].cipher,
                                    "-groups",     cases[i].groups,
                                    "-alpn",       "http/1.1",
                                    "-no_ticket",  NULL};
        pid_t pid = start_openssl(args, &out);
        if (!CHECK(pid && port)) return;
        loop = loop_new(&err);
        trust_root("root.pem");
        for (int k = 0; k < 2; k++) {
            struct end c;
            visit_openssl(&c, cases[i].host, "http/1.1");
            if (cases[i].suite) {
                CHECK_TEXT(buf_slice(&c.got), LIT("xob olleh\n"));
                CHECK_TEXT(slice_str(c.s.filter ? tls_cipher(c.s.filter) : ""), slice_str(cases[i].suite));
                CHECK_TEXT(c.s.filter ? tls_protocol(c.s.filter) : LIT(""), LIT("http/1.1"));
                CHECK_INT(c.s.filter && tls_is_resumed(c.s.filter), k);
            } else {
                CHECK_INT(c.open, 0);
                CHECK_TEXT(slice_str(c.s.why.text ? c.s.why.text : ""),
                           i == 6 ? LIT("a key in the peer's certificates is too weak")
                                  : LIT("the peer has no cipher, curve or signature in common with us"));
            }
            leave_openssl(&c);
        }
        finish();
        stop_openssl(pid, out);
    }
}

TEST(our_client_refuses_other_versions_of_openssl) {
    PLAY_NEEDS_OPENSSL();
    static const char *const versions[] = {"-tls1_3", "-tls1_1"};
    for (int i = 0; i < 2; i++) {
        int out;
        const char *const args[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",   "rsa.pem",
                                    "-key",    "rsa.key",  "-rev",    versions[i],   "-cipher", "ALL:@SECLEVEL=0",
                                    NULL};
        pid_t pid = start_openssl(args, &out);
        if (!CHECK(pid && port)) return;
        loop = loop_new(&err);
        trust_root("root.pem");
        struct end c;
        visit_openssl(&c, "rsa.test", NULL);
        CHECK_INT(c.open, 0);
        /* One that knows only 1.1 has no cipher for us to begin with. */
        CHECK_TEXT(slice_str(c.s.why.text ? c.s.why.text : ""),
                   i ? LIT("the peer has no cipher, curve or signature in common with us")
                     : LIT("the peer wants another version of TLS than 1.2"));
        end_release(&c);
        finish();
        stop_openssl(pid, out);
    }
}

TAP_MAIN(T(openssl_reads_our_answers_with_every_suite_and_curve), T(other_versions_are_refused_with_the_right_alert),
         T(openssl_refuses_what_is_wrong_and_says_so), T(openssl_resumes_five_times), T(curl_is_served),
         T(our_client_talks_to_openssl), T(our_client_refuses_other_versions_of_openssl))
