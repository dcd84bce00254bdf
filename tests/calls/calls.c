/*
 * One call of the library between two marks in the trace of this thread's system calls.
 *
 *   calls MODE OPERATION KIND WHEN LENGTH
 *   calls modes
 *
 * It makes the call. How many system calls are allowed is in the function allowed() of the suite.
 *
 * MODE is the seconds of sock_settimeout, or until the deadline. OPERATION is recv, accept_until, sendto, ...; KIND is unix, tcp
 * or datagram.
 * WHEN is "ready", "late" (another thread makes the socket ready once this one sleeps) or "never" (and
 * it must not wait). LENGTH is that of the buffer. The second form goes from each mode to each other, and in each
 * makes the calls that never wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

static const char *operation, *kind, *when;
static int until;                     /* The function is the one with a deadline. */
static double mode;
static size_t length;

static int socket_, peer;             /* the socket that is measured, and what makes it ready */
static struct sockaddr_storage to;    /* where a datagram or a connection goes */
static socklen_t to_length;
static char *buffer;
static pid_t measured;
static atomic_int begun;

static int family(void)
{
    return is(kind, "tcp") ? AF_INET : AF_UNIX;
}

static int listener(int backlog)
{
    to_length = sizeof to;
    return listening(family(), backlog, &to, &to_length);
}

static int receives(void)
{
    return strncmp(operation, "recv", 4) == 0 || is(operation, "wait");
}

static void drain(void)
{
    static char junk[65536];
    while (poll_one(peer, POLLIN, 10000))
        MUST(recv(peer, junk, sizeof junk, 0) > 0);
}

static void feed(size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(peer, buffer + length, bytes < 65536 ? bytes : 65536, 0);
        MUST(sent > 0);
        bytes -= (size_t)sent;
    }
}

static void make_ready(void)
{
    if (receives()) {
        feed(is(operation, "recvall") ? length : 64);
    } else if (is(operation, "accept")) {
        connecting(&to, to_length, 0);
    } else if (is(operation, "connect")) {
        for (;;)
            accept(peer, NULL, NULL);
    } else {
        drain();
    }
}

/* Waits until the measured thread sleeps in its call, and a little more. */
static void await_sleep(void)
{
    while (!begun)
        usleep(1000);
    do
        usleep(1000);
    while (!is_asleep(measured));
    usleep(20000);
}

static void *helper(void *unused)
{
    if (is(when, "late"))
        await_sleep();
    make_ready();
    return unused;
}

static void set_up(void)
{
    if (is(operation, "accept")) {
        socket_ = listener(8);
    } else if (is(operation, "connect")) {
        int queued[8];
        peer = listener(is(when, "ready") || family() == AF_INET ? 8 : 0);
        if (is(when, "late") && family() == AF_INET)
            MUST(listen(peer, 0) == 0);
        if (!is(when, "ready") && (is(when, "late") || family() == AF_UNIX))
            fill_queue(&to, to_length, queued, sizeof queued / sizeof queued[0]);
        socket_ = socket(family(), SOCK_STREAM, 0);
        MUST(socket_ >= 0);
    } else if (is(kind, "datagram")) {
        /* An address in each call is for a socket that is not connected. */
        to_length = sizeof to;
        int receiver = bound(AF_UNIX, SOCK_DGRAM, &to, &to_length);
        int sender = socket(AF_UNIX, SOCK_DGRAM, 0);
        MUST(sender >= 0);
        if (receives() || is(operation, "send"))
            MUST(connect(sender, (struct sockaddr *)&to, to_length) == 0);
        socket_ = receives() ? receiver : sender;
        peer = receives() ? sender : receiver;
    } else {
        int one = listener(1);
        socket_ = connecting(&to, to_length, 0);
        peer = accept(one, NULL, NULL);
        MUST(peer >= 0);
    }
    if (strncmp(operation, "send", 4) == 0 && !is(when, "ready")) {
        if (is(kind, "datagram"))
            fill_socket(socket_, 64, &to, to_length);
        else
            fill_socket(socket_, 4096, NULL, 0);
    }
}

