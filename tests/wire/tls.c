/* tls.c - TLS between our own two sides: bytes, sessions, ends, limits, memory. */
#include "tls_play.h"

#include "lib/faults.h"
#include "wire/tls_room.h"

/* --- bytes --- */

static uint8_t block[1 << 20];

static void fill_block(void) {
    rng_use_seed(7);
    rng_bytes(block, sizeof block);
    rng_use_seed(0);
}

TEST(bytes_cross_both_ways_whatever_their_number) {
    PLAY_NEEDS_OPENSSL();
    static const size_t sizes[] = {1, 2, 100, 4096, 16383, 16384, 16385, 40000, sizeof block};
    fill_block();
    SERVER("box");
    trust_root("root.pem");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct end c, s;
        if (!connect_both(&c, &s, NULL, "box.test", NULL, 4096)) return;
        /* Before the handshake; the other way behind it. */
        CHECK(stream_write(&c.s, slice_of(block, sizes[i])));
        shake(&c, &s, NULL);
        CHECK(stream_write(&s.s, slice_of(block, sizes[i])));
        for (int k = 0; k < 20000 && (s.got.len < sizes[i] || c.got.len < sizes[i]); k++) turns(1);
        CHECK(slice_eq(buf_slice(&s.got), slice_of(block, sizes[i])));
        CHECK(slice_eq(buf_slice(&c.got), slice_of(block, sizes[i])));
        CHECK_INT(c.open, 1);
        CHECK_INT(s.open, 1);
        CHECK(c.s.own.ptr == NULL && s.s.own.ptr == NULL);
        end_release(&c);
        end_release(&s);
    }
    finish();
}

/* A megabyte echoed by a server whose peer is slow to read: what waits moves out of the shared buffer, while another
 * connection uses it. */
TEST(connections_that_wait_do_not_disturb_one_another_in_the_shared_buffer) {
    PLAY_NEEDS_OPENSSL();
    fill_block();
    SERVER("box");
    trust_root("root.pem");
    enum { N = 4 };
    struct end c[N], s[N];
    struct relay r[N];
    for (int i = 0; i < N; i++) {
        if (!connect_both(&c[i], &s[i], &r[i], "box.test", NULL, 8192)) return;
        r[i].step = 1000 + 700 * (size_t)i;
        s[i].echo = true;
    }
    for (int i = 0; i < N; i++) CHECK(stream_write(&c[i].s, slice_of(block + 1000 * i, 300000)));
    for (int k = 0; k < 40000; k++) {
        bool done = true;
        for (int i = 0; i < N; i++) {
            relay_turn(&r[i]);
            done &= c[i].got.len >= 300000;
        }
        turns(1);
        if (done) break;
    }
    for (int i = 0; i < N; i++) {
        CHECK(slice_eq(buf_slice(&c[i].got), slice_of(block + 1000 * i, 300000)));
        end_release(&c[i]);
        end_release(&s[i]);
        relay_release(&r[i]);
    }
    finish();
}

TEST(any_cut_of_the_bytes_means_the_same) {
    PLAY_NEEDS_OPENSSL();
    fill_block();
    SERVER("box");
    trust_root("root.pem");
    for (int how = 0; how < 8; how++) {
        struct end c, s;
        struct relay r;
        if (!connect_both(&c, &s, &r, "box.test", "http/1.1", 0)) return;
        r.step = how == 0 ? 1 : how == 1 ? 5 : 1500;
        r.seed = how < 2 ? 0 : (uint64_t)how;
        s.echo = true;
        size_t n = how < 2 ? 3000 : 50000;
        CHECK(stream_write(&c.s, slice_of(block, n)));
        for (int k = 0; k < 100000 && c.got.len < n; k++) run(&r, 1);
        CHECK(slice_eq(buf_slice(&c.got), slice_of(block, n)));
        stream_close(&c.s);
        s.close_at_end = true;
        for (int k = 0; k < 10000 && !(c.gone && s.gone); k++) run(&r, 1);
        CHECK_INT(s.end, 1);
        CHECK(!s.s.cut);
        CHECK_INT(c.s.why.code, ERR_NONE);
        CHECK_INT(s.s.why.code, ERR_NONE);
        end_release(&c);
        end_release(&s);
        relay_release(&r);
    }
    finish();
}

/* --- sessions --- */

