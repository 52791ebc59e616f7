/*
 * doctor.h - `bulkhead doctor`: can this host run guests, what is missing and
 * how to mend it.
 *
 * A report is a list of checks; doctor_kvm.c (what a Linux guest needs) and
 * doctor_host.c (what else Bulkhead can use) fill it, doctor.c prints it.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "vmm/base/err.h"

struct doctor_config {
	bool json;
	bool verbose; /* each step of the probe, each capability */
};

/*
 * Examine this host and print the report on standard output.  *ret_status is
 * 0 when Linux guests can run here, else 1.  0, or -errno when the report
 * could not be made or printed.
 */
int doctor_main(const struct doctor_config *cfg, int *ret_status, struct err *e);

enum doctor_state {
	DOCTOR_YES,
	DOCTOR_NO,
	DOCTOR_UNKNOWN, /* could not be found out, because something else is missing */
};

struct doctor_check {
	const char *id;	   /* stable, for scripts */
	const char *title; /* a static text */
	bool required;	   /* a Linux guest cannot do without it */
	enum doctor_state state;
	char value[192]; /* what was found */
	char why[320];	 /* when not yes: why; for an optional one what is lost */
	char fix[320];	 /* when not yes: what to do, or "" */
};

#define DOCTOR_MAX 24

struct doctor_report {
	unsigned int n;
	struct doctor_check checks[DOCTOR_MAX];
	char *details; /* lines for --verbose, or NULL; owned */
	size_t details_len;
	/* For machines; 0 where it was not found out. */
	uint64_t insn_per_s, exit_ns;
	unsigned int max_vcpus;
	char backend[32], label[32];
};

/* A new check with state DOCTOR_NO and empty texts; never NULL (the table is
 * large enough, an assertion holds that). */
struct doctor_check *doctor_add(struct doctor_report *r, const char *id, const char *title,
				bool required);

/* Set state, value, why and fix of *c at once. */
void doctor_set(struct doctor_check *c, enum doctor_state state, const char *value, const char *why,
		const char *fix);

/* Append a line to the details; losing one for want of memory is no error. */
void doctor_detail(struct doctor_report *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* True when every required check is yes. */
bool doctor_ok(const struct doctor_report *r);

/* Readable lines, or one JSON object (bulkhead-doctor(1), REPORT).  0 or -errno of writing. */
int doctor_print_text(FILE *out, const struct doctor_report *r, bool verbose);
int doctor_print_json(FILE *out, const struct doctor_report *r);

/* ---- what a Linux guest needs (doctor_kvm.c) ---- */

/* `root` stands before every path of a pseudo file system: "" on a host, a
 * fake tree in tests. */
void doctor_check_kvm(struct doctor_report *r, const char *root);

/* What kind of virtualization it is: "hardware", "nested", "emulated (TCG)",
 * "software" or "unknown", from the back end and the vendor of the hypervisor
 * that this host itself runs under ("" for none). */
const char *doctor_backend_label(const char *backend, const char *hypervisor);

/* The name behind a CPUID 0x40000000 signature; "unknown hypervisor". */
const char *doctor_hypervisor_name(const char signature[12]);

/* /dev/kvm is missing: why and what to do, from /proc/cpuinfo's text. */
void doctor_missing_kvm(const char *cpuinfo, bool module_loaded, struct doctor_check *c);

/* A device node that may not be opened. */
struct doctor_access {
	const char *path;
	const char *user; /* name or number */
	const char *group;
	mode_t mode;
	bool in_group;	   /* this process has it */
	bool group_listed; /* the group's entry names the user */
};
void doctor_denied(const struct doctor_access *a, struct doctor_check *c);

/* The name of a group or user by number from ROOT/etc/group or passwd, and
 * whether the group lists `user`.  The number itself when it has no name. */
void doctor_group_name(const char *root, gid_t gid, const char *user, char *out, size_t size,
		       bool *ret_listed);
void doctor_user_name(const char *root, uid_t uid, char *out, size_t size);

/* Open failed with `errno_value`: fill *c for the device node. */
void doctor_open_failed(const char *root, const char *path, int errno_value,
			struct doctor_check *c);

/* ---- what else Bulkhead can use (doctor_host.c) ---- */

void doctor_check_host(struct doctor_report *r, const char *root);

/* Read ROOT/PATH as text without its last newline.  0 or -errno. */
int doctor_read(const char *root, const char *path, char *out, size_t size);

/* The word in [brackets] of a sysfs choice.  0 or -EINVAL. */
int doctor_choice(const char *text, char *out, size_t size);

/* cgroup: 2, 1 or 0 (none), and this process's group in the v2 hierarchy
 * ("" when it has none). */
int doctor_cgroup_version(const char *root, char *ret_path, size_t size);

#endif
