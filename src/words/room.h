/* room.h - the tables of src/words, for words.c and its test. */
#ifndef WORDS_ROOM_H
#define WORDS_ROOM_H

#include "words/words.h"

/* "key=text" and a zero byte, one behind the other, sorted by key bytewise. One run of bytes and no array of pointers: each pointer
 * would cost the program 32 bytes, more than most texts. */
extern const struct slice words_de, words_es, words_fr, words_pl;

/* Of English it is empty. */
struct slice words_table(enum words_language language);

#endif
