/*
 * Threads at work at once, for ThreadSanitizer: on sockets of their own, on shared ones whose mode others change,
 * and on numbers that are closed and used again meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sock.h>

#include "all_functions.h"

enum { SHARED = 4, OWN = 2, CHANGERS = 2, MOVERS = 3, REUSERS = 2, THREADS = OWN + CHANGERS + MOVERS + REUSERS };

static int shared[SHARED][2];
static _Atomic int finished;
static _Atomic long calls;
static double end;

/* A code that a call may give while others change the mode, or take the number for another socket. */
static void allow(const char *function, long code)
{
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    if (code >= 0 || code == -EAGAIN || code == -ETIMEDOUT || code == -EPIPE || code == -ECONNRESET || code == -EBADF ||
        code == -EINVAL || code == -EINTR)
        return;
    fprintf(stderr, "%s gave %ld\n", function, code);
    _exit(1);
}

/* The program's own descriptors and their reuse are racy by intention, and not looked at. */
static void reuse(int fd, int by)
{
    must((int)syscall(SYS_dup3, by, fd, O_CLOEXEC), "dup3");
}

static void *own(void *argument)
{
    (void)argument;
    struct room room;
    make_room(&room);
    room.others = 1;
    while (now() < end)
        for (int i = 2; i < MODES; i++) {
            exercise_all(&room, functions, modes[i], i % 2);
            exercise_all(&room, lookups, 30, i % 2);
        }
    atomic_fetch_add(&calls, room.checks);
    free_room(&room);
    return NULL;
}

static void *change(void *argument)
{
    unsigned seed = (unsigned)(size_t)argument;
    while (now() < end) {
        int fd = shared[rand_r(&seed) % SHARED][rand_r(&seed) % 2];
        double told = -1;
        allow("sock_settimeout", sock_settimeout(fd, modes[2 + rand_r(&seed) % (MODES - 2)]));
        allow("sock_gettimeout", sock_gettimeout(fd, &told));
        /* Of the modes that are set here, of a rebuilt timeout, or of a socket that is new. */
        if (!(told >= 0)) {
            fprintf(stderr, "a timeout of %g s\n", told);
            _exit(1);
        }
        allow("sock_setblocking", sock_setblocking(fd, 0));
        allow("sock_getblocking", sock_getblocking(fd));
        allow("sock_setinterrupt", sock_setinterrupt(fd, rand_r(&seed) % 2));
        allow("sock_getinterrupt", sock_getinterrupt(fd));
    }
    return NULL;
}

static void *move_bytes(void *argument)
{
    unsigned seed = (unsigned)(size_t)argument;
    char *bytes = calloc(1, 16384);
    while (now() < end) {
        int which = rand_r(&seed) % SHARED, fd = shared[which][rand_r(&seed) % 2];
        size_t len = 1 + (size_t)rand_r(&seed) % 16384, count = 0;
        struct iovec parts[2] = {{bytes, len / 2}, {bytes + len / 2, len - len / 2}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        switch (rand_r(&seed) % 10) {
        case 0: allow("sock_send", sock_send(fd, bytes, len, 0)); break;
        case 1: allow("sock_sendto", sock_sendto(fd, bytes, len, 0, NULL, 0)); break;
        case 2: allow("sock_sendmsg", sock_sendmsg(fd, &message, 0)); break;
        case 3: allow("sock_sendall", sock_sendall(fd, bytes, len, 0, &count)); break;
        case 4: allow("sock_wait", sock_wait(fd, POLLIN, 0.001)); break;
        case 5: allow("sock_recvmsg", sock_recvmsg(fd, &message, 0)); break;
        case 6: allow("sock_recvall", sock_recvall(fd, bytes, len, 0, &count)); break;
        case 7: allow("sock_recvfrom", sock_recvfrom(fd, bytes, len, 0, NULL, NULL)); break;
        default: allow("sock_recv", sock_recv(fd, bytes, len, 0)); break;
        }
    }
    free(bytes);
    return NULL;
}

/* Closes a socket while others use it, and puts another in its place. */
static void *replace(void *argument)
{
    unsigned seed = (unsigned)(size_t)argument;
    while (now() < end) {
        int fresh[2], *old = shared[rand_r(&seed) % SHARED];
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fresh), "socketpair");
        for (int i = 0; i < 2; i++) {
            allow("sock_settimeout", sock_settimeout(fresh[i], 0.002));
            reuse(old[i], fresh[i]);
            close(fresh[i]);
        }
    }
    return NULL;
}

/* Wakes those who wait without end, in a blocking mode that a new socket is in at first, until all are done. */
static void *wake(void *argument)
{
    (void)argument;
    while (!finished) {
        for (int i = 0; i < SHARED; i++)
            for (int side = 0; side < 2; side++) {
                char bytes[16384];
                syscall(SYS_sendto, shared[i][side], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
                if (now() > end)
                    syscall(SYS_recvfrom, shared[i][side], bytes, sizeof bytes, MSG_DONTWAIT, NULL, NULL);
            }
        usleep(2000);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    start_peer();
    end = now() + (argc > 1 ? atof(argv[1]) : 3);
    for (int i = 0; i < SHARED; i++) {
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, shared[i]), "socketpair");
        must(sock_setblocking(shared[i][0], 0) + sock_setblocking(shared[i][1], 0), "sock_setblocking");
    }
    pthread_t threads[THREADS], waker;
    must(-pthread_create(&waker, NULL, wake, NULL), "pthread_create");
    for (size_t i = 0; i < THREADS; i++) {
        void *(*role)(void *) = i < OWN ? own : i < OWN + CHANGERS ? change : i < OWN + CHANGERS + MOVERS ? move_bytes : replace;
        must(-pthread_create(&threads[i], NULL, role, (void *)(i + 1)), "pthread_create");
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    finished = 1;
    pthread_join(waker, NULL);
    printf("%ld calls of %d threads\n", (long)calls, THREADS);
    return 0;
}
