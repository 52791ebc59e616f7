/* rights.c - see rights.h. */
#include "vmm/jail/rights.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define FILES_SOFT 1024
#define FILES_HARD 524288

uint64_t rights_default_capabilities(void)
{
	return 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER |
	       1ULL << CAP_FSETID | 1ULL << CAP_KILL | 1ULL << CAP_SETGID | 1ULL << CAP_SETUID |
	       1ULL << CAP_SETPCAP | 1ULL << CAP_NET_BIND_SERVICE | 1ULL << CAP_SYS_CHROOT |
	       1ULL << CAP_SETFCAP;
}

static int set_capabilities(uint64_t capabilities)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(data); i++)
		data[i].permitted = data[i].effective = (uint32_t)(capabilities >> (32 * i));
	return syscall(SYS_capset, &h, data) < 0 ? neg_errno() : 0;
}

int rights_drop(void)
{
	return set_capabilities(0);
}

int rights_keep(uint64_t capabilities, struct err *e)
{
	int r;

	for (unsigned int cap = 0; cap < 64; cap++) {
		if (capabilities >> cap & 1)
			continue;
		/* EINVAL: the kernel knows no more of them. */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return err_errno(e, "drop capability %u", cap);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_errno(e, "drop the ambient capabilities");
	r = set_capabilities(capabilities);
	return r < 0 ? err_code(e, r, "drop capabilities") : 0;
}

int rights_limit(struct err *e)
{
	static const struct rlimit none = { 0, 0 };
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_RTPRIO, &none) < 0 ||
	    getrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_errno(e, "set the resource limits");
	files.rlim_max = MIN(files.rlim_max, (rlim_t)FILES_HARD);
	files.rlim_cur = MIN(files.rlim_max, (rlim_t)FILES_SOFT);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_errno(e, "set the limit of open files");
	return 0;
}
