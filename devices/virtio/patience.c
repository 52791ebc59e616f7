/* patience.c - see patience.h.  System calls: sched_setscheduler. */
#include "devices/virtio/patience.h"

#include <sched.h>

#include "vmm/base/util.h"

/* Of the other way's time: what is between is noise, and within a few requests more
 * of it. */
#define BETTER	15 / 16
#define WORSE	17 / 16
#define TOO_BAD 9 / 8
/* Turns for 1024 requests, of a guest with many on their way: four in a turn. */
#define DEEP	256u
/* Longer without a turn: the guest has nothing to do, or somebody else has the
 * CPU.  Either way patience gains nothing. */
#define GAP	NS_PER_MS

static void begin(struct patience *p, uint64_t now)
{
	p->since = now;
	p->served = p->turns = 0;
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

static uint32_t turns_per_k(const struct patience *p)
{
	return (uint32_t)((uint64_t)p->turns * 1024 / p->served);
}

/* By half as much again? */
static bool exceeds(uint64_t a, uint64_t b)
{
	return 2 * a >= 3 * b;
}

/* Is what was served since enough to judge by?  One turn of many tells little. */
static bool is_enough(const struct patience *p, uint32_t requests)
{
	return p->served >= requests && p->turns >= PATIENCE_TURNS;
}

/* Of a whole trial of patience: does a turn find more, and is it quicker so? */
static bool patience_pays(const struct patience *p, uint64_t ns, uint64_t other)
{
	return exceeds(p->window_turns, turns_per_k(p)) && ns <= other * BETTER;
}

/* Of a whole trial without it.  In doubt without: it lets a single request wait. */
static bool impatience_pays(const struct patience *p, uint64_t ns, uint64_t other)
{
	uint32_t turns = turns_per_k(p);

	if (turns <= DEEP)
		return ns <= other * BETTER;
	return ns <= other * WORSE || !exceeds(turns, p->window_turns);
}

static bool judge_trial(struct patience *p, uint64_t now)
{
	uint64_t other, ns = now - p->since;
	bool over = is_enough(p, PATIENCE_TRIAL);

	if (!is_enough(p, PATIENCE_TRIAL_MIN))
		return false;
	other = p->window_ns * p->served / PATIENCE_WINDOW;
	if (ns > other * TOO_BAD ||
	    (over && !(p->patient ? patience_pays(p, ns, other) : impatience_pays(p, ns, other)))) {
		rest_longer(p);
		return change(p, now);
	}
	if (over) {
		rest(p, PATIENCE_PAUSE_MIN);
		begin(p, now);
	}
	return false;
}

static bool judge_window(struct patience *p, uint64_t now)
{
	uint32_t turns, before = p->window_turns;

	if (!is_enough(p, PATIENCE_WINDOW))
		return false;
	turns = turns_per_k(p);
	p->window_ns = (now - p->since) * PATIENCE_WINDOW / p->served;
	p->window_turns = turns;
	p->left -= MIN(p->left, p->served);
	begin(p, now);
	/* When a turn finds fewer than before, it is tried at once. */
	if (p->left > 0 && (p->patient || !before || !exceeds(turns, before)))
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
	p->turns++;
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
