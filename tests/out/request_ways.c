/* request_ways.c - the ways requests go: connections used again, proxies, TLS, guards. */
#include "out/asker.h"

static struct host host;
static struct answers answers;

static void answer_by_path(struct visit *v, struct slice request) {
    if (has(request, "/close"))
        visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    else if (has(request, "/last")) { /* closes without having said so */
        visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        visit_close(v);
    } else if (has(request, "/more"))
        visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore");
    else if (has(request, "/old"))
        visit_say(v, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    else
        visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void answer_nothing(struct visit *v, struct slice request) {
    (void)v, (void)request;
}

static const char *here(const char *path) {
    return url_of("http://box.test:%u%s", host_port(&host), path);
}

static void begin(void) {
    stage_begin(false);
    answers_open(&answers, &host, false, answer_by_path);
}

static void end(void) {
    answers_close(&answers, &host);
    stage_end();
}

static struct asker done_asker;

/* One request that must succeed; whether it used a resting connection. */
static bool fetch(const char *method, const char *url) {
    uint64_t before = out_counts(out).reused;
    done_asker = asker_of(url);
    done_asker.r.method = slice_str(method);
    CHECK(asker_ask(&done_asker));
    if (done_asker.failed) tap_note("%s", done_asker.r.err.text);
    asker_release(&done_asker);
    return out_counts(out).reused > before;
}

/* --- connections that rest --- */

TEST(a_connection_is_used_again_where_that_is_safe) {
    begin();
    CHECK(!fetch("GET", here("/1")) && fetch("GET", here("/2")) && fetch("PUT", here("/3")));
    CHECK(!fetch("POST", here("/4"))); /* never by what may not be sent twice */
    CHECK(fetch("GET", here("/5")));
    CHECK(!fetch("GET", url_of("http://other.test:%u/", host_port(&host)))); /* another name */
    CHECK_INT(host.visits, 3);
    CHECK(fetch("GET", url_of("http://BOX.test:%u/", host_port(&host))));
    out_forget(out);
    settle();
    CHECK_INT(host.open, 0);
    CHECK(!fetch("GET", here("/close")) && !fetch("GET", here("/old")) && !fetch("GET", here("/more")) &&
          !fetch("GET", here("/6")));
    struct asker a = asker_of(here("/7"));
    a.r.method = LIT("POST");
    a.r.repeatable = true;
    uint64_t before = out_counts(out).reused;
    CHECK(asker_ask(&a) && out_counts(out).reused == before + 1);
    asker_release(&a);
    end();
}

TEST(a_resting_connection_that_the_server_closes_or_that_waits_too_long_goes) {
    begin();
    fetch("GET", here("/last"));
    settle();
    CHECK_INT(out_counts(out).resting, 0);
    CHECK(!fetch("GET", here("/1")));
    settle();
    CHECK_INT(out_counts(out).resting, 1);
    pass(29000);
    CHECK_INT(out_counts(out).resting, 1);
    CHECK(fetch("GET", here("/1"))); /* it rests anew */
    pass(29000);
    CHECK_INT(out_counts(out).resting, 1);
    pass(2000);
    settle();
    CHECK_INT(out_counts(out).resting, 0);
    CHECK_INT(host.open, 0);
    /* The time it may rest is not the time an answer may take. */
    CHECK(!fetch("GET", here("/1")));
    struct asker a = asker_of(here("/2"));
    answers.answer = answer_nothing;
    CHECK(asker_start(&a));
    settle();
    pass(31000);
    pass(10000);
    CHECK(!a.over && out_counts(out).resting == 0 && out_counts(out).again == 0);
    if (host.last) visit_say(host.last, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    until(&a.over);
    CHECK(a.done == 1);
    asker_release(&a);
    answers.answer = answer_by_path;
    out_forget(out);
    settle();
    /* Bytes nobody asked for: the connection is not to be trusted. */
    CHECK(!fetch("GET", here("/1")));
    visit_say(host.last, "HTTP/1.1 200 OK\r\n\r\n");
    settle();
    CHECK_INT(out_counts(out).resting, 0);
    end();
}

/* Answers the first request of a connection, and closes at the second: in order, or by a reset. */
static bool by_reset, one_byte;
static unsigned second_asks;

/* By a reset. */
static void end_hard(struct visit *v) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(v->s.fd.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    stream_abort(&v->s);
}

static void answer_once(struct visit *v, struct slice request) {
    (void)request;
    if (v->asks == 1) {
        visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        return;
    }
    second_asks++;
    if (one_byte) visit_say(v, "H");
    if (!by_reset)
        visit_close(v);
    else if (!one_byte)
        end_hard(v);
}

TEST(a_request_on_a_connection_that_was_dead_is_sent_once_more_on_a_new_one) {
    for (int way = 0; way < 2; way++) {
        begin();
        answers.answer = answer_once;
        by_reset = way == 1;
        one_byte = false;
        second_asks = 0;
        CHECK(!fetch("GET", here("/1")));
        CHECK(fetch("GET", here("/2"))); /* was sent twice */
        CHECK(second_asks == 1 && host.visits == 2 && out_counts(out).again == 1);
        /* A new connection that ends so is a failure: it was not the resting that broke it. */
        out_forget(out);
        struct asker a = asker_of(here("/3"));
        answers.answer = answer_once;
        settle();
        CHECK(asker_start(&a));
        until(&a.over);
        CHECK(a.done == 1);
        asker_release(&a);
        /* A byte of an answer came: the server may have done what was asked. */
        one_byte = true;
        uint64_t again = out_counts(out).again;
        a = asker_of(here("/4"));
        CHECK(asker_start(&a));
        settle();
        if (by_reset && host.last) end_hard(host.last); /* a reset throws away what was not read: so it comes later */
        until(&a.over);
        CHECK(a.failed == 1 && (by_reset || strstr(a.r.err.text, "in the middle of its answer")));
        CHECK_INT(out_counts(out).again, again);
        asker_release(&a);
        end();
    }
}

TEST(few_connections_rest_and_the_oldest_goes_first) {
    begin();
    out_free(out);
    settle();
    stage_out(&(struct out_config){.resting = 2});
    static const char *const names[] = {"box.test", "other.test", "127.0.0.1"};
    for (int i = 0; i < 3; i++) fetch("GET", url_of("http://%s:%u/", names[i], host_port(&host)));
    settle();
    CHECK_INT(out_counts(out).resting, 2);
    CHECK(!fetch("GET", url_of("http://box.test:%u/", host_port(&host))));
    CHECK(fetch("GET", url_of("http://127.0.0.1:%u/", host_port(&host))));
    out_free(out);
    settle();
    stage_out(&(struct out_config){.resting = OUT_NO_REST});
    CHECK(!fetch("GET", here("/")) && !fetch("GET", here("/")));
    end();
}

/* --- guards --- */

static bool allow_none(void *arg, const struct address *a) {
    (void)a;
    ++*(unsigned *)arg;
    return false;
}

static bool allow_all(void *arg, const struct address *a) {
    (void)a;
    ++*(unsigned *)arg;
    return true;
}

TEST(a_guard_holds_for_new_connections_and_for_resting_ones) {
    unsigned looked = 0;
    begin();
    CHECK(!fetch("GET", here("/")));
    CHECK_INT(out_counts(out).resting, 1);
    struct asker a = asker_of(here("/"));
    a.r.allowed = allow_none;
    a.r.allowed_arg = &looked;
    CHECK(!asker_ask(&a) && looked == 2 && strstr(a.r.err.text, "may not be dialled"));
    asker_release(&a);
    a = asker_of(here("/"));
    a.r.allowed = dial_public_only;
    CHECK(!asker_ask(&a) && answers.asked == 1);
    asker_release(&a);
    end();
    /* A proxy would dial where nobody looks: a guarded request does not use it. */
    begin();
    const char *const environment[] = {url_of("http_proxy=127.0.0.1:%u", host_port(&host)), NULL};
    struct proxies *p = proxies_new(environment, &err);
    out_free(out);
    stage_out(&(struct out_config){.proxies = p});
    a = asker_of("http://10.255.255.1/");
    a.r.allowed = dial_public_only;
    CHECK(!asker_ask(&a) && answers.asked == 0);
    asker_release(&a);
    a = asker_of("http://far.test/"); /* the proxy would know it */
    looked = 0;
    a.r.allowed = allow_all;
    a.r.allowed_arg = &looked;
    CHECK(!asker_ask(&a) && answers.asked == 0 && looked == 0);
    asker_release(&a);
    out_free(out);
    stage_out(NULL);
    proxies_free(p);
    end();
}

TEST(hosts_that_do_not_answer_or_are_none_are_told_with_what_was_tried) {
    begin();
    int fd = listen_open(&(struct address){.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                                           .len = sizeof(struct sockaddr_in)},
                         &err);
    struct address nobody;
    CHECK(fd >= 0 && listen_address(fd, &nobody, &err));
    close(fd); /* nobody listens there any more */
    struct asker a = asker_of(url_of("http://box.test:%u/p?token=secret", address_port(&nobody)));
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_NETWORK && strstr(a.r.err.text, "connection refused"));
    CHECK(
        slice_starts(slice_str(a.r.err.text), slice_str(url_of("GET http://box.test:%u/p: ", address_port(&nobody)))));
    CHECK(!strstr(a.r.err.text, "secret"));
    asker_release(&a);
    a = asker_of("http://nobody.invalid/");
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_NOT_FOUND);
    asker_release(&a);
    a = asker_of("http://127.1/"); /* a name to the grammar, an address to some programs: neither here */
    CHECK(!asker_ask(&a));
    asker_release(&a);
    a = asker_of("https://box.test/");
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_UNSUPPORTED && strstr(a.r.err.text, "none were loaded"));
    asker_release(&a);
    end();
}

