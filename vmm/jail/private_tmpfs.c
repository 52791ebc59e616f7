/* private_tmpfs.c - see private_tmpfs.h. */
#include "vmm/jail/private_tmpfs.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/fd_message.h"

/* fd or -errno. */
static int make_file(void)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	_cleanup_close_ int mnt = -1;
	int fd;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "huge", "advise", 0) < 0 ||
	    /* 0: no limit but memory; the default is half of the host's. */
	    syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "0", 0) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return neg_errno();
	mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		return neg_errno();
	fd = openat(mnt, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? neg_errno() : fd;
}

static int put_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? neg_errno() : write_all(fd, text, strlen(text));
}

/* A user namespace in which we are root, mapped to who we are. */
static int become_root(void)
{
	unsigned int uid = geteuid(), gid = getegid();
	char map[32];
	int r;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return neg_errno();
	snprintf(map, sizeof(map), "0 %u 1", uid);
	r = put_text("/proc/self/uid_map", map);
	if (r == 0)
		r = put_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", gid);
	if (r == 0)
		r = put_text("/proc/self/gid_map", map);
	return r;
}

/* The child: send the file, or nothing, and the code. */
static void make_and_send(int sock)
{
	int r = become_root();
	int fd = -1;

	if (r == 0) {
		fd = make_file();
		r = MIN(fd, 0);
	}
	_exit(fd_message_send(sock, &r, sizeof(r), fd) < 0 ? 1 : 0);
}

static int receive_file(int sock)
{
	int code = 0, fd;
	int r = fd_message_receive(sock, &code, sizeof(code), &fd);

	if (r == 0 && code < 0)
		r = code;
	if (r < 0) {
		close_fd(&fd);
		return r;
	}
	return fd < 0 ? -EIO : fd;
}

static int file_from_child(void)
{
	int pair[2];
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return neg_errno();
	pid = fork();
	if (pid == 0)
		make_and_send(pair[1]);
	close(pair[1]);
	r = pid < 0 ? neg_errno() : receive_file(pair[0]);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int private_tmpfs_file(struct err *e)
{
	int fd = make_file();

	if (fd == -EPERM)
		fd = file_from_child();
	return fd < 0 ? err_code(e, fd, "make a private tmpfs for huge pages") : fd;
}
