#define _GNU_SOURCE
#include "all_functions.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

enum { SMALL = 64, LARGE = 256 << 10, UNTOUCHED = 4000 };
#define DONE LONG_MAX
enum kind { UNIX, TCP, UNIX_MESSAGES, UDP, KINDS };

/* Blocking; long, and waited for in vain never; with a share of the kernel's; polled; non-blocking. */
const double modes[MODES] = {INFINITY, 30, 0.03, 0.001, 0};

/* The judge of every call: DONE is any success, another value the very one. */

static void prepare(struct room *room)
{
    room->begun = now();
    if (room->before)
        room->before(room);
    errno = UNTOUCHED;
}

static long judge(struct room *room, const char *call, int line, long result, long wanted)
{
    int error = errno;
    if (room->after)
        room->after(room);
    room->checks++;
    if (result >= 0 && now() - room->begun > 15) {
        dprintf(2, "%s with %g s: line %d: %s took %g s\n", room->function, room->seconds, line, call, now() - room->begun);
        _exit(1);
    }
    if (wanted == DONE ? result < 0 : result != wanted) {
        dprintf(2, "%s with %g s: line %d: %s is %ld, not %ld\n", room->function, room->seconds, line, call, result, wanted);
        _exit(1);
    }
    if (error != (result < 0 ? (int)-result : UNTOUCHED)) {
        dprintf(2, "%s with %g s: line %d: %s is %ld, but errno is %d\n", room->function, room->seconds, line, call, result,
                error);
        _exit(1);
    }
    return result;
}

#define EXPECT(call, wanted) (prepare(room), judge(room, #call, __LINE__, (long)(call), (long)(wanted)))

static void check(struct room *room, int holds, const char *what)
{
    room->checks++;
    if (!holds) {
        dprintf(2, "%s with %g s: %s\n", room->function, room->seconds, what);
        _exit(1);
    }
}

int is_rebuilt(double told, double mode)
{
    return told == mode || (mode > 0 && told >= mode && told <= mode * 1.05 + 0.02);
}

static void check_timeout(struct room *room, double mode, const char *what)
{
    double told = *room->told;
    room->checks++;
    if (room->others ? !is_rebuilt(told, mode) : told != mode) {
        dprintf(2, "%s with %g s: %s: %.9f s, not %g s\n", room->function, room->seconds, what, told, mode);
        _exit(1);
    }
}

static void check_received(struct room *room, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)room->into[i] != pattern(i))
            check(room, 0, "the bytes received are not those sent");
    memset(room->into, 0, len);
}

/* The peer. */

enum action { WRITE, READ, CONNECT, ACCEPT };

struct order {
    enum action action;
    size_t len;
    struct sockaddr_storage addr;
    socklen_t addrlen;
};

static int orders;

static void carry_out(const struct order *order, int fd)
{
    static char bytes[LARGE];
    nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    switch (order->action) {
    case WRITE:
        for (size_t i = 0; i < order->len; i++)
            bytes[i] = (char)pattern(i);
        for (size_t at = 0; at < order->len; at += order->len / 2) {
            send(fd, bytes + at, order->len / 2, MSG_NOSIGNAL); /* One that only waited may be gone. */
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        break;
    case READ:
        for (size_t got = 0; got < order->len;)
            got += (size_t)must((int)recv(fd, bytes, sizeof bytes, 0), "recv of the peer");
        break;
    case CONNECT:
        must(connect(fd, (const struct sockaddr *)&order->addr, order->addrlen), "connect of the peer");
        break;
    case ACCEPT:
        must(accept(fd, NULL, NULL), "accept of the peer");
        break;
    }
}

void start_peer(void)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    orders = ends[0];
    if (must(fork(), "fork") != 0) {
        close(ends[1]);
        return;
    }
    close(ends[0]);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        struct order order;
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = {&order, sizeof order};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        if (must((int)recvmsg(ends[1], &message, 0), "an order") == 0)
            _exit(0);
        int fd;
        memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
        if (must(fork(), "fork of the peer") == 0) {
            carry_out(&order, fd);
            _exit(0);
        }
        close(fd);
    }
}

static void later_with(int fd, const struct order *order)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    struct iovec iov = {(void *)order, sizeof *order};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t sent;
    do
        sent = sendmsg(orders, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    must((int)sent, "order to the peer");
}

