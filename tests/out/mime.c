/* mime.c - mail addresses and messages: each rule against bytes reasoned here, and whole messages read by python3's email module,
 * which knows nothing of us; attached files through a real disk hand. */
#include "warden/disk_box.h"

#include "base/rng.h"
#include "lib/faults.h"
#include "out/mime.h"
#include "out/mime_text.h"

/* --- addresses --- */

TEST(addresses_are_taken_or_refused_by_the_grammar) {
    static const char *const good[] = {"a@b",
                                       "a.b@c.org",
                                       "a+b'c@x-y.org",
                                       "\"a b\"@c.org",
                                       "\"a@b\\\"c\"@d",
                                       "a@[10.0.0.1]",
                                       "a@[IPv6:2001:db8::1]",
                                       "\xc3\xa4@\xc3\xb6.org",
                                       "!#$%&'*+-/=?^_`{|}~@x"};
    static const char *const bad[] = {
        "",       "a",        "@b",         "a@",          "a@b@c",   ".a@b",       "a.@b",  "a..b@c",   "a b@c",
        "a@-b",   "a@b-",     "a@b..c",     "a@.b",        "a@b.",    "a@b c",      "a@b_c", "a\r\nb@c", "a@b\r\n",
        "\"a@b",  "\"a\"b@c", "\"a\nb\"@c", "a@[1.2.3]",   "a@[::1]", "a@[1.2.3.4", "<a@b>", "a@b>",     "a,b@c",
        "\xff@b", "a@\xc3",   "a\x7f@b",    "\"a\\\n\"@b", "(x)a@b",  "a@b;c@d",    "a:b@c"};
    struct err e = ERR_INIT;
    bool wide;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!CHECK(mailbox_check(slice_str(good[i]), &wide, &e))) tap_note("%s: %s", good[i], e.text);
        CHECK(wide == ((uint8_t)good[i][0] >= 0x80));
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        if (!CHECK(!mailbox_check(slice_str(bad[i]), &wide, &e))) tap_note("%s", bad[i]);
    char text[400];
    memset(text, 'a', sizeof text);
    for (size_t len = 64; len < 66; len++) { /* the local part */
        text[len] = '@';
        CHECK(mailbox_check(slice_of(text, len + 2), &wide, &e) == (len == 64));
        text[len] = 'a';
    }
    /* 254 bytes and 255, labels of 62. */
    text[1] = '@';
    for (size_t i = 2; i < sizeof text; i++) text[i] = (i - 2) % 63 == 62 ? '.' : 'a';
    CHECK(mailbox_check(slice_of(text, 253), &wide, &e) && !mailbox_check(slice_of(text, 256), &wide, &e));
    memset(text + 2, 'a', 64);
    CHECK(mailbox_check(slice_of(text, 2 + 63), &wide, &e) && !mailbox_check(slice_of(text, 2 + 64), &wide, &e));
}

TEST(names_stand_in_front_of_addresses_plain_or_quoted) {
    static const struct {
        const char *text, *name, *address; /* address NULL: refused */
    } rows[] = {
        {"a@b", "", "a@b"},
        {"  a@b ", "", "a@b"},
        {"<a@b>", "", "a@b"},
        {"Ann <a@b>", "Ann", "a@b"},
        {"Ann  B. See<a@b>", "Ann B. See", "a@b"},
        {"\"See, Ann\" <a@b>", "See, Ann", "a@b"},
        {"\"a \\\"b\\\" <c>\" <a@b>", "a \"b\" <c>", "a@b"},
        {"\xc3\x84nn \"x,\" <a@b>", "\xc3\x84nn x,", "a@b"},
        {"Ann, B <a@b>", NULL, NULL},
        {"Ann <a@b> x", NULL, NULL},
        {"Ann <a@b", NULL, NULL},
        {"Ann <a@b>, <c@d>", NULL, NULL},
        {"Ann (x) <a@b>", NULL, NULL},
        {"Ann\r\nBcc: x <a@b>", NULL, NULL},
        {"\"Ann\r\nBcc: x\" <a@b>", NULL, NULL},
        {"\"Ann <a@b>", NULL, NULL},
        {"<>", NULL, NULL},
        {"", NULL, NULL},
        {"\xff <a@b>", NULL, NULL},
    };
    struct arena arena;
    struct err e = ERR_INIT;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mailbox m;
        bool good = mailbox_read(&arena, slice_str(rows[i].text), &m, &e);
        if (!CHECK(good == (rows[i].address != NULL))) tap_note("%s: %s", rows[i].text, e.text);
        if (!good || !rows[i].address) continue;
        CHECK_TEXT(m.name, slice_str(rows[i].name));
        CHECK_TEXT(m.address, slice_str(rows[i].address));
    }
    arena_release(&arena);
}

