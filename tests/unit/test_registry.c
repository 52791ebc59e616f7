/* test_registry.c - records, names, the dead, hostile directories, the control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/loop.h"
#include "vmm/base/util.h"
#include "vmm/instance/control.h"
#include "vmm/instance/leftovers.h"
#include "vmm/instance/record.h"
#include "vmm/instance/registry.h"

#define UUID "01234567-89ab-4cde-8f01-23456789abcd"

/* --- records --- */

static void test_uuid(void **state)
{
	uint8_t bytes[16];
	char text[RECORD_UUID_LEN + 1];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	record_uuid(text, bytes);
	assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
	memset(bytes, 0, sizeof(bytes));
	record_uuid(text, bytes);
	assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
}

static void test_command_line(void **state)
{
	const char *const argv[] = { "sh", "-c", "a b\\\n\xc3", "" };
	char text[64], small[20];

	(void)state;
	record_command(text, sizeof(text), argv, 4);
	assert_string_equal(text, "sh -c a\\x20b\\x5c\\x0a\\xc3 ");
	record_command(text, sizeof(text), NULL, 0);
	assert_string_equal(text, "");
	for (size_t size = 10; size <= sizeof(small); size++) {
		record_command(small, size, argv, 4);
		assert_true(strlen(small) < size);
		assert_string_equal(small + strlen(small) - 3, "...");
	}
}

static void test_record(void **state)
{
	struct record r = { .uuid = UUID, .wall = "vm", .pid = 42, .started_ns = 1234567890123ULL };
	struct record got;
	char text[RECORD_TEXT_MAX];

	(void)state;
	memset(r.command, 'x', sizeof(r.command) - 1);
	assert_true(record_format(text, &r) < sizeof(text));
	assert_int_equal(record_parse(text, &got), 0);
	assert_memory_equal(&got.command, &r.command, sizeof(r.command));
	assert_string_equal(got.uuid, UUID);
	assert_string_equal(got.wall, "vm");
	assert_int_equal(got.pid, 42);
	assert_int_equal(got.started_ns, r.started_ns);
}

static void test_bad_records(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"garbage",
		"bulkhead-state 2\n",
		"bulkhead-state 1\n",
		"bulkhead-state 1\nuuid\n",
		"bulkhead-state 1\nuuid " UUID "\nwall vm\n",
		"bulkhead-state 1\nuuid " UUID "\nwall vm\npid 0\n",
		"bulkhead-state 1\nuuid " UUID "\nwall vm\npid 99999999999\n",
		"bulkhead-state 1\nuuid " UUID "\nwall vm\npid 7", /* cut */
		"bulkhead-state 1\nuuid short\nwall vm\npid 7\n",
		"bulkhead-state 1\nuuid " UUID "\nwall vm\x1b[2J\npid 7\n",
		"bulkhead-state 1\nuuid " UUID "\nwall a-wall-with-a-long-name\npid 7\n",
		"bulkhead-state 1\nuuid " UUID "\nwall vm\npid 7\nstarted -1\n",
		"bulkhead-state 1\nuuid " UUID "\nwall vm\npid 7\ncommand a\tb\n",
	};
	struct record r = { .pid = 1 };
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		assert_int_equal(record_parse(text, &r), -EINVAL);
		assert_int_equal(r.pid, 1);
	}
	snprintf(text, sizeof(text),
		 "bulkhead-state 1\nuuid " UUID "\nwall vm\nnewer thing\npid 7\n");
	assert_int_equal(record_parse(text, &r), 0);
}

/* --- the registry --- */

static char base[PATH_MAX]; /* BULKHEAD_RUNTIME_DIR of the test */

static int make_base(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/test-registry.XXXXXX");
	assert_non_null(mkdtemp(base));
	return setenv("BULKHEAD_RUNTIME_DIR", base, 1);
}

