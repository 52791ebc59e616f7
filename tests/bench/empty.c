/* empty.c - what the C library takes to start in a static program, before it
 * does anything.  It asks the CPU for its caches, and where that is a virtual
 * one, each of these instructions is an exit to its host. */
int main(void)
{
	return 0;
}
