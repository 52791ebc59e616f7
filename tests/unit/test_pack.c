/* test_pack.c - directories packed into the cache: fingerprints, the cache,
 * mkfs.erofs, and what goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/image/cache.h"
#include "vmm/image/guest_kernel.h"
#include "vmm/image/mkfs.h"
#include "vmm/image/pack.h"
#include "vmm/image/tree.h"

struct place {
	char top[64]; /* everything of a test */
	char dir[80]; /* the tree */
	char path[4096];
	char *old_path;
};

static char *in(struct place *p, const char *name)
{
	snprintf(p->path, sizeof(p->path), "%s/%s", p->dir, name);
	return p->path;
}

static void put_file(struct place *p, const char *name, const char *text)
{
	int fd = open(in(p, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->top, "/tmp/bulkhead-test-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->dir, sizeof(p->dir), "%s/tree", p->top);
	assert_int_equal(mkdir(p->dir, 0755), 0);
	setenv("XDG_CACHE_HOME", p->top, 1);
	p->old_path = strdup(getenv("PATH"));
	put_file(p, "b", "two");
	put_file(p, "a", "one");
	assert_int_equal(mkdir(in(p, "sub.d"), 0750), 0);
	put_file(p, "sub.d/c", "three");
	assert_int_equal(symlink("/etc/passwd", in(p, "link")), 0);
	*state = p;
	return 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct place *p = *state;

	setenv("PATH", p->old_path, 1);
	free(p->old_path);
	nftw(p->top, drop, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(p);
	return 0;
}

static bool have_mkfs(void)
{
	return access("/usr/bin/mkfs.erofs", X_OK) == 0 ||
	       access("/usr/sbin/mkfs.erofs", X_OK) == 0;
}

/* Runs a shell command; true when it succeeded. */
static bool shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool shell(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return system(line) == 0;
}

#define need_mkfs()                                                                                \
	do {                                                                                       \
		if (!have_mkfs()) {                                                                \
			print_message("skip: mkfs.erofs is not installed\n");                      \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static void fingerprint(struct place *p, uint8_t key[SHA256_SIZE])
{
	struct err e = { "" };
	struct tree t;
	int fd = open(p->dir, O_RDONLY | O_DIRECTORY);

	assert_int_equal(tree_scan(fd, NULL, &t, &e), 0);
	memcpy(key, t.key, SHA256_SIZE);
	tree_release(&t);
	close(fd);
}

/* --- sha256 --- */

static void test_sha256(void **state)
{
	/* FIPS 180-2, appendix B, and a million times 'a' */
	static const struct {
		const char *text;
		int times;
		uint8_t first[4];
	} cases[] = {
		{ "", 1, { 0xe3, 0xb0, 0xc4, 0x42 } },
		{ "abc", 1, { 0xba, 0x78, 0x16, 0xbf } },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  1,
		  { 0x24, 0x8d, 0x6a, 0x61 } },
		{ "a", 1000000, { 0xcd, 0xc7, 0x6e, 0x5c } },
	};
	uint8_t digest[SHA256_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sha256 h;

		sha256_init(&h);
		for (int k = 0; k < cases[i].times; k++)
			sha256_add(&h, cases[i].text, strlen(cases[i].text));
		sha256_final(&h, digest);
		assert_memory_equal(digest, cases[i].first, 4);
	}
}

/* Every length around the block's, in one piece and in bytes. */
static void test_sha256_pieces(void **state)
{
	uint8_t data[200], a[SHA256_SIZE], b[SHA256_SIZE];
	struct sha256 h;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(data); n++) {
		sha256_init(&h);
		sha256_add(&h, data, n);
		sha256_final(&h, a);
		sha256_init(&h);
		for (size_t i = 0; i < n; i++)
			sha256_add(&h, data + i, 1);
		sha256_final(&h, b);
		assert_memory_equal(a, b, sizeof(a));
	}
}

/* --- the fingerprint --- */

static void test_key_is_stable(void **state)
{
	uint8_t a[SHA256_SIZE], b[SHA256_SIZE];

	fingerprint(*state, a);
	fingerprint(*state, b);
	assert_memory_equal(a, b, sizeof(a));
}

static void change_content(struct place *p)
{
	put_file(p, "sub.d/c", "tHree");
}

static void change_mode(struct place *p)
{
	chmod(in(p, "a"), 0600);
}

static void change_mtime(struct place *p)
{
	const struct timespec times[2] = { { 1, 0 }, { 1, 1 } };

	utimensat(AT_FDCWD, in(p, "link"), times, AT_SYMLINK_NOFOLLOW);
}

static void change_name(struct place *p)
{
	char to[4096];

	snprintf(to, sizeof(to), "%s/z", p->dir);
	rename(in(p, "a"), to);
}

static void change_gone(struct place *p)
{
	unlink(in(p, "b"));
}

static void change_new(struct place *p)
{
	put_file(p, "sub.d/new", "");
}

static void change_root_mode(struct place *p)
{
	chmod(p->dir, 0700);
}

static void test_key_sees_every_change(void **state)
{
	static void (*const changes[])(struct place *) = {
		change_content, change_mode, change_mtime,     change_name,
		change_gone,	change_new,  change_root_mode,
	};
	uint8_t before[SHA256_SIZE], after[SHA256_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		fingerprint(*state, before);
		usleep(12000); /* a step of the clock that files get their times from */
		changes[i](*state);
		fingerprint(*state, after);
		assert_memory_not_equal(before, after, sizeof(before));
	}
}

static void test_skipped_directory(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	struct stat st;
	struct tree t;
	uint8_t key[SHA256_SIZE];
	int fd = open(p->dir, O_RDONLY | O_DIRECTORY);

	assert_int_equal(stat(in(p, "sub.d"), &st), 0);
	assert_int_equal(tree_scan(fd, &st, &t, &e), 0);
	assert_int_equal(t.nexcluded, 1);
	assert_string_equal(t.excluded[0], "sub.d");
	memcpy(key, t.key, sizeof(key));
	tree_release(&t);
	usleep(12000);
	put_file(p, "sub.d/more", "x");
	assert_int_equal(tree_scan(fd, &st, &t, &e), 0);
	assert_memory_equal(t.key, key, sizeof(key));
	tree_release(&t);
	close(fd);
}

/* A file system that is mounted in the tree is an empty directory in the image. */
static void test_other_file_systems(void **state)
{
	struct place *p = *state;
	int status;

	need_mkfs();
	if (geteuid() != 0) {
		print_message("skip: needs root to mount\n");
		skip();
	}
	if (fork() == 0) {
		struct err e = { "" };
		char *path;
		int fd;

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", in(p, "sub.d"), "tmpfs", 0, NULL) < 0)
			_exit(77);
		put_file(p, "sub.d/secret", "x");
		if (rootfs_pack(p->dir, &fd, &path, &e) < 0)
			_exit(1);
		_exit(shell("fsck.erofs --extract=%s/out %s >/dev/null 2>&1 && cd %s/out && "
			    "[ -d sub.d ] && [ -z \"$(ls -A sub.d)\" ] && [ -f a ]",
			    p->top, path, p->top)
			      ? 0
			      : 2);
	}
	wait(&status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skip: no mount namespace\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_too_deep(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	struct tree t;
	int fd = open(p->dir, O_RDONLY | O_DIRECTORY), top = dup(fd), next;

	for (int i = 0; i < 300; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(tree_scan(top, NULL, &t, &e), -E2BIG);
	assert_non_null(strstr(e.text, "deeper than"));
	close(top);
}

/* A name that would talk to the user's terminal. */
static void test_hostile_name(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	struct tree t;
	int status;

	if (geteuid() != 0) {
		print_message("skip: needs root to become somebody else\n");
		skip();
	}
	chmod(p->top, 0777);
	put_file(p, "\x1b]0;\n", "");
	chmod(p->path, 0);
	chmod(in(p, "sub.d"), 0755);
	if (fork() == 0) {
		int fd = open(p->dir, O_RDONLY | O_DIRECTORY);

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		_exit(tree_scan(fd, NULL, &t, &e) == -EACCES && strstr(e.text, "read ?]0;?:") ? 0
											      : 3);
	}
	wait(&status);
	assert_int_equal(status, 0);
}

/* --- regular expressions --- */

static void test_below(void **state)
{
	char *re;

	(void)state;
	re = mkfs_below("a.b/c+(d)[e]{1}|f^$*?\\");
	assert_string_equal(re, "^a\\.b/c\\+\\(d\\)\\[e\\]\\{1\\}\\|f\\^\\$\\*\\?\\\\/");
	free(re);
}

/* --- the cache --- */

static void test_cache_is_private(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	struct cache c;
	struct stat st;
	char path[128];

	assert_int_equal(cache_open(&c, "rootfs", &e), 0);
	assert_int_equal(fstat(c.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	cache_close(&c);
	snprintf(path, sizeof(path), "%s/bulkhead/rootfs", p->top);
	chmod(path, 0777);
	assert_int_equal(cache_open(&c, "rootfs", &e), -EPERM);
	assert_non_null(strstr(e.text, "writable"));
	chmod(path, 0700);
	/* A symbolic link in its place is not followed. */
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(cache_open(&c, "rootfs", &e) < 0);
}

static void test_cache_place(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	struct cache c;

	setenv("XDG_CACHE_HOME", "relative", 1);
	setenv("HOME", p->top, 1);
	assert_int_equal(cache_open(&c, "rootfs", &e), 0);
	assert_non_null(strstr(c.path, "/.cache/bulkhead/rootfs"));
	cache_close(&c);
}

static void fake_image(const struct cache *c, const char *key, time_t used)
{
	struct timespec times[2] = { { used, 0 }, { used, 0 } };
	char data[8192] = { 0 };
	char name[80];
	int fd;

	memcpy(data + 1024, "\xe2\xe1\xf5\xe0", 4);
	snprintf(name, sizeof(name), "%s.erofs", key);
	fd = openat(c->fd, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, sizeof(data)), 0);
	futimens(fd, times);
	close(fd);
}

static bool there(const struct cache *c, const char *name)
{
	return faccessat(c->fd, name, F_OK, 0) == 0;
}

static void test_prune(void **state)
{
	struct err e = { "" };
	struct cache c;
	int locked, stale, used = -1;

	(void)state;
	assert_int_equal(cache_open(&c, "rootfs", &e), 0);
	fake_image(&c, "old", 1000);
	fake_image(&c, "older", 900);
	fake_image(&c, "new", 2000);
	fake_image(&c, "mine", 100);
	assert_int_equal(cache_find(&c, "older", &used, &e), 0); /* marks it as used now */
	stale = openat(c.fd, "crashed.tmp", O_RDWR | O_CREAT, 0600);
	close(stale);
	locked = openat(c.fd, "making.tmp", O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(locked, LOCK_EX), 0);

	cache_prune(&c, "mine", 2, 1 << 30);
	assert_true(there(&c, "older.erofs"));
	assert_true(there(&c, "new.erofs"));
	assert_false(there(&c, "old.erofs"));
	assert_true(there(&c, "mine.erofs"));
	assert_false(there(&c, "crashed.tmp"));
	assert_true(there(&c, "making.tmp"));

	cache_prune(&c, "mine", 10, 1);
	assert_false(there(&c, "new.erofs"));
	assert_true(there(&c, "mine.erofs"));
	/* Whoever has one open keeps it. */
	assert_int_equal(lseek(used, 0, SEEK_END), 8192);
	close(used);
	close(locked);
	cache_close(&c);
}

static void test_broken_image_is_dropped(void **state)
{
	struct err e = { "" };
	struct cache c;
	int fd;

	(void)state;
	assert_int_equal(cache_open(&c, "rootfs", &e), 0);
	fd = openat(c.fd, "k.erofs", O_RDWR | O_CREAT, 0600);
	close(fd);
	assert_int_equal(cache_find(&c, "k", &fd, &e), -ENOENT);
	assert_false(there(&c, "k.erofs"));
	cache_close(&c);
}

/* --- packing --- */

static void test_pack_and_find(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	char *path = NULL, *again = NULL;
	struct stat a, b;
	int fd, fd2;

	need_mkfs();
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_true(a.st_size > 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(rootfs_pack(p->dir, &fd2, &again, &e), 0);
	assert_string_equal(path, again);
	assert_int_equal(fstat(fd2, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	close(fd2);
	free(again);
	usleep(12000);
	change_content(p);
	assert_int_equal(rootfs_pack(p->dir, &fd2, &again, &e), 0);
	assert_string_not_equal(path, again);
	close(fd);
	close(fd2);
	free(path);
	free(again);
}

static void test_content(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char *path = NULL;
	int fd, sock;

	need_mkfs();
	assert_int_equal(mkfifo(in(p, "fifo"), 0600), 0);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/sock", p->dir);
	assert_int_equal(bind(sock, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(sock);
	/* The cache inside of the tree that is packed. */
	setenv("XDG_CACHE_HOME", in(p, "sub.d"), 1);
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), 0);
	assert_true(shell("fsck.erofs --extract=%s/out %s >/dev/null 2>&1", p->top, path));
	assert_true(shell("cd %s && diff -r --no-dereference -x fifo -x sock -x bulkhead tree out",
			  p->top));
	assert_true(shell("cd %s/out && [ -d sub.d/bulkhead/rootfs ] && "
			  "[ -z \"$(ls -A sub.d/bulkhead/rootfs)\" ]",
			  p->top));
	close(fd);
	free(path);
	/* Its own image must not make the tree another one. */
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), 0);
	assert_true(shell("[ $(ls %s/sub.d/bulkhead/rootfs/*.erofs | wc -l) = 1 ]", p->dir));
	close(fd);
	free(path);
}

/* A stand-in for mkfs.erofs, first in PATH. */
static void plant_mkfs(struct place *p, const char *body)
{
	char name[128], path[256];
	FILE *f;

	snprintf(name, sizeof(name), "%s/mkfs.erofs", p->top);
	f = fopen(name, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nfor image; do last=$dir; dir=$image; done; image=$last\n%s\n", body);
	fclose(f);
	chmod(name, 0755);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", p->top);
	setenv("PATH", path, 1);
}

static bool no_litter(struct place *p)
{
	return shell("[ -z \"$(ls %s/bulkhead/rootfs)\" ]", p->top);
}

static void test_changed_while_packed(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	char *path;
	int fd;

	plant_mkfs(p, "sleep 0.02; echo more >> sub.d/c; exit 0");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -EAGAIN);
	assert_non_null(strstr(e.text, "sub.d/c"));
	assert_true(no_litter(p));
}

static void test_mkfs_fails(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	char *path;
	int fd;

	plant_mkfs(p, "echo noise; printf '<E> erofs: bad \\033[1m thing\\n' >&2; echo; exit 3");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -EIO);
	assert_non_null(strstr(e.text, "status 3: erofs: bad ?[1m thing"));
	assert_null(strchr(e.text, '\n'));
	assert_true(no_litter(p));

	plant_mkfs(p, "echo '<E> x : [Error 28] No space left on device'; exit 1");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -ENOSPC);
	assert_true(no_litter(p));

	plant_mkfs(p, "kill -9 $$");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -EIO);
	assert_non_null(strstr(e.text, "signal 9"));

	/* more output than is kept */
	plant_mkfs(p, "head -c 300000 /dev/zero | tr '\\0' x; exit 1");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -EIO);

	/* it says that all is well and makes no image */
	plant_mkfs(p, "exit 0");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -ENOENT);
	assert_true(no_litter(p));
}

static void test_clean_environment(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	char *path;
	int fd;

	setenv("SECRET_TOKEN", "1", 1);
	plant_mkfs(p, "[ -z \"$SECRET_TOKEN\" ] || { echo leaked; exit 1; }\n"
		      "for f in /proc/self/fd/*; do case $f in */[012]) ;; *) "
		      "readlink $f | grep -q tree && { echo fd; exit 1; } ;; esac; done; exit 4");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -EIO);
	assert_non_null(strstr(e.text, "status 4"));
	unsetenv("SECRET_TOKEN");
}

/* Blocked and pending, as the supervisor has them; nothing may wait for long. */
static void test_pending_signal_ends_packing(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	uint64_t start = now_ns();
	sigset_t set, old;
	struct cache c;
	char *path;
	int fd, sig, holder;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGTERM);

	assert_int_equal(cache_open(&c, "rootfs", &e), 0);
	assert_int_equal(cache_begin(&c, "held", &holder, &e), 0);
	assert_int_equal(cache_begin(&c, "held", &fd, &e), -EINTR);
	cache_abandon(&c, "held");
	close(holder);
	cache_close(&c);

	for (int i = 0; i < 1100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "many%d", i);
		put_file(p, name, "");
	}
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -EINTR);
	assert_non_null(strstr(e.text, "interrupted"));
	assert_true(shell("rm %s/many*", p->dir));

	plant_mkfs(p, "exec sleep 30");
	assert_int_equal(rootfs_pack(p->dir, &fd, &path, &e), -EINTR);
	assert_true(now_ns() - start < 10 * NS_PER_S);
	sigwait(&set, &sig);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_true(no_litter(p));
}

