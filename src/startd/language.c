/* language.c - the door says the labels of errors in the language of the box, as the tree names it. Until the tree stands, and where it
 * cannot be read, they are English. */
#include "base/log.h"
#include "startd/room.h"

#define POINTER "/public/serverInfo/language"

static bool told(struct watch *w, const struct news *news) {
    struct daemon *d = LOOP_OWNER(struct daemon, language, w);
    const struct val *info = val_get(val_get(state_settled_root(d->state), LIT("public")), LIT("serverInfo"));
    (void)news;
    d->rpc_door.language = words_from_tag(val_as_text(val_get(info, LIT("language"))));
    return true;
}

void language_begin(struct daemon *d) {
    struct err e = ERR_INIT;
    d->language = (struct watch){.tell = told, .inside = true};
    told(&d->language, NULL); /* now, and not only with the first news: somebody may call before them */
    if (!watch_begin(state_watchers(d->state), &d->language, LIT(POINTER), 0, 0, &e))
        log_warn("the language of errors stays as it is: %s", e.text);
}

void language_end(struct daemon *d) {
    watch_end(&d->language);
}
