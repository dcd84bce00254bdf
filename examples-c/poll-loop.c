/*
 * A chat server for several clients in one thread: non-blocking sockets and one poll(2), the select
 * style. What one client says goes to all the others. Guests of its own, each a thread that uses
 * sock_wait on its one socket, talk to it, so that the program shows itself and ends.
 *
 *     cc poll-loop.c -o poll-loop -pthread $(pkg-config --cflags --libs libsock)
 *     ./poll-loop
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

enum { PLACES = 8, PIECE = 512, QUEUE = 8 * PIECE, GUESTS = 3 };

static struct client {
    int fd; /* -1 when the place is free */
    size_t queued;
    char queue[QUEUE]; /* what is still to be sent */
} clients[PLACES];
static int present;

static struct guest {
    int fd;
    pthread_t thread;
    char heard[PIECE];
} guests[GUESTS];

static ssize_t check(const char *what, ssize_t code)
{
    if (code < 0) {
        fprintf(stderr, "poll-loop: %s: %s\n", what, sock_strerror(code));
        exit(EXIT_FAILURE);
    }
    return code;
}

static void leave(struct client *c, const char *why)
{
    printf("client %d leaves: %s\n", (int)(c - clients), why);
    close(c->fd);
    c->fd = -1;
    present--;
}

/* Sends what the socket takes. The rest stays in the queue until poll says that there is room. */
static void send_queue(struct client *c)
{
    size_t sent;
    int code = sock_sendall(c->fd, c->queue, c->queued, 0, &sent);
    c->queued -= sent;
    memmove(c->queue, c->queue + sent, c->queued);
    if (code < 0 && code != -EAGAIN)
        leave(c, sock_strerror(code));
}

static void tell_others(const struct client *from, const char *text, size_t length)
{
    printf("client %d says: %.*s", (int)(from - clients), (int)length, text);
    for (struct client *c = clients; c < clients + PLACES; c++) {
        if (c == from || c->fd < 0)
            continue;
        if (length > QUEUE - c->queued) {
            leave(c, "does not listen");
            continue;
        }
        memcpy(c->queue + c->queued, text, length);
        c->queued += length;
        send_queue(c);
    }
}

static void hear(struct client *c)
{
    char text[PIECE];
    ssize_t length = sock_recv(c->fd, text, sizeof text, 0);
    if (length > 0)
        tell_others(c, text, (size_t)length);
    else if (length != -EAGAIN)
        leave(c, length == 0 ? "bye" : sock_strerror(length));
}

/* Accepts all who wait. Who finds no place is turned away. */
static void welcome(int listener)
{
    int fd;
    while ((fd = sock_accept(listener, NULL, NULL)) >= 0) {
        struct client *c = clients;
        while (c < clients + PLACES && c->fd >= 0)
            c++;
        if (c == clients + PLACES) {
            close(fd);
            continue;
        }
        check("setblocking", sock_setblocking(fd, 0));
        c->fd = fd;
        c->queued = 0;
        present++;
        printf("client %d enters\n", (int)(c - clients));
    }
    if (fd != -EAGAIN)
        check("accept", fd);
}

/* Serves until all clients have left. */
static void serve(int listener)
{
    struct pollfd polled[PLACES + 1] = {{.fd = listener, .events = POLLIN}};
    do {
        for (int i = 0; i < PLACES; i++) /* poll skips a negative descriptor. */
            polled[i + 1] = (struct pollfd){
                .fd = clients[i].fd,
                .events = (short)(POLLIN | (clients[i].queued > 0 ? POLLOUT : 0)),
            };
        while (poll(polled, PLACES + 1, -1) < 0)
            check("poll", errno == EINTR ? 0 : -errno);
        for (int i = 0; i < PLACES; i++) {
            if (clients[i].fd >= 0 && polled[i + 1].revents & POLLOUT)
                send_queue(&clients[i]);
            if (clients[i].fd >= 0 && polled[i + 1].revents & ~POLLOUT)
                hear(&clients[i]);
        }
        if (polled[0].revents)
            welcome(listener);
    } while (present > 0);
}

/* Connects without ever being held up: the attempt begins, and is looked at when it has ended. */
static int visit(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check("socket", fd < 0 ? -errno : sock_setblocking(fd, 0));
    int code = sock_connect(fd, (const struct sockaddr *)address, sizeof *address);
    if (code == -EINPROGRESS) {
        check("wait", sock_wait(fd, POLLOUT, 5));
        code = sock_connect(fd, (const struct sockaddr *)address, sizeof *address);
    }
    check("connect", code);
    return fd;
}

/* A guest says one line, hears one from each other guest, and goes. */
static void *be_guest(void *guest)
{
    struct guest *g = guest;
    char line[32];
    int length = snprintf(line, sizeof line, "hello from %d\n", (int)(g - guests)), lines = 0;
    check("send", sock_sendall(g->fd, line, (size_t)length, 0, NULL));
    for (size_t end = 0; lines < GUESTS - 1;) {
        check("wait", sock_wait(g->fd, POLLIN, 5));
        ssize_t received = check("receive", sock_recv(g->fd, g->heard + end, PIECE - 1 - end, 0));
        check("receive", received == 0 ? -EPIPE : 0);
        for (; received > 0; received--)
            lines += g->heard[end++] == '\n';
    }
    close(g->fd);
    return NULL;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET}; /* on a port of the system's choice */
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < PLACES; i++)
        clients[i].fd = -1;

    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0
        || listen(listener, SOMAXCONN) < 0 || getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        check("listen", -errno);
    check("setblocking", sock_setblocking(listener, 0));

    for (struct guest *g = guests; g < guests + GUESTS; g++)
        g->fd = visit(&address);
    for (struct guest *g = guests; g < guests + GUESTS; g++)
        check("thread", -pthread_create(&g->thread, NULL, be_guest, g));
    serve(listener);
    close(listener);
    for (struct guest *g = guests; g < guests + GUESTS; g++) {
        check("thread", -pthread_join(g->thread, NULL));
        printf("guest %d heard:\n%s", (int)(g - guests), g->heard);
    }
    return EXIT_SUCCESS;
}