/* --- text --- */

static struct buf scratch;

static struct slice quoted(const char *text) {
    buf_release(&scratch);
    buf_init(&scratch, 1 << 20);
    mime_add_quoted_printable(&scratch, slice_str(text));
    CHECK_INT(scratch.len, mime_quoted_printable_size(slice_str(text)));
    return buf_slice(&scratch);
}

TEST(quoted_printable_keeps_lines_short_and_ends_them_well) {
    CHECK_TEXT(quoted(""), LIT(""));
    CHECK_TEXT(quoted("plain\n"), LIT("plain\r\n"));
    CHECK_TEXT(quoted("no end"), LIT("no end\r\n"));
    CHECK_TEXT(quoted("a\rb\nc\r\nd\n\re"), LIT("a\r\nb\r\nc\r\nd\r\n\r\ne\r\n"));
    CHECK_TEXT(quoted("x=1"), LIT("x=3D1\r\n"));
    CHECK_TEXT(quoted("\xc3\xa4\x01"), LIT("=C3=A4=01\r\n"));
    CHECK_TEXT(quoted("blank \ntab\t\nin side\n"), LIT("blank=20\r\ntab=09\r\nin side\r\n"));
    CHECK_TEXT(quoted("From me\n>From\nFrom\n"), LIT("=46rom me\r\n>From\r\nFrom\r\n"));
    /* 76 fit; of 77, 75 and a soft break. */
    char text[100];
    memset(text, 'a', 77);
    text[76] = 0;
    CHECK_INT(quoted(text).len, 78);
    text[76] = 'a';
    text[77] = 0;
    CHECK(slice_eq(slice_skip(quoted(text), 75), LIT("=\r\naa\r\n")));
    text[74] = '='; /* its three would end at 77 */
    text[75] = 0;
    CHECK(slice_eq(slice_skip(quoted(text), 74), LIT("=\r\n=3D\r\n")) ||
          slice_eq(slice_skip(quoted(text), 73), LIT("a=\r\n=3D\r\n")));
    buf_release(&scratch);
}

static struct slice field(const char *text) {
    buf_release(&scratch);
    buf_init(&scratch, 1 << 20);
    mime_add_text_field(&scratch, "Subject", slice_str(text));
    return buf_slice(&scratch);
}

TEST(header_fields_are_folded_and_encoded) {
    CHECK_TEXT(field("short"), LIT("Subject: short\r\n"));
    /* "Subject:" and five words of 14 with their blanks are 8 + 75 = 83; four are 68. */
    CHECK_TEXT(field("abcdefghijklmn abcdefghijklmn abcdefghijklmn abcdefghijklmn abcdefghijklmn"),
               LIT("Subject: abcdefghijklmn abcdefghijklmn abcdefghijklmn abcdefghijklmn\r\n abcdefghijklmn\r\n"));
    /* The shorter of both codings. */
    CHECK_TEXT(field("gr\xc3\xbc\xc3\x9f"), LIT("Subject: =?UTF-8?B?Z3LDvMOf?=\r\n"));
    CHECK_TEXT(field("gr\xc3\xbcner tee"), LIT("Subject: =?UTF-8?Q?gr=C3=BCner_tee?=\r\n"));
    CHECK_TEXT(field("\xe6\x97\xa5\xe6\x9c\xac"), LIT("Subject: =?UTF-8?B?5pel5pys?=\r\n"));
    CHECK_TEXT(field("=?UTF-8?Q?x?="), LIT("Subject: =?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=\r\n"));
    CHECK_TEXT(field(" blank"), LIT("Subject: =?UTF-8?Q?_blank?=\r\n"));
    CHECK_TEXT(field("two  blanks"), LIT("Subject: =?UTF-8?Q?two__blanks?=\r\n"));
    buf_release(&scratch);
}

TEST(encoded_words_begin_on_a_new_line_where_nothing_fits_any_more) {
    char address[80];
    struct mailbox list[2] = {
        {.address = slice_of(address, 0)},
        {.name = LIT("\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6"
                     "\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
                     "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"), /* 18 of 3 bytes: two words */
         .address = LIT("b@x")}};
    memset(address, 'a', sizeof address);
    for (size_t len = 40; len < 75; len++) {
        struct buf out;
        buf_init(&out, 4096);
        list[0].address.len = len;
        mime_add_mailboxes(&out, "To", list, 2);
        for (struct slice rest = buf_slice(&out); rest.len;) {
            struct slice line = slice_cut(&rest, '\n');
            bool words = line.len && memmem(line.ptr, line.len, "=?", 2);
            if (!CHECK(line.len - 1 <= (words ? 76u : 78u))) tap_note("%.*s", (int)out.len, (const char *)out.ptr);
        }
        buf_release(&out);
    }
}

