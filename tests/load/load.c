/*
 * Many descriptors and threads: sockets in pairs, in all modes, between which threads move numbered bytes, and
 * listeners to which they connect. Nothing may be lost or doubled, no wait may end early, and none be later than its
 * scheduling explains; in the end there is no more memory and no descriptor more.
 *
 * Each direction of a stream has a lock, taken by who sends or receives next, so that the order of the bytes is
 * known; a mode belongs to the socket, and is drawn anew as it goes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

enum { THREADS = 64, SPARE = 128, CHUNK = 16 << 10, LISTENERS = 8, LATENESSES = 1 << 20 };

/* A number for the n-th byte of a stream that the next stream does not have there. */
static unsigned char number(uint64_t stream, uint64_t at)
{
    uint64_t word = (at / 8 + stream * 0x10001) * 0x9E3779B97F4A7C15ULL;
    return (unsigned char)(word >> (56 - at % 8 * 4));
}

struct end {
    int fd;
    pthread_mutex_t sending, receiving;
    uint64_t sent, received; /* bytes that it sent, and that it received of its peer's */
};

static struct end *ends;
static int streams; /* ends, two to a pair: 2i and 2i + 1 */
static struct listener {
    int fd;
    struct sockaddr_storage addr;
    socklen_t len;
    _Atomic long accepted, connected;
} listeners[LISTENERS];

static _Atomic int stop;
static _Atomic long operations, timeouts, unready, early, moved, latenesses, controls;
static double late[LATENESSES], control[LATENESSES];

static _Noreturn void fail(const char *what, long code)
{
    printf("FAILED %s: %ld\n", what, code);
    fflush(stdout);
    _exit(1);
}

static void keep(double *where, _Atomic long *count, double seconds)
{
    long i = atomic_fetch_add(count, 1);
    if (i < LATENESSES)
        where[i] = seconds;
}

/* A timeout that ran out is never early; by how much it is late is compared with that of a plain ppoll. */
static void judge_wait(double begun, double timeout, long code)
{
    double took = now() - begun;
    operations++;
    if (code == -ETIMEDOUT) {
        timeouts++;
        if (took < timeout)
            early++;
        keep(late, &latenesses, took - timeout);
    } else if (code == -EAGAIN) {
        unready++;
    }
}

/* Short enough to be polled, of the kernel's share, long, none at all, and not at all. */
static double draw_mode(unsigned *seed)
{
    static const double draws[] = {0.0005, 0.002, 0.02, 0.05, 0.1, 30, 30, 0, 0};
    return draws[(unsigned)rand_r(seed) % (sizeof draws / sizeof *draws)];
}

static void check_unready(const char *what, long code)
{
    if (code != -EAGAIN && code != -ETIMEDOUT)
        fail(what, code);
}

/* Sends some from one end, or receives some at it, with a mode of the moment's drawing. The long and the blocking
   modes are for operations that can be done: what they wait for is there, or sure to come. */
