/* mptable.h - Intel's MultiProcessor tables, for kernels without ACPI. */
#ifndef X86_MPTABLE_H
#define X86_MPTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

/*
 * Build the floating pointer structure and, behind it, the configuration table
 * for guest address `addr` (16-byte aligned, below 4 GiB) into `out`.  Returns
 * the bytes used, or 0: they do not fit into `size`.
 */
size_t mptable_build(const struct arch_machine *machine, uint64_t addr, uint8_t *out, size_t size);

#endif
