/*
 * Dials once and prints what came of it, in JSON: usage: dial [-s] HOST SERVICE SECONDS
 *
 * With -s a timer sends the process a thousand signals a second meanwhile.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <unistd.h>

#include "common.h"

/* Longer than the resolver's own patience. */
#define SETTLE 15

static volatile sig_atomic_t signals, strays;

static void count(int number)
{
    (void)number;
    signals++;
    strays += gettid() != getpid();
}

int main(int argc, char **argv)
{
    int stormy = argc > 1 && strcmp(argv[1], "-s") == 0;
    argv += stormy;
    if (argc - stormy != 4) {
        fputs("usage: dial [-s] HOST SERVICE SECONDS\n", stderr);
        return 64;
    }
    struct sigaction action = {.sa_handler = count};
    sigaction(SIGALRM, &action, NULL);
    if (stormy)
        storm(1000);
    int before = descriptors();
    errno = ERANGE;
    double start = now();
    int fd = sock_dial(argv[1], argv[2], strtod(argv[3], NULL));
    double took = now() - start;
    int error = errno;
    storm(0);
    int more_threads = threads() - 1, more_descriptors = descriptors() - before - (fd >= 0);
    double returned = now();

    char peer[NI_MAXHOST] = "";
    double timeout = -1;
    int close_on_exec = 0;
    if (fd >= 0) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        if (getpeername(fd, (struct sockaddr *)&address, &length) == 0)
            getnameinfo((struct sockaddr *)&address, length, peer, sizeof peer, NULL, 0, NI_NUMERICHOST);
        sock_gettimeout(fd, &timeout);
        close_on_exec = (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
        close(fd);
    }
    int threads_in_the_end = threads_left(1, SETTLE) - 1;
    double settled = now() - returned;
    printf("{\"outcome\": \"%s\", \"seconds\": %.6f, \"peer\": \"%s\", \"errno_agrees\": %s, \"timeout\": \"%g\","
           " \"close_on_exec\": %d, \"threads\": %d, \"descriptors\": %d, \"settled\": %.3f, \"threads_left\": %d, \"descriptors_left\": %d,"
           " \"signals\": %d, \"strays\": %d}\n",
           outcome(fd), took, peer, error == (fd < 0 ? -fd : ERANGE) ? "true" : "false", timeout, close_on_exec,
           more_threads, more_descriptors, settled, threads_in_the_end, descriptors() - before, (int)signals, (int)strays);
    return 0;
}
