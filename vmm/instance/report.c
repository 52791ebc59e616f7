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

/* Walls give moments of the clock; a reader wants times since the start. */
static void finish_timeline(json_t *report, const struct report_times *t)
{
	json_t *timeline = json_object_get(report, "timeline");
	const char *key;
	json_t *value;

	if (!timeline) {
		timeline = json_object();
		json_object_set_new(report, "timeline", timeline);
	}
	if (t->opened)
		json_object_set_new(timeline, "opened", json_integer((json_int_t)t->opened));
	if (t->started)
		json_object_set_new(timeline, "started", json_integer((json_int_t)t->started));
	json_object_foreach(timeline, key, value) json_integer_set(
		value, (json_int_t)((uint64_t)json_integer_value(value) - t->start));
}

void report_write(int fd, const struct run_config *cfg, const struct wall_ops *ops,
		  const struct wall *wall, const struct ending *end, const struct report_times *t)
{
	char message[ENDING_TEXT_MAX + 128];
	json_t *report;
	char *text;

	ending_message(end, cfg->argc ? cfg->argv[0] : NULL, message, sizeof(message));
	make_text(message);
	report = json_pack("{s:s, s:s, s:s?, s:s, s:i, s:s, s:I}", "bulkhead", BULKHEAD_VERSION,
			   "isolation", ops->name, "name", cfg->name, "reason", ending_word(end),
			   "status", ending_status(end), "message", message, "wall_ns",
			   (json_int_t)(now_ns() - t->start));
	if (!report) {
		log_error("no memory for the report");
		return;
	}
	if (wall)
		ops->report(wall, report);
	finish_timeline(report, t);
	text = json_dumps(report, JSON_INDENT(2));
	/* EINVAL: a pipe or the like, which holds nothing to be replaced. */
	if (!text || (ftruncate(fd, 0) < 0 && errno != EINVAL) ||
	    write_all(fd, text, strlen(text)) < 0 || write_all(fd, "\n", 1) < 0)
		log_error("cannot write the report %s: %s", cfg->report, strerror(errno));
	free(text);
	json_decref(report);
}
