/* err.c - see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_row {
    const char *name, *label;
    int rpc, http, exit_code;
} rows[] = {[ERR_NONE] = {"ERR_NONE", "No error", 0, 200, 0},
#define X(name, rpc, http, exit_code, label) [name] = {#name, label, rpc, http, exit_code},
            ERR_CODES(X)
#undef X
};

static const struct err_row *row_of(enum err_code code) {
    return &rows[(unsigned)code < ERR_CODE_N ? code : ERR_UNKNOWN];
}

__attribute__((format(printf, 2, 0))) static void write_text(struct err *e, const char *fmt, va_list ap) {
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    if (n < 0) e->text[0] = 0;
    if ((size_t)n >= sizeof e->text) memcpy(e->text + sizeof e->text - 4, "...", 4);
}

static void start(struct err *e, enum err_code code, size_t at) {
    *e = (struct err){.code = code, .at = at};
}

bool err_set(struct err *e, enum err_code code, const char *fmt, ...) {
    if (!e) return false;
    start(e, code, ERR_NOWHERE);
    va_list ap;
    va_start(ap, fmt);
    write_text(e, fmt, ap);
    va_end(ap);
    return false;
}

bool err_at(struct err *e, enum err_code code, size_t at, const char *fmt, ...) {
    if (!e) return false;
    start(e, code, at);
    va_list ap;
    va_start(ap, fmt);
    write_text(e, fmt, ap);
    va_end(ap);
    return false;
}

bool err_limit(struct err *e, const char *limit, unsigned long long allowed, size_t at) {
    err_at(e, ERR_LIMIT, at, "over the limit %s, which allows %llu", limit, allowed);
    if (e) e->limit = limit;
    return false;
}

bool err_os(struct err *e, enum err_code code, int os, const char *fmt, ...) {
    if (!e) return false;
    start(e, code, ERR_NOWHERE);
    e->os = os;
    va_list ap;
    va_start(ap, fmt);
    write_text(e, fmt, ap);
    va_end(ap);
    size_t len = strlen(e->text);
    snprintf(e->text + len, sizeof e->text - len, ": %s", strerror(os));
    return false;
}

bool err_nomem(struct err *e, const char *what) {
    return err_set(e, ERR_NOMEM, "no memory for %s", what);
}

void err_context(struct err *e, const char *fmt, ...) {
    if (!e) return;
    char old[ERR_TEXT];
    memcpy(old, e->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    write_text(e, fmt, ap);
    va_end(ap);
    size_t len = strlen(e->text);
    int n = snprintf(e->text + len, sizeof e->text - len, ": %s", old);
    if (n > 0 && (size_t)n >= sizeof e->text - len) memcpy(e->text + sizeof e->text - 4, "...", 4);
}

bool err_status(struct err *e, int http) {
    if (e) e->http = http;
    return false;
}

const char *err_name(enum err_code code) {
    return row_of(code)->name;
}
const char *err_label(enum err_code code) {
    return row_of(code)->label;
}
int err_rpc(enum err_code code) {
    return row_of(code)->rpc;
}
int err_http(const struct err *e) {
    return e->http ? e->http : row_of(e->code)->http;
}
int err_exit(enum err_code code) {
    return row_of(code)->exit_code;
}