/* --- proxies --- */

static struct proxies *use_proxy(const char *which, const char *user) {
    const char *const environment[] = {url_of("%s=http://%s127.0.0.1:%u", which, user, host_port(&host)),
                                       "no_proxy=other.test", NULL};
    struct proxies *p = proxies_new(environment, &err);
    out_free(out);
    stage_out(&(struct out_config){.proxies = p});
    CHECK(p);
    return p;
}

static void end_proxy(struct proxies *p) {
    out_free(out);
    settle();
    stage_out(NULL);
    proxies_free(p);
    end();
}

TEST(plain_requests_go_through_a_proxy_in_absolute_form) {
    begin();
    struct proxies *p = use_proxy("http_proxy", "me:pw@");
    CHECK(!fetch("GET", "http://far.test/a?b"));
    CHECK_TEXT(buf_slice(&answers.log),
               LIT("GET http://far.test/a?b HTTP/1.1\r\nHost: far.test\r\nProxy-Authorization: Basic bWU6cHc=\r\n"
                   "User-Agent: test\r\nAccept: */*\r\n\r\n"));
    CHECK(fetch("GET", "http://far.test/c"));
    buf_reset(&answers.log);
    CHECK(!fetch("GET", url_of("http://other.test:%u/",
                               host_port(&host)))); /* of no_proxy: straight, and without the password */
    CHECK(slice_starts(buf_slice(&answers.log), LIT("GET / HTTP/1.1\r\n")) && !has(buf_slice(&answers.log), "Proxy-"));
    end_proxy(p);
}

