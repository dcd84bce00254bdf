/*
 * A TCP server that sends back what it receives, with a thread for each client. Every wait has a
 * timeout, so that on SIGINT or SIGTERM each thread soon finds out and ends in an orderly way.
 *
 *     cc echo-server.c -o echo-server -pthread $(pkg-config --cflags --libs libsock)
 *     ./echo-server 7007
 *
 * It listens at a port of the system's choice and on loopback, unless told another port, and host,
 * and prints the address. echo-client talks to it.
 */

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

#define TICK 0.25 /* seconds after which every thread looks whether it is time to stop */

static atomic_bool stopping;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t client_left = PTHREAD_COND_INITIALIZER;
static int clients; /* being served; under the lock */

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

/* Returns 0 when the client has closed its side or the server stops. */
static int echo(int fd)
{
    char buffer[65536];
    int code = sock_settimeout(fd, TICK);
    while (code == 0 && !stopping) {
        ssize_t received = sock_recv(fd, buffer, sizeof buffer, 0);
        if (received == -ETIMEDOUT)
            continue;
        if (received <= 0)
            return (int)received;
        for (size_t sent = 0, part; sent < (size_t)received && !stopping; sent += part) {
            code = sock_sendall(fd, buffer + sent, (size_t)received - sent, 0, &part);
            if (code == -ETIMEDOUT) /* A slow reader: `part` tells where to go on. */
                code = 0;
            if (code < 0)
                return code;
        }
    }
    return code;
}

static void client_is_gone(int fd)
{
    close(fd);
    pthread_mutex_lock(&lock);
    clients--;
    pthread_cond_signal(&client_left);
    pthread_mutex_unlock(&lock);
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    int code = echo(fd);
    if (code < 0)
        fprintf(stderr, "echo-server: client: %s\n", sock_strerror(code));
    client_is_gone(fd);
    return NULL;
}

static int start_serving(int fd)
{
    pthread_t thread;
    pthread_mutex_lock(&lock);
    clients++;
    pthread_mutex_unlock(&lock);
    int code = -pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd);
    if (code < 0)
        client_is_gone(fd);
    else
        pthread_detach(thread);
    return code;
}

static void check(const char *what, int code)
{
    if (code < 0) {
        fprintf(stderr, "echo-server: %s: %s\n", what, sock_strerror(code));
        exit(EXIT_FAILURE);
    }
}

static int listen_on(const char *host, const char *port)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char ip[64], number[6];

    int fd = sock_listen(host, port, 0);
    check("listen", fd);
    check("settimeout", sock_settimeout(fd, TICK));
    check("getsockname", getsockname(fd, (struct sockaddr *)&address, &length) < 0 ? -errno : 0);
    if (getnameinfo((struct sockaddr *)&address, length, ip, sizeof ip, number, sizeof number,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        check("getnameinfo", -EAFNOSUPPORT);
    printf(strchr(ip, ':') ? "listening on [%s]:%s\n" : "listening on %s:%s\n", ip, number);
    fflush(stdout);
    return fd;
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: echo-server [PORT [HOST]]\n", stderr);
        return 64;
    }
    struct sigaction action = {.sa_handler = stop};
    check("sigaction", sigaction(SIGINT, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ? -errno : 0);

    int listener = listen_on(argc > 2 ? argv[2] : "127.0.0.1", argc > 1 ? argv[1] : "0");
    long served = 0;
    while (!stopping) {
        int code = sock_accept(listener, NULL, NULL);
        if (code >= 0)
            code = start_serving(code);
        if (code >= 0) {
            served++;
        } else if (code != -ETIMEDOUT) { /* Short of descriptors, memory or threads: that may pass. */
            fprintf(stderr, "echo-server: accept: %s\n", sock_strerror(code));
            poll(NULL, 0, (int)(TICK * 1000));
        }
    }
    close(listener);

    pthread_mutex_lock(&lock);
    while (clients > 0)
        pthread_cond_wait(&client_left, &lock);
    pthread_mutex_unlock(&lock);
    printf("clients served: %ld\n", served);
    return EXIT_SUCCESS;
}
