/* The sockets of a scene, before the call. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "faults.h"

static int family(const struct scene *scene)
{
    return is(scene->kind, "tcp") ? AF_INET : AF_UNIX;
}

/* A socket with an address that the kernel chose. */
static int bound(const struct scene *scene, int type, struct ends *ends)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
    int fd = socket(family(scene), type | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    if (family(scene) == AF_INET)
        MUST(bind(fd, (struct sockaddr *)&any, sizeof any) == 0);
    else
        MUST(bind(fd, (struct sockaddr *)&unnamed, sizeof unnamed.sun_family) == 0);
    ends->to_length = sizeof ends->to;
    MUST(getsockname(fd, (struct sockaddr *)&ends->to, &ends->to_length) == 0);
    return fd;
}

/* Keeps TCP from making its buffers larger after they were full. */
static void fix_buffers(const struct scene *scene, int fd)
{
    int size = 16384;
    if (is(scene->kind, "tcp") && sends(scene) && !is(scene->when, "ready"))
        MUST(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0 &&
             setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
}

static int connected(const struct scene *scene, int type, const struct ends *ends)
{
    int fd = socket(family(scene), type | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    fix_buffers(scene, fd);
    MUST(connect(fd, (const struct sockaddr *)&ends->to, ends->to_length) == 0 || errno == EINPROGRESS || errno == EAGAIN);
    return fd;
}

/* Connects until the listener's queue takes no more. */
static void fill_queue(const struct scene *scene, struct ends *ends)
{
    struct pollfd entry = {.events = POLLOUT};
    do {
        MUST(ends->queued_count < (int)(sizeof ends->queued / sizeof ends->queued[0]));
        entry.fd = ends->queued[ends->queued_count++] = connected(scene, SOCK_STREAM | SOCK_NONBLOCK, ends);
    } while (poll(&entry, 1, 20) == 1 && entry.revents == POLLOUT);
}

/* Sends until there is no room, and none appears: TCP acknowledges after 40 ms. */
static void fill_socket(const struct scene *scene, struct ends *ends)
{
    static unsigned char bytes[4096];
    int datagram = is(scene->kind, "datagram"), tries = 0;
    size_t size = datagram ? 64 : sizeof bytes;
    int addressed = datagram && !is(scene->function, "send");
    while (tries < 60) {
        for (size_t i = 0; i < size; i++)
            bytes[i] = pattern(ends->filled + i);
        ssize_t sent = sendto(ends->socket, bytes, size, MSG_DONTWAIT, addressed ? (struct sockaddr *)&ends->to : NULL,
                              addressed ? ends->to_length : 0);
        if (sent >= 0) {
            ends->filled += (size_t)sent;
            tries = 0;
        } else {
            MUST(errno == EAGAIN);
            if (family(scene) == AF_UNIX)
                return;
            tries++;
            usleep(2000);
        }
    }
}

void set_up(const struct scene *scene, struct ends *ends)
{
    memset(ends, 0, sizeof *ends);
    MUST(pipe2(ends->begun, O_CLOEXEC) == 0 && pipe2(ends->ended, O_CLOEXEC) == 0 && pipe2(ends->left, O_CLOEXEC) == 0);
    if (is(scene->function, "accept")) {
        ends->socket = bound(scene, SOCK_STREAM, ends);
        MUST(listen(ends->socket, 8) == 0);
        ends->peer = -1;
    } else if (is(scene->function, "listen")) {
        ends->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ends->peer = -1;
    } else if (connects(scene)) {
        ends->peer = bound(scene, SOCK_STREAM, ends);
        MUST(listen(ends->peer, is(scene->when, "ready") ? 8 : 0) == 0);
        if (!is(scene->when, "ready"))
            fill_queue(scene, ends);
        ends->socket = socket(family(scene), SOCK_STREAM | SOCK_CLOEXEC, 0);
    } else if (is(scene->kind, "datagram")) {
        int receiver = bound(scene, SOCK_DGRAM, ends);
        int unconnected = sends(scene) && !is(scene->function, "send");
        int sender = unconnected ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : connected(scene, SOCK_DGRAM, ends);
        ends->socket = sends(scene) ? sender : receiver;
        ends->peer = sends(scene) ? receiver : sender;
    } else {
        int listening = bound(scene, SOCK_STREAM, ends);
        fix_buffers(scene, listening);
        MUST(listen(listening, 1) == 0);
        ends->socket = connected(scene, SOCK_STREAM, ends);
        ends->peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        MUST(ends->peer >= 0);
        close(listening);
    }
    MUST(ends->socket >= 0);
    if (sends(scene) && !is(scene->when, "ready"))
        fill_socket(scene, ends);
}
