/* test_unpack.c - images unpacked into the cache for who may not mount them: what
 * the programs that do it may touch, what goes wrong, and what is removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/image/key.h"
#include "vmm/image/remove.h"
#include "vmm/image/unpack.h"

#define SQUASHFS_MAGIC 0x73717368u
#define EXT4_MAGIC     0xef53u

struct place {
	char top[64]; /* everything of a test */
	char *old_path;
};

static char *in(const struct place *p, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->top, name);
	return path;
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->top, "/tmp/bulkhead-test-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	setenv("XDG_CACHE_HOME", p->top, 1);
	p->old_path = strdup(getenv("PATH"));
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	int r = remove_tree(AT_FDCWD, p->top);

	setenv("PATH", p->old_path, 1);
	unsetenv("XDG_CACHE_HOME");
	free(p->old_path);
	free(p);
	return r;
}

/* A file that looks like an image at its first sight. */
static int make_image(const struct place *p, const char *name, off_t at, uint32_t magic)
{
	int fd = open(in(p, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint32_t le = htole32(magic);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(pwrite(fd, &le, sizeof(le), at), sizeof(le));
	return fd;
}

/* A stand-in for one of the programs, first in PATH. */
static void plant(const struct place *p, const char *program, const char *body)
{
	char path[128];
	FILE *f = fopen(in(p, program), "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", body);
	fclose(f);
	chmod(in(p, program), 0755);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", p->top);
	setenv("PATH", path, 1);
}

static void release(struct unpacked *u)
{
	free(take_ptr(&u->path));
	close_fd(&u->lock);
}

static unsigned int entries(const char *dir, const char *pattern)
{
	char command[256];
	unsigned int n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "find %s -mindepth 1 -maxdepth 1 -name '%s' | wc -l",
		 dir, pattern);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

/* Unpack with a stand-in that does `body`; what it came to. */
static int try(const struct place *p, const char *program, int image, const char *body,
	       struct err *e)
{
	struct unpacked u = { .lock = -1 };
	int r;

	plant(p, program, body);
	r = rootfs_unpack("IMAGE", image, &u, e);
	assert_int_equal(entries(in(p, "bulkhead/unpacked"), "*.tmp"), 0);
	if (r == 0)
		release(&u);
	return r;
}

static void test_what_the_program_may(void **state)
{
	struct place *p = *state;
	int image = make_image(p, "image", 0, SQUASHFS_MAGIC);
	char body[1024], netns[64] = "";
	struct err e = { "" };

	assert_true(readlink("/proc/self/ns/net", netns, sizeof(netns) - 1) > 0);
	close(open(in(p, "secret"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	snprintf(body, sizeof(body),
		 "may=\n"
		 "(: >%1$s/outside) 2>/dev/null && may=\"$may write\"\n"
		 "(: <%1$s/secret) 2>/dev/null && may=\"$may read\"\n"
		 "rm %1$s/secret 2>/dev/null && may=\"$may remove\"\n"
		 "[ \"$(readlink /proc/self/ns/net)\" = \"%2$s\" ] && may=\"$may network\"\n"
		 "(: >inside) 2>/dev/null && mkdir dir && mv inside dir/ && may=\"$may its-own\"\n"
		 "[ \"$(head -c 4 /proc/self/fd/3)\" = hsqs ] && may=\"$may the-image\"\n"
		 "(echo x >/proc/self/fd/3) 2>/dev/null && may=\"$may change-it\"\n"
		 "echo \"may:$may.\"; exit 3",
		 p->top, netns);
	close(image);
	image = open(in(p, "image"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(try(p, "unsquashfs", image, body, &e), -EIO);
	if (!strstr(e.text, "(status 3): may: its-own the-image."))
		fail_msg("%s", e.text);
	close(image);
}

static void test_what_it_says(void **state)
{
	static const char device[] = "echo \"create_inode: could not create character device x, "
				     "because you're not superuser!\"";
	struct place *p = *state;
	int squashfs = make_image(p, "s", 0, SQUASHFS_MAGIC);
	int ext4 = make_image(p, "x", 1024 + 0x38, EXT4_MAGIC);
	char body[512];
	struct err e = { "" };

	snprintf(body, sizeof(body), "%s; echo 'read: corrupt block' >&2; exit 2", device);
	assert_int_equal(try(p, "unsquashfs", squashfs, body, &e), -EIO);
	assert_non_null(strstr(e.text, "unpack the image IMAGE: unsquashfs (status 2): read: "
				       "corrupt block"));
	assert_int_equal(try(p, "unsquashfs", squashfs, "exit 1", &e), -EIO);
	assert_int_equal(try(p, "unsquashfs", squashfs, "kill -9 $$", &e), -EIO);
	assert_int_equal(
		try(p, "unsquashfs", squashfs, "echo 'write: No space left on device'; exit 1", &e),
		-ENOSPC);
	snprintf(body, sizeof(body), "%s; exit 2", device);
	assert_int_equal(try(p, "unsquashfs", squashfs, body, &e), 0);

	assert_int_equal(try(p, "debugfs", ext4,
			     "echo 'debugfs 1.47.0'; echo 'x: bad block while reading y'", &e),
			 -EIO);
	assert_non_null(strstr(e.text, "debugfs (status 0): x: bad block"));
	assert_int_equal(try(p, "debugfs", ext4,
			     "echo 'debugfs 1.47.0'; yes 'rdump: Operation not permitted while "
			     "changing ownership of ./a' | head -n 500",
			     &e),
			 0);
	close(squashfs);
	close(ext4);
}

static void test_refused(void **state)
{
	struct place *p = *state;
	int other = make_image(p, "o", 0, 1);
	int unclean = make_image(p, "u", 1024 + 0x38, EXT4_MAGIC);
	int squashfs = make_image(p, "s", 0, SQUASHFS_MAGIC);
	int device = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const uint32_t recover = htole32(4);
	struct unpacked u;
	struct err e = { "" };

	assert_int_equal(rootfs_unpack("IMAGE", other, &u, &e), -EINVAL);
	assert_non_null(strstr(e.text, "no image of erofs, squashfs or ext4"));
	assert_int_equal(rootfs_unpack("IMAGE", device, &u, &e), -EINVAL);
	assert_int_equal(pwrite(unclean, &recover, 4, 1024 + 0x60), 4);
	assert_int_equal(rootfs_unpack("IMAGE", unclean, &u, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "e2fsck -p"));
	close(other);
	close(unclean);
	close(squashfs);
	close(device);
}

static void test_changed_meanwhile(void **state)
{
	struct place *p = *state;
	int image = make_image(p, "image", 0, SQUASHFS_MAGIC);
	struct err e = { "" };
	pid_t child = fork();

	if (child == 0) {
		while (entries(in(p, "bulkhead/unpacked"), "*.tmp") == 0)
			usleep(1000);
		_exit(pwrite(image, "x", 1, 4096) == 1 ? 0 : 1);
	}
	mkdir(in(p, "bulkhead"), 0700);
	mkdir(in(p, "bulkhead/unpacked"), 0700);
	assert_int_equal(try(p, "unsquashfs", image, "sleep 0.7", &e), -EAGAIN);
	waitpid(child, NULL, 0);
	close(image);
}

/* Blocked and pending, as the supervisor has them. */
static void test_pending_signal_ends_it(void **state)
{
	struct place *p = *state;
	int image = make_image(p, "image", 0, SQUASHFS_MAGIC), sig;
	uint64_t start = now_ns();
	struct err e = { "" };
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGTERM);
	assert_int_equal(try(p, "unsquashfs", image, "sleep 1000", &e), -EINTR);
	assert_true(now_ns() - start < 100 * NS_PER_S);
	sigwait(&set, &sig);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(image);
}

static void test_those_used_last_stay(void **state)
{
	struct place *p = *state;
	struct unpacked first = { .lock = -1 }, u = { .lock = -1 };
	char *kept = in(p, "bulkhead/unpacked"), name[16];
	struct err e = { "" };
	struct stat st;

	plant(p, "unsquashfs", "mkdir -m 0 closed; : >file; chmod 500 .");
	for (unsigned int i = 0; i < UNPACKED_MAX + 3; i++) {
		int image;

		snprintf(name, sizeof(name), "image%u", i);
		image = make_image(p, name, 0, SQUASHFS_MAGIC);
		assert_int_equal(rootfs_unpack(name, image, i ? &u : &first, &e), 0);
		close(image);
		if (i)
			release(&u);
		usleep(20000); /* a time of its own for each */
	}
	kept = in(p, "bulkhead/unpacked");
	/* The first is the one used longest ago, but is still used. */
	assert_int_equal(stat(first.path, &st), 0);
	assert_int_equal(entries(kept, "*.lock"), UNPACKED_MAX + 1);
	assert_int_equal(entries(kept, "*"), 2 * (UNPACKED_MAX + 1));
	release(&first);
}

static void test_remove_tree(void **state)
{
	struct place *p = *state;
	int dir, fd;
	struct stat st;

	close(open(in(p, "kept"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(mkdir(in(p, "tree"), 0700), 0);
	dir = open(in(p, "tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(symlinkat("../..", dir, "link"), 0);
	assert_int_equal(mkdirat(dir, ".0", 0700), 0); /* a name that it would use itself */
	/* Deeper than a path is long, and than there are file descriptors. */
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(dir, "directory", 0700), 0);
		fd = openat(dir, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		if (i % 100 == 0)
			close(openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0));
		if (i % 10 == 0)
			assert_int_equal(fchmod(dir, 0), 0);
		close(dir);
		dir = fd;
	}
	close(dir);
	assert_int_equal(remove_tree(AT_FDCWD, in(p, "tree")), 0);
	assert_int_equal(stat(in(p, "tree"), &st), -1);
	assert_int_equal(stat(in(p, "kept"), &st), 0);
	assert_int_equal(remove_tree(AT_FDCWD, in(p, "tree")), 0);
	assert_int_equal(remove_tree(AT_FDCWD, in(p, "kept")), -ENOTDIR);
}

/* Times in whole seconds: a change within the same one would not show. */
static void coarse_times_are_waited_for(void **state)
{
	struct timespec newest, now;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &newest);
	newest.tv_nsec = 0;
	key_settle(&newest);
	clock_gettime(CLOCK_REALTIME, &now);
	assert_true(now.tv_sec - newest.tv_sec >= 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(coarse_times_are_waited_for), TEST(test_what_the_program_may),
		TEST(test_what_it_says),	   TEST(test_refused),
		TEST(test_changed_meanwhile),	   TEST(test_pending_signal_ends_it),
		TEST(test_those_used_last_stay),   TEST(test_remove_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
