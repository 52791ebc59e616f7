/*
 * vhost_user_frontend.c - see vhost_user_frontend.h.
 *
 *   NEW -> ATTACHING -> IDLE -> STARTING -> RUNNING -> STOPPING -> IDLE
 *   any of them -> LOST, for good
 *
 * The three states that end in -ING run a script of the dialogue, against
 * fe->timer.  A refused activation is RUNNING, too: some rings may be.
 */
#include "vmm/monitor/vhost_user_frontend.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/monitor/vhost_user_dialogue.h"

/* More errors than any device can have in one activation; each costs us a
 * wake-up. */
#define ERRORS_MAX 1024

enum state { NEW, ATTACHING, IDLE, STARTING, RUNNING, STOPPING, LOST };

struct vhost_user_frontend {
	char name[32];
	struct loop *loop;
	int sock, pidfd;
	unsigned int attach_ms, activate_ms, reset_ms;
	void (*on_lost)(void *ctx, struct vhost_user_frontend *fe, const char *why, bool unsafe);
	void (*on_needs_reset)(void *ctx, struct vhost_user_frontend *fe, const char *why);
	void (*on_attached)(void *ctx, struct vhost_user_frontend *fe);
	void *ctx;

	enum state state;
	struct vhost_user_dialogue d;
	struct virtio_device_info info;
	struct loop_source sock_source, pid_source, err_source;
	struct loop_timer timer;
	uint32_t sock_events; /* what sock_source is watched for */
	bool exited;	      /* the pidfd has reported the process's end */
	bool refusal_told;    /* the guest can cause them: one line is enough */
	unsigned int errors;  /* of the rings, in this activation */

	struct loop_job start_job;
	bool start_posted;
	struct loop_job *attaching; /* jobs that wait for the handshake, by link */
	struct loop_job *op;	    /* the activate or reset that waits */
	bool op_is_reset;
};

/* A vCPU's operation, on its stack. */
struct call {
	struct loop_job job;
	struct vhost_user_frontend *fe;
	uint64_t features;
	const struct virtio_queue_config *queues;
};

/* --- ends of operations --- */

static void finish_op(struct vhost_user_frontend *fe, int result)
{
	struct loop_job *job = fe->op;

	fe->op = NULL;
	if (job)
		loop_job_finish(fe->loop, job, result);
}

static void finish_attaching(struct vhost_user_frontend *fe, int result)
{
	struct loop_job *job, *next;

	for (job = take_ptr(&fe->attaching); job; job = next) {
		next = job->link;
		loop_job_finish(fe->loop, job, result);
	}
}

/* --- loss --- */

/* Nobody writes the device's buffers any more.  (A back end whose features
 * are not known has not been sent guest memory.) */
static bool is_quiet(const struct vhost_user_frontend *fe)
{
	if (!fe->d.features_known)
		return true;
	return fe->pidfd >= 0 ? fe->exited : !fe->d.running;
}

/* What waits and need not wait longer.  A reset waits until all is quiet. */
static void finish_after_loss(struct vhost_user_frontend *fe)
{
	finish_attaching(fe, -ENODEV);
	if (!fe->op_is_reset || is_quiet(fe))
		finish_op(fe, -ENODEV);
}