static void later(int fd, enum action action, size_t len)
{
    struct order order = {.action = action, .len = len};
    later_with(fd, &order);
}

/* Sockets. */

static int is_stream(enum kind kind)
{
    return kind == UNIX || kind == TCP;
}

static int family(enum kind kind)
{
    return kind == UNIX || kind == UNIX_MESSAGES ? AF_UNIX : AF_INET;
}

static int make(enum kind kind)
{
    return must(socket(family(kind), (is_stream(kind) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0), "socket");
}

static void own_address(struct room *room, int fd)
{
    *room->addrlen = sizeof *room->addr;
    must(getsockname(fd, (struct sockaddr *)room->addr, room->addrlen), "getsockname");
}

/* A socket bound to an address of the kernel's choice, which it leaves in the room. */
static int bound_in(struct room *room, enum kind kind)
{
    *room->addrlen = sizeof *room->addr;
    return bound(family(kind), is_stream(kind) ? SOCK_STREAM : SOCK_DGRAM, room->addr, room->addrlen);
}

static int listening_in(struct room *room, enum kind kind, int backlog)
{
    *room->addrlen = sizeof *room->addr;
    return listening(family(kind), backlog, room->addr, room->addrlen);
}

static int plain_connect(struct room *room, int fd)
{
    int result;
    do
        result = connect(fd, (struct sockaddr *)room->addr, *room->addrlen);
    while (result < 0 && errno == EINTR);
    if (result < 0 && errno == EISCONN)
        return 0;
    return result;
}

static void set_mode(struct room *room, int fd)
{
    EXPECT(sock_settimeout(fd, room->seconds), 0);
    EXPECT(sock_setinterrupt(fd, room->interrupt), 0);
}

/* Two connected sockets, of which the first has the mode. */
static void connected(struct room *room, enum kind kind, int ends[2])
{
    if (kind == UNIX || kind == UNIX_MESSAGES) {
        int type = kind == UNIX ? SOCK_STREAM : SOCK_DGRAM;
        must(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), "socketpair");
    } else if (kind == TCP) {
        int listener = listening_in(room, TCP, 1), small = 16 << 10;
        must(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), "SO_RCVBUF");
        ends[0] = make(TCP);
        must(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), "SO_SNDBUF");
        must(plain_connect(room, ends[0]), "connect");
        do
            ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        while (ends[1] < 0 && errno == EINTR);
        must(ends[1], "accept");
        close(listener);
    } else {
        ends[0] = bound_in(room, UDP);
        ends[1] = bound_in(room, UDP);
        must(plain_connect(room, ends[0]), "connect");
        own_address(room, ends[0]);
        must(plain_connect(room, ends[1]), "connect");
    }
    set_mode(room, ends[0]);
}

static void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* What an operation that is not ready gives; it is not to end before the time is up. */
#define EXPECT_UNREADY(call)                                                                                           \
    do {                                                                                                               \
        double begun = now();                                                                                          \
        EXPECT(call, room->seconds == 0 ? -EAGAIN : -ETIMEDOUT);                                                       \
        check(room, now() - begun >= room->seconds, "a timeout was early");                                            \
    } while (0)

static int waits_long(const struct room *room)
{
    return room->seconds > 1;
}

/* Receiving. */

typedef long transfer(struct room *room, int fd, size_t len, int flags);

static long by_recv(struct room *room, int fd, size_t len, int flags)
{
    return sock_recv(fd, room->into, len, flags);
}

static long by_recvfrom(struct room *room, int fd, size_t len, int flags)
{
    *room->addrlen = sizeof *room->addr;
    return sock_recvfrom(fd, room->into, len, flags, (struct sockaddr *)room->addr, room->addrlen);
}

static struct msghdr *gather(struct room *room, char *buf, size_t len)
{
    room->parts[0] = (struct iovec){buf, len / 2};
    room->parts[1] = (struct iovec){buf + len / 2, len - len / 2};
    *room->message = (struct msghdr){.msg_iov = room->parts, .msg_iovlen = 2};
    return room->message;
}

static long by_recvmsg(struct room *room, int fd, size_t len, int flags)
{
    return sock_recvmsg(fd, gather(room, room->into, len), flags);
}