static ssize_t measure(void)
{
    struct sockaddr_storage address;
    socklen_t address_length = sizeof address;
    struct iovec part = {buffer, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    const struct sockaddr *name = is(kind, "datagram") ? (struct sockaddr *)&to : NULL;
    socklen_t name_length = is(kind, "datagram") ? to_length : 0;
    double deadline = sock_deadline(mode);

    if (is(operation, "recv"))
        return until ? sock_recv_until(socket_, buffer, length, 0, deadline, -1)
                     : sock_recv(socket_, buffer, length, 0);
    if (is(operation, "recvfrom"))
        return until ? sock_recvfrom_until(socket_, buffer, length, 0, (struct sockaddr *)&address, &address_length, deadline, -1)
                     : sock_recvfrom(socket_, buffer, length, 0, (struct sockaddr *)&address, &address_length);
    if (is(operation, "recvmsg"))
        return until ? sock_recvmsg_until(socket_, &message, 0, deadline, -1)
                     : sock_recvmsg(socket_, &message, 0);
    if (is(operation, "recvall"))
        return until ? sock_recvall_until(socket_, buffer, length, 0, NULL, deadline, -1)
                     : sock_recvall(socket_, buffer, length, 0, NULL);
    if (is(operation, "recvdelim")) { /* what is fed are zeros */
        size_t have = 0;
        return until ? sock_recvdelim_until(socket_, buffer, length, &have, "", 1, deadline, -1)
                     : sock_recvdelim(socket_, buffer, length, &have, "", 1);
    }
    if (is(operation, "sendall"))
        return until ? sock_sendall_until(socket_, buffer, length, 0, NULL, deadline, -1)
                     : sock_sendall(socket_, buffer, length, 0, NULL);
    if (is(operation, "wait"))
        return until ? sock_wait_until(socket_, POLLIN, deadline, -1)
                     : sock_wait(socket_, POLLIN, mode);
    if (is(operation, "accept"))
        return until ? sock_accept_until(socket_, (struct sockaddr *)&address, &address_length, deadline, -1)
                     : sock_accept(socket_, (struct sockaddr *)&address, &address_length);
    if (is(operation, "connect"))
        return until ? sock_connect_until(socket_, (struct sockaddr *)&to, to_length, deadline, -1)
                     : sock_connect(socket_, (struct sockaddr *)&to, to_length);
    if (is(operation, "send"))
        return until ? sock_send_until(socket_, buffer, length, 0, deadline, -1)
                     : sock_send(socket_, buffer, length, 0);
    if (is(operation, "sendto"))
        return until ? sock_sendto_until(socket_, buffer, length, 0, name, name_length, deadline, -1)
                     : sock_sendto(socket_, buffer, length, 0, name, name_length);
    if (is(operation, "sendmsg")) {
        message.msg_name = (void *)name;
        message.msg_namelen = name_length;
        return until ? sock_sendmsg_until(socket_, &message, 0, deadline, -1)
                     : sock_sendmsg(socket_, &message, 0);
    }
    MUST(!"an operation");
    return -1;
}

static void mark(const char *name)
{
    syscall(SYS_write, -1, name, strlen(name));
}

/* A socket in a mode, and the mark of a call on it. */
static int socket_for(const char *call, double seconds, int interrupt)
{
    char name[96];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(sock_setinterrupt(fd, interrupt) == 0 && sock_settimeout(fd, seconds) == 0);
    snprintf(name, sizeof name, "%s in %g%s", call, seconds, interrupt ? " interruptible" : "");
    mark(name);
    return fd;
}

static void end(int fd, int succeeded)
{
    mark("end");
    MUST(succeeded);
    close(fd);
}

static void call_in_modes(void)
{
    static const double modes[] = {INFINITY, 0, 1e-3, 5e-3, 5, 3600};
    static const size_t count = sizeof modes / sizeof modes[0];
    for (int interrupt = 0; interrupt <= 1; interrupt++)
        for (const double *in = modes; in < modes + count; in++) {
            double seconds;
            int fd;
            for (const double *next = modes; next < modes + count; next++) {
                char name[32];
                snprintf(name, sizeof name, "settimeout to %g", *next);
                fd = socket_for(name, *in, interrupt);
                end(fd, sock_settimeout(fd, *next) == 0);
            }
            fd = socket_for("setblocking to 0", *in, interrupt);
            end(fd, sock_setblocking(fd, 0) == 0);
            fd = socket_for("setblocking to 1", *in, interrupt);
            end(fd, sock_setblocking(fd, 1) == 0);
            fd = socket_for("setinterrupt", *in, interrupt);
            end(fd, sock_setinterrupt(fd, !interrupt) == 0);
            fd = socket_for("getblocking", *in, interrupt);
            end(fd, sock_getblocking(fd) == (*in != 0));
            fd = socket_for("gettimeout", *in, interrupt);
            end(fd, sock_gettimeout(fd, &seconds) == 0 && seconds == *in);
            fd = socket_for("getinterrupt", *in, interrupt);
            end(fd, sock_getinterrupt(fd) == interrupt);
        }
    static const struct { const char *name; int family; } kinds[] = {{"unix", AF_UNIX}, {"tcp", AF_INET}};
    for (int kind_ = 0; kind_ < 2; kind_++) {
        char name[32];
        int fd = socket(kinds[kind_].family, SOCK_STREAM, 0);
        MUST(sock_settimeout(fd, 5) == 0);
        snprintf(name, sizeof name, "settimeout changed on %s", kinds[kind_].name);
        mark(name);
        MUST(sock_settimeout(fd, 3600) == 0);
        snprintf(name, sizeof name, "settimeout unchanged on %s", kinds[kind_].name);
        mark(name);
        end(fd, sock_settimeout(fd, 3600) == 0);
    }
    struct sockaddr_storage address;
    socklen_t address_length = sizeof address;
    char host[64];
    mark("deadline");
    MUST(sock_deadline(5) > 5);
    mark("token");
    int token = sock_token();
    mark("cancel");
    MUST(token >= 0 && sock_cancel(token) == 0);
    char line[] = "one\ntwo\n";
    size_t have = 8;
    mark("line that is there");
    MUST(sock_recvdelim(-2, line, 8, &have, "\n", 1) == -EBADF && sock_recvdelim(0, line, 8, &have, "\n", 1) == 4);
    mark("line that is there, with limits");
    MUST(sock_recvdelim_until(0, line, 8, &have, "\n", 1, 0, token) == 4);
    mark("end");
    int ends[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && send(ends[1], "answer\n", 7, 0) == 7);
    char answer[64];
    have = 0;
    mark("question and answer");
    double deadline = sock_deadline(5);
    MUST(sock_sendall_until(ends[0], "question\n", 9, 0, NULL, deadline, token) == 0);
    MUST(sock_recvdelim_until(ends[0], answer, sizeof answer, &have, "\n", 1, deadline, token) == 7);
    mark("address");
    MUST(sock_address("127.0.0.1", "80", &address, &address_length) == 0);
    mark("name");
    MUST(sock_name((struct sockaddr *)&address, address_length, host, sizeof host) == 80);
    mark("strerror");
    MUST(sock_strerror(-EAGAIN)[0] != '\0');
    mark("version");
    MUST(sock_version()[0] != '\0');
    mark("end");
}

int main(int argc, char **argv)
{
    if (argc == 2 && is(argv[1], "modes")) {
        call_in_modes();
        return 0;
    }
    MUST(argc == 6);
    mode = strtod(argv[1], NULL);
    operation = argv[2];
    char *suffix = strstr(argv[2], "_until");
    if (suffix) {
        *suffix = '\0';
        until = 1;
    }
    kind = argv[3];
    when = argv[4];
    length = strtoul(argv[5], NULL, 10);
    buffer = calloc(2, length < 65536 ? 65536 : length);
    MUST(buffer);
    measured = (pid_t)syscall(SYS_gettid);
    set_up();
    MUST(sock_settimeout(socket_, mode) == 0);

    pthread_t thread;
    int feeds = strncmp(operation, "send", 4) != 0 && !is(operation, "connect");
    if (is(when, "late") || (is(when, "ready") && is(operation, "recvall"))) {
        MUST(pthread_create(&thread, NULL, helper, NULL) == 0);
    } else if (is(when, "ready") && feeds) {
        make_ready();
        MUST(poll_one(socket_, POLLIN, 5000));
    } else if (is(when, "ready") && mode < 1 && family() == AF_INET && is(operation, "connect")) {
        /* A connection that is not waited for is never made at once there; the second call finds it made. */
        MUST(connect(socket_, (struct sockaddr *)&to, to_length) == -1 && errno == EINPROGRESS);
        MUST(poll_one(socket_, POLLOUT, 5000) == POLLOUT);
    }
    begun = 1;
    mark("begin");
    ssize_t result = measure();
    mark("end");
    if (is(when, "never"))
        MUST(result == -EAGAIN || (is(operation, "connect") && result == -EINPROGRESS));
    else
        MUST(result >= 0);
    return 0;
}
