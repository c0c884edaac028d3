/* mail.c - SMTP as it should go: whole dialogues in the plain and with TLS as transcripts, recipients, what a message is made into, bodies
 * from memory and through a real disk hand. */
#include "out/mail_stage.h"

#include "out/mime.h"

/* --- dialogues --- */

TEST(a_mail_goes_by_tls_with_a_login) {
    NEEDS_OPENSSL();
    open_mail(true, true);
    static const struct part list[] = {
        {NULL, "220-box.test\r\n220 ready\r\n"},
        {"EHLO",
         "250-box.test greets home.test\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-AUTH LOGIN PLAIN\r\n250 HELP\r\n"},
        {"AUTH PLAIN", "235 2.7.0 welcome\r\n"},
        TO_END};
    struct sender s;
    sender_init(&s, MAIL_TLS);
    s.m.user = LIT("test");
    s.m.password = LIT("1234");
    CHECK(sender_send(&s, list));
    CHECK_TEXT(buf_slice(&log_text_),
               LIT("EHLO home.test\r\nAUTH PLAIN AHRlc3QAMTIzNA==\r\n" /* of RFC 4616's shape: NUL test NUL 1234 */
                   "MAIL FROM:<me@home.test> SIZE=21\r\nRCPT TO:<a@x.test>\r\nDATA\r\nQUIT\r\n"));
    CHECK_TEXT(buf_slice(&message), LIT("Subject: x\r\n\r\nhello\r\n.\r\n"));
    CHECK(s.m.accepted == 1 && s.to[0].accepted && s.to[0].code == 250 && s.m.code == 250);
    CHECK_TEXT(slice_str(s.m.words), LIT("2.0.0 queued as 7"));
    close_mail();
}

TEST(starttls_begins_anew_behind_it) {
    NEEDS_OPENSSL();
    open_mail(true, false);
    static const struct part list[] = {TO_HELLO, {NULL, NULL}};
    static const struct part upgraded[] = {{NULL, "220 ready\r\n"},
                                           {"EHLO", "250-box.test\r\n250-SIZE 1\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"},
                                           {"STARTTLS", "220 go ahead\r\n"},
                                           {"EHLO", "250-box.test\r\n250 AUTH LOGIN\r\n"},
                                           {"AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"},
                                           {"dGVzdA==\r\n", "334 UGFzc3dvcmQ6\r\n"},
                                           {"MTIzNA==\r\n", "235 ok\r\n"},
                                           TO_END};
    struct sender s;
    sender_init(&s, MAIL_STARTTLS);
    s.m.user = LIT("test");
    s.m.password = LIT("1234");
    CHECK(sender_send(&s, upgraded));
    CHECK_TEXT(buf_slice(&log_text_),
               LIT("EHLO home.test\r\nSTARTTLS\r\nEHLO home.test\r\nAUTH LOGIN\r\ndGVzdA==\r\nMTIzNA==\r\n"
                   "MAIL FROM:<me@home.test>\r\nRCPT TO:<a@x.test>\r\nDATA\r\nQUIT\r\n"));
    /* A server without it gets nothing, nor does one that refuses it. */
    sender_init(&s, MAIL_STARTTLS);
    CHECK(!sender_send(&s, list));
    check_failure(&s, ERR_AUTHORIZATION,
                  "mail by box.test, EHLO: the server does not offer STARTTLS, so nothing is sent to it");
    static const struct part refuses[] = {{NULL, "220 ready\r\n"},
                                          {"EHLO", "250-x\r\n250 STARTTLS\r\n"},
                                          {"STARTTLS", "454 not now\r\n"},
                                          {NULL, NULL},
                                          {NULL, NULL}};
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    CHECK(!sender_send(&s, refuses));
    check_failure(&s, ERR_RATE, "mail by box.test, STARTTLS: the server answered 454 \"not now\"");
    /* Bytes behind the 220: they would be read as if TLS had protected them. */
    static const struct part injects[] = {{NULL, "220 ready\r\n"},
                                          {"EHLO", "250-x\r\n250 STARTTLS\r\n"},
                                          {"STARTTLS", "220 go\r\n250 AUTH PLAIN\r\n"},
                                          {NULL, NULL}};
    sender_init(&s, MAIL_STARTTLS);
    CHECK(!sender_send(&s, injects));
    check_failure(&s, ERR_NETWORK, "the server said more than it was asked");
    CHECK(!memmem(log_text_.ptr, log_text_.len, "MAIL", 4));
    close_mail();
}

