/* vm_parts.c - see vm_parts.h. */
#include "vmm/walls/vm_parts.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "devices/backend/tap.h"
#include "vmm/base/util.h"
#include "vmm/config/cmdline.h"
#include "vmm/config/guest_params.h"
#include "vmm/image/guest_kernel.h"
#include "vmm/image/initramfs.h"
#include "vmm/image/pack.h"
#include "vmm/monitor/cpu_cache.h"
#include "vmm/walls/vm_device.h"
#include "vmm/walls/vm_disk.h"

static_assert(RUN_DEVICES_MAX + 1 <= ARCH_MAX_VIRTIO, "what config takes has interrupts");

/* Bytes of config space that we read from each kind of device (virtio 1.3,
 * 5.1.4 up to mtu, 5.2.4 up to the write-zeroes fields). */
#define NET_CONFIG_LEN 12
#define BLK_CONFIG_LEN 60

static int open_kvm(struct vm_parts *p, struct err *e)
{
	p->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (p->kvm_fd >= 0)
		return 0;
	if (errno == ENOENT)
		return err_set(e, ENOENT,
			       "open /dev/kvm: this host offers no KVM; 'bulkhead doctor' tells "
			       "what to mend");
	return err_errno(e, "open /dev/kvm ('bulkhead doctor' tells what to mend)");
}

/* A kernel or initrd: a regular file, so that its size means something. */
static int open_file(const char *path, const char *what, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open the %s %s", what, path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "the %s %s is not a regular file", what, path);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int open_boot_files(struct vm_parts *p, const struct run_config *cfg,
			   const struct wall_console *console, struct err *e)
{
	struct guest_terminal terminal = {
		.is_terminal = console->terminal,
		.rows = console->rows,
		.cols = console->cols,
		.term = console->term,
	};
	size_t init_len = (size_t)(guest_init_end - guest_init_start);
	struct guest_params params = { NULL, 0, 0 };
	uint64_t size;
	int r = guest_kernel_find(cfg->kernel, &p->kernel_path, e);

	if (r == 0)
		r = open_file(p->kernel_path, "kernel", &p->kernel_fd, e);
	if (r == 0)
		r = cmdline_build(cfg, &p->cmdline, e);
	if (r < 0)
		return r;
	if (cfg->initrd)
		return open_file(cfg->initrd, "initrd", &p->initrd_fd, e);
	if (cfg->boot == RUN_BOOT_RAW)
		return 0;
	r = guest_params_build(&params, cfg, &terminal, e);
	if (r == 0)
		r = initramfs_build(guest_init_start, init_len, &params, &p->initrd_fd, &size, e);
	guest_params_release(&params);
	return r;
}

/* --- devices --- */

/* A page that a device and the supervisor share: see device_process.h. */
static int shared_page(const char *name, size_t size, int prot, int *ret_fd, void *ret_page,
		       struct err *e)
{
	unsigned int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *page;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return err_errno(e, "make the %s page", name);
	page = mmap(NULL, size, prot, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return err_errno(e, "map the %s page", name);
	/* No other process is to have our mapping of it. */
	madvise(page, size, MADV_DONTFORK);
	/* What only we write can be mapped read-only by others from now on. */
	if (prot & PROT_WRITE)
		seals |= F_SEAL_FUTURE_WRITE;
	if (fcntl(fd, F_ADD_SEALS, seals) < 0) {
		int r = err_errno(e, "seal the %s page", name);

		munmap(page, size);
		return r;
	}
	*(void **)ret_page = page;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The next device, nothing of it made yet; NULL and *e. */
static struct vm_device *next_device(struct vm_parts *p, const char *kind, unsigned int number,
				     struct err *e)
{
	struct vm_device *d;

	if (p->ndevices == ARCH_MAX_VIRTIO) {
		err_set(e, E2BIG,
			"too many devices: the machine has interrupts for %d, one of them for "
			"the source of random numbers",
			ARCH_MAX_VIRTIO);
		return NULL;
	}
	d = &p->device[p->ndevices];
	*d = (struct vm_device){
		.own_fd = -1, .front = -1, .back = -1, .counters_fd = -1, .controls_fd = -1
	};
	p->ndevices++;
	snprintf(d->name, sizeof(d->name), "%s%u", kind, number);
	return d;
}

/* With its socket pair and pages, for a process of our own. */
static struct vm_device *add_device(struct vm_parts *p, const char *kind, unsigned int number,
				    struct err *e)
{
	struct vm_device *d = next_device(p, kind, number, e);
	int pair[2];

	if (!d)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err_errno(e, "make the socket pair of %s", d->name);
		return NULL;
	}
	d->front = pair[0];
	d->back = pair[1];
	if (shared_page("counters", sizeof(*d->counters), PROT_READ, &d->counters_fd, &d->counters,
			e) < 0 ||
	    shared_page("controls", sizeof(*d->controls), PROT_READ | PROT_WRITE, &d->controls_fd,
			&d->controls, e) < 0)
		return NULL;
	return d;
}

static int add_disk(struct vm_parts *p, const struct vm_disk_request *rq, unsigned int number,
		    int fd, struct err *e)
{
	struct vm_device *d = add_device(p, "blk", number, e);
	int r;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return -EIO;
	}
	d->own_fd = fd;
	r = fd >= 0 ? vm_disk_use(fd, rq, &d->blk, e) : vm_disk_open(rq, &d->blk, e);
	if (r < 0)
		return r;
	d->own_fd = d->blk.fd;
	d->role = rq->path;
	d->virtio_id = VIRTIO_ID_BLOCK;
	d->config_len = BLK_CONFIG_LEN;
	d->queues = rq->queues;
	d->filter = FILTER_BLK;
	/* The kernel does not wait for direct requests in a ring when a process
	 * dies: its pidfd tells of the exit, a read can still land afterwards. */
	d->ends_machine = rq->direct;
	return 0;
}

