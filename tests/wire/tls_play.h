/* tls_play.h - what the tests of TLS share: certificates made with `openssl`, two streams that talk over a socketpair, a relay
 * between them that cuts, changes and stops, and a bare BearSSL client that is driven by hand.
 *
 * Certificates are made once a program in a folder of its own, which is gone when the program ends. Without `openssl` the
 * tests that need them are skipped, loudly: PLAY_NEEDS_OPENSSL. */
#ifndef TESTS_TLS_PLAY_H
#define TESTS_TLS_PLAY_H

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "lib/tap.h"
#include "wire/tls.h"

#include <bearssl.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* --- programs --- */

static char play_folder[64];

/* Runs a program in the folder with its output thrown away; its exit code, 127 when it is not there. */
static inline int play_run(const char *const *args) {
    pid_t pid;
    int status;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, play_folder[0] ? play_folder : "/");
    int bad = posix_spawnp(&pid, args[0], &actions, NULL, (char **)(uintptr_t)args, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (bad || waitpid(pid, &status, 0) != pid) return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
#define PLAY_RUN(...) play_run((const char *const[]){__VA_ARGS__, NULL})

static inline bool play_has(const char *program) {
    return PLAY_RUN(program, strcmp(program, "curl") ? "version" : "--version") == 0;
}

/* --- files of the folder --- */

static inline void play_write(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", play_folder, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) abort();
}

/* The text of a file; all of them live until the program ends. */
static inline struct slice play_read(const char *name) {
    static struct {
        char name[40];
        struct slice text;
    } read[64];
    char path[128];
    int i = 0;
    while (i < 63 && read[i].name[0] && strcmp(read[i].name, name)) i++;
    if (read[i].name[0]) return read[i].text;
    snprintf(path, sizeof path, "%s/%s", play_folder, name);
    snprintf(read[i].name, sizeof read[i].name, "%s", name);
    return read[i].text = tap_file(path);
}

static inline void play_end(void) {
    if (play_folder[0]) PLAY_RUN("rm", "-rf", play_folder);
}

/* --- certificates --- */

/* name.key and name.pem, signed by `issuer` (NULL: by itself); name.chain: with the issuer's chain behind it. */
static inline bool play_certificate(const char *name, const char *issuer, const char *kind, const char *subject,
                                    const char *extensions) {
    char key[40], req[40], pem[40], ext[40], ca[40], ca_key[40], chain[40], sub[80];
    snprintf(key, sizeof key, "%s.key", name);
    snprintf(req, sizeof req, "%s.req", name);
    snprintf(pem, sizeof pem, "%s.pem", name);
    snprintf(ext, sizeof ext, "%s.ext", name);
    snprintf(chain, sizeof chain, "%s.chain", name);
    snprintf(sub, sizeof sub, "/CN=%s", subject);
    snprintf(ca, sizeof ca, "%s.pem", issuer ? issuer : name);
    snprintf(ca_key, sizeof ca_key, "%s.key", issuer ? issuer : name);
    play_write(ext, extensions);
    bool rsa = !strncmp(kind, "rsa", 3);
    if (rsa ? PLAY_RUN("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt",
                       strcmp(kind, "rsa1024") ? "rsa_keygen_bits:2048" : "rsa_keygen_bits:1024", "-out", key)
            : PLAY_RUN("openssl", "ecparam", "-name", kind, "-genkey", "-noout", "-out", key))
        return false;
    if (PLAY_RUN("openssl", "req", "-new", "-key", key, "-subj", sub, "-out", req)) return false;
    if (issuer ? PLAY_RUN("openssl", "x509", "-req", "-in", req, "-days", "30", "-CA", ca, "-CAkey", ca_key,
                          "-CAcreateserial", "-extfile", ext, "-out", pem)
               : PLAY_RUN("openssl", "x509", "-req", "-in", req, "-days", "30", "-signkey", key, "-extfile", ext,
                          "-out", pem))
        return false;
    struct buf all;
    buf_init(&all, 1 << 20);
    buf_add(&all, play_read(pem));
    if (issuer && strcmp(issuer, "root")) {
        snprintf(ca, sizeof ca, "%s.chain", issuer);
        buf_add(&all, play_read(ca));
    }
    buf_byte(&all, 0);
    play_write(chain, (const char *)all.ptr);
    buf_release(&all);
    return true;
}

/* False: there is no openssl. */
static inline bool play_begin(void) {
    static int state;
    if (state) return state > 0;
    state = -1;
    if (!play_has("openssl")) return false;
    snprintf(play_folder, sizeof play_folder, "/tmp/startbox-tls-%d", (int)getpid());
    if (mkdir(play_folder, 0700)) abort();
    atexit(play_end);
    const char *ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
    bool good =
        play_certificate("root", NULL, "prime256v1", "Root", ca) &&
        play_certificate("middle", "root", "secp384r1", "Middle", ca) &&
        play_certificate("stranger", NULL, "prime256v1", "Stranger", ca) &&
        play_certificate("box", "middle", "prime256v1", "box", "subjectAltName=DNS:box.test,DNS:*.box.test\n") &&
        play_certificate("rsa", "root", "rsa", "rsa", "subjectAltName=DNS:rsa.test,DNS:both.test\n") &&
        play_certificate("both", "root", "prime256v1", "both", "subjectAltName=DNS:both.test\n") &&
        play_certificate("big", "root", "secp384r1", "big", "subjectAltName=DNS:big.test,DNS:one.box.test\n") &&
        play_certificate("ip", "root", "prime256v1", "ip", "subjectAltName=IP:127.0.0.1,IP:fd00::1,DNS:ip.test\n") &&
        play_certificate("bare", "root", "prime256v1", "bare.test", "keyUsage=digitalSignature\n") &&
        play_certificate("under", "both", "prime256v1", "under", "subjectAltName=DNS:under.test\n") &&
        play_certificate("weak", "root", "rsa1024", "weak", "subjectAltName=DNS:weak.test\n") &&
        play_certificate("self", NULL, "prime256v1", "self", "subjectAltName=DNS:self.test\n");
    if (!good) {
        fprintf(stderr, "openssl makes no certificates here\n");
        exit(1);
    }
    state = 1;
    return true;
}
#define PLAY_NEEDS_OPENSSL()                                                                                           \
    if (!play_begin()) {                                                                                               \
        tap_skip("there is no openssl to make certificates with");                                                     \
        return;                                                                                                        \
    }

static inline struct tls_identity_text play_identity(const char *name) {
    char chain[40], key[40];
    snprintf(chain, sizeof chain, "%s.chain", name);
    snprintf(key, sizeof key, "%s.key", name);
    return (struct tls_identity_text){play_read(chain), play_read(key)};
}

/* --- two ends --- */

struct end {
    struct stream s;
    unsigned open, data, end, drained, gone;
    struct buf got;
    bool echo, close_at_end;
};

static struct loop *loop;
static struct err err;

static inline void end_heard(struct stream *s, enum stream_event event) {
    struct end *end = LOOP_OWNER(struct end, s, s);
    CHECK_INT(end->gone, 0);
    switch (event) {
    case STREAM_OPEN: end->open++; break;
    case STREAM_DATA: {
        struct slice d = stream_data(s);
        end->data++;
        if (!end->echo)
            buf_add(&end->got, d);
        else if (!stream_write(s, d))
            stream_abort(s);
        stream_eat(s, d.len);
        break;
    }
    case STREAM_END:
        end->end++;
        if (end->close_at_end) stream_close(s);
        break;
    case STREAM_DRAINED: end->drained++; break;
    case STREAM_LATE: break;
    case STREAM_GONE: end->gone++; break;
    }
}

static inline void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}

