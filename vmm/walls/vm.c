/*
 * vm.c - the wall that is a virtual machine: the supervisor's side of it.
 *
 * Theory of operation.  open() opens everything (vm_parts.c).  start() forks
 * one compartment per device, then the monitor, which gets the devices'
 * sockets and pidfds; from then on the supervisor holds nothing of the guest
 * but two pages per device, the console's pipes and the disks' descriptors,
 * whose locks it gives up at the end.  It listens to the monitor's messages,
 * to each process's log pipe, and to the pidfds.  Nothing that comes from them
 * is believed further than messages.h says.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/instance/ending.h"
#include "vmm/jail/compartment.h"
#include "vmm/monitor/messages.h"
#include "vmm/monitor/monitor.h"
#include "vmm/walls/vm_device.h"
#include "vmm/walls/vm_parts.h"
#include "vmm/walls/vm_process.h"
#include "vmm/walls/vm_wall.h"

#define DYING_MS 300  /* for a process that has closed its socket to be gone */
#define GONE_MS	 5000 /* for all device processes to be gone, once they are killed */

/* Phases, a loss per device, the end. */
#define MESSAGES_MAX (ARCH_MAX_VIRTIO + 8)

static void end(struct vm_wall *w, const struct ending *ending)
{
	if (w->ended)
		return;
	w->ended = true;
	w->events.ended(w->events.ctx, ending);
}

/* --- what the monitor says --- */

