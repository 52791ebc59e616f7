/*
 * params.c - fuzz target: the run's parameters as a guest's init reads them.
 * What is taken keeps inside the buffer and the bounds of `struct params`;
 * what is refused is refused with one sentence.
 */
#include "guest-kernel-config/init/params.h"
#include "guest-kernel-config/guest_abi.h"
#include "tests/fuzz/input.h"

struct span {
	const char *start, *end;
};

/* A string of the buffer, with its end. */
static void inside(struct span s, const char *text)
{
	must(text >= s.start && text < s.end);
	must(memchr(text, '\0', (size_t)(s.end - text)));
}

static void check(const struct params *p, struct span s)
{
	for (size_t i = 0; i < p->argc; i++)
		inside(s, p->argv[i]);
	for (size_t i = 0; i < p->envc; i++) {
		inside(s, p->env[i]);
		must(strchr(p->env[i], '=') > p->env[i]);
	}
	for (size_t i = 0; i < p->dns_count; i++)
		inside(s, p->dns[i]);
	must(!p->argv[p->argc] && !p->env[p->envc]);
	must(p->envc <= PARAMS_ENV_MAX && p->dns_count <= PARAMS_DNS_MAX);
	must(p->pids <= PARAMS_PIDS_MAX && p->disk_count <= PARAMS_DISK_MAX);
	for (size_t i = 0; i < p->disk_count; i++) {
		inside(s, p->disk[i].dir);
		must(p->disk[i].dir[0] == '/' && strlen(p->disk[i].name) == 3);
	}
	must(p->net_count <= PARAMS_NET_MAX);
	for (size_t i = 0; i < p->net_count; i++) {
		const struct params_net *n = &p->net[i];

		must(n->prefix_len <= 8 * n->address.len);
		must(!n->gateway.family || n->gateway.family == n->address.family);
	}
	must(p->workdir && p->workdir[0] == '/');
	must(p->console != PARAMS_CONSOLE_UNSET && p->root != PARAMS_ROOT_UNSET);
	must(p->image_init == (p->argc == 0));
	if (p->hostname)
		must(p->hostname[0] && strlen(p->hostname) <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char error[PARAMS_ERROR_MAX];
	struct params p;
	char *copy = malloc(len + 1); /* exact: a byte too far is seen */
	int r;

	memcpy(copy, data, len);
	copy = realloc(copy, len ? len : 1);
	memset(error, 'x', sizeof(error));
	r = params_parse(&p, copy, len, error);
	must(memchr(error, '\0', sizeof(error)));
	must((r < 0) == (error[0] != '\0'));
	if (r == 0)
		check(&p, (struct span){ copy, copy + len });
	params_release(&p);
	must(!p.argv && !p.env);
	free(copy);
	return 0;
}
