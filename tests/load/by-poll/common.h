/* What the examples' counterparts share: waits for a socket, a moment and a way to be stopped, by poll(2) and by hand. */
#ifndef COMMON_H
#define COMMON_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

static int token;

static inline void stop(int signal)
{
    (void)signal;
    eventfd_write(token, 1);
}

static inline void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    token = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
    must(sigaction(SIGTERM, &action, NULL), "sigaction");
}

/* A negative descriptor, and a deadline in the past, ask whether the program is to stop. */
static inline int await(int fd, short events, double deadline)
{
    for (;;) {
        double left = deadline - now();
        struct pollfd entries[] = {{.fd = token, .events = POLLIN}, {.fd = fd, .events = events}};
        int ready = poll(entries, fd < 0 ? 1 : 2, left > 0 ? (int)(left * 1000) + 1 : 0);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return -errno;
        return entries[0].revents ? -ECANCELED : ready ? 0 : -ETIMEDOUT;
    }
}

static inline ssize_t receive(int fd, void *data, size_t length, double deadline)
{
    for (;;) {
        ssize_t received = recv(fd, data, length, MSG_DONTWAIT);
        if (received >= 0 || (errno != EAGAIN && errno != EINTR))
            return received >= 0 ? received : -errno;
        int code = await(fd, POLLIN, deadline);
        if (code < 0)
            return code;
    }
}

static inline int send_all(int fd, const char *data, size_t length, double deadline)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        int code = sent >= 0 ? 0 : errno == EAGAIN || errno == EINTR ? await(fd, POLLOUT, deadline) : -errno;
        if (code < 0)
            return code;
        data += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static inline int accept_one(int listener, double deadline)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            return fd >= 0 ? fd : -errno;
        int code = await(listener, POLLIN, deadline);
        if (code < 0)
            return code;
    }
}

#endif
