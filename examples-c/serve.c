/*
 * Gives one file to whoever asks, over HTTP/1.0, so many seconds late if told to: a server to try a
 * client's timeouts on. A few threads accept and serve, so that it never has more clients than
 * threads; the others wait in the listener's queue. A client has so many seconds for all of it, 10
 * if not told otherwise. On SIGINT or SIGTERM one token stops every thread, wherever it waits.
 *
 *     cc serve.c -o serve -pthread $(pkg-config --cflags --libs libsock)
 *     ./serve page.html 5 60
 *
 * It listens on loopback, at a port of the system's choice, and prints its URL.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

enum { CLIENTS = 8 };

static int token, listener, file;
static double delay, patience = 10;

static void stop(int signal)
{
    (void)signal;
    sock_cancel(token);
}

static int check(const char *what, int code)
{
    if (code < 0) {
        fprintf(stderr, "serve: %s: %s\n", what, sock_strerror(code));
        exit(EXIT_FAILURE);
    }
    return code;
}

static int answer(int fd, double deadline)
{
    char piece[16384] = "HTTP/1.0 200 OK\r\n\r\n";
    ssize_t length = (ssize_t)strlen(piece);
    for (off_t at = 0; length > 0; at += length) {
        int code = sock_sendall_until(fd, piece, (size_t)length, 0, NULL, deadline, token);
        if (code < 0)
            return code;
        length = pread(file, piece, sizeof piece, at);
    }
    return length < 0 ? -errno : 0;
}

static int serve(int fd)
{
    double deadline = sock_deadline(delay + patience);
    char request[4096];
    size_t have = 0;
    ssize_t length = sock_recvdelim_until(fd, request, sizeof request, &have, "\r\n\r\n", 4, deadline, token);
    if (length <= 0)
        return (int)length;
    /* Nothing more is expected of the client: what can be received is its farewell. */
    int code = sock_wait_until(fd, POLLIN, sock_deadline(delay), token);
    if (code > 0)
        return -EPIPE;
    return code == -ETIMEDOUT ? answer(fd, deadline) : code;
}

static void *accept_and_serve(void *argument)
{
    (void)argument;
    for (;;) {
        int fd = sock_accept_until(listener, NULL, NULL, LIBSOCK_FOREVER, token);
        int code = fd < 0 ? fd : serve(fd);
        if (fd >= 0)
            close(fd);
        if (code == -ECANCELED)
            return NULL;
        if (code < 0)
            fprintf(stderr, "serve: %s\n", sock_strerror(code));
        if (fd < 0) /* Short of descriptors or memory: that may pass. */
            sock_wait_until(-1, 0, sock_deadline(0.25), token);
    }
}

static void listen_on_loopback(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    listener = check("listen", sock_listen("127.0.0.1", "0", 0));
    check("getsockname", getsockname(listener, (struct sockaddr *)&address, &length) < 0 ? -errno : 0);
    printf("serving at http://127.0.0.1:%d/\n", sock_name((struct sockaddr *)&address, length, NULL, 0));
    fflush(stdout);
}

int main(int argc, char *argv[])
{
    char *rest = "", *more = "";
    if (argc > 2)
        delay = strtod(argv[2], &rest);
    if (argc > 3)
        patience = strtod(argv[3], &more);
    if (argc < 2 || argc > 4 || *rest || *more || !(delay >= 0) || !(patience > 0)) {
        fputs("usage: serve FILE [DELAY [PATIENCE]]\n", stderr);
        return 64;
    }
    file = open(argv[1], O_RDONLY);
    check(argv[1], file < 0 ? -errno : 0);
    token = check("token", sock_token());
    listen_on_loopback();

    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    check("sigaction", sigaction(SIGINT, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ? -errno : 0);
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        check("thread", -pthread_create(&threads[i], NULL, accept_and_serve, NULL));
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    return EXIT_SUCCESS;
}
