/* key.h - names in the caches: what a thing was made from, as a digest. */
#ifndef IMAGE_KEY_H
#define IMAGE_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "vmm/image/sha256.h"

#define KEY_SIZE (2 * SHA256_SIZE + 1)

/* The name, in hexadecimal, of what is made in `format` of what `data` tells. */
void key_make(uint32_t format, const void *data, size_t len, char out[KEY_SIZE]);

/*
 * Wait until `newest`, the latest change of what is about to be read, is older
 * than a step of file times (one timer tick on older kernels; two seconds where
 * it is a whole second): from then on every further change shows.
 */
void key_settle(const struct timespec *newest);

#endif
