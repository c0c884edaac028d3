/* journal_log.h - the system's journal, as journalctl tells it: the job journal.read.
 *
 * For: the warden. journalctl is begun before the job's jail closes, as whom jobs become, with the group systemd-journal where there is
 *      one; what it writes is read in the jail.
 * Never: runs anything else, or with arguments beyond the fixed ones; gives journalctl more time than the job has, or a terminal.
 * Tried: tests/warden/journal_log (with a stand-in), fuzz/journal_log. */
#ifndef WARDEN_JOURNAL_LOG_H
#define WARDEN_JOURNAL_LOG_H

#include "warden/job.h"
#include "warden/page.h"

/* Its facts are the warden's configuration (warden.h). */
extern const struct job_row journal_log_row;

/* One line of --output=json, without its newline. Adds it to the page; a line that is no entry, or the one at the cursor itself, is
 * passed over. False: no memory. */
bool journal_log_line(struct page *p, struct slice line, struct slice cursor, struct err *e);

#endif
