/* libsock. */
#include "descriptor.h"

#include <errno.h>
#include <sock.h>
#include <stdlib.h>
#include <string.h>

static int settimeout(void *socket, double seconds)
{
    return sock_settimeout(fd_of(socket), seconds);
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    return sock_recv(fd_of(socket), data, len, 0);
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    return sock_send(fd_of(socket), data, len, 0);
}

static int receive_all(void *socket, void *data, size_t len)
{
    return sock_recvall(fd_of(socket), data, len, 0, NULL);
}

static int transmit_all(void *socket, const void *data, size_t len)
{
    return sock_sendall(fd_of(socket), data, len, 0, NULL);
}

static void *accept_one(void *listener)
{
    return open_or_null(sock_accept(fd_of(listener), NULL, NULL));
}

static void *create(double seconds)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return settimeout(open_fd(fd), seconds) < 0 ? NULL : open_fd(fd);
}

static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    return sock_connect(fd_of(socket), (const struct sockaddr *)address, sizeof *address) == 0 ? socket : NULL;
}

static void *accept_from(void *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    return open_or_null(sock_accept(fd_of(listener), (struct sockaddr *)&address, &len));
}

static int exchange(void *socket, const void *request, void *answer, size_t len, double seconds)
{
    double deadline = sock_deadline(seconds);
    int code = sock_sendall_until(fd_of(socket), request, MESSAGE, 0, NULL, deadline, -1);
    return code < 0 ? code : sock_recvall_until(fd_of(socket), answer, len, 0, NULL, deadline, -1);
}

static int exchange_by_settimeout(void *socket, const void *request, void *answer, size_t len, double seconds)
{
    double deadline = sock_deadline(seconds);
    int code = sock_settimeout(fd_of(socket), deadline - sock_deadline(0));
    if (code == 0)
        code = sock_sendall(fd_of(socket), request, MESSAGE, 0, NULL);
    if (code == 0)
        code = sock_settimeout(fd_of(socket), deadline - sock_deadline(0));
    return code < 0 ? code : sock_recvall(fd_of(socket), answer, len, 0, NULL);
}

struct lines {
    int fd;
    size_t at, have;
    char data[4096];
};

static void *open_lines(void *socket)
{
    struct lines *lines = calloc(1, sizeof *lines);
    if (lines)
        lines->fd = fd_of(socket);
    return lines;
}

static ssize_t read_line(void *argument)
{
    struct lines *lines = argument;
    for (;;) {
        char *line = lines->data + lines->at;
        ssize_t len = sock_recvdelim(lines->fd, line, sizeof lines->data - lines->at, &lines->have, "\n", 1);
        if (len == -EMSGSIZE && lines->at > 0) {
            memmove(lines->data, line, lines->have);
            lines->at = 0;
            continue;
        }
        if (len > 0) {
            lines->have -= (size_t)len;
            lines->at = lines->have ? lines->at + (size_t)len : 0;
        }
        return len;
    }
}

static int token;

static void prepare(void *socket)
{
    (void)socket;
    if (token > 0)
        close(token);
    token = sock_token();
}

static ssize_t receive_until_cancelled(void *socket, void *data, size_t len)
{
    return sock_recv_until(fd_of(socket), data, len, 0, LIBSOCK_FOREVER, token);
}

static void cancel(void *socket)
{
    (void)socket;
    sock_cancel(token);
}

const struct peer libsock = {
    "libsock", sock_version, open_fd, close_fd, settimeout, receive, transmit, receive_all, transmit_all, accept_one,
    create, connect_to, accept_from, exchange, open_lines, read_line, prepare, receive_until_cancelled, cancel,
};

/* The same, but that one deadline is kept by setting what is left of it as the timeout, before each step. */
const struct peer libsock_steps = {
    "libsock-steps", sock_version, open_fd, close_fd, settimeout, receive, transmit, receive_all, transmit_all, accept_one,
    create, connect_to, .exchange = exchange_by_settimeout,
};
