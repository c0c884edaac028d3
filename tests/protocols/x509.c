/* x509.c - certificates and requests that we write: openssl and BearSSL take them, our reader reads them back, and what would not
 * verify is not written. Keys are tests/protocols/x509_key, foreign certificates tests/protocols/x509_read. */
#include "lib/faults.h"
#include "protocols/x509_oid.h"
#include "protocols/x509_play.h"

#include <bearssl.h>

TEST(openssl_verifies_the_chain_strictly_and_shows_its_extensions) {
    PLAY_NEEDS_OPENSSL();
    struct play_chain c;
    struct err e = ERR_INIT;
    if (!CHECK(play_chain_make(&c, &e))) tap_note("%s", e.text);
    play_pem_file("root.pem", buf_slice(&c.root_der));
    play_pem_file("middle.pem", buf_slice(&c.middle_der));
    play_pem_file("leaf.pem", buf_slice(&c.leaf_der));
    CHECK_INT(PLAY_RUN("openssl", "verify", "-x509_strict", "-check_ss_sig", "-attime", "1790000000", "-purpose",
                       "sslserver", "-verify_hostname", "box.example.org", "-CAfile", "root.pem", "-untrusted",
                       "middle.pem", "leaf.pem"),
              0);
    CHECK(play_said("leaf.pem: OK"));
    CHECK_INT(PLAY_RUN("openssl", "verify", "-x509_strict", "-attime", "1790000000", "-verify_ip", "fd00::1", "-CAfile",
                       "root.pem", "-untrusted", "middle.pem", "leaf.pem"),
              0);
    CHECK(PLAY_RUN("openssl", "verify", "-attime", "1790000000", "-verify_hostname", "other.example.org", "-CAfile",
                   "root.pem", "-untrusted", "middle.pem", "leaf.pem") != 0);
    CHECK_INT(PLAY_RUN("openssl", "verify", "-x509_strict", "-check_ss_sig", "-attime", "1790000000", "-CAfile",
                       "root.pem", "root.pem"),
              0);
    /* Labels and columns of OpenSSL 3.0. */
    CHECK_INT(PLAY_RUN("openssl", "x509", "-text", "-noout", "-nameopt", "sep_comma_plus_space", "-in", "root.pem"), 0);
    CHECK(play_said("Version: 3 (0x2)") && play_said("80:01:02:03:04:05:06") &&
          play_said("Issuer: CN=adjective-noun Local Root CA, O=Start9, OU=StartOS") &&
          play_said("Subject: CN=adjective-noun Local Root CA, O=Start9, OU=StartOS"));
    CHECK(play_said("Not Before: Sep 20 14:13:20 2026 GMT") && play_said("Not After : Sep  8 14:13:20 2036 GMT"));
    CHECK(play_said("Signature Algorithm: ecdsa-with-SHA256") && play_said("NIST CURVE: P-256"));
    CHECK(play_said("X509v3 Basic Constraints: critical\n                CA:TRUE\n") &&
          play_said("X509v3 Key Usage: critical\n                Digital Signature, Certificate Sign, CRL Sign\n") &&
          play_said("X509v3 Authority Key Identifier: \n                DirName:/CN=adjective-noun Local Root CA"
                    "/O=Start9/OU=StartOS\n                serial:80:01:02:03:04:05:06\n"));
    CHECK_INT(PLAY_RUN("openssl", "x509", "-text", "-noout", "-nameopt", "sep_comma_plus_space", "-in", "middle.pem"),
              0);
    CHECK(play_said("CA:TRUE, pathlen:0\n") && play_said("keyid:") && play_said("serial:80:01:02:03:04:05:06\n") &&
          play_said("Subject: CN=StartOS Local Intermediate CA, O=Start9, OU=StartOS"));
    CHECK_INT(PLAY_RUN("openssl", "x509", "-text", "-noout", "-nameopt", "sep_comma_plus_space", "-in", "leaf.pem"), 0);
    CHECK(play_said("X509v3 Basic Constraints: \n                CA:FALSE\n") &&
          play_said("X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n") &&
          play_said("X509v3 Subject Alternative Name: \n                DNS:adjective-noun.local, "
                    "DNS:box.example.org, IP Address:192.168.1.2, IP Address:FD00:0:0:0:0:0:0:1\n"));
    struct buf text;
    buf_init(&text, 200);
    buf_add(&text, LIT("sha256 Fingerprint="));
    CHECK(x509_fingerprint_add(&text, buf_slice(&c.leaf_der)) && buf_byte(&text, '\n') && buf_byte(&text, 0));
    CHECK_INT(PLAY_RUN("openssl", "x509", "-fingerprint", "-sha256", "-noout", "-in", "leaf.pem"), 0);
    CHECK(play_said((const char *)text.ptr));
    buf_release(&text);
    play_chain_release(&c);
}

