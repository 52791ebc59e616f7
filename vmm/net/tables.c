/* tables.c - see tables.h; nft(8). */
#include "vmm/net/tables.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/base/util.h"

#define PREFIX "bulkhead_"

struct text {
	char *out;
	size_t size, used; /* used >= size: it did not fit */
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *fmt, ...)
{
	size_t left = t->used < t->size ? t->size - t->used : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left ? t->out + t->used : NULL, left, fmt, ap);
	va_end(ap);
	t->used += n > 0 ? (size_t)n : 0;
}

const char *tables_family_name(enum tables_family family)
{
	return family == TABLES_BRIDGE ? "bridge" : "inet";
}

static int finish(const struct text *t, struct err *e)
{
	return t->used < t->size ? 0 : err_set(e, E2BIG, "the network rules are too many");
}

void tables_name(char out[TABLES_NAME_MAX], const struct run_config *cfg)
{
	snprintf(out, TABLES_NAME_MAX, PREFIX "%02x%02x%02x%02x", cfg->id[0], cfg->id[1],
		 cfg->id[2], cfg->id[3]);
}

void tables_name_of(char out[TABLES_NAME_MAX], const char *uuid)
{
	snprintf(out, TABLES_NAME_MAX, PREFIX "%.8s", uuid);
}

bool tables_is_name(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && strlen(name) == strlen(PREFIX) + 8 &&
	       strspn(name + strlen(PREFIX), "0123456789abcdef") == 8;
}

/* "add" behind those that there are, or "insert" in front. */
static void add_rule(struct text *t, const char *how, const char *family, const char *table,
		     const struct net_rule *rule)
{
	const char *icmp = "meta l4proto { icmp, ipv6-icmp } ";
	char said[NET_RULE_TEXT_MAX];

	add(t, "%s rule %s %s %s ", how, family, table, rule->in ? "in" : "out");
	if (rule->family)
		add(t, "%s %s %s ", rule->family == AF_INET6 ? "ip6" : "ip",
		    rule->in ? "saddr" : "daddr", rule->address);
	if (rule->protocol == NET_ICMP)
		add(t, "%s", icmp);
	else if (rule->protocol != NET_ANY && !rule->first)
		add(t, "meta l4proto %s ", rule->protocol == NET_TCP ? "tcp" : "udp");
	else if (rule->protocol != NET_ANY)
		add(t, "%s dport %u-%u ", rule->protocol == NET_TCP ? "tcp" : "udp", rule->first,
		    rule->last);
	net_rule_format(said, rule);
	add(t, "counter %s comment \"%s\"\n", rule->allow ? "accept" : "drop", said);
}

/* What every packet of an instance passes, after its own chain has been found. */
static void add_judge(struct text *t, const char *chain, const char *rules)
{
	add(t,
	    "chain %s {\n"
	    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
	    "ct state invalid counter drop comment \"invalid\"\n"
	    "ct state related accept\n"
	    "ct direction reply accept\n"
	    "jump %s\njump end\n}\n",
	    chain, rules);
}

/* Where an interface's packets are recognised: routing sees the bridge only. */
static void add_dispatch(struct text *t, const struct net_config *n, enum tables_family family,
			 bool from)
{
	if (n->ip[0])
		add(t, "%s \"%s\" %s %s %.*s goto %s\n", from ? "iifname" : "oifname",
		    family == TABLES_BRIDGE ? n->ifname : n->bridge,
		    strchr(n->ip, ':') ? "ip6" : "ip", from ? "saddr" : "daddr",
		    (int)strcspn(n->ip, "/"), n->ip, from ? "from" : "to");
}

static void add_ipv4(struct text *t, const struct net_config *n, int len)
{
	add(t,
	    "ether type ip ip saddr %.*s accept\n"
	    "ether type arp arp saddr ether %02x:%02x:%02x:%02x:%02x:%02x arp saddr ip { "
	    "%.*s, 0.0.0.0 } accept\n"
	    "ether type ip6 drop\n",
	    len, n->ip, n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5], len,
	    n->ip);
}

/* The link-local address that goes with the MAC address, RFC 4291, appendix A. */
static void link_local(struct in6_addr *out, const unsigned char mac[6])
{
	*out = (struct in6_addr){ .s6_addr = { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff,
					       0xfe, mac[3], mac[4], mac[5] } };
}

/* As nft's raw payload takes a number. */
static void format_hex(char out[2 + 32 + 1], const struct in6_addr *a)
{
	char *at = out + snprintf(out, 3, "0x");

	for (size_t i = 0; i < sizeof(a->s6_addr); i++)
		at += snprintf(at, 3, "%02x", a->s6_addr[i]);
}

/* Who has which address is told in three ways, RFC 4861, 7.2.3 to 7.2.5, and RFC
 * 4862, 5.4.3: an advertisement's target, a solicitation's source, and the target of
 * one without a source, whose address nobody else takes then.  The target comes
 * behind 8 bytes; nft 1.0.6 and before have no name for it.
 *
 * That somebody is in a multicast group may be said, not asked (RFC 3810, 5), and from
 * any link-local address, as it binds no other to this port: a bridge whose network
 * has a querier forwards solicitations to the groups' members only. */
#define ND_TARGET "@th,64,128"

