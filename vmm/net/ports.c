/* ports.c - see ports.h. */
#include "vmm/net/ports.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/net/mtu.h"
#include "vmm/net/tables.h"
#include "vmm/net/tool.h"

#define SCRIPT_MAX 4096
#define LIST_MAX   (1024 * 1024)
#define BURST_MIN  16384ULL	/* bytes */
#define RATE_MAX   (1ULL << 35) /* bytes per second: tc counts a burst in 32 bits */

bool ports_wanted(const struct run_config *cfg)
{
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			return true;
	return false;
}

void ports_take_mtu(struct run_config *cfg)
{
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE && !cfg->net[i].mtu)
			cfg->net[i].mtu = mtu_for(cfg->net[i].bridge);
}

static int run_ip(const char *script, pid_t netns_of, struct err *e)
{
	const char *const argv[] = { "ip", "-batch", "-", NULL };

	return tool_run(&(struct tool_call){ .argv = argv,
					     .package = "iproute2",
					     .input = script,
					     .netns_of = netns_of },
			e);
}

/*
 * At most `bps` bytes per second leave by that interface, with the burst of a
 * tenth of a second that a guest's rates have (rate.h), but room for some frames.
 * 0: as many as there are.
 */
static int set_rate(const char *ifname, uint64_t bps, pid_t netns_of, struct err *e)
{
	const char *const argv[] = { "tc", "-batch", "-", NULL };
	char script[SCRIPT_MAX];
	int r;

	snprintf(script, sizeof(script), "qdisc replace dev %s root noqueue\n", ifname);
	if (bps)
		snprintf(script, sizeof(script),
			 "qdisc replace dev %s root tbf rate %llubit burst %llub latency 100ms\n",
			 ifname, (unsigned long long)MIN(bps, RATE_MAX) * 8,
			 (unsigned long long)MAX(MIN(bps, RATE_MAX) / 10, BURST_MIN));
	r = tool_run(&(struct tool_call){ .argv = argv,
					  .package = "iproute2",
					  .input = script,
					  .netns_of = netns_of },
		     e);
	if (r < 0)
		err_context(e, "set the rate of %s (--net-bps)", ifname);
	return r;
}

static int run_nft(const char *script, struct err *e)
{
	const char *const argv[] = { "nft", "-f", "-", NULL };

	return tool_run(&(struct tool_call){ .argv = argv, .package = "nftables", .input = script },
			e);
}

/* The end of a veth pair that goes into the process's namespace. */
static void peer_name(char out[IFNAMSIZ], const struct net_config *n)
{
	snprintf(out, IFNAMSIZ, "%.13sp", n->ifname);
}

static int check_bridge(const struct net_config *n, struct err *e)
{
	if (if_nametoindex(n->bridge) == 0)
		return err_set(
			e, ENODEV,
			"there is no bridge %s (ip link add %s type bridge; ip link set %s up)",
			n->bridge, n->bridge, n->bridge);
	return 0;
}

static int make_port(const struct run_config *cfg, const struct net_config *n, struct err *e)
{
	char script[SCRIPT_MAX], mtu[32] = "", peer[IFNAMSIZ];
	int r = check_bridge(n, e);

	if (r < 0) {
		err_context(e, "--net bridge=%s", n->bridge);
		return r;
	}
	if (n->mtu)
		snprintf(mtu, sizeof(mtu), "mtu %u", n->mtu);
	peer_name(peer, n);
	if (cfg->isolation == RUN_ISOLATION_VM)
		snprintf(script, sizeof(script), "tuntap add dev %s mode tap\n", n->ifname);
	else
		snprintf(script, sizeof(script),
			 "link add %s %s type veth peer name %s %s "
			 "address %02x:%02x:%02x:%02x:%02x:%02x\n",
			 n->ifname, mtu, peer, mtu, n->mac[0], n->mac[1], n->mac[2], n->mac[3],
			 n->mac[4], n->mac[5]);
	/* The port itself has no address: whoever is on the bridge would reach
	 * the host by it. */
	/* Its MAC address is a high one: a bridge takes the lowest of its ports',
	 * and must not change its own when an instance comes or goes. */
	snprintf(script + strlen(script), sizeof(script) - strlen(script),
		 "link set dev %s address fe:%02x:%02x:%02x:%02x:%02x\n"
		 "link set dev %s %s addrgenmode none master %s\nlink set dev %s up\n",
		 n->ifname, n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5], n->ifname, mtu,
		 n->bridge, n->ifname);
	r = run_ip(script, 0, e);
	if (r < 0 && geteuid() != 0)
		err_context(e, "ports of bridges are made by root (CAP_NET_ADMIN)");
	/* What goes in leaves by the host's end; a guest's device has a rate of
	 * its own. */
	if (r == 0 && cfg->limits.net_bps && cfg->isolation != RUN_ISOLATION_VM)
		r = set_rate(n->ifname, cfg->limits.net_bps, 0, e);
	if (r < 0)
		err_context(e, "--net bridge=%s", n->bridge);
	return r;
}

