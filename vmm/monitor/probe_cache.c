/* probe_cache.c - see probe_cache.h. */
#include "vmm/monitor/probe_cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"
#include "vmm/monitor/boot_cache.h"
#include "vmm/monitor/probe.h"

#define CACHE_PREFIX  "probe"
#define CACHE_VERSION "bulkhead-probe 1"
#define CACHE_MAX     512
#define PATH_LEN      4096

static bool has_module(const char *root, const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/sys/module/%s", root, name);
	return access(path, F_OK) == 0;
}

const char *probe_backend(const char *root)
{
	if (has_module(root, "kvm_pvm"))
		return "pvm";
	if (has_module(root, "kvm_intel"))
		return "intel";
	return has_module(root, "kvm_amd") ? "amd" : "unknown";
}

/* The rest of the line after "KEY=", copied; moves *text past the line. */
static bool take_line(char **text, const char *key, char *out, size_t size)
{
	char *end = strchr(*text, '\n');
	size_t len = strlen(key);
	const char *value;

	if (!end || strncmp(*text, key, len) != 0)
		return false;
	*end = '\0';
	value = *text + len;
	if (strlen(value) >= size)
		return false;
	memcpy(out, value, strlen(value) + 1);
	*text = end + 1;
	return true;
}

static bool parse(char *text, struct probe_verdict *ret)
{
	struct probe_verdict v = { 0 };
	char version[8], ok[8];

	if (!take_line(&text, CACHE_VERSION, version, sizeof(version)) || version[0] ||
	    !take_line(&text, "backend=", v.backend, sizeof(v.backend)) ||
	    !take_line(&text, "linux=", ok, sizeof(ok)) ||
	    !take_line(&text, "failed=", v.failed, sizeof(v.failed)) || *text)
		return false;
	if (strcmp(ok, "yes") != 0 && strcmp(ok, "no") != 0)
		return false;
	v.linux_ok = ok[0] == 'y';
	printable(v.failed, sizeof(v.failed), v.failed);
	*ret = v;
	return true;
}

int probe_cache_read(const char *dir, const char *boot_id, const char *backend,
		     struct probe_verdict *ret)
{
	struct probe_verdict v;
	char text[CACHE_MAX];
	size_t len;

	if (boot_cache_read(dir, CACHE_PREFIX, boot_id, text, sizeof(text) - 1, &len) < 0)
		return -ENOENT;
	text[len] = '\0';
	if (strlen(text) != len || !parse(text, &v) || strcmp(v.backend, backend) != 0)
		return -ENOENT;
	*ret = v;
	return 0;
}

int probe_cache_write(const char *dir, const char *boot_id, const struct probe_verdict *v)
{
	char text[CACHE_MAX];
	int n = snprintf(text, sizeof(text), "%s\nbackend=%s\nlinux=%s\nfailed=%s\n", CACHE_VERSION,
			 v->backend, v->linux_ok ? "yes" : "no", v->failed);

	if (n < 0 || (size_t)n >= sizeof(text))
		return -E2BIG;
	return boot_cache_write(dir, CACHE_PREFIX, boot_id, text, (size_t)n);
}

static int where(char *dir, size_t size, char boot_id[BOOT_ID_LEN + 1])
{
	int r = boot_cache_id(boot_id);

	return r < 0 ? r : boot_cache_dir(dir, size);
}

int probe_recall(struct probe_verdict *ret)
{
	char dir[PATH_LEN], boot_id[BOOT_ID_LEN + 1];

	if (where(dir, sizeof(dir), boot_id) < 0)
		return -ENOENT;
	return probe_cache_read(dir, boot_id, probe_backend(""), ret);
}

void probe_remember(const struct probe_result *result)
{
	struct probe_verdict v = { .linux_ok = result->linux_ok };
	char dir[PATH_LEN], boot_id[BOOT_ID_LEN + 1];
	int first = probe_first_failure(result);

	if (first >= 0) {
		const struct probe_item *item = &result->items[first];

		if (item->outcome != PROBE_FAILS || item->end == PROBE_END_TIME ||
		    item->end == PROBE_END_ERROR)
			return;
		snprintf(v.failed, sizeof(v.failed), "%s", probe_steps[first].name);
	}
	snprintf(v.backend, sizeof(v.backend), "%s", probe_backend(""));
	if (where(dir, sizeof(dir), boot_id) == 0)
		(void)probe_cache_write(dir, boot_id, &v);
}