TEST(the_same_wants_and_keys_give_the_same_bytes) {
    struct play_chain c;
    struct buf text;
    CHECK(play_chain_make(&c, NULL));
    buf_init(&text, 200);
    CHECK(x509_fingerprint_add(&text, buf_slice(&c.root_der)) && buf_byte(&text, '\n'));
    CHECK(x509_fingerprint_add(&text, buf_slice(&c.leaf_der)));
    /* What `openssl x509 -fingerprint -sha256` said of them on the day they had passed the test above. */
    CHECK_TEXT(buf_slice(&text),
               LIT("A8:A7:61:AB:C8:11:45:AE:75:67:23:38:53:FC:C0:2B:3B:5D:E9:B0:0C:C6:BE:B1:23:18:39:2A:F0:92:5F:78\n"
                   "1A:2F:F5:94:3F:23:75:AE:45:40:02:B5:34:B4:55:7F:BA:7B:99:37:7F:3E:FA:F2:1C:75:78:00:71:22:7B:3A"));
    buf_release(&text);
    play_chain_release(&c);
}

/* --- BearSSL --- */

static void append_name(void *arg, const void *bytes, size_t len) {
    buf_add(arg, slice_of(bytes, len));
}

/* What BearSSL's validator says of the chain for a server of that name, days after 1970. */
static unsigned judge(const struct play_chain *c, const char *host, uint32_t days) {
    br_x509_minimal_context minimal;
    br_x509_trust_anchor anchor = {.flags = BR_X509_TA_CA};
    struct buf name;
    buf_init(&name, 1000);
    br_x509_decoder_context decoder;
    br_x509_decoder_init(&decoder, append_name, &name);
    br_x509_decoder_push(&decoder, c->root_der.ptr, c->root_der.len);
    const br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder);
    CHECK(key && br_x509_decoder_isCA(&decoder) && slice_eq(buf_slice(&name), c->root.subject.der)); /* with its head */
    if (key) anchor.pkey = *key;
    anchor.dn = (br_x500_name){name.ptr, name.len};
    br_x509_minimal_init(&minimal, &br_sha256_vtable, &anchor, 1);
    br_x509_minimal_set_hash(&minimal, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_ecdsa(&minimal, &br_ec_p256_m31, br_ecdsa_i31_vrfy_asn1);
    br_x509_minimal_set_time(&minimal, days + 719528, 0); /* since the year 0 */
    const br_x509_class **x = &minimal.vtable;
    (*x)->start_chain(x, host);
    const struct buf *all[] = {&c->leaf_der, &c->middle_der, &c->root_der};
    for (int i = 0; i < 3; i++) {
        (*x)->start_cert(x, (uint32_t)all[i]->len);
        (*x)->append(x, all[i]->ptr, all[i]->len);
        (*x)->end_cert(x);
    }
    unsigned said = (*x)->end_chain(x), usages = 0;
    const br_x509_pkey *leaf = (*x)->get_pkey(x, &usages);
    if (!said) CHECK(leaf && usages == (BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN));
    buf_release(&name);
    return said;
}

