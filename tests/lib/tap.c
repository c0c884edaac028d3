/* tap.c - see tap.h. */
#include "lib/tap.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    bool failed, skipped;
    const char *why;
} now;

bool tap_check(bool good, const char *file, int line, const char *what) {
    if (good) return true;
    now.failed = true;
    printf("# %s:%d: does not hold: %s\n", file, line, what);
    return false;
}

bool tap_check_int(long long got, long long want, const char *file, int line, const char *what) {
    if (got == want) return true;
    now.failed = true;
    printf("# %s:%d: %s is %lld, wanted %lld\n", file, line, what, got, want);
    return false;
}

static void print_bytes(struct slice s) {
    for (size_t i = 0; i < s.len && i < 400; i++) {
        if (s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f)
            putchar(s.ptr[i]);
        else
            printf("\\x%02x", s.ptr[i]);
    }
    if (s.len > 400) printf("... (%zu bytes)", s.len);
    putchar('\n');
}

bool tap_check_text(struct slice got, struct slice want, const char *file, int line, const char *what) {
    if (slice_eq(got, want)) return true;
    now.failed = true;
    printf("# %s:%d: %s differs\n#   got:    ", file, line, what);
    print_bytes(got);
    printf("#   wanted: ");
    print_bytes(want);
    return false;
}

void tap_note(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    printf("# ");
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

void tap_skip(const char *why) {
    now.skipped = true;
    now.why = why;
}

int tap_run(int argc, char **argv, const struct tap_case *cases, unsigned n) {
    unsigned ran = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < n; i++) {
        bool wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            if (!strcmp(argv[k], cases[i].name)) wanted = true;
        if (!wanted) continue;
        now.failed = now.skipped = false;
        uint64_t before = mem_stats().live_blocks;
        cases[i].run();
        uint64_t after = mem_stats().live_blocks;
        if (after != before) {
            now.failed = true;
            printf("# %lld blocks leaked\n", (long long)(after - before));
        }
        ran++;
        if (now.failed) failed++;
        printf("%sok %u - %s", now.failed ? "not " : "", ran, cases[i].name);
        if (now.skipped) printf(" # SKIP %s", now.why);
        printf("\n");
    }
    printf("1..%u\n", ran);
    return failed ? 1 : 0;
}

struct slice tap_guarded(struct slice s) {
    static uint8_t *map;
    static size_t map_len;
    if (map) munmap(map, map_len);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (s.len + page - 1) / page * page;
    map_len = room + page;
    map = mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + room, page, PROT_NONE)) abort();
    if (s.len) memcpy(map + room - s.len, s.ptr, s.len);
    return slice_of(map + room - s.len, s.len);
}

struct slice tap_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    uint8_t *p = malloc((size_t)len + 1);
    if (!p || fread(p, 1, (size_t)len, f) != (size_t)len) exit(1);
    fclose(f);
    return slice_of(p, (size_t)len);
}

void tap_free(struct slice s) {
    free((void *)(uintptr_t)s.ptr);
}
