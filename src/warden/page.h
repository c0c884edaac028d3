/* page.h - entries of a log that fit one answer: at most so many, and no more bytes than a frame takes.
 *
 * For: the jobs that read logs which are not ours (kernel_log.h, journal_log.h).
 * Owns: the entries, until page_take.
 * Tried: tests/warden/kernel_log. */
#ifndef WARDEN_PAGE_H
#define WARDEN_PAGE_H

#include "base/val.h"

struct page {
    struct val entries; /* an array */
    uint64_t limit;     /* entries */
    bool newest;        /* what is too much goes at the front; else nothing more is taken */
    bool more;          /* something was left out */
    /* private */
    size_t bytes;
};

struct page page_of(uint64_t limit, bool newest);
/* Takes the entry; text_len: bytes of the texts in it. False: no memory. */
bool page_add(struct page *p, struct val entry, size_t text_len, struct err *e);
/* {entries, more}; backwards: the last that came is the first. The page is empty then. */
struct val page_take(struct page *p, bool backwards);
void page_release(struct page *p);

#endif