TEST(bearssl_accepts_the_chain) {
    struct play_chain c;
    CHECK(play_chain_make(&c, NULL));
    CHECK_INT(judge(&c, "box.example.org", NOW / DAYS), 0);
    CHECK_INT(judge(&c, "adjective-noun.local", NOW / DAYS + 396), 0);
    CHECK_INT(judge(&c, "other.example.org", NOW / DAYS), BR_ERR_X509_BAD_SERVER_NAME);
    CHECK_INT(judge(&c, "box.example.org", NOW / DAYS + 399), BR_ERR_X509_EXPIRED);
    c.leaf_der.ptr[c.leaf_der.len - 1] ^= 1;
    CHECK_INT(judge(&c, "box.example.org", NOW / DAYS), BR_ERR_X509_BAD_SIGNATURE);
    play_chain_release(&c);
}

/* --- our own reader --- */

TEST(what_was_wanted_reads_back) {
    struct play_chain c;
    uint8_t id[X509_KEY_ID];
    CHECK(play_chain_make(&c, NULL));
    const struct x509 *root = &c.root, *middle = &c.middle, *leaf = &c.leaf;
    CHECK(root->version == 3 && slice_eq(root->serial, LIT("\x80\x01\x02\x03\x04\x05\x06")));
    CHECK_TEXT(root->subject.common_name, LIT("adjective-noun Local Root CA"));
    CHECK_TEXT(root->subject.organization, LIT("Start9"));
    CHECK_TEXT(root->subject.unit, LIT("StartOS"));
    CHECK(slice_eq(root->issuer.der, root->subject.der) && slice_eq(middle->issuer.der, root->subject.der) &&
          slice_eq(leaf->issuer.der, middle->subject.der));
    CHECK(root->not_before == NOW - DAYS && root->not_after == NOW + (int64_t)3640 * DAYS);
    CHECK(root->is_ca && root->path_length == -1 && middle->is_ca && middle->path_length == 0 && !leaf->is_ca &&
          leaf->has_basic && leaf->path_length == -1);
    CHECK_INT(root->usage, c.root_want.usage);
    CHECK_INT(leaf->usage, c.leaf_want.usage);
    CHECK(leaf->key.kind == X509_KEY_P256 && leaf->key.bits == 256 &&
          slice_eq(leaf->key.point, play_point(&c.leaf_key)));
    x509_key_id(play_point(&c.root_key), id);
    CHECK(slice_eq(root->subject_key_id, slice_of(id, sizeof id)));
    CHECK(!root->authority_key_id.len && slice_eq(root->authority_serial, root->serial) &&
          slice_eq(root->authority_name.der, root->subject.der));
    CHECK(slice_eq(middle->authority_key_id, root->subject_key_id) &&
          slice_eq(middle->authority_serial, root->serial) && slice_eq(middle->authority_name.der, root->issuer.der));
    CHECK(slice_eq(leaf->authority_key_id, middle->subject_key_id) && !leaf->authority_serial.len);
    CHECK(x509_key_signed(root->key.point, middle->body, middle->signature) &&
          x509_key_signed(middle->key.point, leaf->body, leaf->signature) &&
          !x509_key_signed(root->key.point, leaf->body, leaf->signature));
    struct slice rest = leaf->alts;
    struct x509_alt alt;
    unsigned n = 0;
    for (; x509_alt_next(&rest, &alt); n++)
        CHECK(n < 4 && alt.kind == play_alts[n].kind && slice_eq(alt.value, play_alts[n].value));
    CHECK(n == 4 && !rest.len && !leaf->unknown_critical);
    play_chain_release(&c);
}

