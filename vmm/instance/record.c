/* record.c - see record.h. */
#include "vmm/instance/record.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"

#define HEAD "bulkhead-state 1"

void record_uuid(char out[RECORD_UUID_LEN + 1], const uint8_t random[16])
{
	uint8_t b[16];
	size_t n = 0;

	memcpy(b, random, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		out[n++] = "0123456789abcdef"[b[i] >> 4];
		out[n++] = "0123456789abcdef"[b[i] & 15];
	}
	out[n] = '\0';
}

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

void record_command(char *out, size_t size, const char *const *argv, size_t argc)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < argc; i++) {
		if (i)
			out[used++] = ' ';
		for (const char *p = argv[i]; *p; p++) {
			/* Room for "\xHH", a blank and "...". */
			if (used + 9 > size) {
				memcpy(out + used, "...", 4);
				return;
			}
			if (is_plain(*p))
				out[used++] = *p;
			else
				used += (size_t)snprintf(out + used, 5, "\\x%02x",
							 (unsigned int)(unsigned char)*p);
		}
		if (used + 9 > size) {
			memcpy(out + used, "...", 4);
			return;
		}
	}
	out[used] = '\0';
}

size_t record_format(char out[RECORD_TEXT_MAX], const struct record *r)
{
	int n = snprintf(out, RECORD_TEXT_MAX,
			 HEAD "\nuuid %s\nwall %s\npid %d\nstarted %llu\ncommand %s\n", r->uuid,
			 r->wall, (int)r->pid, (unsigned long long)r->started_ns, r->command);

	return n > 0 ? (size_t)n : 0;
}

/* A word or a line of plain characters and blanks, no longer than fits. */
static bool keep(char *out, size_t size, const char *value)
{
	size_t n = strlen(value);

	if (n >= size)
		return false;
	for (const char *p = value; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	memcpy(out, value, n + 1);
	return true;
}

static bool take(struct record *r, const char *key, const char *value)
{
	uint64_t n;

	if (strcmp(key, "uuid") == 0)
		return strlen(value) == RECORD_UUID_LEN && keep(r->uuid, sizeof(r->uuid), value);
	if (strcmp(key, "wall") == 0)
		return keep(r->wall, sizeof(r->wall), value);
	if (strcmp(key, "command") == 0)
		return keep(r->command, sizeof(r->command), value);
	if (strcmp(key, "pid") == 0) {
		if (parse_u64(value, 1, INT32_MAX, &n) < 0)
			return false;
		r->pid = (pid_t)n;
		return true;
	}
	if (strcmp(key, "started") == 0)
		return parse_u64(value, 0, INT64_MAX, &r->started_ns) == 0;
	return true;
}

int record_parse(char *text, struct record *ret)
{
	struct record r = { .pid = 0 };
	char *rest = text, *line = strsep(&rest, "\n");

	if (!line || strcmp(line, HEAD) != 0)
		return -EINVAL;
	while ((line = strsep(&rest, "\n")) && rest) { /* a last line that is cut is none */
		char *value = strchr(line, ' ');

		if (!value)
			return -EINVAL;
		*value++ = '\0';
		if (!take(&r, line, value))
			return -EINVAL;
	}
	if (!r.uuid[0] || !r.wall[0] || !r.pid)
		return -EINVAL;
	*ret = r;
	return 0;
}
