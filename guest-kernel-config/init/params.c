/*
 * params.c - see params.h
 *
 * Strict on purpose: the host writes this file, so whatever is not understood
 * is a host and an init of different versions, and guessing would run
 * something else than what the user asked for.
 */
#include "params.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../guest_abi.h"

struct parser {
	struct params *p;
	char *error;
	bool seen_version;
	bool seen_verbose;
	bool seen_init;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct parser *ps, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ps->error, PARAMS_ERROR_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

static int once(struct parser *ps, bool seen, const char *key)
{
	if (seen)
		return wrong(ps, "parameter %s is given twice", key);
	return 0;
}

static int set_version(struct parser *ps, const char *value)
{
	if (ps->seen_version)
		return once(ps, true, "version");
	if (strcmp(value, "1") != 0)
		return wrong(ps, "version %.20s of the parameters is not known (this init knows 1)",
			     value);
	ps->seen_version = true;
	return 0;
}

static int set_console(struct parser *ps, const char *value)
{
	if (ps->p->console != PARAMS_CONSOLE_UNSET)
		return once(ps, true, "console");
	if (strcmp(value, "terminal") == 0)
		ps->p->console = PARAMS_CONSOLE_TERMINAL;
	else if (strcmp(value, "stream") == 0)
		ps->p->console = PARAMS_CONSOLE_STREAM;
	else
		return wrong(ps, "console=%.40s is neither terminal nor stream", value);
	return 0;
}

static int set_root(struct parser *ps, const char *value)
{
	static const struct {
		const char *name;
		enum params_root root;
	} roots[] = {
		{ "overlay", PARAMS_ROOT_OVERLAY },
		{ "rw", PARAMS_ROOT_RW },
		{ "ro", PARAMS_ROOT_RO },
		{ "none", PARAMS_ROOT_NONE },
	};

	if (ps->p->root != PARAMS_ROOT_UNSET)
		return once(ps, true, "root");
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (strcmp(value, roots[i].name) == 0) {
			ps->p->root = roots[i].root;
			return 0;
		}
	}
	return wrong(ps, "root=%.40s is not one of overlay, rw, ro, none", value);
}

static int set_input(struct parser *ps, const char *value)
{
	int r = once(ps, ps->p->no_input, "input");

	if (r < 0)
		return r;
	if (strcmp(value, "none") != 0)
		return wrong(ps, "input=%.40s is not none", value);
	ps->p->no_input = true;
	return 0;
}

static int set_verbose(struct parser *ps, const char *value)
{
	int r = once(ps, ps->seen_verbose, "verbose");

	if (r < 0)
		return r;
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return wrong(ps, "verbose=%.40s is neither 0 nor 1", value);
	ps->seen_verbose = true;
	ps->p->verbose = value[0] == '1';
	return 0;
}

static int set_init(struct parser *ps, const char *value)
{
	int r = once(ps, ps->seen_init, "init");

	if (r < 0)
		return r;
	if (strcmp(value, "image") != 0)
		return wrong(ps, "init=%.40s is not known (there is: image)", value);
	ps->seen_init = true;
	ps->p->image_init = true;
	return 0;
}

/* Decimal digits only, at most `max`; false on anything else. */
static bool parse_number(const char *s, uint32_t max, uint32_t *ret)
{
	uint32_t n = 0;

	if (*s == '\0' || strlen(s) > 9)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		n = n * 10 + (uint32_t)(*s - '0');
	}
	if (n > max)
		return false;
	*ret = n;
	return true;
}

static int set_size(struct parser *ps, const char *key, const char *value, uint16_t *ret)
{
	uint32_t n = 0;

	if (*ret != 0)
		return once(ps, true, key);
	if (!parse_number(value, UINT16_MAX, &n) || n == 0)
		return wrong(ps, "%s=%.40s is not a number from 1 to 65535", key, value);
	*ret = (uint16_t)n;
	return 0;
}

static int set_rows(struct parser *ps, const char *value)
{
	return set_size(ps, "rows", value, &ps->p->rows);
}

static int set_cols(struct parser *ps, const char *value)
{
	return set_size(ps, "cols", value, &ps->p->cols);
}

static int set_pids(struct parser *ps, const char *value)
{
	const char *comma = strchr(value, ',');
	char number[16] = "";
	uint32_t n = 0;

	if (ps->p->pids != 0)
		return once(ps, true, "pids");
	if (comma && strcmp(comma, ",best-effort") != 0)
		return wrong(ps, "pids=%.40s has something else than best-effort", value);
	snprintf(number, sizeof(number), "%.*s", comma ? (int)(comma - value) : 15, value);
	if (!parse_number(number, PARAMS_PIDS_MAX, &n) || n == 0)
		return wrong(ps, "pids=%.40s is not a number from 1 to %u", value, PARAMS_PIDS_MAX);
	ps->p->pids = n;
	ps->p->pids_best_effort = comma != NULL;
	return 0;
}