/* Every use and purpose, dates on both sides of 2050, a serial of 159 bits. */
TEST(all_uses_and_purposes_and_late_dates_read_back) {
    struct x509_key key = play_key(7);
    struct x509 cert;
    struct buf der, dots;
    uint8_t serial[20];
    struct err e = ERR_INIT;
    memset(serial, 0x7f, sizeof serial);
    struct x509_want want = {.serial = slice_of(serial, 20),
                             .subject = {.organization = LIT("\xc3\x84pfel & Birnen")},
                             .not_before = 2524607999,
                             .not_after = 253402300799,
                             .point = play_point(&key),
                             .is_ca = true,
                             .path_length = 300,
                             .usage = 0x1ff,
                             .purposes = 0x7f,
                             .authority = X509_BY_KEY};
    buf_init(&der, 10000);
    if (!CHECK(play_make(&der, &cert, &want, &key, &e))) tap_note("%s", e.text);
    CHECK(cert.not_before == 2524607999 && cert.not_after == 253402300799 && cert.path_length == 300);
    CHECK(cert.usage == 0x1ff && cert.purposes == 0x7f && slice_eq(cert.serial, want.serial));
    CHECK(slice_eq(cert.authority_key_id, cert.subject_key_id) && !cert.subject.common_name.len);
    struct slice rest = cert.purpose_oids, oid;
    buf_init(&dots, 1000);
    while (x509_purpose_next(&rest, &oid)) x509_oid_add_text(&dots, oid), buf_byte(&dots, ' ');
    CHECK_TEXT(buf_slice(&dots), LIT("1.3.6.1.5.5.7.3.1 1.3.6.1.5.5.7.3.2 1.3.6.1.5.5.7.3.3 1.3.6.1.5.5.7.3.4 "
                                     "1.3.6.1.5.5.7.3.8 1.3.6.1.5.5.7.3.9 2.5.29.37.0 "));
    buf_release(&dots);
    buf_release(&der);
}

TEST(a_name_as_it_was_read_is_written_byte_for_byte) {
    struct play_chain c;
    struct buf der;
    struct x509 again;
    CHECK(play_chain_make(&c, NULL));
    buf_init(&der, 10000);
    c.leaf_want.subject = (struct x509_name){.common_name = LIT("not looked at"), .der = c.root.subject.der};
    CHECK(play_make(&der, &again, &c.leaf_want, &c.middle_key, NULL));
    CHECK(slice_eq(again.subject.der, c.root.subject.der));
    buf_release(&der);
    play_chain_release(&c);
}

TEST(without_a_subject_the_names_of_hosts_are_critical) {
    PLAY_NEEDS_OPENSSL();
    struct play_chain c;
    struct buf der;
    struct x509 cert;
    CHECK(play_chain_make(&c, NULL));
    buf_init(&der, 10000);
    c.leaf_want.subject = (struct x509_name){.common_name = LIT("")};
    CHECK(play_make(&der, &cert, &c.leaf_want, &c.middle_key, NULL));
    CHECK(cert.subject.der.len == 2 && !cert.unknown_critical);
    play_pem_file("root.pem", buf_slice(&c.root_der));
    play_pem_file("middle.pem", buf_slice(&c.middle_der));
    play_pem_file("bare.pem", buf_slice(&der));
    CHECK_INT(PLAY_RUN("openssl", "verify", "-x509_strict", "-attime", "1790000000", "-CAfile", "root.pem",
                       "-untrusted", "middle.pem", "bare.pem"),
              0);
    CHECK_INT(PLAY_RUN("openssl", "x509", "-text", "-noout", "-nameopt", "sep_comma_plus_space", "-in", "bare.pem"), 0);
    CHECK(play_said("X509v3 Subject Alternative Name: critical\n"));
    buf_release(&der);
    play_chain_release(&c);
}

TEST(a_challenge_certificate_is_as_rfc_8737_wants_it) {
    PLAY_NEEDS_OPENSSL();
    struct x509_key key = play_key(9);
    const struct x509_alt alt = {X509_ALT_DNS, LIT_INIT("box.example.org")};
    struct x509_want want = {.serial = LIT("\x01"),
                             .subject = {.common_name = LIT("box.example.org")},
                             .not_before = NOW,
                             .not_after = NOW + DAYS,
                             .point = play_point(&key),
                             .path_length = -1,
                             .alts = &alt,
                             .alts_n = 1,
                             .acme = LIT("01234567890123456789012345678901")};
    struct x509 cert;
    struct buf der;
    buf_init(&der, 10000);
    CHECK(play_make(&der, &cert, &want, &key, NULL));
    CHECK(slice_eq(cert.acme, want.acme) && !cert.has_usage && !cert.authority_key_id.len);
    play_pem_file("acme.pem", buf_slice(&der));
    CHECK_INT(PLAY_RUN("openssl", "x509", "-text", "-noout", "-nameopt", "sep_comma_plus_space", "-in", "acme.pem"), 0);
    CHECK(play_said("1.3.6.1.5.5.7.1.31: critical\n                . 01234567890123456789012345678901\n"));
    buf_release(&der);
}

