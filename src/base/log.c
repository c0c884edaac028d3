/* log.c - see log.h. */
#include "base/log.h"

#include "base/ascii.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* journald and terminals are happy with it; longer lines are cut with "..." */
#define TEXT_MAX_BYTES 120
#define LOST_MAX_BYTES 80 /* the line that says how many were lost */

static struct {
    enum log_level level;
    void (*sink)(void *arg, enum log_level level, const char *line);
    void *arg;
    unsigned long lost; /* lines that standard error did not take, and nobody was told yet */
} logger = {LOG_NOTE, NULL, NULL, 0};

void log_set_level(enum log_level level) {
    logger.level = level;
}

void log_use(void (*sink)(void *arg, enum log_level level, const char *line), void *arg) {
    logger.sink = sink;
    logger.arg = arg;
}

/* One write, so that lines of many processes do not mix: a pipe takes so few bytes whole or not at all. Where it takes none and
 * does not wait, the line is lost and counted; the next one that fits says so. A log that fails otherwise has nowhere to say it. */
static void put(const char *line, size_t len) {
    char both[LOST_MAX_BYTES + LINE_MAX_BYTES];
    if (logger.lost) {
        int n = snprintf(both, LOST_MAX_BYTES, "<4>%lu lines were lost: nobody took them in time\n", logger.lost);
        memcpy(both + n, line, len);
        line = both;
        len += (size_t)n;
    }
    ssize_t written;
    do written = write(STDERR_FILENO, line, len);
    while (written < 0 && errno == EINTR);
    if (written >= 0)
        logger.lost = 0;
    else if (errno == EAGAIN)
        logger.lost++;
}

__attribute__((format(printf, 2, 0))) static void write_line(enum log_level level, const char *fmt, va_list ap) {
    static const char *const head[] = {"<2>", "<4>", "<5>", "<7>"};
    if (level > logger.level) return;
    char line[LINE_MAX_BYTES];
    size_t start = 3;
    memcpy(line, head[level], start);
    int n = vsnprintf(line + start, sizeof line - start - 1, fmt, ap);
    size_t len = start + (n < 0 ? 0 : (size_t)n);
    if (len > sizeof line - 2) {
        len = sizeof line - 2;
        memcpy(line + len - 3, "...", 3);
    }
    if (logger.sink) {
        line[len] = 0;
        logger.sink(logger.arg, level, line + start);
        return;
    }
    line[len++] = '\n';
    int os = errno; /* whoever logs does not expect that it changes */
    put(line, len);
    errno = os;
}

#define SAY(level)                                                                                                     \
    do {                                                                                                               \
        va_list ap;                                                                                                    \
        va_start(ap, fmt);                                                                                             \
        write_line(level, fmt, ap);                                                                                    \
        va_end(ap);                                                                                                    \
    } while (0)

void log_fatal(const char *fmt, ...) {
    SAY(LOG_FATAL);
    exit(70);
}
void log_warn(const char *fmt, ...) {
    SAY(LOG_WARN);
}
void log_note(const char *fmt, ...) {
    SAY(LOG_NOTE);
}
void log_debug(const char *fmt, ...) {
    SAY(LOG_DEBUG);
}

const char *log_text(struct slice s) {
    static char ring[4][TEXT_MAX_BYTES * 4 + 8];
    static unsigned turn;
    char *out = ring[turn++ & 3];
    size_t n = 0;
    size_t len = s.len < TEXT_MAX_BYTES ? s.len : TEXT_MAX_BYTES;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = s.ptr[i];
        if (ascii_is_print(c) && c != '"' && c != '\\')
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
    }
    if (len < s.len) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n] = 0;
    return out;
}
