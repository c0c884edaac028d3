/* kernel_log.h - the kernel's own log, as /dev/kmsg gives it: the job log.kernel.
 *
 * For: the warden. The device is opened with the warden's rights, and read in the jail.
 * A record is "6,339,5140900,-;text", then lines of its own that begin with a space and are passed over. Bytes of the text that
 *   are not plain stand there as \x0a.
 * Never: waits for what the kernel has not said yet.
 * Tried: tests/warden/kernel_log, fuzz/kernel_log. */
#ifndef WARDEN_KERNEL_LOG_H
#define WARDEN_KERNEL_LOG_H

#include "base/buf.h"
#include "warden/job.h"

/* Without run's jail: docs/warden.md has the verb. */
extern const struct job_row kernel_log_row;

struct kernel_record {
    uint64_t seq, usec; /* number; microseconds since the start of the machine */
    unsigned priority;  /* 0..7 */
    struct slice text;  /* in the record, escaped */
};
/* False: it is none. */
bool kernel_record_read(struct slice record, struct kernel_record *out);
/* Appends the text as the kernel was given it, as UTF-8. */
bool kernel_record_text(struct buf *out, const struct kernel_record *r);

/* Reads records, one a read(2), until there is none; the result of the verb. */
bool kernel_log_collect(int fd, const struct val *args, struct val *result, struct err *e);

#endif
