/* The floor: plain calls on a blocking socket, with no timeout at all. */
#include "descriptor.h"

#include <errno.h>
#include <stdio.h>

static const char *version(void)
{
    return "by hand";
}

static int settimeout(void *socket, double seconds)
{
    (void)socket, (void)seconds;
    return 0;
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    ssize_t received = recv(fd_of(socket), data, len, 0);
    return received < 0 ? -errno : received;
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    ssize_t sent = send(fd_of(socket), data, len, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

static int receive_all(void *socket, void *data, size_t len)
{
    receive_fully(fd_of(socket), data, len);
    return 0;
}

static void *accept_one(void *listener)
{
    return open_or_null(accept4(fd_of(listener), NULL, NULL, SOCK_CLOEXEC));
}

static void *create(double seconds)
{
    (void)seconds;
    return open_or_null(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    return connect(fd_of(socket), (const struct sockaddr *)address, sizeof *address) == 0 ? socket : NULL;
}

static void *accept_from(void *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    return open_or_null(accept4(fd_of(listener), (struct sockaddr *)&address, &len, SOCK_CLOEXEC));
}

static int exchange(void *socket, const void *request, void *answer, size_t len, double seconds)
{
    (void)seconds;
    send_fully(fd_of(socket), request, MESSAGE);
    return receive_all(socket, answer, len);
}

static void *open_lines(void *socket)
{
    return fdopen(fd_of(socket), "r");
}

static ssize_t read_line(void *lines)
{
    static char *line;
    static size_t size;
    return getline(&line, &size, lines);
}

/* The socket is lost. */
static void cancel(void *socket)
{
    shutdown(fd_of(socket), SHUT_RDWR);
}

const struct peer blocking = {
    "blocking", version, open_fd, close_fd, settimeout, receive, transmit, receive_all, NULL, accept_one, create, connect_to,
    accept_from, exchange, open_lines, read_line, NULL, receive, cancel,
};
