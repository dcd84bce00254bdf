/* The sockets of a scene, before the call. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sock.h>

#include "faults.h"

static int family(const struct scene *scene)
{
    return is(scene->kind, "tcp") || is(scene->kind, "udp") ? AF_INET : AF_UNIX;
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

void set_up(const struct scene *scene, struct ends *ends)
{
    memset(ends, 0, sizeof *ends);
    ends->to_length = sizeof ends->to;
    MUST(pipe2(ends->begun, O_CLOEXEC) == 0 && pipe2(ends->ended, O_CLOEXEC) == 0 && pipe2(ends->left, O_CLOEXEC) == 0);
    MUST((ends->token = sock_token()) >= 0);
    if (is(scene->function, "accept")) {
        ends->socket = listening(family(scene), 8, &ends->to, &ends->to_length);
        ends->peer = -1;
    } else if (is(scene->function, "listen") || is(scene->function, "token") || is(scene->function, "cancel")) {
        ends->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ends->peer = -1;
    } else if (connects(scene)) {
        ends->peer = listening(family(scene), is(scene->when, "ready") ? 8 : 0, &ends->to, &ends->to_length);
        if (!is(scene->when, "ready"))
            ends->queued_count = fill_queue(&ends->to, ends->to_length, ends->queued, sizeof ends->queued / sizeof ends->queued[0]);
        ends->socket = socket(family(scene), SOCK_STREAM | SOCK_CLOEXEC, 0);
    } else if (has_messages(scene)) {
        int receiver = bound(family(scene), SOCK_DGRAM, &ends->to, &ends->to_length);
        int unconnected = sends(scene) && !is(scene->function, "send");
        int sender = unconnected ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : connected(scene, SOCK_DGRAM, ends);
        ends->socket = sends(scene) ? sender : receiver;
        ends->peer = sends(scene) ? receiver : sender;
    } else {
        int listener = bound(family(scene), SOCK_STREAM, &ends->to, &ends->to_length);
        fix_buffers(scene, listener);
        MUST(listen(listener, 1) == 0);
        ends->socket = connected(scene, SOCK_STREAM, ends);
        ends->peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        MUST(ends->peer >= 0);
        close(listener);
    }
    MUST(ends->socket >= 0);
    if (sends(scene) && !is(scene->when, "ready")) {
        int datagram = has_messages(scene), addressed = datagram && !is(scene->function, "send");
        ends->filled = fill_socket(ends->socket, datagram ? 64 : 4096, addressed ? &ends->to : NULL, addressed ? ends->to_length : 0);
    }
}
