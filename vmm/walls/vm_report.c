/* vm_report.c - what a virtual machine adds to the report of a run.  Moments
 * are CLOCK_MONOTONIC in ns; the instance makes them relative to its start. */
#include <stdio.h>

#include "vmm/base/util.h"
#include "vmm/monitor/exits.h"
#include "vmm/walls/vm_wall.h"

static json_t *report_moments(const struct vm_wall *w)
{
	const struct monitor_msg *msg = &w->last;
	static const char *const names[VM_MOMENT_COUNT] = {
		[VM_MOMENT_MONITOR_START] = "monitor",
		[VM_MOMENT_MEMORY] = "memory",
		[VM_MOMENT_IRQCHIP] = "irqchip",
		[VM_MOMENT_VCPUS] = "vcpus",
		[VM_MOMENT_FILTER] = "filter",
		[VM_MOMENT_DEVICES] = "devices",
		[VM_MOMENT_LOADED] = "loaded",
		[VM_MOMENT_ENTRY] = "first_entry",
		[VM_MOMENT_INIT] = "init",
		[VM_MOMENT_COMMAND] = "command",
	};
	json_t *o = json_object();

	json_object_set_new(o, "monitor_fork", json_integer((json_int_t)w->monitor.forked));
	for (unsigned int i = 0; i < VM_MOMENT_COUNT; i++)
		if (msg->moments[i])
			json_object_set_new(
				o, names[i],
				json_integer((json_int_t)(msg->moments[i] & INT64_MAX)));
	return o;
}

static json_t *report_exits(const struct monitor_msg *msg)
{
	json_t *o = json_object();
	char other[16];

	for (unsigned int i = 0; i < VM_EXIT_REASONS; i++) {
		const char *name = exits_name(i);

		if (!msg->exits[i])
			continue;
		if (!name)
			snprintf(other, sizeof(other), "reason_%u", i);
		json_object_set_new(o, name ? name : other,
				    json_integer((json_int_t)msg->exits[i]));
	}
	return o;
}

static json_t *report_device_moments(const struct vm_device *d, const struct vm_process *p)
{
	uint64_t confined = __atomic_load_n(&d->counters->confined, __ATOMIC_RELAXED);

	/* What the device's process says may be anything: see report.c. */
	return json_pack("{s:I, s:I}", "fork", (json_int_t)p->forked, "filter",
			 (json_int_t)(confined & INT64_MAX));
}

static json_t *report_device(const struct vm_device *d, const struct vm_process *p)
{
	char role[256];
	json_t *o = json_pack("{s:s, s:s, s:I}", "name", d->name, "role",
			      printable(role, sizeof(role), d->role), "cpu_ns",
			      (json_int_t)p->cpu_ns);

	if (!o || !d->counters)
		return o;
#define COUNTER(field)                                                                             \
	json_object_set_new(                                                                       \
		o, #field,                                                                         \
		json_integer((json_int_t)__atomic_load_n(&d->counters->field, __ATOMIC_RELAXED)))
	COUNTER(kicks);
	COUNTER(interrupts);
	COUNTER(requests);
	COUNTER(errors);
	COUNTER(bytes_in);
	COUNTER(bytes_out);
	COUNTER(malformed);
	COUNTER(syscalls);
	COUNTER(throttled);
#undef COUNTER
	json_object_set_new(o, "timeline", report_device_moments(d, p));
	return o;
}

/* What is behind the guest's memory, and how KVM had it mapped at the end. */
static json_t *report_memory(const struct vm_wall *w)
{
	return json_pack("{s:I, s:s, s:I, s:I, s:I, s:I}", "bytes",
			 (json_int_t)w->cfg->memory_bytes, "backing", w->parts.memory.backing,
			 "pages_4k", (json_int_t)w->last.pages_4k, "pages_2m",
			 (json_int_t)w->last.pages_2m, "pages_1g", (json_int_t)w->last.pages_1g,
			 "faults", (json_int_t)w->last.memory_faults);
}

void vm_wall_report(const struct wall *wall, json_t *report)
{
	const struct vm_wall *w = (const struct vm_wall *)wall;
	json_t *devices = json_array();
	uint64_t cpu = w->monitor.running ? w->last.cpu_ns : w->monitor.cpu_ns;

	for (unsigned int i = 0; i < w->parts.ndevices; i++) {
		json_array_append_new(devices, report_device(&w->parts.device[i], &w->device[i]));
		cpu += w->device[i].cpu_ns;
	}
	json_object_set_new(report, "cpu_ns", json_integer((json_int_t)cpu));
	json_object_set_new(report, "timeline", report_moments(w));
	json_object_set_new(report, "memory", report_memory(w));
	json_object_set_new(report, "exits", report_exits(&w->last));
	json_object_set_new(report, "devices", devices);
}