static int set_term(struct parser *ps, const char *value)
{
	if (ps->p->term)
		return once(ps, true, "term");
	if (*value == '\0')
		return wrong(ps, "term= is empty");
	ps->p->term = value;
	return 0;
}

static int set_hostname(struct parser *ps, const char *value)
{
	if (ps->p->hostname)
		return once(ps, true, "hostname");
	/* 64 is the kernel's __NEW_UTS_LEN. */
	if (*value == '\0' || strlen(value) > 64)
		return wrong(ps, "hostname= must have 1 to 64 characters");
	ps->p->hostname = value;
	return 0;
}

static int set_workdir(struct parser *ps, const char *value)
{
	if (ps->p->workdir)
		return once(ps, true, "workdir");
	if (*value != '/')
		return wrong(ps, "workdir=%.80s is not an absolute path", value);
	ps->p->workdir = value;
	return 0;
}

static int add_arg(struct parser *ps, const char *value)
{
	ps->p->argv[ps->p->argc++] = value;
	return 0;
}

static int add_env(struct parser *ps, const char *value)
{
	const char *equals = strchr(value, '=');

	if (!equals || equals == value)
		return wrong(ps, "env=%.80s is not NAME=VALUE", value);
	if (ps->p->envc == PARAMS_ENV_MAX)
		return wrong(ps, "more than %d env parameters", PARAMS_ENV_MAX);
	ps->p->env[ps->p->envc++] = value;
	return 0;
}

static bool parse_ip(const char *s, struct params_ip *ret)
{
	struct params_ip ip = { .family = strchr(s, ':') ? AF_INET6 : AF_INET };

	ip.len = ip.family == AF_INET6 ? 16 : 4;
	if (inet_pton(ip.family, s, ip.bytes) != 1)
		return false;
	*ret = ip;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_mac(const char *s, uint8_t mac[6])
{
	if (strlen(s) != 17)
		return false;
	for (int i = 0; i < 6; i++) {
		int high = hex_digit(s[3 * i]), low = hex_digit(s[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && s[3 * i + 2] != ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool parse_cidr(char *s, struct params_net *net)
{
	char *slash = strchr(s, '/');
	uint32_t prefix = 0;

	if (!slash)
		return false;
	*slash = '\0';
	if (!parse_ip(s, &net->address))
		return false;
	if (!parse_number(slash + 1, net->address.family == AF_INET6 ? 128 : 32, &prefix))
		return false;
	net->prefix_len = (uint8_t)prefix;
	return true;
}

/* MAC,CIDR,GW: each field fits a copy on the stack. */
static int add_net(struct parser *ps, const char *value)
{
	struct params_net net = { 0 };
	char copy[160];
	char *cidr, *gateway;

	if (ps->p->net_count == PARAMS_NET_MAX)
		return wrong(ps, "more than %d net parameters", PARAMS_NET_MAX);
	if (strlen(value) >= sizeof(copy))
		return wrong(ps, "net=%.40s... is too long", value);
	memcpy(copy, value, strlen(value) + 1);
	cidr = strchr(copy, ',');
	gateway = cidr ? strchr(cidr + 1, ',') : NULL;
	if (!gateway || strchr(gateway + 1, ','))
		return wrong(ps, "net=%.80s is not MAC,CIDR,GW", value);
	*cidr++ = '\0';
	*gateway++ = '\0';
	if (!parse_mac(copy, net.mac))
		return wrong(ps, "net=%.80s: no MAC address", value);
	if (*cidr && !parse_cidr(cidr, &net))
		return wrong(ps, "net=%.80s: no address with a prefix length", value);
	if (*gateway && !parse_ip(gateway, &net.gateway))
		return wrong(ps, "net=%.80s: no gateway address", value);
	if (*gateway && net.gateway.family != net.address.family)
		return wrong(ps, "net=%.80s: gateway without an address of its family", value);
	ps->p->net[ps->p->net_count++] = net;
	return 0;
}

/* NAME,MODE,DIR: the directory may have commas. */
static int add_disk(struct parser *ps, const char *value)
{
	struct params_disk disk = { 0 };

	if (ps->p->disk_count == PARAMS_DISK_MAX)
		return wrong(ps, "more than %d disk parameters", PARAMS_DISK_MAX);
	if (strncmp(value, "vd", 2) != 0 || value[2] < 'a' || value[2] > 'z' || value[3] != ',')
		return wrong(ps, "disk=%.80s does not begin with the name of a disk", value);
	memcpy(disk.name, value, 3);
	value += 4;
	disk.read_only = strncmp(value, "ro,", 3) == 0;
	if (!disk.read_only && strncmp(value, "rw,", 3) != 0)
		return wrong(ps, "disk=%s,%.80s is neither rw nor ro", disk.name, value);
	disk.dir = value + 3;
	if (*disk.dir != '/')
		return wrong(ps, "disk=%s: %.80s is not an absolute path", disk.name, disk.dir);
	ps->p->disk[ps->p->disk_count++] = disk;
	return 0;
}

static int add_dns(struct parser *ps, const char *value)
{
	struct params_ip ip;

	if (ps->p->dns_count == PARAMS_DNS_MAX)
		return wrong(ps, "more than %d dns parameters", PARAMS_DNS_MAX);
	if (!parse_ip(value, &ip))
		return wrong(ps, "dns=%.60s is not an IP address", value);
	ps->p->dns[ps->p->dns_count++] = value;
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct parser *ps, const char *value);
} keys[] = {
	{ "version", set_version },   { "console", set_console }, { "verbose", set_verbose },
	{ "rows", set_rows },	      { "cols", set_cols },	  { "term", set_term },
	{ "hostname", set_hostname }, { "root", set_root },	  { "init", set_init },
	{ "arg", add_arg },	      { "env", add_env },	  { "workdir", set_workdir },
	{ "net", add_net },	      { "dns", add_dns },	  { "pids", set_pids },
	{ "disk", add_disk },	      { "input", set_input },
};

static int parse_record(struct parser *ps, const char *record)
{
	const char *equals = strchr(record, '=');
	size_t len = equals ? (size_t)(equals - record) : 0;

	if (!equals)
		return wrong(ps, "parameter '%.40s' is not key=value", record);
	if (!ps->seen_version && strncmp(record, "version=", 8) != 0)
		return wrong(ps, "the parameters do not begin with version=");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i].name) == len && memcmp(keys[i].name, record, len) == 0)
			return keys[i].set(ps, equals + 1);
	}
	return wrong(ps, "parameter %.*s is not known to this init", len < 40 ? (int)len : 40,
		     record);
}