TEST(no_line_break_gets_into_a_header) {
    struct err e = ERR_INIT;
    static const char *const bad[] = {"a\r\nBcc: x", "a\nb", "a\rb", "a\tb", "\x7f", "\xff", "a\x1b[0m"};
    for (size_t i = 0; i < COUNT(bad); i++) CHECK(!mime_check_text(slice_str(bad[i]), "subject", &e));
    CHECK(!mime_check_text(slice_of("a\0b", 3), "subject", &e) && mime_check_text(LIT("\xc3\xa4 =?x"), "subject", &e));
    struct mime m;
    struct mailbox to = {.address = LIT("a@b")};
    struct mime_message good = {.from = {.address = LIT("x@y")},
                                .to = &to,
                                .to_n = 1,
                                .message_id = LIT("1@y"),
                                .subject = LIT("s")},
                        msg = good;
#define REFUSED(change)                                                                                                \
    msg = good;                                                                                                        \
    change;                                                                                                            \
    CHECK(!mime_write(&m, &msg, &e))
    REFUSED(msg.subject = LIT("a\r\nBcc: x@y"));
    REFUSED(msg.from.name = LIT("a\nb"));
    REFUSED(msg.from.address = LIT("a@b\r\n"));
    REFUSED(msg.from.address = LIT(""));
    REFUSED(msg.reply_to.address = LIT("a b"));
    REFUSED(msg.message_id = LIT("<1@y>"));
    REFUSED(msg.message_id = LIT("1@y\r\n"));
    REFUSED(msg.message_id = LIT("1"));
    REFUSED(msg.message_id = LIT("1@y@z"));
    REFUSED(msg.text = LIT("\xff"));
    REFUSED(msg.html = LIT("\xff"));
    REFUSED(msg.date = INT64_MAX);
    REFUSED(msg.to_n = 101);
    struct mime_attachment a = {.name = LIT("x")}, a_good = a;
    msg = good;
    msg.attachments = &a;
    msg.attachment_n = 1;
    CHECK(mime_write(&m, &msg, &e));
    mime_release(&m);
    static const char *const names[] = {"", "a/b", "a\r\nb", "a\"\nb", "\xff"};
    for (size_t i = 0; i < COUNT(names); i++) {
        a = a_good;
        a.name = slice_str(names[i]);
        CHECK(!mime_write(&m, &msg, &e));
    }
    static const char *const types[] = {"x",  "a/b; c=d", "a/b\r\nX: y", "multipart/mixed", "Message/rfc822",
                                        "/b", "a/"};
    for (size_t i = 0; i < COUNT(types); i++) {
        a = a_good;
        a.type = slice_str(types[i]);
        CHECK(!mime_write(&m, &msg, &e));
    }
    struct mime_attachment many[101];
    for (size_t i = 0; i < 101; i++) many[i] = a_good;
    msg.attachments = many;
    msg.attachment_n = 101;
    CHECK(!mime_write(&m, &msg, &e) && e.limit && !strcmp(e.limit, "LIMIT_MIME_ATTACHMENTS"));
}

/* --- whole messages --- */

