/* start_progress.c - work that goes on behind an answer, as it is told by its feed (StartOS' FullProgress): bars on a terminal, a line
 * now and then elsewhere. On standard error: what the command gives stays alone on standard output. */
#include "base/limits.h"
#include "cli/start_room.h"
#include "protocols/json.h"

#include <unistd.h>

#define BAR   24
#define LINES 40 /* phases that are drawn */

struct bars {
    bool terminal;
    unsigned drawn; /* lines of the last picture */
    int last;       /* percent that was told last; -1: nothing */
};

/* 0 to 100; -1: begun, nobody knows how far; -2: not begun. */
static int percent(const struct val *p) {
    double done = 0, total = 0;
    if (val_kind(p) == VAL_BOOL) return val_is_true(p) ? 100 : -1;
    if (val_kind(p) != VAL_MAP) return -2;
    const struct val *overall = val_get(p, LIT("overall"));
    if (!val_is_none(overall)) return percent(overall);
    if (!val_as_double(val_get(p, LIT("total")), &total) || total <= 0) return -1;
    val_as_double(val_get(p, LIT("done")), &done);
    return done >= total ? 100 : done <= 0 ? 0 : (int)(done * 100 / total);
}

static void draw_one(struct slice name, int part) {
    char bar[BAR + 1];
    for (int i = 0; i < BAR; i++) bar[i] = part >= 0 && i * 100 < part * BAR ? '#' : '.';
    bar[BAR] = 0;
    fprintf(stderr, "\033[K%-28.*s [%s] ", (int)(name.len < 28 ? name.len : 28), (const char *)name.ptr, bar);
    if (part >= 0)
        fprintf(stderr, "%3d%%\n", part);
    else
        fputs(part == -1 ? "...\n" : "\n", stderr);
}

/* Names come from others: control characters would move the cursor. */
static struct slice clean(struct slice name, char room[64]) {
    size_t n = name.len < 63 ? name.len : 63;
    for (size_t i = 0; i < n; i++) room[i] = name.ptr[i] < 0x20 || name.ptr[i] == 0x7f ? '.' : (char)name.ptr[i];
    return slice_of(room, n);
}

static void draw(struct bars *b, const struct val *full) {
    char room[64];
    if (b->drawn) fprintf(stderr, "\033[%uA", b->drawn);
    b->drawn = 0;
    for (struct val_iter it = val_iter(val_get(full, LIT("phases"))); b->drawn < LINES && val_next(&it); b->drawn++)
        draw_one(clean(val_as_text(val_get(it.value, LIT("name"))), room), percent(val_get(it.value, LIT("progress"))));
    draw_one(LIT("together"), percent(val_get(full, LIT("overall"))));
    b->drawn++;
}

static void say(struct bars *b, const struct val *full) {
    int now = percent(val_get(full, LIT("overall")));
    if (now == b->last || (now < 100 && b->last >= 0 && now < b->last + 10)) return;
    b->last = now;
    if (now >= 0)
        fprintf(stderr, "%d%%\n", now);
    else
        fputs("working\n", stderr);
}

static void show(struct bars *b, const struct val *full) {
    if (b->terminal)
        draw(b, full);
    else
        say(b, full);
}

static bool each(void *arg, struct slice text) {
    static const struct json_limits limits = {.bytes = 1 << 20, .depth = LIMIT_RPC_DEPTH};
    struct val v = val_none;
    if (json_parse(text, &limits, &v, NULL) && val_kind(&v) == VAL_MAP) show(arg, &v);
    val_unref(&v);
    return true;
}

bool start_has_progress(const struct val *result) {
    return val_kind(val_get(result, LIT("guid"))) == VAL_TEXT && val_kind(val_get(result, LIT("progress"))) == VAL_MAP;
}

bool start_progress(struct line *l, const struct val *result, struct err *e) {
    struct bars b = {.terminal = isatty(2), .last = -3};
    struct val guid = val_ref(val_get(result, LIT("guid")));
    show(&b, val_get(result, LIT("progress")));
    bool good = line_feed(l, val_as_text(&guid), each, &b, e);
    val_unref(&guid);
    return good;
}
