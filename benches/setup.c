/* What the measures share: sockets, clocks, cores. */
#include "bench.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void die(const char *what)
{
    printf("fail %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(0);
}

void check(int ok, const char *what)
{
    if (!ok)
        die(what);
}

int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int64_t spent(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

void sleep_until(int64_t moment)
{
    struct timespec time = {.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
        ;
}

static int compare(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

void print_median(int64_t *batches, int count, int each)
{
    qsort(batches, (size_t)count, sizeof *batches, compare);
    printf("%.2f\n", (double)batches[count / 2] / each);
}

int listener(struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && bind(fd, (struct sockaddr *)address, len) == 0 && listen(fd, 128) == 0
              && getsockname(fd, (struct sockaddr *)address, &len) == 0,
          "listen");
    return fd;
}

void pair(const char *domain, int fds[2])
{
    if (strcmp(domain, "unix") == 0) {
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
        return;
    }
    struct sockaddr_in address;
    int listening = listener(&address), on = 1;
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(fds[0], (struct sockaddr *)&address, sizeof address) == 0, "connect");
    fds[1] = accept(listening, NULL, NULL);
    check(fds[1] >= 0, "accept");
    for (int i = 0; i < 2; i++)
        check(setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    close(listening);
}

void *opened(const struct peer *peer, int fd)
{
    void *socket = peer->open(fd);
    check(socket != NULL && peer->settimeout(socket, TIMEOUT) == 0, "settimeout");
    return socket;
}

int recv_all(const struct peer *peer, void *socket, void *data, size_t len)
{
    if (peer->recvall)
        return peer->recvall(socket, data, len);
    for (size_t done = 0; done < len;) {
        ssize_t more = peer->recv(socket, (char *)data + done, len - done);
        if (more <= 0)
            return more == 0 ? -EPIPE : (int)more;
        done += (size_t)more;
    }
    return 0;
}

int send_all(const struct peer *peer, void *socket, const void *data, size_t len)
{
    if (peer->sendall)
        return peer->sendall(socket, data, len);
    for (size_t done = 0; done < len;) {
        ssize_t more = peer->send(socket, (const char *)data + done, len - done);
        if (more < 0)
            return (int)more;
        done += (size_t)more;
    }
    return 0;
}

static cpu_set_t allowed;

static void find_allowed(void)
{
    check(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
}

void pin(int core)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_allowed);
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    for (int i = CPU_SETSIZE - 1; i >= 0; i--)
        if (CPU_ISSET(i, &allowed) && core-- == 0)
            CPU_SET(i, &chosen);
    check(sched_setaffinity(0, sizeof chosen, &chosen) == 0, "a second core to run on");
}

void send_signals(pid_t pid)
{
    int64_t start = now();
    for (int i = 1; i <= 1500 && kill(pid, SIGUSR1) == 0; i++)
        sleep_until(start + i * INT64_C(1000000));
}

void receive_fully(int fd, void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t more = recv(fd, (char *)data + done, len - done, MSG_WAITALL);
        check(more > 0, "recv");
        done += (size_t)more;
    }
}

void send_fully(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t more = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);
        check(more > 0, "send");
        done += (size_t)more;
    }
}
