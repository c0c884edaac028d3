/* codec_lines.c - `startbox codec lines`: the lines of a stream, one event each. See codec.h. */
#include "base/utf8.h"
#include "cli/codec.h"
#include "protocols/lines.h"

#include <stdio.h>

static void say_line(struct codec_run *run, struct slice line, const void *arg) {
    (void)arg;
    if (utf8_ok(line))
        codec_say(run, VAL_MAP_OF({"event", val_of_str("line")}, {"data", val_of_text_checked(line)}));
    else
        codec_say(run, VAL_MAP_OF({"event", val_of_str("line")}, {"hex", codec_hex(line)}));
}

int codec_each_line(struct codec_run *run, codec_line_fn *each, const void *arg) {
    struct lines l;
    struct err e = ERR_INIT;
    struct slice line;
    enum step step = STEP_MORE;
    lines_init(&l, LIMIT_LINE_BYTES);
    for (struct slice piece; step == STEP_MORE && (piece = codec_piece(run)).len;) {
        do {
            struct fed fed = lines_feed(&l, piece, &line, &e);
            piece = slice_skip(piece, fed.used);
            step = fed.step;
            if (step == STEP_EVENT) each(run, line, arg);
        } while (step == STEP_EVENT);
    }
    if (step != STEP_BAD && (step = lines_eof(&l, &line, &e)) == STEP_EVENT) each(run, line, arg);
    int code = step == STEP_BAD ? codec_say_bad(run, 0, &e) : 0;
    lines_release(&l);
    return code;
}

int codec_lines(struct codec_run *run) {
    if (run->argc) {
        fprintf(stderr, "usage: startbox codec lines\n");
        return 2;
    }
    return codec_each_line(run, say_line, NULL);
}
