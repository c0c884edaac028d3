/* http1_attacks.c - what the HTTP/1.1 reader refuses: smuggling, splitting, and everything that is not by the
 * grammar. In each input the mark ^ stands (and is taken out) before the byte at which the refusal must
 * point. */
#include "http1_play.h"
#include "lib/tap.h"

#include <stdio.h>

struct attack {
    const char *name, *input;
    int status;
};

/* The marked place, and the input without the mark. A caret of the input itself is written as \1. */
static size_t take_mark(const char *text, struct buf *input) {
    size_t at = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '^')
            at = input->len;
        else
            buf_byte(input, *p == 1 ? '^' : (uint8_t)*p);
    }
    return at;
}

static void check_attacks(const struct attack *cases, size_t n, enum http1_role role, enum http1_method asked) {
    for (size_t i = 0; i < n; i++) {
        struct http1_play how = HTTP1_PLAY(role);
        how.asked = asked;
        struct buf input, out;
        buf_init(&input, 1 << 16);
        buf_init(&out, 1 << 16);
        char want[40];
        snprintf(want, sizeof want, "bad %d @%zu\n", cases[i].status, take_mark(cases[i].input, &input));
        cuts_agree(http1_play, &how, buf_slice(&input), &out, cases[i].name);
        struct slice got = buf_slice(&out);
        if (!slice_ends(got, slice_str(want))) {
            tap_note("case %s", cases[i].name);
            CHECK_TEXT(got, slice_str(want));
        }
        /* No event may come of the refused message itself. */
        if (asked != HTTP1_METHOD_OTHER && slice_starts(got, LIT("head")) && !strstr(cases[i].name, "behind")) {
            tap_note("case %s", cases[i].name);
            CHECK(!"no event before the refusal");
        }
        buf_release(&input);
        buf_release(&out);
    }
}

#define CHECK_ATTACKS(cases, role) check_attacks(cases, sizeof(cases) / sizeof(cases)[0], role, HTTP1_METHOD_GET)

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define TE   "Transfer-Encoding: chunked\r\n"

