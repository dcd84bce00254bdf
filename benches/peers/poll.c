/* By hand: a non-blocking socket; try, poll for what is left of the timeout, try again. */
#include "descriptor.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

struct state {
    int fd;
    double seconds;
};

static const char *version(void)
{
    return "by hand";
}

static void *adopt(int fd)
{
    struct state *state = malloc(sizeof *state);
    int on = 1;
    if (!state || ioctl(fd, FIONBIO, &on) != 0)
        return NULL;
    *state = (struct state){fd, INFINITY};
    return state;
}

static void release(void *socket)
{
    struct state *state = socket;
    close(state->fd);
    free(state);
}

static int settimeout(void *socket, double seconds)
{
    ((struct state *)socket)->seconds = seconds;
    return 0;
}

/* Milliseconds rounded up, so as not to be early. */
static int await(const struct state *state, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now();
        struct pollfd entry = {.fd = state->fd, .events = events};
        int ready = poll(&entry, 1, left > 0 ? (int)((left + 999999) / 1000000) : 0);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int64_t deadline_of(const struct state *state)
{
    return now() + (int64_t)ceil(state->seconds * 1e9);
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    struct state *state = socket;
    ssize_t received = recv(state->fd, data, len, 0);
    if (received >= 0)
        return received;
    int64_t deadline = deadline_of(state);
    while (received < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int error = await(state, POLLIN, deadline);
        if (error)
            return error;
        received = recv(state->fd, data, len, 0);
    }
    return received;
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    struct state *state = socket;
    ssize_t sent = send(state->fd, data, len, MSG_NOSIGNAL);
    if (sent >= 0)
        return sent;
    int64_t deadline = deadline_of(state);
    while (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int error = await(state, POLLOUT, deadline);
        if (error)
            return error;
        sent = send(state->fd, data, len, MSG_NOSIGNAL);
    }
    return sent;
}

static void *accept_one(void *listener)
{
    struct state *state = listener;
    int64_t deadline = deadline_of(state);
    for (;;) {
        int fd = accept4(state->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            return adopt(fd);
        if ((errno != EAGAIN && errno != EINTR) || await(state, POLLIN, deadline) != 0)
            return NULL;
    }
}

static void *create(double seconds)
{
    struct state *state = adopt(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (state)
        settimeout(state, seconds);
    return state;
}

static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    struct state *state = socket;
    if (connect(state->fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return state;
    int error = errno;
    socklen_t len = sizeof error;
    if (error == EINPROGRESS && await(state, POLLOUT, deadline_of(state)) == 0
        && getsockopt(state->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
        return state;
    release(state);
    return NULL;
}

static int exchange(void *socket, const void *request, void *answer, size_t len, double seconds)
{
    struct state *state = socket;
    int64_t deadline = now() + (int64_t)ceil(seconds * 1e9);
    for (size_t done = 0; done < MESSAGE;) {
        ssize_t more = send(state->fd, (const char *)request + done, MESSAGE - done, MSG_NOSIGNAL);
        int error = more >= 0 ? 0 : errno != EAGAIN && errno != EINTR ? -errno : await(state, POLLOUT, deadline);
        if (error)
            return error;
        done += more > 0 ? (size_t)more : 0;
    }
    for (size_t done = 0; done < len;) {
        ssize_t more = recv(state->fd, (char *)answer + done, len - done, 0);
        int error = more > 0    ? 0
                    : more == 0 ? -EPIPE
                    : errno != EAGAIN && errno != EINTR ? -errno
                                                        : await(state, POLLIN, deadline);
        if (error)
            return error;
        done += more > 0 ? (size_t)more : 0;
    }
    return 0;
}

static int cancelled = -1;

static void prepare(void *socket)
{
    (void)socket;
    if (cancelled >= 0)
        close(cancelled);
    cancelled = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static ssize_t receive_until_cancelled(void *socket, void *data, size_t len)
{
    struct state *state = socket;
    for (;;) {
        ssize_t received = recv(state->fd, data, len, 0);
        if (received >= 0)
            return received;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        struct pollfd entries[] = {{.fd = state->fd, .events = POLLIN}, {.fd = cancelled, .events = POLLIN}};
        if (poll(entries, 2, -1) > 0 && entries[1].revents)
            return -ECANCELED;
    }
}

static void cancel(void *socket)
{
    (void)socket;
    check(eventfd_write(cancelled, 1) == 0, "eventfd_write");
}

const struct peer poll_idiom = {
    "poll", version, adopt, release, settimeout, receive, transmit, NULL, NULL, accept_one, create, connect_to,
    .exchange = exchange, .prepare = prepare, .recv_until_cancelled = receive_until_cancelled, .cancel = cancel,
};
