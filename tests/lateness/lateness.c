/* How late a receive's timeout expires: never early, and at the median a fraction of a millisecond. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <sock.h>

#include "harness.h"

#define MOST 200

/* Prints a line for tests/run; the lateness is in milliseconds. */
static void measure(int fd, double seconds, int times)
{
    double late[MOST];
    int failed = sock_settimeout(fd, seconds) != 0;
    for (int i = 0; i < times; i++) {
        char byte;
        double start = now();
        failed |= sock_recv(fd, &byte, 1, 0) != -ETIMEDOUT;
        late[i] = (now() - start - seconds) * 1e3;
    }
    qsort(late, (size_t)times, sizeof *late, ascending);
    double least = late[0], median = late[times / 2], most = late[times - 1];
    const char *why = failed ? "not a timeout" : least < 0 ? "early" : most > 1000 ? "a second late" : NULL;
    printf("%s lateness of %4g s: %s%s%.3f / %.3f / %.3f ms, least, median and most of %d\n", why ? "not ok" : "ok",
           seconds, why ? why : "", why ? ", " : "", least, median, most, times);
    fflush(stdout);
}

int main(void)
{
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    measure(pair[0], 0.0001, 200);
    measure(pair[0], 0.001, 200);
    measure(pair[0], 0.005, 100);
    measure(pair[0], 0.02, 50);
    measure(pair[0], 0.1, 15);
    measure(pair[0], 0.5, 5);
    measure(pair[0], 2, 3);
    return 0;
}
