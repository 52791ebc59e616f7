/* report_surface_json.c - what of the host's kernel is within reach, in the
 * JSON file: see report.h, report_parts.h. */
#include <errno.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/report_parts.h"

/* --- writing --- */

static json_t *names_of(const struct surface_names *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, json_string(s->name[i]));
	return list;
}

static json_t *parts_of(const struct compare_surface *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->nparts; i++) {
		const struct surface_part *p = &s->part[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:b, s:i, s:o, s:o, s:o}", "name", p->name,
						"facing", p->facing, "filters", p->filters,
						"let_through", names_of(&p->whole), "by_arguments",
						names_of(&p->some), "used", names_of(&p->used)));
	}
	return list;
}

static json_t *surface_of(const struct compare_surface *s)
{
	json_t *exits = json_object();

	for (size_t i = 0; i < s->nexits; i++)
		json_object_set_new(exits, s->exit[i].name,
				    json_integer((json_int_t)(s->exit[i].value & INT64_MAX)));
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "runs", (int)s->runs,
			 "calls_problem", s->calls_problem, "used_problem", s->used_problem,
			 "functions_problem", s->functions_problem, "exits_problem",
			 s->exits_problem, "parts", parts_of(s), "functions",
			 names_of(&s->functions), "exits", exits);
}

json_t *report_surface_json(const struct comparison *c)
{
	json_t *walls = json_object();

	for (size_t w = 0; w < c->nwalls; w++)
		if (c->surface[w].measured || c->surface[w].used_problem[0])
			json_object_set_new(walls, c->wall[w].name, surface_of(&c->surface[w]));
	return json_pack("{s:i, s:o}", "calls_known", (int)c->calls_known, "walls", walls);
}

/* --- reading --- */

static int read_text(json_t *of, const char *key, char *out, size_t size, struct err *e)
{
	const char *text = json_string_value(json_object_get(of, key));

	if (!text)
		return err_set(e, EINVAL, "'%s' of a surface is missing, or no text", key);
	printable(out, size, text);
	return 0;
}

static int read_number(json_t *of, const char *key, json_int_t min, json_int_t max, json_int_t *ret,
		       struct err *e)
{
	json_t *v = json_object_get(of, key);

	*ret = json_integer_value(v);
	if (!json_is_integer(v) || *ret < min || *ret > max)
		return err_set(e, EINVAL, "'%s' of a surface is missing, or out of its range", key);
	return 0;
}

static int read_names(json_t *of, const char *key, struct surface_names *to, struct err *e)
{
	json_t *list = json_object_get(of, key), *name;
	size_t i;

	if (!json_is_array(list))
		return err_set(e, EINVAL, "'%s' of a surface is no list", key);
	json_array_foreach(list, i, name)
	{
		char text[SURFACE_TEXT];

		if (!json_is_string(name))
			return err_set(e, EINVAL, "'%s' of a surface holds what is no name", key);
		printable(text, sizeof(text), json_string_value(name));
		if (surface_names_add(to, text) < 0)
			return err_set(e, EINVAL, "'%s' of a surface: more than %d", key,
				       SURFACE_NAMES_MAX);
	}
	return 0;
}

static int read_part(json_t *from, struct compare_surface *s, struct err *e)
{
	char name[SURFACE_NAME];
	size_t before = s->nparts;
	struct surface_part *p;
	json_int_t filters = 0;
	int r = read_text(from, "name", name, sizeof(name), e);

	if (r < 0)
		return r;
	p = surface_part(s, name);
	if (!p || s->nparts == before)
		return err_set(e, EINVAL, "a part of a surface twice, or more than %d",
			       SURFACE_PARTS);
	p->facing = json_is_true(json_object_get(from, "facing"));
	r = read_number(from, "filters", -1, 1000, &filters, e);
	p->filters = (int)filters;
	if (r == 0)
		r = read_names(from, "let_through", &p->whole, e);
	if (r == 0)
		r = read_names(from, "by_arguments", &p->some, e);
	return r < 0 ? r : read_names(from, "used", &p->used, e);
}

static int read_exits(json_t *exits, struct compare_surface *s, struct err *e)
{
	const char *name;
	json_t *value;

	if (!json_is_object(exits))
		return err_set(e, EINVAL, "'exits' of a surface is no object");
	json_object_foreach(exits, name, value)
	{
		char text[SURFACE_NAME];

		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return err_set(e, EINVAL, "'exits' of a surface holds what is no number");
		surface_exits_add(s, printable(text, sizeof(text), name),
				  (uint64_t)json_integer_value(value));
	}
	return 0;
}

static int read_surface(json_t *from, struct compare_surface *s, struct err *e)
{
	json_t *parts = json_object_get(from, "parts"), *part;
	json_int_t runs = 0;
	size_t i;
	int r = read_number(from, "runs", 0, 1000000, &runs, e);

	s->runs = (uint32_t)runs;
	s->measured = runs > 0;
	if (r == 0)
		r = read_text(from, "calls_problem", s->calls_problem, SURFACE_TEXT, e);
	if (r == 0)
		r = read_text(from, "used_problem", s->used_problem, SURFACE_TEXT, e);
	if (r == 0)
		r = read_text(from, "functions_problem", s->functions_problem, SURFACE_TEXT, e);
	if (r == 0)
		r = read_text(from, "exits_problem", s->exits_problem, SURFACE_TEXT, e);
	if (r == 0 && !json_is_array(parts))
		r = err_set(e, EINVAL, "'parts' of a surface is no list");
	json_array_foreach(parts, i, part)
	{
		if (r == 0)
			r = read_part(part, s, e);
	}
	if (r == 0)
		r = read_names(from, "functions", &s->functions, e);
	return r < 0 ? r : read_exits(json_object_get(from, "exits"), s, e);
}

int report_surface_read(json_t *surface, struct comparison *c, struct err *e)
{
	json_int_t known = 0;
	const char *name;
	json_t *wall;
	int r = read_number(surface, "calls_known", 0, 100000, &known, e);

	c->calls_known = (uint32_t)known;
	json_object_foreach(json_object_get(surface, "walls"), name, wall)
	{
		int w = comparison_wall(c, name);

		if (r == 0 && w < 0)
			r = err_set(e, EINVAL, "the surface of a wall that is not in the list");
		if (r == 0)
			r = read_surface(wall, &c->surface[w], e);
	}
	return r;
}
