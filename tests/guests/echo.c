/* echo.c - serial input by polling: each line comes back in capitals; ends
 * after an empty line.  bytes=N instead: a checksum of N bytes of input. */
#include "tests/guests/lib/guest.h"

static char get_char(void)
{
	while (!(in8(BH_SERIAL_PORT + 5) & 1))
		;
	return (char)in8(BH_SERIAL_PORT);
}

/* More than the UART's FIFO and the monitor's buffer hold: nothing is lost. */
static int sum_up(uint64_t n)
{
	uint32_t sum = 0;

	while (n--)
		sum = sum * 31 + (uint8_t)get_char();
	put("sum ");
	put_dec(sum);
	put("\n");
	return 0;
}

int guest_main(void)
{
	char last = 0;
	char c;

	/* FIFO on. */
	out8(BH_SERIAL_PORT + 2, 1);
	if (arg_number("bytes", 0))
		return sum_up(arg_number("bytes", 0));
	put("ready\n");
	while ((c = get_char()) != '\n' || last != '\n') {
		put_char(c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
		last = c;
	}
	return 0;
}
