/* serve.h - `startbox serve`: the web server on its own, with the warden and the sealed reactor under it.
 *
 * For: trying and measuring floors 1 to 4 before there is a daemon, and for whoever wants a folder served. man/startbox.1 is its
 *      contract. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "http/server.h"
#include "warden/call.h"

/* Returns the exit code. argv: what follows `serve`. */
int serve_main(int argc, char **argv);

/* What is answered: the fixed routes, the folder, uploads, and in the test variants the fixtures. */
struct serve_routes;
/* folder, upload: whether the roots "web" and "upload" are there. */
struct serve_routes *serve_routes_new(struct loop *l, struct port *disk, bool folder, bool upload, struct err *e);
const struct http_route *serve_routes_table(const struct serve_routes *r, unsigned *n);
/* For the fixtures that tell about it. */
void serve_routes_server(struct serve_routes *r, struct http_server *s);
/* Another disk hand came. */
void serve_routes_new_disk(struct serve_routes *r);
/* Every connection must be gone. */
void serve_routes_free(struct serve_routes *r);

#endif