/* --- requests --- */

TEST(openssl_takes_our_requests) {
    PLAY_NEEDS_OPENSSL();
    struct x509_key key = play_key(5);
    struct buf der, text;
    const struct x509_alt alts[] = {{X509_ALT_DNS, LIT_INIT("example.org")}, {X509_ALT_DNS, LIT_INIT("*.example.org")}};
    struct x509_request want = {.alts = alts, .alts_n = 2};
    struct err e = ERR_INIT;
    buf_init(&der, 10000);
    buf_init(&text, 10000);
    if (!CHECK(x509_write_request(&der, &want, &key, &e))) tap_note("%s", e.text);
    CHECK(pem_write(&text, LIT("CERTIFICATE REQUEST"), buf_slice(&der), NULL));
    play_write("names.csr", buf_slice(&text));
    CHECK_INT(PLAY_RUN("openssl", "req", "-verify", "-text", "-noout", "-nameopt", "sep_comma_plus_space", "-in",
                       "names.csr"),
              0);
    CHECK(play_said("verify OK") && play_said("Subject: \n") && play_said("Version: 1 (0x0)") &&
          play_said("X509v3 Subject Alternative Name: \n                    DNS:example.org, DNS:*.example.org\n"));
    want = (struct x509_request){.subject = {.common_name = LIT("example.org")}};
    buf_reset(&der);
    buf_reset(&text);
    CHECK(x509_write_request(&der, &want, &key, NULL));
    CHECK(pem_write(&text, LIT("CERTIFICATE REQUEST"), buf_slice(&der), NULL));
    play_write("subject.csr", buf_slice(&text));
    CHECK_INT(PLAY_RUN("openssl", "req", "-verify", "-text", "-noout", "-nameopt", "sep_comma_plus_space", "-in",
                       "subject.csr"),
              0);
    CHECK(play_said("verify OK") && play_said("Subject: CN=example.org\n"));
    size_t had = der.len;
    want = (struct x509_request){.alts_n = 0};
    CHECK(!x509_write_request(&der, &want, &key, &e) && e.code == ERR_INVALID && der.len == had);
    key.point[64] ^= 1;
    want = (struct x509_request){.alts = alts, .alts_n = 2};
    CHECK(!x509_write_request(&der, &want, &key, &e) && e.code == ERR_INVALID && der.len == had);
    buf_release(&der);
    buf_release(&text);
}

/* --- refusals --- */

static struct play_chain chain;

