/* http1_parts.c - the smaller rooms of HTTP: characters, lists, chunks, URLs. Forms, cookies, dates and
 * ranges are in http1_values.c. Expected values come from the RFCs' own examples or are counted by hand. */
#include "base/ascii.h"
#include "lib/tap.h"
#include "protocols/chunked.h"
#include "protocols/http_chars.h"
#include "protocols/http_field.h"
#include "protocols/url.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

TEST(the_table_of_characters_says_what_the_grammars_say) {
    for (unsigned c = 0; c < 256; c++) {
        uint8_t b = (uint8_t)c;
        bool alnum = ascii_is_alnum(b), in = c > 0 && c < 128;
        bool unreserved = alnum || (in && strchr("-._~", (int)c)), sub = in && strchr("!$&'()*+,;=", (int)c);
        CHECK_INT(http_is(b, HTTP_TOKEN), alnum || (in && strchr("!#$%&'*+-.^_`|~", (int)c)));
        CHECK_INT(http_is(b, HTTP_VALUE), c == 9 || (c >= 32 && c != 127));
        CHECK_INT(http_is(b, HTTP_UNRESERVED), unreserved);
        CHECK_INT(http_is(b, HTTP_REGNAME), unreserved || sub);
        CHECK_INT(http_is(b, HTTP_PCHAR), unreserved || sub || c == ':' || c == '@');
        CHECK_INT(http_is(b, HTTP_TARGET), unreserved || sub || c == ':' || c == '@' || c == '/' || c == '?');
        CHECK_INT(http_is(b, HTTP_ODD), c == '%' || c == '[' || c == ']');
        CHECK_INT(http_is(b, HTTP_COOKIE), c > 32 && c < 127 && !strchr("\",;\\", (int)c));
    }
    CHECK_TEXT(slice_str(http_seen(0).text), LIT("NUL"));
    CHECK_TEXT(slice_str(http_seen('\t').text), LIT("a tab"));
    CHECK_TEXT(slice_str(http_seen('\n').text), LIT("LF"));
    CHECK_TEXT(slice_str(http_seen('\r').text), LIT("CR"));
    CHECK_TEXT(slice_str(http_seen(' ').text), LIT("a space"));
    CHECK_TEXT(slice_str(http_seen('x').text), LIT("'x'"));
    CHECK_TEXT(slice_str(http_seen(0x9f).text), LIT("byte 0x9f"));
}

TEST(lists_are_walked_over_all_fields_of_a_name) {
    static const struct http_field fields[] = {
        {LIT_INIT("A"), LIT_INIT(" , a ,,\"b,\\\",c\", ")},
        {LIT_INIT("B"), LIT_INIT("no")},
        {LIT_INIT("a"), LIT_INIT("")},
        {LIT_INIT("a"), LIT_INIT("d")},
    };
    struct http_list l = http_list_of(fields, COUNT(fields), LIT("a"));
    struct slice s;
    CHECK(http_list_next(&l, &s));
    CHECK_TEXT(s, LIT("a"));
    CHECK(http_list_next(&l, &s));
    CHECK_TEXT(s, LIT("\"b,\\\",c\""));
    CHECK(http_list_next(&l, &s));
    CHECK_TEXT(s, LIT("d"));
    CHECK(!http_list_next(&l, &s));
    CHECK(!http_list_next(&l, &s));
    CHECK(http_list_has(http_list_of(fields, COUNT(fields), LIT("A")), LIT("D")));
    CHECK(!http_list_has(http_list_of(fields, COUNT(fields), LIT("A")), LIT("no")));
    CHECK(!http_list_has(http_list_of(NULL, 0, LIT("A")), LIT("no")));
    CHECK(http_field_find(fields, COUNT(fields), LIT("b")) == &fields[1]);
    CHECK(!http_field_find(fields, COUNT(fields), LIT("c")));
    /* An open quote takes the rest. */
    l = http_list_in(LIT("a, \"b, c\\"));
    CHECK(http_list_next(&l, &s) && http_list_next(&l, &s));
    CHECK_TEXT(s, LIT("\"b, c\\"));
    CHECK(!http_list_next(&l, &s));
}