/* Several packers of one tree: one packs, all get the same image. */
static void test_concurrent_packers(void **state)
{
	struct place *p = *state;
	int status;

	need_mkfs();
	for (int i = 0; i < 6; i++) {
		if (fork() == 0) {
			struct err e = { "" };
			char *path;
			int fd;

			_exit(rootfs_pack(p->dir, &fd, &path, &e) == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < 6; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_true(shell("[ $(ls -A %s/bulkhead/rootfs | wc -l) = 1 ]", p->top));
}

static void test_unreadable(void **state)
{
	struct place *p = *state;
	int status;

	if (geteuid() != 0) {
		print_message("skip: needs root to become somebody else\n");
		skip();
	}
	chmod(p->top, 0777);
	chmod(in(p, "a"), 0600);
	if (fork() == 0) {
		struct err e = { "" };
		char *path;
		int fd;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		/* sub.d is 0750 */
		if (rootfs_pack(p->dir, &fd, &path, &e) != -EACCES || !strstr(e.text, "read a:"))
			_exit(3);
		_exit(0);
	}
	wait(&status);
	assert_int_equal(status, 0);
}

static void test_open_kinds(void **state)
{
	struct place *p = *state;
	struct rootfs_image image;
	struct err e = { "" };

	assert_int_equal(rootfs_open(in(p, "none"), false, &image, &e), -ENOENT);
	assert_int_equal(rootfs_open(p->dir, true, &image, &e), -EINVAL);
	assert_non_null(strstr(e.text, "never written"));
	assert_int_equal(rootfs_open("/dev/null", false, &image, &e), -EINVAL);
	mkfifo(in(p, "pipe"), 0600);
	assert_int_equal(rootfs_open(in(p, "pipe"), false, &image, &e), -EINVAL);
	assert_int_equal(rootfs_open(in(p, "a"), true, &image, &e), 0);
	assert_false(image.packed);
	assert_int_equal(fcntl(image.fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	close(image.fd);
	free(image.path);
}

/* --- the guest kernel --- */

static void test_guest_kernel(void **state)
{
	struct place *p = *state;
	struct err e = { "" };
	char *path = NULL;
	char dir[4096];

	assert_int_equal(guest_kernel_find("given", &path, &e), 0);
	assert_string_equal(path, "given");
	free(path);
	setenv("BULKHEAD_KERNEL", in(p, "a"), 1);
	assert_int_equal(guest_kernel_find(NULL, &path, &e), 0);
	assert_string_equal(path, in(p, "a"));
	free(path);
	setenv("BULKHEAD_KERNEL", "/nonexistent", 1);
	assert_int_equal(guest_kernel_find(NULL, &path, &e), -ENOENT);
	assert_non_null(strstr(e.text, "BULKHEAD_KERNEL"));
	unsetenv("BULKHEAD_KERNEL");
	snprintf(dir, sizeof(dir), "%s/bulkhead", p->dir);
	mkdir(dir, 0755);
	put_file(p, "bulkhead/vmlinux-x86_64", "k");
	setenv("XDG_DATA_HOME", p->dir, 1);
	assert_int_equal(guest_kernel_find(NULL, &path, &e), 0);
	assert_string_equal(path, in(p, "bulkhead/vmlinux-x86_64"));
	free(path);
	unsetenv("XDG_DATA_HOME");
}

#define test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_sha256_pieces),
		test(test_key_is_stable),
		test(test_key_sees_every_change),
		test(test_skipped_directory),
		test(test_other_file_systems),
		test(test_too_deep),
		test(test_hostile_name),
		cmocka_unit_test(test_below),
		test(test_cache_is_private),
		test(test_cache_place),
		test(test_prune),
		test(test_broken_image_is_dropped),
		test(test_pack_and_find),
		test(test_content),
		test(test_changed_while_packed),
		test(test_mkfs_fails),
		test(test_clean_environment),
		test(test_pending_signal_ends_packing),
		test(test_concurrent_packers),
		test(test_unreadable),
		test(test_open_kinds),
		test(test_guest_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