static long by_recvall(struct room *room, int fd, size_t len, int flags)
{
    int code = sock_recvall(fd, room->into, len, flags, room->count);
    return code < 0 ? code : (long)*room->count;
}

/* What every function does with a descriptor that will not do. */
#define EXPECT_REFUSED(name, ...)                                                                                      \
    do {                                                                                                               \
        int file = must(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");                                           \
        EXPECT(name(-1, __VA_ARGS__), -EBADF);                                                                         \
        EXPECT(name(INT_MAX, __VA_ARGS__), -EBADF);                                                                    \
        EXPECT(name(file, __VA_ARGS__), -ENOTSOCK);                                                                    \
        close(file);                                                                                                   \
    } while (0)

static long refused(struct room *room, transfer *call)
{
    int file = must(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
    EXPECT(call(room, -1, SMALL, 0), -EBADF);
    EXPECT(call(room, INT_MAX, SMALL, 0), -EBADF);
    EXPECT(call(room, file, SMALL, 0), -ENOTSOCK);
    return close(file);
}

static void receiving(struct room *room, transfer *call)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int ends[2];
        connected(room, kind, ends);
        must((int)send(ends[1], room->bytes, SMALL, 0), "send");
        EXPECT(call(room, ends[0], SMALL, 0), SMALL);
        check_received(room, SMALL);
        EXPECT(call(room, ends[0], SMALL, MSG_DONTWAIT), -EAGAIN);
        if (!waits_long(room)) {
            EXPECT_UNREADY(call(room, ends[0], SMALL, 0));
        } else if (call == by_recvall) {
            later(ends[1], WRITE, SMALL);
            EXPECT(call(room, ends[0], SMALL, 0), SMALL);
            check_received(room, SMALL);
        } else {
            later(ends[1], WRITE, 2 * SMALL);
            EXPECT(call(room, ends[0], SMALL, 0), SMALL);
            check_received(room, SMALL);
            EXPECT(call(room, ends[0], SMALL, 0), SMALL);
        }
        if (is_stream(kind)) {
            shutdown(ends[1], SHUT_WR);
            EXPECT(call(room, ends[0], SMALL, 0), call == by_recvall ? -EPIPE : 0);
        }
        close_both(ends);
    }
    refused(room, call);
}

static void try_recv(struct room *room)
{
    receiving(room, by_recv);
    int ends[2];
    connected(room, UNIX, ends);
    EXPECT(sock_recv(ends[0], NULL, 1, 0), -EFAULT);
    EXPECT(sock_recv(ends[0], room->into, (size_t)SSIZE_MAX + 1, 0), -EINVAL);
    EXPECT(sock_recv(ends[0], room->into, 1, MSG_ERRQUEUE), -EAGAIN);
    close_both(ends);
}

static void try_recvfrom(struct room *room)
{
    receiving(room, by_recvfrom);
    int ends[2];
    connected(room, UDP, ends);
    struct sockaddr *addr = (struct sockaddr *)room->addr;
    EXPECT(sock_recvfrom(ends[0], room->into, 1, 0, addr, NULL), -EFAULT);
    *room->addrlen = (socklen_t)INT_MAX + 1;
    EXPECT(sock_recvfrom(ends[0], room->into, 1, 0, addr, room->addrlen), -EINVAL);
    close_both(ends);
}

static void try_recvmsg(struct room *room)
{
    receiving(room, by_recvmsg);
    int ends[2];
    connected(room, UNIX, ends);
    EXPECT(sock_recvmsg(ends[0], NULL, 0), -EFAULT);
    *room->message = (struct msghdr){.msg_iovlen = 1};
    EXPECT(sock_recvmsg(ends[0], room->message, 0), -EFAULT);
    *room->message = (struct msghdr){.msg_iov = room->parts, .msg_iovlen = 1025};
    EXPECT(sock_recvmsg(ends[0], room->message, 0), -EMSGSIZE);

    /* A descriptor comes along, closed on exec. */
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
    struct msghdr *message = gather(room, room->bytes, SMALL);
    message->msg_control = &control;
    message->msg_controllen = sizeof control;
    EXPECT(sock_sendmsg(ends[1], message, 0), SMALL);
    message = gather(room, room->into, SMALL);
    message->msg_control = &control;
    message->msg_controllen = sizeof control;
    EXPECT(sock_recvmsg(ends[0], message, 0), SMALL);
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    check(room, fcntl(fd, F_GETFD) == FD_CLOEXEC, "a received descriptor is not close-on-exec");
    close(fd);
    close_both(ends);
}

static void try_recvall(struct room *room)
{
    receiving(room, by_recvall);
    int ends[2];
    connected(room, UNIX, ends);
    EXPECT(sock_recvall(ends[0], NULL, 1, 0, room->count), -EFAULT);
    EXPECT(sock_recvall(ends[0], room->into, 1, MSG_PEEK, room->count), -EINVAL);
    EXPECT(sock_recvall(ends[0], NULL, 0, 0, NULL), 0);
    if (waits_long(room)) {
        later(ends[1], WRITE, LARGE);
        EXPECT(sock_recvall(ends[0], room->into, LARGE, 0, room->count), 0);
        check(room, *room->count == LARGE, "the count is not that of the bytes");
        check_received(room, LARGE);
    } else {
        must((int)send(ends[1], room->bytes, SMALL, 0), "send");
        EXPECT_UNREADY(sock_recvall(ends[0], room->into, LARGE, 0, room->count));
        check(room, *room->count == SMALL, "the count is not that of the part received");
        check_received(room, SMALL);
    }
    close_both(ends);
}

/* Sending. */

static long by_send(struct room *room, int fd, size_t len, int flags)
{
    return sock_send(fd, room->bytes, len, flags);
}

static long by_sendto(struct room *room, int fd, size_t len, int flags)
{
    return sock_sendto(fd, room->bytes, len, flags, NULL, 0);
}

static long by_sendmsg(struct room *room, int fd, size_t len, int flags)
{
    return sock_sendmsg(fd, gather(room, room->bytes, len), flags);
}

static long by_sendall(struct room *room, int fd, size_t len, int flags)
{
    int code = sock_sendall(fd, room->bytes, len, flags, room->count);
    return code < 0 ? code : (long)*room->count;
}

/* Fills the way to the peer. (That of TCP may have room again a little later.) */
static size_t fill(struct room *room, int fd)
{
    size_t filled = 0;
    ssize_t sent;
    while ((sent = send(fd, room->bytes, SMALL, MSG_DONTWAIT)) > 0)
        filled += (size_t)sent;
    return filled;
}

static void sending(struct room *room, transfer *call)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int ends[2];
        connected(room, kind, ends);
        EXPECT(call(room, ends[0], SMALL, 0), SMALL);
        must((int)recv(ends[1], room->into, SMALL, 0), "recv");
        check_received(room, SMALL);
        if (kind == UNIX || kind == UNIX_MESSAGES) {
            size_t filled = fill(room, ends[0]);
            EXPECT(call(room, ends[0], SMALL, MSG_DONTWAIT), -EAGAIN);
            if (waits_long(room)) {
                later(ends[1], READ, filled + SMALL);
                EXPECT(call(room, ends[0], SMALL, 0), SMALL);
            } else {
                EXPECT_UNREADY(call(room, ends[0], SMALL, 0));
            }
        }
        if (is_stream(kind)) {
            close(ends[0]);
            close(ends[1]);
            connected(room, kind, ends);
            long most = DONE;
            if (room->seconds == INFINITY || (waits_long(room) && call == by_sendall))
                most = LARGE;
            else if (call == by_sendall)
                most = room->seconds == 0 ? -EAGAIN : -ETIMEDOUT;
            if (waits_long(room))
                later(ends[1], READ, most == LARGE ? LARGE : 1);
            long sent = EXPECT(call(room, ends[0], LARGE, 0), most);
            check(room, sent != 0, "nothing was sent");
            if (call == by_sendall)
                check(room, (*room->count == LARGE) == (sent == LARGE) && *room->count > 0, "the count is wrong");
            shutdown(ends[0], SHUT_WR);
            EXPECT(call(room, ends[0], SMALL, 0), -EPIPE);
        }
        close_both(ends);
    }
    refused(room, call);
}

