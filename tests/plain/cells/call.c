/* The operations, as plain calls and as libsock's, each made by a thread of its own. */
#include "cells.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

const char *const operation_names[] = {
    [RECV] = "recv", [PEEK] = "peek", [RECVFROM] = "recvfrom", [RECVMSG] = "recvmsg", [RECVALL] = "recvall", [WAIT_IN] = "wait for POLLIN",
    [SEND] = "send", [SEND_LARGE] = "send of 6000", [SENDTO] = "sendto", [SENDMSG] = "sendmsg", [SENDALL] = "sendall",
    [WAIT_OUT] = "wait for POLLOUT", [ACCEPT] = "accept", [CONNECT] = "connect",
};

bool receives(enum operation operation) { return operation <= WAIT_IN; }
bool sends(enum operation operation) { return operation >= SEND && operation <= WAIT_OUT; }
bool waits(enum operation operation) { return operation == WAIT_IN || operation == WAIT_OUT; }

struct call {
    enum operation operation;
    enum player player;
    int fd;
    struct address to;
    double timeout; /* sock_wait's, or till the deadline */
    unsigned char bytes[LARGE];

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended_or_not;
    bool over;
    atomic_int tid, rescued;

    double began, ended, busy;
    long result; /* negative for an error */
    int errno_after;
    size_t moved;
    char more[64]; /* what else it told: an address, flags */
};

/* What errno is before; no error's number. */
enum { UNTOUCHED = 4242, RESTARTS = 10, INTERRUPTS = 12 }; /* SIGUSR1 and SIGUSR2 */

static void ignore(int number)
{
    (void)number;
}

void call_setup(void)
{
    struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
    must(sigaction(SIGUSR1, &action, NULL), "sigaction");
    action.sa_flags = 0;
    must(sigaction(SIGUSR2, &action, NULL), "sigaction");
    signal(SIGPIPE, SIG_IGN);
}

/* What a call is given, and what it fills in. */
struct arguments {
    struct address from;
    struct sockaddr *sender;
    const struct sockaddr *to;
    struct iovec parts[2];
    struct msghdr message;
    char control[64];
    int events;
};

static void prepare(struct arguments *with, struct call *call)
{
    with->from.len = sizeof with->from.storage;
    with->sender = (struct sockaddr *)&with->from.storage;
    with->to = call->to.len ? (const struct sockaddr *)&call->to.storage : NULL;
    with->parts[0] = (struct iovec){call->bytes, 60};
    with->parts[1] = (struct iovec){call->bytes + 60, SMALL - 60};
    with->message = (struct msghdr){.msg_iov = with->parts, .msg_iovlen = 2};
    if (call->operation == RECVMSG) {
        with->message.msg_name = with->sender;
        with->message.msg_namelen = with->from.len;
        with->message.msg_control = with->control;
        with->message.msg_controllen = sizeof with->control;
    }
    with->events = call->operation == WAIT_IN ? POLLIN : POLLOUT;
}

/* What else a call that succeeded tells. */
static void tell_more(struct call *call, const struct arguments *with)
{
    if (call->operation == RECVFROM)
        snprintf(call->more, sizeof call->more, " from %u", (unsigned)with->from.len);
    if (call->operation == RECVMSG)
        snprintf(call->more, sizeof call->more, " from %u with flags %x and control %zu", (unsigned)with->message.msg_namelen,
                 (unsigned)with->message.msg_flags, (size_t)with->message.msg_controllen);
}

