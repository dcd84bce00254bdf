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

enum action { WRITE, READ, CONNECT, ACCEPT, CANCEL };

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
        for (size_t got = 0, more = 1; got < order->len && more; got += more)
            more = (size_t)must((int)recv(fd, bytes, sizeof bytes, 0), "recv of the peer");
        break;
    case CONNECT:
        must(connect(fd, (const struct sockaddr *)&order->addr, order->addrlen), "connect of the peer");
        break;
    case ACCEPT:
        must(accept(fd, NULL, NULL), "accept of the peer");
        break;
    case CANCEL:
        must(sock_cancel(fd), "sock_cancel of the peer");
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
        room->hurries = 1;                                                                                             \
        EXPECT(call, room->seconds == 0 && !room->until ? -EAGAIN : -ETIMEDOUT);                                       \
        room->hurries = 0;                                                                                             \
        check(room, now() - begun >= room->seconds, "a timeout was early");                                            \
    } while (0)

static int waits_long(const struct room *room)
{
    return room->seconds > 1;
}

/* Of a call that ends by then, or by the token: those in each room, for the forms that take them. */
static double deadline(const struct room *room)
{
    return now() + (room->hurries ? room->seconds : 30);
}

#define LIMITS deadline(room), room->token

/* The functions with a deadline are exercised as those without are. */
static void with_deadline(struct room *room, void (*exercise)(struct room *room))
{
    room->until = 1;
    exercise(room);
    room->until = 0;
}

/* Receiving. */

typedef long transfer(struct room *room, int fd, size_t len, int flags);

static long by_recv(struct room *room, int fd, size_t len, int flags)
{
    return room->until ? sock_recv_until(fd, room->into, len, flags, LIMITS) : sock_recv(fd, room->into, len, flags);
}

static long by_recvfrom(struct room *room, int fd, size_t len, int flags)
{
    *room->addrlen = sizeof *room->addr;
    struct sockaddr *addr = (struct sockaddr *)room->addr;
    return room->until ? sock_recvfrom_until(fd, room->into, len, flags, addr, room->addrlen, LIMITS)
                       : sock_recvfrom(fd, room->into, len, flags, addr, room->addrlen);
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
    struct msghdr *message = gather(room, room->into, len);
    return room->until ? sock_recvmsg_until(fd, message, flags, LIMITS) : sock_recvmsg(fd, message, flags);
}

static long by_recvall(struct room *room, int fd, size_t len, int flags)
{
    int code = room->until ? sock_recvall_until(fd, room->into, len, flags, room->count, LIMITS)
                           : sock_recvall(fd, room->into, len, flags, room->count);
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
        EXPECT(by_recvall(room, ends[0], LARGE, 0), LARGE);
        check(room, *room->count == LARGE, "the count is not that of the bytes");
        check_received(room, LARGE);
    } else {
        must((int)send(ends[1], room->bytes, SMALL, 0), "send");
        EXPECT_UNREADY(by_recvall(room, ends[0], LARGE, 0));
        /* A deadline may have passed before anything could be tried. */
        check(room, *room->count == SMALL || (room->until && *room->count == 0), "the count is not that of the part received");
        check_received(room, *room->count);
    }
    close_both(ends);
}

static void try_recv_until(struct room *room)
{
    with_deadline(room, try_recv);
    int ends[2];
    connected(room, UDP, ends);
    EXPECT(sock_recv_until(ends[0], room->into, 1, 0, NAN, -1), -EINVAL);
    EXPECT(sock_recv_until(ends[0], room->into, 1, 0, 1e10, -1), -EOVERFLOW);
    EXPECT(sock_recv_until(ends[0], room->into, 1, 0, -1, -1), -ETIMEDOUT);
    EXPECT(sock_recv_until(ends[0], room->into, 1, 0, INFINITY, -2), -EBADF);
    EXPECT(sock_recv_until(ends[0], room->into, 1, 0, INFINITY, INT_MAX), -EBADF);
    close_both(ends);
}

static void try_recvfrom_until(struct room *room)
{
    with_deadline(room, try_recvfrom);
}

static void try_recvmsg_until(struct room *room)
{
    with_deadline(room, try_recvmsg);
}

static void try_recvall_until(struct room *room)
{
    with_deadline(room, try_recvall);
}

/* Sending. */

static long by_send(struct room *room, int fd, size_t len, int flags)
{
    return room->until ? sock_send_until(fd, room->bytes, len, flags, LIMITS) : sock_send(fd, room->bytes, len, flags);
}

static long by_sendto(struct room *room, int fd, size_t len, int flags)
{
    return room->until ? sock_sendto_until(fd, room->bytes, len, flags, NULL, 0, LIMITS)
                       : sock_sendto(fd, room->bytes, len, flags, NULL, 0);
}

