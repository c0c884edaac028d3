/* cuts.c - see cuts.h. */
#include "lib/cuts.h"

#include "lib/tap.h"

#define TRANSCRIPT_MAX (16u << 20)
#define RANDOM_CUTS    6

bool cuts_next(struct cuts *c, struct slice *piece) {
    if (!c->rest.len) return false;
    size_t n = c->rest.len;
    if (c->how == 1) n = 1;
    if (c->how > 1) {
        c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
        size_t most = c->seed >> 60 & 1 ? 3 : 40;
        n = 1 + (size_t)(c->seed >> 33) % most;
        if (n > c->rest.len) n = c->rest.len;
    }
    *piece = tap_guarded(slice_head(c->rest, n));
    c->rest = slice_skip(c->rest, n);
    return true;
}

static bool play_all(cuts_play *play, void *arg, struct slice input, struct slice want, struct buf *whole,
                     const char *name) {
    bool good = true;
    for (int how = 0; how < 2 + RANDOM_CUTS && good; how++) {
        struct buf out;
        buf_init(&out, TRANSCRIPT_MAX);
        struct cuts c = {.rest = input, .how = how, .seed = (uint64_t)how * 0x9e3779b97f4a7c15u + input.len};
        play(arg, &c, &out);
        if (how == 0 && whole) {
            buf_add(whole, buf_slice(&out));
            want = buf_slice(whole);
        }
        good = tap_check(buf_ok(&out), __FILE__, __LINE__, "the transcript fits");
        if (!slice_eq(buf_slice(&out), want)) {
            tap_note("case %s, cut %s", name, how == 0 ? "whole" : how == 1 ? "byte by byte" : "at random");
            tap_check_text(buf_slice(&out), want, __FILE__, __LINE__, "transcript");
            good = false;
        }
        buf_release(&out);
    }
    return good;
}

bool cuts_check(cuts_play *play, void *arg, struct slice input, struct slice want, const char *name) {
    return play_all(play, arg, input, want, NULL, name);
}

bool cuts_agree(cuts_play *play, void *arg, struct slice input, struct buf *out, const char *name) {
    struct buf own;
    buf_init(&own, TRANSCRIPT_MAX);
    bool good = play_all(play, arg, input, slice_of(NULL, 0), &own, name);
    if (out) buf_add(out, buf_slice(&own));
    buf_release(&own);
    return good;
}