TEST(a_simple_message_is_these_bytes) {
    struct mime m;
    struct err e = ERR_INIT;
    struct mailbox to[] = {{.name = LIT("Ann"), .address = LIT("ann@example.org")},
                           {.name = LIT("See, Bob"), .address = LIT("bob@example.org")}};
    struct mailbox cc = {.name = LIT("J\xc3\xb6rg Muster"), .address = LIT("j@example.org")};
    struct mime_message msg = {.from = {.address = LIT("box@home.test")},
                               .to = to,
                               .to_n = 2,
                               .cc = &cc,
                               .cc_n = 1,
                               .subject = LIT("Backup done"),
                               .date = 784111777, /* of RFC 9110 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT */
                               .message_id = LIT("1.2@home.test"),
                               .text = LIT("All is well.\n"),
                               .automatic = true};
    CHECK(mime_write(&m, &msg, &e) && m.part_n == 1 && !m.wide);
    CHECK_TEXT(m.parts[0].bytes, LIT("From: box@home.test\r\n"
                                     "To: Ann <ann@example.org>, \"See, Bob\" <bob@example.org>\r\n"
                                     "Cc: =?UTF-8?Q?J=C3=B6rg_Muster?= <j@example.org>\r\n"
                                     "Subject: Backup done\r\n"
                                     "Date: Sun, 06 Nov 1994 08:49:37 +0000\r\n"
                                     "Message-ID: <1.2@home.test>\r\n"
                                     "Auto-Submitted: auto-generated\r\n"
                                     "MIME-Version: 1.0\r\n"
                                     "Content-Type: text/plain; charset=utf-8\r\n"
                                     "Content-Transfer-Encoding: quoted-printable\r\n"
                                     "\r\n"
                                     "All is well.\r\n"));
    mime_release(&m);
    cc.address = LIT("j\xc3\xb6rg@example.org");
    CHECK(mime_write(&m, &msg, &e) && m.wide);
    mime_release(&m);
}

/* --- sending, as mail does --- */

struct drain {
    struct source s;
    struct buf got;
    bool open, over, failed;
    size_t most; /* taken at once */
    bool slow;   /* once a call, and no more */
    bool swap;   /* the file is replaced by another once it was looked at */
};

static void take(struct drain *d) {
    struct slice piece;
    while ((piece = source_data(&d->s)).len) {
        if (d->most) piece = slice_head(piece, d->most);
        buf_add(&d->got, piece);
        source_eat(&d->s, piece.len);
        if (d->slow) break;
    }
    d->over = source_over(&d->s);
}

static void drain_heard(struct source *s, enum source_event event) {
    struct drain *d = LOOP_OWNER(struct drain, s, s);
    CHECK(!d->over);
    if (event == SOURCE_FAILED)
        d->failed = d->over = true;
    else if (event == SOURCE_DATA)
        take(d);
    else {
        d->open = true;
        if (d->swap) CHECK(renameat(data_dir, "other", data_dir, "f") == 0);
        if (!source_begin(&d->s, &d->s.err))
            d->failed = d->over = true;
        else
            take(d);
    }
}

static bool drain_parts(struct drain *d, struct source_part *parts, size_t n, size_t most) {
    *d = (struct drain){.s = {.call = drain_heard, .name = "the mail", .parts = parts, .part_n = n}, .most = most};
    buf_init(&d->got, 1u << 28);
    source_open(&d->s, loop);
    for (unsigned i = 0; i < 20000 && !d->over; i++) loop_turn(loop, 1000);
    return CHECK(d->over) && !d->failed;
}

static void drain_release(struct drain *d) {
    source_stop(&d->s);
    buf_release(&d->got);
}

static void put_pattern(const char *name, size_t len) {
    uint8_t *p = malloc(len + 1);
    fill(p, len, 0);
    put_file(data_dir, name, slice_of(p, len));
    free(p);
}

TEST(a_file_in_base64_is_as_long_as_was_said_and_the_same_however_it_is_taken) {
    static const size_t sizes[] = {0, 1, 2, 3, 56, 57, 58, 114, 57 * 64, 57 * 64 + 1, 200000, 1000003};
    if (!begin()) return;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct buf want, raw;
        buf_init(&want, 1u << 24);
        buf_init(&raw, 1u << 24);
        put_pattern("f", sizes[i]);
        fill(buf_room(&raw, sizes[i] + 1), sizes[i], 0);
        buf_wrote(&raw, sizes[i]);
        buf_add(&want, LIT("head\r\n"));
        mime_add_base64(&want, buf_slice(&raw));
        mime_add_base64(&want, buf_slice(&raw));
        buf_add(&want, LIT("tail"));
        static const size_t most[] = {0, 1, 100};
        for (size_t k = 0; k < (sizes[i] > 300000 ? 1 : 3); k++) {
            struct source_part parts[] = {{.bytes = LIT("head\r\n")},
                                          {.bytes = LIT("")},
                                          {.file = {&port, "data", LIT("f")}, .base64 = true},
                                          {.file = {&port, "data", LIT("f")}, .base64 = true},
                                          {.bytes = LIT("")},
                                          {.bytes = LIT("tail")}};
            struct drain d;
            CHECK(drain_parts(&d, parts, 6, most[k]) && d.s.size == want.len);
            if (!CHECK(slice_eq(buf_slice(&d.got), buf_slice(&want))))
                tap_note("%zu bytes, %zu at once: %zu came, %zu wanted", sizes[i], most[k], d.got.len, want.len);
            drain_release(&d);
        }
        buf_release(&want);
        buf_release(&raw);
    }
    loop_turn(loop, 0), loop_turn(loop, 0);
    end();
}

