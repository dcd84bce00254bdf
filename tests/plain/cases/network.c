/* What the network says: no local port is left, and its own time that runs out. */
#include "cases.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

static void no_port(void)
{
    static const double modes[] = {0, 0.001, 0.4, 30, INFINITY};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1};
    static char large[4000];
    no_local_port();
    for (int how = 0; how < 3; how++)
        for (int i = 0; i < 5; i++) {
            int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
            must(sock_settimeout(fd, modes[i]), "sock_settimeout");
            double begun = now();
            ssize_t result = how == 0   ? sock_sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to)
                             : how == 1 ? sock_sendto(fd, large, sizeof large, 0, (struct sockaddr *)&to, sizeof to)
                                        : sock_sendmsg(fd, &message, 0);
            double took = now() - begun;
            if (result != -EAGAIN || took > 0.2)
                fail("with %g s: %s after %.3f s", modes[i], error_text(result), took);
            close(fd);
        }
}

enum call { RECV, RECVFROM, RECVMSG, RECVALL, SEND, SEND_LARGE, SENDTO, SENDMSG, SENDALL, SENDALL_LARGE, CALLS };
static const char *const call_names[] = {"recv", "recvfrom", "recvmsg", "recvall", "send", "send of 64 KiB", "sendto", "sendmsg", "sendall", "sendall of 64 KiB"};

static long call(enum call call, int fd, char *bytes)
{
    struct iovec part = {bytes, 100};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    size_t count;
    switch (call) {
    case RECV: return sock_recv(fd, bytes, 100, 0);
    case RECVFROM: return sock_recvfrom(fd, bytes, 100, 0, NULL, NULL);
    case RECVMSG: return sock_recvmsg(fd, &message, 0);
    case RECVALL: return sock_recvall(fd, bytes, 100, 0, &count);
    case SEND: return sock_send(fd, bytes, 100, 0);
    case SEND_LARGE: return sock_send(fd, bytes, 64 << 10, 0);
    case SENDTO: return sock_sendto(fd, bytes, 100, 0, NULL, 0);
    case SENDMSG: return sock_sendmsg(fd, &message, 0);
    case SENDALL: return sock_sendall(fd, bytes, 100, 0, &count);
    default: return sock_sendall(fd, bytes, 64 << 10, 0, &count);
    }
}

static void pass(int number)
{
    (void)number;
}

struct dead {
    const struct kind *kind;
    enum call call;
    double timeout;
    bool signalled;
    pthread_t thread;
    char why[300];
};

/* A connection whose peer answers no more. */
static int dead_connection(const struct kind *kind, bool full)
{
    static char bytes[64 << 10];
    int ends[2];
    unsigned patience = 700;
    kind_pair(kind, ends);
    must(setsockopt(ends[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience), "TCP_USER_TIMEOUT");
    cut_off(ends[1]);
    must((int)send(ends[0], bytes, 1, 0), "send");
    while (full && send(ends[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    return ends[0];
}

static void *lose(void *argument)
{
    struct dead *dead = argument;
    char bytes[64 << 10], room[1];
    /* The plain call's word for it, which shows that the scene is the right one. */
    int control = dead_connection(dead->kind, dead->call >= SEND), fd = dead_connection(dead->kind, dead->call >= SEND);
    must(sock_settimeout(fd, dead->timeout), "sock_settimeout");
    double begun = now();
    long result = call(dead->call, fd, bytes), next = recv(fd, room, 1, MSG_DONTWAIT);
    double took = now() - begun;
    next = next < 0 ? -errno : next;
    sleep_until(begun + 3);
    long plain = recv(control, room, 1, MSG_DONTWAIT);
    plain = plain < 0 ? -errno : plain;
    if (plain != -ETIMEDOUT)
        snprintf(dead->why, sizeof dead->why, "the plain call says %s", error_text(plain));
    else if (result != -ECONNABORTED || next != 0)
        snprintf(dead->why, sizeof dead->why, "%s, timeout %g%s: %s after %.3f s, and then %s", call_names[dead->call], dead->timeout,
                 dead->signalled ? ", after a signal" : "", error_text(result), took, error_text(next));
    return NULL;
}

/* TCP_USER_TIMEOUT runs out: the connection is lost, which the caller's own timeout never means. */
static void lost(void)
{
    static struct dead all[2 * CALLS * 3];
    static const char *const names[] = {"tcp4", "tcp6", NULL};
    struct sigaction action = {.sa_handler = pass, .sa_flags = SA_RESTART};
    must(sigaction(SIGUSR1, &action, NULL), "sigaction");
    const char *const *next = names;
    int count = 0;
    for (const struct kind *kind; (kind = next_kind(&next));)
        for (int call = 0; call < CALLS; call++)
            for (int how = 0; how < 3; how++)
                all[count++] = (struct dead){.kind = kind, .call = (enum call)call, .timeout = how == 0 ? INFINITY : 20, .signalled = how == 2};
    for (int i = 0; i < count; i++)
        MUST(pthread_create(&all[i].thread, NULL, lose, &all[i]) == 0);
    sleep_until(now() + 0.3);
    for (int i = 0; i < count; i++)
        if (all[i].signalled)
            pthread_kill(all[i].thread, SIGUSR1);
    for (int i = 0; i < count; i++)
        pthread_join(all[i].thread, NULL);
    for (int i = 0; i < count; i++)
        if (*all[i].why)
            fail("%s on %s", all[i].why, all[i].kind->name);
    found("%d scenes", count);
}

/* sock_connect has one word for both. */
static void not_connected(void)
{
    const struct kind *kind = kind_named("tcp4");
    int listener = kind_listener(kind, 1), fd = kind_socket(kind), once = 1;
    unsigned patience = 500;
    struct address address = address_of(listener);
    cut_off(listener);
    must(setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &once, sizeof once), "TCP_SYNCNT");
    must(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience), "TCP_USER_TIMEOUT");
    must(sock_settimeout(fd, 30), "sock_settimeout");
    double begun = now();
    int result = sock_connect(fd, (struct sockaddr *)&address.storage, address.len);
    if (result != -ETIMEDOUT || now() - begun > 20)
        fail("%s after %.1f s", error_text(result), now() - begun);
}

const struct test network[] = {
    {"no local port is left: -EAGAIN at once in any mode", no_port, false},
    {"the network's time that runs out is not the caller's", lost, true},
    {"a connect that the network gives up is -ETIMEDOUT", not_connected, true},
    {NULL, NULL, false},
};