/* Copy a text of the monitor's: newlines stay, the rest is made printable. */
static void copy_text(char *out, size_t size, const char *text, size_t max)
{
	size_t n = strnlen(text, MIN(max, size - 1));

	for (size_t i = 0; i < n; i++)
		out[i] = text[i] == '\n' || (text[i] >= 0x20 && text[i] < 0x7f) ? text[i] : '?';
	while (n && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
}

static void ending_from_status(struct ending *to, uint32_t word)
{
	static const enum ending_reason kinds[] = {
		[BH_EXIT_EXITED] = ENDING_EXITED,
		[BH_EXIT_SIGNALED] = ENDING_SIGNALED,
		[BH_EXIT_NOT_FOUND] = ENDING_NOT_FOUND,
		[BH_EXIT_NOT_EXEC] = ENDING_NOT_EXECUTABLE,
		[BH_EXIT_FAILED] = ENDING_GUEST_SETUP,
		[BH_EXIT_OUT_OF_MEMORY] = ENDING_OUT_OF_MEMORY,
	};
	uint32_t kind = word >> 8;

	to->value = (int)(word & 0xff);
	to->reason = kind < ARRAY_SIZE(kinds) ? kinds[kind] : ENDING_EXITED;
}

/* The guest's kernel killed the command, which the text names. */
static void explain_memory(const struct vm_wall *w, struct ending *to)
{
	char victim[256];

	snprintf(victim, sizeof(victim), "%.255s", to->text[0] ? to->text : "the command");
	snprintf(to->text, sizeof(to->text),
		 "out of memory: the guest's kernel killed %s; it has %llu MiB (--memory)", victim,
		 (unsigned long long)(w->cfg->memory_bytes / MIB));
}

/* A lost device: which, and what became of its process. */
static void describe_loss(struct vm_wall *w, unsigned int index, const char *why, char *out,
			  size_t size)
{
	struct vm_process *p = &w->device[index];
	char text[256], became[128];

	copy_text(text, sizeof(text), why, VM_END_TEXT_MAX);
	if (w->parts.device[index].foreign) {
		snprintf(out, size, "the guest has lost the device of %s: %s",
			 w->parts.device[index].role, text);
		return;
	}
	/* A process that dies closes its socket first: the monitor hears of it
	 * before there is a status.  One that does not die is not waited for
	 * much longer; each device is lost once. */
	vm_process_reap_soon(p, DYING_MS);
	vm_process_describe(p, became, sizeof(became));
	snprintf(out, size, "the guest has lost %s (%s): %s; its process %s", p->name,
		 w->parts.device[index].role, text, became);
}

/* Did a Linux fail that had not got as far as its init? */
static bool needs_linux(const struct vm_wall *w, const struct monitor_msg *msg)
{
	return !w->init_seen && (msg->linux_image || w->cfg->boot != RUN_BOOT_RAW);
}

static void add_text(struct ending *to, const char *line)
{
	size_t used = strlen(to->text);

	snprintf(to->text + used, sizeof(to->text) - used, "\n%s", line);
}

static void ending_from_monitor(struct vm_wall *w, const struct monitor_msg *msg, struct ending *to)
{
	static const enum ending_reason reasons[VM_END_COUNT] = {
		[VM_END_NONE] = ENDING_ERROR,
		[VM_END_STATUS] = ENDING_EXITED,
		[VM_END_POWER_OFF] = ENDING_POWER_OFF,
		[VM_END_RESET] = ENDING_REBOOT,
		[VM_END_PANIC] = ENDING_PANIC,
		[VM_END_TRIPLE_FAULT] = ENDING_TRIPLE_FAULT,
		[VM_END_EMULATION] = ENDING_EMULATION,
		[VM_END_KVM_ERROR] = ENDING_KVM,
		[VM_END_DEVICE_LOST] = ENDING_DEVICE_LOST,
		[VM_END_FAILED] = ENDING_ERROR,
		[VM_END_STOPPED] = ENDING_STOPPED,
	};

	*to = (struct ending){ .reason = ENDING_ERROR };
	if (msg->end < VM_END_COUNT)
		to->reason = reasons[msg->end];
	copy_text(to->text, sizeof(to->text), msg->text, sizeof(msg->text));
	if (msg->end == VM_END_EMULATION && needs_linux(w, msg))
		add_text(to, "This host's KVM cannot run Linux; 'bulkhead doctor' explains.");
	if (msg->end == VM_END_STATUS)
		ending_from_status(to, msg->detail);
	else if (msg->end == VM_END_DEVICE_LOST && msg->detail < w->parts.ndevices)
		describe_loss(w, msg->detail, msg->text, to->text, sizeof(to->text));
	if (to->reason == ENDING_OUT_OF_MEMORY)
		explain_memory(w, to);
}

static void on_message(void *ctx, uint32_t events)
{
	struct vm_wall *w = ctx;
	struct monitor_msg msg;
	struct ending ending;
	char text[640];
	ssize_t n = recv(w->sock, &msg, sizeof(msg), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(msg)) { /* closed, or nonsense: its exit tells the rest */
		loop_remove(w->loop, &w->messages);
		if (n > 0)
			vm_process_kill(&w->monitor);
		return;
	}
	switch (msg.kind) {
	case MONITOR_PHASE:
		if (msg.detail == BH_PHASE_INIT) {
			w->init_seen = true;
			vm_probe_stop(&w->probe);
			w->events.ready(w->events.ctx);
		} else if (msg.detail == BH_PHASE_COMMAND) {
			w->command_seen = true;
		} else if (msg.detail == BH_PHASE_UNBOUNDED && w->cfg->limits.pids) {
			w->events.unbounded(w->events.ctx);
		}
		break;
	case MONITOR_LOST:
		if (msg.detail >= w->parts.ndevices || w->device_lost[msg.detail])
			break;
		w->device_lost[msg.detail] = true;
		describe_loss(w, msg.detail, msg.text, text, sizeof(text));
		log_error("%s", text);
		break;
	case MONITOR_END:
		loop_remove(w->loop, &w->messages);
		w->last = msg;
		ending_from_monitor(w, &msg, &ending);
		end(w, &ending);
		break;
	}
}

static void on_monitor_exit(struct vm_process *p)
{
	struct vm_wall *w = p->ctx;
	struct ending ending = { .reason = ENDING_ERROR };
	char became[128];

	/* Its last messages may still be in the socket: all that it ever sends,
	 * each once, when we were stopped for the whole of a run. */
	for (int i = 0; i < MESSAGES_MAX && w->messages.watched; i++)
		on_message(w, 0);
	if (!vm_process_reap(p, false))
		return;
	vm_process_describe(p, became, sizeof(became));
	snprintf(ending.text, sizeof(ending.text), "the monitor's process %s", became);
	end(w, &ending);
}

static void on_device_exit(struct vm_process *p)
{
	/* The monitor notices, and says what it means for the guest. */
	vm_process_reap(p, false);
}

/* The probe beside the guest says no. */
static void on_cannot_run_linux(void *ctx, const char *why)
{
	struct vm_wall *w = ctx;
	struct ending ending = { .reason = ENDING_EMULATION };

	if (w->init_seen)
		return;
	snprintf(ending.text, sizeof(ending.text), "%s", why);
	end(w, &ending);
}

/* --- starting --- */

struct device_start {
	struct vm_device *device;
	bool confine;
};

/* In the device's process. */
static int device_main(void *arg)
{
	const struct device_start *s = arg;
	struct err e = { "" };

	if (vm_device_serve(s->device, s->confine, &e) == 0)
		return 0;
	log_error("%s", e.text);
	return 1;
}

static int start_device(struct vm_wall *w, unsigned int index, struct err *e)
{
	struct vm_device *d = &w->parts.device[index];
	struct vm_process *p = &w->device[index];
	struct device_start start = { .device = d, .confine = w->cfg->seccomp };
	struct compartment_spec spec = {
		.name = d->name,
		.null_fd = w->parts.null_fd,
		.debuggable = !w->cfg->seccomp,
		.signals = &w->signals,
		.group = w->group,
		.main = device_main,
		.arg = &start,
	};
	const int keep[] = { d->back, d->own_fd, d->counters_fd, d->controls_fd };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		compartment_keep(&spec, keep[i]);
	p->name = d->name;
	p->forked = now_ns();
	r = compartment_spawn(&spec, &p->c, e);
	if (r < 0)
		return r;
	return vm_process_watch(p, w->loop, on_device_exit, w, e);
}

static void fill_monitor_params(const struct vm_wall *w, struct monitor_params *mp)
{
	const struct vm_parts *parts = &w->parts;

	mp->kvm_fd = parts->kvm_fd;
	mp->memory_fd = parts->memory.fd;
	mp->memory_bytes = w->cfg->memory_bytes;
	mp->ncpus = w->cfg->cpus;
	mp->host_cpu = parts->host_cpu;
	mp->host_cpu_len = parts->host_cpu_len;
	mp->image = (struct arch_image){
		.kernel_fd = parts->kernel_fd,
		.kernel_name = parts->kernel_path,
		.initrd_fd = parts->initrd_fd,
		.initrd_name = w->cfg->initrd ? w->cfg->initrd : "the built-in initramfs",
		.cmdline = parts->cmdline,
	};
	mp->confine = w->cfg->seccomp;
	mp->statistics = w->cfg->report != NULL;
	mp->ndevices = parts->ndevices;
	for (unsigned int i = 0; i < parts->ndevices; i++) {
		const struct vm_device *d = &parts->device[i];

		mp->device[i] = (struct monitor_device){
			.name = d->name,
			.device_id = d->virtio_id,
			.config_len = d->config_len,
			.queues = d->queues,
			.sock = d->front,
			.pidfd = d->foreign ? -1 : w->device[i].c.pidfd,
			.ends_machine = d->ends_machine ||
					(d->is_root && !w->cfg->continue_on_device_loss),
		};
	}
}

static int start_monitor(struct vm_wall *w, int sock, int console_out, int console_in,
			 struct err *e)
{
	struct monitor_params mp = { .sock = sock,
				     .console_out = console_out,
				     .console_in = console_in };
	struct compartment_spec spec = {
		.name = "monitor",
		.ends_others = true, /* devices that do not answer */
		.null_fd = w->parts.null_fd,
		.debuggable = !w->cfg->seccomp,
		.signals = &w->signals,
		.group = w->group,
		.main = monitor_main,
		.arg = &mp,
	};
	const int keep[] = {
		w->parts.kvm_fd, w->parts.memory.fd, w->parts.kernel_fd, w->parts.initrd_fd, sock,
		console_out,	 console_in
	};
	int r;

	fill_monitor_params(w, &mp);
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		compartment_keep(&spec, keep[i]);
	for (unsigned int i = 0; i < mp.ndevices; i++) {
		compartment_keep(&spec, mp.device[i].sock);
		compartment_keep(&spec, mp.device[i].pidfd);
	}
	w->monitor.name = "monitor";
	w->monitor.forked = now_ns();
	r = compartment_spawn(&spec, &w->monitor.c, e);
	if (r < 0)
		return r;
	return vm_process_watch(&w->monitor, w->loop, on_monitor_exit, w, e);
}

static int vm_start(struct wall *wall, struct loop *loop, const struct wall_events *events,
		    const struct cgroup *group, struct err *e)
{
	struct vm_wall *w = (struct vm_wall *)wall;
	_cleanup_close_ int sock = -1, out_write = -1, in_read = -1;
	int pair[2], out[2], in[2];
	int r = 0;

	w->loop = loop;
	w->events = *events;
	w->group = group;
	w->signals = compartment_signals();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "make the monitor's socket");
	w->sock = pair[0];
	sock = pair[1];
	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "make the console's pipe");
	w->console_out = out[0];
	out_write = out[1];
	if (pipe2(in, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "make the console's pipe");
	w->console_in = in[1];
	in_read = in[0];

	for (unsigned int i = 0; r == 0 && i < w->parts.ndevices; i++)
		if (!w->parts.device[i].foreign)
			r = start_device(w, i, e);
	if (r == 0)
		r = start_monitor(w, sock, out_write, in_read, e);
	if (r == 0)
		r = vm_probe_start(&w->probe, loop, w->parts.kvm_fd, w->parts.null_fd,
				   w->cfg->seccomp, on_cannot_run_linux, w, e);
	if (r < 0)
		return r;
	vm_parts_close_inherited(&w->parts);
	w->messages = (struct loop_source){ .ready = on_message, .ctx = w };
	r = loop_add(loop, &w->messages, w->sock, EPOLLIN);
	if (r < 0)
		return err_code(e, r, "watch the monitor");
	if (w->cfg->boot == RUN_BOOT_RAW)
		events->ready(events->ctx); /* no init of ours will tell */
	return 0;
}

