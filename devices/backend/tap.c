/* tap.c - see tap.h. */
#include "devices/backend/tap.h"

#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/base/util.h"

static int open_control(struct err *e)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return err_errno(e, "open /dev/net/tun (load it with `modprobe tun`)");
	if (errno == EACCES || errno == EPERM)
		return err_errno(e, "open /dev/net/tun (read and write access is needed)");
	return err_errno(e, "open /dev/net/tun");
}

static int attach_failed(const char *ifname, int code, struct err *e)
{
	switch (code) {
	case EBUSY:
		return err_set(e, code,
			       "tap %s is in use by another process: stop that one, or give this "
			       "guest a tap of its own",
			       ifname);
	case EPERM:
	case EACCES:
		return err_set(e, code,
			       "not permitted to use tap %s: create it for this user with "
			       "`ip tuntap add dev %s mode tap user NAME`",
			       ifname, ifname);
	case EINVAL:
		return err_set(e, code,
			       "%s is not a tap (or was made with other flags): create "
			       "one with `ip tuntap add dev NAME mode tap`",
			       ifname);
	default:
		return err_set(e, code, "attach to tap %s: %s", ifname, strerror(code));
	}
}

int tap_open(const char *ifname, bool *ret_offloads, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct ifreq ifr;
	int r;

	memset(&ifr, 0, sizeof(ifr));
	if (!*ifname || strlen(ifname) >= sizeof(ifr.ifr_name))
		return err_set(e, EINVAL, "\"%s\" is no name of an interface", ifname);
	/* With the right capability TUNSETIFF makes what is not there: a typing
	 * error would give an interface that leads nowhere. */
	if (!if_nametoindex(ifname))
		return err_set(e, ENODEV,
			       "no interface %s: create it with `ip tuntap add dev %s mode tap`",
			       ifname, ifname);
	fd = open_control(e);
	if (fd < 0)
		return fd;
	memcpy(ifr.ifr_name, ifname, strlen(ifname));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	r = ioctl(fd, TUNSETIFF, &ifr);
	if (r < 0 && errno == EINVAL) {
		/* A tap of several queues is attached with that flag; one is enough. */
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
		r = ioctl(fd, TUNSETIFF, &ifr);
	}
	if (r < 0)
		return attach_failed(ifname, errno > 0 ? errno : EIO, e);
	r = tap_setup(fd, ret_offloads, e);
	if (r < 0) {
		err_context(e, "tap %s", ifname);
		return r;
	}
	return take_fd(&fd);
}

int tap_set_offload(int fd, bool csum, bool tso4, bool tso6)
{
	unsigned long f = 0;

	if (csum)
		f = TUN_F_CSUM | (tso4 ? TUN_F_TSO4 : 0) | (tso6 ? TUN_F_TSO6 : 0);
	return ioctl(fd, TUNSETOFFLOAD, f) < 0 ? neg_errno() : 0;
}

int tap_setup(int fd, bool *ret_offloads, struct err *e)
{
	int header = TAP_HEADER_LEN, flags;
	struct ifreq ifr;
	bool offloads;

	memset(&ifr, 0, sizeof(ifr));
	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return err_set(e, EINVAL, "file descriptor %d is not a tap", fd);
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI) ||
	    !(ifr.ifr_flags & IFF_VNET_HDR))
		return err_set(e, EINVAL,
			       "file descriptor %d: a tap opened with IFF_TAP, IFF_NO_PI and "
			       "IFF_VNET_HDR is needed",
			       fd);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return err_errno(e, "set the tap's header size");
	/* A previous user of a persistent tap may have left some on. */
	offloads = tap_set_offload(fd, true, true, true) == 0;
	if (tap_set_offload(fd, false, false, false) < 0 && offloads)
		return err_errno(e, "switch the tap's offloads off");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_errno(e, "make the tap non-blocking");
	*ret_offloads = offloads;
	return 0;
}
