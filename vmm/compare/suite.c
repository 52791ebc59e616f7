/* suite.c - see suite.h. */
#include "vmm/compare/suite.h"

#include <string.h>

#include "vmm/base/util.h"

const struct suite_workload suite_workloads[] = {
	{ "start", true, true },      { "idle", true, true },	 { "density", false, true },
	{ "cpu", true, false },	      { "memory", true, false }, { "calls", true, false },
	{ "files", false, false },    { "disk", true, false },	 { "network", true, false },
	{ "neighbour", true, false }, { "quota", true, false },
};
const size_t suite_nworkloads = ARRAY_SIZE(suite_workloads);

const struct suite_quantity suite_quantities[] = {
	{ "cpu", "integer", "ns", false, "three shifts and exclusive ors" },
	{ "cpu", "floating-point", "ns", false, "a multiplication and a division" },
	{ "cpu", "sha256", "MB/s", true, "SHA-256 in plain C" },
	{ "memory", "first-touch", "ns", false, "a page that nobody has touched" },
	{ "memory", "triad", "GB/s", true, "STREAM's triad over 96 MiB" },
	{ "memory", "chase-16K", "ns", false, "one load of a chain over 16 KiB" },
	{ "memory", "chase-256K", "ns", false, "the same over 256 KiB" },
	{ "memory", "chase-4M", "ns", false, "the same over 4 MiB" },
	{ "memory", "chase-64M", "ns", false, "the same over 64 MiB" },
	{ "calls", "getppid", "ns", false, "a system call that does nothing" },
	{ "calls", "clock_gettime", "ns", false,
	  "the monotonic clock, by the vDSO where it works" },
	{ "calls", "open-close", "ns", false, "open and close /proc/self/stat" },
	{ "calls", "futex-wake", "ns", false, "wake nobody" },
	{ "calls", "mmap-touch-munmap", "ns", false, "a page mapped, touched and given back" },
	{ "calls", "fork-exec-wait", "ns", false, "a small static program" },
	{ "calls", "pipe-ping-pong", "ns", false, "a byte to another process and back" },
	{ "files", "write-4K", "us", false, "4 KiB to a random place of 16 MiB" },
	{ "files", "read-4K", "us", false, "4 KiB from a random place" },
	{ "files", "read-1M", "GB/s", true, "1 MiB at a time in a row" },
	{ "files", "write-fsync", "us", false, "4 KiB and fsync" },
	{ "disk", "read-4K", "us", false, "4 KiB from a random place of 63 MiB" },
	{ "disk", "write-4K", "us", false, "4 KiB to a random place" },
	{ "disk", "read-1M", "MB/s", true, "1 MiB at a time in a row" },
	{ "disk", "write-1M", "MB/s", true, "the same, written" },
	{ "disk", "write-fsync", "us", false, "4 KiB and fsync" },
	{ "network", "request-p50", "us", false,
	  "64 bytes to the host and back: half of 500 took less" },
	{ "network", "request-p99", "us", false, "99 of 100 took less" },
	{ "network", "send", "MB/s", true, "one connection, to the host" },
	{ "network", "receive", "MB/s", true, "one connection, from the host" },
	{ "neighbour", "alone-p50", "us", false,
	  "without a neighbour: half of the delays are shorter" },
	{ "neighbour", "alone-p99", "us", false,
	  "without a neighbour: 99 of 100 delays are shorter" },
	{ "neighbour", "alone-longest", "us", false, "without a neighbour: the longest of 500" },
	{ "neighbour", "processor-p50", "us", false,
	  "beside one that computes: half of the delays are shorter" },
	{ "neighbour", "processor-p99", "us", false,
	  "beside one that computes: 99 of 100 delays are shorter" },
	{ "neighbour", "processor-longest", "us", false,
	  "beside one that computes: the longest of 500" },
	{ "neighbour", "memory-p50", "us", false,
	  "beside one that touches fresh memory: half of the delays are shorter" },
	{ "neighbour", "memory-p99", "us", false,
	  "beside one that touches fresh memory: 99 of 100 delays are shorter" },
	{ "neighbour", "memory-longest", "us", false,
	  "beside one that touches fresh memory: the longest of 500" },
	{ "neighbour", "forks-p50", "us", false,
	  "beside one that forks: half of the delays are shorter" },
	{ "neighbour", "forks-p99", "us", false,
	  "beside one that forks: 99 of 100 delays are shorter" },
	{ "neighbour", "forks-longest", "us", false, "beside one that forks: the longest of 500" },
	{ "neighbour", "files-p50", "us", false,
	  "beside one that writes and syncs below /tmp: half of the delays are shorter" },
	{ "neighbour", "files-p99", "us", false,
	  "beside one that writes and syncs below /tmp: 99 of 100 delays are shorter" },
	{ "neighbour", "files-longest", "us", false,
	  "beside one that writes and syncs below /tmp: the longest of 500" },
	{ "quota", "memory-reached", "MiB", true, "of 64, touched before somebody was killed" },
	{ "quota", "disk-rate", "MiB/s", true, "read from a disk, where 4 was asked for" },
};
const size_t suite_nquantities = ARRAY_SIZE(suite_quantities);

