/* test_arch_acpi.c - the ACPI tables: found, summed, disassembled. */
#include "arch/x86_64/acpi.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/x86_64/aml.h"
#include "arch/x86_64/layout.h"
#include "vmm/base/util.h"

#define ADDR 0xe0000ULL
#define SIZE 0x20000

static uint8_t area[SIZE];

static size_t build(unsigned int ncpus, unsigned int nvirtio)
{
	const struct arch_machine m = { .ncpus = ncpus, .nvirtio = nvirtio };

	memset(area, 0, sizeof(area));
	return acpi_build(&m, ADDR, area, sizeof(area));
}

static uint64_t get(const uint8_t *p, unsigned int len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return v;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* A table by its guest address; its length and checksum hold. */
static const uint8_t *table_at(uint64_t addr, const char *signature, size_t used)
{
	const uint8_t *t;
	size_t len;

	assert_true(addr >= ADDR && addr - ADDR <= used - 36);
	assert_int_equal(addr % 16, 0);
	t = area + (addr - ADDR);
	len = (size_t)get(t + 4, 4);
	assert_memory_equal(t, signature, 4);
	assert_true(len <= used - (addr - ADDR));
	assert_int_equal(sum(t, len), 0);
	return t;
}

struct found {
	const uint8_t *fadt, *madt, *dsdt;
};

static struct found walk(size_t used)
{
	struct found f;
	const uint8_t *xsdt;

	assert_memory_equal(area, "RSD PTR ", 8);
	assert_int_equal(area[15], 2);
	assert_int_equal(sum(area, 20), 0);
	assert_int_equal(sum(area, 36), 0);
	xsdt = table_at(get(area + 24, 8), "XSDT", used);
	assert_int_equal(get(xsdt + 4, 4), 36 + 2 * 8);
	f.fadt = table_at(get(xsdt + 36, 8), "FACP", used);
	f.madt = table_at(get(xsdt + 44, 8), "APIC", used);
	f.dsdt = table_at(get(f.fadt + 140, 8), "DSDT", used);
	assert_int_equal(get(f.fadt + 40, 4), get(f.fadt + 140, 8));
	return f;
}

static void tables_are_found_and_summed(void **state)
{
	static const struct arch_machine machines[] = {
		{ 1, 0 }, { 1, 1 }, { 4, 3 }, { ARCH_MAX_CPUS, ARCH_MAX_VIRTIO }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		size_t used = build(machines[i].ncpus, machines[i].nvirtio);

		assert_true(used > 0 && used <= SIZE);
		walk(used);
	}
}

static void fadt_is_hardware_reduced(void **state)
{
	struct found f = walk(build(2, 2));
	uint32_t flags = (uint32_t)get(f.fadt + 112, 4);

	(void)state;
	assert_int_equal(get(f.fadt + 4, 4), 276);
	assert_int_equal(f.fadt[8], 6);
	assert_true(flags & 1U << 20);		       /* HW_REDUCED_ACPI */
	assert_true(flags & 1U << 10);		       /* RESET_REG_SUP */
	assert_true(flags & 1U << 4);		       /* no fixed power button */
	assert_int_equal(get(f.fadt + 109, 2) & 3, 0); /* no legacy devices, no 8042 */
	assert_int_equal(f.fadt[116], 1);
	assert_int_equal(get(f.fadt + 120, 8), ARCH_RESET_PORT);
	assert_int_equal(get(f.fadt + 248, 8), ARCH_SLEEP_CONTROL_PORT);
	assert_int_equal(get(f.fadt + 260, 8), ARCH_SLEEP_STATUS_PORT);
	/* No fixed hardware is named: PM1 to GPE1 in either width. */
	for (unsigned int i = 46; i < 109; i++)
		assert_int_equal(f.fadt[i], 0);
	for (unsigned int i = 148; i < 244; i++)
		assert_int_equal(f.fadt[i], 0);
}

static void madt_has_every_cpu(void **state)
{
	struct found f = walk(build(ARCH_MAX_CPUS, 0));
	size_t len = (size_t)get(f.madt + 4, 4);
	unsigned int cpus = 0, ioapics = 0;

	(void)state;
	assert_int_equal(get(f.madt + 36, 4), LOCAL_APIC_ADDR);
	assert_int_equal(get(f.madt + 40, 4), 0); /* PCAT_COMPAT: no 8259 */
	for (size_t at = 44; at < len; at += f.madt[at + 1]) {
		const uint8_t *p = f.madt + at;

		assert_true(p[1] >= 2 && at + p[1] <= len);
		if (p[0] == 0) {
			assert_int_equal(p[3], cpus++);
			assert_int_equal(get(p + 4, 4), 1);
		} else if (p[0] == 1) {
			ioapics++;
			assert_int_equal(get(p + 4, 4), IOAPIC_ADDR);
			assert_int_equal(get(p + 8, 4), 0);
		}
	}
	assert_int_equal(cpus, ARCH_MAX_CPUS);
	assert_int_equal(ioapics, 1);
}

static void too_small_an_area_is_told(void **state)
{
	const struct arch_machine m = { .ncpus = 4, .nvirtio = 4 };
	size_t need = build(4, 4);
	_cleanup_free_ uint8_t *exact = malloc(need);

	(void)state;
	/* Of its exact size, so that the sanitizer sees a byte too many. */
	assert_int_equal(acpi_build(&m, ADDR, exact, need), need);
	for (size_t size = 0; size < need; size++) {
		_cleanup_free_ uint8_t *small = malloc(size + 1);

		assert_int_equal(acpi_build(&m, ADDR, small, size), 0);
	}
}

/* 20.2.4: one byte up to 63, two up to 4095, then three. */
static void package_lengths(void **state)
{
	static const struct {
		size_t body;
		uint8_t enc[3];
		size_t enc_len;
	} cases[] = {
		{ 0, { 1 }, 1 },
		{ 62, { 63 }, 1 },
		{ 63, { 0x41, 0x04 }, 2 },	   /* 65 */
		{ 4093, { 0x4f, 0xff }, 2 },	   /* 4095 */
		{ 4094, { 0x81, 0x00, 0x01 }, 3 }, /* 4097 */
	};
	static const uint8_t fill[4094] = { 0xaa };
	static uint8_t buf[8192];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aml a = { .buf = buf, .size = sizeof(buf) };
		size_t at = aml_begin(&a, false, 0x10);

		aml_bytes(&a, fill, cases[i].body);
		aml_end(&a, at);
		assert_false(a.overflow);
		assert_int_equal(a.len, 1 + cases[i].enc_len + cases[i].body);
		assert_memory_equal(buf + 1, cases[i].enc, cases[i].enc_len);
		if (cases[i].body)
			assert_int_equal(buf[1 + cases[i].enc_len], 0xaa);
	}
}

