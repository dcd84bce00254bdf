/*
 * A TCP server that sends back what it receives, with a thread for each client, 1,200 at most. On
 * SIGINT or SIGTERM one token stops every thread at once, and what each client got is accounted for.
 *
 *     cc echo-server.c -o echo-server -pthread $(pkg-config --cflags --libs libsock)
 *     ./echo-server 7007
 *
 * It listens at a port of the system's choice and on loopback, unless told another port, and host,
 * and prints the address. In place of a port it takes the path of a Unix socket, too. A client that
 * takes more than 60 seconds, or as many as told last, to send a piece and to take it back, is cut.
 * echo-client talks to it.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

enum { MOST = 1200 };

static int token;
static double patience = 60;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t client_left = PTHREAD_COND_INITIALIZER;
static int clients; /* being served; under the lock, as what follows */
static unsigned long long bytes_received, bytes_sent;

static void stop(int signal)
{
    (void)signal;
    sock_cancel(token);
}

/* Returns 0 when the client has closed its side. The counts are exact, whatever ends it. */
static int echo(int fd, size_t *received, size_t *sent)
{
    char piece[65536];
    int code;
    do {
        double deadline = sock_deadline(patience);
        ssize_t length = sock_recv_until(fd, piece, sizeof piece, 0, deadline, token);
        if (length <= 0)
            return (int)length;
        size_t part;
        code = sock_sendall_until(fd, piece, (size_t)length, 0, &part, deadline, token);
        *received += (size_t)length;
        *sent += part;
        /* Only a wait is cancelled, and for a fast client there may be none: so the token is asked, too. */
    } while (code == 0 && sock_wait_until(-1, 0, -1, token) != -ECANCELED);
    return code;
}

static void client_is_gone(int fd, size_t received, size_t sent)
{
    close(fd);
    pthread_mutex_lock(&lock);
    clients--;
    bytes_received += received;
    bytes_sent += sent;
    pthread_cond_signal(&client_left);
    pthread_mutex_unlock(&lock);
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    size_t received = 0, sent = 0;
    int code = echo(fd, &received, &sent);
    if (code < 0 && code != -ECANCELED)
        fprintf(stderr, "echo-server: client: %s\n", sock_strerror(code));
    client_is_gone(fd, received, sent);
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
        client_is_gone(fd, 0, 0);
    else
        pthread_detach(thread);
    return code;
}

/* Further clients stay in the listener's queue. (A token ends this wait as well: it makes clients leave.) */
static void wait_for_fewer_than(int most)
{
    pthread_mutex_lock(&lock);
    while (clients >= most)
        pthread_cond_wait(&client_left, &lock);
    pthread_mutex_unlock(&lock);
}

static int check(const char *what, int code)
{
    if (code < 0) {
        fprintf(stderr, "echo-server: %s: %s\n", what, sock_strerror(code));
        exit(EXIT_FAILURE);
    }
    return code;
}

static int listen_on(const char *host, const char *port)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char name[110];

    int fd = check("listen", sock_listen(host, port, 0));
    check("getsockname", getsockname(fd, (struct sockaddr *)&address, &length) < 0 ? -errno : 0);
    int number = check("name", sock_name((struct sockaddr *)&address, length, name, sizeof name));
    const char *format = address.ss_family == AF_UNIX    ? "listening on %s\n"
                         : address.ss_family == AF_INET6 ? "listening on [%s]:%d\n"
                                                         : "listening on %s:%d\n";
    printf(format, name, number);
    fflush(stdout);
    return fd;
}

int main(int argc, char *argv[])
{
    char *rest = "";
    if (argc > 3)
        patience = strtod(argv[3], &rest);
    if (argc > 4 || *rest || !(patience > 0)) {
        fputs("usage: echo-server [PORT [HOST [SECONDS]]]\n", stderr);
        return 64;
    }
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    token = check("token", sock_token());
    check("sigaction", sigaction(SIGINT, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ? -errno : 0);

    const char *port = argc > 1 ? argv[1] : "0", *host = argc > 2 ? argv[2] : "127.0.0.1";
    int listener = *port == '/' || *port == '@' ? listen_on(port, NULL) : listen_on(host, port);
    unsigned long long served = 0;
    for (;;) {
        wait_for_fewer_than(MOST);
        int code = sock_accept_until(listener, NULL, NULL, LIBSOCK_FOREVER, token);
        if (code == -ECANCELED)
            break;
        if (code >= 0)
            code = start_serving(code);
        if (code >= 0) {
            served++;
        } else { /* Short of descriptors, memory or threads: that may pass. */
            fprintf(stderr, "echo-server: accept: %s\n", sock_strerror(code));
            sock_wait_until(-1, 0, sock_deadline(0.25), token);
        }
    }
    close(listener);

    wait_for_fewer_than(1);
    printf("clients served: %llu, bytes received: %llu, sent: %llu\n", served, bytes_received, bytes_sent);
    return EXIT_SUCCESS;
}
