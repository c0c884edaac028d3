/* replay.c - runs a fuzz target over the files of the folders (or files) named on the command line, as a plain test with
 * any compiler: one TAP line a folder. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    uint8_t *p = malloc((size_t)len + 1);
    int good = p && fread(p, 1, (size_t)len, f) == (size_t)len;
    fclose(f);
    /* Exactly as long as the input, so that the sanitizer sees a read beyond it. */
    uint8_t *exact = good ? malloc(len ? (size_t)len : 1) : NULL;
    if (exact) {
        memcpy(exact, p, (size_t)len);
        LLVMFuzzerTestOneInput(exact, (size_t)len);
    }
    free(exact);
    free(p);
    return good;
}

int main(int argc, char **argv) {
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        unsigned n = 0;
        if (stat(argv[i], &st)) continue;
        if (!S_ISDIR(st.st_mode))
            n += (unsigned)run_file(argv[i]);
        else {
            DIR *d = opendir(argv[i]);
            for (struct dirent *entry; d && (entry = readdir(d));) {
                char path[4096];
                if (entry->d_name[0] == '.') continue;
                snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
                n += (unsigned)run_file(path);
            }
            if (d) closedir(d);
        }
        printf("ok %d - %s: %u inputs replayed\n", i, argv[i], n);
    }
    return 0;
}
