/*
 * pingpong.c - small UDP packets there and back.
 *
 * usage: pingpong -s                      echo on port 7777 until killed
 *        pingpong HOST WINDOW COUNT       COUNT packets of 18 bytes, WINDOW of
 *                                         them on their way at a time
 * Prints: COUNT MICROSECONDS. A packet that is lost is made up for after 100 ms.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define PORT   7777
#define PACKET 18 /* a frame of 60 bytes, the shortest */

static int die(const char *what)
{
	perror(what);
	return 1;
}

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int echo(int s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	char buf[PACKET];

	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return die("bind");
	for (;;) {
		socklen_t len = sizeof(a);
		ssize_t n = recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&a, &len);

		if (n > 0)
			sendto(s, buf, (size_t)n, 0, (struct sockaddr *)&a, len);
	}
}

static int ask(int s, const char *host, long window, long count)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct timeval patience = { .tv_usec = 100000 };
	long sent = 0, back = 0, lost = 0;
	char buf[PACKET] = "pingpong";
	long long start;

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
	    connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return die(host);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	start = now_us();
	while (back < count) {
		while (sent - back - lost < window)
			if (send(s, buf, sizeof(buf), 0) > 0)
				sent++;
			else
				return die("send");
		if (recv(s, buf, sizeof(buf), 0) > 0)
			back++;
		else if (++lost > count)
			return die("no answer");
	}
	printf("%ld %lld\n", back, now_us() - start);
	return 0;
}

int main(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s < 0)
		return die("socket");
	if (argc == 2)
		return echo(s);
	if (argc != 4) {
		fprintf(stderr, "usage: pingpong -s | HOST WINDOW COUNT\n");
		return 2;
	}
	return ask(s, argv[1], atol(argv[2]), atol(argv[3]));
}
