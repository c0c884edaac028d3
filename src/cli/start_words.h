/* start_words.h - start-cli's own words: which there are, their English, and saying them in a language.
 *
 * For: start_help.c; the test of src/words, which wants every one of them in every language.
 * Never: formats with a text of a table; what stands in it is put in place of its one %s by start_fill.
 * Tried: tests/words/words, tests/cli/words.sh. */
#ifndef CLI_START_WORDS_H
#define CLI_START_WORDS_H

#include "base/buf.h"
#include "state/shape.h"
#include "words/words.h"

/* name, key behind "cli.", English. START_WANT_*: what a parameter wants, where shape_say's English is not understood. */
#define START_WORDS(X)                                                                                                 \
    X(START_USAGE, "usage", "usage:")                                                                                  \
    X(START_SYNOPSIS, "synopsis", "[options] COMMAND [arguments]")                                                     \
    X(START_TALKS, "talks", "Talks to the daemon of this box, or of another.")                                         \
    X(START_OPTIONS, "options", "Options, before the command (--format, -H, -f and -h also behind it):")               \
    X(START_RUN, "run", "the daemon's run directory (STARTBOX_RUN; /run/startbox)")                                    \
    X(START_HOST, "host", "another machine's daemon: https://box.local (STARTBOX_HOST)")                               \
    X(START_CACERT, "cacert", "roots of trust for it")                                                                 \
    X(START_KEY, "key", "calls to it are signed with this key (~/.config/startbox/key.pem, see init-key)")             \
    X(START_FORMAT, "format", "json, json-pretty, yaml or table")                                                      \
    X(START_FOLLOW, "follow", "goes on: of logs and of what else has a feed")                                          \
    X(START_HELP, "help", "of start-cli, of a group, of a command")                                                    \
    X(START_COMMANDS, "commands", "Commands:")                                                                         \
    X(START_DB_WATCH, "db-watch", "shows the tree, or a part of it, and then every change")                            \
    X(START_INIT_KEY, "init-key", "makes a key to sign calls with; pubkey shows its public half")                      \
    X(START_COMPLETION, "completion", "a script that completes commands")                                              \
    X(START_MORE, "more", "start-cli COMMAND --help tells more.")                                                      \
    X(START_SOME_OPTIONS, "some-options", "[options]")                                                                 \
    X(START_FINAL, "final", "It cannot be undone.")                                                                    \
    X(START_WANTS, "wants", "Wants %s.")                                                                               \
    X(START_DEFAULT, "default", "Default: %s.")                                                                        \
    X(START_ASKED, "asked", "Asked for when it is not given.")                                                         \
    X(START_WANT_ANY, "want.any", "anything")                                                                          \
    X(START_WANT_BOOL, "want.bool", "true or false")                                                                   \
    X(START_WANT_INT, "want.int", "an integer")                                                                        \
    X(START_WANT_NUMBER, "want.number", "a number")                                                                    \
    X(START_WANT_TEXT, "want.text", "text")                                                                            \
    X(START_WANT_BYTES, "want.bytes", "a string of bytes")                                                             \
    X(START_WANT_ONE_OF, "want.one-of", "one of %s")                                                                   \
    X(START_WANT_LIST, "want.list", "an array")                                                                        \
    X(START_WANT_MAP, "want.map", "a map")                                                                             \
    X(START_WANT_UNIT, "want.unit", "bytes")                                                                           \
    X(START_WANT_NULL, "want.null", "%s or null")

enum start_word {
#define X(name, key, english) name,
    START_WORDS(X)
#undef X
        START_WORD_N
};

const char *start_word_key(enum start_word word); /* "cli.usage" */
const char *start_word_english(enum start_word word);
const char *start_say(enum words_language language, enum start_word word);

/* A word with what belongs in place of its %s. */
void start_fill(struct buf *out, enum words_language language, enum start_word word, struct slice what);
/* What a shape wants: in English as shape_say has it, in other languages shorter, with bounds as signs: "Text (<= 64 Byte)". */
void start_want(struct buf *out, enum words_language language, const struct shape *shape);

#endif
