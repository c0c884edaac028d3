/* words.h - what people read, in their language: labels of errors, sentences of methods, help of the command line.
 *
 * For: the doors (in the box's language) and start-cli (in the caller's). English stands where the words are used, in the rows and in
 *      base/err.h, and is handed in: it is what is said when a language has no words for a key.
 * Keys: error.<name of the code> (error.not-found), about.<method>, help.<method>.<parameter>, and cli.<...> for start-cli's own.
 * Owns: one static table a language (de.c, es.c, fr.c, pl.c). No allocation, nothing that changes.
 * Never: translates what names one thing in particular, the details of an error: those stay English.
 * Who adds a row or a code adds its words; the test names what is missing.
 * Tried: tests/words/words, tests/cli/words.sh. */
#ifndef WORDS_WORDS_H
#define WORDS_WORDS_H

#include "base/err.h"
#include "base/slice.h"

enum words_language { WORDS_EN, WORDS_DE, WORDS_ES, WORDS_FR, WORDS_PL, WORDS_LANGUAGE_N };

/* "pl_PL", "pl_PL.UTF-8", "pl-PL", "pl": by its first part alone. What is unknown is English. */
enum words_language words_from_tag(struct slice tag);

/* What stands under a key, or `english`. The tables are static, so it lasts. */
const char *words_say(enum words_language language, const char *key, const char *english);

/* The label of an error. */
const char *words_label(enum words_language language, enum err_code code);

#endif
