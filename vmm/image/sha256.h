/*
 * sha256.h - SHA-256 (FIPS 180-4), for names in the cache of packed
 * directories.  A library's would add 180 KiB to the static program.
 */
#ifndef IMAGE_SHA256_H
#define IMAGE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

struct sha256 {
	uint32_t state[8];
	uint64_t total; /* bytes so far */
	uint8_t block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_final(struct sha256 *h, uint8_t ret_digest[SHA256_SIZE]);

#endif
