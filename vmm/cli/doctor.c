/*
 * doctor.c - the report of `bulkhead doctor`; see doctor.h.
 */
#include "vmm/cli/doctor.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

struct doctor_check *doctor_add(struct doctor_report *r, const char *id, const char *title,
				bool required)
{
	struct doctor_check *c;

	assert(r->n < DOCTOR_MAX);
	c = &r->checks[r->n++];
	*c = (struct doctor_check){
		.id = id, .title = title, .required = required, .state = DOCTOR_NO
	};
	return c;
}

void doctor_set(struct doctor_check *c, enum doctor_state state, const char *value, const char *why,
		const char *fix)
{
	c->state = state;
	snprintf(c->value, sizeof(c->value), "%s", value);
	snprintf(c->why, sizeof(c->why), "%s", why);
	snprintf(c->fix, sizeof(c->fix), "%s", fix);
}

void doctor_detail(struct doctor_report *r, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	strcat(line, "\n");
	p = realloc(r->details, r->details_len + strlen(line) + 1);
	if (!p)
		return;
	memcpy(p + r->details_len, line, strlen(line) + 1);
	r->details = p;
	r->details_len += strlen(line);
}

/* The first required check that is not yes: why guests cannot run. */
static const struct doctor_check *first_obstacle(const struct doctor_report *r)
{
	unsigned int i;

	for (i = 0; i < r->n; i++)
		if (r->checks[i].required && r->checks[i].state != DOCTOR_YES)
			return &r->checks[i];
	return NULL;
}

bool doctor_ok(const struct doctor_report *r)
{
	return !first_obstacle(r);
}

static const char *state_name(enum doctor_state state)
{
	switch (state) {
	case DOCTOR_YES:
		return "yes";
	case DOCTOR_NO:
		return "no";
	case DOCTOR_UNKNOWN:
		break;
	}
	return "unknown";
}

static void print_checks(FILE *out, const struct doctor_report *r, bool required)
{
	const struct doctor_check *c;
	unsigned int i;

	for (i = 0; i < r->n; i++) {
		c = &r->checks[i];
		if (c->required != required)
			continue;
		fprintf(out, "  %-7s  %-22s %s\n", state_name(c->state), c->title, c->value);
		if (c->state == DOCTOR_YES)
			continue;
		if (c->why[0])
			fprintf(out, "           %s %s\n", required ? "why: " : "lost:", c->why);
		if (c->fix[0])
			fprintf(out, "           do:   %s\n", c->fix);
	}
}

int doctor_print_text(FILE *out, const struct doctor_report *r, bool verbose)
{
	const struct doctor_check *obstacle = first_obstacle(r);

	fputs("What Linux guests need:\n", out);
	print_checks(out, r, true);
	fputs("What else Bulkhead can use:\n", out);
	print_checks(out, r, false);
	if (verbose && r->details)
		fprintf(out, "Details:\n%s", r->details);
	if (obstacle)
		fprintf(out, "This host cannot run Linux guests: %s: %s\n", obstacle->title,
			obstacle->value);
	else
		fputs("This host can run Linux guests.\n", out);
	return fflush(out) != 0 || ferror(out) ? neg_errno() : 0;
}

static int set_number(json_t *object, const char *key, uint64_t value)
{
	return json_object_set_new(object, key,
				   value ? json_integer((json_int_t)value) : json_null());
}

/* JSON is UTF-8 and paths need not be: what is not plain text becomes '?'. */
static json_t *check_json(const struct doctor_check *c)
{
	char value[sizeof(c->value)], why[sizeof(c->why)], fix[sizeof(c->fix)];

	return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:s}", "id", c->id, "title", c->title,
			 "required", c->required, "state", state_name(c->state), "value",
			 printable(value, sizeof(value), c->value), "why",
			 printable(why, sizeof(why), c->why), "fix",
			 printable(fix, sizeof(fix), c->fix));
}

int doctor_print_json(FILE *out, const struct doctor_report *r)
{
	const struct doctor_check *obstacle = first_obstacle(r);
	json_t *root, *checks;
	unsigned int i;
	int failed = 0;
	int ret = 0;

	root = json_object();
	checks = json_array();
	failed |= json_object_set_new(root, "version", json_integer(1));
	failed |= json_object_set_new(root, "linux", json_boolean(!obstacle));
	failed |= json_object_set_new(root, "obstacle",
				      obstacle ? json_string(obstacle->id) : json_null());
	failed |= json_object_set_new(root, "backend", json_string(r->backend));
	failed |= json_object_set_new(root, "label", json_string(r->label));
	failed |= set_number(root, "max_vcpus", r->max_vcpus);
	failed |= set_number(root, "instructions_per_second", r->insn_per_s);
	failed |= set_number(root, "exit_ns", r->exit_ns);
	for (i = 0; i < r->n; i++)
		failed |= json_array_append_new(checks, check_json(&r->checks[i]));
	failed |= json_object_set_new(root, "checks", checks);
	if (failed)
		ret = -ENOMEM;
	else if (json_dumpf(root, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF ||
		 fflush(out) != 0)
		ret = neg_errno();
	json_decref(root);
	return ret;
}

int doctor_main(const struct doctor_config *cfg, int *ret_status, struct err *e)
{
	struct doctor_report *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return err_code(e, -ENOMEM, "doctor");
	doctor_check_kvm(r, "");
	doctor_check_host(r, "");
	ret = cfg->json ? doctor_print_json(stdout, r) : doctor_print_text(stdout, r, cfg->verbose);
	if (ret < 0)
		err_code(e, ret, "write the report to standard output");
	else
		*ret_status = doctor_ok(r) ? 0 : 1;
	free(r->details);
	free(r);
	return ret;
}