/* False: it lives on, and we cannot tell for how long. */
static bool kill_process(struct vhost_user_frontend *fe)
{
	if (fe->exited)
		return true;
	if (fe->pidfd < 0)
		return false;
	if (pidfd_send_signal(fe->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH) {
		log_error("%s: kill its process: %s", fe->name, strerror(errno));
		return false;
	}
	return true;
}

static void lose(struct vhost_user_frontend *fe, struct err *why)
{
	bool unsafe;

	if (fe->state == LOST)
		return;
	fe->state = LOST;
	loop_timer_cancel(fe->loop, &fe->timer);
	loop_remove(fe->loop, &fe->sock_source);
	loop_remove(fe->loop, &fe->err_source);
	unsafe = !kill_process(fe) && fe->d.running;
	close_fd(&fe->sock);
	vhost_user_channel_release(&fe->d.channel);
	err_context(why, "%s", fe->name);
	fe->on_lost(fe->ctx, fe, why->text, unsafe);
	finish_after_loss(fe);
}

static void pid_ready(void *ctx, uint32_t events)
{
	struct vhost_user_frontend *fe = ctx;
	struct err why;

	(void)events;
	fe->exited = true;
	loop_remove(fe->loop, &fe->pid_source);
	if (fe->state == LOST) {
		finish_after_loss(fe);
		return;
	}
	err_set(&why, ENODEV, "its process has ended");
	lose(fe, &why);
}

/* --- the dialogue --- */

static void attached(struct vhost_user_frontend *fe)
{
	fe->info = (struct virtio_device_info){
		.device_id = fe->d.terms.device_id,
		.features = fe->d.features,
		.nqueues = fe->d.nqueues,
		.queue_size_max = fe->d.terms.queue_size_max,
		.config_len = fe->d.terms.config_len,
	};
	fe->state = IDLE;
	finish_attaching(fe, 0);
	if (fe->on_attached)
		fe->on_attached(fe->ctx, fe);
}

static void activated(struct vhost_user_frontend *fe)
{
	fe->state = RUNNING;
	if (!fe->d.refused) {
		finish_op(fe, 0);
		return;
	}
	if (!fe->refusal_told)
		log_warn("%s: %s", fe->name, fe->d.why.text);
	fe->refusal_told = true;
	finish_op(fe, -EIO);
}

static void script_ended(struct vhost_user_frontend *fe)
{
	loop_timer_cancel(fe->loop, &fe->timer);
	switch (fe->state) {
	case ATTACHING:
		if (fe->d.refused)
			lose(fe, &fe->d.why);
		else
			attached(fe);
		break;
	case STARTING:
		activated(fe);
		break;
	case STOPPING:
		/* An ordered stop leaves nothing in flight. */
		close_fd(&fe->d.inflight_fd);
		fe->state = IDLE;
		finish_op(fe, 0);
		break;
	default:
		assert(false);
	}
}

static void watch_for_room(struct vhost_user_frontend *fe)
{
	uint32_t events = EPOLLIN;
	struct err why;
	int r;

	if (vhost_user_dialogue_wants_out(&fe->d))
		events |= EPOLLOUT;
	if (events == fe->sock_events)
		return;
	fe->sock_events = events;
	r = loop_modify(fe->loop, &fe->sock_source, events);
	if (r < 0) {
		err_code(&why, r, "watch its socket");
		lose(fe, &why);
	}
}

static void go_on(struct vhost_user_frontend *fe)
{
	int r = vhost_user_dialogue_pump(&fe->d);

	if (r == 0)
		script_ended(fe);
	else if (r != -EAGAIN)
		lose(fe, &fe->d.why);
	if (fe->state != LOST)
		watch_for_room(fe);
}

static void sock_ready(void *ctx, uint32_t events)
{
	(void)events; /* a hang-up is found by reading, after what came before it */
	go_on(ctx);
}

static void begin(struct vhost_user_frontend *fe, enum state state, enum vhost_user_script script,
		  unsigned int ms)
{
	fe->state = state;
	loop_timer_set(fe->loop, &fe->timer, now_ns() + ms * NS_PER_MS);
	vhost_user_dialogue_begin(&fe->d, script);
	go_on(fe);
}

static void timer_expired(void *ctx)
{
	struct vhost_user_frontend *fe = ctx;
	unsigned int ms = fe->state == ATTACHING  ? fe->attach_ms
			  : fe->state == STARTING ? fe->activate_ms
						  : fe->reset_ms;
	char what[64];
	struct err why;

	vhost_user_dialogue_describe_wait(&fe->d, what, sizeof(what));
	err_set(&why, ETIMEDOUT, "%s within %u ms", what, ms);
	lose(fe, &why);
}

/*
 * The back end says that a ring is broken.  The eventfd is watched
 * edge-triggered (every write is an edge) and never read: the other holder
 * could make a read block.  A report that comes while no ring runs is late
 * and means nothing.
 */
static void err_ready(void *ctx, uint32_t events)
{
	struct vhost_user_frontend *fe = ctx;
	char text[ERR_TEXT_MAX];
	struct err why;

	(void)events;
	if (++fe->errors > ERRORS_MAX) {
		err_set(&why, EPROTO, "floods its error eventfd");
		lose(fe, &why);
		return;
	}
	if (fe->errors > 1 || (fe->state != RUNNING && fe->state != STARTING))
		return;
	snprintf(text, sizeof(text), "%s: a ring is malformed", fe->name);
	if (fe->on_needs_reset)
		fe->on_needs_reset(fe->ctx, fe, text);
}

/* --- jobs, on the control thread --- */

static void begin_attach(struct vhost_user_frontend *fe)
{
	struct err why;
	int r;

	if (fe->state != NEW)
		return;
	fe->sock_events = EPOLLIN;
	r = loop_add(fe->loop, &fe->sock_source, fe->sock, EPOLLIN);
	if (r == 0)
		r = loop_add(fe->loop, &fe->err_source, fe->d.err_fd, EPOLLIN | EPOLLET);
	if (r == 0 && fe->pidfd >= 0)
		r = loop_add(fe->loop, &fe->pid_source, fe->pidfd, EPOLLIN);
	if (r < 0) {
		err_code(&why, r, "watch its fds");
		lose(fe, &why);
		return;
	}
	begin(fe, ATTACHING, VHOST_USER_ATTACH, fe->attach_ms);
}

static void run_start(struct loop_job *job)
{
	begin_attach(container_of(job, struct vhost_user_frontend, start_job));
}

static void run_attach(struct loop_job *job)
{
	struct vhost_user_frontend *fe = container_of(job, struct call, job)->fe;

	job->link = fe->attaching;
	fe->attaching = job;
	begin_attach(fe);
	if (fe->state == LOST)
		finish_attaching(fe, -ENODEV);
	else if (fe->state != ATTACHING)
		finish_attaching(fe, 0);
}

static void run_activate(struct loop_job *job)
{
	struct call *call = container_of(job, struct call, job);
	struct vhost_user_frontend *fe = call->fe;
	int r = 0;

	if (fe->state == LOST)
		r = -ENODEV;
	else if (fe->op)
		r = -EBUSY;
	else if (fe->state != IDLE || (call->features & ~fe->info.features))
		r = -EINVAL;
	if (r < 0) {
		loop_job_finish(fe->loop, job, r);
		return;
	}
	fe->op = job;
	fe->op_is_reset = false;
	fe->errors = 0;
	fe->d.driver_features = call->features;
	memcpy(fe->d.queue, call->queues, fe->info.nqueues * sizeof(*call->queues));
	begin(fe, STARTING, VHOST_USER_ACTIVATE, fe->activate_ms);
}

static void run_reset(struct loop_job *job)
{
	struct vhost_user_frontend *fe = container_of(job, struct call, job)->fe;

	if (fe->op) {
		loop_job_finish(fe->loop, job, -EBUSY);
		return;
	}
	fe->op = job;
	fe->op_is_reset = true;
	if (fe->state == LOST)
		finish_after_loss(fe);
	else if (fe->state == RUNNING)
		begin(fe, STOPPING, VHOST_USER_STOP, fe->reset_ms);
	else
		finish_op(fe, 0); /* nothing has been started */
}

/* --- operations, on vCPU threads --- */

static int frontend_attach(void *ctx, struct virtio_device_info *ret_info)
{
	struct vhost_user_frontend *fe = ctx;
	struct call call = { .job.run = run_attach, .fe = fe };
	int r;

	r = loop_call(fe->loop, &call.job);
	if (r < 0)
		return r;
	*ret_info = fe->info;
	return 0;
}

static void frontend_config_read(void *ctx, uint32_t offset, void *data, uint32_t len)
{
	const struct vhost_user_frontend *fe = ctx;

	memcpy(data, fe->d.config + offset, len);
}

/* No back end of ours changes its config space. */
static uint32_t frontend_config_generation(void *ctx)
{
	(void)ctx;
	return 0;
}

/* The features that need writes are not offered (feature_mask). */
static void frontend_config_write(void *ctx, uint32_t offset, const void *data, uint32_t len)
{
	(void)ctx;
	(void)offset;
	(void)data;
	(void)len;
}

static int frontend_activate(void *ctx, uint64_t features, const struct virtio_queue_config *queues)
{
	struct vhost_user_frontend *fe = ctx;
	struct call call = {
		.job.run = run_activate, .fe = fe, .features = features, .queues = queues
	};

	return loop_call(fe->loop, &call.job);
}

static int frontend_reset(void *ctx)
{
	struct vhost_user_frontend *fe = ctx;
	struct call call = { .job.run = run_reset, .fe = fe };

	return loop_call(fe->loop, &call.job);
}

static void frontend_notify(void *ctx, uint32_t queue)
{
	const struct vhost_user_frontend *fe = ctx;
	uint64_t one = 1;

	if (queue < fe->d.terms.max_queues && write(fe->d.kick_fd[queue], &one, sizeof(one)) < 0)
		return; /* full: the device has not taken earlier kicks either */
}

const struct virtio_backend_ops vhost_user_frontend_ops = {
	.attach = frontend_attach,
	.config_read = frontend_config_read,
	.config_generation = frontend_config_generation,
	.config_write = frontend_config_write,
	.activate = frontend_activate,
	.reset = frontend_reset,
	.notify = frontend_notify,
};

/* --- making it --- */

static int check_params(const struct vhost_user_frontend_params *p, struct err *e)
{
	if (p->sock < 0 || p->memory_fd < 0 || !p->memory || !p->loop || !p->on_lost ||
	    p->memory->nregions == 0 || p->memory->nregions > GUEST_MEMORY_MAX_REGIONS)
		return err_set(e, EINVAL, "%s: incomplete parameters", p->name);
	if (p->max_queues < 1 || p->max_queues > VIRTIO_MAX_QUEUES)
		return err_set(e, EINVAL, "%s: %u queues, 1 to %u possible", p->name, p->max_queues,
			       VIRTIO_MAX_QUEUES);
	if (p->queue_size_max == 0 || (p->queue_size_max & (p->queue_size_max - 1)))
		return err_set(e, EINVAL, "%s: queue size %u is no power of two", p->name,
			       p->queue_size_max);
	if (p->config_len > VIRTIO_CONFIG_MAX)
		return err_set(e, EINVAL, "%s: config space of %zu bytes", p->name, p->config_len);
	return 0;
}

static int make_eventfd(int *ret_fd, const char *name, struct err *e)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "%s: eventfd", name);
	*ret_fd = fd;
	return 0;
}

