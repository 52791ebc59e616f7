/*
 * aml.h - writes ACPI Machine Language (ACPI 6.5, chapter 20): just the terms
 * that our DSDT has.
 *
 * Appends to a buffer of the caller's; what does not fit is dropped and
 * remembered, so that a table is checked once, at its end.
 */
#ifndef X86_AML_H
#define X86_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t size, len;
	bool overflow;
};

void aml_bytes(struct aml *a, const void *data, size_t len);
void aml_byte(struct aml *a, uint8_t v);

/*
 * A term that holds others: aml_begin() writes its opcode (extended: after
 * 0x5b) and returns where its length belongs, for aml_end().  They nest.
 */
size_t aml_begin(struct aml *a, bool extended, uint8_t opcode);
void aml_end(struct aml *a, size_t at);

size_t aml_scope(struct aml *a, const char *path);
size_t aml_device(struct aml *a, const char *name);
size_t aml_method(struct aml *a, const char *name, unsigned int nargs, bool serialized);

/* Name (NAME, ...); `name` has four characters, as every name segment. */
void aml_name_int(struct aml *a, const char *name, uint32_t value);
void aml_name_string(struct aml *a, const char *name, const char *value);
void aml_name_eisa_id(struct aml *a, const char *name, const char *id);

/* Name (NAME, ResourceTemplate () { ... }): at most 200 bytes of resources. */
struct aml_resources {
	uint8_t buf[200];
	struct aml out;
};
void aml_resources_init(struct aml_resources *r);
void aml_memory32(struct aml_resources *r, uint32_t base, uint32_t len);
void aml_io(struct aml_resources *r, uint16_t port, uint8_t len);
void aml_interrupt(struct aml_resources *r, uint32_t gsi); /* edge, high, exclusive */
void aml_name_resources(struct aml *a, const char *name, struct aml_resources *r);

void aml_int(struct aml *a, uint32_t value);
void aml_path(struct aml *a, const char *path); /* "\_SB_" or "ABCD" or "\_SB_.ABCD" */

#endif
