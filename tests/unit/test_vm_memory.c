/* test_vm_memory.c - the file behind a guest's memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/walls/vm_memory.h"

static void check(enum run_hugepages wish, const char *backing)
{
	struct vm_memory m = { .fd = -1 };
	struct err e = { "" };
	struct stat st;
	int r = vm_memory_open(64 * MIB, wish, &m, &e);

	if (wish == RUN_HUGEPAGES_THP && r < 0) {
		print_message("no private tmpfs here: %s\n", e.text);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(fstat(m.fd, &st), 0);
	assert_int_equal(st.st_size, 64 * MIB);
	assert_true(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
	if (backing)
		assert_string_equal(m.backing, backing);
	/* Whoever is handed a memfd cannot take pages away. */
	if (strcmp(m.backing, "memfd") == 0)
		assert_int_equal(ftruncate(m.fd, 0), -1);
	close(m.fd);
}

static void test_kinds(void **state)
{
	(void)state;
	check(RUN_HUGEPAGES_OFF, "memfd");
	check(RUN_HUGEPAGES_THP, "thp");
	check(RUN_HUGEPAGES_AUTO, NULL);
}

static void test_hugetlb_says_what_to_do(void **state)
{
	struct vm_memory m = { .fd = -1 };
	struct err e = { "" };

	(void)state;
	assert_int_equal(vm_memory_open(33 * MIB, RUN_HUGEPAGES_HUGETLB, &m, &e), -EINVAL);
	assert_non_null(strstr(e.text, "multiple"));
	/* More than any host has in its pool. */
	assert_true(vm_memory_open(1ULL << 50, RUN_HUGEPAGES_HUGETLB, &m, &e) < 0);
	assert_true(e.text[0]);
	assert_int_equal(m.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_hugetlb_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
