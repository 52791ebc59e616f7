/* guest.c - see guest.h. */
#include "tests/guests/lib/guest.h"

#define SERIAL_LSR (BH_SERIAL_PORT + 5)
#define LSR_THRE   0x20

/* Offsets in the zero page and in the PVH start info. */
#define ZERO_PAGE_CMDLINE 0x228
#define PVH_CMDLINE	  24
#define PVH_MAGIC	  0x336ec578

void guest_start(uintptr_t zero_page, uintptr_t start_info);
void *memset(void *to, int c, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);

const char *guest_cmdline = "";

/* The compiler may call these two whatever it is told. */
void *memset(void *to, int c, size_t n)
{
	uint8_t *p = to;

	while (n--)
		*p++ = (uint8_t)c;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	const uint8_t *s = from;
	uint8_t *p = to;

	while (n--)
		*p++ = *s++;
	return to;
}

void put_char(char c)
{
	while (!(in8(SERIAL_LSR) & LSR_THRE))
		;
	out8(BH_SERIAL_PORT, (uint8_t)c);
}

void put(const char *text)
{
	while (*text)
		put_char(*text++);
}

void put_dec(uint64_t v)
{
	char digits[21];
	int n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		put_char(digits[--n]);
}

void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void exit_device(uint32_t word)
{
	out32(BH_EXIT_PORT, word);
}

void guest_exit(int status)
{
	exit_device(BH_EXIT_STATUS(BH_EXIT_EXITED, (uint32_t)status));
	halt();
}

void fail(const char *what)
{
	put("FAIL: ");
	put(what);
	put("\n");
	guest_exit(1);
}

/* The text after "KEY=" of the word that starts so, or NULL. */
static const char *find_arg(const char *key)
{
	const char *p = guest_cmdline;
	const char *k;

	while (*p) {
		while (*p == ' ')
			p++;
		for (k = key; *k && *k == *p; k++)
			p++;
		if (!*k && *p == '=')
			return p + 1;
		while (*p && *p != ' ')
			p++;
	}
	return NULL;
}

bool arg_is(const char *key, const char *value)
{
	const char *p = find_arg(key);

	if (!p)
		return false;
	while (*value && *value == *p) {
		value++;
		p++;
	}
	return !*value && (!*p || *p == ' ');
}

uint64_t arg_number(const char *key, uint64_t otherwise)
{
	const char *p = find_arg(key);
	unsigned int base = 10, digit;
	uint64_t v = 0;

	if (!p)
		return otherwise;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	for (; *p && *p != ' '; p++) {
		digit = (unsigned int)(*p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10);
		v = v * base + digit;
	}
	return v;
}

void guest_start(uintptr_t zero_page, uintptr_t start_info)
{
	uint64_t at = 0;

	if (zero_page) {
		at = *(const uint32_t *)(zero_page + ZERO_PAGE_CMDLINE);
	} else {
		check(*(const uint32_t *)start_info == PVH_MAGIC, "PVH start info");
		at = *(const uint64_t *)(start_info + PVH_CMDLINE);
	}
	if (at)
		guest_cmdline = (const char *)at;
	guest_exit(guest_main());
}
