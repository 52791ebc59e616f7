/*
 * memory.c - how fast memory is, from CPL 3, where instructions run natively
 * also on hosts that emulate supervisor code: the first touch of each page, a
 * triad (a = b + 3c over three arrays, four times) and a chase of pointers in
 * an order that no prefetcher knows.  Prints the cycles of each.
 *
 * Command line: mib=N (64), a multiple of 16, from 32 MiB on.
 */
#include "tests/guests/lib/guest.h"

#define FROM	  (32ULL << 20)
#define PAGE	  4096
#define LINE	  64
#define TRIADS	  4
#define CHASE	  (1U << 20) /* steps */
#define PAGE_USER 4ULL

extern uint64_t boot_pml4[512];

static uint64_t gdt[] = {
	0,
	0x00af9b000000ffff, /* 0x08: code */
	0x00cf93000000ffff, /* 0x10: data */
	0x00cff3000000ffff, /* 0x18: data of CPL 3 */
	0x00affb000000ffff, /* 0x20: 64-bit code of CPL 3 */
	0x0000890000000067, /* 0x28: TSS, its base is filled in */
	0,
};

static uint64_t back_stack[64]; /* of CPL 0, when CPL 3 has ended */

static struct __attribute__((packed)) {
	uint32_t reserved;
	uint64_t rsp0;
	uint32_t rest[23];
} tss;

static uint64_t idt[7 * 2]; /* up to #UD */

static uint64_t *table_of(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & ~0xfffULL);
}

/* The first 4 GiB become CPL 3's as well. */
static void open_pages(uint64_t bytes)
{
	uint64_t *pdpt = table_of(boot_pml4[0]);
	uint64_t *pd = table_of(pdpt[0]);

	boot_pml4[0] |= PAGE_USER;
	for (unsigned int i = 0; i < 4; i++)
		pdpt[i] |= PAGE_USER;
	for (uint64_t i = 0; i <= (FROM + bytes) >> 21; i++)
		pd[i] |= PAGE_USER;
	__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

/* Where #UD at CPL 3 leads: back to leave_user(), on its own stack. */
extern char user_has_ended[];

static void prepare_tables(void)
{
	struct table_register gdtr = { sizeof(gdt) - 1, (uintptr_t)gdt };
	struct table_register idtr = { sizeof(idt) - 1, (uintptr_t)idt };
	uint64_t at = (uintptr_t)&tss, to = (uintptr_t)user_has_ended;

	gdt[5] |= (at & 0xffffff) << 16 | (at >> 24 & 0xff) << 56;
	gdt[6] = at >> 32;
	tss.rsp0 = (uintptr_t)(back_stack + 64);
	idt[6 * 2] = (to & 0xffff) | 0x08 << 16 | 0x8eULL << 40 | (to >> 16 & 0xffff) << 48;
	idt[6 * 2 + 1] = to >> 32;
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdtr), "m"(idtr), "r"(0x28));
}

/* On at CPL 3, on the same stack. */
static void enter_user(void)
{
	__asm__ volatile("mov %%rsp, %%rax\n"
			 "pushq $0x1b\n"
			 "pushq %%rax\n"
			 "pushfq\n"
			 "pushq $0x23\n"
			 "leaq 1f(%%rip), %%rax\n"
			 "pushq %%rax\n"
			 "iretq\n"
			 "1:\n"
			 :
			 :
			 : "rax", "memory", "cc");
}

/* On at CPL 0: by a fault, since hosts that emulate CPL 0 have no other way.
 * The processor's frame there has RSP above RIP, CS and RFLAGS. */
static void leave_user(void)
{
	__asm__ volatile("ud2\n"
			 ".globl user_has_ended\n"
			 "user_has_ended:\n"
			 "movq 24(%%rsp), %%rsp\n"
			 :
			 :
			 : "memory", "cc");
}

static uint64_t touch(uint64_t bytes)
{
	uint64_t start = read_tsc();

	for (uint64_t at = FROM; at < FROM + bytes; at += PAGE)
		*(volatile uint64_t *)(uintptr_t)at = at;
	return read_tsc() - start;
}

static uint64_t triad(uint64_t bytes)
{
	uint64_t n = bytes / 4 / sizeof(uint64_t);
	uint64_t *a = (uint64_t *)(uintptr_t)FROM, *b = a + n, *c = b + n;
	uint64_t start;

	for (uint64_t i = 0; i < n; i++)
		b[i] = c[i] = i;
	start = read_tsc();
	for (unsigned int turn = 0; turn < TRIADS; turn++) {
		for (uint64_t i = 0; i < n; i++)
			a[i] = b[i] + 3 * c[i];
		barrier();
	}
	start = read_tsc() - start;
	check(a[n - 1] == 4 * (n - 1), "the triad is right");
	return start;
}

/* A permutation of full period (Knuth 3.2.1.2: a = 1 mod 4, c odd, over a power
 * of two): each line holds the number of the next. */
static uint64_t chase(uint64_t bytes)
{
	uint64_t lines = 1, start, i;
	volatile uint64_t *at;

	while (lines * 2 * LINE <= bytes)
		lines *= 2;
	for (i = 0; i < lines; i++) {
		at = (volatile uint64_t *)(uintptr_t)(FROM + i * LINE);
		*at = FROM + (i * 1664525 + 1013904223) % lines * LINE;
	}
	at = (volatile uint64_t *)(uintptr_t)FROM;
	start = read_tsc();
	for (i = 0; i < CHASE; i++)
		at = (volatile uint64_t *)(uintptr_t)*at;
	start = read_tsc() - start;
	check((uintptr_t)at >= FROM, "the chase stays inside");
	return start;
}

int guest_main(void)
{
	uint64_t bytes = arg_number("mib", 64) << 20;
	uint64_t touched, triads, chased;

	open_pages(bytes);
	prepare_tables();
	enter_user();
	touched = touch(bytes);
	triads = triad(bytes);
	chased = chase(bytes);
	leave_user();
	put("touch ");
	put_dec(touched);
	put("\ntriad ");
	put_dec(triads);
	put("\nchase ");
	put_dec(chased);
	put("\n");
	return 0;
}