/* --- iasl --- */

static char dir[] = "/tmp/bulkhead-acpi-XXXXXX";

static void write_table(const char *name, const uint8_t *table)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, table, (size_t)get(table + 4, 4)), 0);
	close(fd);
}

static void run_in_dir(const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "cd %s && %s", dir, command);
	if (system(line) != 0)
		fail_msg("failed: %s", command);
}

static void expect_in(const char *file, const char *text)
{
	static char buf[65536];
	char path[64];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	assert_true(n > 0);
	buf[n] = '\0';
	if (!strstr(buf, text))
		fail_msg("%s lacks \"%s\"", file, text);
}

static void expect_dsdt(void)
{
	static const char *const texts[] = {
		"Name (\\_S5, Package (0x04)",
		"Device (COM1)",
		"EisaId (\"PNP0501\")",
		"IO (Decode16,",
		"0x03F8,",
		"Device (PEVT)",
		"\"QEMU0001\"",
		"0x0505,",
		"Device (PWRB)",
		"EisaId (\"PNP0C0C\")",
		"\"ACPI0013\"",
		"Method (_EVT, 1, Serialized)",
		"Notify (\\_SB.PWRB, 0x80)",
		"Device (VD00)",
		"\"LNRO0005\"",
		"Memory32Fixed (ReadWrite,",
		"0xD0000000,",
		"Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive, ,, )",
		"0x00000005,",
		"Device (VD18)",
		"0xD0012000,",
		"0x00000017,",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		expect_in("dsdt.dsl", texts[i]);
}

static void iasl_disassembles_them(void **state)
{
	struct found f;

	(void)state;
	if (system("iasl -v >/dev/null 2>&1") != 0) {
		print_message("skipped: iasl (package acpica-tools) is not installed\n");
		skip();
	}
	f = walk(build(ARCH_MAX_CPUS, ARCH_MAX_VIRTIO));
	assert_non_null(mkdtemp(dir));
	write_table("dsdt", f.dsdt);
	write_table("facp", f.fadt);
	write_table("apic", f.madt);
	run_in_dir("iasl -d dsdt.aml facp.aml apic.aml >log 2>&1");
	run_in_dir("! grep -iE 'warning|error|invalid|unknown|mismatch' log");
	expect_dsdt();
	expect_in("facp.dsl", "Hardware Reduced (V5) : 1");
	expect_in("facp.dsl", "Reset Register Supported (V2) : 1");
	expect_in("apic.dsl", "[I/O APIC]");
	run_in_dir("! grep -iE 'warning|error|invalid|unknown' dsdt.dsl facp.dsl apic.dsl");
	/* And back: the compiler checks what the disassembler does not. */
	run_in_dir("iasl -p again dsdt.dsl >log 2>&1");
	run_in_dir("grep -q ' 0 Errors, 0 Warnings' log");
	run_in_dir("rm -f *.aml *.dsl *.aml log");
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_found_and_summed),
		cmocka_unit_test(fadt_is_hardware_reduced),
		cmocka_unit_test(madt_has_every_cpu),
		cmocka_unit_test(too_small_an_area_is_told),
		cmocka_unit_test(package_lengths),
		cmocka_unit_test(iasl_disassembles_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
