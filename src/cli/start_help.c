/* start_help.c - what start-cli says about itself and every command, and completion for shells: all from the rows. */
#include "cli/start_room.h"

#include "state/plan.h"

#define KEY_MOST    160 /* bytes of the key of a sentence */
#define FILLED_MOST 600 /* of a sentence about a parameter */

static const struct option {
    const char *flag;
    enum start_word word; /* START_WORD_N: it says all itself */
} options[] = {
    {"--run DIR      ", START_RUN},  {"-H, --host URL ", START_HOST},   {"--cacert FILE  ", START_CACERT},
    {"--key FILE     ", START_KEY},  {"--format FORM  ", START_FORMAT}, {"-f, --follow   ", START_FOLLOW},
    {"-h, --help     ", START_HELP}, {"--version", START_WORD_N},
};

static bool has_command(const struct method *m) {
    return !(m->flags & METHOD_NO_COMMAND);
}

/* The name with spaces for dots. */
static void print_words(const char *name, FILE *out) {
    for (; *name; name++) fputc(*name == '.' ? ' ' : *name, out);
}

static size_t print_command(const struct method *m, FILE *out) {
    size_t n = strlen(m->name);
    print_words(m->name, out);
    return n;
}

/* A row's sentence, and a parameter's, in the caller's language. */
static const char *about(const struct start *s, const struct method *m, const struct shape_field *f) {
    char key[KEY_MOST];
    const char *english = f ? f->about : m->about;
    if (!english) return "";
    int n =
        f ? snprintf(key, sizeof key, "help.%s.%s", m->name, f->name) : snprintf(key, sizeof key, "about.%s", m->name);
    return n > 0 && (size_t)n < sizeof key ? words_say(s->language, key, english) : english;
}

static void print_list(const struct start *s, const char *group, FILE *out) {
    size_t skip = strlen(group), widest = 0;
    for (size_t i = 0; i < s->row_n; i++) {
        const struct method *m = s->rows[i];
        if (has_command(m) && !strncmp(m->name, group, skip) && strlen(m->name) > widest) widest = strlen(m->name);
    }
    for (size_t i = 0; i < s->row_n; i++) {
        const struct method *m = s->rows[i];
        if (!has_command(m) || strncmp(m->name, group, skip) != 0) continue;
        fputs("  ", out);
        fprintf(out, "%*s%s\n", (int)(widest - print_command(m, out) + 2), "", about(s, m, NULL));
    }
}

void start_help(const struct start *s, FILE *out) {
    enum words_language l = s->language;
    fprintf(out, "%s start-cli %s\n\n%s\n\n%s\n", start_say(l, START_USAGE), start_say(l, START_SYNOPSIS),
            start_say(l, START_TALKS), start_say(l, START_OPTIONS));
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        bool more = options[i].word != START_WORD_N;
        fprintf(out, "  %s%s%s\n", options[i].flag, more ? " " : "", more ? start_say(l, options[i].word) : "");
    }
    fprintf(out, "\n%s\n", start_say(l, START_COMMANDS));
    print_list(s, "", out);
    fprintf(out, "  db watch [POINTER]     %s\n", start_say(l, START_DB_WATCH));
    fprintf(out, "  init-key               %s\n", start_say(l, START_INIT_KEY));
    fprintf(out, "  completion bash|zsh    %s\n\n%s\n", start_say(l, START_COMPLETION), start_say(l, START_MORE));
}

void start_help_group(const struct start *s, size_t used, FILE *out) {
    char group[200];
    size_t n = 0;
    for (size_t i = 0; i < used; i++) {
        int k = snprintf(group + n, sizeof group - n, "%s.", s->words[i]);
        n += k > 0 && (size_t)k < sizeof group - n ? (size_t)k : 0;
    }
    group[n] = 0;
    fprintf(out, "%s\n", start_say(s->language, START_COMMANDS));
    print_list(s, group, out);
}

static const struct shape_field *field_of(const struct method *m, struct slice name) {
    for (unsigned i = 0; i < m->params->field_n; i++)
        if (slice_eq(name, slice_str(m->params->fields[i].name))) return &m->params->fields[i];
    return NULL;
}

static bool may_lack(const struct shape_field *f) {
    return f->optional || f->fallback || f->attrs & PLAN_SECRET;
}

static void print_usage(const struct start *s, const struct method *m, FILE *out) {
    fprintf(out, "%s start-cli ", start_say(s->language, START_USAGE));
    print_command(m, out);
    struct slice words = slice_str(m->words ? m->words : "");
    while (words.len) {
        struct slice word = slice_cut(&words, ' ');
        const struct shape_field *f = field_of(m, word);
        if (!f) continue; /* method_check refuses it */
        bool list = f->shape && f->shape->kind == SHAPE_LIST;
        char name[80];
        start_flag(f->name, name, sizeof name);
        for (char *c = name; *c; c++) *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
        fprintf(out, may_lack(f) ? " [%s%s]" : " %s%s", name, list ? "..." : "");
    }
    if (m->params && m->params->field_n) fprintf(out, " %s", start_say(s->language, START_SOME_OPTIONS));
    fputc('\n', out);
}