TEST(parameters_and_quoted_strings) {
    struct slice rest = LIT(" ; a=1;;B=\"x;\\\"y\" ; c;"), name, value;
    bool bad;
    CHECK(http_param_next(&rest, &name, &value, &bad));
    CHECK_TEXT(name, LIT("a"));
    CHECK_TEXT(value, LIT("1"));
    CHECK(http_param_next(&rest, &name, &value, &bad));
    CHECK_TEXT(value, LIT("\"x;\\\"y\""));
    CHECK(http_param_next(&rest, &name, &value, &bad));
    CHECK_TEXT(name, LIT("c"));
    CHECK(value.ptr == NULL);
    CHECK(!http_param_next(&rest, &name, &value, &bad) && !bad);
    static const char *const wrong[] = {"a=1", ";=1", ";a=", ";a=\"b", ";a=\"b\\", ";a=\"\x01\"", "; a =1", ";a=1 b"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        rest = slice_str(wrong[i]);
        while (http_param_next(&rest, &name, &value, &bad)) continue;
        if (!bad) tap_note("case %s", wrong[i]);
        CHECK(bad);
    }
    struct buf b;
    buf_init(&b, 12);
    CHECK(http_quote(&b, LIT("a\"\\\xff")));
    CHECK_TEXT(buf_slice(&b), LIT("\"a\\\"\\\\\xff\""));
    CHECK(!http_quote(&b, LIT("a\r")));
    CHECK(!http_quote(&b, LIT("too long")));
    CHECK_INT(b.len, 8);
    struct buf plain;
    buf_init(&plain, 100);
    CHECK(http_unquote(&plain, buf_slice(&b)));
    CHECK(http_unquote(&plain, LIT("token")));
    CHECK_TEXT(buf_slice(&plain), LIT("a\"\\\xfftoken"));
    CHECK(!http_unquote(&plain, LIT("")) && !http_unquote(&plain, LIT("\"")) && !http_unquote(&plain, LIT("\"a\"b")) &&
          !http_unquote(&plain, LIT("a b")));
    buf_release(&plain);
    buf_release(&b);
}

TEST(quality_values_are_read_exactly) {
    static const struct {
        const char *text;
        int want;
    } cases[] = {{"0", 0},   {"1", 1000},  {"0.5", 500},    {"0.05", 50},  {"0.005", 5},
                 {"0.", 0},  {"1.", 1000}, {"1.000", 1000}, {"1.001", -1}, {"0.1234", -1},
                 {"", -1},   {"2", -1},    {".5", -1},      {"0,5", -1},   {"0.5x", -1},
                 {"-0", -1}, {"1.1", -1},  {"00", -1},      {" 1", -1},    {"0.999", 999}};
    for (size_t i = 0; i < COUNT(cases); i++) CHECK_INT(http_quality(slice_str(cases[i].text)), cases[i].want);
}

/* --- url --- */

static void print_url(struct buf *out, const struct url *u) {
    buf_add(out, u->scheme);
    if (u->has_userinfo) buf_add(out, LIT(" user=")), buf_add(out, u->userinfo);
    buf_printf(out, " %s=", url_host_name(u->host_kind));
    buf_add(out, u->host);
    if (u->has_port) buf_printf(out, " port=%u", u->port);
    buf_add(out, LIT(" path="));
    buf_add(out, u->path);
    if (u->has_query) buf_add(out, LIT(" query=")), buf_add(out, u->query);
    if (u->has_fragment) buf_add(out, LIT(" fragment=")), buf_add(out, u->fragment);
}

