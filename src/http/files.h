/* files.h - a folder served over HTTP: from memory where a file is small, through the pump where it is not.
 *
 * For: a route whose handler is http_files_handler and whose arg is a struct http_files.
 * What it does: GET and HEAD; index.html for a folder; entity tags and dates with their conditions; ranges, several ones too;
 *   FILE.br and FILE.gz beside FILE for who accepts them, unless they are older; types by the end of the name.
 * Owns: files held in memory (LIMIT_HTTP_CACHE, the one unused for longest goes), watches on their folders.
 * True to the disk: the disk hand hands over an inotify descriptor; a change is heard before any request that was sent after it. A
 *   folder that cannot be watched is looked at again with every request.
 * Never: opens a file (the disk hand does), lists a folder, follows a symlink, serves what begins with a dot (but .well-known).
 * Tried: tests/http/files, tests/cli/serve.sh. */
#ifndef HTTP_FILES_H
#define HTTP_FILES_H

#include "http/server.h"
#include "warden/call.h"

struct http_files;
extern const struct http_handler http_files_handler;

/* root: the name of a root the disk hand knows. The port must last. */
struct http_files *http_files_new(struct loop *l, struct port *disk, const char *root, struct err *e);
/* Every exchange must be over. */
void http_files_free(struct http_files *f);
/* Another disk hand: forgets what is in memory, and the watches. */
void http_files_restart(struct http_files *f);
/* The folder is a page that makes its own paths: where there is nothing, and the path's last part has no dot as a file's name
 * has, the answer is index.html of the root. */
void http_files_one_page(struct http_files *f);
/* Forgets what is in memory. */
void http_files_forget(struct http_files *f);

struct http_files_counts {
    uint64_t hits, loads, pumped;
    size_t bytes; /* in memory */
    unsigned files;
};
struct http_files_counts http_files_counts(const struct http_files *f);

/* The type that goes with the end of a name. */
struct slice http_files_type(struct slice name);
#endif
