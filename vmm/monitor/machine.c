/*
 * machine.c - see machine.h.
 *
 * Read machine_build() first: it is the machine.
 */
#include "vmm/monitor/machine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/monitor/kvm_stats.h"

#define QUEUE_SIZE_MAX 256 /* what our device processes are dimensioned for */

/* The tables that arch/ writes and the devices that are here must agree. */
static_assert(ARCH_SERIAL_PORT == BH_SERIAL_PORT, "serial port");
static_assert(ARCH_PVPANIC_PORT == BH_PVPANIC_PORT, "pvpanic");
static_assert(ARCH_SLEEP_CONTROL_PORT == ACPI_POWER_PORT + ACPI_SLEEP_CONTROL, "sleep control");
static_assert(ARCH_SLEEP_STATUS_PORT == ACPI_POWER_PORT + ACPI_SLEEP_STATUS, "sleep status");
static_assert(ARCH_RESET_PORT == ACPI_POWER_PORT + ACPI_RESET, "reset register");
static_assert(ARCH_SLP_TYP_S5 == ACPI_SLP_TYP_S5, "S5");
static_assert(BH_EXIT_TEXT_MAX <= sizeof(((struct machine *)NULL)->text), "init's text fits");

void machine_moment(struct machine *m, enum vm_moment moment)
{
	__atomic_store_n(&m->moments[moment], now_ns(), __ATOMIC_RELAXED);
}

#define HUGE_PAGE (2 * MIB)

/*
 * A tiny guest touches next to nothing, all of it at the bottom, and is not to
 * wait there while the host looks for a huge page and clears it.  What is loaded
 * tells which guest it is: a Linux is larger than this, and runs in what it is
 * loaded to.
 */
#define TINY_IMAGE  (1 * MIB)
#define SMALL_BELOW (16 * MIB)

static uint64_t small_below(const struct machine *m)
{
	off_t size = lseek(m->params->image.kernel_fd, 0, SEEK_END);

	return size >= 0 && (uint64_t)size < TINY_IMAGE ? SMALL_BELOW : 0;
}

static void advise_huge(const struct machine *m, uint8_t *at, const struct guest_region *region)
{
	uint64_t small = small_below(m);
	uint64_t skip = region->gpa < small ? small - region->gpa : 0;

	/* Refused for files without huge pages, which is as well. */
	if (skip < region->size)
		madvise(at + skip, region->size - skip, MADV_HUGEPAGE);
}

/*
 * One shared file, mapped once for each region of the layout.  KVM maps a huge
 * page only where host and guest address agree below 2 MiB, so the mapping is
 * placed inside a reservation that is larger than it.
 */
static int map_region(const struct machine *m, struct guest_region *region, struct err *e)
{
	uint64_t room = region->size + HUGE_PAGE;
	uint8_t *hole =
		mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *at;

	if (hole == MAP_FAILED)
		return err_errno(e, "find room for %llu MiB of guest memory",
				 (unsigned long long)(region->size / MIB));
	at = hole + (ALIGN_UP((uintptr_t)hole, HUGE_PAGE) - (uintptr_t)hole) +
	     region->gpa % HUGE_PAGE;
	if (mmap(at, region->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
		 m->params->memory_fd, (off_t)region->file_offset) == MAP_FAILED)
		return err_errno(e, "map %llu MiB of guest memory",
				 (unsigned long long)(region->size / MIB));
	/* A core dump of the monitor is not to hold the guest. */
	madvise(at, region->size, MADV_DONTDUMP);
	advise_huge(m, at, region);
	region->host = at;
	return 0;
}

static int map_memory(struct machine *m, struct err *e)
{
	int r = arch_memory_layout(m->params->memory_bytes, &m->memory, e);

	for (unsigned int i = 0; r == 0 && i < m->memory.nregions; i++)
		r = map_region(m, &m->memory.region[i], e);
	return r;
}

static void add_text(struct machine *m, char c)
{
	pthread_mutex_lock(&m->text_lock);
	if (m->text_len < sizeof(m->text) - 1)
		m->text[m->text_len++] = c;
	pthread_mutex_unlock(&m->text_lock);
}

