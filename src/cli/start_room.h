/* start_room.h - what the files of start-cli share. */
#ifndef CLI_START_ROOM_H
#define CLI_START_ROOM_H

#include "cli/line.h"
#include "cli/start.h"
#include "cli/start_words.h"

#include <stdio.h>

enum show_form { SHOW_AUTO, SHOW_TABLE, SHOW_JSON, SHOW_PRETTY, SHOW_YAML };

struct start {
    const struct method *const *rows;
    size_t row_n;
    /* options that stand before or behind the command */
    const char *run, *host, *cacert, *key;
    enum show_form form;
    bool help, follow;
    enum words_language language; /* of whoever calls */
    /* the words that are not such options */
    const char **words;
    size_t word_n;
};

/* --- start_args.c --- */

/* The row that the first words name, and how many they are; NULL: none (then *used words are a group, perhaps 0). */
const struct method *start_find(const struct start *s, size_t *used);
/* What stands behind them, as parameters. */
bool start_params(const struct start *s, const struct method *m, size_t used, struct val *params, struct err *e);
/* "pointerName" as a flag: "pointer-name". */
void start_flag(const char *name, char *out, size_t len);
bool start_is_word(const struct method *m, const char *field);

/* --- start_show.c --- */

bool start_show(const struct val *v, enum show_form form, struct err *e);
bool start_form(const char *word, enum show_form *form);

/* --- start_progress.c --- */

/* Whether the answer tells of work that goes on; shows how far it is until it is over. */
bool start_has_progress(const struct val *result);
bool start_progress(struct line *l, const struct val *result, struct err *e);

/* --- start_help.c --- */

void start_help(const struct start *s, FILE *out);
void start_help_group(const struct start *s, size_t used, FILE *out);
void start_help_method(const struct start *s, const struct method *m, FILE *out);
int start_completion(const struct start *s, const char *shell);

/* --- start_ways.c: what is more than one call --- */

struct start_way {
    const char *method; /* whose command it is */
    bool (*run)(struct start *s, struct line *l, const struct method *m, struct val *params, struct err *e);
};
const struct start_way *start_way(const struct method *m);
const struct start_way *start_follow_way(void); /* of -f: the feed behind the answer */
/* Commands that call nobody: init-key, pubkey. False: this is none of them. */
bool start_alone(struct start *s, int *code);
/* The file of the key that signs; NULL when there is none. */
const char *start_key(const struct start *s, char *out, size_t len);
/* A host's cookie; NULL when there is none. */
const char *start_cookie(const struct start *s, char *out, size_t len);
/* The pin of its key, and keeping one that was learnt. */
const char *start_pin(const struct start *s, char out[LINE_PIN]);
void start_keep_pin(const struct start *s, const struct line *l);

#endif
