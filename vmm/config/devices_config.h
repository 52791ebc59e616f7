/* devices_config.h - the values of --disk and --net; used by run_config.c. */
#ifndef CONFIG_DEVICES_CONFIG_H
#define CONFIG_DEVICES_CONFIG_H

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

/* FILE[,path=DIR][,ro][,id=ID][,direct=on][,queues=N].  0 or -errno; ret->path
 * and ret->dir are the caller's to free. */
int disk_config_parse(const char *value, struct disk_config *ret, struct err *e);

/* FILE|DIR[,rw].  0 or -errno; ret->path is the caller's to free. */
int root_config_parse(const char *value, struct root_config *ret, struct err *e);

/* bridge=BR|tap=IF[,netns=NS]|fd=N|netns=NS|none[,mac=MAC][,ip=CIDR][,gw=IP]
 * [,dns=IP][,mtu=N].  1, and ret->netns is the caller's to free; 0 for "none";
 * -errno. */
int net_config_parse(const char *value, struct net_config *ret, struct err *e);

/* blk:SOCKET, net:SOCKET or rng:SOCKET.  0 or -errno; ret->path is the
 * caller's to free. */
int foreign_config_parse(const char *value, struct foreign_config *ret, struct err *e);

#endif
