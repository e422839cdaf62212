/* A shared library to be loaded from where it should not be. */
int plugin(void)
{
	return 42;
}