static long call_plainly(struct call *call, struct arguments *with, size_t at)
{
    struct pollfd entry = {.fd = call->fd, .events = (short)with->events};
    int fd = call->fd, result;
    switch (call->operation) {
    case RECV: return recv(fd, call->bytes, SMALL, 0);
    case PEEK: return recv(fd, call->bytes, SMALL, MSG_PEEK);
    case RECVFROM: return recvfrom(fd, call->bytes, SMALL, 0, with->sender, &with->from.len);
    case RECVMSG: return recvmsg(fd, &with->message, 0);
    case RECVALL: return recv(fd, call->bytes + at, SMALL - at, 0);
    case SEND: return send(fd, call->bytes, SMALL, 0);
    case SEND_LARGE: return send(fd, call->bytes, LARGE, 0);
    case SENDTO: return sendto(fd, call->bytes, SMALL, 0, with->to, call->to.len);
    case SENDMSG: return sendmsg(fd, &with->message, 0);
    case SENDALL: return send(fd, call->bytes + at, SMALL - at, 0);
    case ACCEPT: return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    case CONNECT: return connect(fd, with->to, call->to.len);
    default:
        result = poll(&entry, 1, -1);
        return result < 0 ? result : entry.revents;
    }
}

static long call_libsock(struct call *call, struct arguments *with)
{
    int fd = call->fd;
    switch (call->operation) {
    case RECV: return sock_recv(fd, call->bytes, SMALL, 0);
    case PEEK: return sock_recv(fd, call->bytes, SMALL, MSG_PEEK);
    case RECVFROM: return sock_recvfrom(fd, call->bytes, SMALL, 0, with->sender, &with->from.len);
    case RECVMSG: return sock_recvmsg(fd, &with->message, 0);
    case RECVALL: return sock_recvall(fd, call->bytes, SMALL, 0, &call->moved);
    case SEND: return sock_send(fd, call->bytes, SMALL, 0);
    case SEND_LARGE: return sock_send(fd, call->bytes, LARGE, 0);
    case SENDTO: return sock_sendto(fd, call->bytes, SMALL, 0, with->to, call->to.len);
    case SENDMSG: return sock_sendmsg(fd, &with->message, 0);
    case SENDALL: return sock_sendall(fd, call->bytes, SMALL, 0, &call->moved);
    case ACCEPT: return sock_accept(fd, NULL, NULL);
    case CONNECT: return sock_connect(fd, with->to, call->to.len);
    default: return sock_wait(fd, with->events, call->timeout);
    }
}

static long call_until(struct call *call, struct arguments *with)
{
    double deadline = sock_deadline(call->timeout);
    int fd = call->fd;
    switch (call->operation) {
    case RECV: return sock_recv_until(fd, call->bytes, SMALL, 0, deadline, -1);
    case PEEK: return sock_recv_until(fd, call->bytes, SMALL, MSG_PEEK, deadline, -1);
    case RECVFROM: return sock_recvfrom_until(fd, call->bytes, SMALL, 0, with->sender, &with->from.len, deadline, -1);
    case RECVMSG: return sock_recvmsg_until(fd, &with->message, 0, deadline, -1);
    case RECVALL: return sock_recvall_until(fd, call->bytes, SMALL, 0, &call->moved, deadline, -1);
    case SEND: return sock_send_until(fd, call->bytes, SMALL, 0, deadline, -1);
    case SEND_LARGE: return sock_send_until(fd, call->bytes, LARGE, 0, deadline, -1);
    case SENDTO: return sock_sendto_until(fd, call->bytes, SMALL, 0, with->to, call->to.len, deadline, -1);
    case SENDMSG: return sock_sendmsg_until(fd, &with->message, 0, deadline, -1);
    case SENDALL: return sock_sendall_until(fd, call->bytes, SMALL, 0, &call->moved, deadline, -1);
    case ACCEPT: return sock_accept_until(fd, NULL, NULL, deadline, -1);
    case CONNECT: return sock_connect_until(fd, with->to, call->to.len, deadline, -1);
    default: return sock_wait_until(fd, with->events, deadline, -1);
    }
}

