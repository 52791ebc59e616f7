/* cpu_cache.c - see cpu_cache.h. */
#include "vmm/monitor/cpu_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/arch.h"
#include "vmm/base/util.h"
#include "vmm/monitor/boot_cache.h"

#define CACHE_PREFIX	"cpu"
#define PATH_LEN	4096
#define MODULE_PATH_LEN 256

struct cpu_file {
	char magic[16]; /* its version */
	uint64_t modules[CPU_CACHE_MODULES];
	unsigned char bytes[ARCH_HOST_CPU_MAX];
};

static const char magic[16] = "bulkhead-cpu 1";

void cpu_cache_modules(const char *root, uint64_t ret[CPU_CACHE_MODULES])
{
	static const char *const names[CPU_CACHE_MODULES] = { "kvm", "kvm_intel", "kvm_amd",
							      "kvm_pvm" };
	char path[MODULE_PATH_LEN];
	struct stat st;

	for (size_t i = 0; i < CPU_CACHE_MODULES; i++) {
		snprintf(path, sizeof(path), "%s/sys/module/%s", root, names[i]);
		ret[i] = stat(path, &st) == 0 ? st.st_ino : 0;
	}
}

/* The file's content, without its head, moves to the front. */
static int take(struct cpu_file *file, size_t len, const uint64_t modules[CPU_CACHE_MODULES],
		size_t *ret_len)
{
	if (len <= offsetof(struct cpu_file, bytes) ||
	    memcmp(file->magic, magic, sizeof(magic)) != 0 ||
	    memcmp(file->modules, modules, sizeof(file->modules)) != 0)
		return -ENOENT;
	len -= offsetof(struct cpu_file, bytes);
	if (!arch_host_cpu_valid(file->bytes, len))
		return -ENOENT;
	memmove(file, file->bytes, len);
	*ret_len = len;
	return 0;
}

int cpu_cache_read(const char *dir, const char *boot_id, const uint64_t modules[CPU_CACHE_MODULES],
		   void **ret, size_t *ret_len)
{
	/* Not on the stack, every page of which a fork copies. */
	_cleanup_free_ struct cpu_file *file = malloc(sizeof(*file));
	size_t len;

	if (!file || boot_cache_read(dir, CACHE_PREFIX, boot_id, file, sizeof(*file), &len) < 0 ||
	    take(file, len, modules, ret_len) < 0)
		return -ENOENT;
	*ret = take_ptr(&file);
	return 0;
}

int cpu_cache_write(const char *dir, const char *boot_id, const uint64_t modules[CPU_CACHE_MODULES],
		    const void *bytes, size_t len)
{
	struct cpu_file file;

	if (len > sizeof(file.bytes))
		return -E2BIG;
	memcpy(file.magic, magic, sizeof(magic));
	memcpy(file.modules, modules, sizeof(file.modules));
	memcpy(file.bytes, bytes, len);
	return boot_cache_write(dir, CACHE_PREFIX, boot_id, &file,
				offsetof(struct cpu_file, bytes) + len);
}

int cpu_cache_get(int kvm_fd, void **ret, size_t *ret_len, struct err *e)
{
	char dir[PATH_LEN], boot_id[BOOT_ID_LEN + 1];
	uint64_t modules[CPU_CACHE_MODULES];
	bool keeps = boot_cache_id(boot_id) == 0 && boot_cache_dir(dir, sizeof(dir)) == 0;
	int r;

	cpu_cache_modules("", modules);
	if (keeps && cpu_cache_read(dir, boot_id, modules, ret, ret_len) == 0)
		return 0;
	r = arch_host_cpu_ask(kvm_fd, ret, ret_len, e);
	if (r == 0 && keeps)
		(void)cpu_cache_write(dir, boot_id, modules, *ret, *ret_len);
	return r;
}
