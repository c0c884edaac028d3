/* mail_trouble.c - SMTP as it should not go: servers out of step, each step's time, stopping anywhere, running out of memory. */
#include "out/mail_stage.h"

#include "lib/faults.h"

/* --- servers out of step --- */

TEST(servers_out_of_step_are_left) {
    static const struct {
        struct part list[8];
        enum err_code code;
        const char *want;
    } rows[] = {
        {{{NULL, "554 no\r\n"}, {"QUIT", NULL}, {NULL, NULL}},
         ERR_NETWORK,
         "waiting for the greeting: the server answered 554 \"no\""},
        {{{NULL, "SSH-2.0\r\n"}, {NULL, NULL}}, ERR_SYNTAX, "reading a reply: want a code"},
        {{{NULL, "354 go\r\n"}, {NULL, NULL}}, ERR_NETWORK, "354 \"go\", which makes no sense there"},
        {{{NULL, "!"}, {NULL, NULL}}, ERR_NETWORK, "the server closed the connection"},
        {{{NULL, "220 a\r\n250 b\r\n"}, {NULL, NULL}}, ERR_NETWORK, "said more than it was asked"},
        {{{NULL, "220 a\r\n2"}, {NULL, NULL}}, ERR_NETWORK, "said more than it was asked"},
        {{{NULL, "220 a\r\n"}, {"EHLO", "250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"}, {NULL, NULL}},
         ERR_NETWORK,
         "EHLO: the server said more"},
        {{{NULL, "220 a\r\n"}, {"EHLO", "502 HELO is enough\r\n"}, {"QUIT", NULL}, {NULL, NULL}},
         ERR_NETWORK,
         "EHLO: the server answered 502"},
        {{TO_HELLO, {"MAIL", "354 go\r\n"}, {NULL, NULL}}, ERR_NETWORK, "MAIL FROM: the server answered 354"},
        {{TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "354 go\r\n"}, {NULL, NULL}},
         ERR_NETWORK,
         "RCPT TO: the server answered 354"},
        {{TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", "250 ok\r\n"}, {NULL, NULL}},
         ERR_NETWORK,
         "DATA: the server answered 250"},
        {{TO_HELLO,
          {"MAIL", "250 ok\r\n"},
          {"RCPT", "250 ok\r\n"},
          {"DATA", "451 no\r\n"},
          {"QUIT", NULL},
          {NULL, NULL}},
         ERR_RATE,
         "DATA: the server answered 451"},
        {{TO_HELLO,
          {"MAIL", "250 ok\r\n"},
          {"RCPT", "250 ok\r\n"},
          {"DATA", "354 go\r\n"},
          {"", "554 spam\r\n"},
          {"QUIT", NULL}},
         ERR_NETWORK,
         "waiting for the message to be taken: the server answered 554 \"spam\""},
        {{TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", "354 go\r\n"}, {"", "!"}, {NULL, NULL}},
         ERR_NETWORK,
         "whether it was taken is not known: the server closed the connection"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        open_mail(false, false);
        struct sender s;
        sender_init(&s, MAIL_STARTTLS);
        s.m.plain_in_house = true;
        CHECK(!sender_send(&s, rows[i].list));
        check_failure(&s, rows[i].code, rows[i].want);
        CHECK(s.m.unknown == (strstr(rows[i].want, "not known") != NULL));
        close_mail();
    }
}

TEST(a_server_that_answers_in_the_middle_of_the_message_is_heard) {
    static const char *const says[] = {"452 full\r\n", "250 taken\r\n"};
    for (int i = 0; i < 2; i++) {
        open_mail(false, false);
        static const struct part list[] = {
            TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", "354 go\r\n"}, {NULL, NULL}};
        struct sender s;
        size_t size = 20u << 20;
        char *text = long_text(size);
        sender_init(&s, MAIL_STARTTLS);
        s.m.plain_in_house = true;
        s.part.bytes = slice_of(text, size);
        play(list);
        CHECK(sender_start(&s));
        for (unsigned k = 0; k < 2000 && !in_data; k++) loop_turn(loop, 5);
        if (host.last) stream_pause(&host.last->s);
        settle();
        CHECK(!s.over);
        if (host.last) visit_bytes(host.last, slice_str(says[i]));
        until(&s.over);
        check_failure(&s, i ? ERR_NETWORK : ERR_RATE,
                      i ? "answered before it was asked" : "sending the message: the server answered 452 \"full\"");
        CHECK(!s.m.unknown);
        if (host.last) stream_resume(&host.last->s);
        settle();
        CHECK(!quit_in_data && !message.len); /* it would be text of the message */
        free(text);
        close_mail();
    }
}

/* --- time --- */

TEST(every_step_has_its_time) {
    static const struct {
        struct part list[8];
        unsigned s;
        const char *want;
    } rows[] = {
        {{{NULL, NULL}}, 300, "waiting for the greeting: nothing was heard for 300 s"},
        {{{NULL, "220 a\r\n"}, {"EHLO", NULL}}, 300, "EHLO"},
        {{TO_HELLO, {"MAIL", NULL}}, 300, "MAIL FROM"},
        {{TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", NULL}}, 300, "RCPT TO"},
        {{TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", NULL}}, 120, "DATA"},
        {{TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", "354 go\r\n"}, {"", NULL}},
         600,
         "whether it was taken is not known: nothing was heard for 600 s"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        open_mail(false, false);
        struct sender s;
        sender_init(&s, MAIL_STARTTLS);
        s.m.plain_in_house = true;
        play(rows[i].list);
        CHECK(sender_start(&s));
        settle();
        pass((int64_t)rows[i].s * 1000 - 1000);
        CHECK(!s.over);
        pass(2000);
        CHECK(s.over);
        check_failure(&s, ERR_TIMEOUT, rows[i].want);
        settle();
        close_mail();
    }
    /* And all of it together. */
    open_mail(false, false);
    static const struct part silent[] = {{NULL, NULL}};
    struct sender s;
    sender_init(&s, MAIL_STARTTLS);
    s.m.deadline_at = now_us / 1000 + 5000;
    play(silent);
    CHECK(sender_start(&s));
    settle();
    pass(4000);
    CHECK(!s.over);
    pass(2000);
    check_failure(&s, ERR_TIMEOUT, "the time for all of it was over");
    settle();
    close_mail();
}

TEST(a_server_that_does_not_take_the_message_is_left_and_one_that_is_slow_is_not) {
    open_mail(false, false);
    static const struct part list[] = {
        TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", "354 go\r\n"}, {NULL, NULL}};
    struct sender s;
    size_t size = 30u << 20;
    char *text = long_text(size);
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    s.m.deadline_at = now_us / 1000 + 10000000;
    s.part.bytes = slice_of(text, size);
    play(list);
    CHECK(sender_start(&s));
    for (unsigned k = 0; k < 2000 && !in_data; k++) loop_turn(loop, 5);
    if (host.last) stream_pause(&host.last->s);
    settle();
    for (unsigned i = 0; i < 5; i++) { /* a little each time */
        pass(170000);
        CHECK(!s.over);
        if (host.last) stream_resume(&host.last->s);
        turns(3);
        if (host.last) stream_pause(&host.last->s);
        settle();
    }
    CHECK(!s.over);
    pass(181000);
    pass(181000);
    check_failure(&s, ERR_TIMEOUT, "sending the message: nothing was heard for 180 s");
    settle();
    free(text);
    close_mail();
}

/* --- stopping, memory --- */

TEST(a_mail_may_be_stopped_between_any_two_turns) {
    open_mail(false, false);
    static const struct part list[] = {TO_HELLO, TO_END};
    unsigned done = 0;
    for (unsigned n = 0; n < 60; n++) {
        struct sender *s = calloc(1, sizeof *s);
        sender_init(s, MAIL_STARTTLS);
        s->m.plain_in_house = true;
        play(list);
        CHECK(sender_start(s));
        for (unsigned i = 0; i < n; i++) loop_turn(loop, 1);
        done += s->done;
        s->over = true;
        mail_stop(&s->m);
        memset(s, 0xee, sizeof *s);
        free(s);
        settle();
    }
    CHECK(done > 0 && done < 60);
    close_mail();
}

static bool send_one(void *arg) {
    (void)arg;
    static const struct part list[] = {TO_HELLO, TO_END};
    struct sender s;
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    play(list);
    bool good = sender_start(&s);
    if (good) until_late(&s.over);
    settle();
    return good && s.done == 1;
}

TEST(any_allocation_may_fail) {
    open_mail(false, false);
    log_text_.max = message.max = 0;
    send_one(NULL);
    unsigned files = open_now();
    faults_sweep(send_one, NULL, "a mail");
    CHECK_INT(open_now(), files);
    close_mail();
}

TAP_MAIN(T(servers_out_of_step_are_left), T(a_server_that_answers_in_the_middle_of_the_message_is_heard),
         T(every_step_has_its_time), T(a_server_that_does_not_take_the_message_is_left_and_one_that_is_slow_is_not),
         T(a_mail_may_be_stopped_between_any_two_turns), T(any_allocation_may_fail))
