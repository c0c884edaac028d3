/* file.h - the one room that touches files. Plain open, pread, pwrite, fdatasync, rename and unlink only, so that tests see
 * every call that matters and can make it fail (fault.h).
 *
 * For: the disk hand, jobs, and what is read before the loop turns. These calls block; nothing here is called from a callback
 *      of the reactor once it serves.
 * Names are relative to a directory descriptor and stay beneath it: no "..", no absolute path, no symlink on the way
 *   (openat2, or a check by hand where the kernel lacks it).
 * A file written by file_replace is after a crash the old one or the new one, whole.
 * Tried: tests/loop/file (killed at every call). */
#ifndef LOOP_FILE_H
#define LOOP_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* A directory; path may be absolute here: it is where the operator said. -1 with the reason. */
int file_open_dir(const char *path, struct err *e);
/* Makes the folder (not those above it) unless it is there; path as for file_open_dir. */
bool file_make_dir(const char *path, mode_t mode, struct err *e);
/* Where standard input, output or error were closed at the start, nothing (/dev/null) takes their numbers, so that no other file
 * does. */
void file_fill_standard(void);
/* The whole file at a path the operator gave: symlinks are followed. Only before a process is sealed. */
bool file_read_path(const char *path, size_t most, struct buf *out, struct err *e);
/* flags as of open(2); O_CLOEXEC is added. -1 with the reason. */
int file_open(int dir, const char *name, int flags, mode_t mode, struct err *e);

/* Up to len bytes from an offset; fewer only at the end of the file. -1 with the reason. */
ssize_t file_read_at(int fd, void *to, size_t len, uint64_t at, struct err *e);
/* All of the bytes, or false: then some may be written. */
bool file_write_at(int fd, struct slice bytes, uint64_t at, struct err *e);
/* Makes written bytes durable. After a failure the file must not be trusted again: the kernel may have dropped them. */
bool file_sync(int fd, struct err *e);
bool file_size(int fd, uint64_t *size, struct err *e);

/* Appends the whole file to out; more than `most` bytes are refused (limit "file"). */
bool file_read_all(int dir, const char *name, size_t most, struct buf *out, struct err *e);
/* Puts a file in place of another: writes name.new, syncs it, renames, syncs the directory. */
bool file_replace(int dir, const char *name, struct slice content, mode_t mode, struct err *e);
bool file_rename(int dir, const char *from, const char *to, struct err *e);
/* True also when it was not there. */
bool file_remove(int dir, const char *name, struct err *e);

#endif