TEST(urls_are_taken_apart) {
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"https://us%65r:p@a.example:8443/p/q;r?x=?/#f?/",
         "https user=us%65r:p name=a.example port=8443 path=/p/q;r query=x=?/ fragment=f?/"},
        {"http://a", "http name=a path="},
        {"http://a/", "http name=a path=/"},
        {"http://a?", "http name=a path= query="},
        {"http://a#", "http name=a path= fragment="},
        {"http://a?b#c", "http name=a path= query=b fragment=c"},
        {"http://a:/", "http name=a path=/"},
        {"http://@a/", "http user= name=a path=/"},
        {"http:///x", "http name= path=/x"},
        {"h2+x-1.0://a", "h2+x-1.0 name=a path="},
        {"http://127.0.0.1:0/", "http ipv4=127.0.0.1 port=0 path=/"},
        {"http://127.0.0.01/", "http name=127.0.0.01 path=/"},
        {"http://256.0.0.1/", "http name=256.0.0.1 path=/"},
        {"http://[::1]:80/", "http ipv6=::1 port=80 path=/"},
        {"http://[v1f.a:b]/", "http future=v1f.a:b path=/"},
        {"http://a!$&'()*+,;=-._~%20b/", "http name=a!$&'()*+,;=-._~%20b path=/"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct url u;
        struct err e = ERR_INIT;
        struct buf b;
        buf_init(&b, 4096);
        if (!CHECK(url_read(tap_guarded(slice_str(cases[i].text)), &u, &e)))
            tap_note("%s: %s", cases[i].text, e.text);
        else
            print_url(&b, &u);
        CHECK_TEXT(buf_slice(&b), slice_str(cases[i].want));
        buf_release(&b);
    }
    CHECK_INT(url_default_port(LIT("HTTPS")), 443);
    CHECK_INT(url_default_port(LIT("http")), 80);
    CHECK_INT(url_default_port(LIT("gopher")), 0);
    enum url_host kind;
    for (unsigned i = 0; i <= URL_FUTURE; i++)
        CHECK(url_host_from(slice_str(url_host_name((enum url_host)i)), &kind) && kind == i);
    CHECK(!url_host_from(LIT("x"), &kind));
}

TEST(what_is_no_url_is_refused_at_its_place) {
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        {"", 0},
        {":", 0},
        {"//a/", 0},
        {"/x", 0},
        {"1http://a", 0},
        {"ht_tp://a", 2},
        {"http", 4},
        {"http:/a", 4},
        {"http//a", 4},
        {"http://a b/", 8},
        {"http://a/b c", 10},
        {"http://a/\xc3\xa4", 9},
        {"http://a/%", 10},
        {"http://a/%1", 11},
        {"http://a/%1x", 11},
        {"http://a/?%zz", 11},
        {"http://a/?a[0]", 11},
        {"http://a/#b#c", 11},
        {"http://a/\\", 9},
        {"http://a:x/", 9},
        {"http://a:65536/", 9},
        {"http://a:000080/", 9},
        {"http://a:+1/", 9},
        {"http://a:1:2/", 9},
        {"http://[::1/", 11},
        {"http://[::1]x/", 12},
        {"http://[]/", 8},
        {"http://[1]/", 8},
        {"http://[v1.]/", 8},
        {"http://[v.a]/", 8},
        {"http://[vg.a]/", 8},
        {"http://[v1.a/b]/", 12},
        {"http://u@b@c/", 10},
        {"http://u@@c/", 9},
        {"http://\"@c/", 7},
        {"http://a%0/", 10},
        {"http://a]/", 8},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct url u;
        struct err e = ERR_INIT;
        if (!CHECK(!url_read(tap_guarded(slice_str(cases[i].text)), &u, &e)) || !CHECK_INT(e.at, cases[i].at))
            tap_note("case %s: %s", cases[i].text, e.text);
    }
    struct url u;
    CHECK(!url_read_origin(LIT(""), &u, NULL) && !url_read_origin(LIT("a"), &u, NULL) &&
          !url_read_origin(LIT("/#"), &u, NULL));
    CHECK(url_read_authority(LIT(""), &u, NULL) && u.host.len == 0);
    CHECK(!url_read_authority(LIT("u@a"), &u, NULL));
}