#define END_MAX ((size_t)4 << 20)

/* A stream with that filter over that descriptor; both are the stream's then. */
static inline bool end_start(struct end *end, int fd, struct stream_filter *f) {
    *end = (struct end){.s = {.call = end_heard, .name = "end"}};
    buf_init(&end->got, END_MAX);
    if (!stream_start(&end->s, loop, fd, false, END_MAX, END_MAX, &err)) {
        tls_drop(f);
        end->gone = 1;
        return false;
    }
    stream_filter(&end->s, f);
    return true;
}

static inline void end_release(struct end *end) {
    if (!end->gone) stream_abort(&end->s);
    turns(2);
    CHECK_INT(end->gone, 1);
    buf_release(&end->got);
}

/* --- the relay --- */

/* Carries bytes between two descriptors, from a to b (way 0) and back (way 1). */
struct relay {
    int fd[2];
    size_t step;       /* bytes a turn at most; 0: whatever comes */
    uint64_t seed;     /* not 0: random steps up to `step` */
    size_t flip_at[2]; /* the byte with this number is changed (counted from 1; 0: none) */
    size_t stop_at[2]; /* behind so many the way is dead; 0: never */
    size_t moved[2];
    bool over[2];
    struct buf seen[2]; /* what passed */
};

static inline void relay_init(struct relay *r, int a, int b) {
    *r = (struct relay){.fd = {a, b}};
    buf_init(&r->seen[0], END_MAX);
    buf_init(&r->seen[1], END_MAX);
}