/* What only the whole can tell. */
static int check_whole(struct parser *ps)
{
	const struct params *p = ps->p;

	if (!ps->seen_version)
		return wrong(ps, "the parameters are empty");
	if (p->console == PARAMS_CONSOLE_UNSET)
		return wrong(ps, "parameter console is missing");
	if (p->root == PARAMS_ROOT_UNSET)
		return wrong(ps, "parameter root is missing");
	if (p->image_init && p->argc > 0)
		return wrong(ps, "init=image and a command exclude each other");
	if (!p->image_init && p->argc == 0)
		return wrong(ps, "there is neither a command nor init=image");
	if (p->console == PARAMS_CONSOLE_STREAM && (p->rows || p->cols || p->term))
		return wrong(ps, "rows, cols and term belong to console=terminal");
	if (p->console == PARAMS_CONSOLE_TERMINAL && p->no_input)
		return wrong(ps, "input=none belongs to console=stream");
	/* Nobody would take the escapes out of the image's init's input. */
	if (p->console == PARAMS_CONSOLE_STREAM && p->image_init)
		return wrong(ps, "init=image needs console=terminal");
	return 0;
}

static int parse_records(struct parser *ps, const char *buf, size_t len)
{
	const char *end = buf + len;

	while (buf < end) {
		size_t left = (size_t)(end - buf);
		size_t record = strnlen(buf, left);
		int r;

		if (record == left)
			return wrong(ps, "the last parameter is cut off");
		r = parse_record(ps, buf);
		if (r < 0)
			return r;
		buf += record + 1;
	}
	return check_whole(ps);
}

/* Room for as many as there are records: never more than was sent. */
static int allocate(struct params *p, const char *buf, size_t len)
{
	size_t records = 0;

	for (size_t i = 0; i < len; i++)
		records += buf[i] == '\0';
	p->argv = calloc(records + 1, sizeof(*p->argv));
	p->env = calloc(records + 1, sizeof(*p->env));
	if (!p->argv || !p->env)
		return -ENOMEM;
	return 0;
}

int params_parse(struct params *p, const char *buf, size_t len, char *error)
{
	struct parser ps = { .p = p, .error = error };
	int r;

	*p = (struct params){ 0 };
	error[0] = '\0';
	if (len > BH_PARAMS_MAX)
		return wrong(&ps, "the parameters are larger than %u bytes", BH_PARAMS_MAX);
	r = allocate(p, buf, len);
	if (r < 0)
		snprintf(error, PARAMS_ERROR_MAX, "no memory for the parameters");
	else
		r = parse_records(&ps, buf, len);
	if (r < 0) {
		params_release(p);
		return r;
	}
	if (!p->workdir)
		p->workdir = "/";
	return 0;
}

void params_release(struct params *p)
{
	free(p->argv);
	free(p->env);
	*p = (struct params){ 0 };
}
