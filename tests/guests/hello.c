/* hello.c - the boot protocols: print the command line, exit with 7. */
#include "tests/guests/lib/guest.h"

int guest_main(void)
{
	check(in32(BH_EXIT_PORT) == BH_EXIT_MAGIC || arg_is("magic", "no"), "exit device");
	put("hello: ");
	put(guest_cmdline);
	put("\n");
	return 7;
}
