/* A deadline ends an operation, whatever keeps coming. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

/* A buffer larger than what can be moved in time, of the same memory again and again. */
static const size_t PIECE = 4 << 20, PIECES = sizeof(void *) == 8 ? 2048 : 128;

static char *endless(void)
{
    int fd = must(memfd_create("endless", MFD_CLOEXEC), "memfd_create");
    must(ftruncate(fd, (off_t)PIECE), "ftruncate");
    char *at = mmap(NULL, PIECE * PIECES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(at != MAP_FAILED);
    for (size_t i = 0; i < PIECES; i++)
        MUST(mmap(at + i * PIECE, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
    close(fd);
    return at;
}

static void *send_on(void *argument)
{
    static char bytes[64 << 10];
    int fd = *(int *)argument;
    while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        ;
    return NULL;
}

static void *receive_on(void *argument)
{
    static char room[256 << 10];
    int fd = *(int *)argument;
    while (recv(fd, room, sizeof room, 0) > 0)
        ;
    return NULL;
}

enum { SEND, RECEIVE, RECEIVE_PASSING, TRIES = 5 };

/* For how long the calling thread has kept a processor busy. */
static double busy(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A busy machine makes it late now and then, but not each time, and seldom makes it work for longer. */
static void meets_its_deadline(int what, const struct kind *kind, char *bytes, double timeout)
{
    static const char *const names[] = {"sock_sendall", "sock_recvall", "sock_recvall with MSG_TRUNC"};
    double least = 1e9, works[TRIES]; /* by how much it was later than a sleep, and how long it kept a processor busy */
    size_t moved = 0;
    for (int i = 0; i < TRIES; i++) {
        int ends[2];
        kind_pair(kind, ends);
        int size = 4 << 20;
        setsockopt(ends[what != SEND], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        setsockopt(ends[what == SEND], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        in_thread(what == SEND ? receive_on : send_on, &ends[1]);
        sleep_until(now() + 0.01);
        must(sock_settimeout(ends[0], timeout), "sock_settimeout");
        double begun = now(), idle = busy();
        int result = what == SEND ? sock_sendall(ends[0], bytes, PIECE * PIECES, 0, &moved)
                                  : sock_recvall(ends[0], bytes, PIECE * PIECES, what == RECEIVE ? 0 : MSG_TRUNC, &moved);
        double took = now() - begun, worked = busy() - idle;
        if (result != -ETIMEDOUT || took < timeout)
            fail("%s on %s: %s after %.4f s and %zu bytes", names[what], kind->name, error_text(result), took, moved);
        double late = took - timeout - clock_late(begun, now());
        least = late < least ? late : least;
        works[i] = worked;
        shutdown(ends[0], SHUT_RDWR);
        sleep_until(now() + 0.01);
        close(ends[0]);
        close(ends[1]);
    }
    qsort(works, TRIES, sizeof *works, ascending);
    if (least > 0.01 || works[TRIES / 2] > timeout + 0.01)
        fail("%s on %s: with %g s at least %.1f ms late, and busy for %.4f s in the middle", names[what], kind->name, timeout, least * 1e3,
             works[TRIES / 2]);
}

static void transfers(void)
{
    static const char *const all[] = {"tcp4", "mptcp4", "unix-stream", "vsock", "tipc-stream", NULL};
    static const double seconds[] = {0.01, 0.08};
    const char *const *next = all;
    char *bytes = endless();
    clock_setup();
    for (const struct kind *kind; (kind = next_kind(&next));)
        for (int i = 0; i < 2; i++) {
            meets_its_deadline(SEND, kind, bytes, seconds[i]);
            meets_its_deadline(RECEIVE, kind, bytes, seconds[i]);
            if (kind->domain == AF_INET && kind->protocol == 0)
                meets_its_deadline(RECEIVE_PASSING, kind, bytes, seconds[i]);
        }
}

static void pass(int number)
{
    (void)number;
}

static void *signal_on(void *argument)
{
    pthread_t *thread = argument;
    for (;;)
        pthread_kill(*thread, SIGUSR1);
    return NULL;
}

/* A signal is always pending: no sleep ever ends by itself. */
static void interrupted_sleeps(void)
{
    static const double seconds[] = {0.002, 0.1};
    struct sigaction action = {.sa_handler = pass, .sa_flags = SA_RESTART};
    must(sigaction(SIGUSR1, &action, NULL), "sigaction");
    pthread_t self = pthread_self();
    int unix_ends[2], tcp_ends[2], listener = kind_listener(kind_named("tcp4"), 1);
    kind_pair(kind_named("unix-stream"), unix_ends);
    kind_pair(kind_named("tcp4"), tcp_ends);
    int udp = kind_bound(kind_named("udp4"));
    char room[8];
    in_thread(signal_on, &self);
    in_thread(signal_on, &self);
    for (int i = 0; i < 2; i++) {
        struct {
            const char *name;
            int fd;
        } waits[] = {{"sock_recv on udp4", udp}, {"sock_recv on unix-stream", unix_ends[0]}, {"sock_recv on tcp4", tcp_ends[0]},
                     {"sock_accept on tcp4", listener}, {"sock_wait on udp4", udp}};
        for (size_t j = 0; j < sizeof waits / sizeof *waits; j++) {
            must(sock_settimeout(waits[j].fd, seconds[i]), "sock_settimeout");
            double begun = now();
            long result = j == 4 ? sock_wait(udp, 1, seconds[i])
                                 : j == 3 ? sock_accept(listener, NULL, NULL) : sock_recv(waits[j].fd, room, sizeof room, 0);
            double took = now() - begun;
            if (result != -ETIMEDOUT || took < seconds[i] || took > seconds[i] + 0.25)
                fail("%s with %.3f s: %s after %.4f s", waits[j].name, seconds[i], error_text(result), took);
        }
    }
}

const struct test floods[] = {
    {"a peer that keeps up carries no transfer past its deadline", transfers, false},
    {"signals without end carry no wait past its deadline", interrupted_sleeps, false},
    {NULL, NULL, false},
};