/* Bridged frames are to be seen by the inet tables. */
static int call_inet(const struct run_config *cfg, struct err *e)
{
	char script[SCRIPT_MAX];
	size_t used = 0;

	if (access("/proc/sys/net/bridge", F_OK) < 0)
		return err_set(e, EOPNOTSUPP,
			       "frames on a bridge are not filtered here: this kernel has neither "
			       "nf_conntrack_bridge nor, now, br_netfilter (modprobe "
			       "br_netfilter)");
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			used += (size_t)snprintf(script + used, sizeof(script) - used,
						 "link set dev %s type bridge nf_call_iptables 1 "
						 "nf_call_ip6tables 1\n",
						 cfg->net[i].bridge);
	return run_ip(script, 0, e);
}

/*
 * In the bridge's own family where connections are followed there, which only
 * an attempt tells: nft loads the module, and a kernel without it answers
 * EPROTO.  Nothing of a script that fails is left.
 */
static int make_tables(const struct run_config *cfg, struct err *e)
{
	_cleanup_free_ char *text = malloc(TABLES_TEXT_MAX);
	int r = text ? tables_format(text, TABLES_TEXT_MAX, cfg, TABLES_BRIDGE, e)
		     : err_set(e, ENOMEM, "no memory for the network's rules");

	if (r < 0 || run_nft(text, NULL) == 0)
		return r;
	r = call_inet(cfg, e);
	if (r == 0)
		r = tables_format(text, TABLES_TEXT_MAX, cfg, TABLES_INET, e);
	return r < 0 ? r : run_nft(text, e);
}

int ports_make(const struct run_config *cfg, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			r = make_port(cfg, &cfg->net[i], e);
	if (r < 0)
		return r;
	r = make_tables(cfg, e);
	if (r < 0)
		err_context(e, "set the network's rules");
	return r;
}

int ports_set_rate(const struct run_config *cfg, pid_t pid, uint64_t bps, struct err *e)
{
	char name[TABLES_NAME_MAX], script[SCRIPT_MAX] = "", inside[IFNAMSIZ];
	size_t index = 0;
	int r = 0;

	tables_name(name, cfg);
	for (size_t i = 0; r == 0 && i < cfg->nnets; i++) {
		if (cfg->net[i].kind != NET_BRIDGE)
			continue;
		snprintf(inside, sizeof(inside), "eth%zu", index++);
		r = set_rate(cfg->net[i].ifname, bps, 0, e);
		if (r == 0)
			r = set_rate(inside, bps, pid, e);
		tables_format_fence(script + strlen(script), sizeof(script) - strlen(script), name,
				    i, bps);
	}
	return r < 0 ? r : run_nft(script, e);
}

static int enter_one(const struct run_config *cfg, const struct net_config *n, size_t index,
		     pid_t pid, struct err *e)
{
	char script[SCRIPT_MAX], peer[IFNAMSIZ], inside[IFNAMSIZ];
	size_t used;
	int r;

	peer_name(peer, n);
	snprintf(script, sizeof(script), "link set dev %s netns %d name eth%zu\n", peer, (int)pid,
		 index);
	r = run_ip(script, 0, e);
	if (r < 0)
		return r;
	used = (size_t)snprintf(script, sizeof(script), "link set dev eth%zu up\n", index);
	if (n->ip[0])
		used += (size_t)snprintf(script + used, sizeof(script) - used,
					 "address add %s dev eth%zu%s\n", n->ip, index,
					 strchr(n->ip, ':') ? " nodad" : "");
	if (n->gw[0])
		snprintf(script + used, sizeof(script) - used,
			 "route add default via %s dev eth%zu onlink\n", n->gw, index);
	r = run_ip(script, pid, e);
	if (r < 0 || !cfg->limits.net_bps)
		return r;
	/* What comes out: the command has no right to change it.  Should it have
	 * been given one (--cap-add NET_ADMIN), the filter at the host's end
	 * drops what is a good deal more (tables.c). */
	snprintf(inside, sizeof(inside), "eth%zu", index);
	return set_rate(inside, cfg->limits.net_bps, pid, e);
}

int ports_enter(const struct run_config *cfg, pid_t pid, struct err *e)
{
	size_t index = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			r = enter_one(cfg, &cfg->net[i], index++, pid, e);
	if (r < 0)
		err_context(e, "set up the network inside");
	return r;
}

/* "bh0123abcd.0" */
static bool is_port_name(const char *name)
{
	return strncmp(name, "bh", 2) == 0 && strspn(name + 2, "0123456789abcdef") == 8 &&
	       name[10] == '.' && strlen(name) == 12;
}

int ports_remove_link(const char *ifname, struct err *e)
{
	char script[64];
	int r;

	if (!is_port_name(ifname))
		return err_set(e, EINVAL, "%.20s is no interface of Bulkhead's", ifname);
	/* A veth goes with its namespace, some time after the last process. */
	if (if_nametoindex(ifname) == 0)
		return 0;
	snprintf(script, sizeof(script), "link del dev %s\n", ifname);
	r = run_ip(script, 0, e);
	return r < 0 && if_nametoindex(ifname) == 0 ? 0 : r;
}

