/*
 * A child for any supervisor: says its pid as soon as it runs, then does nothing.  What tools/bench
 * kills to see how soon the next one is there.
 */
#include "measure.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int rv_measure_child(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char text[32];
	int n = snprintf(text, sizeof text, "%ld", (long)getpid());
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)argc;
	if (strlen(argv[1]) >= sizeof to.sun_path)
		rv_measure_die(argv[1], "the path is too long for a socket");
	memcpy(to.sun_path, argv[1], strlen(argv[1]) + 1);
	if (fd < 0 || sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&to, sizeof to) < 0)
		rv_measure_die(argv[1], "nobody listens");
	for (;;)
		(void)pause();
}