static void serial_none(struct x509_want *w) {
    w->serial = LIT("");
}
static void serial_zero(struct x509_want *w) {
    w->serial = slice_of("\0\0", 2);
}
static void serial_long(struct x509_want *w) {
    w->serial = LIT("\x80zzzzzzzzzzzzzzzzzzz");
}
static void serial_longer(struct x509_want *w) {
    w->serial = LIT("\x01zzzzzzzzzzzzzzzzzzzz");
}
static void dates_turned(struct x509_want *w) {
    w->not_after = w->not_before - 1;
}
static void date_early(struct x509_want *w) {
    w->not_before = -631152001;
}
static void date_late(struct x509_want *w) {
    w->not_after = 253402300800;
}
static void name_long(struct x509_want *w) {
    w->subject.common_name = LIT("1234567890123456789012345678901234567890123456789012345678901234x");
}
static void name_binary(struct x509_want *w) {
    w->subject.unit = LIT("\xff");
}
static void name_control(struct x509_want *w) {
    w->subject.unit = LIT("a\nb");
}
static void name_der(struct x509_want *w) {
    w->subject.der = LIT("\x30\x02\x31\x00");
}
static void name_none(struct x509_want *w) {
    w->subject = (struct x509_name){.unit = LIT("")}, w->alts_n = 0;
}
static void point_short(struct x509_want *w) {
    w->point.len--;
}
static void point_off(struct x509_want *w) {
    w->point = LIT("\x04"
                   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl");
}
static void point_none(struct x509_want *w) {
    w->point = LIT("");
}
static void usage_ca(struct x509_want *w) {
    w->usage |= X509_USAGE_SIGN_CERT;
}
static void usage_no_ca(struct x509_want *w) {
    w->is_ca = true;
}
static void usage_unknown(struct x509_want *w) {
    w->usage |= 0x200;
}
static void purpose_other(struct x509_want *w) {
    w->purposes = X509_PURPOSE_OTHER;
}
static void path_leaf(struct x509_want *w) {
    w->path_length = 0;
}
static void path_over(struct x509_want *w) {
    w->is_ca = true, w->usage = X509_USAGE_SIGN_CERT;
}
static void path_over_0(struct x509_want *w) {
    path_over(w), w->path_length = 0;
}
static void acme_short(struct x509_want *w) {
    w->acme = LIT("short");
}
static void by_none(struct x509_want *w) {
    w->authority = 0;
}
static void by_serial(struct x509_want *w) {
    w->authority = X509_BY_SERIAL;
}
static void issuer_leaf(struct x509_want *w) {
    w->issuer = &chain.leaf;
}
static void issuer_other(struct x509_want *w) {
    w->issuer = &chain.root;
}
static void issuer_none(struct x509_want *w) {
    w->issuer = NULL;
}

static struct x509 changed;
static struct x509 *change(struct x509_want *w) {
    changed = chain.middle;
    w->issuer = &changed;
    return &changed;
}
static void issuer_critical(struct x509_want *w) {
    change(w)->unknown_critical = 1;
}
static void issuer_usage(struct x509_want *w) {
    change(w)->usage = X509_USAGE_SIGNATURE;
}
static void issuer_no_id(struct x509_want *w) {
    change(w)->subject_key_id.len = 0;
}
static void issuer_no_name(struct x509_want *w) {
    change(w)->subject.der = LIT("\x30\x00");
}

static void name_host(struct x509_want *w, const char *name) {
    static struct x509_alt alt;
    alt = (struct x509_alt){X509_ALT_DNS, slice_str(name)};
    w->alts = &alt, w->alts_n = 1;
}
static void host_empty(struct x509_want *w) {
    name_host(w, "");
}
static void host_dots(struct x509_want *w) {
    name_host(w, "a..b");
}
static void host_dot(struct x509_want *w) {
    name_host(w, "a.b.");
}
static void host_first_dot(struct x509_want *w) {
    name_host(w, ".a");
}
static void host_dash(struct x509_want *w) {
    name_host(w, "a-.b");
}
static void host_star(struct x509_want *w) {
    name_host(w, "a.*.b");
}
static void host_star_only(struct x509_want *w) {
    name_host(w, "*.");
}
static void host_part_star(struct x509_want *w) {
    name_host(w, "a*.b");
}
static void host_line(struct x509_want *w) {
    name_host(w, "a_b.example");
}
static void host_blank(struct x509_want *w) {
    name_host(w, "a b");
}
static void host_binary(struct x509_want *w) {
    name_host(w, "\xc3\xa4.example");
}
static void host_label(struct x509_want *w) {
    name_host(w, "1234567890123456789012345678901234567890123456789012345678901234.example");
}
static void host_long(struct x509_want *w) {
    static char name[300];
    for (int i = 0; i < 254; i++) name[i] = i % 2 ? '.' : 'a';
    name[253] = 'b';
    name_host(w, name);
}
static void alt_ip(struct x509_want *w) {
    static const struct x509_alt alt = {X509_ALT_IP, LIT_INIT("12345")};
    w->alts = &alt, w->alts_n = 1;
}
static void alt_kind(struct x509_want *w) {
    static const struct x509_alt alt = {X509_ALT_URI, LIT_INIT("http://x/")};
    w->alts = &alt, w->alts_n = 1;
}

static const struct {
    void (*change)(struct x509_want *w);
    const char *why;
} refusals[] = {
    {serial_none, "want a serial number above 0 for a certificate"},
    {serial_zero, "want a serial number above 0 for a certificate"},
    {serial_long, "want a serial number of at most 159 bits for a certificate"},
    {serial_longer, "want a serial number of at most 159 bits for a certificate"},
    {dates_turned, "want dates of a certificate in order, and in the years 1950 to 9999"},
    {date_early, "want dates of a certificate in order, and in the years 1950 to 9999"},
    {date_late, "want dates of a certificate in order, and in the years 1950 to 9999"},
    {name_long, "want at most 64 characters in CN of the name of a certificate, found 65"},
    {name_binary, "the name of a certificate is not UTF-8"},
    {name_control, "want no control characters in the name of a certificate"},
    {name_der, "this is not the name of a certificate as DER"},
    {name_none, "want a subject for a certificate without names of hosts, of an authority, or signed by itself"},
    {point_short, "want a public key that is a point on P-256"},
    {point_off, "want a public key that is a point on P-256"},
    {point_none, "want a public key that is a point on P-256"},
    {usage_ca, "want the usage keyCertSign for certificates of authorities, and only for them"},
    {usage_no_ca, "want the usage keyCertSign for certificates of authorities, and only for them"},
    {usage_unknown, "want only known usages of a key in a certificate"},
    {purpose_other, "want only known usages of a key in a certificate"},
    {path_leaf, "want a path length only for certificates of authorities"},
    {path_over, "the path length of the issuer's certificate does not allow this authority"},
    {path_over_0, "the path length of the issuer's certificate does not allow this authority"},
    {acme_short, "want a SHA-256 for the challenge certificate of ACME"},
    {by_none, "want a certificate that names its issuer by the key id of that"},
    {by_serial, "want a certificate that names its issuer by the key id of that"},
    {issuer_leaf, "the private key that is to sign does not belong to the issuer's certificate"},
    {issuer_other, "the private key that is to sign does not belong to the issuer's certificate"},
    {issuer_none, "the private key that is to sign does not belong to the issuer's certificate"},
    {issuer_critical, "the certificate of the issuer has a critical extension that is not understood"},
    {issuer_usage, "the certificate of the issuer is not one of an authority"},
    {issuer_no_id, "want a certificate that names its issuer by the key id of that"},
    {issuer_no_name, "want an issuer with a name and a key on P-256"},
    {host_empty, "want a host name of labels of letters, digits and dashes, found \"\""},
    {host_dots, "want a host name of labels of letters, digits and dashes, found \"a..b\""},
    {host_dot, "want a host name of labels of letters, digits and dashes, found \"a.b.\""},
    {host_first_dot, "want a host name of labels of letters, digits and dashes, found \".a\""},
    {host_dash, "want a host name of labels of letters, digits and dashes, found \"a-.b\""},
    {host_star, "want a host name of labels of letters, digits and dashes, found \"a.*.b\""},
    {host_star_only, "want a host name of labels of letters, digits and dashes, found \"*.\""},
    {host_part_star, "want a host name of labels of letters, digits and dashes, found \"a*.b\""},
    {host_line, "want a host name of labels of letters, digits and dashes, found \"a_b.example\""},
    {host_blank, "want a host name of labels of letters, digits and dashes, found \"a b\""},
    {host_binary, "want a host name of labels of letters, digits and dashes, found \"\""},
    {host_label, NULL},
    {host_long, NULL},
    {alt_ip, "want an IP address of 4 or 16 bytes for a certificate, found 5"},
    {alt_kind, "want only host names and IP addresses as names of a host"},
};

TEST(what_would_not_verify_is_not_written) {
    CHECK(play_chain_make(&chain, NULL));
    struct buf der;
    buf_init(&der, 10000);
    buf_add(&der, LIT("kept"));
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct x509_want want = chain.leaf_want;
        struct err e = ERR_INIT;
        refusals[i].change(&want);
        CHECK(!x509_write(&der, &want, &chain.middle_key, &e));
        if (refusals[i].why) CHECK_TEXT(slice_str(e.text), slice_str(refusals[i].why));
        CHECK(e.code != ERR_NONE && der.len == 4);
    }
    struct x509_want want = chain.leaf_want;
    struct err e = ERR_INIT;
    want.issuer = &chain.leaf;
    CHECK(!x509_write(&der, &want, &chain.leaf_key, &e));
    CHECK_TEXT(slice_str(e.text), LIT("the certificate of the issuer is not one of an authority"));
    /* Names at their longest, and all that is just allowed. */
    want = chain.leaf_want;
    want.serial = LIT("\x7fzzzzzzzzzzzzzzzzzzz");
    want.subject.common_name = LIT("\xc3\xa4"
                                   "123456789012345678901234567890123456789012345678901234567890123");
    want.not_after = want.not_before;
    name_host(&want, "*.123456789012345678901234567890123456789012345678901234567890123.x--y");
    CHECK(x509_write(&der, &want, &chain.middle_key, NULL) && der.len > 4);
    buf_release(&der);
    play_chain_release(&chain);
}