static inline void relay_turn(struct relay *r) {
    uint8_t bytes[4096];
    for (int way = 0; way < 2; way++) {
        size_t n = r->step && r->step < sizeof bytes ? r->step : sizeof bytes;
        if (r->seed) n = 1 + (r->seed = r->seed * 6364136223846793005u + 1442695040888963407u) / 7 % n;
        if (r->stop_at[way] && n > r->stop_at[way] - r->moved[way]) n = r->stop_at[way] - r->moved[way];
        if (r->over[way] || !n) continue;
        ssize_t got = recv(r->fd[way], bytes, n, MSG_PEEK | MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            r->over[way] = true;
            shutdown(r->fd[1 - way], SHUT_WR);
        }
        if (got <= 0) continue;
        size_t flip = r->flip_at[way];
        if (flip > r->moved[way] && flip <= r->moved[way] + (size_t)got) bytes[flip - r->moved[way] - 1] ^= 0x10;
        ssize_t sent = send(r->fd[1 - way], bytes, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) continue;
        buf_add(&r->seen[way], slice_of(bytes, (size_t)sent));
        r->moved[way] += (size_t)sent;
        CHECK_INT(recv(r->fd[way], bytes, (size_t)sent, 0), sent);
    }
}

static inline void relay_release(struct relay *r) {
    for (int i = 0; i < 2; i++) {
        if (r->fd[i] >= 0) close(r->fd[i]);
        buf_release(&r->seen[i]);
    }
}

static inline bool play_pair(int fd[2], int send_buffer) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd)) return false;
    for (int i = 0; i < 2 && send_buffer; i++)
        setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    return true;
}

/* --- a bare BearSSL client, driven against a filter by its doors --- */

struct bare {
    br_ssl_client_context ctx;
    br_x509_knownkey_context known;
    br_x509_decoder_context leaf;
    unsigned char in[BR_SSL_BUFSIZE_INPUT], out[BR_SSL_BUFSIZE_OUTPUT];
    struct buf from_server; /* raw */
    const char *names[2];
};

/* Takes any certificate at its word: what is tried is the server. */
static inline struct bare *bare_new(const char *identity) {
    struct bare *b = calloc(1, sizeof *b);
    br_x509_minimal_context minimal;
    br_pem_decoder_context pem;
    struct slice text = play_identity(identity).chain;
    if (!b) abort();
    br_ssl_client_init_full(&b->ctx, &minimal, NULL, 0);
    br_ssl_engine_set_versions(&b->ctx.eng, BR_TLS12, BR_TLS12);
    br_x509_decoder_init(&b->leaf, NULL, NULL);
    br_pem_decoder_init(&pem);
    br_pem_decoder_setdest(&pem, (void (*)(void *, const void *, size_t))br_x509_decoder_push, &b->leaf);
    while (text.len && br_pem_decoder_event(&pem) != BR_PEM_END_OBJ)
        text = slice_skip(text, br_pem_decoder_push(&pem, text.ptr, text.len));
    br_x509_pkey *key = br_x509_decoder_get_pkey(&b->leaf);
    if (!key) abort();
    if (key->key_type == BR_KEYTYPE_EC)
        br_x509_knownkey_init_ec(&b->known, &key->key.ec, BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX);
    else
        br_x509_knownkey_init_rsa(&b->known, &key->key.rsa, BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX);
    br_ssl_engine_set_x509(&b->ctx.eng, &b->known.vtable);
    buf_init(&b->from_server, 1 << 20);
    return b;
}

static inline void bare_reset(struct bare *b, const char *name, const char *protocol, bool resume) {
    br_ssl_engine_set_buffers_bidi(&b->ctx.eng, b->in, sizeof b->in, b->out, sizeof b->out);
    b->names[0] = protocol;
    br_ssl_engine_set_protocol_names(&b->ctx.eng, b->names, protocol ? 1 : 0);
    if (!br_ssl_client_reset(&b->ctx, name, resume)) abort();
    buf_reset(&b->from_server);
}

