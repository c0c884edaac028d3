/* upload.h - files that come in over HTTP, resumed where they were cut (after the IETF's resumable uploads).
 *
 * For: a route (prefix) whose handler is http_upload_handler and whose arg is a struct http_upload. PREFIX + NAME is a file in
 *      the root, named NAME.part until it is whole.
 *   PUT     the whole file: 201, or 200 when it replaced one, with Repr-Digest: sha-256=:...: of what stands on the disk now, synced
 *   HEAD    how much of it is there: Upload-Offset, and Upload-Complete: ?0 or ?1; 404 when there is nothing
 *   PATCH   the rest from Upload-Offset on, which must be what HEAD says (else 409 with Upload-Offset): 201 as PUT
 *   DELETE  gives up what was not finished: 204; 404 when there is no such thing
 * A connection that breaks leaves the part; so does a reactor that dies.
 * Never: takes more than its quota (413, limit "quota"), a name with a slash or a leading dot, two writers of one file at once (409).
 * Tried: tests/http/upload, tests/cli/serve.sh. */
#ifndef HTTP_UPLOAD_H
#define HTTP_UPLOAD_H

#include "http/server.h"
#include "warden/call.h"

struct upload;

struct http_upload {
    struct loop *loop;
    struct port *disk;
    const char *root;
    size_t prefix; /* bytes of the route's path */
    uint64_t quota;
    /* private */
    struct upload *first;
};
extern const struct http_handler http_upload_handler;

#endif
