/* mtu.c - see mtu.h; netdevice(7). */
#include "vmm/net/mtu.h"

#include <linux/if_ether.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "vmm/base/util.h"

unsigned int mtu_for(const char *ifname)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq q = { 0 };

	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", ifname);
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &q) < 0 || q.ifr_mtu == ETH_DATA_LEN ||
	    q.ifr_mtu <= 0 || q.ifr_mtu > UINT16_MAX)
		return 0;
	return (unsigned int)q.ifr_mtu;
}