static void print_filled(const struct start *s, enum start_word word, struct slice what, FILE *out) {
    struct buf text;
    buf_init(&text, FILLED_MOST);
    start_fill(&text, s->language, word, what);
    if (buf_ok(&text)) fprintf(out, " %.*s", (int)text.len, (const char *)text.ptr);
    buf_release(&text);
}

static void print_field(const struct start *s, const struct method *m, const struct shape_field *f, FILE *out) {
    char name[80];
    struct buf want;
    start_flag(f->name, name, sizeof name);
    buf_init(&want, 300);
    if (f->shape && f->shape->kind != SHAPE_ANY) start_want(&want, s->language, f->shape);
    fprintf(out, "  --%s\n      %s", name, about(s, m, f));
    if (want.len && buf_ok(&want)) print_filled(s, START_WANTS, buf_slice(&want), out);
    if (f->fallback && !(f->attrs & PLAN_SECRET)) print_filled(s, START_DEFAULT, slice_str(f->fallback), out);
    if (f->attrs & PLAN_SECRET) fprintf(out, " %s", start_say(s->language, START_ASKED));
    fputc('\n', out);
    buf_release(&want);
}

void start_help_method(const struct start *s, const struct method *m, FILE *out) {
    print_usage(s, m, out);
    fprintf(out, "\n%s\n", about(s, m, NULL));
    if (m->effect == METHOD_FINAL) fprintf(out, "%s\n", start_say(s->language, START_FINAL));
    if (!m->params || !m->params->field_n) return;
    fputc('\n', out);
    for (unsigned i = 0; i < m->params->field_n; i++) print_field(s, m, &m->params->fields[i], out);
}

/* --- completion --- */

static void print_flags(const struct method *m) {
    char name[80];
    for (unsigned i = 0; m->params && i < m->params->field_n; i++) {
        start_flag(m->params->fields[i].name, name, sizeof name);
        printf(" --%s", name);
    }
}

/* One line a command: its words, a bar, its flags. The shells' functions look at the lines that begin as what was typed. */
static void print_lines(const struct start *s) {
    for (size_t i = 0; i < s->row_n; i++) {
        if (!has_command(s->rows[i])) continue;
        print_command(s->rows[i], stdout);
        fputs(" |", stdout);
        print_flags(s->rows[i]);
        fputc('\n', stdout);
    }
    puts("db watch |\ninit-key |\npubkey |");
    puts("completion bash |\ncompletion zsh |");
}

static const char bash_script[] = "_start_cli() {\n"
                                  "    local typed='' word line rest\n"
                                  "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                                  "        case $word in -*) ;; *) typed=\"$typed$word \" ;; esac\n"
                                  "    done\n"
                                  "    COMPREPLY=()\n"
                                  "    while IFS= read -r line; do\n"
                                  "        case $line in \"$typed\"*) rest=${line#\"$typed\"} ;; *) continue ;; esac\n"
                                  "        case $rest in\n"
                                  "        '|'*) for word in ${rest#|} --help --format; do\n"
                                  "                  case $word in \"$2\"*) COMPREPLY+=(\"$word\") ;; esac\n"
                                  "              done ;;\n"
                                  "        *) word=${rest%% *}\n"
                                  "           case $word in \"$2\"*) [[ \" ${COMPREPLY[*]} \" = *\" $word \"* ]] || "
                                  "COMPREPLY+=(\"$word\") ;; esac ;;\n"
                                  "        esac\n"
                                  "    done <<<\"$_start_cli_lines\"\n"
                                  "}\n"
                                  "complete -F _start_cli start-cli\n";
static const char zsh_script[] = "_start_cli() {\n"
                                 "    local typed='' word line rest\n"
                                 "    local -aU found\n"
                                 "    for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
                                 "        [[ $word = -* ]] || typed=\"$typed$word \"\n"
                                 "    done\n"
                                 "    for line in \"${(@f)_start_cli_lines}\"; do\n"
                                 "        [[ $line = \"$typed\"* ]] || continue\n"
                                 "        rest=${line#\"$typed\"}\n"
                                 "        if [[ $rest = '|'* ]]; then found+=(${=rest#|} --help --format)\n"
                                 "        else found+=(${rest%% *}); fi\n"
                                 "    done\n"
                                 "    compadd -a found\n"
                                 "}\n"
                                 "compdef _start_cli start-cli\n";

int start_completion(const struct start *s, const char *shell) {
    bool bash = !strcmp(shell, "bash");
    if (!bash && strcmp(shell, "zsh") != 0) {
        fprintf(stderr, "start-cli: want bash or zsh behind completion\n");
        return 2;
    }
    if (!bash) puts("#compdef start-cli");
    fputs("_start_cli_lines='", stdout);
    print_lines(s);
    puts("'");
    fputs(bash ? bash_script : zsh_script, stdout);
    return fflush(stdout) ? 71 : 0;
}
