/* values.c - see values.h. */
#include "vmm/config/values.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

/* How much of a stranger's text goes into a message. */
#define SHOWN 80

static int refuse(struct err *e, const char *text, const char *why)
{
	char shown[SHOWN];

	return err_set(e, EINVAL, "'%s' %s", printable(shown, sizeof(shown), text), why);
}

int list_next(const char **at, char **ret_item, struct err *e)
{
	_cleanup_free_ char *item = NULL;
	const char *p = *at;
	size_t n = 0;

	if (!*p)
		return 0;
	item = malloc(strlen(p) + 1);
	if (!item)
		return err_set(e, ENOMEM, "out of memory");
	for (; *p; p++) {
		if (*p == ',') {
			if (p[1] != ',')
				break;
			p++;
		}
		item[n++] = *p;
	}
	item[n] = '\0';
	/* "a," would otherwise be taken for "a". */
	if (n == 0 || (*p == ',' && !p[1]))
		return refuse(e, *at, "has an empty item (a comma in a name is written twice)");
	*at = *p ? p + 1 : p;
	*ret_item = take_ptr(&item);
	return 1;
}

const char *item_value(const char *item, const char *key)
{
	size_t n = strlen(key);

	return strncmp(item, key, n) == 0 && item[n] == '=' ? item + n + 1 : NULL;
}

int parse_on_off(const char *text, bool *ret, struct err *e)
{
	bool on = strcmp(text, "on") == 0;

	if (!on && strcmp(text, "off") != 0)
		return refuse(e, text, "is neither on nor off");
	*ret = on;
	return 0;
}

int parse_seconds(const char *text, uint64_t max_s, uint64_t *ret_ns, struct err *e)
{
	uint64_t unit = NS_PER_S, s = 0, ns = 0;
	const char *p = text;
	char shown[21];

	for (; *p >= '0' && *p <= '9'; p++) {
		s = s * 10 + (uint64_t)(*p - '0');
		if (s > max_s)
			return err_set(e, ERANGE, "'%s' is more than %llu seconds",
				       printable(shown, sizeof(shown), text),
				       (unsigned long long)max_s);
	}
	if (p == text)
		return refuse(e, text, "is not a number of seconds");
	if (*p == '.') {
		const char *point = p++;

		for (; *p >= '0' && *p <= '9' && unit > 1; p++) {
			unit /= 10;
			ns += (uint64_t)(*p - '0') * unit;
		}
		if (p == point + 1)
			return refuse(e, text, "is not a number of seconds");
	}
	if (*p)
		return refuse(e, text, "is not a number of seconds (at most 9 decimals)");
	ns += s * NS_PER_S;
	if (ns == 0)
		return err_set(e, ERANGE, "must be more than 0 seconds");
	*ret_ns = ns;
	return 0;
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

int parse_milli(const char *text, uint64_t *ret)
{
	uint64_t milli = 0, unit = 100;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && at - text < 9; at++)
		milli = 10 * milli + (uint64_t)(*at - '0');
	milli *= 1000;
	if (at == text || (*at == '.' && at[1] == '\0'))
		return -EINVAL;
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9' && unit; at++, unit /= 10)
			milli += unit * (uint64_t)(*at - '0');
	if (*at)
		return -EINVAL;
	*ret = milli;
	return 0;
}

int parse_mac(const char *text, uint8_t ret_mac[6], struct err *e)
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (strlen(text) != 17)
		return refuse(e, text, "is not a MAC address (six pairs of digits and colons)");
	for (int i = 0; i < 6; i++) {
		const char *p = text + 3 * i;
		int high = hex_digit(p[0]), low = hex_digit(p[1]);

		if (high < 0 || low < 0 || (i < 5 && p[2] != ':'))
			return refuse(e, text,
				      "is not a MAC address (six pairs of digits and colons)");
		mac[i] = (uint8_t)(high << 4 | low);
	}
	if (mac[0] & 1)
		return refuse(e, text, "is a multicast address, no interface can have it");
	if (memcmp(mac, zero, sizeof(mac)) == 0)
		return refuse(e, text, "is not an address that an interface can have");
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

int parse_ip(const char *text, int *ret_family, struct err *e)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	uint8_t bytes[16];

	if (inet_pton(family, text, bytes) != 1)
		return refuse(e, text, "is not an IP address");
	*ret_family = family;
	return 0;
}

int parse_cidr(const char *text, int *ret_family, struct err *e)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	uint64_t prefix;
	int family, r;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return refuse(e, text, "is not an address with its prefix length, as 10.0.0.2/24");
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	r = parse_ip(address, &family, e);
	if (r < 0)
		return r;
	/* More digits would pass as a number and overrun what stores the text. */
	if (strlen(slash + 1) > 3 ||
	    parse_u64(slash + 1, 0, family == AF_INET6 ? 128 : 32, &prefix) < 0)
		return refuse(e, text, "has no valid prefix length, as /24");
	*ret_family = family;
	return 0;
}

static bool is_alnum(char c)
{
	/* Not isalnum(): that one depends on the locale. */
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int check_name(const char *text, size_t max, struct err *e)
{
	size_t n = strlen(text);

	if (n == 0 || n > max)
		return err_set(e, EINVAL, "must have 1 to %zu characters", max);
	if (!is_alnum(text[0]))
		return refuse(e, text, "must begin with a letter or a digit");
	for (const char *p = text; *p; p++)
		if (!is_alnum(*p) && !strchr("._-", *p))
			return refuse(e, text, "may hold letters, digits, '.', '_' and '-' only");
	return 0;
}

int check_ifname(const char *text, struct err *e)
{
	size_t n = strlen(text);

	/* dev_valid_name() of the kernel */
	if (n == 0 || n > 15 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return refuse(e, text, "is not the name of a network interface");
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '/' || *p == ':' || *p == '%')
			return refuse(e, text, "is not the name of a network interface");
	return 0;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n]);
}

static int check_mount_point(const char *path, const char *text, struct err *e)
{
	static const char *const of_the_system[] = { "/dev", "/proc", "/sys" };

	if (!*path)
		return refuse(e, text, "is the root, which --rootfs is for");
	if (strlen(path) >= PATH_MAX)
		return refuse(e, text, "is too long");
	for (size_t i = 0; i < ARRAY_SIZE(of_the_system); i++)
		if (is_below(path, of_the_system[i]))
			return refuse(e, text, "is the system's own, like /dev, /proc and /sys");
	return 0;
}

int parse_mount_point(const char *text, char **ret, struct err *e)
{
	_cleanup_free_ char *path = malloc(strlen(text) + 1);
	const char *p = text;
	size_t len = 0;
	int r;

	if (!path)
		return err_set(e, ENOMEM, "out of memory");
	if (*p != '/')
		return refuse(e, text, "is not an absolute path");
	while (*(p += strspn(p, "/"))) {
		size_t n = strcspn(p, "/");

		if (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.')))
			return refuse(e, text, "has . or .. in it");
		path[len++] = '/';
		memcpy(path + len, p, n);
		len += n;
		p += n;
	}
	path[len] = '\0';
	r = check_mount_point(path, text, e);
	if (r == 0)
		*ret = take_ptr(&path);
	return r;
}
