/* request_redirects.c - requests that are sent elsewhere: methods, bodies, secrets, limits, places that are none. */
#include "out/one_host.h"

struct bend {
    unsigned status;
    const char *location; /* %u: the other host's port; NULL: the answer is 200 */
};
static const struct bend *steps;
static unsigned step_at;
static struct host other;
static struct answers other_answers;

static void answer_step(struct visit *v, struct slice request) {
    (void)request;
    const struct bend *s = &steps[step_at];
    char location[300];
    if (!s->location) {
        visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend");
        return;
    }
    step_at++;
    const char *number = strstr(s->location, "%u");
    if (number)
        snprintf(location, sizeof location, "%.*s%u%s", (int)(number - s->location), s->location, host_port(&other),
                 number + 2);
    else
        snprintf(location, sizeof location, "%s", s->location);
    visit_say(v, "HTTP/1.1 %u Moved\r\nLocation: %s\r\nContent-Length: 4\r\n\r\nskip", s->status, location);
}

static void begin_steps(const struct bend *list) {
    stage_begin(false);
    steps = list;
    step_at = 0;
    answers_open(&answers, &host, false, answer_step);
    answers_open(&other_answers, &other, false, answer_step);
}

static void end_steps(void) {
    answers_close(&answers, &host);
    answers_close(&other_answers, &other);
    stage_end();
}