static void try_send(struct room *room)
{
    sending(room, by_send);
    int ends[2];
    connected(room, UNIX, ends);
    EXPECT(sock_send(ends[0], NULL, 1, 0), -EFAULT);
    EXPECT(sock_send(ends[0], room->bytes, (size_t)SSIZE_MAX + 1, 0), -EINVAL);
    close_both(ends);
}

static void try_sendto(struct room *room)
{
    sending(room, by_sendto);
    int receiver = bound_in(room, UDP), sender = make(UDP);
    set_mode(room, sender);
    const struct sockaddr *addr = (const struct sockaddr *)room->addr;
    EXPECT(sock_sendto(sender, room->bytes, SMALL, 0, addr, *room->addrlen), SMALL);
    EXPECT(sock_sendto(sender, room->bytes, SMALL, 0, NULL, 1), -EFAULT);
    EXPECT(sock_sendto(sender, room->bytes, SMALL, 0, NULL, 0), -EDESTADDRREQ);
    must((int)recv(receiver, room->into, SMALL, 0), "recv");
    check_received(room, SMALL);
    close_both((int[]){receiver, sender});
}

static void try_sendmsg(struct room *room)
{
    sending(room, by_sendmsg);
    int ends[2];
    connected(room, UNIX, ends);
    EXPECT(sock_sendmsg(ends[0], NULL, 0), -EFAULT);
    *room->message = (struct msghdr){.msg_iovlen = 1};
    EXPECT(sock_sendmsg(ends[0], room->message, 0), -EFAULT);
    *room->message = (struct msghdr){.msg_iov = room->parts, .msg_iovlen = 1025};
    EXPECT(sock_sendmsg(ends[0], room->message, 0), -EMSGSIZE);
    *room->message = (struct msghdr){.msg_iov = NULL};
    EXPECT(sock_sendmsg(ends[0], room->message, 0), 0);
    close_both(ends);
}

