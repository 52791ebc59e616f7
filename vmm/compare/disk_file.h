/* disk_file.h - the file that `bulkhead compare` makes for the workload `disk`:
 * what it begins with, and how large it is. */
#ifndef COMPARE_DISK_FILE_H
#define COMPARE_DISK_FILE_H

/* The workload writes to nothing that does not begin so: a path may be a
 * device, and a name be wrong. */
#define DISK_FILE_MAGIC "bulkhead compare: this file may be overwritten\n"

#define DISK_FILE_SIZE	(64 << 20)
#define DISK_FILE_FIRST (1 << 20) /* what is before it is read only */

#endif