/* A plain call is made again after a signal, which poll(2) is not even under SA_RESTART, and until all is moved. */
static long perform_plainly(struct call *call, struct arguments *with)
{
    bool all = call->operation == RECVALL || call->operation == SENDALL;
    for (;;) {
        long result = call_plainly(call, with, call->moved);
        if (result < 0 && errno == EINTR && !atomic_load(&call->rescued))
            continue;
        if (result < 0)
            return -errno;
        if (!all)
            return result;
        if (result == 0 && call->operation == RECVALL)
            return -EPIPE;
        call->moved += (size_t)result;
        if (call->moved == SMALL)
            return 0;
    }
}

/* For how long the calling thread has kept a processor busy. */
static double busy(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *perform(void *argument)
{
    struct call *call = argument;
    struct arguments with;
    prepare(&with, call);
    atomic_store(&call->tid, (int)syscall(SYS_gettid));
    errno = UNTOUCHED;
    double idle = busy();
    call->began = now();
    call->result = call->player == PLAIN     ? perform_plainly(call, &with)
                   : call->player == LIBSOCK ? call_libsock(call, &with)
                                             : call_until(call, &with);
    call->errno_after = errno;
    call->ended = now();
    call->busy = busy() - idle;
    if (call->result >= 0)
        tell_more(call, &with);
    bool counts = call->operation == RECVALL || call->operation == SENDALL;
    if (!counts && call->result > 0 && !waits(call->operation) && call->operation != ACCEPT)
        call->moved = (size_t)call->result;
    pthread_mutex_lock(&call->lock);
    call->over = true;
    pthread_cond_broadcast(&call->ended_or_not);
    pthread_mutex_unlock(&call->lock);
    return NULL;
}

struct call *call_begin(enum operation operation, enum player player, int fd, const struct address *to, double timeout)
{
    struct call *call = calloc(1, sizeof *call);
    MUST(call);
    call->operation = operation;
    call->player = player;
    call->fd = fd;
    if (to)
        call->to = *to;
    call->timeout = timeout;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&call->ended_or_not, &monotonic);
    pthread_mutex_init(&call->lock, NULL);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 << 10);
    MUST(pthread_create(&call->thread, &small, perform, call) == 0);
    pthread_attr_destroy(&small);
    return call;
}

/* The system call in which a thread sleeps, or -1. Where the kernel does not tell, its state must do. */
static long sleeping_in(int tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = read(fd, text, sizeof text - 1);
        close(fd);
        text[len > 0 ? len : 0] = '\0';
        return text[0] >= '0' && text[0] <= '9' ? atol(text) : -1;
    }
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    const char *name_ends = strrchr(text, ')');
    return name_ends && name_ends[1] && name_ends[2] == 'S' ? 0 : -1;
}

enum sleep call_asleep(struct call *call)
{
    int tid = atomic_load(&call->tid);
    long where = tid == 0 || call_over(call, 0) ? -1 : sleeping_in(tid);
    switch (where) {
    case -1:
#ifdef SYS_futex
    case SYS_futex:
#endif
#ifdef SYS_futex_time64
    case SYS_futex_time64:
#endif
        return AWAKE;
#ifdef SYS_poll
    case SYS_poll:
#endif
#ifdef SYS_ppoll
    case SYS_ppoll:
#endif
#ifdef SYS_ppoll_time64
    case SYS_ppoll_time64:
#endif
        return IN_POLL;
    default:
        return IN_CALL;
    }
}

bool call_over(struct call *call, double until)
{
    struct timespec time = {.tv_sec = (time_t)until, .tv_nsec = (long)((until - (double)(time_t)until) * 1e9)};
    pthread_mutex_lock(&call->lock);
    while (!call->over && until > 0 && pthread_cond_timedwait(&call->ended_or_not, &call->lock, &time) == 0)
        ;
    bool over = call->over;
    pthread_mutex_unlock(&call->lock);
    return over;
}

void call_signal(struct call *call)
{
    pthread_kill(call->thread, SIGUSR1);
}