static int add_root(struct vm_parts *p, const struct run_config *cfg, struct err *e)
{
	struct vm_disk_request rq = { .id = "root", .read_only = !cfg->root.rw, .queues = 1 };
	struct rootfs_image image;
	int r = rootfs_open(cfg->root.path, cfg->root.rw, &image, e);

	if (r < 0)
		return r;
	rq.path = image.path;
	r = add_disk(p, &rq, 0, image.fd, e);
	free(image.path);
	if (r < 0)
		return r;
	p->device[p->ndevices - 1].role = "the root disk";
	p->device[p->ndevices - 1].is_root = true;
	return 0;
}

static int add_disks(struct vm_parts *p, const struct run_config *cfg, struct err *e)
{
	unsigned int first = cfg->root.path ? 1 : 0;
	int r = 0;

	if (cfg->root.path)
		r = add_root(p, cfg, e);
	for (unsigned int i = 0; r == 0 && i < cfg->ndisks; i++) {
		const struct disk_config *c = &cfg->disk[i];
		struct vm_disk_request rq = {
			.path = c->path,
			.id = c->id,
			.read_only = c->ro,
			.direct = c->direct,
			.queues = (uint16_t)c->queues,
		};

		r = add_disk(p, &rq, first + i, -1, e);
	}
	return r;
}

static int add_net(struct vm_parts *p, const struct net_config *c, unsigned int number,
		   struct err *e)
{
	struct vm_device *d = add_device(p, "net", number, e);
	int r;

	if (!d)
		return -EIO;
	d->role = c->kind != NET_FD ? c->ifname : "a tap from --net fd=";
	d->virtio_id = VIRTIO_ID_NET;
	d->config_len = NET_CONFIG_LEN;
	d->queues = 2;
	d->filter = FILTER_NET;
	r = vm_net_open(c, &d->net, e);
	d->own_fd = d->net.tap_fd;
	return r;
}

static int add_rng(struct vm_parts *p, struct err *e)
{
	struct vm_device *d = add_device(p, "rng", 0, e);

	if (!d)
		return -EIO;
	d->role = "random numbers";
	d->virtio_id = VIRTIO_ID_RNG;
	d->queues = 1;
	d->filter = FILTER_RNG;
	return 0;
}