TEST(addresses_are_read_strictly) {
    static const struct {
        const char *text, *hex; /* NULL: refused */
    } cases[] = {
        {"::", "00000000000000000000000000000000"},
        {"::1", "00000000000000000000000000000001"},
        {"1::", "00010000000000000000000000000000"},
        {"1:2:3:4:5:6:7:8", "00010002000300040005000600070008"},
        {"2001:DB8::aB", "20010db80000000000000000000000ab"},
        {"1::3:4:5:6:7:8", "00010000000300040005000600070008"},
        {"::ffff:1.2.3.4", "00000000000000000000ffff01020304"},
        {"1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"},
        {"1:2:3:4:5:6:7::", "00010002000300040005000600070000"},
        {"", NULL},
        {":", NULL},
        {":::", NULL},
        {":1", NULL},
        {"1:", NULL},
        {"1:2:3:4:5:6:7", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"1:2:3:4:5:6:7:8::", NULL},
        {"1::2::3", NULL},
        {"1:2:3:4::5:6:7:8", NULL},
        {"12345::", NULL},
        {"g::", NULL},
        {"1.2.3.4", NULL},
        {"::1.2.3", NULL},
        {"::1.2.3.4.5", NULL},
        {"::1.2.3.256", NULL},
        {"::01.2.3.4", NULL},
        {"::1.2.3.4:5", NULL},
        {"1:2:3:4:5:6:7:1.2.3.4", NULL},
        {"::1%1", NULL},
        {"1:::2", NULL},
        {"1::2:", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t out[16];
        char hex[33] = "";
        bool good = url_read_ipv6(tap_guarded(slice_str(cases[i].text)), out);
        for (int k = 0; k < 16 && good; k++) snprintf(hex + 2 * k, 3, "%02x", out[k]);
        if (!CHECK(good == (cases[i].hex != NULL))) tap_note("case %s", cases[i].text);
        if (cases[i].hex) CHECK_TEXT(slice_str(hex), slice_str(cases[i].hex));
    }
    static const char *const wrong[] = {"",         "1",         "1.2.3",      "1.2.3.4.", ".1.2.3",  "1..2.3",
                                        "1.2.3.04", "1.2.3.256", "1.2.3.1000", "1.2.3.a",  "1.2.3.4 "};
    uint8_t out[4];
    for (size_t i = 0; i < COUNT(wrong); i++) CHECK(!url_read_ipv4(slice_str(wrong[i]), out));
    CHECK(url_read_ipv4(LIT("255.0.10.9"), out) && out[0] == 255 && out[1] == 0 && out[2] == 10 && out[3] == 9);
}

TEST(percent_encoding_goes_both_ways) {
    struct buf b, back;
    struct err e = ERR_INIT;
    uint8_t all[256];
    for (unsigned i = 0; i < 256; i++) all[i] = (uint8_t)i;
    for (unsigned part = URL_COMPONENT; part <= URL_QUERY; part++) {
        buf_init(&b, 4096);
        buf_init(&back, 4096);
        CHECK(url_encode(&b, (enum url_part)part, slice_of(all, 256)));
        CHECK(url_decode(&back, buf_slice(&b), &e));
        CHECK_TEXT(buf_slice(&back), slice_of(all, 256));
        buf_release(&b);
        buf_release(&back);
    }
    buf_init(&b, 20);
    CHECK(url_encode(&b, URL_COMPONENT, LIT("a/?b +")));
    CHECK_TEXT(buf_slice(&b), LIT("a%2F%3Fb%20%2B"));
    CHECK(!url_encode(&b, URL_COMPONENT, LIT("   ")));
    CHECK_INT(b.len, 14);
    buf_reset(&b);
    CHECK(url_encode(&b, URL_PATH, LIT("a/?b")));
    CHECK(url_encode(&b, URL_QUERY, LIT("/?#")));
    CHECK_TEXT(buf_slice(&b), LIT("a/%3Fb/?%23"));
    buf_reset(&b);
    CHECK(!url_decode(&b, LIT("ab%4"), &e));
    CHECK_INT(e.at, 2);
    CHECK(!url_decode(&b, LIT("%x1"), &e));
    CHECK(!url_decode(&b, LIT("this text is far too long for it"), &e));
    CHECK_INT(b.len, 0);
    buf_release(&b);
}

TEST(paths_of_files_never_leave_the_root) {
    static const struct {
        const char *path, *want; /* NULL: refused */
    } cases[] = {
        {"/", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"/a/b.html", "/a/b.html"},
        {"//a///b", "/a/b"},
        {"//", "/"},
        {"/.", "/"},
        {"/./", "/"},
        {"/a/.", "/a/"},
        {"/a/./b", "/a/b"},
        {"/a/..", "/"},
        {"/a/b/..", "/a/"},
        {"/a/b/../c", "/a/c"},
        {"/a/%2e%2E/b", "/b"},
        {"/a/.%2e/", "/"},
        {"/...", "/..."},
        {"/..a", "/..a"},
        {"/a%20b", "/a b"},
        {"/%61", "/a"},
        {"/%c3%a4", "/\xc3\xa4"},
        {"/%252e%252e/x", "/%2e%2e/x"},
        {"/a+b", "/a+b"},
        {"/a//..//b", "/b"},
        {"/a/b/../../c/./d/", "/c/d/"},
        {"", NULL},
        {"a", NULL},
        {"..", NULL},
        {"/..", NULL},
        {"/../a", NULL},
        {"/a/../..", NULL},
        {"/%2e%2e/etc/passwd", NULL},
        {"/a/..//../b", NULL},
        {"/a%2fb", NULL},
        {"/..%2f..%2fetc", NULL},
        {"/a%00", NULL},
        {"/a%0a", NULL},
        {"/%7f", NULL},
        {"/a%5cb", NULL},
        {"/..\\x", NULL},
        {"/%", NULL},
        {"/%1", NULL},
        {"/a/%gg", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        struct err e = ERR_INIT;
        buf_init(&b, 100);
        buf_add(&b, LIT("root"));
        bool good = url_file_path(&b, tap_guarded(slice_str(cases[i].path)), &e);
        if (!CHECK(good == (cases[i].want != NULL))) tap_note("case %s", cases[i].path);
        CHECK_TEXT(slice_skip(buf_slice(&b), 4), cases[i].want ? slice_str(cases[i].want) : LIT(""));
        buf_release(&b);
    }
    for (size_t max = 0; max < 6; max++) {
        struct buf b;
        buf_init(&b, max);
        CHECK(url_file_path(&b, LIT("/a/bc"), NULL) == (max >= 6));
        CHECK_INT(b.len, 0);
        buf_release(&b);
    }
}

TEST(chunks_end_and_stay_ended) {
    struct chunked c;
    struct chunked_event ev;
    struct chunked_limits none = {0};
    struct err e = ERR_INIT;
    chunked_init(&c, &none, 7);
    struct fed fed = chunked_feed(&c, LIT("0\r\nrest"), &ev, &e);
    CHECK(fed.step == STEP_EVENT && ev.kind == CHUNKED_LAST && fed.used == 3);
    CHECK_INT(chunked_feed(&c, LIT("rest"), &ev, &e).step, STEP_END);
    chunked_init(&c, &none, 7);
    fed = chunked_feed(&c, LIT("1x"), &ev, &e);
    CHECK(fed.step == STEP_BAD && e.at == 8);
    CHECK_INT(chunked_feed(&c, LIT("1"), &ev, &e).step, STEP_BAD);
}

TAP_MAIN(T(the_table_of_characters_says_what_the_grammars_say), T(lists_are_walked_over_all_fields_of_a_name),
         T(parameters_and_quoted_strings), T(quality_values_are_read_exactly), T(urls_are_taken_apart),
         T(what_is_no_url_is_refused_at_its_place), T(addresses_are_read_strictly), T(percent_encoding_goes_both_ways),
         T(paths_of_files_never_leave_the_root), T(chunks_end_and_stay_ended))
