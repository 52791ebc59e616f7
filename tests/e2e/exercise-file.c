/*
 * exercise-file.c - operations on a file, mirrored in memory and compared
 *
 * usage: exercise-file work FILE SEED OPERATIONS
 *        exercise-file check FILE SEED OPERATIONS
 *
 * `work` makes FILE and does OPERATIONS operations, chosen by SEED: writes and
 * reads (through the page cache, past it, and through a mapping), truncation up
 * and down, holes, ranges of zeros, fsync, the file closed and opened anew, its
 * pages dropped from the cache so that reads come from the disk. Each read is
 * compared with a mirror in memory, and so is the whole file at the end. `check`
 * does the same to the mirror alone and compares the file that is there: after
 * the file system was mounted anew, for example.
 *
 * The way of XFS's fsx, which Debian has no package of. Prints one line, "ok"
 * or what differs after which operation; the status is 0 or 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (1u << 20)
#define CHUNK_MAX (96u << 10)
#define BLOCK	  4096u

static uint8_t mirror[FILE_MAX];
static uint32_t size;	/* of the mirror's file; behind it the mirror is zero */
static uint8_t *buffer; /* CHUNK_MAX, aligned for direct requests */
static const char *path;
static int fd = -1, direct_fd = -1;
static bool working;
static unsigned long operation;
static uint64_t state;

static void fail(const char *format, ...)
{
	va_list args;

	printf("operation %lu of %s: ", operation, path);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void must(bool good, const char *what)
{
	if (!good)
		fail("%s: %s", what, strerror(errno));
}

/* xorshift64*: the same on every machine. */
static uint32_t random_below(uint32_t limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dULL) >> 32) % limit;
}

static void compare(uint32_t at, uint32_t len, const char *how)
{
	for (uint32_t i = 0; i < len; i++)
		if (buffer[i] != mirror[at + i])
			fail("%s of %u bytes at %u: byte %u is 0x%02x, not 0x%02x", how, len, at,
			     at + i, buffer[i], mirror[at + i]);
}

static void open_file(int more)
{
	fd = open(path, O_RDWR | more, 0600);
	must(fd >= 0, "open");
	direct_fd = open(path, O_RDWR | O_DIRECT);
	must(direct_fd >= 0, "open past the cache");
}

static void close_file(void)
{
	must(close(fd) == 0 && close(direct_fd) == 0, "close");
}

/* Bytes that tell which operation they are of, and where they belong. */
static void make_data(uint32_t at, uint32_t len)
{
	uint32_t key = random_below(1u << 31);

	for (uint32_t i = 0; i < len; i++)
		buffer[i] = (uint8_t)((key >> (i & 3) * 7) + (at + i) / 3);
}

static void mirror_write(uint32_t at, uint32_t len)
{
	memcpy(mirror + at, buffer, len);
	if (at + len > size)
		size = at + len;
}

static void write_file(uint32_t at, uint32_t len)
{
	make_data(at, len);
	mirror_write(at, len);
	if (working)
		must(pwrite(fd, buffer, len, at) == (ssize_t)len, "write");
}

static void write_direct(uint32_t at, uint32_t len)
{
	at -= at % BLOCK;
	len = len / BLOCK * BLOCK + BLOCK;
	if (at + len > FILE_MAX || len > CHUNK_MAX)
		return;
	make_data(at, len);
	mirror_write(at, len);
	if (working)
		must(pwrite(direct_fd, buffer, len, at) == (ssize_t)len, "write past the cache");
}

static void write_mapping(uint32_t at, uint32_t len)
{
	uint8_t *map;

	if (at >= size)
		return;
	if (len > size - at)
		len = size - at;
	make_data(at, len);
	mirror_write(at, len);
	if (!working)
		return;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED, "map");
	memcpy(map + at, buffer, len);
	if (len % 3 == 0)
		must(msync(map, size, MS_SYNC) == 0, "msync");
	must(munmap(map, size) == 0, "unmap");
}

static void read_file(uint32_t at, uint32_t len)
{
	uint32_t want = at >= size ? 0 : len < size - at ? len : size - at;
	ssize_t n;

	if (!working)
		return;
	n = pread(fd, buffer, len, at);
	if (n != (ssize_t)want)
		fail("read of %u bytes at %u gave %zd, not %u", len, at, n, want);
	compare(at, want, "read");
}