static void try_sendall(struct room *room)
{
    sending(room, by_sendall);
    int ends[2];
    connected(room, UNIX, ends);
    EXPECT(sock_sendall(ends[0], NULL, 1, 0, room->count), -EFAULT);
    EXPECT(sock_sendall(ends[0], NULL, 0, 0, NULL), 0);
    close_both(ends);
}

/* Connections. */

static void try_accept(struct room *room)
{
    struct sockaddr *addr = (struct sockaddr *)room->addr;
    for (enum kind kind = UNIX; kind <= TCP; kind++) {
        int listener = listening_in(room, kind, 8);
        set_mode(room, listener);
        struct order order = {.action = CONNECT, .addr = *room->addr, .addrlen = *room->addrlen};
        int client = make(kind);
        must(plain_connect(room, client), "connect");
        *room->addrlen = sizeof *room->addr;
        int accepted = (int)EXPECT(sock_accept(listener, addr, room->addrlen), DONE);
        check(room, fcntl(accepted, F_GETFD) == FD_CLOEXEC, "an accepted descriptor is not close-on-exec");
        EXPECT(sock_gettimeout(accepted, room->told), 0);
        check_timeout(room, INFINITY, "the timeout of an accepted socket");
        close_both((int[]){client, accepted});
        if (waits_long(room)) {
            client = make(kind);
            later_with(client, &order);
            close(EXPECT(sock_accept(listener, NULL, NULL), DONE));
            close(client);
        } else {
            EXPECT_UNREADY(sock_accept(listener, NULL, NULL));
        }
        EXPECT(sock_accept(listener, addr, NULL), -EFAULT);
        *room->addrlen = (socklen_t)INT_MAX + 1;
        EXPECT(sock_accept(listener, addr, room->addrlen), -EINVAL);
        close(listener);
        client = make(kind);
        EXPECT(sock_accept(client, NULL, NULL), -EINVAL);
        close(client);
    }
    int messages = make(UNIX_MESSAGES);
    EXPECT(sock_accept(messages, NULL, NULL), -EOPNOTSUPP);
    close(messages);
    EXPECT_REFUSED(sock_accept, NULL, NULL);
}