static long by_sendmsg(struct room *room, int fd, size_t len, int flags)
{
    struct msghdr *message = gather(room, room->bytes, len);
    return room->until ? sock_sendmsg_until(fd, message, flags, LIMITS) : sock_sendmsg(fd, message, flags);
}

static long by_sendall(struct room *room, int fd, size_t len, int flags)
{
    int code = room->until ? sock_sendall_until(fd, room->bytes, len, flags, room->count, LIMITS)
                           : sock_sendall(fd, room->bytes, len, flags, room->count);
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
            if (call == by_sendall)
                most = waits_long(room) ? LARGE : room->seconds == 0 && !room->until ? -EAGAIN : -ETIMEDOUT;
            else if (room->seconds == INFINITY && !room->until && !room->signals)
                most = LARGE;
            if (waits_long(room))
                later(ends[1], READ, LARGE);
            room->hurries = !waits_long(room) && call == by_sendall;
            long sent = EXPECT(call(room, ends[0], LARGE, 0), most);
            room->hurries = 0;
            check(room, sent != 0, "nothing was sent");
            if (call == by_sendall)
                check(room, (*room->count == LARGE) == (sent == LARGE) && (room->until || *room->count > 0), "the count is wrong");
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

static void try_send_until(struct room *room)
{
    with_deadline(room, try_send);
    int ends[2];
    connected(room, UNIX, ends);
    EXPECT(sock_send_until(ends[0], room->bytes, 1, 0, NAN, -1), -EINVAL);
    EXPECT(sock_send_until(ends[0], room->bytes, 1, 0, 1e10, -1), -EOVERFLOW);
    EXPECT(sock_send_until(ends[0], room->bytes, 1, 0, -1, -1), -ETIMEDOUT);
    EXPECT(sock_send_until(ends[0], room->bytes, 1, 0, INFINITY, -2), -EBADF);
    close_both(ends);
}

static void try_sendto_until(struct room *room)
{
    with_deadline(room, try_sendto);
}

static void try_sendmsg_until(struct room *room)
{
    with_deadline(room, try_sendmsg);
}

static void try_sendall_until(struct room *room)
{
    with_deadline(room, try_sendall);
}

/* Connections. */

static int accept_on(struct room *room, int fd, struct sockaddr *addr, socklen_t *addrlen)
{
    return room->until ? sock_accept_until(fd, addr, addrlen, LIMITS) : sock_accept(fd, addr, addrlen);
}

static int connect_on(struct room *room, int fd, const struct sockaddr *addr, socklen_t addrlen)
{
    return room->until ? sock_connect_until(fd, addr, addrlen, LIMITS) : sock_connect(fd, addr, addrlen);
}

static int wait_on(struct room *room, int fd, int events, double seconds)
{
    return room->until ? sock_wait_until(fd, events, LIMITS) : sock_wait(fd, events, seconds);
}

#define ACCEPT_ON(fd, addr, addrlen) accept_on(room, fd, addr, addrlen)
#define CONNECT_ON(fd, addr, addrlen) connect_on(room, fd, addr, addrlen)
#define WAIT_ON(fd, events, seconds) wait_on(room, fd, events, seconds)

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
        int accepted = (int)EXPECT(ACCEPT_ON(listener, addr, room->addrlen), DONE);
        check(room, fcntl(accepted, F_GETFD) == FD_CLOEXEC, "an accepted descriptor is not close-on-exec");
        EXPECT(sock_gettimeout(accepted, room->told), 0);
        check_timeout(room, INFINITY, "the timeout of an accepted socket");
        close_both((int[]){client, accepted});
        if (waits_long(room)) {
            client = make(kind);
            later_with(client, &order);
            close(EXPECT(ACCEPT_ON(listener, NULL, NULL), DONE));
            close(client);
        } else {
            EXPECT_UNREADY(ACCEPT_ON(listener, NULL, NULL));
        }
        EXPECT(ACCEPT_ON(listener, addr, NULL), -EFAULT);
        *room->addrlen = (socklen_t)INT_MAX + 1;
        EXPECT(ACCEPT_ON(listener, addr, room->addrlen), -EINVAL);
        close(listener);
        client = make(kind);
        EXPECT(ACCEPT_ON(client, NULL, NULL), -EINVAL);
        close(client);
    }
    int messages = make(UNIX_MESSAGES);
    EXPECT(ACCEPT_ON(messages, NULL, NULL), -EOPNOTSUPP);
    close(messages);
    EXPECT_REFUSED(ACCEPT_ON, NULL, NULL);
}