/* A back end that somebody else runs: connect to it. */
static int add_foreign(struct vm_parts *p, const struct foreign_config *c, unsigned int number,
		       struct err *e)
{
	static const struct {
		const char *name;
		uint32_t virtio_id, config_len;
		unsigned int queues; /* at the most: the back end says how many */
	} kinds[] = {
		[FOREIGN_BLK] = { "vblk", VIRTIO_ID_BLOCK, BLK_CONFIG_LEN, RUN_DISK_QUEUES_MAX },
		[FOREIGN_NET] = { "vnet", VIRTIO_ID_NET, NET_CONFIG_LEN, 2 },
		[FOREIGN_RNG] = { "vrng", VIRTIO_ID_RNG, 0, 1 },
	};
	struct vm_device *d = next_device(p, kinds[c->kind].name, number, e);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (!d)
		return -EIO;
	d->foreign = true;
	d->role = c->path;
	d->virtio_id = kinds[c->kind].virtio_id;
	d->config_len = kinds[c->kind].config_len;
	d->queues = kinds[c->kind].queues;
	d->filter = FILTER_COUNT;
	if (strlen(c->path) >= sizeof(addr.sun_path))
		return err_set(e, ENAMETOOLONG, "--vhost-user %s: the socket's path is too long",
			       c->path);
	memcpy(addr.sun_path, c->path, strlen(c->path));
	/* Non-blocking: a back end whose queue is full is an error, not a wait. */
	d->front = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->front < 0)
		return err_errno(e, "make a socket");
	if (connect(d->front, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(e, "connect to the vhost-user back end %s (does it run?)",
				 c->path);
	return 0;
}

/* A stranger who gets the memory gets a file whose size is sealed. */
static enum run_hugepages memory_wish(const struct run_config *cfg)
{
	if (cfg->nforeign && cfg->hugepages == RUN_HUGEPAGES_AUTO)
		return RUN_HUGEPAGES_OFF;
	return cfg->hugepages;
}

void vm_parts_set_rates(struct vm_parts *p, const struct limits_config *limits)
{
	for (unsigned int i = 0; i < p->ndevices; i++) {
		struct device_controls *c = p->device[i].controls;
		bool disk = p->device[i].virtio_id == VIRTIO_ID_BLOCK;

		if (!c || (!disk && p->device[i].virtio_id != VIRTIO_ID_NET))
			continue;
		__atomic_store_n(&c->bytes_per_second, disk ? limits->disk_bps : limits->net_bps,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&c->operations_per_second, disk ? limits->disk_iops : 0,
				 __ATOMIC_RELAXED);
	}
}

int vm_parts_open(struct vm_parts *p, const struct run_config *cfg,
		  const struct wall_console *console, struct err *e)
{
	int r;

	*p = (struct vm_parts){ .kvm_fd = -1,
				.memory = { .fd = -1 },
				.kernel_fd = -1,
				.initrd_fd = -1,
				.null_fd = -1 };
	p->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	r = p->null_fd < 0 ? err_errno(e, "open /dev/null") : open_kvm(p, e);
	if (r == 0)
		r = cpu_cache_get(p->kvm_fd, &p->host_cpu, &p->host_cpu_len, e);
	if (r == 0)
		r = open_boot_files(p, cfg, console, e);
	if (r == 0)
		r = vm_memory_open(cfg->memory_bytes, memory_wish(cfg), &p->memory, e);
	if (r == 0)
		r = add_disks(p, cfg, e);
	for (unsigned int i = 0; r == 0 && i < cfg->nnets; i++)
		r = add_net(p, &cfg->net[i], i, e);
	for (unsigned int i = 0; r == 0 && i < cfg->nforeign; i++)
		r = add_foreign(p, &cfg->foreign[i], i, e);
	if (r == 0)
		r = add_rng(p, e);
	if (r == 0)
		vm_parts_set_rates(p, &cfg->limits);
	if (r < 0)
		vm_parts_close(p);
	return r;
}

void vm_parts_close_inherited(struct vm_parts *p)
{
	close_fd(&p->kvm_fd);
	close_fd(&p->memory.fd);
	close_fd(&p->kernel_fd);
	close_fd(&p->initrd_fd);
	close_fd(&p->null_fd);
	for (unsigned int i = 0; i < p->ndevices; i++) {
		struct vm_device *d = &p->device[i];

		if (d->filter != FILTER_BLK) /* for vm_device_unlock() */
			close_fd(&d->own_fd);
		close_fd(&d->front);
		close_fd(&d->back);
		close_fd(&d->counters_fd);
		close_fd(&d->controls_fd);
	}
}

void vm_device_unlock(const struct vm_device *d)
{
	/* A direct request may still be under way when its process is gone:
	 * there the lock goes with the last reference. */
	if (d->filter == FILTER_BLK && d->own_fd >= 0 && !d->blk.direct)
		vm_disk_unlock(d->own_fd);
}

void vm_parts_close(struct vm_parts *p)
{
	vm_parts_close_inherited(p);
	for (unsigned int i = 0; i < p->ndevices; i++) {
		struct vm_device *d = &p->device[i];
		/* munmap() takes no const. */
		void *counters = (void *)(uintptr_t)d->counters;

		close_fd(&d->own_fd);
		if (counters)
			munmap(counters, sizeof(*d->counters));
		if (d->controls)
			munmap(d->controls, sizeof(*d->controls));
	}
	free(p->host_cpu);
	free(p->kernel_path);
	free(p->cmdline);
	*p = (struct vm_parts){ .kvm_fd = -1,
				.memory = { .fd = -1 },
				.kernel_fd = -1,
				.initrd_fd = -1,
				.null_fd = -1 };
}
