/* authority.c - the box's own certificates over the years: made once, kept, renewed in time with the same key. */
#include "net/authority.h"

#include "lib/tap.h"
#include "protocols/pem.h"
#include "startd/tables.h"
#include "state/stage.h"

struct box {
    struct mem_disk *disk;
    struct loop *loop;
    struct port port;
    struct plan *plan;
    struct state *state;
    enum state_mode mode;
};

static void changed(struct state *s, enum state_mode mode, const struct err *why) {
    (void)why;
    ((struct box *)state_arg(s))->mode = mode;
}

static void turn(struct box *b, unsigned n) {
    while (n--) {
        loop_turn(b->loop, 0);
        mem_disk_turn(b->disk);
    }
}

static bool box_open(struct box *b) {
    struct err e = ERR_INIT;
    stage_begin();
    *b = (struct box){.disk = mem_disk_new(), .mode = STATE_OPENING, .port = {.name = "disk"}};
    b->loop = loop_new(&e);
    b->plan = startd_plan(&e);
    if (!CHECK(b->loop && b->plan && mem_disk_connect(b->disk, b->loop, &b->port))) return false;
    const struct state_config config = {.loop = b->loop,
                                        .disk = &b->port,
                                        .root = "data",
                                        .folder = "state",
                                        .plan = b->plan,
                                        .changed = changed,
                                        .arg = b};
    b->state = state_new(&config, &e);
    for (unsigned i = 0; i < 3000 && b->mode == STATE_OPENING; i++) turn(b, 1);
    return CHECK(b->mode == STATE_UP);
}

static void box_end(struct box *b) {
    state_close(b->state);
    for (unsigned i = 0; i < 1000 && b->mode != STATE_CLOSED; i++) turn(b, 1);
    CHECK(b->mode == STATE_CLOSED);
    state_free(b->state);
    port_stop(&b->port);
    turn(b, 3);
    loop_free(b->loop);
    plan_free(b->plan);
    mem_disk_free(b->disk);
    stage_end();
}

static const int64_t day = 86400, now = INT64_C(1800000000);

static bool keep(struct box *b, const char *host, int64_t at, bool trusted) {
    const struct authority_wants want = {.hostname = slice_str(host), .now_s = at, .clock_trusted = trusted};
    struct err e = ERR_INIT;
    bool made = false;
    CHECK(authority_keep(b->state, &want, &made, &e));
    turn(b, 10);
    return made;
}

/* A certificate of the identity; der keeps its bytes. */
static bool read(struct slice text, struct buf *der, struct x509 *cert) {
    static const struct pem_limits limits = {.bytes = 8192, .blocks = 2};
    static const struct x509_limits x509 = {.bytes = 8192, .extensions = 20, .alts = 20};
    struct pem p;
    struct pem_block block;
    buf_init(der, 8192);
    pem_init(&p, &limits);
    bool found = pem_feed(&p, text, &block, NULL).step == STEP_EVENT || pem_eof(&p, &block, NULL) == STEP_EVENT;
    found = found && buf_add(der, block.bytes);
    pem_release(&p);
    return CHECK(found && x509_read(cert, buf_slice(der), &x509, NULL));
}

TEST(a_first_start_makes_a_root_and_a_leaf_that_it_signed) {
    struct box b;
    struct buf root_der, leaf_der;
    struct x509 root, leaf;
    if (!box_open(&b)) return;
    CHECK(!authority_identity(b.state).leaf.len);
    CHECK(keep(&b, "attic-box", now, true) && !keep(&b, "attic-box", now, true));
    struct authority_identity id = authority_identity(b.state);
    if (read(id.root, &root_der, &root) && read(id.leaf, &leaf_der, &leaf)) {
        CHECK(root.is_ca && root.usage & X509_USAGE_SIGN_CERT && !leaf.is_ca && leaf.purposes == X509_PURPOSE_SERVER);
        CHECK(x509_key_signed(root.key.point, leaf.body, leaf.signature));
        CHECK(x509_key_signed(root.key.point, root.body, root.signature));
        CHECK(slice_eq(leaf.authority_key_id, root.subject_key_id));
        CHECK(root.not_before == now - day && leaf.not_before == now - day);
        CHECK((leaf.not_after - leaf.not_before) / day <= 398 && root.not_after > now + 19 * 365 * day);
        CHECK(leaf.serial.len == 16 && !slice_eq(leaf.serial, root.serial));
        CHECK_TEXT(root.subject.common_name, LIT("attic-box Local Root CA"));
    }
    buf_release(&root_der);
    buf_release(&leaf_der);
    box_end(&b);
}

TEST(a_leaf_is_renewed_in_time_and_keeps_its_key_so_that_pins_last) {
    struct box b;
    struct buf der;
    struct x509 leaf;
    uint8_t point[X509_POINT];
    if (!box_open(&b)) return;
    CHECK(keep(&b, "attic-box", now, true));
    struct val root = val_of_text(authority_identity(b.state).root);
    if (read(authority_identity(b.state).leaf, &der, &leaf)) memcpy(point, leaf.key.point.ptr, sizeof point);
    buf_release(&der);
    CHECK(!keep(&b, "attic-box", now + 360 * day, true));
    CHECK(keep(&b, "attic-box", now + 370 * day, true));
    if (read(authority_identity(b.state).leaf, &der, &leaf))
        CHECK(!memcmp(point, leaf.key.point.ptr, sizeof point) && leaf.not_after > now + 700 * day);
    buf_release(&der);
    /* Another name needs another certificate, and no other key or root. */
    CHECK(keep(&b, "cellar", now + 371 * day, true));
    if (read(authority_identity(b.state).leaf, &der, &leaf)) CHECK(!memcmp(point, leaf.key.point.ptr, sizeof point));
    buf_release(&der);
    CHECK(val_is_text(&root, authority_identity(b.state).root));
    val_unref(&root);
    box_end(&b);
}

TEST(a_clock_that_is_not_believed_ends_nothing_and_dates_nothing_before_the_program) {
    struct box b;
    struct buf der;
    struct x509 leaf;
    if (!box_open(&b)) return;
    CHECK(keep(&b, "attic-box", 1000, false)); /* 1970 */
    if (read(authority_identity(b.state).leaf, &der, &leaf)) CHECK(leaf.not_before >= INT64_C(1767225600) - day);
    buf_release(&der);
    CHECK(!keep(&b, "attic-box", now + 4000 * day, false));
    CHECK(keep(&b, "attic-box", now + 4000 * day, true));
    box_end(&b);
}

TAP_MAIN(T(a_first_start_makes_a_root_and_a_leaf_that_it_signed),
         T(a_leaf_is_renewed_in_time_and_keeps_its_key_so_that_pins_last),
         T(a_clock_that_is_not_believed_ends_nothing_and_dates_nothing_before_the_program))