static int make_eventfds(struct vhost_user_frontend *fe, struct err *e)
{
	int r;

	r = make_eventfd(&fe->d.call_fd, fe->name, e);
	if (r == 0)
		r = make_eventfd(&fe->d.err_fd, fe->name, e);
	for (unsigned int i = 0; r == 0 && i < fe->d.terms.max_queues; i++)
		r = make_eventfd(&fe->d.kick_fd[i], fe->name, e);
	return r;
}

static void take_params(struct vhost_user_frontend *fe, const struct vhost_user_frontend_params *p)
{
	const struct vhost_user_terms terms = {
		.device_id = p->device_id,
		.max_queues = p->max_queues,
		.queue_size_max = p->queue_size_max,
		.feature_mask = p->feature_mask,
		.config_len = p->config_len,
		.foreign = p->pidfd < 0,
		.memory = p->memory,
		.memory_fd = p->memory_fd,
	};

	snprintf(fe->name, sizeof(fe->name), "%s", p->name);
	fe->sock = p->sock;
	fe->pidfd = p->pidfd;
	fe->loop = p->loop;
	fe->on_lost = p->on_lost;
	fe->on_needs_reset = p->on_needs_reset;
	fe->on_attached = p->on_attached;
	fe->ctx = p->ctx;
	fe->attach_ms = p->attach_ms ? p->attach_ms : VHOST_USER_FRONTEND_DEADLINE_MS;
	fe->activate_ms = p->activate_ms ? p->activate_ms : VHOST_USER_FRONTEND_DEADLINE_MS;
	fe->reset_ms = p->reset_ms ? p->reset_ms : VHOST_USER_FRONTEND_DEADLINE_MS;
	fe->sock_source.ready = sock_ready;
	fe->pid_source.ready = pid_ready;
	fe->err_source.ready = err_ready;
	fe->timer.expired = timer_expired;
	fe->sock_source.ctx = fe->pid_source.ctx = fe->err_source.ctx = fe->timer.ctx = fe;
	fe->start_job.run = run_start;
	vhost_user_dialogue_init(&fe->d, &terms, fe->sock);
}