TEST(methods_and_bodies_change_with_redirects_as_rfc_9110_says) {
    static const struct {
        const char *method;
        unsigned status;
        const char *want; /* the second request's line begins so */
        bool body;
    } rows[] = {{"POST", 301, "GET /to", false}, {"POST", 302, "GET /to", false},     {"POST", 303, "GET /to", false},
                {"POST", 307, "POST /to", true}, {"POST", 308, "POST /to", true},     {"PUT", 301, "PUT /to", true},
                {"PUT", 302, "PUT /to", true},   {"PUT", 303, "GET /to", false},      {"HEAD", 303, "HEAD /to", false},
                {"GET", 301, "GET /to", false},  {"DELETE", 308, "DELETE /to", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct bend list[] = {{rows[i].status, "to"}, {200, NULL}};
        begin_steps(list);
        struct asker a = asker_of(here("/from?q"));
        struct http_field type = {LIT("Content-Type"), LIT("text/plain")};
        bool body = strcmp(rows[i].method, "GET") && strcmp(rows[i].method, "HEAD") && strcmp(rows[i].method, "DELETE");
        a.r.method = slice_str(rows[i].method);
        a.r.fields = &type;
        a.r.field_n = 1;
        if (body) a.r.body = LIT("the body");
        /* The answer to HEAD has no body, but this server's would. */
        if (!strcmp(rows[i].method, "HEAD")) answers.text = "";
        CHECK(asker_start(&a));
        until(&a.over);
        CHECK_INT(answers.asked, 2);
        struct slice log = buf_slice(&answers.log);
        const uint8_t *second = !log.len ? NULL : memmem(log.ptr + 1, log.len - 1, rows[i].want, strlen(rows[i].want));
        if (!CHECK(second != NULL && a.r.redirected == 1))
            tap_note("%s %u: %s", rows[i].method, rows[i].status, a.r.err.text);
        if (second) {
            struct slice rest = slice_skip(log, (size_t)(second - log.ptr));
            CHECK(has(rest, "the body") == rows[i].body && has(rest, "Content-Type") == (rows[i].body || !body));
        }
        asker_release(&a);
        end_steps();
    }
}

TEST(secrets_stay_with_the_host_they_were_meant_for) {
    const struct bend list[] = {{302, "/same"}, {307, "http://127.0.0.1:%u/elsewhere"}, {307, "/there"}, {200, NULL}};
    begin_steps(list);
    struct asker a = asker_of(here("/"));
    struct http_field fields[] = {
        {LIT("authorization"), LIT("Bearer t0p")}, {LIT("COOKIE"), LIT("s=ecret")}, {LIT("X-Mine"), LIT("1")}};
    a.r.fields = fields;
    a.r.field_n = 3;
    CHECK(asker_ask(&a) && a.r.redirected == 3);
    CHECK_INT(answers.asked, 2);
    CHECK_INT(other_answers.asked, 2);
    struct slice log = buf_slice(&answers.log);
    const uint8_t *second = memmem(log.ptr, log.len, "GET /same", 9);
    CHECK(second && has(slice_skip(log, (size_t)(second - log.ptr)), "Bearer t0p") && has(log, "s=ecret"));
    CHECK(!has(buf_slice(&other_answers.log), "t0p") && !has(buf_slice(&other_answers.log), "ecret") &&
          has(buf_slice(&other_answers.log), "X-Mine: 1"));
    asker_release(&a);
    end_steps();
    /* And not given to the first host again when the second sends us back; nor those of the URL. */
    const struct bend back[] = {{307, "http://127.0.0.1:%u/"}, {307, NULL}, {200, NULL}};
    begin_steps(back);
    a = asker_of(url_of("http://u:p@box.test:%u/", host_port(&host)));
    struct bend home[] = {{307, "http://127.0.0.1:%u/"}, {307, here("/home")}, {200, NULL}};
    steps = home;
    CHECK(asker_ask(&a));
    CHECK_INT(answers.asked, 2);
    log = buf_slice(&answers.log);
    second = memmem(log.ptr, log.len, "GET /home", 9);
    CHECK(second && has(slice_head(log, (size_t)(second - log.ptr)), "Authorization: Basic dTpw") &&
          !has(slice_skip(log, (size_t)(second - log.ptr)), "Authorization"));
    asker_release(&a);
    end_steps();
}

TEST(a_connection_is_used_again_behind_a_short_redirect) {
    const struct bend list[] = {{302, "/1"}, {302, "./2"}, {302, "?3"}, {200, NULL}};
    begin_steps(list);
    struct asker a = asker_of(here("/0"));
    CHECK(asker_ask(&a) && host.visits == 1);
    CHECK_TEXT(slice_str(a.final_url), slice_str(here("/2?3")));
    CHECK(!a.heads || a.r.status == 200);
    asker_release(&a);
    end_steps();
}

TEST(redirects_end) {
    struct bend loop_of[40];
    for (size_t i = 0; i < 40; i++) loop_of[i] = (struct bend){302, i % 2 ? "/a" : "/b"};
    begin_steps(loop_of);
    struct asker a = asker_of(here("/a"));
    a.r.redirects = 5;
    CHECK(!asker_ask(&a) && a.r.redirected == 5 && a.heads == 0);
    CHECK(strstr(a.r.err.text, "redirected more than 5 times") && strstr(a.r.err.text, "/b (redirected 5 times)"));
    CHECK_INT(answers.asked, 6);
    asker_release(&a);
    /* None are followed when none were allowed: the redirect is the answer. */
    a = asker_of(here("/a"));
    a.r.redirects = 0;
    CHECK(asker_ask(&a) && a.r.status == 302);
    CHECK_TEXT(buf_slice(&a.got), LIT("skip"));
    asker_release(&a);
    end_steps();
}

TEST(redirects_to_places_that_are_none_fail_and_name_them) {
    static const char *const bad[] = {
        "ftp://x/", "http://u:p@box.test/", "http://a<b/", "http://box.test:0/", "mailto:x", "//"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct bend list[] = {{302, bad[i]}, {200, NULL}};
        begin_steps(list);
        struct asker a = asker_of(here("/x"));
        if (!CHECK(!asker_ask(&a) && strstr(a.r.err.text, "following a redirect from")))
            tap_note("%s: %s", bad[i], a.r.err.text);
        asker_release(&a);
        end_steps();
    }
}

static void answer_endless(struct visit *v, struct slice request) {
    if (has(request, "GET /to")) {
        visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    visit_say(v, "HTTP/1.1 302 Found\r\nLocation: /to\r\n%s\r\n",
              has(request, "/chunked") ? "Transfer-Encoding: chunked\r\n"
              : has(request, "/stuck") ? "Content-Length: 10\r\n"
                                       : "");
    if (has(request, "/stuck")) return;
    if (!has(request, "/chunked")) {
        visit_pattern(v, 0, 1u << 30);
        return;
    }
    for (int i = 0; i < 100; i++) visit_say(v, "400\r\n%01024d\r\n", 0);
}

TEST(a_redirect_with_a_body_without_end_is_followed_on_another_connection) {
    static const char *const paths[] = {"/close", "/chunked", "/stuck"};
    for (size_t i = 0; i < 3; i++) {
        begin(answer_endless);
        struct asker a = asker_of(here(paths[i]));
        CHECK(asker_start(&a));
        settle();
        if (i == 2) {
            CHECK(!a.over);
            pass(61000); /* its body does not come; that is no reason to fail */
        }
        until(&a.over);
        CHECK(a.done == 1 && a.r.status == 200 && host.visits == 2);
        asker_release(&a);
        end();
    }
}

TAP_MAIN(T(methods_and_bodies_change_with_redirects_as_rfc_9110_says),
         T(secrets_stay_with_the_host_they_were_meant_for), T(a_connection_is_used_again_behind_a_short_redirect),
         T(redirects_end), T(redirects_to_places_that_are_none_fail_and_name_them),
         T(a_redirect_with_a_body_without_end_is_followed_on_another_connection))