static const char *proxy_says;

static void answer_connect(struct visit *v, struct slice request) {
    if (!slice_starts(request, LIT("CONNECT "))) {
        answer_by_path(v, request);
        return;
    }
    visit_say(v, "%s", proxy_says);
    if (!strncmp(proxy_says, "HTTP/1.1 200", 12)) visit_secure(v); /* the proxy is the server too */
    if (!*proxy_says) visit_close(v);
}

TEST(https_goes_through_a_proxy_by_connect) {
    NEEDS_OPENSSL();
    stage_begin(true);
    answers_open(&answers, &host, false, answer_connect);
    struct proxies *p = use_proxy("https_proxy", "me:pw@");
    proxy_says = "HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\n";
    CHECK(!fetch("GET", "https://box.test/a"));
    CHECK(fetch("GET", "https://box.test/b"));
    CHECK_TEXT(buf_slice(&answers.log),
               LIT("CONNECT box.test:443 HTTP/1.1\r\nHost: box.test:443\r\nProxy-Authorization: Basic "
                   "bWU6cHc=\r\nUser-Agent: test\r\n\r\n"
                   "GET /a HTTP/1.1\r\nHost: box.test\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
                   "GET /b HTTP/1.1\r\nHost: box.test\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"));
    static const struct {
        const char *says, *want;
    } rows[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 6\r\n\r\nsecret",
         "the proxy 127.0.0.1 answered 407 Proxy Authentication Required"},
        {"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03", "the proxy 127.0.0.1 sent bytes before TLS began"},
        {"", "the proxy 127.0.0.1 closed the connection"},
        {"220 ftp\r\n", "reading the answer of the proxy 127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        out_forget(out);
        proxy_says = rows[i].says;
        struct asker a = asker_of("https://box.test/c");
        CHECK(!asker_ask(&a));
        if (!CHECK(strstr(a.r.err.text, rows[i].want) != NULL)) tap_note("%s", a.r.err.text);
        CHECK(!strstr(a.r.err.text, "secret"));
        asker_release(&a);
    }
    /* One that says nothing. */
    proxy_says = "HTTP/1.1 100 Continue\r\n\r\n";
    struct asker a = asker_of("https://box.test/d");
    CHECK(asker_start(&a));
    settle();
    pass(61000);
    CHECK(a.failed == 1 && strstr(a.r.err.text, "the proxy did not answer within 60 s"));
    asker_release(&a);
    end_proxy(p);
}

