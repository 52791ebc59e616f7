/*
 * seccomp_profile.c - see seccomp_profile.h.
 *
 * Decoded first, into rules; given to libseccomp afterwards.  As in runc and
 * crun: several conditions on one argument are alternatives, a call that this
 * libseccomp does not know is left out (profiles name calls of newer kernels),
 * and a rule that says what the default says is none.
 */
#include "vmm/jail/seccomp_profile.h"

#include <fcntl.h>
#include <jansson.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "vmm/base/capability.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/jail/seccomp_compile.h"

#define PROFILE_MAX	(1 << 20) /* bytes; the engines' own have some 20,000 */
#define RULES_MAX	4096
#define CONDITIONAL_MAX 128
#define ARGS_MAX	32 /* conditions of one entry */
#define CALL_ARGS	6
#define ERRNO_MAX	4095 /* the kernel's */
#define SHOWN		48

struct rule {
	int call;
	uint32_t action;
	unsigned int nargs;
	struct scmp_arg_cmp args[CALL_ARGS];
};

struct profile {
	const struct profile_host *host;
	uint32_t default_action;
	uint32_t arches[4];
	unsigned int narches, flags;
	struct rule *rules;
	size_t nrules, nconditional; /* with conditions on arguments */
};

/* --- values --- */

/* What is null is not there. */
static json_t *get(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

static int want(const json_t *value, json_type type, struct err *e)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",
		[JSON_INTEGER] = "a whole number",
	};

	return json_typeof(value) == type ? 0 : err_set(e, EINVAL, "is not %s", names[type]);
}

static int unknown(const char *what, const char *text, struct err *e)
{
	char shown[SHOWN];

	return err_set(e, EINVAL, "there is no %s '%s'", what,
		       printable(shown, sizeof(shown), text));
}

/* `keys` ends with NULL. */
static int check_keys(const json_t *object, const char *const *keys, struct err *e)
{
	int r = want(object, JSON_OBJECT, e);
	char shown[SHOWN];
	const char *key;
	json_t *value;

	if (r < 0)
		return r;
	/* The macro takes a pointer that is not const, and changes nothing. */
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i])
			return err_set(e, EINVAL, "the key '%s' is not known here",
				       printable(shown, sizeof(shown), key));
	}
	return 0;
}

/* The text under `key`; NULL: there is none.  0 or -EINVAL. */
static int get_string(const json_t *object, const char *key, const char **ret, struct err *e)
{
	const json_t *value = get(object, key);
	int r = value ? want(value, JSON_STRING, e) : 0;

	if (r < 0)
		err_context(e, "%s", key);
	else
		*ret = value ? json_string_value(value) : NULL;
	return r;
}

/* 0..max under `key`, or `none`.  0 or -EINVAL. */
static int get_number(const json_t *object, const char *key, uint64_t max, uint64_t none,
		      uint64_t *ret, struct err *e)
{
	const json_t *value = get(object, key);
	int r = value ? want(value, JSON_INTEGER, e) : 0;

	if (r == 0 && value &&
	    (json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max))
		r = err_set(e, EINVAL, "is not between 0 and %llu", (unsigned long long)max);
	if (r < 0)
		err_context(e, "%s", key);
	else
		*ret = value ? (uint64_t)json_integer_value(value) : none;
	return r;
}

/* Every text of the array under `key`, if it is there.  0 or the first failure. */
static int each_string(const json_t *object, const char *key,
		       int (*take)(void *ctx, const char *text, struct err *e), void *ctx,
		       struct err *e)
{
	const json_t *array = get(object, key);
	int r = array ? want(array, JSON_ARRAY, e) : 0;

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);

		r = want(item, JSON_STRING, e);
		if (r == 0)
			r = take(ctx, json_string_value(item), e);
		if (r < 0)
			err_context(e, "[%zu]", i);
	}
	if (r < 0)
		err_context(e, "%s", key);
	return r;
}

/* --- actions --- */

static const struct {
	const char *name;
	uint32_t action;
	bool has_errno;
} actions[] = {
	{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false },
	{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false },
	{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false },
	{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP, false },
	{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true },
	{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true },
	{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false },
	{ "SCMP_ACT_LOG", SCMP_ACT_LOG, false },
};

