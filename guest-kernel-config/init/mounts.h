/*
 * mounts.h - from the initramfs to the command's file system, and back to a
 * clean disk.  What cannot be done ends the run through fail().
 */
#ifndef GUEST_INIT_MOUNTS_H
#define GUEST_INIT_MOUNTS_H

#include "params.h"

/* devtmpfs on /dev of the initramfs: the console is there. */
void mounts_devices(void);

/* Mounts the root that *p asks for and makes it "/". */
void mounts_root(const struct params *p);

/* proc, sysfs and so on in the final root. */
void mounts_system(const struct params *p);

/* The file systems of the other disks, where *p wants them. */
void mounts_disks(const struct params *p);

/* Makes a directory and what is missing above it; 0 or -1 with errno. */
int mounts_make_path(const char *path);

/* Writes everything back; disks are unmounted or made read-only. */
void mounts_finish(void);

#endif