TEST(a_second_handshake_with_the_same_host_is_short) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    trust_root("root.pem");
    for (int i = 0; i < 3; i++) {
        struct end c, s;
        if (!connect_both(&c, &s, NULL, i < 2 ? "box.test" : "two.box.test", NULL, 0)) return;
        shake(&c, &s, NULL);
        CHECK_INT(tls_is_resumed(c.s.filter), i == 1);
        CHECK_INT(tls_is_resumed(s.s.filter), i == 1);
        CHECK_TEXT(tls_name(s.s.filter), i < 2 ? LIT("box.test") : LIT("two.box.test"));
        CHECK(stream_write(&c.s, LIT("hello")));
        turns(4);
        CHECK_TEXT(buf_slice(&s.got), LIT("hello"));
        end_release(&c);
        end_release(&s);
    }
    struct tls_counts n = tls_server_counts(server), m = tls_client_counts(client);
    CHECK_INT(n.handshakes, 3);
    CHECK_INT(n.resumed, 1);
    CHECK_INT(n.steps, 4); /* two a full handshake, none a resumed one */
    CHECK_INT(n.failed, 0);
    CHECK_INT(n.open, 0);
    CHECK_INT(m.handshakes, 3);
    CHECK_INT(m.resumed, 1);
    finish();
}

TEST(sessions_that_are_too_many_or_not_wanted_lead_to_full_handshakes) {
    PLAY_NEEDS_OPENSSL();
    static const struct {
        unsigned sessions;
        int resumed;
    } cases[] = {{TLS_NO_SESSIONS, 0}, {1, 0}, {2, 1}};
    static const char *const names[] = {"box"};
    for (int k = 0; k < 3; k++) {
        make_server(&(struct tls_server_limits){.sessions = cases[k].sessions}, names, 1);
        trust_root("root.pem");
        static const char *const hosts[] = {"a.box.test", "b.box.test", "a.box.test"};
        for (int i = 0; i < 3; i++) {
            struct end c, s;
            if (!connect_both(&c, &s, NULL, hosts[i], NULL, 0)) return;
            shake(&c, &s, NULL);
            CHECK_INT(c.open, 1);
            CHECK_INT(tls_is_resumed(c.s.filter), i == 2 && cases[k].resumed);
            end_release(&c);
            end_release(&s);
        }
        finish();
    }
    loop = loop_new(&err);
    CHECK(!tls_server_new(loop, &(struct tls_server_limits){.sessions = 1u << 30}, &err));
    CHECK_TEXT(slice_str(err.limit), LIT("LIMIT_TLS_SESSIONS_MOST"));
    loop_free(loop);
}

TEST(sessions_serve_at_least_16_hours_and_less_than_a_day) {
    PLAY_NEEDS_OPENSSL();
    clock_use(&clock_ahead);
    for (int hours = 0; hours <= 24; hours += hours == 15 ? 9 : 15) {
        SERVER("box");
        struct bare *b = bare_new("box");
        for (int i = 0; i < 2; i++) {
            turns(1);
            struct stream_filter *f = tls_accept(server, &err);
            bare_reset(b, "box.test", NULL, i);
            bare_talk(b, f);
            CHECK(bare_is_up(b));
            CHECK_INT(tls_is_resumed(f), i && hours < 24);
            tls_drop(f);
            mono_ahead_us += hours * HOUR_US;
        }
        bare_free(b);
        finish();
        mono_ahead_us = 0;
    }
    /* And a client offers none that is older than a day: the server would see it. */
    SERVER("box");
    trust_root("root.pem");
    for (int i = 0; i < 2; i++) {
        struct end c, s;
        turns(1);
        if (!connect_both(&c, &s, NULL, "box.test", NULL, 0)) return;
        shake(&c, &s, NULL);
        CHECK(!tls_is_resumed(c.s.filter));
        end_release(&c);
        end_release(&s);
        mono_ahead_us += 25 * HOUR_US;
    }
    finish();
    mono_ahead_us = 0;
    clock_use(NULL);
}

TEST(a_session_is_not_resumed_under_another_name) {
    PLAY_NEEDS_OPENSSL();
    static const struct {
        const char *first, *second;
        bool resumed;
    } cases[] = {{"a.box.test", "a.box.test", true},  {"a.box.test", "A.Box.test", true},
                 {"a.box.test", "b.box.test", false}, {"a.box.test", NULL, false},
                 {NULL, "a.box.test", false},         {NULL, NULL, true}};
    SERVER("box");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bare *b = bare_new("box");
        struct stream_filter *f = tls_accept(server, &err);
        bare_reset(b, cases[i].first, NULL, false);
        bare_talk(b, f);
        CHECK(bare_is_up(b) && !tls_is_resumed(f));
        tls_drop(f);
        f = tls_accept(server, &err);
        bare_reset(b, cases[i].second, NULL, true);
        bare_talk(b, f);
        CHECK(bare_is_up(b));
        CHECK_INT(tls_is_resumed(f), cases[i].resumed);
        tls_drop(f);
        bare_free(b);
    }
    finish();
}