/* `name`: of the key with the errno's name. */
static int get_errno(const json_t *object, const char *number, const char *name, uint64_t *ret,
		     struct err *e)
{
	const char *text = NULL, *known;
	int r = get_number(object, number, ERRNO_MAX, EPERM, ret, e);

	if (r == 0)
		r = get_string(object, name, &text, e);
	if (r < 0 || !text || get(object, number))
		return r;
	for (int n = 1; n < 256; n++) {
		known = strerrorname_np(n);
		if (known && strcmp(known, text) == 0) {
			*ret = (uint64_t)n;
			return 0;
		}
	}
	r = unknown("errno", text, e);
	err_context(e, "%s", name);
	return r;
}

static int get_action(const json_t *object, const char *key, const char *errno_number,
		      const char *errno_name, uint32_t *ret, struct err *e)
{
	const char *text;
	uint64_t number;
	int r = get_errno(object, errno_number, errno_name, &number, e);

	if (r == 0)
		r = get_string(object, key, &text, e);
	if (r < 0)
		return r;
	if (!text)
		return err_set(e, EINVAL, "%s is missing", key);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(actions[i].name, text) != 0)
			continue;
		/* The spec: an error, rather than ignored. */
		if (!actions[i].has_errno && get(object, errno_number))
			return err_set(e, EINVAL, "%s: %s has no errno", errno_number, text);
		*ret = actions[i].action | (actions[i].has_errno ? (uint32_t)number : 0);
		return 0;
	}
	if (strcmp(text, "SCMP_ACT_NOTIFY") == 0)
		r = err_set(e, EINVAL, "SCMP_ACT_NOTIFY needs a listener, which there is not");
	else
		r = unknown("action", text, e);
	err_context(e, "%s", key);
	return r;
}

/* --- architectures --- */

