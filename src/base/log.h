/* log.h - four words with fixed meaning.
 *
 *   log_fatal  cannot go on; the process ends with status 70 after the line
 *   log_warn   the operator must act
 *   log_note   worth knowing
 *   log_debug  for whoever looks for a fault; off unless asked for
 *
 * One line an event: a sentence, then key=value. Whatever came from a peer goes through log_text, which escapes it.
 * The service manager adds the time; the line begins with a priority it understands ("<4>").
 * Where standard error does not wait and is full, a line is dropped; the next one that fits says how many were.
 * Never: called by a codec.
 * Tried: tests/base/plain, tests/warden/log_hand. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_FATAL, LOG_WARN, LOG_NOTE, LOG_DEBUG };

_Noreturn void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Peer bytes made safe for one line: quotes, backslashes, control bytes and all beyond ASCII escaped, cut at 120 bytes.
 * Good until the fourth call after it. */
const char *log_text(struct slice s);

/* The least important level that is still written; LOG_NOTE at the start. */
void log_set_level(enum log_level level);
/* Where lines go (without the newline); NULL is standard error. */
void log_use(void (*sink)(void *arg, enum log_level level, const char *line), void *arg);

#endif