/* --- ends --- */

TEST(a_cut_is_told_from_a_goodbye) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    trust_root("root.pem");
    for (int cut = 0; cut < 2; cut++) {
        struct end c, s;
        struct relay r;
        if (!connect_both(&c, &s, &r, "box.test", NULL, 0)) return;
        shake(&c, &s, &r);
        CHECK(stream_write(&s.s, LIT("the answer")));
        run(&r, 5);
        if (cut)
            stream_abort(&s.s);
        else
            stream_close(&s.s);
        run(&r, 10);
        CHECK_TEXT(buf_slice(&c.got), LIT("the answer"));
        CHECK_INT(c.end, 1);
        CHECK_INT(c.s.cut, cut);
        end_release(&c);
        end_release(&s);
        relay_release(&r);
    }
    finish();
}

TEST(after_a_goodbye_nothing_can_be_written_and_after_half_a_hangup_it_can) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    trust_root("root.pem");
    struct end c, s;
    struct relay r;
    if (!connect_both(&c, &s, &r, "box.test", NULL, 0)) return;
    shake(&c, &s, &r);
    stream_close(&c.s);
    run(&r, 3);
    CHECK_INT(c.gone, 1);
    CHECK_INT(s.end, 1);
    CHECK_INT(s.gone, 0);
    CHECK(!s.s.cut);
    CHECK(stream_write(&s.s, LIT("too late")));
    for (int i = 0; i < 10 && !s.gone; i++) turns(1);
    CHECK_INT(s.gone, 1); /* and not turning for ever over a socket that could be written to */
    CHECK_INT(s.s.why.code, ERR_NETWORK);
    CHECK_TEXT(slice_str(s.s.why.text), LIT("the peer said goodbye before it had everything"));
    end_release(&c);
    end_release(&s);
    relay_release(&r);
    if (!connect_both(&c, &s, &r, "box.test", NULL, 0)) return;
    shake(&c, &s, &r);
    shutdown(r.fd[1], SHUT_WR); /* the client seems to have sent all */
    r.over[0] = true;
    run(&r, 5);
    CHECK_INT(s.end, 1);
    CHECK(s.s.cut);
    CHECK(stream_write(&s.s, LIT("still for you")));
    run(&r, 5);
    CHECK_TEXT(buf_slice(&c.got), LIT("still for you"));
    end_release(&c);
    end_release(&s);
    relay_release(&r);
    finish();
}

TEST(a_handshake_that_is_cut_anywhere_is_no_connection) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    unsigned failed = 0;
    /* How many bytes each way a full handshake has. */
    size_t all[2] = {0, 0};
    for (int way = 0; way < 2; way++) {
        for (size_t at = 0; at == 0 || at < all[way]; at += 1 + at / 7) {
            struct end c, s;
            struct relay r;
            trust_root("root.pem"); /* without a session */
            if (!connect_both(&c, &s, &r, "box.test", NULL, 0)) return;
            r.stop_at[way] = at;
            for (int i = 0; i < 200; i++) {
                run(&r, 1);
                if (at && r.moved[way] == at && !r.over[way]) {
                    r.over[way] = true;
                    shutdown(r.fd[1 - way], SHUT_WR);
                }
            }
            if (!at) {
                all[0] = r.moved[0];
                all[1] = r.moved[1];
                CHECK(c.open && s.open);
            } else {
                failed++;
                CHECK(way ? !c.open && c.s.cut : !s.open && s.s.cut);
            }
            end_release(&c);
            end_release(&s);
            relay_release(&r);
            tls_client_free(client);
            client = NULL;
        }
    }
    tap_note("a handshake is %zu and %zu bytes; cut at %u places", all[0], all[1], failed);
    CHECK(failed > 30);
    finish();
}

/* --- limits --- */

