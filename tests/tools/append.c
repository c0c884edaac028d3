/* append.c - what the disk alone allows: one record at a time, made durable. The limit for `startbox state work`.
 *
 *     append grow|place FILE N [BYTES]
 *
 * grow: appended to a growing file; place: into a file written out before. Prints records a second. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    static char zeros[1 << 20], record[65536];
    if (argc < 4) return 2;
    int place = !strcmp(argv[1], "place");
    long n = atol(argv[3]);
    size_t bytes = argc > 4 ? (size_t)atol(argv[4]) : 512;
    if (bytes > sizeof record) return 2;
    int fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return 1;
    if (place)
        for (size_t done = 0; done < (size_t)n * bytes; done += sizeof zeros)
            if (write(fd, zeros, sizeof zeros) < 0) return 1;
    if (fsync(fd)) return 1;
    memset(record, 'x', sizeof record);
    double began = now();
    for (long i = 0; i < n; i++)
        if (pwrite(fd, record, bytes, (off_t)i * (off_t)bytes) < 0 || fdatasync(fd)) return 1;
    printf("%.0f\n", (double)n / (now() - began));
    close(fd);
    unlink(argv[2]);
    return 0;
}
