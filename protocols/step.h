/* step.h - what every reader in protocols/ answers.
 *
 * A reader is fed bytes and says how many it ate, and at most one event; the caller loops until STEP_MORE.
 *   STEP_MORE   nothing more to say before more bytes come. `need` > 0 promises that fewer than that many further bytes are useless.
 *   STEP_EVENT  the event structure is filled. Its slices point into the input or into the reader and live until the
 *               next call; the head of each room says which.
 *   STEP_END    the stream is over by its own rules; nothing more will be eaten.
 *   STEP_BAD    refused; the err says why and where. It stays bad.
 * Law of division: the same bytes in any cut give the same events. Law of restart: total work is linear in the input. */
#ifndef PROTOCOLS_STEP_H
#define PROTOCOLS_STEP_H

#include <stddef.h>

enum step { STEP_MORE, STEP_EVENT, STEP_END, STEP_BAD };

struct fed {
    enum step step;
    size_t used;
    size_t need;
};

static inline struct fed fed_more(size_t used, size_t need) {
    return (struct fed){STEP_MORE, used, need};
}
static inline struct fed fed_event(size_t used) {
    return (struct fed){STEP_EVENT, used, 0};
}
static inline struct fed fed_end(size_t used) {
    return (struct fed){STEP_END, used, 0};
}
static inline struct fed fed_bad(size_t used) {
    return (struct fed){STEP_BAD, used, 0};
}

#endif