static inline void bare_free(struct bare *b) {
    buf_release(&b->from_server);
    free(b);
}

/* Moves bytes both ways until nothing moves any more; a turn of the loop whenever the server wants one. */
static inline void bare_talk(struct bare *b, struct stream_filter *f) {
    br_ssl_engine_context *c = &b->ctx.eng;
    for (int idle = 0; idle < 3;) {
        size_t n, room;
        uint8_t *from, *to;
        idle++;
        while ((from = br_ssl_engine_sendrec_buf(c, &n)) && (to = f->ops->raw_room(f, &room)) && room) {
            if (n > room) n = room;
            memcpy(to, from, n);
            f->ops->raw_came(f, n);
            br_ssl_engine_sendrec_ack(c, n);
            idle = 0;
        }
        struct slice raw;
        while ((raw = f->ops->raw_out(f)).len && (to = br_ssl_engine_recvrec_buf(c, &room))) {
            raw = slice_head(raw, room);
            memcpy(to, raw.ptr, raw.len);
            buf_add(&b->from_server, raw);
            f->ops->raw_sent(f, raw.len);
            br_ssl_engine_recvrec_ack(c, raw.len);
            idle = 0;
        }
        turns(1);
    }
}

static inline bool bare_is_up(const struct bare *b) {
    return br_ssl_engine_current_state(&b->ctx.eng) & BR_SSL_SENDAPP;
}

/* --- a server and a client of ours --- */

static struct tls_server *server;
static struct tls_client *client;

static inline void make_server(const struct tls_server_limits *limits, const char *const *names, unsigned n) {
    struct tls_identity_text text[8];
    loop = loop_new(&err);
    server = tls_server_new(loop, limits, &err);
    for (unsigned i = 0; i < n; i++) text[i] = play_identity(names[i]);
    if (n) CHECK(tls_server_certificates(server, text, n, &err));
}
#define SERVER(...)                                                                                                    \
    make_server(NULL, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static inline void trust_root(const char *name) {
    struct tls_trust trust = {.roots = play_read(name), .clock_trusted = true};
    client = tls_client_new(loop, &trust, &err);
    if (!CHECK(client)) tap_note("%s", err.text);
}

static inline void finish(void) {
    tls_client_free(client);
    tls_server_free(server);
    client = NULL;
    server = NULL;
    turns(1);
    loop_free(loop);
}

/* A connection between both sides, through a relay when one is given (its descriptors are set here). */
static inline bool connect_both(struct end *c, struct end *s, struct relay *r, const char *host, const char *protocol,
                                int buffer) {
    int a[2], b[2];
    if (!CHECK(play_pair(a, buffer))) return false;
    if (r) {
        if (!CHECK(play_pair(b, buffer))) return false;
        relay_init(r, a[1], b[0]);
    }
    struct stream_filter *cf = tls_connect(client, slice_str(host), protocol, &err);
    struct stream_filter *sf = tls_accept(server, &err);
    if (!CHECK(cf && sf)) return false;
    return end_start(c, a[0], cf) && end_start(s, r ? b[1] : a[1], sf);
}

static inline bool is_settled(const struct end *e) {
    return e->open || e->gone || e->end;
}

static inline void run(struct relay *r, unsigned n) {
    while (n--) {
        if (r) relay_turn(r);
        loop_turn(loop, 0);
    }
}

/* Until both sides stand, or have given up. */
static inline void shake(struct end *c, struct end *s, struct relay *r) {
    for (int i = 0; i < 100000 && !(is_settled(c) && is_settled(s)); i++) run(r, 1);
    run(r, 5);
}

/* --- time --- */

/* A clock that can be set forward. */
static int64_t mono_ahead_us, wall_ahead_us;
static inline int64_t tell_mono(void *arg) {
    (void)arg;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + mono_ahead_us;
}
static inline int64_t tell_wall(void *arg) {
    (void)arg;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + wall_ahead_us;
}
static const struct clock_source clock_ahead __attribute__((unused)) = {tell_mono, tell_wall, NULL};
#define HOUR_US ((int64_t)3600 * 1000000)

#endif
