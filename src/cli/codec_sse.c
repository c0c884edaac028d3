/* codec_sse.c - `startbox codec sse [retry]`: the events of a text/event-stream, or the last time to wait it
 * told. See codec.h. An event that the input does not end is dropped without a word, as the standard wants
 * it. */
#include "base/limits.h"
#include "cli/codec.h"
#include "protocols/sse.h"

#include <stdio.h>

static void say_event(struct codec_run *run, const struct sse_event *ev) {
    codec_say(run, VAL_MAP_OF({"event", val_of_text_checked(ev->type)}, {"data", val_of_text_checked(ev->data)},
                              {"id", val_of_text_checked(ev->id)}));
}

int codec_sse(struct codec_run *run) {
    bool only_retry = run->argc == 1 && !strcmp(run->argv[0], "retry");
    if (run->argc && !only_retry) {
        fprintf(stderr, "usage: startbox codec sse [retry]\n");
        return 2;
    }
    const struct sse_limits limits = {.line = LIMIT_SSE_LINE, .event = LIMIT_SSE_EVENT};
    struct sse s;
    struct err e = ERR_INIT;
    int code = 0;
    sse_init(&s, &limits);
    enum step step = STEP_MORE;
    while (step == STEP_MORE) {
        struct slice piece = codec_piece(run);
        bool over = piece.len == 0;
        do {
            struct sse_event ev;
            struct fed fed = sse_feed(&s, piece, &ev, &e);
            piece = slice_skip(piece, fed.used);
            step = fed.step;
            if (step == STEP_EVENT && !only_retry) say_event(run, &ev);
        } while (step == STEP_EVENT);
        if (over) break;
    }
    if (step == STEP_BAD)
        code = codec_say_bad(run, 0, &e);
    else if (only_retry)
        codec_say(run, s.has_retry ? val_of_u64(s.retry_ms) : val_null());
    sse_release(&s);
    return code;
}
