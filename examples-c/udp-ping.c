/*
 * Retries by timeout: a responder that drops every third datagram, and a pinger that asks again, and
 * waits twice as long, when no answer comes.
 *
 *     cc udp-ping.c -o udp-ping -pthread $(pkg-config --cflags --libs libsock)
 *     ./udp-ping
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
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

/* A socket on loopback, at a port of the system's choice, which is put in `port`. */
static int listen_on_loopback(char port[6])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int fd = (int)check("listen", sock_listen("127.0.0.1", "0/udp", 0));
    check("getsockname", getsockname(fd, (struct sockaddr *)&address, &length) < 0 ? -errno : 0);
    snprintf(port, 6, "%d", sock_name((struct sockaddr *)&address, length, NULL, 0));
    return fd;
}

/* Sends back two datagrams of three. An empty one, which is a message like any other, ends it. */
static void *respond(void *argument)
{
    int fd = *(int *)argument;
    for (int count = 1;; count++) {
        char message[64];
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t size = sock_recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &length);
        if (check("respond", size) == 0)
            return NULL;
        if (count % 3 != 0)
            check("respond", sock_sendto(fd, message, (size_t)size, 0, (struct sockaddr *)&from, length));
    }
}

/* Asks and waits for an answer with that number. Older ones, which come late, do not prolong the wait. */
static ssize_t ask(int fd, int number, double seconds)
{
    double deadline = sock_deadline(seconds);
    int answer;
    ssize_t size = check("send", sock_send(fd, &number, sizeof number, 0));
    do
        size = sock_recv_until(fd, &answer, sizeof answer, 0, deadline, -1);
    while (size == sizeof answer && answer != number);
    return size;
}

int main(void)
{
    char port[6], service[16];
    int responder = listen_on_loopback(port), answered = 0, retries = 0;
    snprintf(service, sizeof service, "%s/udp", port);
    int fd = (int)check("connect", sock_dial("127.0.0.1", service, LIBSOCK_FOREVER));
    pthread_t thread;
    check("thread", -pthread_create(&thread, NULL, respond, &responder));

    for (int number = 1; number <= PINGS; number++) {
        double start = sock_deadline(0), patience = PATIENCE;
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
               (sock_deadline(0) - start) * 1e3, tries);
    }

    check("send", sock_send(fd, NULL, 0, 0));
    check("thread", -pthread_join(thread, NULL));
    close(fd);
    close(responder);
    printf("%d of %d answered, %d retries\n", answered, PINGS, retries);
    return answered == PINGS ? EXIT_SUCCESS : EXIT_FAILURE;
}
