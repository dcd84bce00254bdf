/* How late a receive's timeout expires: never early, and at the median a fraction of a millisecond. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <sock.h>

#define MOST 200

static double since(struct timespec start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Prints a line for tests/run; the lateness is in milliseconds. */
static void measure(int fd, double seconds, int times)
{
    double late[MOST];
    int failed = sock_settimeout(fd, seconds) != 0;
    for (int i = 0; i < times; i++) {
        char byte;
        struct timespec start;
        clock_gettime(CLOCK_MONOTONIC, &start);
        failed |= sock_recv(fd, &byte, 1, 0) != -ETIMEDOUT;
        late[i] = (since(start) - seconds) * 1e3;
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
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        perror("socketpair");
        return 1;
    }
    measure(pair[0], 0.0001, 200);
    measure(pair[0], 0.001, 200);
    measure(pair[0], 0.005, 100);
    measure(pair[0], 0.02, 50);
    measure(pair[0], 0.1, 15);
    measure(pair[0], 0.5, 5);
    measure(pair[0], 2, 3);
    return 0;
}