/* Those whose programs a kernel of the first of a family may run. */
static const struct {
	const char *name;
	uint32_t token, family;
} arches[] = {
	{ "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, SCMP_ARCH_X86_64 },
	{ "SCMP_ARCH_X86", SCMP_ARCH_X86, SCMP_ARCH_X86_64 },
	{ "SCMP_ARCH_X32", SCMP_ARCH_X32, SCMP_ARCH_X86_64 },
	{ "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64 },
	{ "SCMP_ARCH_ARM", SCMP_ARCH_ARM, SCMP_ARCH_AARCH64 },
};

static int add_arch(void *ctx, const char *name, struct err *e)
{
	struct profile *p = ctx;

	if (strncmp(name, "SCMP_ARCH_", 10) != 0)
		return unknown("architecture", name, e);
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
		if (strcmp(arches[i].name, name) != 0 || arches[i].family != seccomp_arch_native())
			continue;
		for (unsigned int k = 0; k < p->narches; k++)
			if (p->arches[k] == arches[i].token)
				return 0;
		p->arches[p->narches++] = arches[i].token;
	}
	return 0; /* of another machine: its programs do not run here */
}

static int add_arch_map(struct profile *p, const json_t *item, struct err *e)
{
	static const char *const keys[] = { "architecture", "subArchitectures", NULL };
	unsigned int before = p->narches;
	const char *name;
	int r = check_keys(item, keys, e);

	if (r == 0)
		r = get_string(item, "architecture", &name, e);
	if (r == 0 && !name)
		r = err_set(e, EINVAL, "architecture is missing");
	if (r == 0)
		r = add_arch(p, name, e);
	/* The others count where the first is this machine's. */
	if (r < 0 || p->narches == before)
		return r;
	return each_string(item, "subArchitectures", add_arch, p, e);
}

static int decode_arches(struct profile *p, const json_t *top, struct err *e)
{
	const json_t *map = get(top, "archMap");
	int r = each_string(top, "architectures", add_arch, p, e);

	if (r < 0 || !map)
		return r;
	if (get(top, "architectures"))
		return err_set(e, EINVAL, "architectures and archMap exclude each other");
	r = want(map, JSON_ARRAY, e);
	for (size_t i = 0; r == 0 && i < json_array_size(map); i++) {
		r = add_arch_map(p, json_array_get(map, i), e);
		if (r < 0)
			err_context(e, "[%zu]", i);
	}
	if (r < 0)
		err_context(e, "archMap");
	return r;
}

static int add_flag(void *ctx, const char *name, struct err *e)
{
	struct profile *p = ctx;

	if (strcmp(name, "SECCOMP_FILTER_FLAG_LOG") == 0)
		p->flags |= SECCOMP_FILTER_FLAG_LOG;
	else if (strcmp(name, "SECCOMP_FILTER_FLAG_SPEC_ALLOW") == 0)
		p->flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	else if (strcmp(name, "SECCOMP_FILTER_FLAG_TSYNC") != 0) /* there is one thread */
		return unknown("flag (that makes sense without a listener)", name, e);
	return 0;
}

/* --- conditions --- */

struct condition {
	const struct profile_host *host;
	size_t ncaps, had_caps, narches;
	bool own_arch;
};

static int see_capability(void *ctx, const char *name, struct err *e)
{
	struct condition *c = ctx;
	int n = capability_number(name);

	if (n < 0)
		return unknown("capability", name, e);
	c->ncaps++;
	c->had_caps += c->host->capabilities >> n & 1;
	return 0;
}

static int see_arch(void *ctx, const char *name, struct err *e)
{
	struct condition *c = ctx;

	(void)e; /* any word: they are those of another language's compiler */
	c->narches++;
	if (strcmp(name, seccomp_arch_native() == SCMP_ARCH_X86_64 ? "amd64" : "arm64") == 0)
		c->own_arch = true;
	return 0;
}

/* *ret: this kernel is `text` ("4.8") or a later one. */
static int see_kernel(const struct profile_host *host, const char *text, bool *ret, struct err *e)
{
	unsigned int major, minor;
	char rest;

	if (sscanf(text, "%4u.%4u%c", &major, &minor, &rest) != 2)
		return err_set(e, EINVAL, "minKernel: is not MAJOR.MINOR");
	*ret = host->major > major || (host->major == major && host->minor >= minor);
	return 0;
}

/* Does the entry hold here?  1, 0 or -errno. */
static int applies(const struct profile *p, const json_t *entry, struct err *e)
{
	static const char *const sides[] = { "includes", "excludes" };
	static const char *const keys[] = { "caps", "arches", "minKernel", NULL };
	bool holds = true;

	for (int out = 0; out < 2; out++) {
		const json_t *object = get(entry, sides[out]);
		struct condition c = { .host = p->host };
		const char *kernel;
		bool later = !out;
		int r;

		if (!object)
			continue;
		r = check_keys(object, keys, e);
		if (r == 0)
			r = each_string(object, "caps", see_capability, &c, e);
		if (r == 0)
			r = each_string(object, "arches", see_arch, &c, e);
		if (r == 0)
			r = get_string(object, "minKernel", &kernel, e);
		if (r == 0 && kernel)
			r = see_kernel(p->host, kernel, &later, e);
		if (r < 0) {
			err_context(e, "%s", sides[out]);
			return r;
		}
		if (out)
			holds = holds && !c.had_caps && !c.own_arch && !later;
		else
			holds = holds && c.had_caps == c.ncaps && (!c.narches || c.own_arch) &&
				later;
	}
	return holds;
}

/* --- entries --- */

static int decode_arg(const json_t *item, struct scmp_arg_cmp *ret, struct err *e)
{
	static const char *const keys[] = { "index", "value", "valueTwo", "op", NULL };
	static const char *const ops[] = {
		[SCMP_CMP_NE] = "SCMP_CMP_NE",
		[SCMP_CMP_LT] = "SCMP_CMP_LT",
		[SCMP_CMP_LE] = "SCMP_CMP_LE",
		[SCMP_CMP_EQ] = "SCMP_CMP_EQ",
		[SCMP_CMP_GE] = "SCMP_CMP_GE",
		[SCMP_CMP_GT] = "SCMP_CMP_GT",
		[SCMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	};
	uint64_t index, value, two;
	const char *op;
	int r = check_keys(item, keys, e);

	if (r == 0)
		r = get_number(item, "index", CALL_ARGS - 1, 0, &index, e);
	if (r == 0)
		r = get_number(item, "value", INT64_MAX, 0, &value, e);
	if (r == 0)
		r = get_number(item, "valueTwo", INT64_MAX, 0, &two, e);
	if (r == 0)
		r = get_string(item, "op", &op, e);
	if (r < 0)
		return r;
	if (!op || !get(item, "index"))
		return err_set(e, EINVAL, "%s is missing", op ? "index" : "op");
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!ops[i] || strcmp(ops[i], op) != 0)
			continue;
		*ret = (struct scmp_arg_cmp){ .arg = (unsigned int)index,
					      .op = (enum scmp_compare)i,
					      .datum_a = value,
					      .datum_b = two };
		return 0;
	}
	return unknown("op", op, e);
}

