/* vm_process.c - see vm_process.h. */
#include "vmm/walls/vm_process.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "vmm/base/util.h"

#define LOG_LINES_MAX 100 /* per process: a guest may not fill the host's logs */

/* A device's lines begin with its name: it may run by itself.  Others' do not. */
static void log_text_line(const struct vm_process *p, const char *text)
{
	size_t n = strlen(p->name);

	if (strncmp(text, p->name, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		log_warn("%s", text);
	else
		log_warn("%s: %s", p->name, text);
}

/* Print what a process logged, line by line, made printable. */
static void log_text(struct vm_process *p, const char *data, size_t len)
{
	char line[LOG_LINE_MAX];

	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n' && p->line_len < sizeof(p->line) - 1) {
			p->line[p->line_len++] = data[i];
			continue;
		}
		p->line[p->line_len] = '\0';
		p->line_len = 0;
		if (p->log_lines >= LOG_LINES_MAX)
			continue;
		log_text_line(p, printable(line, sizeof(line), p->line));
		if (++p->log_lines == LOG_LINES_MAX)
			log_warn("%s: further messages are not shown", p->name);
	}
}

void vm_process_read_log(struct vm_process *p)
{
	char data[1024];
	ssize_t n;

	/* As much as the pipe holds, not more: it may be refilled for ever. */
	if (!p->loop)
		return;
	for (int i = 0; i < 64; i++) {
		n = read(p->c.log_fd, data, sizeof(data));
		if (n <= 0) {
			if (n == 0)
				loop_remove(p->loop, &p->log);
			return;
		}
		log_text(p, data, (size_t)n);
		/* Enough: the pipe fills up, and its owner's lines are lost. */
		if (p->log_lines >= LOG_LINES_MAX) {
			loop_remove(p->loop, &p->log);
			return;
		}
	}
}

static void on_log(void *ctx, uint32_t events)
{
	(void)events;
	vm_process_read_log(ctx);
}

/* Reap it if it has exited.  `wait`: until it has. */
bool vm_process_reap(struct vm_process *p, bool wait)
{
	struct rusage ru;
	pid_t pid;

	if (!p->running)
		return true;
	do {
		pid = wait4(p->c.pid, &p->wait_status, wait ? 0 : WNOHANG, &ru);
	} while (pid < 0 && errno == EINTR);
	if (pid != p->c.pid)
		return false;
	p->running = false;
	p->cpu_ns = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * NS_PER_S +
		    (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
	vm_process_read_log(p);
	vm_process_unwatch(p);
	return true;
}

void vm_process_reap_soon(struct vm_process *p, unsigned int ms)
{
	struct pollfd pfd = { .fd = p->c.pidfd, .events = POLLIN };

	if (p->running && poll(&pfd, 1, (int)ms) > 0)
		vm_process_reap(p, false);
}

void vm_process_kill(struct vm_process *p)
{
	if (p->running)
		syscall(SYS_pidfd_send_signal, p->c.pidfd, SIGKILL, NULL, 0);
}

/* "was killed by signal 9 (Killed)" */
void vm_process_describe(const struct vm_process *p, char *out, size_t size)
{
	int s = p->wait_status;

	if (p->running)
		snprintf(out, size, "is still there");
	else if (WIFSIGNALED(s) && WTERMSIG(s) == SIGSYS)
		snprintf(out, size, "made a system call that its filter forbids and was killed");
	else if (WIFSIGNALED(s))
		snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(s),
			 strsignal(WTERMSIG(s)));
	else
		snprintf(out, size, "exited with status %d", WEXITSTATUS(s));
}

static void exit_ready(void *ctx, uint32_t events)
{
	struct vm_process *p = ctx;

	(void)events;
	p->on_exit(p);
}

int vm_process_watch(struct vm_process *p, struct loop *loop, void (*on_exit)(struct vm_process *p),
		     void *ctx, struct err *e)
{
	int r;

	p->loop = loop;
	p->on_exit = on_exit;
	p->ctx = ctx;
	p->running = true;
	p->exited = (struct loop_source){ .ready = exit_ready, .ctx = p };
	p->log = (struct loop_source){ .ready = on_log, .ctx = p };
	r = loop_add(loop, &p->exited, p->c.pidfd, EPOLLIN);
	if (r == 0)
		r = loop_add(loop, &p->log, p->c.log_fd, EPOLLIN);
	return r < 0 ? err_code(e, r, "watch the process of %s", p->name) : 0;
}

void vm_process_unwatch(struct vm_process *p)
{
	if (!p->loop)
		return;
	loop_remove(p->loop, &p->exited);
	loop_remove(p->loop, &p->log);
}

void vm_process_close(struct vm_process *p)
{
	if (!p->loop)
		return;
	close_fd(&p->c.pidfd);
	close_fd(&p->c.log_fd);
}