static void try_connect(struct room *room)
{
    struct sockaddr *addr = (struct sockaddr *)room->addr;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int listener = is_stream(kind) ? listening_in(room, kind, 8) : bound_in(room, kind), client = make(kind);
        set_mode(room, client);
        if (kind == TCP && room->seconds == 0) {
            EXPECT(sock_connect(client, addr, *room->addrlen), -EINPROGRESS);
            EXPECT(sock_wait(client, POLLOUT, 30), POLLOUT);
        }
        EXPECT(sock_connect(client, addr, *room->addrlen), 0);
        if (is_stream(kind))
            EXPECT(sock_connect(client, addr, *room->addrlen), -EISCONN);
        close_both((int[]){listener, client});
        if (kind == UNIX) {
            client = make(UNIX);
            int deaf = bound_in(room, UNIX); /* It does not listen. */
            EXPECT(sock_connect(client, addr, *room->addrlen), -ECONNREFUSED);
            EXPECT(sock_connect(client, NULL, 1), -EFAULT);
            close_both((int[]){client, deaf});
        }
    }

    /* The queue of a Unix listener holds one more than its backlog. */
    int listener = listening_in(room, UNIX, 0), first = make(UNIX), second = make(UNIX);
    must(plain_connect(room, first), "connect");
    set_mode(room, second);
    if (waits_long(room)) {
        later(listener, ACCEPT, 0);
        EXPECT(sock_connect(second, addr, *room->addrlen), 0);
    } else {
        EXPECT_UNREADY(sock_connect(second, addr, *room->addrlen));
    }
    close_both((int[]){listener, first});
    close(second);
    EXPECT_REFUSED(sock_connect, addr, *room->addrlen);
}

static void try_wait(struct room *room)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int ends[2];
        connected(room, kind, ends);
        EXPECT(sock_wait(ends[0], POLLOUT, room->seconds), POLLOUT);
        if (waits_long(room))
            later(ends[1], WRITE, SMALL);
        else
            EXPECT_UNREADY(sock_wait(ends[0], POLLIN, room->seconds));
        if (waits_long(room))
            EXPECT(sock_wait(ends[0], POLLIN, room->seconds), POLLIN);
        EXPECT(sock_wait(ends[0], -1, 0), -EINVAL);
        EXPECT(sock_wait(ends[0], POLLIN, NAN), -EINVAL);
        EXPECT(sock_wait(ends[0], POLLIN, 1e10), -EOVERFLOW);
        close_both(ends);
    }
    EXPECT_REFUSED(sock_wait, POLLIN, room->seconds);
}

/* Modes. Each is exercised with the others, which tell what it did. */

static void change_modes(struct room *room, enum kind kind)
{
    int ends[2], duplicate;
    connected(room, kind, ends);
    duplicate = must(fcntl(ends[0], F_DUPFD_CLOEXEC, 0), "dup");
    for (int i = 0; i < MODES; i++) {
        EXPECT(sock_settimeout(duplicate, modes[i]), 0);
        EXPECT(sock_gettimeout(ends[0], room->told), 0);
        check_timeout(room, modes[i], "the timeout");
        EXPECT(sock_getblocking(ends[0]), modes[i] != 0);
        EXPECT(sock_setinterrupt(ends[0], !room->interrupt), 0);
        EXPECT(sock_getinterrupt(duplicate), !room->interrupt);
        EXPECT(sock_gettimeout(ends[0], room->told), 0);
        check_timeout(room, modes[i], "the timeout that was set before");
        EXPECT(sock_setinterrupt(ends[0], room->interrupt), 0);
        EXPECT(sock_setblocking(ends[0], i % 2), 0);
        EXPECT(sock_getblocking(duplicate), i % 2);
        EXPECT(sock_getinterrupt(duplicate), room->interrupt);
        set_mode(room, ends[0]);
    }
    close(duplicate);
    close_both(ends);
}

static void try_setblocking(struct room *room)
{
    change_modes(room, UNIX);
    EXPECT_REFUSED(sock_setblocking, 1);
}

static void try_getblocking(struct room *room)
{
    change_modes(room, UNIX);
    EXPECT(sock_getblocking(-1), -EBADF);
    EXPECT(sock_getblocking(INT_MAX), -EBADF);
}

static void try_settimeout(struct room *room)
{
    for (enum kind kind = 0; kind < KINDS; kind++)
        change_modes(room, kind);
    int fd = make(TCP);
    set_mode(room, fd);
    EXPECT(sock_settimeout(fd, -1), -EINVAL);
    EXPECT(sock_settimeout(fd, NAN), -EINVAL);
    EXPECT(sock_settimeout(fd, 1e10), -EOVERFLOW);
    EXPECT(sock_gettimeout(fd, room->told), 0);
    check_timeout(room, room->seconds, "the timeout after a failure");
    close(fd);
    EXPECT_REFUSED(sock_settimeout, room->seconds);
}

