/* libsock. */
#include "descriptor.h"

#include <sock.h>

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

static void *connect_to(const struct sockaddr_in *address, double seconds)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock_settimeout(fd, seconds) < 0)
        return NULL;
    return sock_connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? open_fd(fd) : NULL;
}

const struct peer libsock = {
    "libsock", sock_version, open_fd, close_fd, settimeout, receive, transmit, receive_all, transmit_all, accept_one,
    connect_to,
};
