/*
 * wall_command.h - the command line that runs a command behind a wall: one of
 * Bulkhead's own, or a peer's program that this host has.
 */
#ifndef COMPARE_WALL_COMMAND_H
#define COMPARE_WALL_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/err.h"

#define WALL_COMMAND_ARGS 256 /* the wall's own and the command's */

#define WALL_DISK_PATH "/data"

/* A file of the host's that the command may read and write: its root directory
 * is another one, writable, with the file in it; behind `vm` it is a disk. */
struct wall_disk {
	char root[PATH_MAX], file[PATH_MAX]; /* file: root and WALL_DISK_PATH */
	char vm_root[PATH_MAX];		     /* of `vm`, which takes no file in it */
	char writable_root[PATH_MAX + 16];   /* root, for --rootfs */
	char image[PATH_MAX + 16];	     /* the file, for --disk */
	const char *prefix;		     /* of the argument that tells its path */
	bool direct;			     /* its file system has O_DIRECT */
	unsigned int major, minor; /* of the whole disk that it is on; 0 and 0: none is known */
};

/* What a command may use at the most; 0: as much as it likes. */
struct wall_limits {
	unsigned int cpu_percent; /* of one processor */
	unsigned int memory_mib;
	unsigned int disk_mib; /* per second, of each disk */
};

/* What all command lines have in common; paths are absolute. */
struct wall_setup {
	char program[PATH_MAX];		  /* of Bulkhead */
	char root[PATH_MAX];		  /* the root directory that every wall is given */
	char scratch[PATH_MAX];		  /* a directory of ours: bundles of OCI runtimes */
	const char *const *options;	  /* more of Bulkhead's own walls, to NULL; or NULL */
	const struct wall_limits *limits; /* or NULL */
	const struct wall_disk *disk;	  /* or NULL */
	bool network;			  /* that of network.h */
	const char *peers;		  /* its namespace for other programs' walls, a path */
	bool bounded; /* behind `process`, with limits on processes and memory */
};

struct wall_command {
	const char *argv[WALL_COMMAND_ARGS + 1]; /* ends in NULL */
	char program[PATH_MAX], text[PATH_MAX], found[PATH_MAX + 16], name[64];
	char options[6 * PATH_MAX]; /* arguments of qemu.h, one behind the other */
	size_t options_len;
};

/* The walls that are known, ending in NULL; Bulkhead's own first. */
extern const char *const wall_command_names[];

/* The program `name` in one of the usual directories below `root`, "" for the
 * host's.  0 or -ENOENT. */
int wall_command_search(const char *root, const char *name, char out[PATH_MAX]);

/* Is it one of Bulkhead's own? */
int wall_command_is_ours(const char *wall);

/* Does the command have a kernel of its own there? */
bool wall_command_is_machine(const char *wall);

/* The command's status behind that wall, of the exit status of the wall's program
 * and of what it wrote to standard error; 125 to 127: the wall's failures. */
int wall_command_status(const char *wall, int status, const char *errors);

/* 0; -ENOENT and *e: this host does not have its program, or the wall is not
 * known. */
int wall_command_find(const char *wall, struct err *e);

/*
 * `serial` makes the names of containers differ.  The arguments point into
 * *ret, *setup and `command`, which must outlive it.  Behind `none` the
 * program is taken out of the root directory, with the host's libraries.
 * With a disk, where the command finds it is one more argument; with the network
 * the host's address.
 * `limits` mean nothing to bwrap, nor one on processor time to qemu, nor one on disks
 * to crun and runc where the disk is not known: -ENOTSUP.
 * 0; -E2BIG, -ENOENT (not in the root directory) and what writing a bundle
 * gives, with *e.
 */
int wall_command_make(const struct wall_setup *setup, const char *wall, const char *const *command,
		      size_t n, unsigned int serial, struct wall_command *ret, struct err *e);

#endif
