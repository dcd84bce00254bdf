/*
 * One call of the library between two marks in the trace of this thread's system calls.
 *
 *   calls MODE OPERATION KIND WHEN LENGTH
 *   calls modes
 *
 * MODE is the seconds of sock_settimeout, OPERATION is recv, accept, sendto, ..., KIND is unix, tcp or datagram.
 * WHEN is "ready", "late" (another thread makes the socket ready once this one sleeps) or "never" (and
 * it must not wait). LENGTH is that of the buffer. The second form goes from each mode to each other, and in each
 * makes the calls that never wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

#define MUST(condition) ((condition) ? (void)0 : give_up(#condition, __LINE__))

static void give_up(const char *what, int line)
{
    fprintf(stderr, "calls.c:%d: %s: %s\n", line, what, strerror(errno));
    exit(1);
}

static const char *operation, *kind, *when;
static double mode;
static size_t length;

static int socket_, peer;             /* the socket that is measured, and what makes it ready */
static struct sockaddr_storage to;    /* where a datagram or a connection goes */
static socklen_t to_length;
static char *buffer;
static pid_t measured;
static atomic_int begun;

static int is(const char *word, const char *what)
{
    return strcmp(word, what) == 0;
}

static int family(void)
{
    return is(kind, "tcp") ? AF_INET : AF_UNIX;
}

static int receives(void)
{
    return strncmp(operation, "recv", 4) == 0 || is(operation, "wait");
}

/* A socket with an address that the kernel chose. */
static int bound(int type)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
    int fd = socket(family(), type, 0);
    MUST(fd >= 0);
    if (family() == AF_INET)
        MUST(bind(fd, (struct sockaddr *)&any, sizeof any) == 0);
    else
        MUST(bind(fd, (struct sockaddr *)&unnamed, sizeof unnamed.sun_family) == 0);
    to_length = sizeof to;
    MUST(getsockname(fd, (struct sockaddr *)&to, &to_length) == 0);
    return fd;
}

static int listener(int backlog)
{
    int fd = bound(SOCK_STREAM);
    MUST(listen(fd, backlog) == 0);
    return fd;
}

static int connected(int flags)
{
    int fd = socket(family(), SOCK_STREAM | flags, 0);
    MUST(fd >= 0);
    MUST(connect(fd, (struct sockaddr *)&to, to_length) == 0 || errno == EINPROGRESS || errno == EAGAIN);
    return fd;
}

static int writable_within(int fd, int milliseconds)
{
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    return poll(&entry, 1, milliseconds) == 1 && entry.revents == POLLOUT;
}

/* Connects until the listener's queue takes no more. */
static void fill_queue(void)
{
    while (writable_within(connected(SOCK_NONBLOCK), 100))
        ;
}

/* Sends until there is no room, and none appears: TCP takes a moment to move what was sent. */
static void fill_socket(void)
{
    static const char junk[4096];
    size_t size = is(kind, "datagram") ? 64 : sizeof junk;
    int tries = 0;
    while (tries < 20) {
        if (sendto(socket_, junk, size, MSG_DONTWAIT, is(kind, "datagram") ? (struct sockaddr *)&to : NULL,
                   is(kind, "datagram") ? to_length : 0) >= 0) {
            tries = 0;
        } else {
            MUST(errno == EAGAIN);
            tries++;
            usleep(2000);
        }
    }
}

static void drain(void)
{
    static char junk[65536];
    struct pollfd entry = {.fd = peer, .events = POLLIN};
    while (poll(&entry, 1, 100) == 1)
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
        connected(0);
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
    char path[64], text[256], *state;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)measured);
    while (!begun)
        usleep(1000);
    do {
        usleep(1000);
        FILE *file = fopen(path, "r");
        MUST(file && fgets(text, sizeof text, file));
        fclose(file);
        state = strrchr(text, ')');
    } while (!state || state[2] != 'S');
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
        peer = listener(is(when, "ready") || family() == AF_INET ? 8 : 0);
        if (is(when, "late") && family() == AF_INET)
            MUST(listen(peer, 0) == 0);
        if (!is(when, "ready") && (is(when, "late") || family() == AF_UNIX))
            fill_queue();
        socket_ = socket(family(), SOCK_STREAM, 0);
        MUST(socket_ >= 0);
    } else if (is(kind, "datagram")) {
        /* An address in each call is for a socket that is not connected. */
        int receiver = bound(SOCK_DGRAM);
        int sender = socket(AF_UNIX, SOCK_DGRAM, 0);
        MUST(sender >= 0);
        if (receives() || is(operation, "send"))
            MUST(connect(sender, (struct sockaddr *)&to, to_length) == 0);
        socket_ = receives() ? receiver : sender;
        peer = receives() ? sender : receiver;
    } else {
        int listening = listener(1);
        socket_ = connected(0);
        peer = accept(listening, NULL, NULL);
        MUST(peer >= 0);
    }
    if (strncmp(operation, "send", 4) == 0 && !is(when, "ready"))
        fill_socket();
}

static ssize_t measure(void)
{
    struct sockaddr_storage address;
    socklen_t address_length = sizeof address;
    struct iovec part = {buffer, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    const struct sockaddr *name = is(kind, "datagram") ? (struct sockaddr *)&to : NULL;
    socklen_t name_length = is(kind, "datagram") ? to_length : 0;

    if (is(operation, "recv"))
        return sock_recv(socket_, buffer, length, 0);
    if (is(operation, "recvfrom"))
        return sock_recvfrom(socket_, buffer, length, 0, (struct sockaddr *)&address, &address_length);
    if (is(operation, "recvmsg"))
        return sock_recvmsg(socket_, &message, 0);
    if (is(operation, "recvall"))
        return sock_recvall(socket_, buffer, length, 0, NULL);
    if (is(operation, "sendall"))
        return sock_sendall(socket_, buffer, length, 0, NULL);
    if (is(operation, "wait"))
        return sock_wait(socket_, POLLIN, mode);
    if (is(operation, "accept"))
        return sock_accept(socket_, (struct sockaddr *)&address, &address_length);
    if (is(operation, "connect"))
        return sock_connect(socket_, (struct sockaddr *)&to, to_length);
    if (is(operation, "send"))
        return sock_send(socket_, buffer, length, 0);
    if (is(operation, "sendto"))
        return sock_sendto(socket_, buffer, length, 0, name, name_length);
    if (is(operation, "sendmsg")) {
        message.msg_name = (void *)name;
        message.msg_namelen = name_length;
        return sock_sendmsg(socket_, &message, 0);
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
        struct pollfd entry = {.fd = socket_, .events = POLLIN};
        make_ready();
        MUST(poll(&entry, 1, 5000) == 1);
    } else if (is(when, "ready") && mode < 1 && family() == AF_INET && is(operation, "connect")) {
        /* A connection that is not waited for is never made at once there; the second call finds it made. */
        MUST(connect(socket_, (struct sockaddr *)&to, to_length) == -1 && errno == EINPROGRESS);
        MUST(writable_within(socket_, 5000));
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