static void read_direct(uint32_t at, uint32_t len)
{
	uint32_t want;
	ssize_t n;

	at -= at % BLOCK;
	len = len / BLOCK * BLOCK + BLOCK;
	if (!working || len > CHUNK_MAX)
		return;
	want = at >= size ? 0 : len < size - at ? len : size - at;
	n = pread(direct_fd, buffer, len, at);
	if (n != (ssize_t)want)
		fail("read of %u bytes at %u past the cache gave %zd, not %u", len, at, n, want);
	compare(at, want, "read past the cache");
}

static void read_mapping(uint32_t at, uint32_t len)
{
	uint8_t *map;

	if (!working || at >= size)
		return;
	if (len > size - at)
		len = size - at;
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED, "map");
	memcpy(buffer, map + at, len);
	/* The last page goes on behind the file, with zeros. */
	for (uint32_t i = size; i % BLOCK; i++)
		if (map[i])
			fail("the mapping has 0x%02x behind the file's end", map[i]);
	must(munmap(map, size) == 0, "unmap");
	compare(at, len, "mapping");
}

static void resize(uint32_t to)
{
	if (to < size)
		memset(mirror + to, 0, size - to);
	size = to;
	if (working)
		must(ftruncate(fd, to) == 0, "truncate");
}

static void zero(uint32_t at, uint32_t len, int mode, const char *what)
{
	uint32_t end = at + len < size ? at + len : size;

	if (at < end)
		memset(mirror + at, 0, end - at);
	if (working)
		must(fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, at, len) == 0, what);
}

static void allocate(uint32_t at, uint32_t len)
{
	if (at + len > size)
		size = at + len;
	if (working)
		must(fallocate(fd, 0, at, len) == 0, "allocate");
}

static void sync_file(uint32_t how)
{
	if (!working)
		return;
	must((how & 1 ? fsync(fd) : fdatasync(fd)) == 0, "sync");
	if (how & 2)
		must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "drop the cache");
}

static void reopen(void)
{
	if (!working)
		return;
	close_file();
	open_file(0);
}

static void operate(void)
{
	uint32_t op = random_below(20);
	uint32_t len = 1 + random_below(CHUNK_MAX), at = random_below(FILE_MAX - len), how;

	how = random_below(4);
	/* Small ones too, and such at the borders of blocks. */
	if (how == 0)
		len = 1 + len % 700;
	else if (how == 1)
		at -= at % BLOCK;
	switch (op) {
	case 0 ... 3:
		write_file(at, len);
		break;
	case 4:
	case 5:
		write_direct(at, len);
		break;
	case 6:
	case 7:
		write_mapping(at, len);
		break;
	case 8 ... 10:
		read_file(at, len);
		break;
	case 11:
		read_direct(at, len);
		break;
	case 12:
		read_mapping(at, len);
		break;
	case 13:
		resize(at);
		break;
	case 14:
		zero(at, len, FALLOC_FL_PUNCH_HOLE, "punch a hole");
		break;
	case 15:
		zero(at, len, FALLOC_FL_ZERO_RANGE, "zero a range");
		break;
	case 16:
		allocate(at, len);
		break;
	case 17:
	case 18:
		sync_file(how);
		break;
	default:
		reopen();
		break;
	}
}

static void check_all(void)
{
	struct stat st;

	must(fstat(fd, &st) == 0, "look at the file");
	if (st.st_size != size)
		fail("the file has %lld bytes, not %u", (long long)st.st_size, size);
	for (uint32_t at = 0; at < size; at += CHUNK_MAX)
		read_file(at, CHUNK_MAX);
}

int main(int argc, char **argv)
{
	unsigned long operations;

	if (argc != 5) {
		fprintf(stderr, "usage: exercise-file work|check FILE SEED OPERATIONS\n");
		return 2;
	}
	path = argv[2];
	state = strtoull(argv[3], NULL, 10) * 2654435761u + 1;
	operations = strtoul(argv[4], NULL, 10);
	buffer = aligned_alloc(BLOCK, CHUNK_MAX);
	must(buffer != NULL, "memory");
	working = strcmp(argv[1], "work") == 0;
	open_file(working ? O_CREAT | O_TRUNC : 0);
	for (; operation < operations; operation++)
		operate();
	working = true;
	check_all();
	close_file();
	printf("ok\n");
	return 0;
}
