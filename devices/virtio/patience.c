/* patience.c - see patience.h.  System calls: sched_setscheduler. */
#include "devices/virtio/patience.h"

#include <sched.h>

#include "vmm/base/util.h"

/* Of the other way's time: what is between is noise. */
#define BETTER 7 / 8
#define WORSE  9 / 8
/* Longer without a turn: the guest has nothing to do, or somebody else has the
 * CPU.  Either way patience gains nothing. */
#define GAP    NS_PER_MS

static void begin(struct patience *p, uint64_t now)
{
	p->since = now;
	p->served = 0;
}

static void rest(struct patience *p, uint32_t requests)
{
	p->trying = false;
	p->pause = p->left = requests;
}

/* The next trial comes later. */
static void rest_longer(struct patience *p)
{
	rest(p, MIN(4 * p->pause, PATIENCE_PAUSE_MAX));
}

static bool change(struct patience *p, uint64_t now)
{
	p->patient = !p->patient;
	begin(p, now);
	return true;
}

static bool judge_trial(struct patience *p, uint64_t now)
{
	uint64_t other, ns = now - p->since;

	if (p->served < PATIENCE_TRIAL_MIN)
		return false;
	other = p->window_ns * p->served / PATIENCE_WINDOW;
	/* In doubt without patience: it lets a single request wait. */
	if (ns > other * WORSE ||
	    (p->patient && p->served >= PATIENCE_TRIAL && ns > other * BETTER)) {
		rest_longer(p);
		return change(p, now);
	}
	if (p->served >= PATIENCE_TRIAL) {
		rest(p, PATIENCE_PAUSE_MIN);
		begin(p, now);
	}
	return false;
}

static bool judge_window(struct patience *p, uint64_t now)
{
	if (p->served < PATIENCE_WINDOW)
		return false;
	p->window_ns = (now - p->since) * PATIENCE_WINDOW / p->served;
	p->left -= MIN(p->left, p->served);
	begin(p, now);
	if (p->left > 0)
		return false;
	p->trying = true;
	return change(p, now);
}

/* So long since the last turn, for `n` requests: the guest has nothing to do, or
 * somebody else has the CPU.  Either way patience gains nothing. */
static bool is_gap(const struct patience *p, uint32_t n, uint64_t ns)
{
	return ns > GAP + 2 * n * p->window_ns / PATIENCE_WINDOW;
}

bool patience_turn(struct patience *p, uint32_t n, uint64_t now)
{
	bool gap = is_gap(p, n, now - p->last);

	p->last = now;
	if (p->pause == 0)
		rest(p, PATIENCE_PAUSE_MIN);
	if (gap) {
		begin(p, now);
		if (!p->patient)
			return false;
		if (p->trying)
			rest_longer(p);
		else
			rest(p, PATIENCE_PAUSE_MIN);
		return change(p, now);
	}
	p->served += n;
	return p->trying ? judge_trial(p, now) : judge_window(p, now);
}

unsigned int patience_serve(struct patience *p, uint32_t n)
{
	const struct sched_param none = { 0 };

	if (n == 0 || !patience_turn(p, n, now_ns()))
		return 0;
	/* A kernel that refuses only makes the trial show no difference. */
	sched_setscheduler(0, p->patient ? SCHED_BATCH : SCHED_OTHER, &none);
	return 1;
}
