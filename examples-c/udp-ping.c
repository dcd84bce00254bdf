/*
 * Retries by timeout: a responder that drops every third datagram, and a pinger that asks again, and
 * waits twice as long, when no answer comes.
 *
 *     cc udp-ping.c -o udp-ping -pthread $(pkg-config --cflags --libs libsock)
 *     ./udp-ping
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

#define PINGS 10
#define TRIES 5
#define PATIENCE 0.1 /* seconds for the first answer to come */

static ssize_t check(const char *what, ssize_t code)
{
    if (code < 0) {
        fprintf(stderr, "udp-ping: %s: %s\n", what, sock_strerror(code));
        exit(EXIT_FAILURE);
    }
    return code;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A socket on loopback, at a port of the system's choice, which is put in `address`. */
static int open_socket(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, length) < 0
        || getsockname(fd, (struct sockaddr *)address, &length) < 0)
        check("socket", -errno);
    return fd;
}

/* Sends back two datagrams of three. An empty one, which is a message like any other, ends it. */
static void *respond(void *argument)
{
    int fd = *(int *)argument;
    for (int count = 1;; count++) {
        char message[64];
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t size = sock_recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &length);
        if (check("respond", size) == 0)
            return NULL;
        if (count % 3 != 0)
            check("respond", sock_sendto(fd, message, (size_t)size, 0, (struct sockaddr *)&from, length));
    }
}

/* Asks and waits for an answer with that number; older ones, which come late, do not count. */
static ssize_t ask(int fd, int number, double seconds)
{
    double deadline = now() + seconds;
    int answer;
    ssize_t size = check("send", sock_send(fd, &number, sizeof number, 0));
    do {
        double left = deadline - now();
        check("settimeout", sock_settimeout(fd, left > 0 ? left : 1e-9));
        size = sock_recv(fd, &answer, sizeof answer, 0);
    } while (size == sizeof answer && answer != number);
    return size;
}

int main(void)
{
    struct sockaddr_in address, own;
    int responder = open_socket(&address), fd = open_socket(&own), answered = 0, retries = 0;
    pthread_t thread;
    check("thread", -pthread_create(&thread, NULL, respond, &responder));
    check("connect", sock_connect(fd, (struct sockaddr *)&address, sizeof address));

    for (int number = 1; number <= PINGS; number++) {
        double start = now(), patience = PATIENCE;
        int tries = 1;
        ssize_t code = ask(fd, number, patience);
        for (; code == -ETIMEDOUT && tries < TRIES; tries++)
            code = ask(fd, number, patience *= 2);
        retries += tries - 1;
        if (code != -ETIMEDOUT) {
            check("receive", code);
            answered++;
        }
        printf("ping %2d: %s after %7.2f ms, tries: %d\n", number, code < 0 ? "no answer" : "answered",
               (now() - start) * 1e3, tries);
    }

    check("send", sock_send(fd, NULL, 0, 0));
    check("thread", -pthread_join(thread, NULL));
    close(fd);
    close(responder);
    printf("%d of %d answered, %d retries\n", answered, PINGS, retries);
    return answered == PINGS ? EXIT_SUCCESS : EXIT_FAILURE;
}
