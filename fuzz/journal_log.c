/* journal_log.c - any bytes as a line of journalctl: what becomes an entry has its parts, and fits a page. */
#include "warden/journal_log.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct page p = page_of(1, false);
    must(journal_log_line(&p, slice_of(data, size), LIT("s=1"), NULL));
    must(val_count(&p.entries) <= 1 && !p.more);
    const struct val *entry = val_at(&p.entries, 0);
    if (!val_is_none(entry)) {
        struct slice cursor = val_as_text(val_get(entry, LIT("cursor")));
        must(val_kind(val_get(entry, LIT("message"))) == VAL_TEXT && cursor.len && !slice_eq(cursor, LIT("s=1")));
        must(val_as_text(val_get(entry, LIT("message"))).len <= 3 * LIMIT_LOG_LINE + 3);
    }
    page_release(&p);
    return 0;
}
