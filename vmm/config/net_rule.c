/* net_rule.c - see net_rule.h. */
#include "vmm/config/net_rule.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/base/util.h"
#include "vmm/config/values.h"

static const char *const protocols[] = {
	[NET_ANY] = "any",
	[NET_TCP] = "tcp",
	[NET_UDP] = "udp",
	[NET_ICMP] = "icmp",
};

#define FORM "must be [in:|out:]tcp|udp|icmp|any:ADDRESS[/PREFIX][:PORT[-PORT]]"

/* `text` up to the next colon, or up to `stop`; moves *at behind it. */
static bool take_word(const char **at, char *out, size_t size)
{
	const char *from = *at;
	size_t n;

	if (*from == '[') { /* an IPv6 address has colons of its own */
		const char *close = strchr(from, ']');

		if (!close || (close[1] && close[1] != ':'))
			return false;
		from++;
		n = (size_t)(close - from);
		*at = close + 1;
	} else {
		n = strcspn(from, ":");
		*at = from + n;
	}
	/* A colon with nothing behind it: what was to be there is missing, and
	 * without it the rule would say more. */
	if (**at == ':' && *++*at == '\0')
		return false;
	if (n == 0 || n >= size)
		return false;
	memcpy(out, from, n);
	out[n] = '\0';
	return true;
}

static int parse_protocol(const char *text, enum net_protocol *ret, struct err *e)
{
	char shown[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (strcmp(text, protocols[i]) == 0) {
			*ret = (enum net_protocol)i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "'%s' is no protocol: there are tcp, udp, icmp and any",
		       printable(shown, sizeof(shown), text));
}

static int parse_address(const char *text, struct net_rule *rule, struct err *e)
{
	int r;

	if (strcmp(text, "any") == 0)
		return 0;
	if (strchr(text, '/'))
		r = parse_cidr(text, &rule->family, e);
	else
		r = parse_ip(text, &rule->family, e);
	if (r < 0)
		return r;
	if (strlen(text) >= sizeof(rule->address))
		return err_set(e, EINVAL, "the address is too long");
	strcpy(rule->address, text);
	return 0;
}

static int parse_ports(const char *text, struct net_rule *rule, struct err *e)
{
	const char *dash = strchr(text, '-');
	char first[8];
	uint64_t a, b;

	if (rule->protocol != NET_TCP && rule->protocol != NET_UDP)
		return err_set(e, EINVAL, "%s has no ports", protocols[rule->protocol]);
	if ((size_t)snprintf(first, sizeof(first), "%.*s",
			     dash ? (int)MIN(dash - text, 7) : (int)sizeof(first),
			     text) >= sizeof(first) ||
	    parse_u64(first, 1, 65535, &a) < 0 ||
	    parse_u64(dash ? dash + 1 : text, 1, 65535, &b) < 0 || b < a)
		return err_set(e, EINVAL,
			       "the port must be a number from 1 to 65535, or two, as 80-90");
	rule->first = (uint16_t)a;
	rule->last = (uint16_t)b;
	return 0;
}

int net_rule_parse(const char *text, bool allow, struct net_rule *ret, struct err *e)
{
	struct net_rule rule = { .allow = allow };
	const char *at = text;
	char word[NET_RULE_ADDRESS_MAX];
	int r;

	if (!take_word(&at, word, sizeof(word)))
		return err_set(e, EINVAL, FORM);
	rule.in = strcmp(word, "in") == 0;
	if ((rule.in || strcmp(word, "out") == 0) && !take_word(&at, word, sizeof(word)))
		return err_set(e, EINVAL, FORM);
	r = parse_protocol(word, &rule.protocol, e);
	if (r < 0)
		return r;
	if (!take_word(&at, word, sizeof(word)))
		return err_set(e, EINVAL, FORM);
	r = parse_address(word, &rule, e);
	if (r == 0 && *at)
		r = parse_ports(at, &rule, e);
	if (r < 0)
		return r;
	*ret = rule;
	return 0;
}

void net_rule_format(char out[NET_RULE_TEXT_MAX], const struct net_rule *rule)
{
	bool six = rule->family == AF_INET6;
	char ports[16] = "";

	if (rule->first && rule->first == rule->last)
		snprintf(ports, sizeof(ports), ":%u", rule->first);
	else if (rule->first)
		snprintf(ports, sizeof(ports), ":%u-%u", rule->first, rule->last);
	snprintf(out, NET_RULE_TEXT_MAX, "%s %s:%s:%s%s%s%s", rule->allow ? "allow" : "deny",
		 rule->in ? "in" : "out", protocols[rule->protocol], six ? "[" : "",
		 rule->address[0] ? rule->address : "any", six ? "]" : "", ports);
}
