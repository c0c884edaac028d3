/* x509_play.h - what the tests of certificates share: fixed keys, an authority as the box has one, and the `openssl` command in
 * a folder of its own, which is gone when the program ends. Without it the tests that need it are skipped, loudly. */
#ifndef TESTS_X509_PLAY_H
#define TESTS_X509_PLAY_H

#include "base/hex.h"
#include "lib/tap.h"
#include "protocols/x509.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* --- openssl --- */

static char play_folder[32];

/* Runs a program in the folder; what it says (both ways) goes to the file "said". Its exit code; 127: it is not there. */
static inline int play_run(const char *const *args) {
    pid_t pid;
    int status;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, play_folder);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "said", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int bad = posix_spawnp(&pid, args[0], &actions, NULL, (char **)(uintptr_t)args, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (bad || waitpid(pid, &status, 0) != pid) return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
#define PLAY_RUN(...) play_run((const char *const[]){__VA_ARGS__, NULL})

static inline void play_write(const char *name, struct slice text) {
    char path[80];
    snprintf(path, sizeof path, "%s/%s", play_folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(text.ptr, 1, text.len, f) != text.len || fclose(f)) abort();
}

/* A file of the folder; tap_free it. */
static inline struct slice play_read(const char *name) {
    char path[80];
    snprintf(path, sizeof path, "%s/%s", play_folder, name);
    return tap_file(path);
}

static inline bool play_has(struct slice text, const char *part) {
    if (memmem(text.ptr, text.len, part, strlen(part))) return true;
    tap_note("not there: %s", part);
    tap_note("%.*s", (int)text.len, (const char *)text.ptr);
    return false;
}

/* Whether what the last program said has this in it. */
static inline bool play_said(const char *part) {
    struct slice said = play_read("said");
    bool good = play_has(said, part);
    tap_free(said);
    return good;
}

static inline void play_end(void) {
    if (play_folder[0]) PLAY_RUN("rm", "-rf", play_folder);
}

static inline bool play_begin(void) {
    if (!play_folder[0]) {
        snprintf(play_folder, sizeof play_folder, "/tmp/startbox-x509-XXXXXX");
        if (!mkdtemp(play_folder)) abort();
        atexit(play_end);
    }
    return PLAY_RUN("openssl", "version") == 0;
}
#define PLAY_NEEDS_OPENSSL()                                                                                           \
    do {                                                                                                               \
        if (!play_begin()) {                                                                                           \
            tap_skip("openssl is not there");                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* --- certificates --- */

static const struct x509_limits play_limits = {.bytes = 1 << 16, .extensions = 64, .alts = 1000};
static const struct pem_limits play_pem = {.bytes = 1 << 16, .blocks = 100};

#define NOW  1790000000 /* 2026-09-21 */
#define DAYS 86400

/* A key of no secret: 32 times the same byte. */
static inline struct x509_key play_key(uint8_t byte) {
    uint8_t secret[X509_SECRET];
    struct x509_key key;
    memset(secret, byte, sizeof secret);
    CHECK(x509_key_set(&key, secret, NULL));
    return key;
}
static inline struct slice play_point(const struct x509_key *key) {
    return slice_of(key->point, X509_POINT);
}

static inline void play_pem_file(const char *name, struct slice der) {
    struct buf text;
    buf_init(&text, 1 << 17);
    CHECK(pem_write(&text, LIT("CERTIFICATE"), der, NULL));
    play_write(name, buf_slice(&text));
    buf_release(&text);
}

/* The first block of a PEM file, its bytes appended to der. */
static inline bool play_read_pem(const char *name, struct buf *der) {
    struct pem p;
    struct pem_block block;
    struct slice text = play_read(name);
    pem_init(&p, &play_pem);
    bool good = pem_feed(&p, text, &block, NULL).step == STEP_EVENT && buf_add(der, block.bytes);
    pem_release(&p);
    tap_free(text);
    return good;
}

/* Root, intermediate and leaf as a box makes them. */
struct play_chain {
    struct x509_key root_key, middle_key, leaf_key;
    struct buf root_der, middle_der, leaf_der;
    struct x509 root, middle, leaf;
    struct x509_want root_want, middle_want, leaf_want;
};

static const struct x509_alt play_alts[] = {
    {X509_ALT_DNS, LIT_INIT("adjective-noun.local")},
    {X509_ALT_DNS, LIT_INIT("box.example.org")},
    {X509_ALT_IP, LIT_INIT("\xc0\xa8\x01\x02")},
    {X509_ALT_IP, LIT_INIT("\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")},
};

static inline bool play_make(struct buf *der, struct x509 *cert, const struct x509_want *want,
                             const struct x509_key *key, struct err *e) {
    return x509_write(der, want, key, e) && x509_read(cert, buf_slice(der), &play_limits, e);
}

static inline bool play_chain_make(struct play_chain *c, struct err *e) {
    const unsigned signs = X509_USAGE_SIGNATURE | X509_USAGE_SIGN_CRL | X509_USAGE_SIGN_CERT;
    memset(c, 0, sizeof *c);
    buf_init(&c->root_der, 1 << 16);
    buf_init(&c->middle_der, 1 << 16);
    buf_init(&c->leaf_der, 1 << 16);
    c->root_key = play_key(1), c->middle_key = play_key(2), c->leaf_key = play_key(3);
    c->root_want = (struct x509_want){
        .serial = LIT("\x00\x80\x01\x02\x03\x04\x05\x06"),
        .subject = {.common_name = LIT("adjective-noun Local Root CA"),
                    .organization = LIT("Start9"),
                    .unit = LIT("StartOS")},
        .not_before = NOW - DAYS,
        .not_after = NOW + (int64_t)3640 * DAYS,
        .point = play_point(&c->root_key),
        .is_ca = true,
        .path_length = -1,
        .usage = signs,
        .authority = X509_BY_SERIAL,
    };
    c->middle_want = c->root_want;
    c->middle_want.serial = LIT("\x11\x12\x13\x14\x15\x16\x17\x18");
    c->middle_want.issuer = &c->root;
    c->middle_want.subject.common_name = LIT("StartOS Local Intermediate CA");
    c->middle_want.point = play_point(&c->middle_key);
    c->middle_want.path_length = 0;
    c->middle_want.authority = X509_BY_KEY | X509_BY_SERIAL;
    c->leaf_want = (struct x509_want){
        .serial = LIT("\x21\x22\x23\x24\x25\x26\x27\x28"),
        .issuer = &c->middle,
        .subject = {.common_name = LIT("adjective-noun.local"), .organization = LIT("Start9"), .unit = LIT("StartOS")},
        .not_before = NOW - DAYS,
        .not_after = NOW + (int64_t)397 * DAYS,
        .point = play_point(&c->leaf_key),
        .path_length = -1,
        .usage = X509_USAGE_SIGNATURE | X509_USAGE_ENCIPHER_KEY,
        .alts = play_alts,
        .alts_n = 4,
        .authority = X509_BY_KEY,
    };
    return play_make(&c->root_der, &c->root, &c->root_want, &c->root_key, e) &&
           play_make(&c->middle_der, &c->middle, &c->middle_want, &c->root_key, e) &&
           play_make(&c->leaf_der, &c->leaf, &c->leaf_want, &c->middle_key, e);
}

static inline void play_chain_release(struct play_chain *c) {
    buf_release(&c->root_der);
    buf_release(&c->middle_der);
    buf_release(&c->leaf_der);
}

#endif