TEST(the_connection_that_was_idle_longest_gives_way) {
    PLAY_NEEDS_OPENSSL();
    static const char *const names[] = {"box"};
    make_server(&(struct tls_server_limits){.connections = 8}, names, 1);
    trust_root("root.pem");
    struct end c[10], s[10];
    for (int i = 0; i < 8; i++) {
        if (!connect_both(&c[i], &s[i], NULL, "box.test", NULL, 0)) return;
        shake(&c[i], &s[i], NULL);
    }
    CHECK(stream_write(&c[0].s, LIT("x"))); /* the first was not idle */
    turns(3);
    CHECK_INT(tls_server_counts(server).open, 8);
    for (int i = 8; i < 10; i++) {
        if (!connect_both(&c[i], &s[i], NULL, "box.test", NULL, 0)) return;
        shake(&c[i], &s[i], NULL);
        CHECK_INT(c[i].open, 1);
    }
    for (int i = 0; i < 10; i++) CHECK_INT(s[i].gone, i == 1 || i == 2);
    struct tls_counts n = tls_server_counts(server);
    CHECK_INT(n.evicted, 2);
    CHECK_INT(n.open, 8);
    CHECK_INT(n.failed, 0);
    for (int i = 0; i < 10; i++) {
        end_release(&c[i]);
        end_release(&s[i]);
    }
    /* Filters without a stream cannot be made to go. */
    struct stream_filter *f[9];
    for (int i = 0; i < 8; i++) CHECK((f[i] = tls_accept(server, &err)) != NULL);
    CHECK(!tls_accept(server, &err));
    CHECK_TEXT(slice_str(err.limit), LIT("LIMIT_TLS_CONNECTIONS"));
    for (int i = 0; i < 8; i++) tls_drop(f[i]);
    finish();
}

TEST(a_flood_of_new_connections_does_not_push_out_those_that_stand) {
    PLAY_NEEDS_OPENSSL();
    static const char *const names[] = {"box"};
    enum { N = 40 };
    make_server(&(struct tls_server_limits){.connections = 16}, names, 1);
    trust_root("root.pem");
    struct end c[8], s[8], flood[N];
    int peer[N];
    for (int i = 0; i < 8; i++) {
        if (!connect_both(&c[i], &s[i], NULL, "box.test", NULL, 0)) return;
        shake(&c[i], &s[i], NULL);
    }
    for (int i = 0; i < N; i++) {
        int fd[2];
        if (!CHECK(play_pair(fd, 0))) return;
        peer[i] = fd[1];
        CHECK(end_start(&flood[i], fd[0], tls_accept(server, &err)));
        CHECK(tls_server_counts(server).shaking <= 16);
        if (i % 4 == 0) turns(1);
    }
    turns(1);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(s[i].gone, 0);
        CHECK_INT(c[i].gone + c[i].end, 0);
    }
    CHECK_INT(tls_server_counts(server).evicted, N - 8);
    for (int i = 0; i < N; i++) {
        close(peer[i]);
        end_release(&flood[i]);
    }
    for (int i = 0; i < 8; i++) {
        end_release(&c[i]);
        end_release(&s[i]);
    }
    finish();
}

TEST(fifty_handshakes_at_once_take_one_expensive_step_a_turn) {
    PLAY_NEEDS_OPENSSL();
    enum { N = 50 };
    static struct end c[N], s[N];
    SERVER("box", "rsa");
    trust_root("root.pem");
    struct tls_client *clients[N]; /* one a connection: their own budget would slow them down otherwise */
    for (int i = 0; i < N; i++) {
        if (i) trust_root("root.pem");
        clients[i] = client;
        if (!connect_both(&c[i], &s[i], NULL, i % 2 ? "box.test" : "rsa.test", NULL, 0)) return;
    }
    uint64_t before = 0;
    for (int k = 0; k < 5000; k++) {
        bool done = true;
        turns(1);
        struct tls_counts n = tls_server_counts(server);
        CHECK(n.steps - before <= 1);
        before = n.steps;
        for (int i = 0; i < N; i++) done &= c[i].open && s[i].open;
        if (done) break;
    }
    struct tls_counts n = tls_server_counts(server);
    CHECK_INT(n.handshakes, N);
    CHECK_INT(n.steps, 2 * N);
    CHECK_INT(n.most_steps, 1);
    for (int i = 0; i < N; i++) {
        CHECK_INT(tls_client_counts(clients[i]).most_steps, 1);
        end_release(&c[i]);
        end_release(&s[i]);
        tls_client_free(clients[i]);
    }
    client = NULL;
    finish();
}

/* --- memory --- */

