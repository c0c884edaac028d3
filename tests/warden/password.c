/* password.c - hashes made here and elsewhere, tampered with, too costly, and none at all. */
#include "warden/password.h"

#include "lib/tap.h"

#include <sodium/core.h>
#include <sodium/crypto_pwhash.h>
#include <stdio.h>

#define COST (UINT64_C(1) << 20)

static struct err err;

static bool verify(const char *hash, const char *password, uint64_t memory, struct password_answer *a) {
    err = (struct err)ERR_INIT;
    *a = (struct password_answer){0};
    return password_verify(slice_str(hash), slice_str(password), memory, a, &err);
}

TEST(memory_is_an_eighth_of_the_board_but_never_more_than_64_MiB) {
    CHECK_INT(password_memory(UINT64_C(64) << 20), 8 << 20);
    CHECK_INT(password_memory(UINT64_C(512) << 20), 64 << 20);
    CHECK_INT(password_memory(UINT64_C(8) << 30), 64 << 20);
    CHECK_INT(password_memory((UINT64_C(64) << 20) + 5000), 8 << 20); /* whole KiB */
    CHECK(password_memory(0) >= crypto_pwhash_MEMLIMIT_MIN);
}

TEST(a_hash_verifies_its_password_only) {
    char hash[PASSWORD_HASH], other[PASSWORD_HASH];
    struct password_answer a;
    CHECK(password_prepare(&err));
    CHECK(password_hash(LIT("Pa55w\xc3\xb6rd"), COST, hash, &err));
    CHECK(password_hash(LIT("Pa55w\xc3\xb6rd"), COST, other, &err));
    CHECK(strcmp(hash, other) != 0); /* salted */
    CHECK(strstr(hash, "$argon2id$v=19$m=1024,t=3,p=1$") == hash);
    CHECK(verify(hash, "Pa55w\xc3\xb6rd", COST, &a) && a.good && !a.again);
    CHECK(verify(other, "Pa55w\xc3\xb6rd", COST, &a) && a.good && !a.again);
    CHECK(verify(hash, "Pa55w\xc3\xb6r", COST, &a) && !a.good && !a.again);
    CHECK(verify(hash, "pa55w\xc3\xb6rd", COST, &a) && !a.good);
    size_t len = strlen(hash);
    for (size_t i = 31; i < len;
         i++) { /* salt and sum: every character counts; the last of each also in bits that say nothing */
        char tampered[PASSWORD_HASH];
        memcpy(tampered, hash, sizeof tampered);
        tampered[i] = tampered[i] == 'A' ? 'B' : 'A';
        bool answered = verify(tampered, "Pa55w\xc3\xb6rd", COST, &a);
        CHECK(!answered || !a.good);
    }
}

TEST(hashes_from_elsewhere_verify_and_are_to_be_made_anew) {
    char weak[crypto_pwhash_STRBYTES], elder[crypto_pwhash_STRBYTES];
    struct password_answer a;
    CHECK(crypto_pwhash_str(weak, "x", 1, 1, 1 << 20) == 0);
    CHECK(verify(weak, "x", COST, &a) && a.good && a.again); /* fewer passes */
    CHECK(crypto_pwhash_str(weak, "x", 1, 3, 64 << 10) == 0);
    CHECK(verify(weak, "x", COST, &a) && a.good && a.again); /* less memory */
    CHECK(verify(weak, "y", COST, &a) && !a.good && !a.again);
    CHECK(crypto_pwhash_str_alg(elder, "x", 1, 3, 1 << 20, crypto_pwhash_ALG_ARGON2I13) == 0);
    CHECK(verify(elder, "x", COST, &a) && a.good && a.again); /* Argon2i */
}

/* Made by the reference program (argon2 of Debian: echo -n password | argon2 somesalt -id -t 2 -k 256 -p 1 -l 32, as the tests of its
 * source list it). */
