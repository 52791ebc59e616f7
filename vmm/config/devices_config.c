/*
 * devices_config.c - see devices_config.h.  Each value is a list of items
 * (list_next() in values.h); a table says how each key is read.
 */
#include "vmm/config/devices_config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/config/values.h"

#define MTU_MIN 68 /* RFC 791: what every IPv4 link carries */
#define MTU_MAX 65535
#define FD_MIN	3 /* below: the console */

struct item_rule {
	const char *key;
	bool flag; /* the bare word, without '=' */
	int (*set)(void *target, const char *value, struct err *e);
};

/* Apply one item by its rule.  *seen has a bit per rule. */
static int apply_item(const struct item_rule *rules, size_t nrules, unsigned int *seen,
		      const char *item, void *target, struct err *e)
{
	char shown[64];
	const char *value;
	int r;

	for (size_t i = 0; i < nrules; i++) {
		const struct item_rule *rule = &rules[i];

		value = rule->flag ? (strcmp(item, rule->key) == 0 ? "" : NULL)
				   : item_value(item, rule->key);
		if (!value)
			continue;
		if (*seen & (1u << i))
			return err_set(e, EINVAL, "%s is given twice", rule->key);
		*seen |= 1u << i;
		if (!rule->flag && !*value)
			return err_set(e, EINVAL, "%s= has no value", rule->key);
		r = rule->set(target, value, e);
		if (r < 0 && !rule->flag)
			err_context(e, "%s", rule->key);
		return r;
	}
	return err_set(e, EINVAL, "'%s' is not known here", printable(shown, sizeof(shown), item));
}

static int apply_rest(const struct item_rule *rules, size_t nrules, const char *at, void *target,
		      struct err *e)
{
	unsigned int seen = 0;
	int r;

	for (;;) {
		_cleanup_free_ char *item = NULL;

		r = list_next(&at, &item, e);
		if (r <= 0)
			return r;
		r = apply_item(rules, nrules, &seen, item, target, e);
		if (r < 0)
			return r;
	}
}

static int disk_ro(void *target, const char *value, struct err *e)
{
	struct disk_config *d = target;

	(void)value;
	(void)e;
	d->ro = true;
	return 0;
}

static int disk_id(void *target, const char *value, struct err *e)
{
	struct disk_config *d = target;
	int r;

	r = check_name(value, RUN_DISK_ID_MAX, e);
	if (r < 0)
		return r;
	snprintf(d->id, sizeof(d->id), "%s", value);
	return 0;
}

static int disk_direct(void *target, const char *value, struct err *e)
{
	struct disk_config *d = target;

	return parse_on_off(value, &d->direct, e);
}

static int disk_queues(void *target, const char *value, struct err *e)
{
	struct disk_config *d = target;
	uint64_t n;

	if (parse_u64(value, 1, RUN_DISK_QUEUES_MAX, &n) < 0)
		return err_set(e, EINVAL, "must be a number from 1 to %d", RUN_DISK_QUEUES_MAX);
	d->queues = (unsigned int)n;
	return 0;
}

static int disk_dir(void *target, const char *value, struct err *e)
{
	struct disk_config *d = target;

	return parse_mount_point(value, &d->dir, e);
}

/* The first item, which is a file's name, then the others. */
static int parse_file(const char *value, const struct item_rule *rules, size_t nrules, void *target,
		      char **ret_path, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	const char *at = value;
	int r;

	r = list_next(&at, &path, e);
	if (r == 0)
		return err_set(e, EINVAL, "the file's name is empty");
	if (r < 0)
		return r;
	r = apply_rest(rules, nrules, at, target, e);
	if (r < 0)
		return r;
	*ret_path = take_ptr(&path);
	return 0;
}

int disk_config_parse(const char *value, struct disk_config *ret, struct err *e)
{
	static const struct item_rule rules[] = {
		{ "ro", true, disk_ro },	  { "path", false, disk_dir },
		{ "id", false, disk_id },	  { "direct", false, disk_direct },
		{ "queues", false, disk_queues },
	};
	struct disk_config d = { .queues = 1 };
	int r;

	r = parse_file(value, rules, ARRAY_SIZE(rules), &d, &d.path, e);
	if (r < 0) {
		free(d.dir);
		return r;
	}
	*ret = d;
	return 0;
}

static int root_rw(void *target, const char *value, struct err *e)
{
	struct root_config *root = target;

	(void)value;
	(void)e;
	root->rw = true;
	return 0;
}

int root_config_parse(const char *value, struct root_config *ret, struct err *e)
{
	static const struct item_rule rules[] = { { "rw", true, root_rw } };
	struct root_config root = { 0 };
	int r;

	r = parse_file(value, rules, ARRAY_SIZE(rules), &root, &root.path, e);
	if (r < 0)
		return r;
	*ret = root;
	return 0;
}

static int net_mac(void *target, const char *value, struct err *e)
{
	struct net_config *n = target;
	int r;

	r = parse_mac(value, n->mac, e);
	if (r < 0)
		return r;
	n->has_mac = true;
	return 0;
}

/* The text of an address, which the caller has found to be one. */
static int keep_address(char out[RUN_IP_MAX], const char *value, struct err *e)
{
	size_t n = strlen(value);

	if (n >= RUN_IP_MAX)
		return err_set(e, EINVAL, "'%.20s...' is too long", value);
	memcpy(out, value, n + 1);
	return 0;
}