/* --- TLS --- */

static void begin_tls(void (*answer)(struct visit *, struct slice)) {
    stage_begin(true);
    answers_open(&answers, &host, true, answer);
}

static const char *there(const char *path) {
    return url_of("https://box.test:%u%s", host_port(&host), path);
}

TEST(https_is_spoken_and_its_connections_are_used_again) {
    NEEDS_OPENSSL();
    begin_tls(answer_by_path);
    CHECK(!fetch("GET", there("/a")) && fetch("GET", there("/b")));
    CHECK(slice_starts(buf_slice(&answers.log),
                       slice_str(url_of("GET /a HTTP/1.1\r\nHost: box.test:%u\r\n", host_port(&host)))));
    CHECK(!fetch("GET", url_of("https://127.0.0.1:%u/", host_port(&host)))); /* the certificate names the address */
    CHECK(!fetch("GET", url_of("https://box.test.:%u/", host_port(&host)))); /* and the host without its last dot */
    end();
}

TEST(https_refuses_who_cannot_be_trusted_and_plain_servers) {
    NEEDS_OPENSSL();
    begin_tls(answer_by_path);
    struct asker a = asker_of(url_of("https://wrong.test:%u/", host_port(&host)));
    CHECK(!asker_ask(&a) && strstr(a.r.err.text, "the certificate is for another name") && !answers.asked);
    asker_release(&a);
    /* Another trust, for this request alone: a pin that is not met. */
    uint8_t pin[32] = {1};
    struct tls_trust trust = {.pin = pin};
    struct tls_client *pinned = tls_client_new(loop, &trust, &err);
    a = asker_of(there("/"));
    a.r.tls = pinned;
    CHECK(!asker_ask(&a) && !answers.asked);
    asker_release(&a);
    settle();
    tls_client_free(pinned);
    end();
    stage_begin(true);
    answers_open(&answers, &host, false, answer_by_path);
    a = asker_of(there("/"));
    CHECK(asker_start(&a));
    settle();
    if (host.last) visit_say(host.last, "HTTP/1.1 400 Bad Request\r\n\r\n");
    until(&a.over);
    CHECK(a.failed == 1);
    tap_note("%s", a.r.err.text);
    asker_release(&a);
    /* And one that says nothing: the handshake has its time. */
    a = asker_of(there("/"));
    CHECK(asker_start(&a));
    settle();
    pass(61000);
    CHECK(a.failed == 1 && strstr(a.r.err.text, "the TLS handshake was not done within 60 s"));
    asker_release(&a);
    /* And one that closes. */
    a = asker_of(there("/"));
    CHECK(asker_start(&a));
    settle();
    if (host.last) stream_close(&host.last->s);
    until(&a.over);
    CHECK(a.failed == 1);
    tap_note("%s", a.r.err.text);
    asker_release(&a);
    end();
}