TEST(a_file_whose_text_is_taken_late_loses_nothing) {
    if (!begin()) return;
    put_pattern("f", 3000); /* all of it becomes text at once, and the pump is done long before that is taken */
    struct buf raw, want;
    buf_init(&raw, 1 << 16);
    buf_init(&want, 1 << 16);
    fill(buf_room(&raw, 3000), 3000, 0);
    buf_wrote(&raw, 3000);
    mime_add_base64(&want, buf_slice(&raw));
    buf_add(&want, LIT("tail"));
    struct source_part parts[] = {{.file = {&port, "data", LIT("f")}, .base64 = true}, {.bytes = LIT("tail")}};
    struct drain d = {
        .s = {.call = drain_heard, .name = "the mail", .parts = parts, .part_n = 2}, .most = 100, .slow = true};
    buf_init(&d.got, 1 << 16);
    source_open(&d.s, loop);
    for (unsigned i = 0; i < 2000 && !d.over; i++) {
        loop_turn(loop, 5);
        if (d.open && !d.over) take(&d);
    }
    CHECK(d.over && !d.failed);
    CHECK_TEXT(buf_slice(&d.got), buf_slice(&want));
    drain_release(&d);
    buf_release(&raw);
    buf_release(&want);
    loop_turn(loop, 0), loop_turn(loop, 0);
    end();
}

TEST(files_alone_and_none_and_missing_ones) {
    if (!begin()) return;
    put_pattern("f", 100000);
    put_pattern("empty", 0);
    struct drain d;
    struct source_part two[] = {{.file = {&port, "data", LIT("f")}},
                                {.file = {&port, "data", LIT("empty")}},
                                {.file = {&port, "data", LIT("f")}}};
    CHECK(drain_parts(&d, two, 3, 0) && d.got.len == 200000 && d.s.size == 200000);
    /* Once more from the front. */
    buf_reset(&d.got);
    d.over = false;
    CHECK(source_begin(&d.s, &err));
    take(&d);
    for (unsigned i = 0; i < 20000 && !d.over; i++) loop_turn(loop, 1000);
    CHECK(d.got.len == 200000);
    drain_release(&d);
    struct source_part missing[] = {{.file = {&port, "data", LIT("f")}}, {.file = {&port, "data", LIT("none")}}};
    CHECK(!drain_parts(&d, missing, 2, 0) && !d.open && d.s.err.code == ERR_NOT_FOUND);
    drain_release(&d);
    CHECK(drain_parts(&d, NULL, 0, 0) && d.open && d.s.size == 0);
    drain_release(&d);
    /* Another file of the same length in its place. */
    put_pattern("other", 100000);
    d = (struct drain){.s = {.call = drain_heard, .name = "the mail", .parts = two, .part_n = 1}, .swap = true};
    buf_init(&d.got, 1u << 28);
    source_open(&d.s, loop);
    for (unsigned i = 0; i < 20000 && !d.over; i++) loop_turn(loop, 1000);
    CHECK(d.failed && d.got.len == 0 && strstr(d.s.err.text, "was changed"));
    drain_release(&d);
    /* Stopped between. */
    for (unsigned n = 0; n < 20; n++) {
        d = (struct drain){.s = {.call = drain_heard, .name = "the mail", .parts = two, .part_n = 3}};
        buf_init(&d.got, 1u << 28);
        source_open(&d.s, loop);
        for (unsigned i = 0; i < n; i++) loop_turn(loop, 1);
        drain_release(&d);
    }
    loop_turn(loop, 0), loop_turn(loop, 0);
    end();
}

/* --- an independent reader --- */

