/* test_net_rules.c - the rules of --allow and --deny, and the tables made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/config/net_rule.h"
#include "vmm/config/run_config.h"
#include "vmm/net/ports.h"
#include "vmm/net/tables.h"

static void test_rules(void **state)
{
	static const struct {
		const char *text, *said; /* said: NULL: refused */
	} rows[] = {
		{ "tcp:10.0.0.1:80", "allow out:tcp:10.0.0.1:80" },
		{ "out:tcp:10.0.0.0/8:80-90", "allow out:tcp:10.0.0.0/8:80-90" },
		{ "in:udp:any:53", "allow in:udp:any:53" },
		{ "in:any:any", "allow in:any:any" },
		{ "icmp:192.168.0.0/16", "allow out:icmp:192.168.0.0/16" },
		{ "tcp:[fd00::/8]:443", "allow out:tcp:[fd00::/8]:443" },
		{ "tcp:[::1]", "allow out:tcp:[::1]" },
		{ "tcp:any:65535", "allow out:tcp:any:65535" },
		{ "", NULL },
		{ "tcp", NULL },
		{ "tcp:", NULL },
		{ "in:", NULL },
		{ "up:tcp:any", NULL },
		{ "sctp:any", NULL },
		{ "tcp:10.0.0.256", NULL },
		{ "tcp:10.0.0.0/33", NULL },
		{ "tcp:host.example:80", NULL },
		{ "tcp:any:0", NULL },
		{ "tcp:any:65536", NULL },
		{ "tcp:any:90-80", NULL },
		{ "tcp:any:80-", NULL },
		{ "tcp:any:", NULL },
		{ "tcp:10.0.0.1:", NULL },
		{ "tcp:[fd00::1]:", NULL },
		{ "icmp:any:", NULL },
		{ "tcp:any:-80", NULL },
		{ "tcp:any:80:90", NULL },
		{ "tcp:any:123456789-123456789", NULL },
		{ "icmp:any:80", NULL },
		{ "any:any:80", NULL },
		{ "tcp:fd00::1:80", NULL },
		{ "tcp:[fd00::1", NULL },
		{ "tcp:[fd00::1]80", NULL },
		{ "tcp:10.0.0.1\"; flush ruleset; \":80", NULL },
	};
	struct net_rule rule;
	char said[NET_RULE_TEXT_MAX];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = net_rule_parse(rows[i].text, true, &rule, &e);

		if (!rows[i].said) {
			if (r != -EINVAL)
				fail_msg("'%s' is taken", rows[i].text);
			continue;
		}
		if (r != 0)
			fail_msg("'%s': %s", rows[i].text, e.text);
		net_rule_format(said, &rule);
		assert_string_equal(said, rows[i].said);
	}
	assert_int_equal(net_rule_parse("tcp:any", false, &rule, NULL), 0);
	net_rule_format(said, &rule);
	assert_string_equal(said, "deny out:tcp:any");
}

static void configure(struct run_config *cfg, const char *net)
{
	const uint8_t id[16] = { 0xde, 0xad, 0xbe, 0xef };

	run_config_init(cfg);
	assert_int_equal(run_config_set(cfg, RUN_SET_NET, net, NULL), 0);
	run_config_fill_id(cfg, id);
}

static void check_has(const char *text, const char *const *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strstr(text, wanted[i]))
			fail_msg("there is no '%s' in\n%s", wanted[i], text);
}

/* A fence behind the rate of a process, none for a guest; each port's its own. */
static void check_rate(struct run_config *cfg)
{
	static const char *const wanted[] = {
		"jump fence0",
		"flush chain netdev bulkhead_deadbeef fence0\n"
		"add rule netdev bulkhead_deadbeef fence0 limit rate over 9216 bytes/second",
	};
	static char text[TABLES_TEXT_MAX];
	struct err e;

	cfg->limits.net_bps = 8192;
	assert_int_equal(tables_format(text, sizeof(text), cfg, TABLES_INET, &e), 0);
	assert_null(strstr(text, "limit rate"));
	cfg->isolation = RUN_ISOLATION_PROCESS;
	assert_int_equal(tables_format(text, sizeof(text), cfg, TABLES_INET, &e), 0);
	check_has(text, wanted, ARRAY_SIZE(wanted));
	tables_format_fence(text, sizeof(text), "bulkhead_deadbeef", 3, 0);
	assert_string_equal(text, "flush chain netdev bulkhead_deadbeef fence3\n");
	cfg->limits.net_bps = 0;
	cfg->isolation = RUN_ISOLATION_VM;
}