static bool cuts;

static void answer_until_end(struct visit *v, struct slice request) {
    visit_say(v, has(request, "/length") ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
                                         : "HTTP/1.1 200 OK\r\n\r\nabc");
    stream_owe_drained(&v->s);
    v->close_behind = true;
    if (!cuts) stream_close(&v->s);
}

TEST(a_body_that_lasts_until_the_end_must_not_be_cut) {
    NEEDS_OPENSSL();
    for (int way = 0; way < 3; way++) {
        begin_tls(answer_until_end);
        cuts = way > 0;
        struct asker a = asker_of(there(way == 2 ? "/length" : "/"));
        CHECK(asker_start(&a));
        settle();
        /* TCP ends without TLS's goodbye. */
        if (cuts && host.last) shutdown(host.last->s.fd.fd, SHUT_WR);
        until(&a.over);
        CHECK(way == 1 ? a.failed == 1 : a.done == 1);
        if (way == 1) CHECK(strstr(a.r.err.text, "the connection was cut"));
        asker_release(&a);
        settle();
        if (host.last) stream_abort(&host.last->s);
        end();
    }
}

static struct host plain_host;
static struct answers plain_answers;

static void answer_to_plain(struct visit *v, struct slice request) {
    if (v->host == &plain_host)
        answer_by_path(v, request);
    else
        visit_say(v, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://box.test:%u/\r\n\r\n",
                  host_port(&plain_host));
}

TEST(from_https_no_redirect_leads_to_http_unless_it_may) {
    NEEDS_OPENSSL();
    begin_tls(answer_to_plain);
    answers_open(&plain_answers, &plain_host, false, answer_to_plain);
    struct http_field who = {LIT("Authorization"), LIT("Bearer t0p")};
    for (int may = 0; may < 2; may++) {
        struct asker a = asker_of(there("/"));
        a.r.downgrade = may;
        a.r.fields = &who;
        a.r.field_n = 1;
        CHECK(asker_start(&a));
        until(&a.over);
        CHECK(may ? a.done == 1 : a.failed == 1);
        if (!may) CHECK(strstr(a.r.err.text, "from https to http"));
        CHECK_INT(plain_answers.asked, may);
        asker_release(&a);
    }
    CHECK(!has(buf_slice(&plain_answers.log), "t0p"));
    answers_close(&plain_answers, &plain_host);
    end();
}

TAP_MAIN(T(a_connection_is_used_again_where_that_is_safe),
         T(a_resting_connection_that_the_server_closes_or_that_waits_too_long_goes),
         T(a_request_on_a_connection_that_was_dead_is_sent_once_more_on_a_new_one),
         T(few_connections_rest_and_the_oldest_goes_first), T(a_guard_holds_for_new_connections_and_for_resting_ones),
         T(hosts_that_do_not_answer_or_are_none_are_told_with_what_was_tried),
         T(plain_requests_go_through_a_proxy_in_absolute_form), T(https_goes_through_a_proxy_by_connect),
         T(https_is_spoken_and_its_connections_are_used_again),
         T(https_refuses_who_cannot_be_trusted_and_plain_servers), T(a_body_that_lasts_until_the_end_must_not_be_cut),
         T(from_https_no_redirect_leads_to_http_unless_it_may))
