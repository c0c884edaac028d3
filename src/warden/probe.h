/* probe.h - the disks of the machine and what is on them: the job disk.probe.
 *
 * For: the warden. Lists and devices are read and opened with the warden's rights; the bytes on the disks are read in the jail.
 * Never: writes to a disk; tells of loop devices, memory disks, mapped devices, floppies and optical drives.
 * Tried: tests/warden/probe. */
#ifndef WARDEN_PROBE_H
#define WARDEN_PROBE_H

#include "warden/job.h"

/* Its facts are the warden's configuration (warden.h). */
extern const struct job_row probe_row;

#endif