static const char reader[] =
    "import email, email.policy, email.utils, sys, hashlib\n"
    "from email.header import decode_header, make_header\n"
    "out = open('result', 'w', encoding='utf-8', newline='\\n')\n"
    "def say(*a): print(*a, file=out)\n"
    "def walk(p, depth):\n"
    "    say('  ' * depth + p.get_content_type(), [str(d) for d in p.defects])\n"
    "    if p.is_multipart():\n"
    "        for q in p.iter_parts(): walk(q, depth + 1)\n"
    "    elif p.get_content_disposition() == 'attachment':\n"
    "        b = p.get_content()\n"
    "        b = b.encode() if isinstance(b, str) else b\n"
    "        say('  ' * depth + 'file', '[' + p.get_filename() + ']', len(b), hashlib.sha256(b).hexdigest()[:16])\n"
    "    else:\n"
    "        say('  ' * depth + 'text', p['content-transfer-encoding'], repr(p.get_content().replace('\\r\\n', "
    "'\\n')))\n"
    "for number in range(int(sys.argv[1])):\n"
    "    raw = open('message%d' % number, 'rb').read()\n"
    "    lines = raw.split(b'\\r\\n')\n"
    "    assert max(len(l) for l in lines) <= 78, 'long line'\n"
    "    assert not any(b'=?' in l and len(l) > 76 for l in lines), 'long line with encoded-words'\n"
    "    assert not any(b'\\n' in l or b'\\r' in l for l in lines), 'bare breaks'\n"
    "    assert all(b < 128 for b in raw), '8 bit'\n"
    "    m = email.message_from_bytes(raw, policy=email.policy.default)\n"
    "    old = email.message_from_bytes(raw)\n"
    "    for name in ('from', 'reply-to', 'to', 'cc'):\n"
    "        if not m[name]: continue\n"
    "        assert not m[name].defects, m[name].defects\n"
    /* The newer reader of python 3.11 puts blanks between the encoded-words of a name; the older one does not. */
    "        for who, where in email.utils.getaddresses([old[name].replace('\\r\\n', '')]):\n"
    "            say(name, '[' + str(make_header(decode_header(who))) + ']', where)\n"
    "    say('subject', '[' + (m['subject'] or '') + ']')\n"
    "    say('date', int(m['date'].datetime.timestamp()), 'id', m['message-id'])\n"
    "    walk(m, 0)\n"
    "out.close()\n";

static bool has_python(void) {
    static int state;
    if (!state) state = system("python3 -c 'import email.policy' >/dev/null 2>&1") == 0 ? 1 : -1;
    return state > 0;
}

static void put_message(const struct mime_message *msg, unsigned number) {
    struct mime m;
    struct drain d;
    char name[30];
    if (!CHECK(mime_write(&m, msg, &err))) {
        tap_note("%s", err.text);
        return;
    }
    CHECK(drain_parts(&d, m.parts, m.part_n, 0) && d.got.len == d.s.size);
    snprintf(name, sizeof name, "message%u", number);
    put_file(data_dir, name, buf_slice(&d.got));
    drain_release(&d);
    mime_release(&m);
}

/* What python understood of so many messages; until the next call. */
static struct slice understood(unsigned n) {
    char command[400];
    buf_release(&scratch);
    buf_init(&scratch, 1 << 22);
    put_file(data_dir, "reader.py", slice_str(reader));
    snprintf(command, sizeof command, "cd %s/data && python3 reader.py %u 2>error", top, n);
    int code = system(command);
    if (!CHECK(file_read_all(data_dir, code ? "error" : "result", 1 << 20, &scratch, &err) && code == 0))
        tap_note("%.*s", (int)scratch.len, (const char *)scratch.ptr);
    return buf_slice(&scratch);
}
#define NEEDS_PYTHON()                                                                                                 \
    if (!has_python()) {                                                                                               \
        tap_skip("there is no python3 to read our mail with");                                                         \
        return;                                                                                                        \
    }

