/*
 * guest_params.h - what the guest's init is told: the file BH_PARAMS_PATH of
 * guest-kernel-config/guest_abi.h, made from what the user asked for.
 */
#ifndef CONFIG_GUEST_PARAMS_H
#define CONFIG_GUEST_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

/* The user's side of the console. */
struct guest_terminal {
	bool is_terminal;
	unsigned int rows, cols; /* 0: not known */
	const char *term;	 /* the value of TERM, or NULL */
	bool no_input;		 /* of a console that is no terminal: none will come */
};

struct guest_params {
	char *data; /* NULL before the first record */
	size_t len; /* <= BH_PARAMS_MAX */
	size_t room;
};

/* Frees the buffer; *p is empty afterwards. */
void guest_params_release(struct guest_params *p);

/*
 * Does the console carry the escaped stream of guest_abi.h?  Not on a
 * terminal, and not with the image's own init, which would not understand it.
 */
bool guest_params_stream(const struct run_config *cfg, const struct guest_terminal *t);

/*
 * The records for `cfg`, which was checked and has its MAC addresses
 * (run_config_fill_macs()), into the empty *p.  0; -EINVAL when `cfg` boots
 * without our init; -E2BIG when they do not fit BH_PARAMS_MAX; -ENOMEM.  *p is
 * the caller's to release, also on failure.
 */
int guest_params_build(struct guest_params *p, const struct run_config *cfg,
		       const struct guest_terminal *t, struct err *e);

#endif