TEST(without_tls_mail_goes_only_to_the_house_and_never_a_password) {
    open_mail(false, false);
    static const struct part list[] = {TO_HELLO, TO_END};
    static const struct part stops[] = {TO_HELLO, {NULL, NULL}};
    struct sender s;
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    CHECK(sender_send(&s, list)); /* 127.0.0.1 is of the house */
    sender_init(&s, MAIL_STARTTLS);
    CHECK(!sender_send(&s, stops));
    check_failure(&s, ERR_AUTHORIZATION, "does not offer STARTTLS");
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    s.m.user = LIT("test");
    CHECK(!sender_send(&s, stops));
    check_failure(&s, ERR_AUTHORIZATION, "the password is not sent without TLS");
    CHECK_TEXT(buf_slice(&log_text_), LIT("EHLO home.test\r\n"));
    /* TLS is wanted and there is nobody to trust. */
    sender_init(&s, MAIL_TLS);
    CHECK(!sender_send(&s, stops));
    check_failure(&s, ERR_UNSUPPORTED, "none were loaded");
    /* A guard that lets nobody pass. */
    sender_init(&s, MAIL_STARTTLS);
    s.m.allowed = dial_public_only;
    CHECK(!sender_send(&s, stops));
    check_failure(&s, ERR_INVALID, "mail by box.test, reaching the server: box.test may not be dialled");
    /* Without a name of our own we say our address. */
    static const struct part address[] = {{NULL, "220 x\r\n"}, {"EHLO [127.0.0.1]\r\n", "250 x\r\n"}, TO_END};
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    s.m.hello = LIT("");
    CHECK(sender_send(&s, address));
    close_mail();
}

TEST(long_logins_wait_for_the_go_ahead_and_refused_ones_are_told_apart) {
    NEEDS_OPENSSL();
    open_mail(true, true);
    char password[1000];
    memset(password, 'p', sizeof password);
    static const struct part list[] = {{NULL, "220 x\r\n"},
                                       {"EHLO", "250-x\r\n250 AUTH PLAIN\r\n"},
                                       {"AUTH PLAIN\r\n", "334 \r\n"},
                                       {"AHUAcHBwcHBw", "235 ok\r\n"}, /* NUL u NUL p p p ... */
                                       TO_END};
    struct sender s;
    sender_init(&s, MAIL_TLS);
    s.m.user = LIT("u");
    s.m.password = slice_of(password, sizeof password);
    CHECK(sender_send(&s, list));
    static const struct part refused[] = {{NULL, "220 x\r\n"},
                                          {"EHLO", "250-x\r\n250 AUTH PLAIN\r\n"},
                                          {"AUTH PLAIN ", "535 5.7.8 bad \"credentials\" \xff\r\n"},
                                          {"QUIT\r\n", NULL},
                                          {NULL, NULL}};
    sender_init(&s, MAIL_TLS);
    s.m.user = LIT("u");
    CHECK(!sender_send(&s, refused));
    check_failure(&s, ERR_AUTHORIZATION, "mail by box.test, AUTH: the server answered 535");
    CHECK(s.m.code == 535 && !strchr(s.m.words, '\xff'));
    static const struct part other[] = {
        {NULL, "220 x\r\n"}, {"EHLO", "250-x\r\n250 AUTH CRAM-MD5 XOAUTH2\r\n"}, {NULL, NULL}};
    sender_init(&s, MAIL_TLS);
    s.m.user = LIT("u");
    CHECK(!sender_send(&s, other));
    check_failure(&s, ERR_UNSUPPORTED, "takes no login by PLAIN or LOGIN");
    static const struct part curious[] = {
        {NULL, "220 x\r\n"}, {"EHLO", "250-x\r\n250 AUTH PLAIN\r\n"}, {"AUTH PLAIN ", "334 more\r\n"}, {NULL, NULL}};
    sender_init(&s, MAIL_TLS);
    s.m.user = LIT("u");
    CHECK(!sender_send(&s, curious));
    check_failure(&s, ERR_NETWORK, "asks for more than name and password");
    close_mail();
}

/* --- recipients --- */

