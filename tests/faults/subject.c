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
enum { DELIMITER = 16, BEYOND = 32 }; /* bytes: of a delimiter, and of what a line's buffer can hold beyond it */

static int makes(const struct scene *scene)
{
    return is(scene->function, "accept") || is(scene->function, "dial") || is(scene->function, "listen") ||
        is(scene->function, "token");
}

static double deadline_after(double seconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds;
}

static int dial(const struct ends *ends, double seconds, int until)
{
    char port[8];
    snprintf(port, sizeof port, "%d", ntohs(((const struct sockaddr_in *)&ends->to)->sin_port));
    return until ? sock_dial_until("127.0.0.1", port, deadline_after(seconds), ends->token) : sock_dial("127.0.0.1", port, seconds);
}

/* The call that is tried. What is received into has room for more than the scene's length. */
static long call(const struct scene *scene, const struct ends *ends, unsigned char *bytes, struct report *report)
{
    int fd = ends->socket, token = ends->token, until = scene->until, datagram = has_messages(scene);
    double limit = until ? deadline_after(scene->limit) : scene->limit;
    size_t length = length_of(scene);
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    struct sockaddr *peer = (struct sockaddr *)&from;
    const struct sockaddr *to = datagram ? (const struct sockaddr *)&ends->to : NULL;
    socklen_t to_length = datagram ? ends->to_length : 0;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec parts[2] = {{bytes, length / 4}, {bytes + length / 4, length - length / 4}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    const char *function = scene->function;

    if (is(function, "send"))
        return until ? sock_send_until(fd, bytes, length, 0, limit, token) : sock_send(fd, bytes, length, 0);
    if (is(function, "sendto"))
        return until ? sock_sendto_until(fd, bytes, length, 0, to, to_length, limit, token)
                     : sock_sendto(fd, bytes, length, 0, to, to_length);
    if (is(function, "sendmsg")) {
        message.msg_name = (void *)to;
        message.msg_namelen = to_length;
        if (is(scene->kind, "unix")) {
            message.msg_control = &control;
            message.msg_controllen = sizeof control;
            control.header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
            memcpy(CMSG_DATA(&control.header), &ends->begun[0], sizeof fd);
        }
        return until ? sock_sendmsg_until(fd, &message, 0, limit, token) : sock_sendmsg(fd, &message, 0);
    }
    if (is(function, "sendall"))
        return until ? sock_sendall_until(fd, bytes, length, 0, &report->count, limit, token)
                     : sock_sendall(fd, bytes, length, 0, &report->count);
    if (is(function, "recv"))
        return until ? sock_recv_until(fd, bytes, length, 0, limit, token) : sock_recv(fd, bytes, length, 0);
    if (is(function, "recvfrom"))
        return until ? sock_recvfrom_until(fd, bytes, length, 0, peer, &from_length, limit, token)
                     : sock_recvfrom(fd, bytes, length, 0, peer, &from_length);
    if (is(function, "recvmsg"))
        return until ? sock_recvmsg_until(fd, &message, 0, limit, token) : sock_recvmsg(fd, &message, 0);
    if (is(function, "recvall"))
        return until ? sock_recvall_until(fd, bytes, length, 0, &report->count, limit, token)
                     : sock_recvall(fd, bytes, length, 0, &report->count);
    if (is(function, "recvdelim")) {
        unsigned char delimiter[DELIMITER];
        for (size_t i = 0; i < DELIMITER; i++)
            delimiter[i] = pattern(length - DELIMITER + i);
        return until ? sock_recvdelim_until(fd, bytes, length + BEYOND, &report->count, delimiter, DELIMITER, limit, token)
                     : sock_recvdelim(fd, bytes, length + BEYOND, &report->count, delimiter, DELIMITER);
    }
    if (is(function, "accept"))
        return until ? sock_accept_until(fd, peer, &from_length, limit, token) : sock_accept(fd, peer, &from_length);
    if (is(function, "connect")) {
        to = (const struct sockaddr *)&ends->to;
        return until ? sock_connect_until(fd, to, ends->to_length, limit, token) : sock_connect(fd, to, ends->to_length);
    }
    if (is(function, "dial"))
        return dial(ends, scene->limit, until);
    if (is(function, "listen"))
        return sock_listen("127.0.0.1", "0", 8);
    if (is(function, "wait"))
        return until ? sock_wait_until(fd, POLLIN, limit, token) : sock_wait(fd, POLLIN, limit);
    if (is(function, "token"))
        return sock_token();
    if (is(function, "cancel"))
        return sock_cancel(token);
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
        if (poll(&entry, 1, !has_messages(scene) ? -1 : all ? 0 : MOMENT) != 1)
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

static int is_cancelled(int token)
{
    return poll_one(token, POLLIN, 0) == POLLIN;
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
    unsigned char *bytes = calloc(1, length + BEYOND);
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
    int counts = strstr(scene->function, "all") || is(scene->function, "recvdelim");
    if ((sends(scene) || receives(scene)) && !counts && !is(scene->function, "wait"))
        report->count = code > 0 ? (size_t)code : 0;
    look_at_mode(is(scene->function, "dial") && code >= 0 ? (int)code : fd, report, 0);
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
    } else if (is(scene->function, "dial")) {
        report->made_well = code < 0 || is_close_on_exec((int)code);
        int connection = code < 0 ? dial(ends, SOON / 1e3, 0) : (int)code;
        report->again = connection < 0 ? connection : 0;
        sock_send(connection, "x", 1, 0);
    } else if (is(scene->function, "listen")) {
        report->made_well = code < 0 || is_made_well((int)code);
        int listener = code < 0 ? sock_listen("127.0.0.1", "0", 8) : (int)code;
        report->again = listener < 0 ? listener : 0;
        report->arrived = (size_t)can_be_connected_to(listener);
    } else if (is(scene->function, "token")) {
        report->made_well = code < 0 || (is_close_on_exec((int)code) && fcntl((int)code, F_GETFL) & O_NONBLOCK && !is_cancelled((int)code));
        int token = code < 0 ? sock_token() : (int)code;
        report->again = token < 0 ? token : 0;
        report->arrived = sock_cancel(token) == 0 && is_cancelled(token);
    } else if (is(scene->function, "cancel")) {
        report->again = code == 0 ? 0 : sock_cancel(ends->token);
        report->arrived = (size_t)is_cancelled(ends->token);
    } else if (!sends(scene)) {
        /* Nothing of what failed may come back later. */
        int interrupt = report->interrupt[0];
        MUST(sock_setinterrupt(fd, !interrupt) == 0 && sock_setinterrupt(fd, interrupt) == 0);
        look_at_mode(fd, report, 1);
    }
    tell(ends->left);
}