/* What an entry says beside its names. */
struct entry {
	struct profile *p;
	uint32_t action;
	size_t nargs;
	bool alternatives; /* several conditions on one argument */
	struct scmp_arg_cmp args[ARGS_MAX];
};

static int decode_args(const json_t *item, struct entry *en, struct err *e)
{
	const json_t *array = get(item, "args");
	unsigned int seen = 0;
	int r = array ? want(array, JSON_ARRAY, e) : 0;

	if (r == 0 && json_array_size(array) > ARGS_MAX)
		r = err_set(e, E2BIG, "has more than %d conditions", ARGS_MAX);
	for (; r == 0 && en->nargs < json_array_size(array); en->nargs++) {
		struct scmp_arg_cmp *arg = &en->args[en->nargs];

		r = decode_arg(json_array_get(array, en->nargs), arg, e);
		if (r < 0) {
			err_context(e, "[%zu]", en->nargs);
			break;
		}
		en->alternatives = en->alternatives || (seen >> arg->arg & 1);
		seen |= 1u << arg->arg;
	}
	if (r < 0)
		err_context(e, "args");
	return r;
}

static int add_rule(struct entry *en, int call, size_t nargs, const struct scmp_arg_cmp *args,
		    struct err *e)
{
	struct profile *p = en->p;
	struct rule *rule;

	if (p->nrules == RULES_MAX)
		return err_set(e, E2BIG, "the profile has more than %d rules", RULES_MAX);
	/* libseccomp compares each of them with all others. */
	if (nargs && ++p->nconditional > CONDITIONAL_MAX)
		return err_set(e, E2BIG, "the profile has more than %d rules with args",
			       CONDITIONAL_MAX);
	rule = &p->rules[p->nrules++];
	*rule = (struct rule){ .call = call, .action = en->action, .nargs = (unsigned int)nargs };
	if (nargs)
		memcpy(rule->args, args, nargs * sizeof(*args));
	return 0;
}

static int add_call(void *ctx, const char *name, struct err *e)
{
	struct entry *en = ctx;
	char shown[SHOWN];
	int call = seccomp_syscall_resolve_name(name), r = 0;

	if (call == __NR_SCMP_ERROR) {
		if (en->p->default_action == SCMP_ACT_ALLOW && en->action != SCMP_ACT_ALLOW)
			log_warn("--seccomp-profile: the call '%s' is not known and stays allowed",
				 printable(shown, sizeof(shown), name));
		return 0;
	}
	if (en->action == en->p->default_action)
		return 0;
	if (!en->alternatives)
		return add_rule(en, call, en->nargs, en->args, e);
	for (size_t i = 0; r == 0 && i < en->nargs; i++)
		r = add_rule(en, call, 1, &en->args[i], e);
	return r;
}

static int decode_entry(struct profile *p, const json_t *item, struct err *e)
{
	static const char *const keys[] = { "names", "name",	"action",   "errnoRet", "errno",
					    "args",  "comment", "includes", "excludes", NULL };
	struct entry en = { .p = p };
	const char *name;
	int r = check_keys(item, keys, e);

	if (r == 0)
		r = get_action(item, "action", "errnoRet", "errno", &en.action, e);
	if (r == 0)
		r = decode_args(item, &en, e);
	if (r == 0)
		r = get_string(item, "name", &name, e);
	if (r == 0)
		r = applies(p, item, e);
	if (r <= 0)
		return r;
	if (!name && !get(item, "names"))
		return err_set(e, EINVAL, "names is missing");
	r = name ? add_call(&en, name, e) : 0;
	return r == 0 ? each_string(item, "names", add_call, &en, e) : r;
}