static void try_gettimeout(struct room *room)
{
    change_modes(room, UNIX);
    int fd = make(TCP);
    EXPECT(sock_gettimeout(fd, NULL), -EFAULT);
    close(fd);
    EXPECT_REFUSED(sock_gettimeout, room->told);
}

static void try_setinterrupt(struct room *room)
{
    change_modes(room, UNIX);
    EXPECT_REFUSED(sock_setinterrupt, 1);
}

static void try_getinterrupt(struct room *room)
{
    change_modes(room, UNIX);
    EXPECT(sock_getinterrupt(-1), -EBADF);
    EXPECT(sock_getinterrupt(INT_MAX), -EBADF);
}

/* By name. */

static void try_listen(struct room *room)
{
    int listener = (int)EXPECT(sock_listen("127.0.0.1", "0", 8), DONE);
    EXPECT(sock_gettimeout(listener, room->told), 0);
    check_timeout(room, INFINITY, "the timeout of a listener");
    check(room, fcntl(listener, F_GETFD) == FD_CLOEXEC, "a listener is not close-on-exec");
    close(listener);
    close((int)EXPECT(sock_listen(NULL, "0", 0), DONE));
    EXPECT(sock_listen("127.0.0.1", NULL, 0), -EINVAL);
    EXPECT(sock_listen("", "0", 0), -EINVAL);
}

static void try_dial(struct room *room)
{
    int listener = (int)EXPECT(sock_listen("127.0.0.1", "0", 8), DONE);
    own_address(room, listener);
    char service[] = "00000";
    unsigned port = ntohs(((struct sockaddr_in *)room->addr)->sin_port);
    for (int i = 4; i >= 0; i--, port /= 10)
        service[i] = (char)('0' + port % 10);
    if (waits_long(room)) {
        int fd = (int)EXPECT(sock_dial("localhost", service, room->seconds), DONE);
        EXPECT(sock_gettimeout(fd, room->told), 0);
        check_timeout(room, room->seconds, "the timeout of what was dialled");
        check(room, fcntl(fd, F_GETFD) == FD_CLOEXEC, "a dialled descriptor is not close-on-exec");
        close_both((int[]){fd, listener});
        EXPECT(sock_dial("127.0.0.1", service, room->seconds), -ECONNREFUSED);
    } else {
        /* It may be made in no time or not. */
        prepare(room);
        long fd = sock_dial("127.0.0.1", service, room->seconds), failed = room->seconds == 0 ? -EAGAIN : -ETIMEDOUT;
        judge(room, "sock_dial", __LINE__, fd, fd == failed ? failed : DONE);
        close((int)fd);
        close(listener);
    }
    EXPECT(sock_dial(NULL, service, room->seconds), -EINVAL);
    EXPECT(sock_dial("127.0.0.1", "", room->seconds), -EINVAL);
    EXPECT(sock_dial("127.0.0.1", service, -1), -EINVAL);
    EXPECT(sock_dial("127.0.0.1", service, 1e10), -EOVERFLOW);
}

static void try_dial_until(struct room *room)
{
    int token[2];
    must(pipe2(token, O_CLOEXEC), "pipe2");
    int listener = (int)EXPECT(sock_listen("127.0.0.1", "0", 8), DONE);
    own_address(room, listener);
    char service[] = "00000";
    unsigned port = ntohs(((struct sockaddr_in *)room->addr)->sin_port);
    for (int i = 4; i >= 0; i--, port /= 10)
        service[i] = (char)('0' + port % 10);
    int fd = (int)EXPECT(sock_dial_until("localhost", service, now() + 30, token[0]), DONE);
    EXPECT(sock_gettimeout(fd, room->told), 0);
    check_timeout(room, INFINITY, "the timeout of what was dialled");
    close(fd);
    EXPECT(sock_dial_until("127.0.0.1", service, now() - 1, token[0]), -ETIMEDOUT);
    EXPECT(sock_dial_until("127.0.0.1", service, INFINITY, -2), -EBADF);
    EXPECT(sock_dial_until("127.0.0.1", service, NAN, -1), -EINVAL);
    close(token[1]);
    EXPECT(sock_dial_until("127.0.0.1", service, INFINITY, token[0]), -ECANCELED);
    close_both((int[]){token[0], listener});
}

/* Addresses. */

