/* host.c - see host.h. */
#include "vmm/compare/host.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/compare/measure.h"

#define DOCTOR_LIMIT_NS (30 * NS_PER_S)

/* What stands behind "KEY" and a colon in the first such line of a file. */
static void find_line(const char *path, const char *key, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, key, strlen(key)) != 0 || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		printable(out, size, colon + 1 + strspn(colon + 1, " \t"));
		break;
	}
	if (f)
		fclose(f);
}

/* "off" by the command line is what matters; else the names that are active. */
static void find_mitigations(char *out, size_t size)
{
	static const char *const names[] = { "meltdown", "spectre_v2", "l1tf", "mds", "retbleed" };
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names) && n < size; i++) {
		char path[96], text[64] = "unknown";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s",
			 names[i]);
		f = fopen(path, "re");
		if (f && fgets(text, sizeof(text), f))
			text[strcspn(text, ";,\n")] = '\0';
		if (f)
			fclose(f);
		n += (size_t)snprintf(out + n, size - n, "%s%s: %s", n ? "; " : "", names[i], text);
	}
}

static void ask_doctor(const char *program, int signal_fd, struct compare_host *ret)
{
	const char *const argv[] = { program, "doctor", "--json", NULL };
	const struct measure_request request = { .argv = argv, .limit_ns = DOCTOR_LIMIT_NS };
	_cleanup_free_ struct measured *got = calloc(1, sizeof(*got));
	const char *text;
	json_t *report;

	if (!got || measure_run(signal_fd, &request, got, NULL) < 0)
		return;
	report = json_loads(got->out, 0, NULL);
	text = json_string_value(json_object_get(report, "backend"));
	if (text)
		printable(ret->backend, sizeof(ret->backend), text);
	text = json_string_value(json_object_get(report, "label"));
	if (text)
		printable(ret->label, sizeof(ret->label), text);
	ret->no_linux = json_is_false(json_object_get(report, "linux"));
	json_decref(report);
}

void host_describe(const char *program, int signal_fd, struct compare_host *ret)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname name;
	double load = 0;

	memset(ret, 0, sizeof(*ret));
	find_line("/proc/cpuinfo", "model name", ret->cpu, sizeof(ret->cpu));
	find_mitigations(ret->mitigations, sizeof(ret->mitigations));
	if (uname(&name) == 0)
		snprintf(ret->kernel, sizeof(ret->kernel), "%s %s", name.sysname, name.release);
	ret->cores = cores > 0 ? (uint32_t)cores : 0;
	if (getloadavg(&load, 1) == 1)
		ret->load = load;
	ask_doctor(program, signal_fd, ret);
}