TEST(request_lines_outside_the_grammar_are_refused) {
    static const struct attack cases[] = {
        {"no method", "^ / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a control character in the method", "GE^\x7fT / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a colon in the method", "GE^:T / HTTP/1.1\r\n", 400},
        {"non-ASCII method", "^\xc3\x89 / HTTP/1.1\r\n", 400},
        {"a tab behind the method", "GET^\t/ HTTP/1.1\r\n", 400},
        {"two spaces behind the method", "GET ^ / HTTP/1.1\r\n", 400},
        {"two spaces behind the target", "GET / ^ HTTP/1.1\r\n", 400},
        {"a tab behind the target", "GET /^\tHTTP/1.1\r\n", 400},
        {"a space behind the version", "GET / HTTP/1.1^ \r\n", 400},
        {"a space ahead", "^ GET / HTTP/1.1\r\n", 400},
        {"no target", "GET ^ HTTP/1.1\r\n", 400},
        {"two targets", "GET /a ^/b HTTP/1.1\r\n", 400},
        {"HTTP/0.9", "GET /^\r\n", 400},
        {"HTTP/0.9 without a target", "GET^\r\n", 400},
        {"bare LF", "GET / HTTP/1.1^\n" HOST "\r\n", 400},
        {"bare CR", "GET / HTTP/1.1\r^Host: a\r\n\r\n", 400},
        {"CR CR LF", "GET / HTTP/1.1\r^\r\n" HOST "\r\n", 400},
        {"LF in the target", "GET /^\nHost: a\r\n", 400},
        {"two empty lines ahead", "\r\n^\r\nGET / HTTP/1.1\r\n", 400},
        {"bare LF ahead", "^\nGET / HTTP/1.1\r\n", 400},
        {"bare CR ahead", "\r^GET / HTTP/1.1\r\n", 400},
        {"lower-case version", "GET / ^http/1.1\r\n" HOST "\r\n", 400},
        {"another protocol", "GET / HTT^Q/1.1\r\n", 400},
        {"no minor version", "GET / HTTP/1^\r\n", 400},
        {"a long major version", "GET / HTTP/1^1.1\r\n", 400},
        {"a long minor version", "GET / HTTP/1.1^0\r\n", 400},
        {"a minor version that is none", "GET / HTTP/1.^x\r\n", 400},
        {"a comma in the version", "GET / HTTP/1^,1\r\n", 400},
        {"version 2.0", "GET / ^HTTP/2.0\r\n" HOST "\r\n", 505},
        {"the HTTP/2 preface", "PRI * ^HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"version 0.9", "GET / ^HTTP/0.9\r\n", 505},
        {"version 9.1", "GET / ^HTTP/9.1\r\n", 505},
        {"a TLS client at the plain port", "^\x16\x03\x02\x02", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
}

TEST(request_targets_outside_their_forms_are_refused) {
    static const struct attack cases[] = {
        {"a fragment", "GET /a^#b HTTP/1.1\r\n", 400},
        {"raw non-ASCII", "GET /^\xc3\xa4 HTTP/1.1\r\n", 400},
        {"a quote", "GET /^\" HTTP/1.1\r\n", 400},
        {"angle brackets", "GET /^<x> HTTP/1.1\r\n", 400},
        {"a back slash", "GET /^\\x HTTP/1.1\r\n", 400},
        {"a caret", "GET /^\1 HTTP/1.1\r\n", 400},
        {"a grave", "GET /^` HTTP/1.1\r\n", 400},
        {"braces", "GET /^{x} HTTP/1.1\r\n", 400},
        {"a bar", "GET /^| HTTP/1.1\r\n", 400},
        {"DEL", "GET /^\x7f HTTP/1.1\r\n", 400},
        {"square brackets in a path", "GET /a^[0] HTTP/1.1\r\n" HOST "\r\n", 400},
        {"square brackets in a query", "GET /a?b^[]=1 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a bad escape", "GET /%4^g HTTP/1.1\r\n" HOST "\r\n", 400},
        {"half an escape", "GET /%4^ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a lonely percent", "GET /?%^ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a path without a slash", "GET a^/b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"only a query", "GET ^?a HTTP/1.1\r\n" HOST "\r\n", 400},
        {"asterisk with GET", "GET ^* HTTP/1.1\r\n" HOST "\r\n", 400},
        {"asterisk and more", "OPTIONS ^*/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"authority with GET", "GET a^:80 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"another scheme", "GET ^ftp://a/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"an absolute target without host", "GET ^http:///x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"an absolute target with a port only", "GET ^http://:80/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"an absolute target with a user", "GET ^http://u@a/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"an absolute target with a bad port", "GET http://a:^99999/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"an absolute target with a bad host", "GET http://[^::1::]/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"one slash only", "GET http^:/a/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT to a path", "CONNECT ^/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT without a port", "CONNECT ^a HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT with an empty port", "CONNECT ^a: HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT to port 0", "CONNECT ^a:0 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT without a host", "CONNECT ^:80 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT with a user", "CONNECT u^@a:80 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT to a URL", "CONNECT http:^//a:80 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT with a length", "CONNECT a:80 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n^x", 400},
        {"CONNECT with chunks", "CONNECT a:80 HTTP/1.1\r\n" HOST TE "\r\n^0\r\n\r\n", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
}

TEST(field_lines_outside_the_grammar_are_refused) {
    static const struct attack cases[] = {
        {"a space before the colon", LINE "Host^ : a\r\n\r\n", 400},
        {"a tab before the colon", LINE "Host^\t: a\r\n\r\n", 400},
        {"no colon", LINE "Host^\r\n\r\n", 400},
        {"no name", LINE "^: a\r\n\r\n", 400},
        {"a blank before the first field", LINE "^ Host: a\r\n\r\n", 400},
        {"a tab before the first field", LINE "^\tHost: a\r\n\r\n", 400},
        {"a folded line", LINE "Host: a\r\n^ b\r\n\r\n", 400},
        {"a line folded with a tab", LINE HOST "A: b\r\n^\tc\r\n\r\n", 400},
        {"a line of blanks", LINE HOST "^ \r\n\r\n", 400},
        {"a name that is no token", LINE HOST "A^(b): c\r\n\r\n", 400},
        {"a slash in a name", LINE HOST "A^/b: c\r\n\r\n", 400},
        {"non-ASCII in a name", LINE HOST "A^\xc3\xa4: c\r\n\r\n", 400},
        {"a control character in a name", LINE HOST "A^\x03: c\r\n\r\n", 400},
        {"a control character in a value", LINE HOST "A: b^\x03\r\n\r\n", 400},
        {"a vertical tab before a value",
         LINE HOST "A:^\x0b"
                   "b\r\n\r\n",
         400},
        {"a form feed behind a long value", LINE HOST "A: 0123456789abcdef^\x0c\r\n\r\n", 400},
        {"DEL in a long value",
         LINE HOST "A: 01234567^\x7f"
                   "89abcdef\r\n\r\n",
         400},
        {"escape in a long value",
         LINE HOST "A: 01234567\xff\xff^\x1b"
                   "89abcdef\r\n\r\n",
         400},
        {"bare LF behind a field", LINE "Host: a^\n\r\n", 400},
        {"bare LF twice", LINE "Host: a^\n\n", 400},
        {"bare CR in a value", LINE "Host: a\r^b\r\n\r\n", 400},
        {"bare LF in a value", LINE "Host: a^\nX: b\r\n\r\n", 400},
        {"CR CR LF behind a field", LINE "Host: a\r^\r\n\r\n", 400},
        {"a head that ends in LF", LINE "Host: a\r\n^\n", 400},
        {"a head that ends in CR and no LF", LINE "Host: a\r\n\r^x", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
    /* NUL cannot stand in the tables above. */
    static const struct {
        const char *what;
        struct slice input;
        size_t at;
    } nuls[] = {
        {"in the method", LIT_INIT("G\0T / HTTP/1.1\r\n"), 1},
        {"in the target", LIT_INIT("GET /\0 HTTP/1.1\r\n"), 5},
        {"in the version", LIT_INIT("GET / HTTP/1.\0\r\n"), 13},
        {"in a name", LIT_INIT("GET / HTTP/1.1\r\nHo\0st: a\r\n"), 18},
        {"in a value", LIT_INIT("GET / HTTP/1.1\r\nHost: a\0b\r\n"), 23},
    };
    for (size_t i = 0; i < sizeof nuls / sizeof nuls[0]; i++) {
        struct http1_play how = HTTP1_PLAY(HTTP1_SERVER);
        char want[40];
        snprintf(want, sizeof want, "bad 400 @%zu\n", nuls[i].at);
        cuts_check(http1_play, &how, nuls[i].input, slice_str(want), nuls[i].what);
    }
}

TEST(the_host_must_be_there_once_and_be_one) {
    static const struct attack cases[] = {
        {"none", LINE "\r\n^", 400},
        {"none, absolute target", "GET http://a/ HTTP/1.1\r\n\r\n^", 400},
        {"none in 1.2", "GET / HTTP/1.2\r\n\r\n^", 400},
        {"empty", LINE "Host:^\r\n\r\n", 400},
        {"blank", LINE "Host: ^\r\n\r\n", 400},
        {"twice", LINE HOST "Host: ^b\r\n\r\n", 400},
        {"twice the same", LINE HOST "host: ^a\r\n\r\n", 400},
        {"twice in 1.0", "GET / HTTP/1.0\r\n" HOST "Host: ^a\r\n\r\n", 400},
        {"empty in 1.0", "GET / HTTP/1.0\r\nHost:^\r\n\r\n", 400},
        {"a list", LINE "Host: a,^ b\r\n\r\n", 400},
        {"two words", LINE "Host: a^ b\r\n\r\n", 400},
        {"with a user", LINE "Host: u^@a\r\n\r\n", 400},
        {"with a path", LINE "Host: a^/b\r\n\r\n", 400},
        {"with a scheme", LINE "Host: http:^//a\r\n\r\n", 400},
        {"a port only", LINE "Host: ^:80\r\n\r\n", 400},
        {"a port that is none", LINE "Host: a:^8x\r\n\r\n", 400},
        {"a port too big", LINE "Host: a:^65536\r\n\r\n", 400},
        {"a negative port", LINE "Host: a:^-1\r\n\r\n", 400},
        {"two ports", LINE "Host: a:^80:80\r\n\r\n", 400},
        {"IPv6 without brackets", LINE "Host: 2001:^db8::1\r\n\r\n", 400},
        {"IPv6 without an end", LINE "Host: [::1^\r\n\r\n", 400},
        {"IPv6 and more", LINE "Host: [::1]^a\r\n\r\n", 400},
        {"IPv6 with a zone", LINE "Host: [^fe80::1%25eth0]\r\n\r\n", 400},
        {"non-ASCII", LINE "Host: ^\xc3\xa4.example\r\n\r\n", 400},
        {"a bad escape", LINE "Host: a%^zz\r\n\r\n", 400},
        {"bad behind an absolute target", "GET http://a/ HTTP/1.1\r\nHost: a^/\r\n\r\n", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
}

TEST(content_length_must_be_one_plain_number) {
    static const struct attack cases[] = {
        {"empty", LINE HOST "Content-Length:^\r\n\r\n", 400},
        {"blank", LINE HOST "Content-Length: ^\r\n\r\n", 400},
        {"a plus", LINE HOST "Content-Length: ^+5\r\n\r\n", 400},
        {"a minus", LINE HOST "Content-Length: ^-5\r\n\r\n", 400},
        {"minus nothing", LINE HOST "Content-Length: ^-0\r\n\r\n", 400},
        {"hexadecimal", LINE HOST "Content-Length: 0^x5\r\n\r\n", 400},
        {"a fraction", LINE HOST "Content-Length: 5^.0\r\n\r\n", 400},
        {"an exponent", LINE HOST "Content-Length: 1^e1\r\n\r\n", 400},
        {"a list of equal ones", LINE HOST "Content-Length: 5^, 5\r\n\r\nhello", 400},
        {"a list of different ones", LINE HOST "Content-Length: 5^,6\r\n\r\nhello", 400},
        {"a list with one element", LINE HOST "Content-Length: ^,5\r\n\r\nhello", 400},
        {"an inner space", LINE HOST "Content-Length: 5^ 5\r\n\r\nhello", 400},
        {"twice the same", LINE HOST "Content-Length: 5\r\nContent-Length: ^5\r\n\r\nhello", 400},
        {"twice", LINE HOST "Content-Length: 5\r\ncontent-length: ^6\r\n\r\nhello", 400},
        {"a quoted one", LINE HOST "Content-Length: ^\"5\"\r\n\r\n", 400},
        {"underscores", LINE HOST "Content-Length: 1^_0\r\n\r\n", 400},
        {"non-ASCII digits", LINE HOST "Content-Length: ^\xef\xbc\x95\r\n\r\n", 400},
        {"2 to the 63rd", LINE HOST "Content-Length: ^9223372036854775808\r\n\r\n", 400},
        {"2 to the 64th and 5", LINE HOST "Content-Length: ^18446744073709551621\r\n\r\nhello", 400},
        {"many leading zeros", LINE HOST "Content-Length: ^00000000000000000005\r\n\r\nhello", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
}

TEST(transfer_encoding_must_be_chunked_and_alone) {
    static const struct attack cases[] = {
        {"behind Content-Length", LINE HOST "Content-Length: 5\r\nTransfer-Encoding: ^chunked\r\n\r\n0\r\n\r\n", 400},
        {"before Content-Length", LINE HOST TE "Content-Length: ^5\r\n\r\n0\r\n\r\n", 400},
        {"before Content-Length: 0", LINE HOST TE "Content-Length: ^0\r\n\r\n0\r\n\r\n", 400},
        {"an unknown coding with Content-Length", LINE HOST "Transfer-Encoding: x\r\nContent-Length: ^5\r\n\r\n", 400},
        {"empty", LINE HOST "Transfer-Encoding:^\r\n\r\n", 400},
        {"a coding we do not know, and no chunked behind it", LINE HOST "Transfer-Encoding: gzip\r\n\r\n^", 400},
        {"a coding before chunked", LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n^", 501},
        {"a coding before chunked, two fields", LINE HOST "Transfer-Encoding: gzip\r\n" TE "\r\n^", 501},
        {"a coding with parameters", LINE HOST "Transfer-Encoding: x;y=\",\", chunked\r\n\r\n^", 501},
        {"identity", LINE HOST "Transfer-Encoding: identity\r\n\r\n^", 400},
        {"almost chunked", LINE HOST "Transfer-Encoding: xchunked\r\n\r\n^", 400},
        {"chunked first", LINE HOST "Transfer-Encoding: ^chunked, gzip\r\n\r\n", 400},
        {"chunked first, two fields", LINE HOST TE "Transfer-Encoding: ^identity\r\n\r\n", 400},
        {"chunked twice", LINE HOST "Transfer-Encoding: ^chunked, chunked\r\n\r\n", 400},
        {"chunked twice, two fields", LINE HOST TE "transfer-encoding: ^chunked\r\n\r\n", 400},
        {"chunked with a parameter", LINE HOST "Transfer-Encoding: ^chunked;a=b\r\n\r\n", 400},
        {"chunked in quotes", LINE HOST "Transfer-Encoding: ^\"chunked\"\r\n\r\n", 400},
        {"two words", LINE HOST "Transfer-Encoding: ^chunked chunked\r\n\r\n", 400},
        {"an empty element ahead", LINE HOST "Transfer-Encoding: ^, chunked\r\n\r\n", 400},
        {"an empty element behind", LINE HOST "Transfer-Encoding: ^chunked,\r\n\r\n", 400},
        {"a vertical tab",
         LINE HOST "Transfer-Encoding:^\x0b"
                   "chunked\r\n\r\n",
         400},
        {"a form feed", LINE HOST "Transfer-Encoding: chunked^\x0c\r\n\r\n", 400},
        {"no-break space",
         LINE HOST "Transfer-Encoding: ^\xa0"
                   "chunked\r\n\r\n",
         400},
        {"in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: ^chunked\r\n\r\n0\r\n\r\n", 400},
        {"a space before the colon", LINE HOST "Transfer-Encoding^ : chunked\r\n\r\n", 400},
        {"folded", LINE HOST "Transfer-Encoding:^\r\n chunked\r\n\r\n", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
}

TEST(other_fields_that_matter_are_checked) {
    static const struct attack cases[] = {
        {"an expectation we do not know", LINE HOST "Expect: ^200-maybe\r\n\r\n", 417},
        {"two expectations", LINE HOST "Expect: ^100-continue, x\r\n\r\n", 417},
        {"an expectation with a value", LINE HOST "Expect: ^100-continue=1\r\n\r\n", 417},
        {"Connection with something else than tokens", LINE HOST "Connection: ^clo se\r\n\r\n", 400},
        {"Connection with a parameter", LINE HOST "Connection: ^close;x\r\n\r\n", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
}

TEST(chunks_outside_the_grammar_are_refused) {
    static const struct attack cases[] = {
        {"empty size", "^\r\nx", 400},
        {"a space ahead", "^ 1\r\nx", 400},
        {"a space behind", "1 ^\r\nx", 400},
        {"a tab behind", "1\t^\r\nx", 400},
        {"a prefix", "0^x1\r\nx", 400},
        {"a plus", "^+1\r\nx", 400},
        {"a minus", "^-1\r\nx", 400},
        {"no digit", "^g\r\nx", 400},
        {"a digit and more", "1^g\r\nx", 400},
        {"17 digits", "0000000000000000^1\r\nx", 400},
        {"too big for 63 bits", "8000000000000000\r^\nx", 400},
        {"too big in all", "1\r\nx\r\n7fffffffffffffff\r^\nx", 400},
        {"a wrapping size", "1000000000000000^0\r\nx", 400},
        {"an underscore", "1^_0\r\nx", 400},
        {"bare LF", "1^\nx\r\n", 400},
        {"bare CR", "1\r^x\r\n", 400},
        {"bare LF behind the data", "1\r\nx^\n0\r\n\r\n", 400},
        {"nothing behind the data", "1\r\nx^0\r\n\r\n", 400},
        {"CR and no LF behind the data", "1\r\nx\r^0\r\n\r\n", 400},
        {"more data than was said", "1\r\nx^y\r\n", 400},
        {"less data than was said", "4\r\nx\r\n0\r\n^\r\n", 400},
        {"a nameless extension", "1;^\r\nx", 400},
        {"a nameless extension with a value", "1;^=a\r\nx", 400},
        {"an extension without its value", "1;a=^\r\nx", 400},
        {"two equals signs", "1;a=^=\r\nx", 400},
        {"an extension behind a space", "1 ^a\r\nx", 400},
        {"a blank at the end of an extension", "1;a ^\r\nx", 400},
        {"a blank at the end of a value", "1;a=b ^\r\nx", 400},
        {"two words in an extension", "1;a ^b\r\nx", 400},
        {"two values", "1;a=b ^c\r\nx", 400},
        {"something behind a quoted value", "1;a=\"b\"^c\r\nx", 400},
        {"an open quote", "1;a=\"b^\r\nx", 400},
        {"LF in a quote", "1;a=\"b^\n\"\r\nx", 400},
        {"LF behind a back slash", "1;a=\"b\\^\n\"\r\nx", 400},
        {"LF in an extension", "1;a^\nx", 400},
        {"LF in a value", "1;a=b^\nx", 400},
        {"CR in an extension", "1;a\r^x\r\n", 400},
        {"a control character in an extension", "1;a^\x03\r\nx", 400},
        {"non-ASCII in an extension", "1;^\xc3\xa4\r\nx", 400},
        {"the last one with bare LF", "0^\n\n", 400},
        {"an end with bare LF", "0\r\n^\n", 400},
        {"an end with CR and more", "0\r\n\r^x", 400},
        {"a trailer folded", "0\r\nA: b\r\n^ c\r\n\r\n", 400},
        {"a trailer without a colon", "0\r\nA^\r\n\r\n", 400},
        {"a trailer with a control character", "0\r\nA: ^\x02\r\n\r\n", 400},
        {"Content-Length in a trailer", "0\r\n^Content-Length: 1\r\n\r\n", 400},
        {"Transfer-Encoding in a trailer", "0\r\nA: b\r\n^transfer-encoding: chunked\r\n\r\n", 400},
        {"Host in a trailer", "0\r\n^Host: b\r\n\r\n", 400},
        {"Authorization in a trailer", "0\r\n^Authorization: b\r\n\r\n", 400},
        {"Trailer in a trailer", "0\r\n^Trailer: b\r\n\r\n", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf input;
        buf_init(&input, 4096);
        buf_add(&input, LIT(LINE HOST TE "\r\n"));
        buf_add_str(&input, cases[i].input);
        buf_byte(&input, 0);
        struct attack one = {cases[i].name, (const char *)input.ptr, cases[i].status};
        check_attacks(&one, 1, HTTP1_SERVER, HTTP1_METHOD_OTHER);
        buf_release(&input);
    }
}

TEST(responses_outside_the_grammar_are_refused) {
    static const struct attack cases[] = {
        {"an empty line ahead", "^\r\nHTTP/1.1 200 OK\r\n\r\n", 400},
        {"a space ahead", "^ HTTP/1.1 200 OK\r\n\r\n", 400},
        {"lower case", "^http/1.1 200 OK\r\n\r\n", 400},
        {"another protocol", "^ICY 200 OK\r\n\r\n", 400},
        {"HTTP/2", "HTTP/2^ 200\r\n\r\n", 400},
        {"version 2.0", "^HTTP/2.0 200 OK\r\n\r\n", 505},
        {"two spaces before the status", "HTTP/1.1 ^ 200 OK\r\n", 400},
        {"a tab before the status", "HTTP/1.1^\t200 OK\r\n", 400},
        {"two digits", "HTTP/1.1 20^ OK\r\n", 400},
        {"four digits", "HTTP/1.1 200^0 OK\r\n", 400},
        {"a status below 100", "HTTP/1.1 ^099 OK\r\n", 400},
        {"a status with a sign", "HTTP/1.1 ^+20 OK\r\n", 400},
        {"no space behind the status", "HTTP/1.1 200^\r\n\r\n", 400},
        {"a control character in the reason", "HTTP/1.1 200 O^\x03K\r\n", 400},
        {"bare LF", "HTTP/1.1 200 OK^\n\n", 400},
        {"bare CR", "HTTP/1.1 200 OK\r^X\r\n", 400},
        {"a folded line", "HTTP/1.1 200 OK\r\nA: b\r\n^ c\r\n\r\n", 400},
        {"both framings", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: ^chunked\r\n\r\n", 400},
        {"a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1^, 1\r\n\r\n", 400},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: ^1\r\n\r\n", 400},
        {"a coding we do not know", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n^", 400},
        {"a coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: ^chunked\r\n\r\n", 400},
        {"a request", "^GET / HTTP/1.1\r\n", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_CLIENT);
}

TEST(a_refused_message_behind_a_good_one_is_refused_at_its_place) {
    static const struct attack cases[] = {
        {"behind a request", LINE HOST "\r\n" LINE HOST "Content-Length: ^x\r\n\r\n", 400},
        {"behind a body", LINE HOST "Content-Length: 3\r\n\r\nabc^ GET", 400},
        {"behind chunks", LINE HOST TE "\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n" LINE "^ x", 400},
    };
    CHECK_ATTACKS(cases, HTTP1_SERVER);
}

TAP_MAIN(T(request_lines_outside_the_grammar_are_refused), T(request_targets_outside_their_forms_are_refused),
         T(field_lines_outside_the_grammar_are_refused), T(the_host_must_be_there_once_and_be_one),
         T(content_length_must_be_one_plain_number), T(transfer_encoding_must_be_chunked_and_alone),
         T(other_fields_that_matter_are_checked), T(chunks_outside_the_grammar_are_refused),
         T(responses_outside_the_grammar_are_refused), T(a_refused_message_behind_a_good_one_is_refused_at_its_place))