TEST(python_reads_names_subjects_and_texts_as_they_were_meant) {
    NEEDS_PYTHON();
    if (!begin()) return;
    struct mailbox to[] = {
        {.name = LIT("Ann \"the\" See, jr. \\"), .address = LIT("ann@example.org")},
        {.name = LIT("\xe5\xb1\xb1\xe7\x94\xb0\xe5\xa4\xaa\xe9\x83\x8e"), .address = LIT("yamada@example.org")},
        {.address = LIT("\"odd local\"@example.org")},
        {.name = LIT("a name that is so long that it cannot stand on one line together with all the others, nor alone, "
                     "one thinks"),
         .address = LIT("long@example.org")}};
    struct mime_message msg = {.from = {.name = LIT("B\xc3\xb6x"), .address = LIT("box@home.test")},
                               .reply_to = {.address = LIT("reply@home.test")},
                               .to = to,
                               .to_n = 4,
                               .subject =
                                   LIT("Gr\xc3\xbc\xc3\x9f"
                                       "e \xf0\x9f\x98\x80 from a box whose subject is so long that it takes several "
                                       "encoded words, which must be one text again, with  two blanks"),
                               .date = 784111777,
                               .message_id = LIT("1.2@home.test"),
                               .text = LIT("D\xc3\xb6t.\n.\n..two\nFrom here = there\n\ttab \nlast line")};
    put_message(&msg, 0);
    CHECK_TEXT(
        understood(1),
        LIT("from [B\xc3\xb6x] box@home.test\nreply-to [] reply@home.test\nto [Ann \"the\" See, jr. \\] "
            "ann@example.org\n"
            "to [\xe5\xb1\xb1\xe7\x94\xb0\xe5\xa4\xaa\xe9\x83\x8e] yamada@example.org\nto [] \"odd "
            "local\"@example.org\n"
            "to [a name that is so long that it cannot stand on one line together with all the others, nor alone, one "
            "thinks] long@example.org\n"
            "subject [Gr\xc3\xbc\xc3\x9f"
            "e \xf0\x9f\x98\x80 from a box whose subject is so long that it takes several encoded words, which must be "
            "one text again, with  two blanks]\ndate 784111777 id <1.2@home.test>\ntext/plain []\n"
            "text quoted-printable 'D\xc3\xb6t.\\n.\\n..two\\nFrom here = there\\n\\ttab \\nlast line\\n'\n"));
    /* Not for people's eyes without a program anyway: base64. */
    msg.text =
        LIT("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87\xe7\xab\xa0\xe3\x81\xa7\xe3\x81\x99\n\xe6\x97"
            "\xa5\xe6\x9c\xac"
            "\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87\xe7\xab\xa0\xe3\x81\xa7\xe3\x81\x99\xe6\x97\xa5\xe6\x9c\xac\n");
    msg.to_n = 0;
    msg.reply_to.address = LIT("");
    msg.subject = LIT("");
    put_message(&msg, 0);
    CHECK(slice_ends(understood(1), LIT("subject []\ndate 784111777 id <1.2@home.test>\ntext/plain []\ntext base64 "
                                        "'\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87\xe7\xab\xa0"
                                        "\xe3\x81\xa7\xe3\x81\x99\\n\xe6\x97\xa5"
                                        "\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87\xe7\xab\xa0\xe3\x81\xa7"
                                        "\xe3\x81\x99\xe6\x97\xa5\xe6\x9c\xac\\n'\n")));
    buf_release(&scratch);
    loop_turn(loop, 0), loop_turn(loop, 0);
    end();
}

TEST(python_finds_html_and_attachments_from_memory_and_files) {
    NEEDS_PYTHON();
    if (!begin()) return;
    put_pattern("log", 100001);
    struct mime_attachment files[] = {
        {.name = LIT("note.txt"), .type = LIT("application/x-note"), .bytes = LIT("a note")},
        {.name = LIT(
             "\xc3\x9c"
             "bersicht \xe6\x97\xa5 \"with\" a very long name that needs more than one section in its header.tar.gz"),
         .file = {&port, "data", LIT("log")}},
        {.name = LIT("a \"quoted\\ name"), .bytes = LIT("")},
        {.name = LIT("an ascii name that is so long that it does not fit one line of a header at all.bin"),
         .type = LIT("image/png"),
         .bytes = LIT("\x00\x01")}};
    struct mime_message msg = {.from = {.address = LIT("box@home.test")},
                               .subject = LIT("x"),
                               .message_id = LIT("1@h"),
                               .text = LIT("plain\n"),
                               .html = LIT("<p>ht\xc3\xa4ml</p>\n"),
                               .attachments = files,
                               .attachment_n = 4};
    char want[2000], sums[4][20];
    static const char *const inputs[] = {"printf 'a note'", "cat log", "printf ''", "printf '\\000\\001'"};
    for (int i = 0; i < 4; i++) { /* by coreutils */
        char command[300];
        snprintf(command, sizeof command, "cd %s/data && %s | sha256sum | cut -c1-16 > sum", top, inputs[i]);
        struct buf b;
        buf_init(&b, 1 << 18);
        CHECK(system(command) == 0);
        CHECK(file_read_all(data_dir, "sum", 1000, &b, &err));
        CHECK_INT(b.len, 17);
        snprintf(sums[i], sizeof sums[i], "%.16s", (const char *)b.ptr);
        buf_release(&b);
    }
    snprintf(want, sizeof want,
             "from [] box@home.test\nsubject [x]\ndate 0 id <1@h>\nmultipart/mixed []\n  multipart/alternative []\n"
             "    text/plain []\n    text quoted-printable 'plain\\n'\n    text/html []\n    text quoted-printable "
             "'<p>ht\xc3\xa4ml</p>\\n'\n"
             "  application/x-note []\n  file [note.txt] 6 %s\n  application/octet-stream []\n"
             "  file [\xc3\x9c"
             "bersicht \xe6\x97\xa5 \"with\" a very long name that needs more than one section in its header.tar.gz] "
             "100001 %s\n"
             "  application/octet-stream []\n  file [a \"quoted\\ name] 0 %s\n  image/png []\n"
             "  file [an ascii name that is so long that it does not fit one line of a header at all.bin] 2 %s\n",
             sums[0], sums[1], sums[2], sums[3]);
    put_message(&msg, 0);
    CHECK_TEXT(understood(1), slice_str(want));
    msg.attachment_n = 1;
    msg.html = LIT("");
    snprintf(want, sizeof want,
             "multipart/mixed []\n  text/plain []\n  text quoted-printable 'plain\\n'\n  application/x-note []\n  file "
             "[note.txt] 6 %s\n",
             sums[0]);
    put_message(&msg, 0);
    CHECK(slice_ends(understood(1), slice_str(want)));
    buf_release(&scratch);
    loop_turn(loop, 0), loop_turn(loop, 0);
    end();
}