static void test_tables(void **state)
{
	static const char *const wanted[] = {
		"table netdev bulkhead_deadbeef {",
		"ingress device \"bhdeadbeef.0\"",
		"ether type ip ip saddr 10.1.0.2 accept",
		"iifname \"br0\" ip saddr 10.1.0.2 goto from",
		"oifname \"br0\" ip daddr 10.1.0.2 goto to",
		"add rule inet bulkhead_deadbeef out ip daddr 10.0.0.0/8 tcp dport 80-90 counter "
		"accept "
		"comment \"allow out:tcp:10.0.0.0/8:80-90\"",
		"add rule inet bulkhead_deadbeef in ip6 saddr fd00::1 meta l4proto udp counter "
		"drop "
		"comment \"deny in:udp:[fd00::1]\"",
		"add rule inet bulkhead_deadbeef end counter drop",
	};
	static struct run_config cfg;
	static char text[TABLES_TEXT_MAX];
	size_t len;
	struct err e;

	(void)state;
	configure(&cfg, "bridge=br0,ip=10.1.0.2/24");
	assert_int_equal(tables_format(text, sizeof(text), &cfg, TABLES_INET, &e), 0);
	assert_null(strstr(text, "denied"));
	assert_int_equal(run_config_set(&cfg, RUN_SET_ALLOW, "tcp:10.0.0.0/8:80-90", NULL), 0);
	assert_int_equal(run_config_set(&cfg, RUN_SET_DENY, "in:udp:[fd00::1]", NULL), 0);
	assert_int_equal(tables_format(text, sizeof(text), &cfg, TABLES_INET, &e), 0);
	check_has(text, wanted, ARRAY_SIZE(wanted));
	check_rate(&cfg);
	len = strlen(text);
	for (size_t size = 1; size <= len; size += 97)
		assert_int_equal(tables_format(text, size, &cfg, TABLES_INET, &e), -E2BIG);
	assert_int_equal(tables_format_change(text, sizeof(text), "bulkhead_deadbeef", TABLES_INET,
					      cfg.rule, 2, true, &e),
			 0);
	assert_non_null(strstr(text, "insert rule inet bulkhead_deadbeef out"));
	assert_null(strstr(text, "denied"));
	run_config_release(&cfg);
}

/* The bridge's own family knows the port; IPv6 without an address of its own
 * says who its neighbours are, and nothing else. */
static void test_bridge_family(void **state)
{
	static const char *const wanted[] = {
		"table bridge bulkhead_deadbeef {",
		"iifname \"bhdeadbeef.0\" ip6 saddr fd00::2 goto from",
		"oifname \"bhdeadbeef.0\" ip6 daddr fd00::2 goto to",
		"ether type ip6 ip6 saddr fd00::2 accept",
		"icmpv6 type nd-neighbor-advert @th,64,128 != 0xfd000000000000000000000000000002 "
		"@th,64,128 != 0xfe8000000000000000ab03fffe040506 counter name \"spoofed\" drop",
		"ip6 saddr fe80::ab:3ff:fe04:506 icmpv6 type { nd-neighbor-solicit, ",
		"ip6 saddr :: icmpv6 type nd-neighbor-solicit @th,64,128 { "
		"0xfd000000000000000000000000000002, 0xfe8000000000000000ab03fffe040506 } accept",
		"ip6 saddr { ::, fe80::/10 } icmpv6 type { mld-listener-report, ",
		"ip6 saddr { ::, fe80::/10 } drop",
		"add rule bridge bulkhead_deadbeef out ip6 daddr fd00::/64 tcp dport 80-80",
		"add rule bridge bulkhead_deadbeef end counter drop",
	};
	static struct run_config cfg;
	static char text[TABLES_TEXT_MAX];
	struct err e;

	(void)state;
	configure(&cfg, "bridge=br0,ip=fd00::2/64,mac=02:ab:03:04:05:06");
	assert_int_equal(run_config_set(&cfg, RUN_SET_ALLOW, "tcp:[fd00::/64]:80", NULL), 0);
	assert_int_equal(tables_format(text, sizeof(text), &cfg, TABLES_BRIDGE, &e), 0);
	check_has(text, wanted, ARRAY_SIZE(wanted));
	assert_null(strstr(text, "inet"));
	assert_int_equal(tables_format_change(text, sizeof(text), "bulkhead_deadbeef",
					      TABLES_BRIDGE, cfg.rule, 1, false, &e),
			 0);
	assert_non_null(strstr(text, "insert rule bridge bulkhead_deadbeef out"));
	assert_non_null(strstr(text, "add rule bridge bulkhead_deadbeef end counter drop"));
	tables_format_removal(text, sizeof(text), "bridge", "bulkhead_deadbeef");
	assert_string_equal(text, "table bridge bulkhead_deadbeef { }\n"
				  "delete table bridge bulkhead_deadbeef\n");
	run_config_release(&cfg);
}

static void test_names(void **state)
{
	struct err e;

	(void)state;
	assert_true(tables_is_name("bulkhead_0123abcd"));
	assert_false(tables_is_name("bulkhead_0123abcd; flush ruleset"));
	assert_false(tables_is_name("filter"));
	/* What a damaged file may name. */
	assert_int_equal(ports_remove_tables("filter", &e), -EINVAL);
	assert_int_equal(ports_remove_link("eth0", &e), -EINVAL);
	assert_int_equal(ports_remove_link("bh0123abcd.0\nlink del eth0", &e), -EINVAL);
	assert_int_equal(ports_remove_link("bh00000000.9", &e), 0); /* gone already */
}

/* Rules are for ports of ours with an address. */
static void test_needs(void **state)
{
	static const char *const nets[] = { NULL, "none", "tap=t", "bridge=br0" };
	static struct run_config cfg;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		run_config_init(&cfg);
		assert_int_equal(run_config_set(&cfg, RUN_SET_ROOTFS, "r", NULL), 0);
		if (nets[i])
			assert_int_equal(run_config_set(&cfg, RUN_SET_NET, nets[i], NULL), 0);
		assert_int_equal(run_config_check(&cfg, &e), 0);
		assert_int_equal(run_config_set(&cfg, RUN_SET_ALLOW, "tcp:any", NULL), 0);
		assert_int_equal(run_config_check(&cfg, &e), -EINVAL);
		assert_non_null(strstr(e.text, "bridge=BRIDGE"));
		run_config_release(&cfg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),	      cmocka_unit_test(test_tables),
		cmocka_unit_test(test_bridge_family), cmocka_unit_test(test_names),
		cmocka_unit_test(test_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
