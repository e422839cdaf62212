/* A program that does nothing; with arguments it becomes them. Static, 32-bit and set-user-id copies are in the image. */
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 0;
	execv(argv[1], argv + 1);
	return 1;
}