TEST(every_length_of_subject_and_name_survives_python) {
    NEEDS_PYTHON();
    if (!begin()) return;
    /* Cuts between characters of one to four bytes fall everywhere. */
    static const char *const chars[] = {"a", "\xc3\xa4", "\xe6\x97\xa5", "\xf0\x9f\x98\x80", " ", "\""};
    enum { N = 90 };
    char text[1000] = "", line[2200];
    struct buf want;
    size_t len = 0;
    buf_init(&want, 1 << 22);
    for (unsigned way = 0; way < 2; way++) /* once of everything, once of ASCII */
        for (unsigned i = 0; i < N; i++) {
            const char *c = way ? chars[i % 11 == 7 ? 5 : i % 7 == 5 ? 4 : 0] : chars[(i * i + i / 7) % 5];
            if (!i) len = 0;
            memcpy(text + len, c, strlen(c));
            len += strlen(c);
            text[len] = 0;
            struct mime_message msg = {.from = {.name = slice_str(text), .address = LIT("b@h")},
                                       .subject = slice_str(text),
                                       .message_id = LIT("1@h"),
                                       .text = LIT("t\n")};
            put_message(&msg, way * N + i);
            snprintf(line, sizeof line,
                     "from [%s] b@h\nsubject [%s]\ndate 0 id <1@h>\ntext/plain []\ntext quoted-printable 't\\n'\n",
                     text, text);
            buf_add_str(&want, line);
        }
    struct slice got = understood(2 * N), expected = buf_slice(&want);
    while (got.len && expected.len) {
        struct slice a = slice_cut(&got, '\n'), b = slice_cut(&expected, '\n');
        if (!CHECK_TEXT(a, b)) break;
    }
    CHECK(!got.len && !expected.len);
    buf_release(&want);
    buf_release(&scratch);
    loop_turn(loop, 0), loop_turn(loop, 0);
    end();
}

static bool write_one(void *arg) {
    (void)arg;
    struct mime m;
    struct err e = ERR_INIT;
    struct mime_attachment a = {.name = LIT("x"), .bytes = LIT("y")};
    struct mime_message msg = {.from = {.address = LIT("a@b")},
                               .message_id = LIT("1@h"),
                               .text = LIT("\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
                                           "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
                                           "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"),
                               .attachments = &a,
                               .attachment_n = 1};
    bool good = mime_write(&m, &msg, &e);
    if (good)
        mime_release(&m);
    else
        CHECK(e.code == ERR_NOMEM);
    return good;
}

TEST(any_allocation_may_fail) {
    faults_sweep(write_one, NULL, "a message");
}

TAP_MAIN(T(addresses_are_taken_or_refused_by_the_grammar), T(names_stand_in_front_of_addresses_plain_or_quoted),
         T(quoted_printable_keeps_lines_short_and_ends_them_well), T(header_fields_are_folded_and_encoded),
         T(encoded_words_begin_on_a_new_line_where_nothing_fits_any_more), T(no_line_break_gets_into_a_header),
         T(a_simple_message_is_these_bytes),
         T(a_file_in_base64_is_as_long_as_was_said_and_the_same_however_it_is_taken),
         T(a_file_whose_text_is_taken_late_loses_nothing), T(files_alone_and_none_and_missing_ones),
         T(python_reads_names_subjects_and_texts_as_they_were_meant),
         T(python_finds_html_and_attachments_from_memory_and_files),
         T(every_length_of_subject_and_name_survives_python), T(any_allocation_may_fail))