static void try_connect(struct room *room)
{
    struct sockaddr *addr = (struct sockaddr *)room->addr;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int listener = is_stream(kind) ? listening_in(room, kind, 8) : bound_in(room, kind), client = make(kind);
        set_mode(room, client);
        if (kind == TCP && room->seconds == 0 && !room->until) {
            EXPECT(CONNECT_ON(client, addr, *room->addrlen), -EINPROGRESS);
            EXPECT(sock_wait(client, POLLOUT, 30), POLLOUT);
        }
        EXPECT(CONNECT_ON(client, addr, *room->addrlen), 0);
        if (is_stream(kind))
            EXPECT(CONNECT_ON(client, addr, *room->addrlen), -EISCONN);
        close_both((int[]){listener, client});
        if (kind == UNIX) {
            client = make(UNIX);
            int deaf = bound_in(room, UNIX); /* It does not listen. */
            EXPECT(CONNECT_ON(client, addr, *room->addrlen), -ECONNREFUSED);
            EXPECT(CONNECT_ON(client, NULL, 1), -EFAULT);
            close_both((int[]){client, deaf});
        }
    }

    /* The queue of a Unix listener holds one more than its backlog. */
    int listener = listening_in(room, UNIX, 0), first = make(UNIX), second = make(UNIX);
    must(plain_connect(room, first), "connect");
    set_mode(room, second);
    if (waits_long(room)) {
        later(listener, ACCEPT, 0);
        EXPECT(CONNECT_ON(second, addr, *room->addrlen), 0);
    } else {
        EXPECT_UNREADY(CONNECT_ON(second, addr, *room->addrlen));
    }
    close_both((int[]){listener, first});
    close(second);
    EXPECT_REFUSED(CONNECT_ON, addr, *room->addrlen);
}

static void try_wait(struct room *room)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int ends[2];
        connected(room, kind, ends);
        EXPECT(WAIT_ON(ends[0], POLLOUT, room->seconds), POLLOUT);
        if (waits_long(room))
            later(ends[1], WRITE, SMALL);
        else
            EXPECT_UNREADY(WAIT_ON(ends[0], POLLIN, room->seconds));
        if (waits_long(room))
            EXPECT(WAIT_ON(ends[0], POLLIN, room->seconds), POLLIN);
        EXPECT(sock_wait(ends[0], -1, 0), -EINVAL);
        EXPECT(sock_wait(ends[0], POLLIN, NAN), -EINVAL);
        EXPECT(sock_wait(ends[0], POLLIN, 1e10), -EOVERFLOW);
        close_both(ends);
    }
    EXPECT_REFUSED(WAIT_ON, POLLIN, room->seconds);
}

static void try_accept_until(struct room *room)
{
    with_deadline(room, try_accept);
    int listener = listening_in(room, UNIX, 1);
    set_mode(room, listener);
    EXPECT(sock_accept_until(listener, NULL, NULL, -1, -1), -ETIMEDOUT);
    EXPECT(sock_gettimeout(listener, room->told), 0);
    check_timeout(room, room->seconds, "the timeout of a listener");
    close(listener);
}

static void try_connect_until(struct room *room)
{
    with_deadline(room, try_connect);
}

static void try_wait_until(struct room *room)
{
    with_deadline(room, try_wait);
    EXPECT(sock_wait_until(-1, 0, now() + 0.001, room->token), -ETIMEDOUT);
    EXPECT(sock_wait_until(-1, POLLIN, INFINITY, -1), -EBADF);
    EXPECT(sock_wait_until(-1, 0, INFINITY, INT_MAX), -EBADF);
}

/* Lines. */

static long line_on(struct room *room, int fd, char *buf, size_t size, size_t *have, const char *delim, size_t delimlen)
{
    return room->until ? sock_recvdelim_until(fd, buf, size, have, delim, delimlen, LIMITS)
                       : sock_recvdelim(fd, buf, size, have, delim, delimlen);
}

#define LINE_ON(fd, ...) line_on(room, fd, __VA_ARGS__)