static void send_some(struct end *end, unsigned *seed, unsigned char *bytes)
{
    if (pthread_mutex_trylock(&end->sending) != 0)
        return;
    size_t len = 1 + (size_t)rand_r(seed) % CHUNK, count = 0;
    uint64_t stream = (uint64_t)(end - ends);
    for (size_t i = 0; i < len; i++)
        bytes[i] = number(stream, end->sent + i);
    double timeout;
    must(sock_gettimeout(end->fd, &timeout), "sock_gettimeout");
    /* What none may be there to receive is not waited for without end. */
    int flags = timeout > 1 ? MSG_DONTWAIT : 0;
    struct iovec parts[2] = {{bytes, len / 3}, {bytes + len / 3, len - len / 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    double begun = now();
    long code;
    switch (rand_r(seed) % 3) {
    case 0: code = sock_send(end->fd, bytes, len, flags); break;
    case 1: code = sock_sendmsg(end->fd, &message, flags); break;
    default:
        code = sock_sendall(end->fd, bytes, len, flags, &count);
        if (code == 0 && count != len)
            fail("sock_sendall's count", (long)count);
        break;
    }
    judge_wait(begun, timeout, code);
    if (code < 0)
        check_unready("send", code);
    end->sent += code > 0 ? (size_t)code : count;
    pthread_mutex_unlock(&end->sending);
}

static int token;

static void receive_some(struct end *end, unsigned *seed, unsigned char *bytes, int last)
{
    if (last)
        pthread_mutex_lock(&end->receiving);
    else if (pthread_mutex_trylock(&end->receiving) != 0)
        return;
    struct end *peer = &ends[(end - ends) ^ 1];
    uint64_t stream = (uint64_t)(peer - ends);
    size_t len = 1 + (size_t)rand_r(seed) % CHUNK, count = 0;
    double timeout;
    must(sock_gettimeout(end->fd, &timeout), "sock_gettimeout");
    int flags = last || timeout > 1 ? MSG_DONTWAIT : 0;
    /* A deadline holds in every mode. Nobody cancels the token, which all share. */
    int until = !last && rand_r(seed) % 4 == 0;
    if (until) {
        timeout = 0.002;
        flags = 0;
    }
    double begun = now();
    double deadline = sock_deadline(timeout);
    long code;
    switch (rand_r(seed) % 3 + 3 * until) {
    case 0: code = sock_recv(end->fd, bytes, len, flags); break;
    case 1: code = sock_recvfrom(end->fd, bytes, len, flags, NULL, NULL); break;
    case 2: code = sock_recvall(end->fd, bytes, len, flags, &count); break;
    case 3: code = sock_recv_until(end->fd, bytes, len, flags, deadline, token); break;
    case 4: code = sock_recvall_until(end->fd, bytes, len, flags, &count, deadline, token); break;
    default:
        code = sock_recvdelim_until(end->fd, bytes, len, &count, "\n", 1, deadline, token);
        if (code == -EMSGSIZE) /* There is no line, and the bytes are as good. */
            code = (long)count;
        break;
    }
    judge_wait(begun, timeout, code);
    if (code < 0)
        check_unready("receive", code);
    size_t got = count > 0 ? count : code > 0 ? (size_t)code : 0; /* Behind a line there may be more. */
    for (size_t i = 0; i < got; i++)
        if (bytes[i] != number(stream, end->received + i))
            fail("a byte lost, doubled or changed, at", (long)(end->received + i));
    end->received += got;
    moved += (long)got;
    pthread_mutex_unlock(&end->receiving);
}

/* The blocking and the long mode in earnest: what is asked for has been sent before, or is by another thread. */
static void receive_what_comes(struct end *end, unsigned *seed, unsigned char *bytes)
{
    struct end *peer = &ends[(end - ends) ^ 1];
    if (pthread_mutex_trylock(&end->receiving) != 0)
        return;
    if (pthread_mutex_trylock(&peer->sending) == 0) {
        size_t len = 1 + (size_t)rand_r(seed) % 1024, count = 0;
        double before;
        must(sock_gettimeout(end->fd, &before), "sock_gettimeout");
        must(sock_settimeout(end->fd, rand_r(seed) % 2 ? INFINITY : 30), "sock_settimeout");
        uint64_t waiting = peer->sent - end->received;
        for (size_t i = 0; i < len; i++)
            bytes[i] = number((uint64_t)(peer - ends), peer->sent + i);
        long code = sock_sendall(peer->fd, bytes, len, MSG_DONTWAIT, &count);
        if (code < 0)
            check_unready("sock_sendall", code);
        peer->sent += count;
        waiting += count;
        size_t wanted = waiting < CHUNK ? (size_t)waiting : CHUNK;
        pthread_mutex_unlock(&peer->sending);
        code = sock_recvall(end->fd, bytes, wanted, 0, &count);
        operations++;
        if (code != 0 || count != wanted)
            fail("sock_recvall of what was sent", code);
        for (size_t i = 0; i < count; i++)
            if (bytes[i] != number((uint64_t)(peer - ends), end->received + i))
                fail("a byte lost, doubled or changed, at", (long)(end->received + i));
        end->received += count;
        moved += (long)count;
        must(sock_settimeout(end->fd, before), "sock_settimeout");
    }
    pthread_mutex_unlock(&end->receiving);
}

/* A connection to a listener, by which whoever accepts it is sent a number and sends it back. */
static void connect_one(struct listener *listener)
{
    int fd = must(socket(listener->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    must(sock_settimeout(fd, 30), "sock_settimeout");
    int code = sock_connect(fd, (struct sockaddr *)&listener->addr, listener->len);
    if (code != 0)
        fail("sock_connect", code);
    uint64_t ticket = (uint64_t)atomic_fetch_add(&listener->connected, 1) * 0x9E3779B97F4A7C15ULL + 1, back = 0;
    if ((code = sock_sendall(fd, &ticket, sizeof ticket, 0, NULL)) != 0)
        fail("sock_sendall of a ticket", code);
    if ((code = sock_recvall(fd, &back, sizeof back, 0, NULL)) != 0 || back != ~ticket)
        fail("sock_recvall of a ticket", code);
    operations += 3;
    /* No port is kept waiting after its end. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
}

static void accept_one(struct listener *listener, double timeout)
{
    double begun = now();
    int fd = sock_accept(listener->fd, NULL, NULL);
    judge_wait(begun, timeout, fd);
    if (fd < 0) {
        check_unready("sock_accept", fd);
        return;
    }
    uint64_t ticket;
    int code = sock_recvall(fd, &ticket, sizeof ticket, 0, NULL);
    ticket = ~ticket;
    if (code != 0 || (code = sock_sendall(fd, &ticket, sizeof ticket, 0, NULL)) != 0)
        fail("echo of a ticket", code);
    listener->accepted++;
    operations += 2;
    close(fd);
}

static void *work(void *argument)
{
    size_t thread = (size_t)argument;
    unsigned seed = (unsigned)thread * 7919 + 1;
    unsigned char *bytes = malloc(CHUNK);
    while (!stop) {
        if (thread < LISTENERS) {
            accept_one(&listeners[thread], thread % 2 ? 0.005 : 0.1);
            continue;
        }
        struct end *end = &ends[(unsigned)rand_r(&seed) % (unsigned)streams];
        switch (rand_r(&seed) % 16) {
        case 0: connect_one(&listeners[(unsigned)rand_r(&seed) % LISTENERS]); break;
        case 1: {
            /* No thread waits on it meanwhile, or its time would be another. */
            if (pthread_mutex_trylock(&end->receiving) == 0) {
                if (pthread_mutex_trylock(&end->sending) == 0) {
                    must(sock_settimeout(end->fd, draw_mode(&seed)), "sock_settimeout");
                    pthread_mutex_unlock(&end->sending);
                }
                pthread_mutex_unlock(&end->receiving);
            }
            break;
        }
        case 2: {
            double begun = now(), timeout = 0.003;
            int code = sock_wait(end->fd, POLLIN, timeout);
            judge_wait(begun, timeout, code);
            if (code < 0)
                check_unready("sock_wait", code);
            break;
        }
        case 3: case 4: {
            /* Modes of both ends are left alone while it sets its own. */
            if (pthread_mutex_trylock(&end->sending) == 0) {
                receive_what_comes(end, &seed, bytes);
                pthread_mutex_unlock(&end->sending);
            }
            break;
        }
        case 5: case 6: case 7: case 8: case 9: send_some(end, &seed, bytes); break;
        default: receive_some(end, &seed, bytes, 0); break;
        }
    }
    free(bytes);
    return NULL;
}

/* How late a wait of this machine is by itself, at the same time. */
static void *measure_control(void *argument)
{
    while (!stop) {
        struct timespec span = {.tv_nsec = 2000000};
        double begun = now();
        ppoll(NULL, 0, &span, NULL);
        keep(control, &controls, now() - begun - 0.002);
    }
    return argument;
}

static double at_rank(double *values, long count, double rank)
{
    count = count < LATENESSES ? count : LATENESSES;
    return count == 0 ? 0 : values[(long)((double)(count - 1) * rank)];
}

static void make_pair(int i, unsigned *seed)
{
    int pair[2];
    if (i % 4 != 0) {
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    } else {
        struct sockaddr_in addr;
        socklen_t len = sizeof addr;
        int listener = listening(AF_INET, 1, &addr, &len);
        pair[0] = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(sock_connect(pair[0], (struct sockaddr *)&addr, len), "sock_connect");
        pair[1] = must(sock_accept(listener, NULL, NULL), "sock_accept");
        close(listener);
    }
    for (int side = 0; side < 2; side++) {
        struct end *end = &ends[2 * i + side];
        end->fd = pair[side];
        pthread_mutex_init(&end->sending, NULL);
        pthread_mutex_init(&end->receiving, NULL);
        must(sock_settimeout(end->fd, draw_mode(seed)), "sock_settimeout");
    }
}

static void make_listener(int i)
{
    struct listener *listener = &listeners[i];
    listener->len = sizeof listener->addr;
    listener->fd = listening(i % 2 ? AF_UNIX : AF_INET, 128, &listener->addr, &listener->len);
    must(sock_settimeout(listener->fd, i % 2 ? 0.005 : 0.1), "sock_settimeout");
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 6;
    int most = argc > 2 ? atoi(argv[2]) : 20000;
    struct rlimit limit;
    must(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    struct rlimit wanted = {(rlim_t)most + SPARE, (rlim_t)most + SPARE};
    if (wanted.rlim_max < limit.rlim_max)
        wanted.rlim_max = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &wanted) != 0) {
        wanted = (struct rlimit){limit.rlim_max, limit.rlim_max};
        must(setrlimit(RLIMIT_NOFILE, &wanted), "setrlimit");
        most = (int)limit.rlim_max - SPARE;
    }
    if (most < 512)
        fail("descriptors that may be had", most);
    streams = most / 2 * 2;
    ends = calloc((size_t)streams, sizeof *ends);
    /* Touched now, they do not count as growth. */
    memset(late, 1, sizeof late);
    memset(control, 1, sizeof control);
    unsigned seed = 1;
    for (int i = 0; i < streams / 2; i++)
        make_pair(i, &seed);
    for (int i = 0; i < LISTENERS; i++)
        make_listener(i);

    token = must(sock_token(), "sock_token");
    int open_before = descriptors();
    pthread_t workers[THREADS], controller;
    for (size_t i = 0; i < THREADS; i++)
        must(-pthread_create(&workers[i], NULL, work, (void *)i), "pthread_create");
    must(-pthread_create(&controller, NULL, measure_control, NULL), "pthread_create");
    double begun = now();
    usleep((useconds_t)(seconds / 4 * 1e6));
    long resident_before = resident();
    usleep((useconds_t)(seconds / 4 * 3 * 1e6));
    long resident_after = resident();
    /* Who connects may need one that accepts to the last. */
    stop = 1;
    for (size_t i = LISTENERS; i < THREADS; i++) {
        struct timespec soon;
        for (;;) {
            clock_gettime(CLOCK_REALTIME, &soon);
            soon.tv_nsec += 10000000;
            if (soon.tv_nsec >= 1000000000) {
                soon.tv_sec++;
                soon.tv_nsec -= 1000000000;
            }
            if (pthread_timedjoin_np(workers[i], NULL, &soon) == 0)
                break;
            for (int j = 0; j < LISTENERS; j++)
                accept_one(&listeners[j], j % 2 ? 0.005 : 0.1);
        }
    }
    for (size_t i = 0; i < LISTENERS; i++)
        pthread_join(workers[i], NULL);
    pthread_join(controller, NULL);
    double took = now() - begun;

    /* What is still under way arrives. */
    unsigned char *bytes = malloc(CHUNK);
    uint64_t sent = 0, received = 0;
    for (int i = 0; i < streams; i++) {
        struct end *end = &ends[i], *peer = &ends[i ^ 1];
        double deadline = now() + 10;
        while (end->received < peer->sent && now() < deadline)
            receive_some(end, &seed, bytes, 1);
        sent += peer->sent;
        received += end->received;
    }
    long accepted = 0, connected = 0;
    for (int i = 0; i < LISTENERS; i++) {
        accepted += listeners[i].accepted;
        connected += listeners[i].connected;
    }
    int open_after = descriptors();

    long waits = latenesses < LATENESSES ? latenesses : LATENESSES, others = controls < LATENESSES ? controls : LATENESSES;
    qsort(late, (size_t)waits, sizeof *late, ascending);
    qsort(control, (size_t)others, sizeof *control, ascending);
    double allowed = 1 + 2 * at_rank(control, others, 1);
    printf("descriptors %d\nthreads %d\nseconds %.1f\n", streams + LISTENERS, THREADS, took);
    printf("operations %ld\nbytes %ld\nconnections %ld\n", (long)operations, (long)moved, accepted);
    printf("timed out %ld\nnot ready %ld\nearly %ld\n", (long)timeouts, (long)unready, (long)early);
    printf("late ms %.3f median %.3f of 99%% %.3f most\n", at_rank(late, waits, 0.5) * 1e3, at_rank(late, waits, 0.99) * 1e3,
           at_rank(late, waits, 1) * 1e3);
    printf("control ms %.3f median %.3f of 99%% %.3f most\n", at_rank(control, others, 0.5) * 1e3,
           at_rank(control, others, 0.99) * 1e3, at_rank(control, others, 1) * 1e3);
    printf("resident KiB %ld before %ld after\n", resident_before, resident_after);
    printf("open %d before %d after\n", open_before, open_after);

    printf("result lost %s\n", sent == received && accepted == connected && received > 0 ? "nothing" : "something");
    printf("result early %s\n", early == 0 && timeouts > 0 ? "none" : "some");
    printf("result late %s\n", at_rank(late, waits, 1) <= allowed ? "none" : "some");
    printf("result memory %s\n", resident_after - resident_before <= 1024 ? "flat" : "grows");
    printf("result descriptors %s\n", open_before == open_after ? "none" : "leak");
    return 0;
}
