/* vm_device.c - see vm_device.h. */
#include "vmm/walls/vm_device.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "devices/backend/tap.h"
#include "vmm/base/util.h"
#include "vmm/jail/compartment.h"
#include "vmm/jail/netns.h"
#include "vmm/net/mtu.h"
#include "vmm/walls/vm_disk.h"

/* In the namespace that the thread is in.  The fd or -errno. */
static int open_tap(const struct net_config *c, struct net_params *ret, struct err *e)
{
	int fd = tap_open(c->ifname, &ret->offloads, e);

	if (fd >= 0 && !ret->mtu)
		ret->mtu = (uint16_t)mtu_for(c->ifname);
	return fd;
}

static int open_tap_elsewhere(const struct net_config *c, struct net_params *ret, struct err *e)
{
	_cleanup_close_ int netns = netns_open(c->netns, e);
	int home = netns < 0 ? netns : netns_enter(netns, c->netns, e);
	int r;

	if (home < 0)
		return home;
	r = open_tap(c, ret, e);
	if (r < 0)
		err_context(e, "in the network namespace %s", c->netns);
	if (netns_leave(home, r < 0 ? NULL : e) < 0 && r >= 0) {
		close(r);
		return -EIO;
	}
	return r;
}

int vm_net_open(const struct net_config *c, struct net_params *ret, struct err *e)
{
	int r;

	memcpy(ret->mac, c->mac, sizeof(ret->mac));
	ret->mtu = (uint16_t)c->mtu;
	if (c->kind == NET_FD) {
		r = tap_setup(c->fd, &ret->offloads, e);
		r = r < 0 ? r : c->fd;
	} else {
		r = c->netns ? open_tap_elsewhere(c, ret, e) : open_tap(c, ret, e);
	}
	ret->tap_fd = MAX(r, -1);
	return MIN(r, 0);
}

struct seat_owner {
	const struct vm_device *device;
	bool confine;
};

static int confine_device(const struct device_seat *seat, struct err *e)
{
	const struct seat_owner *o = seat->ctx;
	int r = o->confine ? filter_install(o->device->filter, false, e) : 0;

	if (r == 0)
		__atomic_store_n(&seat->counters->confined, now_ns(), __ATOMIC_RELAXED);
	return r;
}

/* A page that somebody else reads or writes too, or one of our own. */
static void *map_page(int *fd, size_t size, int prot, struct err *e)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED | (*fd < 0 ? MAP_ANONYMOUS : 0), *fd, 0);

	close_fd(fd);
	if (p != MAP_FAILED)
		return p;
	err_errno(e, "map a shared page");
	return NULL;
}

/* A process that was taken over is not to fill the host's disk: files end where
 * the disk does (but for the in-flight record, made before confinement). */
static void limit_file_size(uint64_t bytes)
{
	const struct rlimit limit = { .rlim_cur = MAX(bytes, MIB), .rlim_max = MAX(bytes, MIB) };

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
}

int vm_device_serve(struct vm_device *d, bool confine, struct err *e)
{
	struct seat_owner owner = { .device = d, .confine = confine };
	struct device_seat seat = {
		.name = d->name, .vhost_sock = d->back, .confine = confine_device, .ctx = &owner
	};

	seat.counters =
		map_page(&d->counters_fd, sizeof(*seat.counters), PROT_READ | PROT_WRITE, e);
	seat.controls = map_page(&d->controls_fd, sizeof(*seat.controls), PROT_READ, e);
	if (!seat.counters || !seat.controls)
		return -ENOMEM;
	switch (d->filter) {
	case FILTER_BLK:
		limit_file_size(d->blk.bytes);
		return blk_main(&seat, &d->blk, e);
	case FILTER_NET:
		return net_main(&seat, &d->net, e);
	default:
		return rng_main(&seat, &d->rng, e);
	}
}

/* --- by itself --- */

static int open_own(const struct device_alone *cfg, struct vm_device *d, struct err *e)
{
	int r;

	if (cfg->kind == FOREIGN_BLK) {
		const struct vm_disk_request rq = {
			.path = cfg->disk->path,
			.id = cfg->disk->id,
			.read_only = cfg->disk->ro,
			.direct = cfg->disk->direct,
			.queues = (uint16_t)cfg->disk->queues,
		};

		d->filter = FILTER_BLK;
		r = vm_disk_open(&rq, &d->blk, e);
		d->own_fd = r < 0 ? -1 : d->blk.fd;
		return r;
	}
	d->filter = FILTER_RNG;
	if (cfg->kind == FOREIGN_RNG)
		return 0;
	d->filter = FILTER_NET;
	r = vm_net_open(cfg->net, &d->net, e);
	d->own_fd = d->net.tap_fd;
	return r;
}

/* One connection; the socket's name is gone afterwards. */
static int accept_one(const char *path, int *ret_fd, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int listener = -1;
	int fd, code;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(e, ENAMETOOLONG, "the socket's path %s is too long", path);
	memcpy(addr.sun_path, path, strlen(path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return err_errno(e, "make a socket");
	if (bind(listener, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(e, "make the socket %s", path);
	if (listen(listener, 1) < 0)
		return err_errno(e, "listen on %s", path);
	do {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	code = errno;
	unlink(path);
	errno = code;
	if (fd < 0)
		return err_errno(e, "take a connection on %s", path);
	*ret_fd = fd;
	return 0;
}

int device_alone_run(const struct device_alone *cfg, struct err *e)
{
	static const char *const names[] = {
		[FOREIGN_BLK] = "blk", [FOREIGN_NET] = "net", [FOREIGN_RNG] = "rng"
	};
	const struct compartment_spec spec = { .debuggable = !cfg->confine };
	struct vm_device d = { .own_fd = -1, .back = -1, .counters_fd = -1, .controls_fd = -1 };
	int keep[2];
	int r;

	snprintf(d.name, sizeof(d.name), "%s", names[cfg->kind]);
	r = open_own(cfg, &d, e);
	if (r == 0)
		r = accept_one(cfg->socket, &d.back, e);
	if (r < 0) {
		close_fd(&d.own_fd);
		return r;
	}
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, d.name);
	r = compartment_renounce(&spec);
	if (r < 0)
		return err_code(e, r, "give up what the device has no use for");
	keep[0] = d.back;
	keep[1] = d.own_fd;
	r = fds_close_others(keep, d.own_fd < 0 ? 1 : 2);
	if (r < 0)
		return err_code(e, r, "close what is not the device's");
	return vm_device_serve(&d, cfg->confine, e);
}