/* --- the two halves --- */

TEST(a_signature_that_was_made_elsewhere_must_fit) {
    CHECK(play_chain_make(&chain, NULL));
    struct buf body, der;
    uint8_t signature[X509_SIGNATURE];
    size_t len;
    struct err e = ERR_INIT;
    struct slice point = play_point(&chain.middle_key);
    buf_init(&body, 10000);
    buf_init(&der, 10000);
    CHECK(x509_write_body(&body, &chain.leaf_want, NULL));
    CHECK(x509_key_sign(&chain.middle_key, buf_slice(&body), signature, &len, NULL));
    CHECK(x509_write_signed(&der, buf_slice(&body), point, slice_of(signature, len), NULL));
    CHECK(slice_eq(buf_slice(&der), buf_slice(&chain.leaf_der)));
    size_t had = der.len;
    CHECK(!x509_write_signed(&der, buf_slice(&body), point, slice_of(signature, len - 1), &e));
    CHECK_TEXT(slice_str(e.text), LIT("the signature of the certificate is not by the key of its issuer"));
    CHECK(!x509_write_signed(&der, buf_slice(&body), play_point(&chain.root_key), slice_of(signature, len), &e));
    CHECK(!x509_write_signed(&der, slice_head(buf_slice(&body), body.len - 1), point, slice_of(signature, len), &e));
    body.ptr[body.len - 1] ^= 1;
    CHECK(!x509_write_signed(&der, buf_slice(&body), point, slice_of(signature, len), &e));
    CHECK(der.len == had);
    buf_release(&body);
    buf_release(&der);
    play_chain_release(&chain);
}