TEST(each_recipient_gets_its_own_answer) {
    open_mail(false, false);
    static const struct part list[] = {TO_HELLO,
                                       {"MAIL", "250 ok\r\n"},
                                       {"RCPT TO:<a@x.test>", "550 5.1.1 no such user\r\n"},
                                       {"RCPT TO:<b@x.test>", "251 will forward\r\n"},
                                       {"RCPT TO:<c@x.test>", "452-4.5.3\r\n452 too many\r\n"},
                                       {"DATA", "354 go\r\n"},
                                       {"", "250 ok\r\n"},
                                       {"QUIT", NULL},
                                       {NULL, NULL}};
    struct sender s;
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    s.m.recipient_n = 3;
    CHECK(sender_send(&s, list) && s.m.accepted == 1);
    CHECK(!s.to[0].accepted && s.to[0].code == 550 && s.to[1].accepted && s.to[1].code == 251 && !s.to[2].accepted &&
          s.to[2].code == 452);
    CHECK_TEXT(slice_str(s.to[0].words), LIT("5.1.1 no such user"));
    CHECK_TEXT(slice_str(s.to[2].words), LIT("4.5.3"));
    static const struct part none[] = {TO_HELLO,
                                       {"MAIL", "250 ok\r\n"},
                                       {"RCPT", "550 5.1.1 no such user\r\n"},
                                       {"RCPT", "451 later\r\n"},
                                       {"QUIT", NULL},
                                       {NULL, NULL}};
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    s.m.recipient_n = 2;
    CHECK(!sender_send(&s, none) && s.m.code == 550 && part_at == 6 /* with QUIT; no DATA */);
    check_failure(&s, ERR_NOT_FOUND, "mail by box.test, RCPT TO: the server answered 550 \"5.1.1 no such user\"");
    static const struct part some[] = {
        TO_HELLO,    {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"RCPT", "451 later\r\n"}, {"QUIT", NULL},
        {NULL, NULL}};
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = s.m.all_or_none = true;
    s.m.recipient_n = 2;
    CHECK(!sender_send(&s, some) && s.m.code == 451);
    check_failure(&s, ERR_RATE, "the server answered 451 \"later\"");
    static const struct part leaves[] = {
        TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "421 going down\r\n"}, {"QUIT", NULL}, {NULL, NULL}};
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    s.m.recipient_n = 2;
    CHECK(!sender_send(&s, leaves) && s.to[1].code == 0);
    check_failure(&s, ERR_RATE, "421 \"going down\"");
    close_mail();
}

/* --- what the message is made into --- */

TEST(dots_are_doubled_and_every_line_ends_in_cr_lf) {
    static const struct {
        const char *text, *want;
        unsigned size;
    } rows[] = {
        {"", ".\r\n", 0},
        {"a", "a\r\n.\r\n", 3},
        {"a\r\n", "a\r\n.\r\n", 3},
        {"a\nb\rc\r\nd", "a\r\nb\r\nc\r\nd\r\n.\r\n", 12},
        {".\r\n..\r\n.a\na.\n", "..\r\n...\r\n..a\r\na.\r\n.\r\n", 15},
        {"\r.\n\r\n\n.", "\r\n..\r\n\r\n\r\n..\r\n.\r\n", 12},
        {"a\r", "a\r\n.\r\n", 3},
        {"\r", "\r\n.\r\n", 2},
        {"a\r\n.\r\nMAIL FROM:<evil@x>\r\n", "a\r\n..\r\nMAIL FROM:<evil@x>\r\n.\r\n", 26},
    };
    open_mail(false, false);
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int way = 0; way < 2; way++) {
            static const struct part list[] = {TO_HELLO, TO_END};
            struct sender s;
            struct source_part pieces[40];
            sender_init(&s, MAIL_STARTTLS);
            s.m.plain_in_house = true;
            s.part.bytes = slice_str(rows[i].text);
            if (way) { /* the same in parts of one byte */
                s.m.part_n = strlen(rows[i].text);
                s.m.parts = pieces;
                for (size_t k = 0; k < s.m.part_n; k++)
                    pieces[k] = (struct source_part){.bytes = slice_of(rows[i].text + k, 1)};
            }
            CHECK(sender_send(&s, list));
            CHECK_TEXT(buf_slice(&message), slice_str(rows[i].want));
            char size[40];
            snprintf(size, sizeof size, " SIZE=%u\r\n", rows[i].size);
            if (!CHECK(memmem(log_text_.ptr, log_text_.len, size, strlen(size)) != NULL))
                tap_note("%zu %d: %.*s", i, way, (int)log_text_.len, (const char *)log_text_.ptr);
        }
    close_mail();
}

