/* recover_find.c - findings of the recovery, in words; see recover_room.h. */
#include "state/recover_room.h"

#include <stdarg.h>
#include <stdio.h>

#define U(n) ((unsigned long long)(n))

static void add_text(char text[RECOVER_TEXT], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_text(char text[RECOVER_TEXT], const char *fmt, ...) {
    size_t len = strlen(text);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text + len, RECOVER_TEXT - len, fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n >= RECOVER_TEXT - len) memcpy(text + RECOVER_TEXT - 4, "...", 4);
}

static size_t add(struct recover *r, enum recover_grade grade, const char *name, uint64_t at, uint64_t first,
                  uint64_t last, const char *what) {
    struct recover_result *res = &r->result;
    if (grade == RECOVER_MENDED) res->mended = true;
    res->finding_all++;
    if (res->finding_n == RECOVER_FINDINGS) return RECOVER_NOWHERE;
    struct recover_finding *f = &res->findings[res->finding_n];
    *f = (struct recover_finding){.grade = grade, .at = at, .first = first, .last = last};
    snprintf(f->name, sizeof f->name, "%s", name);
    add_text(f->text, "%s", name);
    if (at) add_text(f->text, " at %llu", U(at));
    add_text(f->text, ": %s", what);
    return res->finding_n++;
}

/* What is lost, and the way on. */
static void add_loss(const struct recover *r, char text[RECOVER_TEXT], uint64_t first, uint64_t last) {
    if (last && last > first)
        add_text(text, ": revisions %llu to %llu are lost unless the file is mended", U(first), U(last));
    else if (last)
        add_text(text, ": revision %llu is lost unless the file is mended", U(first));
    else if (first)
        add_text(text, ": what came behind revision %llu may be lost", U(first - 1));
    if (r->loaded != RECOVER_NOWHERE)
        add_text(text, "; `startbox state repair DIR --to %llu` goes back to %llu", U(r->reached), U(r->reached));
}

static void note_damage(struct recover *r, const char *text) {
    r->lost = true;
    if (r->result.damaged) return;
    r->result.damaged = true;
    err_set(&r->result.why, ERR_DATABASE, "%s", text);
}

size_t recover_find(struct recover *r, enum recover_grade grade, const char *name, uint64_t at, uint64_t first,
                    uint64_t last, const char *fmt, ...) {
    char what[RECOVER_TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return add(r, grade, name, at, first, last, what);
}

void recover_damage(struct recover *r, const char *name, uint64_t at, uint64_t first, uint64_t last, const char *fmt,
                    ...) {
    char what[RECOVER_TEXT], text[RECOVER_TEXT] = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    size_t i = add(r, RECOVER_DAMAGE, name, at, first, last, what);
    /* The sentence is wanted also when there is no room among the findings. */
    add_text(text, "%s", name);
    if (at) add_text(text, " at %llu", U(at));
    add_text(text, ": %s", what);
    add_loss(r, text, first, last);
    if (i != RECOVER_NOWHERE) memcpy(r->result.findings[i].text, text, sizeof text);
    note_damage(r, text);
}

void recover_add(struct recover *r, size_t finding, const char *text) {
    if (finding != RECOVER_NOWHERE) add_text(r->result.findings[finding].text, "%s", text);
}

void recover_worsen(struct recover *r, size_t finding, const char *name, uint64_t first, uint64_t last) {
    char text[RECOVER_TEXT] = "";
    if (finding == RECOVER_NOWHERE) {
        add_text(text, "%s: it is damaged", name);
        add_loss(r, text, first, last);
    } else {
        struct recover_finding *f = &r->result.findings[finding];
        add_loss(r, f->text, first, last);
        f->grade = RECOVER_DAMAGE;
        f->first = first;
        f->last = last;
        memcpy(text, f->text, sizeof text);
    }
    note_damage(r, text);
}
