/* page.c - see page.h. */
#include "warden/page.h"

#define ENTRY 80                        /* what keys and numbers of an entry take in CBOR, and more */
#define ROOM  (LIMIT_LINK_FRAME - 2048) /* the frame around it */

struct page page_of(uint64_t limit, bool newest) {
    return (struct page){.entries = val_empty_array(), .limit = limit, .newest = newest};
}

/* The bytes of an entry are counted again from its texts when it goes. */
static size_t size_of(const struct val *entry) {
    size_t n = ENTRY;
    for (struct val_iter it = val_iter(entry); val_next(&it);) n += val_as_text(it.value).len;
    return n;
}

static bool fits(const struct page *p, size_t size) {
    return val_count(&p->entries) < p->limit && p->bytes + size <= ROOM;
}

bool page_add(struct page *p, struct val entry, size_t text_len, struct err *e) {
    size_t size = ENTRY + text_len;
    if (val_is_none(&entry)) return err_nomem(e, "an entry of a log");
    /* A gap is worse than an end: behind something that was left out nothing more is taken. */
    if (size > ROOM || (!p->newest && (p->more || !fits(p, size)))) {
        p->more = true;
        val_unref(&entry);
        return true;
    }
    while (!fits(p, size)) {
        p->more = true;
        p->bytes -= size_of(val_at(&p->entries, 0));
        if (!val_del_at(&p->entries, 0)) {
            val_unref(&entry);
            return err_nomem(e, "an entry of a log");
        }
    }
    p->bytes += size;
    return val_push(&p->entries, entry) || err_nomem(e, "an entry of a log");
}

static struct val turned(const struct val *list) {
    struct val out = val_empty_array();
    for (size_t i = val_count(list); i > 0; i--)
        if (!val_push(&out, val_ref(val_at(list, i - 1)))) {
            val_unref(&out);
            return val_none;
        }
    return out;
}

struct val page_take(struct page *p, bool backwards) {
    struct val list = p->entries;
    p->entries = val_none;
    if (backwards) {
        struct val other = turned(&list);
        val_unref(&list);
        list = other;
    }
    return VAL_MAP_OF({"entries", list}, {"more", val_of_bool(p->more)});
}

void page_release(struct page *p) {
    val_unref(&p->entries);
}
