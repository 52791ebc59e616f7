/* cmdline.h - the guest kernel's command line. */
#ifndef CONFIG_CMDLINE_H
#define CONFIG_CMDLINE_H

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

/*
 * The command line for `cfg`, which was checked, into *ret_cmdline (the
 * caller's to free).  With our init, --cmdline is appended to ours, so that
 * it has the last word; without it (RUN_BOOT_RAW), --cmdline is the whole,
 * and ours stands only where the user gave none.  Its length is checked by
 * whoever loads the kernel and knows the limit.  0 or -ENOMEM.
 */
int cmdline_build(const struct run_config *cfg, char **ret_cmdline, struct err *e);

#endif
