/* one_host.h - the usual case of the tests of request.h: one server, which answers everything in one way. */
#ifndef TESTS_OUT_ONE_HOST_H
#define TESTS_OUT_ONE_HOST_H

#include "out/asker.h"

static struct host host;
static struct answers answers;

static void begin(void (*answer)(struct visit *, struct slice)) {
    stage_begin(false);
    answers_open(&answers, &host, false, answer);
}

static void end(void) {
    answers_close(&answers, &host);
    stage_end();
}

static const char *here(const char *path) {
    return url_of("http://box.test:%u%s", host_port(&host), path);
}

#endif