const struct suite_quantity suite_crowd[SUITE_CROWDS] = {
	{ "density", "1 instance", "MiB", false, "memory of one that waits" },
	{ "density", "2 instances", "MiB", false, "of two at once" },
	{ "density", "4 instances", "MiB", false, "of four at once" },
	{ "density", "8 instances", "MiB", false, "of eight at once" },
};
const size_t suite_crowd_size[SUITE_CROWDS] = { 1, 2, 4, 8 };

const struct suite_pair suite_pairs[SUITE_PAIRS] = {
	{ "victim-alone", NULL, true },
	{ "victim-processor", "burn-processor", true },
	{ "victim-memory", "burn-memory", false },
	{ "victim-forks", "burn-forks", false },
	{ "victim-files", "burn-files", false },
};

const struct suite_quota suite_quotas[SUITE_QUOTAS] = {
	{ .workload = "spin", .limits = { .cpu_percent = 50 }, .share = true },
	{ .workload = "grow", .limits = { .memory_mib = 64 }, .prints = "memory-reached" },
	{ .workload = "drain", .limits = { .disk_mib = 4 }, .disk = true, .prints = "disk-rate" },
};
const struct suite_quantity suite_share = { "quota", "processor-share", "%", true,
					    "of one processor, where 50 was asked for" };

const struct suite_quantity suite_first_byte = { "start", "first byte", "ms", false,
						 "from before exec to its first output" };
const struct suite_quantity suite_exit = { "start", "exit", "ms", false,
					   "from before exec to the exit of what was started" };
const struct suite_quantity suite_cpu = { "start", "processor time", "ms", false,
					  "of everything that it created" };
const struct suite_quantity suite_cold_first_byte = {
	"start", "cold first byte", "ms", false, "the same, with the wall's files not in memory"
};
const struct suite_quantity suite_cold_exit = { "start", "cold exit", "ms", false,
						"the same, with the wall's files not in memory" };
const struct suite_quantity suite_memory = { "idle", "memory", "MiB", false,
					     "highest sum of PSS of all its processes" };

const struct suite_workload suite_of_fio = { "fio", true, false };

/* fio(1), "Terse output": 7 and 48 are KiB per second, 8 and 49 requests. */
const struct suite_fio suite_fios[SUITE_FIOS] = {
	{ { "fio", "randread", "IOPS", true, "4 KiB, one at a time" },
	  { "--rw=randread", "--bs=4k" },
	  8,
	  1 },
	{ { "fio", "randwrite", "IOPS", true, "the same, written" },
	  { "--rw=randwrite", "--bs=4k" },
	  49,
	  1 },
	{ { "fio", "read", "MB/s", true, "1 MiB at a time in a row" },
	  { "--rw=read", "--bs=1m" },
	  7,
	  1024 / 1e6 },
	{ { "fio", "write", "MB/s", true, "the same, written" },
	  { "--rw=write", "--bs=1m" },
	  48,
	  1024 / 1e6 },
	{ { "fio", "randwrite-fsync", "IOPS", true, "4 KiB and fsync" },
	  { "--rw=randwrite", "--bs=4k", "--fsync=1" },
	  49,
	  1 },
};

const struct suite_quantity *suite_find(const char *workload, const char *name)
{
	for (size_t i = 0; i < suite_nquantities; i++)
		if (strcmp(suite_quantities[i].workload, workload) == 0 &&
		    strcmp(suite_quantities[i].name, name) == 0)
			return &suite_quantities[i];
	return NULL;
}