static int net_ip(void *target, const char *value, struct err *e)
{
	struct net_config *n = target;
	int family, r;

	r = parse_cidr(value, &family, e);
	return r < 0 ? r : keep_address(n->ip, value, e);
}

static int net_gw(void *target, const char *value, struct err *e)
{
	struct net_config *n = target;
	int family, r;

	r = parse_ip(value, &family, e);
	return r < 0 ? r : keep_address(n->gw, value, e);
}

static int net_dns(void *target, const char *value, struct err *e)
{
	struct net_config *n = target;
	int family, r;

	r = parse_ip(value, &family, e);
	return r < 0 ? r : keep_address(n->dns, value, e);
}

static int net_mtu(void *target, const char *value, struct err *e)
{
	struct net_config *n = target;
	uint64_t mtu;

	if (parse_u64(value, MTU_MIN, MTU_MAX, &mtu) < 0)
		return err_set(e, EINVAL, "must be a number from %d to %d", MTU_MIN, MTU_MAX);
	n->mtu = (unsigned int)mtu;
	return 0;
}

static int net_netns(void *target, const char *value, struct err *e)
{
	struct net_config *n = target;

	n->netns = strdup(value);
	return n->netns ? 0 : err_set(e, ENOMEM, "out of memory");
}

/* The first item: what the interface is connected to. */
static int net_peer(struct net_config *n, const char *item, struct err *e)
{
	const char *value;
	uint64_t fd;
	int r;

	value = item_value(item, "tap");
	if (value) {
		r = check_ifname(value, e);
		if (r < 0)
			return r;
		n->kind = NET_TAP;
		snprintf(n->ifname, sizeof(n->ifname), "%s", value);
		return 0;
	}
	value = item_value(item, "bridge");
	if (value) {
		r = check_ifname(value, e);
		if (r < 0)
			return r;
		n->kind = NET_BRIDGE;
		snprintf(n->bridge, sizeof(n->bridge), "%s", value);
		return 0;
	}
	value = item_value(item, "netns");
	if (value) {
		if (!*value)
			return err_set(e, EINVAL, "netns= has no value");
		n->kind = NET_NETNS;
		return net_netns(n, value, e);
	}
	value = item_value(item, "fd");
	if (value) {
		if (parse_u64(value, FD_MIN, INT_MAX, &fd) < 0)
			return err_set(e, EINVAL, "fd: must be a number from %d on", FD_MIN);
		n->kind = NET_FD;
		n->fd = (int)fd;
		return 0;
	}
	return err_set(e, EINVAL,
		       "must begin with bridge=BRIDGE, tap=INTERFACE, fd=N, netns=NAME or "
		       "none");
}

/* What the items mean only together. */
static int net_check(const struct net_config *n, struct err *e)
{
	if (n->gw[0] && !n->ip[0])
		return err_set(e, EINVAL, "gw= needs ip=: a gateway is reached from an address");
	if (n->gw[0] && !strchr(n->gw, ':') != !strchr(n->ip, ':'))
		return err_set(e, EINVAL, "gw= and ip= are of different families");
	if (n->kind == NET_NETNS && (n->has_mac || n->ip[0] || n->mtu))
		return err_set(e, EINVAL,
			       "mac=, ip=, gw= and mtu= are not for netns=, whose interfaces are "
			       "as they are");
	if (n->netns && (n->kind == NET_BRIDGE || n->kind == NET_FD))
		return err_set(e, EINVAL, "netns= comes first, or behind tap=");
	return 0;
}

int net_config_parse(const char *value, struct net_config *ret, struct err *e)
{
	static const struct item_rule rules[] = {
		{ "mac", false, net_mac }, { "ip", false, net_ip },   { "gw", false, net_gw },
		{ "dns", false, net_dns }, { "mtu", false, net_mtu }, { "netns", false, net_netns },
	};
	_cleanup_free_ char *first = NULL;
	struct net_config n = { .fd = -1 };
	const char *at = value;
	int r;

	r = list_next(&at, &first, e);
	if (r < 0)
		return r;
	if (r == 1 && strcmp(first, "none") == 0) {
		if (*at)
			return err_set(e, EINVAL, "none stands alone");
		return 0;
	}
	r = net_peer(&n, first ? first : "", e);
	if (r < 0)
		return r;
	/* netns= itself is given by now. */
	r = apply_rest(rules, ARRAY_SIZE(rules) - (n.netns != NULL), at, &n, e);
	if (r == 0)
		r = net_check(&n, e);
	if (r < 0) {
		free(n.netns);
		return r;
	}
	*ret = n;
	return 1;
}

int foreign_config_parse(const char *value, struct foreign_config *ret, struct err *e)
{
	static const char *const kinds[] = {
		[FOREIGN_BLK] = "blk:", [FOREIGN_NET] = "net:", [FOREIGN_RNG] = "rng:"
	};
	const char *path;

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strncmp(value, kinds[i], strlen(kinds[i])) != 0)
			continue;
		path = value + strlen(kinds[i]);
		if (!*path)
			return err_set(e, EINVAL, "the socket's path is missing");
		ret->path = strdup(path);
		if (!ret->path)
			return err_set(e, ENOMEM, "out of memory");
		ret->kind = (enum foreign_kind)i;
		return 0;
	}
	return err_set(e, EINVAL, "must be blk:SOCKET, net:SOCKET or rng:SOCKET");
}