/* --- the rest of a wall --- */

static struct wall *vm_open(const struct run_config *cfg, const struct wall_console *console,
			    struct err *e)
{
	struct vm_wall *w =
		zero_pages_new(sizeof(*w)); /* room for as many devices as there can be */

	if (!w) {
		err_errno(e, "memory for the machine's description");
		return NULL;
	}
	w->cfg = cfg;
	w->pids = cfg->limits.pids;
	w->stream = cfg->boot == RUN_BOOT_COMMAND && !console->terminal;
	w->sock = w->console_in = w->console_out = -1;
	if (vm_parts_open(&w->parts, cfg, console, e) < 0) {
		zero_pages_free(w, sizeof(*w));
		return NULL;
	}
	/* Bare-metal kernels are never refused, so nobody asks for them. */
	if (cfg->boot != RUN_BOOT_RAW && vm_probe_recall(&w->probe, e) < 0) {
		vm_parts_close(&w->parts);
		zero_pages_free(w, sizeof(*w));
		return NULL;
	}
	return (struct wall *)w;
}

static int vm_output_fd(const struct wall *wall)
{
	return ((const struct vm_wall *)wall)->console_out;
}

static int vm_input_fd(const struct wall *wall)
{
	return ((const struct vm_wall *)wall)->console_in;
}