struct vhost_user_frontend *vhost_user_frontend_new(const struct vhost_user_frontend_params *params,
						    struct err *e)
{
	_cleanup_close_ int sock = params->sock, pidfd = params->pidfd;
	struct vhost_user_frontend *fe;

	if (check_params(params, e) < 0)
		return NULL;
	fe = calloc(1, sizeof(*fe));
	if (!fe) {
		err_code(e, -ENOMEM, "%s", params->name);
		return NULL;
	}
	take_params(fe, params);
	take_fd(&sock);
	take_fd(&pidfd);
	if (make_eventfds(fe, e) < 0) {
		vhost_user_frontend_free(fe);
		return NULL;
	}
	return fe;
}

void vhost_user_frontend_free(struct vhost_user_frontend *fe)
{
	if (!fe)
		return;
	loop_timer_cancel(fe->loop, &fe->timer);
	loop_remove(fe->loop, &fe->sock_source);
	loop_remove(fe->loop, &fe->err_source);
	loop_remove(fe->loop, &fe->pid_source);
	vhost_user_dialogue_release(&fe->d);
	for (unsigned int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		close_fd(&fe->d.kick_fd[i]);
	close_fd(&fe->d.call_fd);
	close_fd(&fe->d.err_fd);
	close_fd(&fe->sock);
	close_fd(&fe->pidfd);
	free(fe);
}

int vhost_user_frontend_start(struct vhost_user_frontend *fe)
{
	if (fe->start_posted)
		return 0;
	fe->start_posted = true;
	return loop_post(fe->loop, &fe->start_job);
}

int vhost_user_frontend_kick_fd(const struct vhost_user_frontend *fe, unsigned int queue)
{
	return queue < fe->d.terms.max_queues ? fe->d.kick_fd[queue] : -1;
}

int vhost_user_frontend_call_fd(const struct vhost_user_frontend *fe)
{
	return fe->d.call_fd;
}

void *vhost_user_frontend_ctx(const struct vhost_user_frontend *fe)
{
	return fe->ctx;
}

const char *vhost_user_frontend_name(const struct vhost_user_frontend *fe)
{
	return fe->name;
}