static size_t resident(void) {
    unsigned long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(an_idle_connection_costs_at_most_26_kib) {
    PLAY_NEEDS_OPENSSL();
    enum { N = 100 };
    SERVER("box");
    struct bare *b = bare_new("box");
    struct stream_filter *f[N + 1];
    uint64_t silent = mem_stats().live_bytes;
    f[N] = tls_accept(server, &err);
    silent = mem_stats().live_bytes - silent;
    tls_drop(f[N]);
    bare_reset(b, "box.test", NULL, false);
    bare_talk(b, f[N] = tls_accept(server, &err));
    tls_drop(f[N]);
    uint64_t before = mem_stats().live_bytes;
    mem_trim(); /* what other cases left would be used again, and not be seen */
    size_t touched = resident();
    for (int i = 0; i < N; i++) {
        f[i] = tls_accept(server, &err);
        bare_reset(b, "box.test", NULL, true);
        bare_talk(b, f[i]);
        CHECK(bare_is_up(b) && tls_is_resumed(f[i]));
        CHECK(br_ssl_engine_sendapp_buf(&b->ctx.eng, &(size_t){0}) != NULL);
    }
    uint64_t each = (mem_stats().live_bytes - before) / N;
    tap_note("a connection that has not spoken: %llu bytes; an idle one: %llu allocated, %zu touched",
             (unsigned long long)silent, (unsigned long long)each, (resident() - touched) / N);
    CHECK(each <= 26 * 1024);
    CHECK(silent <= 600);
    for (int i = 0; i < N; i++) tls_drop(f[i]);
    bare_free(b);
    finish();
}

static bool talk_once(void *arg) {
    const char *root = arg;
    struct end c = {.gone = 1}, s = {.gone = 1};
    int fd[2] = {-1, -1};
    bool good = false;
    struct tls_identity_text text = play_identity("box");
    struct stream_filter *cf = NULL, *sf = NULL;
    struct err e = ERR_INIT;
    loop = loop_new(&e);
    if (!loop) return false;
    server = tls_server_new(loop, NULL, &e);
    client = tls_client_new(loop, &(struct tls_trust){.roots = play_read(root), .clock_trusted = true}, &e);
    if (server && client && tls_server_certificates(server, &text, 1, &e) && play_pair(fd, 0)) {
        cf = tls_connect(client, LIT("box.test"), "http/1.1", &e);
        sf = tls_accept(server, &e);
        if (cf && sf) {
            bool both = end_start(&c, fd[0], cf);
            both &= end_start(&s, fd[1], sf);
            fd[0] = fd[1] = -1;
            if (both) {
                s.echo = true;
                bool wrote = stream_write(&c.s, LIT("hello"));
                for (int i = 0; i < 60 && wrote && c.got.len < 5 && !c.gone && !s.gone; i++) turns(1);
                good = slice_eq(buf_slice(&c.got), LIT("hello"));
                CHECK(good || !c.got.len || c.got.len < 5);
            }
            cf = sf = NULL;
        }
        tls_drop(cf);
        tls_drop(sf);
    }
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0) close(fd[i]);
    if (!c.gone) stream_abort(&c.s);
    if (!s.gone) stream_abort(&s.s);
    turns(2);
    buf_release(&c.got);
    buf_release(&s.got);
    tls_client_free(client);
    tls_server_free(server);
    client = NULL;
    server = NULL;
    turns(1);
    loop_free(loop);
    return good;
}

TEST(memory_may_fail_anywhere_in_a_conversation) {
    PLAY_NEEDS_OPENSSL();
    faults_sweep(talk_once, (void *)(uintptr_t) "root.pem", "a handshake and an echo");
}

TAP_MAIN(T(bytes_cross_both_ways_whatever_their_number),
         T(connections_that_wait_do_not_disturb_one_another_in_the_shared_buffer),
         T(any_cut_of_the_bytes_means_the_same), T(a_second_handshake_with_the_same_host_is_short),
         T(sessions_that_are_too_many_or_not_wanted_lead_to_full_handshakes),
         T(sessions_serve_at_least_16_hours_and_less_than_a_day), T(a_session_is_not_resumed_under_another_name),
         T(a_cut_is_told_from_a_goodbye), T(after_a_goodbye_nothing_can_be_written_and_after_half_a_hangup_it_can),
         T(a_handshake_that_is_cut_anywhere_is_no_connection), T(the_connection_that_was_idle_longest_gives_way),
         T(a_flood_of_new_connections_does_not_push_out_those_that_stand),
         T(fifty_handshakes_at_once_take_one_expensive_step_a_turn), T(an_idle_connection_costs_at_most_26_kib),
         T(memory_may_fail_anywhere_in_a_conversation))
