/* words.c - see words.h. */
#include "words/words.h"

#include "base/ascii.h"
#include "words/room.h"

#include <stdio.h>

#define KEY_MOST 80 /* bytes of "error." and the name of a code */

static const struct language {
    struct slice name;
    const struct slice *table;
} languages[WORDS_LANGUAGE_N] = {
    [WORDS_EN] = {LIT_INIT("en"), NULL},      [WORDS_DE] = {LIT_INIT("de"), &words_de},
    [WORDS_ES] = {LIT_INIT("es"), &words_es}, [WORDS_FR] = {LIT_INIT("fr"), &words_fr},
    [WORDS_PL] = {LIT_INIT("pl"), &words_pl},
};

enum words_language words_from_tag(struct slice tag) {
    size_t n = 0;
    while (n < tag.len && !strchr("_-.@", tag.ptr[n])) n++; /* a zero byte ends it as well */
    for (unsigned i = 0; i < WORDS_LANGUAGE_N; i++)
        if (slice_eq_nocase(slice_head(tag, n), languages[i].name)) return (enum words_language)i;
    return WORDS_EN;
}

struct slice words_table(enum words_language language) {
    const struct slice *table = (unsigned)language < WORDS_LANGUAGE_N ? languages[language].table : NULL;
    return table ? *table : slice_of("", 0);
}

static const char *find(struct slice table, struct slice wanted) {
    size_t low = 0, high = table.len; /* both where an entry begins, or the end */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        while (middle > low && table.ptr[middle - 1]) middle--;
        const char *entry = (const char *)table.ptr + middle;
        struct slice rest = slice_str(entry), whole = rest, name = slice_cut(&rest, '=');
        int order = slice_cmp(wanted, name);
        if (!order) return entry + name.len + 1;
        if (order < 0)
            high = middle;
        else
            low = middle + whole.len + 1;
    }
    return NULL;
}

/* What is shown in other phases too has the words it has in the running box: about.setup.logs those of about.server.logs. */
static bool to_server(const char *key, char out[KEY_MOST]) {
    static const char *const phases[] = {"init.", "setup.", "diagnostic."};
    const char *dot = strchr(key, '.');
    for (size_t i = 0; dot && i < sizeof phases / sizeof phases[0]; i++) {
        size_t len = strlen(phases[i]);
        if (strncmp(dot + 1, phases[i], len) != 0) continue;
        int n = snprintf(out, KEY_MOST, "%.*s.server.%s", (int)(dot - key), key, dot + 1 + len);
        return n > 0 && n < KEY_MOST;
    }
    return false;
}

const char *words_say(enum words_language language, const char *key, const char *english) {
    char other[KEY_MOST];
    const char *text = find(words_table(language), slice_str(key));
    if (!text && to_server(key, other)) text = find(words_table(language), slice_str(other));
    return text ? text : english;
}

const char *words_label(enum words_language language, enum err_code code) {
    char key[KEY_MOST] = "error.";
    size_t n = strlen(key);
    for (const char *c = err_name(code) + sizeof "ERR_" - 1; *c && n + 1 < sizeof key; c++)
        key[n++] = *c == '_' ? '-' : (char)ascii_lower((uint8_t)*c);
    key[n] = 0;
    return words_say(language, key, err_label(code));
}