static void try_address(struct room *room)
{
    struct sockaddr_storage *addr = (struct sockaddr_storage *)(void *)room->addr;
    const char *right[] = {"127.0.0.1", "::1", "fe80::1%2", "fe80::1%lo"}, *wrong[] = {"127.1", "localhost", "::1%", ""};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        EXPECT(sock_address(right[i], "80", addr, room->addrlen), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT(sock_address(wrong[i], "80", addr, room->addrlen), -EINVAL);
    EXPECT(sock_address("/path", NULL, addr, room->addrlen), 0);
    check(room, *room->addrlen == 8, "the length of a path's address");
    EXPECT(sock_address(NULL, "80", addr, room->addrlen), -EINVAL);
    EXPECT(sock_address("::1", "80", NULL, room->addrlen), -EFAULT);
}

static void try_name(struct room *room)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    char text[8];
    EXPECT(sock_name((struct sockaddr *)&address, sizeof address, text, sizeof text), 80);
    check(room, strcmp(text, "0.0.0.0") == 0, "the text of an address");
    EXPECT(sock_name((struct sockaddr *)&address, sizeof address, text, sizeof text - 1), -ENOSPC);
    EXPECT(sock_name((struct sockaddr *)&address, sizeof address - 1, text, sizeof text), -EINVAL);
    EXPECT(sock_name(NULL, sizeof address, text, sizeof text), -EFAULT);
}

/* About. */

static void try_strerror(struct room *room)
{
    for (int code = -200; code <= 200; code++) {
        const char *words;
        EXPECT((words = sock_strerror(code)) != NULL, 1);
        check(room, words[0] != '\0', "no words for a code");
    }
    EXPECT(strcmp(sock_strerror(INT_MIN), sock_strerror(INT_MAX)), 0);
}

static void try_version(struct room *room)
{
    EXPECT(strcmp(sock_version(), LIBSOCK_VERSION), 0);
}

const struct function functions[] = {
    {"sock_setblocking", try_setblocking},
    {"sock_getblocking", try_getblocking},
    {"sock_settimeout", try_settimeout},
    {"sock_gettimeout", try_gettimeout},
    {"sock_setinterrupt", try_setinterrupt},
    {"sock_getinterrupt", try_getinterrupt},
    {"sock_send", try_send},
    {"sock_recv", try_recv},
    {"sock_sendto", try_sendto},
    {"sock_recvfrom", try_recvfrom},
    {"sock_sendmsg", try_sendmsg},
    {"sock_recvmsg", try_recvmsg},
    {"sock_sendall", try_sendall},
    {"sock_recvall", try_recvall},
    {"sock_connect", try_connect},
    {"sock_accept", try_accept},
    {"sock_wait", try_wait},
    {"sock_address", try_address},
    {"sock_name", try_name},
    {"sock_strerror", try_strerror},
    {"sock_version", try_version},
    {NULL, NULL},
};

const struct function lookups[] = {
    {"sock_dial", try_dial},
    {"sock_dial_until", try_dial_until},
    {"sock_listen", try_listen},
    {NULL, NULL},
};

static void *allocated(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        must(-1, "malloc");
    return memset(memory, 0, size);
}

void make_room(struct room *room)
{
    *room = (struct room){
        .bytes = allocated(LARGE),
        .into = allocated(LARGE),
        .parts = allocated(2 * sizeof *room->parts),
        .message = allocated(sizeof *room->message),
        .addr = allocated(sizeof *room->addr),
        .addrlen = allocated(sizeof *room->addrlen),
        .count = allocated(sizeof *room->count),
        .told = allocated(sizeof *room->told),
    };
    for (size_t i = 0; i < LARGE; i++)
        room->bytes[i] = (char)pattern(i);
}

void free_room(struct room *room)
{
    free(room->bytes);
    free(room->into);
    free(room->parts);
    free(room->message);
    free(room->addr);
    free(room->addrlen);
    free(room->count);
    free(room->told);
}

void exercise(struct room *room, const struct function *function, double seconds, int interrupt)
{
    room->seconds = seconds;
    room->interrupt = interrupt;
    room->function = function->name;
    function->exercise(room);
}

void exercise_all(struct room *room, const struct function *function, double seconds, int interrupt)
{
    for (; function->name; function++)
        exercise(room, function, seconds, interrupt);
}