static int remove_base(void **state)
{
	char command[PATH_MAX + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

static void path_in(char out[PATH_MAX], const char *name)
{
	assert_true(snprintf(out, PATH_MAX, "%s/instances/%s", base, name) < PATH_MAX);
}

static unsigned int count_dirs(void)
{
	char path[PATH_MAX];
	unsigned int n = 0;
	struct dirent *d;
	DIR *dir;

	path_in(path, "");
	dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static int take(const char *name, struct registration *ret)
{
	struct registry r;
	struct err e = { "" };
	int code = registry_open(&r, &e);

	assert_int_equal(code, 0);
	code = registry_take(&r, name, "vm", UUID, ret, &e);
	registry_close(&r);
	return code;
}

static void publish(struct registration *reg)
{
	struct record record = { .uuid = UUID, .wall = "vm", .pid = getpid(), .command = "true" };

	assert_int_equal(registration_publish(reg, &record, NULL), 0);
}

static size_t list(struct instance_entry **ret)
{
	struct registry r;
	size_t n = 99;

	assert_int_equal(registry_open(&r, NULL), 0);
	assert_int_equal(registry_list(&r, ret, &n, NULL), 0);
	registry_close(&r);
	return n;
}

/* As a supervisor that was killed: nothing is removed. */
static void die(struct registration *reg)
{
	close_fd(&reg->control_fd);
	close_fd(&reg->fd);
	close_fd(&reg->base_fd);
}

static void test_life(void **state)
{
	struct registration a, b, c;
	struct instance_entry *all;

	(void)state;
	assert_int_equal(take("a", &a), 0);
	assert_int_equal(take("a", &b), -EEXIST);
	registration_end(&b);
	assert_int_equal(take(NULL, &c), 0);
	assert_string_equal(c.name, "vm-01234567");
	assert_int_equal(list(&all), 2);
	assert_string_equal(all[0].name, "a");
	assert_int_equal(all[0].state, INSTANCE_STARTING);
	free(all);
	publish(&a);
	assert_int_equal(list(&all), 2);
	assert_int_equal(all[0].state, INSTANCE_RUNNING);
	assert_int_equal(all[0].record.pid, getpid());
	free(all);
	registration_end(&a);
	registration_end(&c);
	assert_int_equal(count_dirs(), 0);
	assert_int_equal(take("a", &a), 0);
	registration_end(&a);
	registration_end(&a);
}

static void test_dead(void **state)
{
	struct registration a;
	struct instance_entry *all;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(take("a", &a), 0);
	publish(&a);
	die(&a);
	path_in(path, "a/what-a-newer-version-has");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(list(&all), 1);
	assert_int_equal(all[0].state, INSTANCE_DEAD);
	assert_true(all[0].has_record);
	assert_string_equal(all[0].problem, "");
	free(all);
	assert_int_equal(list(&all), 0);
	free(all);
	assert_int_equal(count_dirs(), 0);
	/* and by whoever takes the name */
	assert_int_equal(take("a", &a), 0);
	die(&a);
	assert_int_equal(take("a", &a), 0);
	registration_end(&a);
	assert_int_equal(list(&all), 1);
	free(all);
	assert_int_equal(count_dirs(), 0);
}

static void test_sweep_is_bounded(void **state)
{
	struct registration reg[5];
	struct registry r;
	char name[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(take(name, &reg[i]), 0);
	}
	for (int i = 0; i < 5; i++)
		die(&reg[i]);
	assert_int_equal(registry_open(&r, NULL), 0);
	registry_sweep(&r, 2);
	assert_int_equal(count_dirs(), 3);
	registry_sweep(&r, 9);
	assert_int_equal(count_dirs(), 0);
	registry_close(&r);
}

/* Twenty processes want one name while others look for the dead. */
static void test_race_for_a_name(void **state)
{
	int won = 0, lost = 0, go[2], done[2];
	char c = 0;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	for (int i = 0; i < 24; i++) {
		struct registration reg;
		struct instance_entry *all;

		if (fork() != 0)
			continue;
		close(go[1]);
		assert_int_equal(read(go[0], &c, 1), 0);
		if (i >= 20) {
			for (int k = 0; k < 50; k++) {
				list(&all);
				free(all);
			}
			_exit(2);
		}
		c = take("one", &reg) == 0 ? 'w' : 'l';
		assert_int_equal(write(done[1], &c, 1), 1);
		if (c == 'w')
			pause();
		_exit(0);
	}
	close(go[0]);
	close(go[1]); /* all at once */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(read(done[0], &c, 1), 1);
		*(c == 'w' ? &won : &lost) += 1;
	}
	assert_int_equal(won, 1);
	assert_int_equal(lost, 19);
	close(done[0]);
	close(done[1]);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	signal(SIGTERM, SIG_DFL);
	while (wait(NULL) > 0)
		;
}

static void test_race_in_a_group(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		test_race_for_a_name(state);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_hostile_contents(void **state)
{
	struct instance_entry *all;
	struct registration reg;
	char path[PATH_MAX], other[PATH_MAX];
	struct registry r;

	(void)state;
	assert_int_equal(registry_open(&r, NULL), 0);
	path_in(path, "file");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	path_in(path, "link");
	assert_int_equal(symlink("/etc", path), 0);
	path_in(path, "damaged");
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(path, "damaged/state");
	assert_int_equal(mkfifo(path, 0600), 0);
	path_in(path, "damaged/left");
	assert_int_equal(symlink("/etc/passwd", path), 0);
	path_in(path, "full");
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(path, "full/directory");
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(path, ".dead-");
	assert_int_equal(mkdir(path, 0700), 0);
	memset(other, 'n', 200);
	other[200] = '\0';
	path_in(path, other);
	assert_int_equal(mkdir(path, 0700), 0);

	assert_int_equal(take("file", &reg), -ENOTDIR);
	registration_end(&reg);
	assert_true(take("link", &reg) < 0);
	registration_end(&reg);
	assert_int_equal(list(&all), 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(all[i].state, INSTANCE_DEAD);
		assert_false(all[i].has_record);
		assert_string_not_equal(all[i].problem, "");
	}
	free(all);
	/* What could not be removed does not keep its name. */
	assert_int_equal(take("damaged", &reg), 0);
	registration_end(&reg);
	registry_close(&r);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

static void test_hostile_base(void **state)
{
	struct registry r;
	struct err e = { "" };
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(chmod(base, 0777), 0);
	assert_int_equal(registry_open(&r, &e), -EPERM);
	assert_non_null(strstr(e.text, "must belong to this user"));
	assert_int_equal(chmod(base, 0700), 0);
	path_in(path, "");
	path[strlen(path) - 1] = '\0';
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(registry_open(&r, &e) < 0);
	assert_int_equal(unlink(path), 0);
}

static void test_find(void **state)
{
	struct registration a;
	struct registry r;
	int fd;

	(void)state;
	assert_int_equal(take("a", &a), 0);
	assert_int_equal(registry_open(&r, NULL), 0);
	fd = registry_find(&r, "a", NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(registry_find(&r, "b", NULL), -ENOENT);
	assert_int_equal(registry_find(&r, "../instances/a", NULL), -ENOENT);
	assert_int_equal(registry_find(&r, "..", NULL), -ENOENT);
	assert_int_equal(registry_find(&r, "", NULL), -ENOENT);
	die(&a);
	assert_int_equal(registry_find(&r, "a", NULL), -ENOENT);
	registry_close(&r);
}

/* --- what is left --- */

static void test_leftovers(void **state)
{
	char damaged[] = "cgroup /sys/fs/cgroup/bulkhead-no-such\nnonsense\n";
	char others[] = "cgroup /etc/bulkhead-x\ncgroup /sys/fs/cgroup/../bulkhead-x\n"
			"cgroup /sys/fs/cgroup/system.slice\n";
	char nowhere[] = "link bh01234567.0\n", behind[] = "link bh01234567.0 net:[1]x\n";
	char gone[] = "link bh01234567.0 net:[1]\nnft bulkhead_01234567 net:[1]\n";
	char here[LEFTOVERS_NETNS_MAX], text[LEFTOVERS_NETNS_MAX + 8];
	char unknown[] = "moon full\n", fine[] = "cgroup /sys/fs/cgroup/bulkhead-no-such\n";
	struct registration a;
	struct instance_entry *all;
	struct err e = { "" };

	(void)state;
	assert_int_equal(leftovers_remove(damaged, &e), -EINVAL);
	assert_int_equal(leftovers_remove(others, &e), -EINVAL);
	assert_non_null(strstr(e.text, "/sys/fs/cgroup/system.slice"));
	assert_int_equal(leftovers_remove(unknown, &e), -EINVAL);
	assert_int_equal(leftovers_remove(fine, &e), 0);
	assert_int_equal(leftovers_remove(nowhere, &e), -EINVAL);
	assert_int_equal(leftovers_remove(behind, &e), -EINVAL);
	/* No network namespace has that number. */
	assert_int_equal(leftovers_remove(gone, &e), 0);
	assert_int_equal(leftovers_in_netns(here, sizeof(here), "lo", &e), 0);
	snprintf(text, sizeof(text), "link %s\n", here);
	assert_int_equal(leftovers_remove(text, &e), -EINVAL);
	assert_string_equal(e.text, "lo is no interface of Bulkhead's");
	/* by way of a directory */
	assert_int_equal(take("a", &a), 0);
	assert_int_equal(registration_note(&a, "cgroup", "/sys/fs/cgroup/bulkhead-1", NULL), 0);
	assert_int_equal(registration_note(&a, "moon", "full", NULL), 0);
	assert_int_equal(registration_note(&a, "moon", "full\nhalf", NULL), -EINVAL);
	die(&a);
	assert_int_equal(list(&all), 1);
	assert_non_null(strstr(all[0].problem, "moon"));
	free(all);
	assert_int_equal(list(&all), 1); /* it is tried again */
	free(all);
}

/* --- the control socket --- */

static int echo(void *ctx, char *text, char *answer, size_t size, struct err *e)
{
	(void)e;
	++*(int *)ctx;
	snprintf(answer, size, "%s", text);
	return 0;
}

static int refuse(void *ctx, char *text, char *answer, size_t size, struct err *e)
{
	(void)ctx;
	(void)answer;
	(void)size;
	return err_set(e, EBUSY, "not %s", text);
}

static void *serve(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void test_control(void **state)
{
	static const struct control_verb verbs[] = { { "echo", echo }, { "fail", refuse } };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct loop *loop = loop_new(NULL);
	int calls = 0, silent[CONTROL_PEERS + 2];
	struct registration a;
	struct control c;
	struct err e = { "" };
	char answer[CONTROL_MAX];
	pthread_t thread;

	(void)state;
	assert_int_equal(take("a", &a), 0);
	publish(&a);
	assert_int_equal(control_start(&c, loop, a.control_fd, verbs, 2, &calls), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, loop), 0);
	assert_int_equal(control_ask(a.fd, "echo\nsome\ntext", answer, &e), 0);
	assert_string_equal(answer, "some\ntext");
	assert_int_equal(control_ask(a.fd, "echo", answer, &e), 0);
	assert_string_equal(answer, "");
	assert_int_equal(control_ask(a.fd, "fail\nnow", answer, &e), -EIO);
	assert_string_equal(e.text, "not now");
	assert_true(control_ask(a.fd, "dance", answer, &e) < 0);
	assert_non_null(strstr(e.text, "dance"));
	/* Who says nothing keeps others waiting only while there are too many. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/control", a.fd);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		silent[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(silent[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		close(silent[i]);
	assert_int_equal(control_ask(a.fd, "echo\nmore", answer, &e), 0);
	assert_string_equal(answer, "more");
	loop_stop(loop);
	pthread_join(thread, NULL);
	assert_int_equal(calls, 3);
	control_stop(&c);
	control_stop(&c);
	loop_free(loop);
	registration_end(&a);
}

#define REGISTRY_TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_bad_records),
		REGISTRY_TEST(test_life),
		REGISTRY_TEST(test_dead),
		REGISTRY_TEST(test_sweep_is_bounded),
		REGISTRY_TEST(test_race_in_a_group),
		REGISTRY_TEST(test_hostile_contents),
		REGISTRY_TEST(test_hostile_base),
		REGISTRY_TEST(test_find),
		REGISTRY_TEST(test_leftovers),
		REGISTRY_TEST(test_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
