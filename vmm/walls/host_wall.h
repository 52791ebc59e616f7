/*
 * host_wall.h - the supervisor's side of a wall without a guest: one process
 * of own_init.h, its messages, its end.  The walls themselves (none.c) say
 * what that process is started with.
 */
#ifndef WALLS_HOST_WALL_H
#define WALLS_HOST_WALL_H

#include "vmm/walls/own_init.h"
#include "vmm/walls/vm_process.h"
#include "vmm/walls/wall.h"

#define HOST_WALL_KEEP 20 /* the root, its sysfs, the disks */

struct host_wall {
	const struct run_config *cfg;
	struct own_init in;	  /* what the process is handed */
	uint64_t clone_flags;	  /* namespaces for it: CLONE_NEW* */
	int keep[HOST_WALL_KEEP]; /* more fds that it has */
	unsigned int nkeep;
	const struct cgroup *group; /* NULL: none */
	/* In the supervisor, after the fork: what the process waits for in its
	 * prepare().  NULL: nothing.  0 or -errno. */
	int (*forked)(struct host_wall *w, struct err *e);
	struct loop *loop;
	struct wall_events events;
	struct vm_process init;
	struct loop_source messages;
	int sock;   /* our end */
	int master; /* of the command's terminal, or -1 */
	int keys;   /* the same again: epoll watches a descriptor once, for one direction here */
	uint64_t ready, started;
	bool stopped; /* we asked for its end at once */
	bool told;    /* by init: how the command ended, and that nothing is left */
	bool ended;
	bool released;
};

/* Fill what all such walls have in common; *console's fds are borrowed. */
void host_wall_init(struct host_wall *w, const struct run_config *cfg,
		    const struct wall_console *console);

/* The functions of struct wall_ops; `struct wall` is a struct host_wall, and
 * freeing it is the wall's own. */
int host_wall_start(struct wall *wall, struct loop *loop, const struct wall_events *events,
		    const struct cgroup *group, struct err *e);
int host_wall_output_fd(const struct wall *wall);
int host_wall_input_fd(const struct wall *wall);
bool host_wall_stream_input(const struct wall *wall);
bool host_wall_signal(struct wall *wall, int signum);
void host_wall_resize(struct wall *wall, unsigned int rows, unsigned int cols);
void host_wall_shut_down(struct wall *wall);
void host_wall_stop(struct wall *wall);
void host_wall_release(struct wall *wall);
void host_wall_report(const struct wall *wall, json_t *report);

/* All of them, in an initialiser; `begin` is host_wall_start() or calls it. */
#define HOST_WALL_OPS(begin)                                                                       \
	.start = begin, .output_fd = host_wall_output_fd, .input_fd = host_wall_input_fd,          \
	.stream_input = host_wall_stream_input, .signal = host_wall_signal,                        \
	.resize = host_wall_resize, .shut_down = host_wall_shut_down, .stop = host_wall_stop,      \
	.release = host_wall_release, .report = host_wall_report

/* Close what start() has opened. */
void host_wall_close(struct host_wall *w);

#endif
