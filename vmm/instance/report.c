/* report.c - see report.h. */
#include "vmm/instance/report.h"

#include <jansson.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"

void report_init(void)
{
	json_object_seed(1);
}

/* JSON is UTF-8, a command's name may be anything. */
static void make_text(char *s)
{
	for (; *s; s++)
		if (*s != '\n' && (*s < 0x20 || *s > 0x7e))
			*s = '?';
}

/* The earliest of the moments that is later than `after`, or NULL. */
static const char *next_moment(json_t *moments, json_int_t after)
{
	json_int_t best = INT64_MAX;
	const char *key, *ret = NULL;
	json_t *value;

	json_object_foreach(moments, key, value)
	{
		json_int_t at = json_integer_value(value);

		if (at > after && at < best) {
			best = at;
			ret = key;
		}
	}
	return ret;
}

/* Walls give moments of the clock, some of which other processes told; a reader
 * wants times since the start, in their order.  Those outside of the run are
 * left out. */
static void make_timeline(json_t *of, uint64_t start, uint64_t end)
{
	json_t *moments = json_object_get(of, "timeline");
	json_int_t at = (json_int_t)start - 1;
	json_t *o = json_object();
	const char *key;

	while (moments && (key = next_moment(moments, at)) != NULL) {
		json_int_t same = at = json_integer_value(json_object_get(moments, key));
		json_t *value;

		if (at > (json_int_t)end)
			break;
		json_object_foreach(moments, key, value) if (json_integer_value(value) == same)
			json_object_set_new(o, key, json_integer(at - (json_int_t)start));
	}
	json_object_set_new(of, "timeline", o);
}

static void set_moment(json_t *timeline, const char *key, uint64_t at)
{
	if (at)
		json_object_set_new(timeline, key, json_integer((json_int_t)at));
}

static void finish_timelines(json_t *report, const struct report_times *t)
{
	json_t *timeline = json_object_get(report, "timeline");
	uint64_t end = now_ns();
	json_t *device;
	size_t i;

	if (!timeline) {
		timeline = json_object();
		json_object_set_new(report, "timeline", timeline);
	}
	set_moment(timeline, "parsed", t->parsed);
	set_moment(timeline, "opened", t->opened);
	set_moment(timeline, "started", t->started);
	set_moment(timeline, "supervisor_filter", t->confined);
	make_timeline(report, t->start, end);
	json_array_foreach(json_object_get(report, "devices"), i,
			   device) if (json_object_get(device, "timeline"))
		make_timeline(device, t->start, end);
}

void report_write(int fd, const struct run_config *cfg, const char *uuid,
		  const struct wall_ops *ops, const struct wall *wall, const struct ending *end,
		  const struct limits *limits, const struct report_times *t, json_t *net_counts)
{
	char message[ENDING_TEXT_MAX + 128];
	json_t *report;
	char *text;

	ending_message(end, cfg->argc ? cfg->argv[0] : NULL, message, sizeof(message));
	make_text(message);
	report = json_pack("{s:s, s:s, s:s?, s:s, s:s, s:i, s:s, s:I}", "bulkhead",
			   BULKHEAD_VERSION, "isolation", ops->name, "name", cfg->name, "uuid",
			   uuid, "reason", ending_word(end), "status", ending_status(end),
			   "message", message, "wall_ns", (json_int_t)(now_ns() - t->start));
	if (!report) {
		log_error("no memory for the report");
		return;
	}
	if (wall)
		ops->report(wall, report);
	if (limits)
		limits_report(limits, report);
	if (net_counts)
		json_object_set(report, "net", net_counts);
	finish_timelines(report, t);
	text = json_dumps(report, JSON_INDENT(2));
	/* EINVAL: a pipe or the like, which holds nothing to be replaced. */
	if (!text || (ftruncate(fd, 0) < 0 && errno != EINVAL) ||
	    write_all(fd, text, strlen(text)) < 0 || write_all(fd, "\n", 1) < 0)
		log_error("cannot write the report %s: %s", cfg->report, strerror(errno));
	free(text);
	json_decref(report);
}