static void add_ipv6(struct text *t, const struct net_config *n, int len)
{
	char ip[INET6_ADDRSTRLEN], local_ip[INET6_ADDRSTRLEN] = "", own[35], local[35];
	struct in6_addr a = { 0 };

	snprintf(ip, sizeof(ip), "%.*s", len, n->ip);
	inet_pton(AF_INET6, ip, &a);
	format_hex(own, &a);
	link_local(&a, n->mac);
	inet_ntop(AF_INET6, &a, local_ip, sizeof(local_ip));
	format_hex(local, &a);
	add(t,
	    "icmpv6 type nd-neighbor-advert " ND_TARGET " != %s " ND_TARGET " != %s "
	    "counter name \"spoofed\" drop\n"
	    "ether type ip6 ip6 saddr %s accept\n"
	    "ether type ip6 ip6 saddr %s icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } "
	    "accept\n"
	    "ether type ip6 ip6 saddr :: icmpv6 type nd-neighbor-solicit " ND_TARGET
	    " { %s, %s } accept\n"
	    "ether type ip6 ip6 saddr { ::, fe80::/10 } icmpv6 type { mld-listener-report, "
	    "mld-listener-done, mld2-listener-report } accept\n"
	    "ether type ip6 ip6 saddr { ::, fe80::/10 } drop\n"
	    "ether type { ip, arp } drop\n",
	    own, local, ip, local_ip, own, local);
}

/* Frames that this port may send.  The chain goes with the port, what it has
 * counted stays in the table.  What a stack sends on its own account in the
 * other family, or from a link-local address, is dropped and not counted: it is
 * no attempt at anything. */
static void add_port(struct text *t, const struct net_config *n, size_t index)
{
	int len = (int)strcspn(n->ip, "/");

	add(t,
	    "chain fence%zu { }\nchain port%zu {\ntype filter hook ingress device \"%s\" priority "
	    "-500; policy drop;\n"
	    "ether saddr != %02x:%02x:%02x:%02x:%02x:%02x counter name \"spoofed\" "
	    "drop\njump fence%zu\n",
	    index, index, n->ifname, n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4],
	    n->mac[5], index);
	if (!n->ip[0])
		add(t, "ether type { ip, ip6, arp } accept\n");
	else if (strchr(n->ip, ':'))
		add_ipv6(t, n, len);
	else
		add_ipv4(t, n, len);
	add(t, "counter name \"spoofed\" drop\n}\n");
	if (!n->ip[0])
		return;
	/* Broadcasts and multicasts are no connection that a rule could allow. */
	add(t,
	    "chain to%zu {\ntype filter hook egress device \"%s\" priority 0; policy accept;\n"
	    "ether type arp accept\nether type %s %s daddr %.*s accept\n"
	    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept\n"
	    "goto many\n}\n",
	    index, n->ifname, strchr(n->ip, ':') ? "ip6" : "ip", strchr(n->ip, ':') ? "ip6" : "ip",
	    len, n->ip);
}

static void add_fence(struct text *t, const char *name, size_t index, uint64_t bps)
{
	uint64_t fence = bps / 8 * 9;

	add(t, "flush chain netdev %s fence%zu\n", name, index);
	if (bps)
		add(t,
		    "add rule netdev %s fence%zu limit rate over %llu bytes/second burst %llu "
		    "bytes drop\n",
		    name, index, (unsigned long long)fence,
		    (unsigned long long)MIN(fence / 5, UINT32_MAX));
}

void tables_format_fence(char *out, size_t size, const char *name, size_t index, uint64_t bps)
{
	struct text t = { .out = out, .size = size };

	add_fence(&t, name, index, bps);
}

/* Once there is a rule: what none allows. */
static void add_default(struct text *t, const char *family, const char *name)
{
	add(t,
	    "add rule %s %s end counter drop comment \"denied\"\n"
	    "add rule netdev %s many counter drop comment \"denied\"\n",
	    family, name, name);
}

int tables_format(char *out, size_t size, const struct run_config *cfg, enum tables_family family,
		  struct err *e)
{
	const char *f = tables_family_name(family);
	struct text t = { .out = out, .size = size };
	char name[TABLES_NAME_MAX];

	tables_name(name, cfg);
	add(&t, "table netdev %s {\ncounter spoofed { }\nchain many { }\n", name);
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			add_port(&t, &cfg->net[i], i);
	add(&t, "}\ntable %s %s {\nchain out { }\nchain in { }\nchain end { }\n", f, name);
	add_judge(&t, "from", "out");
	add_judge(&t, "to", "in");
	/* After conntrack (-200), before anybody's address translation. */
	add(&t, "chain prerouting {\ntype filter hook prerouting priority -150;\n");
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			add_dispatch(&t, &cfg->net[i], family, true);
	add(&t, "}\nchain postrouting {\ntype filter hook postrouting priority 0;\n");
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			add_dispatch(&t, &cfg->net[i], family, false);
	add(&t, "}\n}\n");
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE && cfg->isolation != RUN_ISOLATION_VM)
			add_fence(&t, name, i, cfg->limits.net_bps);
	for (size_t i = 0; i < cfg->nrules; i++)
		add_rule(&t, "add", f, name, &cfg->rule[i]);
	if (cfg->nrules)
		add_default(&t, f, name);
	return finish(&t, e);
}

void tables_format_removal(char *out, size_t size, const char *family, const char *name)
{
	/* To delete what is not there would be an error: make it first. */
	snprintf(out, size, "table %s %s { }\ndelete table %s %s\n", family, name, family, name);
}

int tables_format_change(char *out, size_t size, const char *name, enum tables_family family,
			 const struct net_rule *rules, size_t nrules, bool denies_already,
			 struct err *e)
{
	const char *f = tables_family_name(family);
	struct text t = { .out = out, .size = size };

	out[0] = '\0';
	for (size_t i = nrules; i-- > 0;)
		add_rule(&t, "insert", f, name, &rules[i]);
	if (!denies_already)
		add_default(&t, f, name);
	return finish(&t, e);
}