static bool vm_stream_input(const struct wall *wall)
{
	return ((const struct vm_wall *)wall)->stream;
}

static void order(struct vm_wall *w, enum monitor_order_kind kind, uint32_t value)
{
	struct monitor_order o = { .kind = kind, .value = value };

	/* A monitor that does not read is ended by its pidfd, not by orders. */
	send(w->sock, &o, sizeof(o), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void vm_shut_down(struct wall *wall)
{
	order((struct vm_wall *)wall, ORDER_POWER_BUTTON, 0);
}

static int vm_set_limits(struct wall *wall, const struct limits_config *limits, struct err *e)
{
	struct vm_wall *w = (struct vm_wall *)wall;
	const bool bound = limits->pids != w->pids;

	/* Before, nobody is there who would look, or it is the start's to do. */
	if (bound && !w->command_seen)
		return err_set(e, EAGAIN, "--pids: the guest is still starting; try again");
	vm_parts_set_rates(&w->parts, limits);
	if (bound)
		order(w, ORDER_PIDS, (uint32_t)limits->pids);
	w->pids = limits->pids;
	return 0;
}

static void vm_stop(struct wall *wall)
{
	order((struct vm_wall *)wall, ORDER_STOP, 0);
}

/*
 * A killed process ends at once, unless it is in the host's kernel, waiting for
 * a disk or a file system that does not answer.  The command's status is not to
 * wait for that: what stays behind is named.  It keeps its disk's lock, since
 * what it waits for may be a write.
 */
static void reap_devices(struct vm_wall *w)
{
	uint64_t now = now_ns(), deadline = now + GONE_MS * NS_PER_MS;

	for (unsigned int i = 0; i < w->parts.ndevices; i++) {
		struct vm_process *p = &w->device[i];

		vm_process_reap_soon(p,
				     (unsigned int)((deadline - MIN(now, deadline)) / NS_PER_MS));
		now = now_ns();
		if (!p->running)
			continue;
		vm_process_unwatch(p);
		log_warn("%s (%s): its process %d was killed and does not end: the host's disk or "
			 "file system does not answer it. It stays behind until that answers, and "
			 "what it has open stays locked",
			 p->name, w->parts.device[i].role, (int)p->c.pid);
	}
}

static void vm_release(struct wall *wall)
{
	struct vm_wall *w = (struct vm_wall *)wall;

	if (!w->loop || w->released) /* never started, or released before */
		return;
	w->released = true;
	loop_remove(w->loop, &w->messages);
	vm_probe_stop(&w->probe);
	vm_process_kill(&w->monitor);
	for (unsigned int i = 0; i < w->parts.ndevices; i++)
		vm_process_kill(&w->device[i]);
	/*
	 * Disk locks and taps are held by the device processes: wait for them.
	 * The monitor holds nothing that a next run needs, and the kernel takes
	 * its time to let go of a virtual machine: it dies alone.  A control
	 * group can be removed, and its numbers are all there, only after it.
	 */
	reap_devices(w);
	for (unsigned int i = 0; i < w->parts.ndevices; i++)
		if (!w->device[i].running)
			vm_device_unlock(&w->parts.device[i]);
	if (w->group)
		vm_process_reap_soon(&w->monitor, GONE_MS);
	vm_process_read_log(&w->monitor);
	vm_process_unwatch(&w->monitor);
}

static void vm_free(struct wall *wall)
{
	struct vm_wall *w = (struct vm_wall *)wall;

	close_fd(&w->sock);
	close_fd(&w->console_in);
	close_fd(&w->console_out);
	vm_process_close(&w->monitor);
	for (unsigned int i = 0; i < w->parts.ndevices; i++)
		vm_process_close(&w->device[i]);
	vm_parts_close(&w->parts);
	zero_pages_free(w, sizeof(*w));
}

const struct wall_ops wall_vm = {
	.name = "vm",
	.open = vm_open,
	.start = vm_start,
	.output_fd = vm_output_fd,
	.input_fd = vm_input_fd,
	.stream_input = vm_stream_input,
	.shut_down = vm_shut_down,
	.set_limits = vm_set_limits,
	.stop = vm_stop,
	.release = vm_release,
	.report = vm_wall_report,
	.free = vm_free,
};
