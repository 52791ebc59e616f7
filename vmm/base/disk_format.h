/* disk_format.h - files that are taken for raw disks and are none. */
#ifndef BASE_DISK_FORMAT_H
#define BASE_DISK_FORMAT_H

/*
 * A guest gets a disk as it is, raw: to look into it for another format would let a
 * guest, which writes it, choose what the host takes it for.  But people download
 * qcow2 images, and one of these as a disk is a guest that finds nothing on it.
 *
 * What the file `fd` seems to be, and what to do about it, as the rest of a
 * sentence ("is a qcow2 image: ..."), if its first bytes are those of another format;
 * NULL otherwise.  For a message, and to refuse; never to open it differently.
 */
const char *disk_format_odd(int fd);

/* The same for what is to hold one file system and nothing else: a root, or what is
 * mounted.  Then it may not be a disk with partitions either.  NULL whenever it has
 * erofs, ext4 or squashfs. */
const char *disk_format_no_files(int fd);

#endif
