/*
 * params.h - the run's parameters as the host wrote them
 *
 * The format is in guest_abi.h.  Parsing is a pure function: it touches
 * nothing but its arguments, so that it is tested and fuzzed on the host.
 */
#ifndef GUEST_INIT_PARAMS_H
#define GUEST_INIT_PARAMS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARAMS_NET_MAX	 8
#define PARAMS_DNS_MAX	 3 /* what a resolver reads of resolv.conf */
#define PARAMS_DISK_MAX	 17
#define PARAMS_ENV_MAX	 4096
#define PARAMS_ERROR_MAX 160
#define PARAMS_PIDS_MAX	 (1u << 22) /* no kernel has more */

enum params_console {
	PARAMS_CONSOLE_UNSET,
	PARAMS_CONSOLE_TERMINAL,
	PARAMS_CONSOLE_STREAM,
};

enum params_root {
	PARAMS_ROOT_UNSET,
	PARAMS_ROOT_OVERLAY,
	PARAMS_ROOT_RW,
	PARAMS_ROOT_RO,
	PARAMS_ROOT_NONE,
};

/* An IP address of either family; family 0 is "none". */
struct params_ip {
	int family;
	uint8_t len;	   /* 4 or 16 */
	uint8_t bytes[16]; /* network byte order */
};

struct params_net {
	uint8_t mac[6];
	struct params_ip address;
	uint8_t prefix_len;
	struct params_ip gateway;
};

struct params_disk {
	char name[4]; /* "vdb" */
	bool read_only;
	const char *dir;
};

/* Every string points into the buffer that was parsed. */
struct params {
	bool verbose;
	bool image_init;
	enum params_console console;
	bool no_input; /* the command's standard input is at its end */
	enum params_root root;
	uint16_t rows, cols;   /* 0: not given */
	uint32_t pids;	       /* 0: no bound */
	bool pids_best_effort; /* go on without one if the kernel cannot keep it */
	const char *term;
	const char *hostname;
	const char *workdir; /* never NULL */
	const char **argv;   /* NULL-terminated; argc is 0 with image_init */
	size_t argc;
	const char **env; /* NULL-terminated */
	size_t envc;
	struct params_net net[PARAMS_NET_MAX];
	size_t net_count;
	struct params_disk disk[PARAMS_DISK_MAX];
	size_t disk_count;
	const char *dns[PARAMS_DNS_MAX];
	size_t dns_count;
};

/*
 * Parses `len` bytes at `buf` into *p.  The buffer must stay as long as *p is
 * used.  Returns 0; -EINVAL when the parameters are wrong; -ENOMEM.  On
 * failure *p is empty and `error` (PARAMS_ERROR_MAX bytes) says in a sentence
 * what is wrong.
 */
int params_parse(struct params *p, const char *buf, size_t len, char *error);

/* Frees what params_parse() allocated; *p is empty afterwards. */
void params_release(struct params *p);

#endif