bool call_rescue(struct call *call)
{
    atomic_store(&call->rescued, 1);
    if (call->player != PLAIN) {
        sock_setinterrupt(call->fd, 1);
        fcntl(call->fd, F_SETFL, fcntl(call->fd, F_GETFL) | O_NONBLOCK);
    }
    for (double limit = now() + 2; now() < limit;) {
        pthread_kill(call->thread, SIGUSR2);
        if (call_over(call, now() + 0.004))
            return true;
    }
    shutdown(call->fd, SHUT_RDWR);
    return false;
}

double call_began(const struct call *call) { return call->began; }
double call_ended(const struct call *call) { return call->ended; }
double call_busy(const struct call *call) { return call->busy; }
size_t call_moved(const struct call *call) { return call->moved; }
int call_descriptor(const struct call *call) { return call->operation == ACCEPT && call->result >= 0 ? (int)call->result : -1; }

void call_outcome(const struct call *call, char *text, size_t size)
{
    bool failed = call->result < 0, counts = call->operation == RECVALL || call->operation == SENDALL;
    char result[40], errno_wrong[40] = "", count[40] = "";
    if (failed)
        snprintf(result, sizeof result, "%s", error_name((int)-call->result));
    else if (call->operation == ACCEPT)
        snprintf(result, sizeof result, "a connection");
    else if (waits(call->operation) && call->result & (POLLERR | POLLHUP)) /* a peer's end comes in steps, which poll may see */
        snprintf(result, sizeof result, "events of an end");
    else if (waits(call->operation))
        snprintf(result, sizeof result, "events %lx", (unsigned long)call->result);
    else
        snprintf(result, sizeof result, "%ld", call->result);
    if (counts)
        snprintf(count, sizeof count, " of %zu", call->moved);
    if (call->player != PLAIN && call->errno_after != (failed ? -call->result : UNTOUCHED))
        snprintf(errno_wrong, sizeof errno_wrong, " with errno %d", call->errno_after);
    snprintf(text, size, "%s%s%s%s", result, count, call->more, errno_wrong);
}

void call_free(struct call *call)
{
    pthread_join(call->thread, NULL);
    pthread_mutex_destroy(&call->lock);
    pthread_cond_destroy(&call->ended_or_not);
    free(call);
}

const char *error_name(int error)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EAGAIN, "EAGAIN"}, {EPIPE, "EPIPE"}, {ECONNRESET, "ECONNRESET"}, {ECONNREFUSED, "ECONNREFUSED"}, {ETIMEDOUT, "ETIMEDOUT"},
        {EINTR, "EINTR"}, {ENOTCONN, "ENOTCONN"}, {EISCONN, "EISCONN"}, {EINPROGRESS, "EINPROGRESS"}, {EALREADY, "EALREADY"},
        {EINVAL, "EINVAL"}, {EBADF, "EBADF"}, {ECONNABORTED, "ECONNABORTED"}, {EDESTADDRREQ, "EDESTADDRREQ"}, {EOPNOTSUPP, "EOPNOTSUPP"},
        {ENOBUFS, "ENOBUFS"}, {ENOMEM, "ENOMEM"}, {EMSGSIZE, "EMSGSIZE"}, {ENOTSOCK, "ENOTSOCK"}, {EFAULT, "EFAULT"}, {ENOENT, "ENOENT"},
        {ENETUNREACH, "ENETUNREACH"}, {EHOSTUNREACH, "EHOSTUNREACH"}, {EADDRNOTAVAIL, "EADDRNOTAVAIL"}, {EACCES, "EACCES"},
        {EPERM, "EPERM"}, {ENODEV, "ENODEV"}, {ESHUTDOWN, "ESHUTDOWN"}, {EPROTOTYPE, "EPROTOTYPE"}, {EIO, "EIO"},
    };
    static _Thread_local char unnamed[24];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == error)
            return names[i].name;
    snprintf(unnamed, sizeof unnamed, "error %d", error);
    return unnamed;
}
