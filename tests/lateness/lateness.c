/* How late a receive's timeout or deadline expires: never early, and at the median a fraction of a millisecond. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <sock.h>

#include "harness.h"

#define MOST 200

/* Prints a line for tests/run; the lateness is in milliseconds. With a token it is that of a deadline. */
static void measure(const char *what, int fd, int token, double seconds, int times)
{
    double late[MOST];
    int failed = sock_settimeout(fd, token < 0 ? seconds : LIBSOCK_FOREVER) != 0;
    for (int i = 0; i < times; i++) {
        char byte;
        double start = now();
        ssize_t result = token < 0 ? sock_recv(fd, &byte, 1, 0)
                                   : sock_recv_until(fd, &byte, 1, 0, sock_deadline(seconds), token);
        failed |= result != -ETIMEDOUT;
        late[i] = (now() - start - seconds) * 1e3;
    }
    qsort(late, (size_t)times, sizeof *late, ascending);
    double least = late[0], median = late[times / 2], most = late[times - 1];
    const char *why = failed ? "not a timeout" : least < 0 ? "early" : most > 1000 ? "a second late" : NULL;
    printf("%s lateness of %4g s, %s: %s%s%.3f / %.3f / %.3f ms, least, median and most of %d\n", why ? "not ok" : "ok",
           seconds, what, why ? why : "", why ? ", " : "", least, median, most, times);
    fflush(stdout);
}

int main(void)
{
    static const struct {
        double seconds;
        int times;
    } each[] = {{0.0001, 200}, {0.001, 200}, {0.005, 100}, {0.02, 50}, {0.1, 15}, {0.5, 5}, {2, 3}};
    int pair[2], token = sock_token(), udp;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && token >= 0);
    udp = bound(AF_INET, SOCK_DGRAM, &address, &length);
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        measure("timeout", pair[0], -1, each[i].seconds, each[i].times);
        /* What the kernel may not wait for is waited for as a deadline is. */
        if (each[i].seconds < 1)
            measure("timeout of UDP", udp, -1, each[i].seconds, each[i].times);
        if (each[i].seconds < 1)
            measure("deadline", pair[0], token, each[i].seconds, each[i].times);
    }
    return 0;
}
