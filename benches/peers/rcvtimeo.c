/* By hand: SO_RCVTIMEO and SO_SNDTIMEO, and the same calls as ever. A signal ends a call with EINTR. */
#include "descriptor.h"

#include <errno.h>
#include <math.h>
#include <sys/time.h>

static const char *version(void)
{
    return "by hand";
}

static int settimeout(void *socket, double seconds)
{
    int64_t microseconds = (int64_t)ceil(seconds * 1e6);
    struct timeval time = {.tv_sec = microseconds / 1000000, .tv_usec = microseconds % 1000000};
    if (setsockopt(fd_of(socket), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0
        || setsockopt(fd_of(socket), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) != 0)
        return -errno;
    return 0;
}

static int failure(void)
{
    return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    ssize_t received = recv(fd_of(socket), data, len, 0);
    return received < 0 ? failure() : received;
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    ssize_t sent = send(fd_of(socket), data, len, MSG_NOSIGNAL);
    return sent < 0 ? failure() : sent;
}

static int receive_all(void *socket, void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t more = recv(fd_of(socket), (char *)data + done, len - done, MSG_WAITALL);
        if (more <= 0)
            return more == 0 ? -EPIPE : failure();
        done += (size_t)more;
    }
    return 0;
}

static void *accept_one(void *listener)
{
    return open_or_null(accept4(fd_of(listener), NULL, NULL, SOCK_CLOEXEC));
}

static void *create(double seconds)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return settimeout(open_fd(fd), seconds) < 0 ? NULL : open_fd(fd);
}

static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    return connect(fd_of(socket), (const struct sockaddr *)address, sizeof *address) == 0 ? socket : NULL;
}

const struct peer rcvtimeo = {
    "rcvtimeo", version, open_fd, close_fd, settimeout, receive, transmit, receive_all, NULL, accept_one, create, connect_to,
    .exchange = NULL,
};