TEST(what_does_not_fit_leaves_nothing) {
    CHECK(play_chain_make(&chain, NULL));
    for (size_t max = 3; max <= 3 + chain.leaf_der.len; max += 61) {
        struct buf der;
        struct err e = ERR_INIT;
        buf_init(&der, max);
        buf_add(&der, LIT("abc"));
        bool fits = x509_write(&der, &chain.leaf_want, &chain.middle_key, &e);
        CHECK(fits == (max == 3 + chain.leaf_der.len) && (fits || (e.code == ERR_LIMIT && der.len == 3)));
        CHECK(buf_ok(&der));
        buf_release(&der);
    }
    play_chain_release(&chain);
}

static bool make_all(void *arg) {
    struct err e = ERR_INIT;
    bool good = play_chain_make(arg, &e);
    CHECK(good || e.code == ERR_NOMEM);
    play_chain_release(arg);
    return good;
}

TEST(every_failed_allocation_is_an_error_of_that_call) {
    faults_sweep(make_all, &chain, "a chain of three");
}

TAP_MAIN(T(openssl_verifies_the_chain_strictly_and_shows_its_extensions),
         T(the_same_wants_and_keys_give_the_same_bytes), T(bearssl_accepts_the_chain), T(what_was_wanted_reads_back),
         T(all_uses_and_purposes_and_late_dates_read_back), T(a_name_as_it_was_read_is_written_byte_for_byte),
         T(without_a_subject_the_names_of_hosts_are_critical), T(a_challenge_certificate_is_as_rfc_8737_wants_it),
         T(openssl_takes_our_requests), T(what_would_not_verify_is_not_written),
         T(a_signature_that_was_made_elsewhere_must_fit), T(what_does_not_fit_leaves_nothing),
         T(every_failed_allocation_is_an_error_of_that_call))
