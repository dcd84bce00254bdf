/* The call, and a look around after it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

#include "faults.h"

static const int UNTOUCHED = 4321; /* errno and a number that are left alone */
static const int MOMENT = 1000, SOON = 5000; /* milliseconds */

static int makes(const struct scene *scene)
{
    return is(scene->function, "accept") || dials(scene) || is(scene->function, "listen");
}

static int dial(const struct ends *ends, double seconds, int until)
{
    char port[8];
    snprintf(port, sizeof port, "%d", ntohs(((const struct sockaddr_in *)&ends->to)->sin_port));
    if (!until)
        return sock_dial("127.0.0.1", port, seconds);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return sock_dial_until("127.0.0.1", port, (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds, -1);
}

/* The call that is tried. */
static long call(const struct scene *scene, const struct ends *ends, unsigned char *bytes, struct report *report)
{
    int fd = ends->socket, datagram = is(scene->kind, "datagram");
    size_t length = length_of(scene);
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    const struct sockaddr *to = (const struct sockaddr *)&ends->to;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec parts[2] = {{bytes, length / 4}, {bytes + length / 4, length - length / 4}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    const char *function = scene->function;

    if (is(function, "send"))
        return sock_send(fd, bytes, length, 0);
    if (is(function, "sendto"))
        return sock_sendto(fd, bytes, length, 0, datagram ? to : NULL, datagram ? ends->to_length : 0);
    if (is(function, "sendmsg")) {
        if (datagram) {
            message.msg_name = (void *)&ends->to;
            message.msg_namelen = ends->to_length;
        } else if (is(scene->kind, "unix")) {
            message.msg_control = &control;
            message.msg_controllen = sizeof control;
            control.header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
            memcpy(CMSG_DATA(&control.header), &ends->begun[0], sizeof fd);
        }
        return sock_sendmsg(fd, &message, 0);
    }
    if (is(function, "sendall"))
        return sock_sendall(fd, bytes, length, 0, &report->count);
    if (is(function, "recv"))
        return sock_recv(fd, bytes, length, 0);
    if (is(function, "recvfrom"))
        return sock_recvfrom(fd, bytes, length, 0, (struct sockaddr *)&from, &from_length);
    if (is(function, "recvmsg"))
        return sock_recvmsg(fd, &message, 0);
    if (is(function, "recvall"))
        return sock_recvall(fd, bytes, length, 0, &report->count);
    if (is(function, "accept"))
        return sock_accept(fd, (struct sockaddr *)&from, &from_length);
    if (is(function, "connect"))
        return sock_connect(fd, to, ends->to_length);
    if (dials(scene))
        return dial(ends, scene->argument, is(function, "dial_until"));
    if (is(function, "listen"))
        return sock_listen("127.0.0.1", "0", 8);
    if (is(function, "wait"))
        return sock_wait(fd, POLLIN, scene->argument);
    if (is(function, "setblocking"))
        return sock_setblocking(fd, (int)scene->argument);
    if (is(function, "getblocking"))
        return sock_getblocking(fd);
    if (is(function, "settimeout"))
        return sock_settimeout(fd, scene->argument);
    if (is(function, "gettimeout"))
        return sock_gettimeout(fd, &report->value);
    if (is(function, "setinterrupt"))
        return sock_setinterrupt(fd, (int)scene->argument);
    if (is(function, "getinterrupt"))
        return sock_getinterrupt(fd);
    MUST(!"a function");
    return 0;
}

static void look_at_mode(int fd, struct report *report, int at)
{
    MUST(sock_gettimeout(fd, &report->timeout[at]) == 0);
    MUST((report->interrupt[at] = sock_getinterrupt(fd)) >= 0);
}

/* What is left of a stream or of messages, until their end. */
static void receive_rest(const struct scene *scene, int fd, struct report *report)
{
    static unsigned char bytes[65536];
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    /* Messages have no end: none is left when no more comes. */
    for (;;) {
        int all = report->count + report->rest >= 2 * length_of(scene);
        if (poll(&entry, 1, !is(scene->kind, "datagram") ? -1 : all ? 0 : MOMENT) != 1)
            return;
        ssize_t received = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        MUST(received >= 0);
        if (received == 0)
            return;
        for (ssize_t i = 0; i < received; i++)
            report->intact &= bytes[i] == pattern(report->count + report->rest + (size_t)i);
        report->rest += (size_t)received;
    }
}

static int is_close_on_exec(int fd)
{
    return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

/* Whether a new descriptor is as accept and listen make it. */
static int is_made_well(int fd)
{
    double seconds;
    MUST(sock_gettimeout(fd, &seconds) == 0);
    return seconds == LIBSOCK_FOREVER && sock_getinterrupt(fd) == 0 && is_close_on_exec(fd);
}

/* Whether a listener takes a connection. */
static int can_be_connected_to(int listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return getsockname(listener, (struct sockaddr *)&address, &length) == 0 &&
        connect(fd, (struct sockaddr *)&address, length) == 0 && accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

static void accept_rest(const struct ends *ends, struct report *report)
{
    if (report->code >= 0) {
        report->made_well = is_made_well((int)report->code);
        report->count = 1;
    }
    struct pollfd entry = {.fd = ends->socket, .events = POLLIN};
    MUST(fcntl(ends->socket, F_SETFL, O_NONBLOCK) == 0);
    while (report->count + report->rest < 2 && poll(&entry, 1, MOMENT) == 1)
        report->rest += accept4(ends->socket, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

void subject(const struct scene *scene, struct ends *ends, struct report *report)
{
    int fd = ends->socket, before;
    size_t length = length_of(scene);
    unsigned char *bytes = calloc(1, length + 1);
    MUST(bytes);
    for (size_t i = 0; i < length && sends(scene); i++)
        bytes[i] = pattern(ends->filled + i);
    report->value = UNTOUCHED;
    MUST(sock_settimeout(fd, scene->mode) == 0 && sock_setinterrupt(fd, scene->interrupt) == 0);
    if (is(scene->when, "ready") && (receives(scene) || is(scene->function, "accept"))) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        MUST(poll(&entry, 1, SOON) == 1);
    }
    before = descriptors();
    report->begun_at = nanoseconds();
    tell(ends->begun);

    errno = UNTOUCHED;
    mark();
    errno = UNTOUCHED;
    long long start = nanoseconds();
    long code = call(scene, ends, bytes, report);
    int error = errno;
    report->elapsed = nanoseconds() - start;
    mark();

    report->code = code;
    report->error = error == UNTOUCHED ? 0 : error;
    report->leaked = descriptors() - before - (makes(scene) && code >= 0);
    if ((sends(scene) || receives(scene)) && !strstr(scene->function, "all") && !is(scene->function, "wait"))
        report->count = code > 0 ? (size_t)code : 0;
    look_at_mode(dials(scene) && code >= 0 ? (int)code : fd, report, 0);
    tell(ends->ended);

    if (receives(scene)) {
        for (size_t i = 0; i < report->count; i++)
            report->intact &= bytes[i] == pattern(i);
        receive_rest(scene, fd, report);
    } else if (is(scene->function, "accept")) {
        accept_rest(ends, report);
    } else if (is(scene->function, "connect")) {
        /* An attempt that did not end is taken up again, and one that failed can be made again. */
        MUST(sock_settimeout(fd, SOON / 1e3) == 0);
        report->again = code == 0 ? 0 : sock_connect(fd, (struct sockaddr *)&ends->to, ends->to_length);
        sock_send(fd, "x", 1, 0);
    } else if (dials(scene)) {
        report->made_well = code < 0 || is_close_on_exec((int)code);
        int connection = code < 0 ? dial(ends, SOON / 1e3, 0) : (int)code;
        report->again = connection < 0 ? connection : 0;
        sock_send(connection, "x", 1, 0);
    } else if (is(scene->function, "listen")) {
        report->made_well = code < 0 || is_made_well((int)code);
        int listener = code < 0 ? sock_listen("127.0.0.1", "0", 8) : (int)code;
        report->again = listener < 0 ? listener : 0;
        report->arrived = (size_t)can_be_connected_to(listener);
    } else if (!sends(scene)) {
        /* Nothing of what failed may come back later. */
        int interrupt = report->interrupt[0];
        MUST(sock_setinterrupt(fd, !interrupt) == 0 && sock_setinterrupt(fd, interrupt) == 0);
        look_at_mode(fd, report, 1);
    }
    tell(ends->left);
}
