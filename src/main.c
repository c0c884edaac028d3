/* main.c - argv and name -> personality. Holds no logic: the one visible list of what this program can be. */
#include "cli/codec.h"
#include "cli/pages.h"
#include "cli/serve.h"
#include "cli/start.h"
#include "cli/state.h"
#include "loop/file.h"
#include "startd/startd.h"
#include "startd/tables.h"

#include <stdio.h>
#include <string.h>

/* Under any other name it is startbox, so that a copy may be called what one likes. */
static const char *const personalities[] = {"startd", "start-cli", "start-container", "registrybox", "tunnelbox"};

static int tell(FILE *out) {
    fprintf(out,
            "startbox %s - a cheap board as a personal server\n\n"
            "  startbox codec NAME [--cut SEED] [options] < input\n"
            "                    any wire format of protocols/ from a shell; `startbox codec` lists them\n"
            "  startbox serve --http ADDR:PORT [--https ADDR:PORT --cert FILE --key FILE] [DIR]\n"
            "                    the web server on its own; `startbox serve --help`\n"
            "  startbox state check|dump|repair|time|work|fill DIR ...\n"
            "                    a store of the state, offline; `startbox state --help`\n"
            "  startbox methods md|man|ts|json [NAME]\n"
            "                    the reference of the daemon's methods, as their rows say\n"
            "  startbox version  prints the version\n\n"
            "Under the name startd it is the daemon, as start-cli its command line. The names start-container,\n"
            "registrybox and tunnelbox answer once their rooms stand.\n"
            "Try:  echo '[1.0,{\"a\":\"\\u00e9\"}]' | build/startbox codec json\n",
            STARTBOX_VERSION);
    return 0;
}

int main(int argc, char **argv) {
    file_fill_standard();
    const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
    name = name ? name + 1 : argc > 0 ? argv[0] : "startbox";
    if (!strcmp(name, "startd")) return startd_main(argc, argv);
    if (!strcmp(name, "start-cli")) {
        const struct method *rows[STARTD_ROWS];
        return start_cli_main(argc, argv, rows, startd_rows(rows));
    }
    for (size_t i = 0; i < sizeof personalities / sizeof personalities[0]; i++) {
        if (strcmp(name, personalities[i]) != 0) continue;
        fprintf(stderr, "%s: this version of startbox has no %s yet\n", name, name);
        return 2;
    }
    if (argc < 2) return tell(stdout);
    if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version")) {
        printf("startbox %s\n", STARTBOX_VERSION);
        return 0;
    }
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help")) return tell(stdout);
    if (!strcmp(argv[1], "codec")) return codec_main(argc - 2, argv + 2);
    if (!strcmp(argv[1], "serve")) return serve_main(argc - 2, argv + 2);
    if (!strcmp(argv[1], "methods")) {
        const struct method *rows[STARTD_ROWS];
        return pages_main(argc - 2, argv + 2, rows, startd_rows(rows));
    }
    if (!strcmp(argv[1], "state")) return state_main(argc - 2, argv + 2);
    fprintf(stderr, "startbox: there is no command \"%s\"; `startbox help` lists them\n", argv[1]);
    return 2;
}
