/* The lab's init: boot.c brings the emulated host up, session.c runs the command. */
#ifndef LAB_INIT_H
#define LAB_INIT_H

#include "wire.h"

#include <stdbool.h>
#include <sys/ioctl.h>

/* What `outside` asked for. Strings are owned by it and never freed. */
struct request {
	const char *modules;
	const char *out;
	const char *disk;
	const char *cwd;
	bool tty;
	bool feed; /* standard input comes over the wire */
	bool have_window;
	struct winsize window;
	char **see; /* each list ends with NULL */
	char **env;
	char **arg;
};

struct lab {
	int wire;    /* the port, -1 before it is open */
	int console; /* the serial port: for messages and dumps */
	struct wire_in in;
	struct request request;
};

/* Reads set-up frames until WIRE_GO. */
void request_read(struct lab *lab);

/* Tells `outside` (and the console) why the lab cannot go on. */
_Noreturn void lab_fail(struct lab *lab, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Holds machines for as long as the emulated host lives: hold.c says what for. */
void hold_machines(void);

/*
 * Runs the command until it ends, ends everything that it left behind, sends
 * the output's rest and the status. Returns to an idle emulated host.
 */
void session_run(struct lab *lab);

#endif