int ports_remove_tables(const char *name, struct err *e)
{
	char script[512];
	size_t n;

	if (!tables_is_name(name))
		return err_set(e, EINVAL, "%.20s are no tables of Bulkhead's", name);
	tables_format_removal(script, sizeof(script), "netdev", name);
	n = strlen(script);
	tables_format_removal(script + n, sizeof(script) - n, "inet", name);
	n = strlen(script);
	tables_format_removal(script + n, sizeof(script) - n, "bridge", name);
	if (run_nft(script, NULL) == 0)
		return 0;
	/* A kernel may have no tables of bridges at all. */
	script[n] = '\0';
	return run_nft(script, e);
}

/* --- counters --- */

static void add_count(json_t *to, const char *key, const json_t *counter)
{
	json_t *o = json_object_get(to, key);
	json_int_t p = json_integer_value(json_object_get(o, "packets"));
	json_int_t b = json_integer_value(json_object_get(o, "bytes"));

	p += json_integer_value(json_object_get(counter, "packets"));
	b += json_integer_value(json_object_get(counter, "bytes"));
	json_object_set_new(to, key, json_pack("{s:I, s:I}", "packets", p, "bytes", b));
}

/* The counter among a rule's expressions. */
static json_t *counter_of(const json_t *rule)
{
	json_t *expr, *counter;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, expr)
	{
		counter = json_object_get(expr, "counter");
		if (counter)
			return counter;
	}
	return NULL;
}

/* Rules are known by their comments, which are ours. */
static void take_rule(json_t *to, const json_t *rule, bool *ret_known)
{
	const char *chain = json_string_value(json_object_get(rule, "chain"));
	const char *comment = json_string_value(json_object_get(rule, "comment"));
	const json_t *counter = counter_of(rule);

	if (chain && strcmp(chain, "prerouting") == 0)
		*ret_known = true;
	if (!comment || !counter)
		return;
	if (strcmp(comment, "denied") == 0 || strcmp(comment, "invalid") == 0)
		add_count(to, comment, counter);
	else
		json_array_append_new(json_object_get(to, "rules"),
				      json_pack("{s:s, s:O, s:O}", "rule", comment, "packets",
						json_object_get(counter, "packets"), "bytes",
						json_object_get(counter, "bytes")));
}

/* *ret_known: the instance's packets are recognised, by its address. */
static int count_table(const char *family, const char *table, json_t *to, bool *ret_known,
		       struct err *e)
{
	const char *const argv[] = { "nft", "-j", "list", "table", family, table, NULL };
	_cleanup_free_ char *text = malloc(LIST_MAX);
	json_t *all, *item;
	size_t i;
	int r;

	if (!text)
		return err_set(e, ENOMEM, "no memory for the network's counters");
	r = tool_run(&(struct tool_call){ .argv = argv,
					  .package = "nftables",
					  .input = "",
					  .output = text,
					  .output_size = LIST_MAX },
		     e);
	if (r < 0)
		return r;
	all = json_loads(text, 0, NULL);
	if (!all)
		return err_set(e, EPROTO, "nft's list cannot be read");
	json_array_foreach(json_object_get(all, "nftables"), i, item)
	{
		const json_t *counter = json_object_get(item, "counter");

		take_rule(to, json_object_get(item, "rule"), ret_known);
		if (counter)
			add_count(to, json_string_value(json_object_get(counter, "name")), counter);
	}
	json_decref(all);
	return 0;
}

static int count(const char *table, json_t **ret, enum tables_family *ret_family, bool *ret_known,
		 struct err *e)
{
	json_t *to = json_pack("{s:[]}", "rules");
	int r = -ENOENT;

	*ret_known = false;
	if (!to)
		return err_set(e, ENOMEM, "no memory for the network's counters");
	for (int f = 0; r < 0 && f < TABLES_FAMILIES; f++) {
		*ret_family = (enum tables_family)f;
		r = count_table(tables_family_name(*ret_family), table, to, ret_known, e);
	}
	json_object_set_new(to, "family", json_string(tables_family_name(*ret_family)));
	if (r == 0)
		r = count_table("netdev", table, to, ret_known, e);
	if (r < 0) {
		json_decref(to);
		return r;
	}
	*ret = to;
	return 0;
}

int ports_count(const char *table, json_t **ret, struct err *e)
{
	enum tables_family family;
	bool known;

	return count(table, ret, &family, &known, e);
}

int ports_change(const char *table, const struct net_rule *rules, size_t nrules, struct err *e)
{
	_cleanup_free_ char *script = malloc(TABLES_TEXT_MAX);
	enum tables_family family;
	bool known, denies;
	json_t *now;
	int r;

	if (!script)
		return err_set(e, ENOMEM, "no memory for the network's rules");
	r = count(table, &now, &family, &known, e);
	if (r < 0)
		return r;
	denies = json_object_get(now, "denied") != NULL;
	json_decref(now);
	if (!known)
		return err_set(
			e, EINVAL,
			"it was started without --net ip=, and rules know it by its address");
	r = tables_format_change(script, TABLES_TEXT_MAX, table, family, rules, nrules, denies, e);
	return r < 0 ? r : run_nft(script, e);
}