TEST(the_reference_vector_verifies) {
    struct password_answer a;
    static const char hash[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    CHECK(verify(hash, "password", COST, &a) && a.good && a.again);
    CHECK(verify(hash, "passwore", COST, &a) && !a.good);
    static const char lanes[] = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    CHECK(verify(lanes, "password", COST, &a) && a.good && a.again);
}

TEST(a_hash_that_wants_more_than_the_board_gives_says_so_and_how_to_reset) {
    struct password_answer a;
    CHECK(!verify("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password",
                  8 << 20, &a));
    CHECK_INT(err.code, ERR_NOMEM);
    CHECK(strstr(err.text, "64 MiB") && strstr(err.text, "8 MiB") && strstr(err.text, "reset-password"));
    CHECK(!verify("$argon2id$v=19$m=8,t=4294967295,p=1$c29tZXNhbHQ$AAAA", "password", COST, &a));
    CHECK(strstr(err.text, "reset-password") != NULL);
    CHECK(!verify("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AAAA", "password", COST, &a));
    CHECK(!verify("$argon2id$v=19$m=8,t=1,p=16777215$c29tZXNhbHQ$AAAA", "password", COST, &a));
}

TEST(what_is_no_hash_is_an_error_and_never_good) {
    static const char *const none[] = {"",
                                       "x",
                                       "$",
                                       "$argon2id$",
                                       "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$AAAA",
                                       "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$AAAA",
                                       "$argon2id$v=19$m=0,t=2,p=1$c29tZXNhbHQ$AAAA",
                                       "$argon2id$v=19$m=-1,t=2,p=1$c29tZXNhbHQ$AAAA",
                                       "$argon2id$v=19$m=99999999999999999999,t=2,p=1$c29tZXNhbHQ$AAAA",
                                       "$argon2id$v=19$t=2,m=256,p=1$c29tZXNhbHQ$AAAA",
                                       "$argon2id$v=19$m=256,t=2$c29tZXNhbHQ$AAAA",
                                       "$argon2id$v=19$m=256,t=2,p=1$",
                                       "$2b$12$abcdefghijklmnopqrstuv"};
    struct password_answer a;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        CHECK(!verify(none[i], "password", COST, &a));
        CHECK(strstr(err.text, "reset-password") != NULL);
    }
    /* Looks like one as far as its cost; the rest is rubbish. */
    CHECK(verify("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$", "password", COST, &a) && !a.good);
    CHECK(verify("$argon2id$v=19$m=256,t=2,p=1$!!!!$AAAA", "password", COST, &a) && !a.good);
    char longer[300];
    memset(longer, 'A', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    memcpy(longer, "$argon2id$v=19$m=256,t=2,p=1$", 29);
    CHECK(!verify(longer, "password", COST, &a));
}

TEST(passwords_have_1_to_1024_bytes) {
    static uint8_t bytes[1025];
    memset(bytes, 'x', sizeof bytes);
    char hash[PASSWORD_HASH];
    struct password_answer a;
    CHECK(!password_hash(slice_of(bytes, 0), COST, hash, &err));
    CHECK(!password_hash(slice_of(bytes, 1025), COST, hash, &err));
    CHECK(password_hash(slice_of(bytes, 1024), COST, hash, &err));
    CHECK(password_verify(slice_str(hash), slice_of(bytes, 1024), COST, &a, &err) && a.good);
    CHECK(password_verify(slice_str(hash), slice_of(bytes, 1023), COST, &a, &err) && !a.good);
    CHECK(!password_verify(slice_str(hash), slice_of(bytes, 1025), COST, &a, &err));
    CHECK(password_hash(slice_of("a\0b", 3), COST, hash, &err)); /* bytes, not a C string */
    CHECK(password_verify(slice_str(hash), slice_of("a\0c", 3), COST, &a, &err) && !a.good);
}

TAP_MAIN(T(memory_is_an_eighth_of_the_board_but_never_more_than_64_MiB), T(a_hash_verifies_its_password_only),
         T(hashes_from_elsewhere_verify_and_are_to_be_made_anew), T(the_reference_vector_verifies),
         T(a_hash_that_wants_more_than_the_board_gives_says_so_and_how_to_reset),
         T(what_is_no_hash_is_an_error_and_never_good), T(passwords_have_1_to_1024_bytes))
