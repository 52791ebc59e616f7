/* guest_params.c - see guest_params.h. */
#include "vmm/config/guest_params.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel-config/guest_abi.h"

#define DEFAULT_HOSTNAME "bulkhead"
#define TERM_MAX	 64
#define WINDOW_MAX	 65535

void guest_params_release(struct guest_params *p)
{
	free(p->data);
	*p = (struct guest_params){ 0 };
}

/* Append "key=value" and its NUL. */
static int put(struct guest_params *p, const char *key, const char *value, struct err *e)
{
	size_t klen = strlen(key), vlen = strlen(value), need;
	char *at;

	need = klen + 1 + vlen + 1;
	if (need > BH_PARAMS_MAX - p->len)
		return err_set(e, E2BIG,
			       "the command, its arguments and --env are longer than the guest "
			       "takes (%u KiB)",
			       BH_PARAMS_MAX >> 10);
	if (need > p->room - p->len) {
		size_t room = MIN(MAX(2 * (p->len + need), 1024), BH_PARAMS_MAX);
		char *data = realloc(p->data, room);

		if (!data)
			return err_set(e, ENOMEM, "out of memory");
		p->data = data;
		p->room = room;
	}
	at = p->data + p->len;
	memcpy(at, key, klen);
	at[klen] = '=';
	memcpy(at + klen + 1, value, vlen + 1);
	p->len += need;
	return 0;
}

static int put_number(struct guest_params *p, const char *key, unsigned int n, struct err *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return put(p, key, text, e);
}

bool guest_params_stream(const struct run_config *cfg, const struct guest_terminal *t)
{
	return !t->is_terminal && cfg->boot == RUN_BOOT_COMMAND;
}

/* TERM comes from the environment; what is no terminal's name is not worth an
 * error. */
static bool term_is_sane(const char *term)
{
	if (!term || !*term || strlen(term) > TERM_MAX)
		return false;
	for (const char *p = term; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return false;
	return true;
}

static int put_console(struct guest_params *p, const struct run_config *cfg,
		       const struct guest_terminal *t, struct err *e)
{
	int r;

	if (guest_params_stream(cfg, t)) {
		r = put(p, "console", "stream", e);
		return r == 0 && t->no_input ? put(p, "input", "none", e) : r;
	}
	r = put(p, "console", "terminal", e);
	if (r < 0)
		return r;
	if (t->rows && t->rows <= WINDOW_MAX && t->cols && t->cols <= WINDOW_MAX) {
		r = put_number(p, "rows", t->rows, e);
		if (r == 0)
			r = put_number(p, "cols", t->cols, e);
		if (r < 0)
			return r;
	}
	return term_is_sane(t->term) ? put(p, "term", t->term, e) : 0;
}

static int put_nets(struct guest_params *p, const struct run_config *cfg, struct err *e)
{
	char text[24 + 2 * RUN_IP_MAX];
	int r;

	for (size_t i = 0; i < cfg->nnets; i++) {
		const struct net_config *n = &cfg->net[i];
		const uint8_t *m = n->mac;

		if (!n->has_mac)
			return err_set(e, EINVAL, "interface %zu has no MAC address", i);
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x,%s,%s", m[0], m[1],
			 m[2], m[3], m[4], m[5], n->ip, n->gw);
		r = put(p, "net", text, e);
		if (r == 0 && n->dns[0])
			r = put(p, "dns", n->dns, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_pids(struct guest_params *p, const struct limits_config *c, struct err *e)
{
	char text[40];

	snprintf(text, sizeof(text), "%llu%s", (unsigned long long)c->pids,
		 c->best_effort ? ",best-effort" : "");
	return put(p, "pids", text, e);
}

/* Linux names the disks in the order of the devices: the root is the first. */
static int put_disks(struct guest_params *p, const struct run_config *cfg, struct err *e)
{
	char text[PATH_MAX + 16];
	int r = 0;

	for (size_t i = 0; r == 0 && i < cfg->ndisks; i++) {
		const struct disk_config *d = &cfg->disk[i];

		if (!d->dir)
			continue;
		snprintf(text, sizeof(text), "vd%c,%s,%s", (char)('b' + i), d->ro ? "ro" : "rw",
			 d->dir);
		r = put(p, "disk", text, e);
	}
	return r;
}

static int put_command(struct guest_params *p, const struct run_config *cfg, struct err *e)
{
	int r = 0;

	if (cfg->boot == RUN_BOOT_IMAGE)
		return put(p, "init", "image", e);
	for (size_t i = 0; i < cfg->argc && r == 0; i++)
		r = put(p, "arg", cfg->argv[i], e);
	for (size_t i = 0; i < cfg->nenv && r == 0; i++)
		r = put(p, "env", cfg->env[i], e);
	if (r == 0 && cfg->workdir)
		r = put(p, "workdir", cfg->workdir, e);
	return r;
}

int guest_params_build(struct guest_params *p, const struct run_config *cfg,
		       const struct guest_terminal *t, struct err *e)
{
	int r;

	if (cfg->boot == RUN_BOOT_RAW)
		return err_set(e, EINVAL, "this guest does not boot into Bulkhead's init");
	r = put(p, "version", "1", e);
	if (r == 0)
		r = put_console(p, cfg, t, e);
	if (r == 0 && cfg->verbose)
		r = put(p, "verbose", "1", e);
	if (r == 0)
		r = put(p, "hostname", cfg->name ? cfg->name : DEFAULT_HOSTNAME, e);
	if (r == 0)
		r = put(p, "root", cfg->root.rw ? "rw" : "overlay", e);
	if (r == 0)
		r = put_disks(p, cfg, e);
	if (r == 0)
		r = put_nets(p, cfg, e);
	if (r == 0 && cfg->limits.pids)
		r = put_pids(p, &cfg->limits, e);
	if (r == 0)
		r = put_command(p, cfg, e);
	return r;
}