/* Each phase is told once, however often a guest says it. */
static void on_phase(struct machine *m, uint32_t phase)
{
	uint64_t never = 0, *when;

	if (phase == BH_PHASE_INIT)
		when = &m->moments[VM_MOMENT_INIT];
	else if (phase == BH_PHASE_COMMAND)
		when = &m->moments[VM_MOMENT_COMMAND];
	else if (phase == BH_PHASE_UNBOUNDED)
		when = &m->unbounded;
	else
		return;
	/* Several vCPUs may say it in the same instant. */
	if (!__atomic_compare_exchange_n(when, &never, now_ns(), false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return;
	m->events.phase(m->events.ctx, phase);
}

/* The devices of a few registers have something to say.  vCPU thread. */
static void on_control(void *ctx, enum control_event event, uint32_t value)
{
	struct machine *m = ctx;
	const struct machine_events *ev = &m->events;

	switch (event) {
	case CONTROL_RESET:
		ev->end(ev->ctx, VM_END_RESET, 0, NULL);
		break;
	case CONTROL_POWER_OFF:
		ev->end(ev->ctx, VM_END_POWER_OFF, 0, NULL);
		break;
	case CONTROL_PANIC:
		ev->end(ev->ctx, VM_END_PANIC, 0, NULL);
		break;
	case CONTROL_CRASH_LOADED:
		break; /* a kernel in the guest takes over: it goes on */
	case CONTROL_EXIT:
		ev->end(ev->ctx, VM_END_STATUS, value, m->text);
		break;
	case CONTROL_PHASE:
		on_phase(m, value);
		break;
	case CONTROL_TEXT:
		add_text(m, (char)value);
		break;
	}
}

static int add_platform_devices(struct machine *m, struct err *e)
{
	struct irq_line serial_irq = { kvm_irq_pulse, &m->vm, arch_serial_gsi() };
	const struct {
		uint64_t base, len;
		const struct bus_ops *ops;
		void *dev;
		const char *name;
	} ports[] = {
		{ I8042_PORT, I8042_LEN, &i8042_bus_ops, &m->control, "i8042" },
		{ BH_PVPANIC_PORT, 1, &pvpanic_bus_ops, &m->control, "pvpanic" },
		{ ACPI_POWER_PORT, ACPI_POWER_LEN, &acpi_power_bus_ops, &m->control, "ACPI" },
		{ BH_EXIT_PORT, BH_EXIT_PORT_LEN, &exit_device_bus_ops, &m->control,
		  "exit device" },
	};
	int r;

	m->control = (struct control_sink){ .event = on_control, .ctx = m };
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		r = bus_add(&m->ports, ports[i].base, ports[i].len, ports[i].ops, ports[i].dev,
			    ports[i].name, e);
		if (r < 0)
			return r;
	}
	r = console_init(&m->console, m->loop, m->params->console_out, m->params->console_in,
			 serial_irq, e);
	if (r < 0)
		return r;
	return bus_add(&m->ports, BH_SERIAL_PORT, SERIAL_LEN, &serial_bus_ops, m->console.serial,
		       "serial port", e);
}

/* The guest has programmed its I/O APIC; vCPU thread. */
static void on_routed(void *ctx, const struct ioapic_message *messages, unsigned int n)
{
	struct machine *m = ctx;
	struct err e = { "" };

	if (kvm_set_routes(&m->vm, messages, n, &e) < 0)
		m->events.end(m->events.ctx, VM_END_FAILED, 0, e.text);
}

static int add_ioapic(struct machine *m, struct err *e)
{
	ioapic_init(&m->ioapic, arch_ioapic_pins(m->params->ndevices), on_routed, m);
	return bus_add(&m->mmio, ARCH_IOAPIC_BASE, IOAPIC_LEN, &ioapic_bus_ops, &m->ioapic,
		       "I/O APIC", e);
}

/* Control thread. */
static void on_device_lost(void *ctx, struct vhost_user_frontend *fe, const char *why, bool unsafe)
{
	struct machine_device *d = ctx;
	const struct machine_events *ev = &d->machine->events;

	(void)fe;
	virtio_mmio_lost(d->transport);
	ev->lost(ev->ctx, d->index, why, unsafe);
}

/* Control thread: the driver broke a ring's rules; a reset mends it. */
static void on_device_needs_reset(void *ctx, struct vhost_user_frontend *fe, const char *why)
{
	struct machine_device *d = ctx;

	(void)fe;
	log_info("%s", why);
	virtio_mmio_needs_reset(d->transport);
}

/* Features that we do not serve, whatever a back end offers. */
static uint64_t feature_mask(uint32_t device_id)
{
	/* Its switch is a write to config space, which is not passed on. */
	if (device_id == VIRTIO_ID_BLOCK)
		return ~(1ULL << VIRTIO_BLK_F_CONFIG_WCE);
	return UINT64_MAX;
}

/* Control thread: the moment stays that of the last device. */
static void on_device_attached(void *ctx, struct vhost_user_frontend *fe)
{
	struct machine_device *d = ctx;

	(void)fe;
	machine_moment(d->machine, VM_MOMENT_DEVICES);
}

static int make_frontend(struct machine *m, unsigned int index, struct err *e)
{
	const struct monitor_device *p = &m->params->device[index];
	struct machine_device *d = &m->device[index];
	const struct vhost_user_frontend_params fp = {
		.name = p->name,
		.device_id = p->device_id,
		.sock = p->sock,
		.pidfd = p->pidfd,
		.memory = &m->memory,
		.memory_fd = m->params->memory_fd,
		.max_queues = p->queues,
		.queue_size_max = QUEUE_SIZE_MAX,
		.feature_mask = feature_mask(p->device_id),
		.config_len = p->config_len,
		.loop = m->loop,
		.on_lost = on_device_lost,
		.on_needs_reset = on_device_needs_reset,
		.on_attached = on_device_attached,
		.ctx = d,
	};

	d->machine = m;
	d->index = index;
	d->frontend = vhost_user_frontend_new(&fp, e);
	return d->frontend ? 0 : -EIO;
}

/*
 * The doorbells of the queues that are in use, when a driver first uses the
 * device: a guest that ends before costs the kernel less, which waits for RCU
 * to let go of them (15 ms).  Until then a kick of a queue leaves the kernel.
 * A reset leaves them: later drivers may use fewer queues, and find the others
 * silent.  The device's lock is held.
 */
static int hang_doorbells(struct machine_device *d, const struct virtio_queue_config *queues,
			  struct err *e)
{
	struct machine *m = d->machine;
	uint64_t base = arch_virtio_base(d->index);
	int r = 0;

	for (unsigned int q = 0; r == 0 && q < m->params->device[d->index].queues; q++) {
		if (!queues[q].ready || d->doorbells >> q & 1)
			continue;
		d->doorbells |= UINT64_C(1) << q;
		r = kvm_ioeventfd(&m->vm, base + VIRTIO_MMIO_QUEUE_NOTIFY, q,
				  vhost_user_frontend_kick_fd(d->frontend, q), e);
	}
	return r;
}

/*
 * A driver answers each interrupt with an InterruptACK of what it read.  For a
 * used buffer that means nothing to us (virtio_mmio.h), so it need not come: the
 * kernel signals an eventfd that nobody reads, and the vCPU goes on.  The ACK of
 * a config change has another value and arrives.
 */
static int take_acks(struct machine_device *d, struct err *e)
{
	if (d->acks_taken)
		return 0;
	d->acks_taken = true;
	return kvm_ioeventfd(&d->machine->vm,
			     arch_virtio_base(d->index) + VIRTIO_MMIO_INTERRUPT_ACK,
			     VIRTIO_MMIO_INT_VRING, d->machine->ack_fd, e);
}

static int activate_device(void *ctx, uint64_t features, const struct virtio_queue_config *queues)
{
	struct machine_device *d = vhost_user_frontend_ctx(ctx);
	struct err e = { "" };
	int r = hang_doorbells(d, queues, &e);

	if (r == 0)
		r = take_acks(d, &e);
	if (r < 0) {
		log_error("%s: %s", d->machine->params->device[d->index].name, e.text);
		return r;
	}
	return vhost_user_frontend_ops.activate(ctx, features, queues);
}

static int add_virtio_device(struct machine *m, unsigned int index, struct err *e)
{
	const struct monitor_device *p = &m->params->device[index];
	struct machine_device *d = &m->device[index];
	uint64_t base = arch_virtio_base(index);
	struct irq_line irq = { kvm_irq_pulse, &m->vm, arch_virtio_gsi(index) };
	int r = make_frontend(m, index, e);

	if (r < 0)
		return r;
	d->transport = virtio_mmio_new(p->name, &m->device_ops, d->frontend, irq);
	if (!d->transport)
		return err_errno(e, "make the transport of %s", p->name);
	r = kvm_irqfd(&m->vm, irq.gsi, vhost_user_frontend_call_fd(d->frontend), e);
	if (r == 0)
		r = bus_add(&m->mmio, base, VIRTIO_MMIO_LEN, &virtio_mmio_bus_ops, d->transport,
			    p->name, e);
	return r;
}

/* vCPU 0: wait until the others have been set up. */
static void wait_for_others(struct machine *m)
{
	pthread_mutex_lock(&m->ready_lock);
	while (m->nready < m->params->ncpus - 1)
		pthread_cond_wait(&m->ready, &m->ready_lock);
	pthread_mutex_unlock(&m->ready_lock);
}

static void tell_ready(struct machine *m)
{
	pthread_mutex_lock(&m->ready_lock);
	m->nready++;
	pthread_cond_signal(&m->ready);
	pthread_mutex_unlock(&m->ready_lock);
}

/* On the vCPU's thread, before it enters the guest for the first time. */
static int prepare_vcpu(void *ctx, unsigned int index)
{
	struct machine *m = ctx;
	struct arch_machine about = { .ncpus = m->params->ncpus, .nvirtio = m->params->ndevices };
	struct err e = { "" };
	int r = 0;

	if (index == 0) {
		r = arch_load(&m->memory, &about, &m->params->image, &m->boot, &e);
		machine_moment(m, VM_MOMENT_LOADED);
	}
	if (r == 0)
		r = arch_vcpu_setup(m->model, m->vcpus[index].fd, index, &m->boot, &e);
	if (r < 0) {
		m->events.end(m->events.ctx, VM_END_FAILED, 0, e.text);
		return r;
	}
	if (index != 0) {
		tell_ready(m);
		return 0;
	}
	wait_for_others(m);
	machine_moment(m, VM_MOMENT_ENTRY);
	return 0;
}

static void on_vcpu_stop(void *ctx, enum vm_end end, const char *text)
{
	struct machine *m = ctx;

	m->events.end(m->events.ctx, end, 0, text);
}

static void kick_vcpus(void *ctx)
{
	struct machine *m = ctx;

	for (unsigned int i = 0; i < m->params->ncpus; i++)
		if (m->vcpus[i].run)
			vcpu_kick(&m->vcpus[i]);
}

static int start_vcpus(struct machine *m, struct err *e)
{
	unsigned int n = m->params->ncpus;
	int r = 0;

	m->vcpus = calloc(n, sizeof(*m->vcpus));
	if (!m->vcpus)
		return err_set(e, ENOMEM, "no memory for %u vCPUs", n);
	vcpu_gate_init(&m->gate, n, kick_vcpus, m);
	m->vcpu_env = (struct vcpu_env){
		.vm = &m->vm,
		.memory = &m->memory,
		.ports = &m->ports,
		.mmio = &m->mmio,
		.gate = &m->gate,
		.prepare = prepare_vcpu,
		.stop = on_vcpu_stop,
		.ctx = m,
	};
	vcpu_install_kick_handler();
	for (unsigned int i = 0; r == 0 && i < n; i++)
		r = vcpu_start(&m->vcpus[i], i, &m->vcpu_env, e);
	for (unsigned int i = 0; r == 0 && m->params->statistics && i < n; i++)
		m->vcpu_stats_fd[i] = kvm_stats_open(m->vcpus[i].fd);
	return r;
}

static int build_vm(struct machine *m, struct err *e)
{
	int r = map_memory(m, e);

	if (r == 0)
		r = kvm_vm_create(&m->vm, m->params->kvm_fd, e);
	if (r == 0)
		r = kvm_vm_set_memory(&m->vm, &m->memory, e);
	machine_moment(m, VM_MOMENT_MEMORY);
	if (r == 0)
		r = arch_vm_setup(m->vm.fd, e);
	if (r == 0)
		r = arch_irqchip_create(m->vm.fd, e);
	machine_moment(m, VM_MOMENT_IRQCHIP);
	if (r == 0)
		m->stats_fd = m->params->statistics ? kvm_stats_open(m->vm.fd) : -1;
	return r;
}

int machine_build(struct machine *m, const struct monitor_params *params, struct loop *loop,
		  const struct machine_events *events, struct err *e)
{
	int r;

	m->params = params;
	m->events = *events;
	m->loop = loop;
	m->stats_fd = -1;
	for (unsigned int i = 0; i < ARCH_MAX_CPUS; i++)
		m->vcpu_stats_fd[i] = -1;
	pthread_mutex_init(&m->ready_lock, NULL);
	pthread_cond_init(&m->ready, NULL);
	pthread_mutex_init(&m->text_lock, NULL);
	bus_init(&m->ports, "port");
	bus_init(&m->mmio, "mmio");

	r = build_vm(m, e);
	if (r == 0)
		r = add_platform_devices(m, e);
	if (r == 0)
		r = add_ioapic(m, e);
	if (r == 0) {
		m->ack_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r = m->ack_fd < 0 ? err_errno(e, "make an eventfd") : 0;
	}
	m->device_ops = vhost_user_frontend_ops;
	m->device_ops.activate = activate_device;
	for (unsigned int i = 0; r == 0 && i < params->ndevices; i++)
		r = add_virtio_device(m, i, e);
	if (r == 0) {
		m->model = arch_cpu_model_new(params->kvm_fd, params->host_cpu,
					      params->host_cpu_len, params->ncpus, e);
		r = m->model ? 0 : -EIO;
	}
	if (r < 0)
		return r;
	bus_freeze(&m->ports);
	bus_freeze(&m->mmio);
	r = start_vcpus(m, e);
	machine_moment(m, VM_MOMENT_VCPUS);
	return r;
}

int machine_run(struct machine *m, struct err *e)
{
	for (unsigned int i = 0; i < m->params->ndevices; i++) {
		int r = vhost_user_frontend_start(m->device[i].frontend);

		if (r < 0)
			return err_code(e, r, "start %s", m->params->device[i].name);
	}
	vcpu_gate_open(&m->gate);
	return 0;
}

void machine_halt(struct machine *m)
{
	vcpu_gate_end(&m->gate);
}

void machine_power_button(struct machine *m)
{
	control_want(&m->control, BH_WANT_STOP);
	kvm_irq_pulse(&m->vm, arch_power_button_gsi());
}

void machine_bound_processes(struct machine *m, uint32_t most)
{
	control_want(&m->control, BH_WANT_PIDS | MIN(most, BH_PIDS_MAX));
	kvm_irq_pulse(&m->vm, arch_power_button_gsi());
}

void machine_exits(const struct machine *m, uint64_t ret[VM_EXIT_REASONS])
{
	memset(ret, 0, VM_EXIT_REASONS * sizeof(*ret));
	for (unsigned int i = 0; m->vcpus && i < m->params->ncpus; i++)
		for (unsigned int j = 0; j < VM_EXIT_REASONS; j++)
			ret[j] += __atomic_load_n(&m->vcpus[i].exits[j], __ATOMIC_RELAXED);
}

void machine_statistics(const struct machine *m, struct monitor_msg *ret)
{
	static const char *const vm[] = { "pages_4k", "pages_2m", "pages_1g" };
	static const char *const vcpu[] = { "pf_taken" };
	uint64_t value[ARRAY_SIZE(vm)];

	kvm_stats_read(m->stats_fd, vm, ARRAY_SIZE(vm), value);
	ret->pages_4k = value[0];
	ret->pages_2m = value[1];
	ret->pages_1g = value[2];
	for (unsigned int i = 0; m->vcpus && i < m->params->ncpus; i++) {
		kvm_stats_read(m->vcpu_stats_fd[i], vcpu, ARRAY_SIZE(vcpu), value);
		ret->memory_faults += value[0];
	}
}