TEST(what_mail_cannot_carry_is_not_sent) {
    static const struct part before[] = {TO_HELLO, {"QUIT", NULL}, {NULL, NULL}};
    static const struct part halfway[] = {
        TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", "354 go\r\n"}, {NULL, NULL}};
    char line[1100];
    struct sender s;
    memset(line, 'x', sizeof line);
    open_mail(false, false);
#define BEGIN                                                                                                          \
    sender_init(&s, MAIL_STARTTLS);                                                                                    \
    s.m.plain_in_house = true
    BEGIN;
    s.part.bytes = slice_of("a\0b", 3);
    CHECK(!sender_send(&s, halfway) && !s.m.unknown);
    check_failure(&s, ERR_INVALID, "sending the message: the message has a NUL");
    BEGIN;
    s.part.bytes = slice_of(line, 999);
    CHECK(!sender_send(&s, halfway));
    check_failure(&s, ERR_INVALID, "a line over 998 bytes");
    static const struct part fits[] = {TO_HELLO, TO_END};
    BEGIN;
    s.part.bytes = slice_of(line, 998);
    CHECK(sender_send(&s, fits));
    BEGIN;
    s.part.bytes = LIT("\xc3\xa4");
    CHECK(!sender_send(&s, before));
    check_failure(&s, ERR_UNSUPPORTED, "does not offer 8BITMIME");
    BEGIN;
    s.to[0].address = LIT("\xc3\xa4@x.test");
    CHECK(!sender_send(&s, before));
    check_failure(&s, ERR_UNSUPPORTED, "does not offer SMTPUTF8");
    static const struct part small[] = {
        {NULL, "220 x\r\n"}, {"EHLO", "250-x\r\n250 SIZE 20\r\n"}, {"QUIT", NULL}, {NULL, NULL}};
    BEGIN;
    CHECK(!sender_send(&s, small));
    check_failure(&s, ERR_LIMIT, "the message has 21 bytes and the server takes 20");
    static const struct part offers[] = {{NULL, "220 x\r\n"},
                                         {"EHLO", "250-x\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"},
                                         {"MAIL FROM:<me@home.test> BODY=8BITMIME SMTPUTF8\r\n", "250 ok\r\n"},
                                         {"RCPT TO:<\xc3\xa4@x.test>\r\n", "250 ok\r\n"},
                                         {"DATA", "354 go\r\n"},
                                         {"", "250 ok\r\n"},
                                         {"QUIT", NULL},
                                         {NULL, NULL}};
    BEGIN;
    s.to[0].address = LIT("\xc3\xa4@x.test");
    s.part.bytes = LIT("\xc3\xa4");
    CHECK(sender_send(&s, offers));
    close_mail();
}

TEST(what_would_break_a_command_is_refused_at_once) {
    struct sender s;
    open_mail(false, false);
#define REFUSED(change)                                                                                                \
    sender_init(&s, MAIL_TLS);                                                                                         \
    change;                                                                                                            \
    CHECK(!sender_start(&s) && err.text[0])
    REFUSED(s.m.from = LIT("a@b>\r\nRCPT TO:<c@d"));
    REFUSED(s.to[0].address = LIT("a@b\r\nDATA"));
    REFUSED(s.to[0].address = LIT("a b@c"));
    REFUSED(s.to[0].address = LIT(""));
    REFUSED(s.m.recipient_n = 0);
    REFUSED(s.m.host = LIT(""));
    REFUSED(s.m.host = LIT("a\r\nb"));
    REFUSED(s.m.hello = LIT("a b"));
    REFUSED(s.m.hello = LIT("a\r\nMAIL"));
    REFUSED(s.m.user = slice_of("a\0b", 3));
    REFUSED(s.m.password = slice_of("\0", 1));
    char text[5000];
    struct mail_recipient many[101];
    memset(text, 'a', sizeof text);
    REFUSED(s.m.password = slice_of(text, 4097));
    REFUSED(s.m.hello = slice_of(text, 256));
    for (size_t i = 0; i < 101; i++) many[i] = (struct mail_recipient){.address = LIT("a@b")};
    REFUSED((s.m.recipients = many, s.m.recipient_n = 101));
    sender_init(&s, MAIL_TLS);
    s.m.from = LIT(""); /* nobody to tell */
    CHECK(sender_start(&s));
    mail_stop(&s.m);
    mail_stop(&s.m);
    settle();
    close_mail();
}

/* --- from files --- */

TEST(messages_with_files_are_sent_with_their_size) {
    if (!begin()) return;
    stage_begin(false);
    host_open(&host, smtp_heard, false);
    host.came = smtp_came;
    buf_init(&log_text_, 1 << 20);
    buf_init(&message, 1u << 28);
    uint8_t *bytes = malloc(1000000);
    fill(bytes, 1000000, 0);
    put_file(data_dir, "log", slice_of(bytes, 1000000));
    free(bytes);
    struct mailbox to = {.address = LIT("a@x.test")};
    struct mime_attachment file = {.name = LIT("log"), .file = {&port, "data", LIT("log")}};
    struct mime_message msg = {.from = {.address = LIT("me@home.test")},
                               .to = &to,
                               .to_n = 1,
                               .subject = LIT("a log"),
                               .message_id = LIT("1@home.test"),
                               .text = LIT(".\ntext\n"),
                               .attachments = &file,
                               .attachment_n = 1};
    struct mime mime;
    CHECK(mime_write(&mime, &msg, &err));
    static const struct part list[] = {TO_HELLO, TO_END};
    struct sender s;
    sender_init(&s, MAIL_STARTTLS);
    s.m.plain_in_house = true;
    s.m.parts = mime.parts;
    s.m.part_n = mime.part_n;
    CHECK(sender_send(&s, list));
    /* What came is what was announced, but for the dot that was doubled and the dot at the end. */
    char size[40];
    snprintf(size, sizeof size, " SIZE=%zu\r\n", message.len - 1 - 3);
    CHECK(memmem(log_text_.ptr, log_text_.len, size, strlen(size)) != NULL);
    CHECK(message.len > 1333336 && memmem(message.ptr, message.len, "\r\n..\r\ntext\r\n", 12) != NULL);
    mime_release(&mime);
    /* A file as it is: what is in it is seen only on its way. */
    static const struct {
        const char *text, *want;
    } rows[] = {{"plain\n.\n", NULL}, {"w\xc3\xa4it\n", "the message has bytes beyond ASCII"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        static const struct part half[] = {
            TO_HELLO, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA", "354 go\r\n"}, {NULL, NULL}};
        put_file(data_dir, "raw", slice_str(rows[i].text));
        sender_init(&s, MAIL_STARTTLS);
        s.m.plain_in_house = true;
        s.part = (struct source_part){.file = {&port, "data", LIT("raw")}};
        CHECK(sender_send(&s, rows[i].want ? half : list) == !rows[i].want);
        if (rows[i].want)
            check_failure(&s, ERR_INVALID, rows[i].want);
        else
            CHECK_TEXT(buf_slice(&message), LIT("plain\r\n..\r\n.\r\n"));
    }
    sender_init(&s, MAIL_STARTTLS);
    s.part = (struct source_part){.file = {&port, "data", LIT("missing")}};
    unsigned visits = host.visits;
    CHECK(!sender_send(&s, list) && host.visits == visits);
    check_failure(&s, ERR_NOT_FOUND, "looking at the message: reading the file to be sent");
    if (host.last) stream_abort(&host.last->s);
    host_close(&host);
    stage_end();
    buf_release(&log_text_);
    buf_release(&message);
    end();
}

TAP_MAIN(T(a_mail_goes_by_tls_with_a_login), T(starttls_begins_anew_behind_it),
         T(without_tls_mail_goes_only_to_the_house_and_never_a_password),
         T(long_logins_wait_for_the_go_ahead_and_refused_ones_are_told_apart), T(each_recipient_gets_its_own_answer),
         T(dots_are_doubled_and_every_line_ends_in_cr_lf), T(what_mail_cannot_carry_is_not_sent),
         T(what_would_break_a_command_is_refused_at_once), T(messages_with_files_are_sent_with_their_size))
