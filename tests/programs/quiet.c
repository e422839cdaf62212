/* A program that does nothing: static, 32-bit and set-user-id copies of it are in the image. With arguments it becomes them. */
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 0;
	execv(argv[1], argv + 1);
	return 1;
}
