/* key.c - see key.h. */
#include "vmm/image/key.h"

#include "vmm/base/util.h"

#define STEP_NS	  (20 * NS_PER_MS) /* longer than any kernel's tick */
#define COARSE_NS (2 * NS_PER_S)   /* FAT; ext4 with small inodes and network file systems: 1 s */

void key_make(uint32_t format, const void *data, size_t len, char out[KEY_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA256_SIZE];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, &format, sizeof(format));
	sha256_add(&h, data, len);
	sha256_final(&h, digest);
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * SHA256_SIZE] = '\0';
}

void key_settle(const struct timespec *newest)
{
	/* A file system that counts in whole seconds, or once in a billion times. */
	const int64_t step = newest->tv_nsec == 0 ? COARSE_NS : STEP_NS;
	struct timespec now, wait;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)(now.tv_sec - newest->tv_sec);
	if (age < 0 || age > 2) /* times from the future help nobody */
		return;
	age = age * (int64_t)NS_PER_S + (now.tv_nsec - newest->tv_nsec);
	if (age < 0 || age >= step)
		return;
	wait.tv_sec = (step - age) / (int64_t)NS_PER_S;
	wait.tv_nsec = (step - age) % (int64_t)NS_PER_S;
	nanosleep(&wait, NULL);
}