static int decode(struct profile *p, const json_t *top, struct err *e)
{
	static const char *const keys[] = { "defaultAction", "defaultErrnoRet", "defaultErrno",
					    "architectures", "archMap",		"flags",
					    "syscalls",	     "comment",		NULL };
	const json_t *calls;
	int r = check_keys(top, keys, e);

	if (r == 0)
		r = get_action(top, "defaultAction", "defaultErrnoRet", "defaultErrno",
			       &p->default_action, e);
	if (r == 0)
		r = decode_arches(p, top, e);
	if (r == 0)
		r = each_string(top, "flags", add_flag, p, e);
	if (r < 0)
		return r;
	calls = get(top, "syscalls");
	r = calls ? want(calls, JSON_ARRAY, e) : 0;
	if (r < 0)
		err_context(e, "syscalls");
	for (size_t i = 0; r == 0 && i < json_array_size(calls); i++) {
		r = decode_entry(p, json_array_get(calls, i), e);
		if (r < 0)
			err_context(e, "syscalls[%zu]", i);
	}
	return r;
}

/* --- to libseccomp --- */

static int give(const struct profile *p, scmp_filter_ctx ctx, struct err *e)
{
	/* Programs of architectures that are not named. */
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (unsigned int i = 0; r == 0 && i < p->narches; i++) {
		r = seccomp_arch_add(ctx, p->arches[i]);
		if (r == -EEXIST) /* the machine's own is always there */
			r = 0;
	}
	if (r < 0)
		return err_code(e, r, "set the filter up");
	for (const struct rule *rule = p->rules; rule < p->rules + p->nrules; rule++) {
		char *name;

		r = seccomp_rule_add_array(ctx, rule->action, rule->call, rule->nargs, rule->args);
		/* EEXIST: one that says more was there. */
		if (r == 0 || r == -EEXIST)
			continue;
		name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, rule->call);
		r = err_code(e, r, "a rule of the call %s", name ? name : "?");
		free(name);
		return r;
	}
	return 0;
}

static int compile(const struct profile *p, struct seccomp_code *ret, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(p->default_action);
	int r;

	if (!ctx)
		return err_set(e, ENOTSUP, "this kernel does not have the default action");
	r = give(p, ctx, e);
	if (r == 0)
		r = seccomp_compile(ctx, ret, e);
	if (r == 0)
		ret->flags = p->flags;
	seccomp_release(ctx);
	return r;
}

int seccomp_profile_compile(const char *text, size_t len, const struct profile_host *host,
			    struct seccomp_code *ret, struct err *e)
{
	struct profile p = { .host = host };
	json_error_t where;
	json_t *top = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	char shown[JSON_ERROR_TEXT_LENGTH];
	int r;

	if (!top)
		return err_set(e, EINVAL, "line %d, column %d: %s", where.line, where.column,
			       printable(shown, sizeof(shown), where.text));
	p.rules = calloc(RULES_MAX, sizeof(*p.rules));
	r = p.rules ? decode(&p, top, e) : err_set(e, ENOMEM, "no memory");
	json_decref(top);
	if (r == 0)
		r = compile(&p, ret, e);
	free(p.rules);
	return r;
}

int seccomp_profile_read(int fd, uint64_t capabilities, struct seccomp_code *ret, struct err *e)
{
	_cleanup_free_ char *text = malloc(PROFILE_MAX + 1);
	struct profile_host host = { .capabilities = capabilities };
	struct utsname name;
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return err_set(e, ENOMEM, "no memory");
	while (n > 0 && len <= PROFILE_MAX) {
		n = read(fd, text + len, PROFILE_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return err_errno(e, "read it");
	if (len > PROFILE_MAX)
		return err_set(e, EFBIG, "it is larger than 1 MiB");
	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &host.major, &host.minor) != 2)
		return err_set(e, EIO, "find out the kernel's version");
	return seccomp_profile_compile(text, len, &host, ret, e);
}