static void try_recvdelim(struct room *room)
{
    const char crlf[2] = {'\r', '\n'}, *mark = room->bytes + SMALL - 8; /* No NUL ends either. */
    for (enum kind kind = UNIX; kind <= TCP; kind++) {
        int ends[2];
        char line[24]; /* What was not received into it is not to be looked at. */
        size_t have = 0;
        connected(room, kind, ends);
        must((int)send(ends[1], "ab\r\ncd\r", 7, 0), "send");
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, crlf, 2), 4);
        check(room, have == 7 && memcmp(line, "ab\r\ncd\r", 7) == 0, "a line and what comes after it");
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, crlf, 2), 4);
        memmove(line, line + 4, have -= 4);
        if (!waits_long(room)) {
            EXPECT_UNREADY(LINE_ON(ends[0], line, sizeof line, &have, crlf, 2));
            check(room, have == 3, "a part of a line is kept");
        }
        must((int)send(ends[1], "\nef", 3, 0), "send");
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, crlf, 2), 4);
        check(room, have == 6 && memcmp(line, "cd\r\nef", 6) == 0, "a line in two parts");
        if (waits_long(room)) {
            *room->count = 0;
            later(ends[1], WRITE, SMALL);
            /* Up to the end of the memory. */
            char *last = room->into + LARGE - SMALL;
            EXPECT(LINE_ON(ends[0], last, SMALL, room->count, mark, 8), SMALL);
            check(room, *room->count == SMALL && memcmp(last, room->bytes, SMALL) == 0, "a line that comes later");
            memset(last, 0, SMALL);
        }
        have = 0;
        must((int)send(ends[1], "abcd", 4, 0), "send");
        EXPECT(LINE_ON(ends[0], line, 4, &have, crlf, 2), -EMSGSIZE);
        check(room, have == 4, "what is in a full buffer");
        shutdown(ends[1], SHUT_WR);
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, crlf, 2), -EPIPE);
        have = 0;
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, crlf, 2), 0);
        EXPECT(LINE_ON(ends[0], line, sizeof line, NULL, crlf, 2), -EINVAL);
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, crlf, 0), -EINVAL);
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, NULL, 2), -EFAULT);
        EXPECT(LINE_ON(ends[0], NULL, sizeof line, &have, crlf, 2), -EFAULT);
        have = sizeof line + 1;
        EXPECT(LINE_ON(ends[0], line, sizeof line, &have, crlf, 2), -EINVAL);
        close_both(ends);
    }
    *room->count = 0;
    EXPECT_REFUSED(LINE_ON, room->into, SMALL, room->count, crlf, 2);
}

static void try_recvdelim_until(struct room *room)
{
    with_deadline(room, try_recvdelim);
}

/* Deadlines and tokens. */

static void try_deadline(struct room *room)
{
    for (int i = 0; i < MODES; i++) {
        double before = now(), told = sock_deadline(modes[i]);
        check(room, told >= before + modes[i] && (told <= now() + modes[i] + 1e-6 || modes[i] == INFINITY), "a deadline");
    }
    check(room, isnan(sock_deadline(NAN)), "no number is no deadline");
    check(room, sock_deadline(-1) < now(), "a deadline of the past");
}

static void try_token(struct room *room)
{
    int token = (int)EXPECT(sock_token(), DONE);
    check(room, fcntl(token, F_GETFD) == FD_CLOEXEC, "a token is not close-on-exec");
    EXPECT(sock_wait_until(-1, 0, -1, token), -ETIMEDOUT);
    EXPECT(sock_cancel(token), 0);
    EXPECT(sock_wait_until(-1, 0, -1, token), -ECANCELED);
    close(token);
}

static void try_cancel(struct room *room)
{
    int ends[2], token = (int)EXPECT(sock_token(), DONE), file = must(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
    connected(room, UNIX, ends);
    EXPECT(sock_cancel(-1), -EBADF);
    EXPECT(sock_cancel(INT_MAX), -EBADF);
    EXPECT(sock_cancel(file), -EINVAL);
    EXPECT(sock_cancel(ends[0]), -EINVAL);
    if (waits_long(room))
        later(token, CANCEL, 0);
    else
        EXPECT(sock_cancel(token), 0);
    EXPECT(sock_recv_until(ends[0], room->into, 1, 0, INFINITY, token), -ECANCELED);
    EXPECT(sock_cancel(token), 0);
    close(file);
    close(token);
    close_both(ends);
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
        check(room, (strcmp(words, "Success") == 0) == (code >= 0), "the words for a code");
    }
    EXPECT(strcmp(sock_strerror(SSIZE_MAX), "Success"), 0);
    EXPECT(strcmp(sock_strerror(-SSIZE_MAX), sock_strerror(-4000)), 0);
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
    {"sock_recvdelim", try_recvdelim},
    {"sock_deadline", try_deadline},
    {"sock_token", try_token},
    {"sock_cancel", try_cancel},
    {"sock_send_until", try_send_until},
    {"sock_recv_until", try_recv_until},
    {"sock_sendto_until", try_sendto_until},
    {"sock_recvfrom_until", try_recvfrom_until},
    {"sock_sendmsg_until", try_sendmsg_until},
    {"sock_recvmsg_until", try_recvmsg_until},
    {"sock_sendall_until", try_sendall_until},
    {"sock_recvall_until", try_recvall_until},
    {"sock_recvdelim_until", try_recvdelim_until},
    {"sock_connect_until", try_connect_until},
    {"sock_accept_until", try_accept_until},
    {"sock_wait_until", try_wait_until},
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
        .token = must(sock_token(), "sock_token"),
    };
    for (size_t i = 0; i < LARGE; i++)
        room->bytes[i] = (char)pattern(i);
}

void free_room(struct room *room)
{
    close(room->token);
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
