/* A scene: the sockets that are there when an operation begins, and what happens to them. */
#include "cells.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

const char *const event_names[] = {
    [NOTHING] = "nothing", [READY] = "what it waits for", [HALF] = "half of what it waits for", [URGENT] = "urgent data",
    [OWN_RD] = "its own SHUT_RD", [OWN_WR] = "its own SHUT_WR", [OWN_RDWR] = "its own SHUT_RDWR",
    [PEER_RD] = "the peer's SHUT_RD", [PEER_WR] = "the peer's SHUT_WR", [PEER_RDWR] = "the peer's SHUT_RDWR",
    [CLOSED] = "the peer's close", [RESET] = "the peer's reset", [REFUSED] = "a refusal", [TAKEN] = "another thread takes it", [NOTED] = "an entry in its error queue",
    [CORRUPT] = "wrong checksums", [CORRUPT_READY] = "a wrong checksum, then a right one",
    [THREAD_LONGER] = "a longer timeout by a thread, then what it waits for",
    [THREAD_BLOCKING] = "blocking mode by a thread, then what it waits for",
    [THREAD_NONBLOCKING] = "non-blocking mode by a thread, then what it waits for",
    [PROCESS_LONGER] = "a longer timeout by a process, then what it waits for",
    [PROCESS_BLOCKING] = "blocking mode by a process, then what it waits for",
    [PROCESS_NONBLOCKING] = "non-blocking mode by a process, then what it waits for",
    [LONGER] = "a longer timeout, then nothing", [SHORTER] = "a shorter timeout, then nothing",
};

static unsigned char junk[64 << 10];

static void join_crowd(struct scene *scene, int fd)
{
    if (scene->crowd_size < (int)(sizeof scene->crowd / sizeof *scene->crowd))
        scene->crowd[scene->crowd_size++] = fd;
    else
        close(fd);
}

/* Sends until there is no room. TCP and SCTP move some on to the peer later. */
static size_t fill(const struct kind *kind, int fd)
{
    bool tcp = kind->traits & (TCP | TLS) || kind->protocol == IPPROTO_SCTP;
    size_t total = 0, chunk = kind->traits & STREAM ? sizeof junk : 1000, least = kind->traits & STREAM ? 1 : SMALL;
    for (int idle = 0; idle < (tcp ? 3 : 1);) {
        size_t before = total;
        for (size_t size = chunk; size > 0; size = size == chunk ? least : 0) {
            ssize_t sent;
            while ((sent = send(fd, junk, size, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
                total += (size_t)sent;
            MUST(errno == EAGAIN);
        }
        idle = total == before ? idle + 1 : tcp ? 0 : 1;
        if (tcp)
            sleep_until(now() + 0.004);
    }
    if (tcp) {
        /* In a buffer this much smaller, what still moves leaves no room. */
        int size = 4 << 10;
        must(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
    }
    return total;
}

static void drain(struct scene *scene)
{
    unsigned char room[64 << 10];
    ssize_t received;
    /* TCP has more to send once it is told of room, and a busy kernel leaves that to a thread of its own. */
    for (int i = 0; i < (scene->kind->traits & TCP ? 2 : 1); i++) {
        if (i > 0)
            sleep_until(now() + DELIVERY);
        while ((received = recv(scene->peer, room, sizeof room, MSG_DONTWAIT)) > 0)
            scene->filled -= (size_t)received;
    }
}

/* A listener that does not answer, and a client. Its queue is full, or it drops all packets. */
static void set_connecting(struct scene *scene, bool silent)
{
    const struct kind *kind = scene->kind;
    if (kind->traits & TCP && silent) {
        scene->peer = -1;
        scene->to = forge_silent(kind->domain);
        scene->self = must(kind_socket(kind), "socket");
        struct address own = scene->to; /* the same address for all clients, so that a port tells which it is */
        if (kind->domain == AF_INET)
            ((struct sockaddr_in *)&own.storage)->sin_port = 0;
        else
            ((struct sockaddr_in6 *)&own.storage)->sin6_port = 0;
        must(bind(scene->self, (struct sockaddr *)&own.storage, own.len), "bind");
        return;
    }
    scene->peer = kind->traits & LISTENS ? kind_listener(kind, silent ? 0 : 5) : kind_bound(kind);
    scene->to = address_of(scene->peer);
    scene->self = must(kind_socket(kind), "socket");
    while (silent) {
        int client = must(kind_socket(kind), "socket");
        must(fcntl(client, F_SETFL, O_NONBLOCK), "fcntl");
        if (connect(client, (struct sockaddr *)&scene->to.storage, scene->to.len) != 0) {
            close(client);
            return;
        }
        join_crowd(scene, client);
    }
}

void scene_set(struct scene *scene, const struct kind *kind, enum operation operation, bool full)
{
    *scene = (struct scene){.kind = kind, .operation = operation, .self = -1, .peer = -1};
    if (operation == ACCEPT) {
        scene->self = kind_listener(kind, 5);
        scene->to = address_of(scene->self);
    } else if (operation == CONNECT) {
        set_connecting(scene, full);
    } else {
        int ends[2];
        kind_pair(kind, ends);
        scene->self = ends[0];
        scene->peer = ends[1];
        if (!(kind->traits & (STREAM | TWINS)) && !(kind->traits & LISTENS))
            scene->to = address_of(scene->peer);
        scene->full = sends(operation) && full;
        if (scene->full)
            scene->filled = fill(kind, scene->self);
    }
}

/* Takes a connection before the operation does. A plain accept waits if that was quicker: then an alarm ends it. */
static bool take_connection(struct scene *scene)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
#ifdef sigev_notify_thread_id
    event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
#else
    event._sigev_un._tid = (int)syscall(SYS_gettid);
#endif
    must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    struct itimerspec soon = {.it_value.tv_nsec = 20000000, .it_interval.tv_nsec = 20000000};
    must(timer_settime(timer, 0, &soon, NULL), "timer_settime");
    join_crowd(scene, kind_client(scene->kind, &scene->to));
    int taken = accept4(scene->self, NULL, NULL, SOCK_CLOEXEC);
    timer_delete(timer);
    if (taken >= 0)
        join_crowd(scene, taken);
    return taken >= 0;
}

/* Another takes what the operation waits for, as soon as it is there. */
static bool take(struct scene *scene)
{
    if (receives(scene->operation)) {
        /* Who is woken must not go first where there is one processor. Without the right to ask for that, it may. */
        struct sched_param usual = {0}, first = {.sched_priority = 1};
        bool goes_first = sched_setscheduler(0, SCHED_FIFO, &first) == 0;
        must((int)send(scene->peer, junk, SMALL, MSG_NOSIGNAL), "send");
        bool taken = recv(scene->self, junk, SMALL, MSG_DONTWAIT) == SMALL;
        if (goes_first)
            must(sched_setscheduler(0, SCHED_OTHER, &usual), "sched_setscheduler");
        return taken;
    }
    if (scene->operation == ACCEPT)
        return take_connection(scene);
    if (scene->operation == CONNECT) {
        int accepted = must(accept4(scene->peer, NULL, NULL, SOCK_CLOEXEC), "accept");
        int client = must(kind_socket(scene->kind), "socket");
        must(fcntl(client, F_SETFL, O_NONBLOCK), "fcntl");
        int result = connect(client, (struct sockaddr *)&scene->to.storage, scene->to.len);
        join_crowd(scene, accepted);
        join_crowd(scene, client);
        return result == 0;
    }
    /* One message makes room for one. */
    ssize_t room = recv(scene->peer, junk, sizeof junk, MSG_DONTWAIT);
    return room > 0 && send(scene->self, junk, (size_t)room, MSG_DONTWAIT | MSG_NOSIGNAL) == room;
}

static bool make_ready(struct scene *scene)
{
    if (receives(scene->operation)) {
        must((int)send(scene->peer, junk, SMALL, MSG_NOSIGNAL), "send");
    } else if (scene->operation == ACCEPT) {
        join_crowd(scene, kind_client(scene->kind, &scene->to));
    } else if (scene->operation == CONNECT) {
        if (scene->kind->traits & TCP)
            forge_answer(scene->self, true);
        else
            join_crowd(scene, must(accept4(scene->peer, NULL, NULL, SOCK_CLOEXEC), "accept"));
    } else {
        drain(scene);
    }
    return true;
}

static void reset(struct scene *scene, int *fd)
{
    struct linger abort = {.l_onoff = 1};
    if (scene->kind->domain == AF_UNIX && scene->self != *fd)
        send(scene->self, junk, 10, MSG_DONTWAIT | MSG_NOSIGNAL); /* closing with it unread is a reset */
    else
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(*fd);
    *fd = -1;
}

static void refuse(struct scene *scene)
{
    if (scene->operation == CONNECT && scene->kind->traits & TCP && scene->peer < 0) {
        forge_answer(scene->self, false);
        return;
    }
    close(scene->peer);
    scene->peer = -1;
    if (scene->operation != CONNECT)
        send(scene->self, junk, 10, MSG_DONTWAIT | MSG_NOSIGNAL); /* ICMP answers */
}

/* The time at which it sends is put in its error queue. */
static void note(int fd)
{
    int what = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
    must(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &what, sizeof what), "SO_TIMESTAMPING");
    must((int)send(fd, junk, 1, MSG_NOSIGNAL), "send");
}

bool scene_change_mode(struct scene *scene, enum event event)
{
    bool is_thread = event >= THREAD_LONGER && event <= THREAD_NONBLOCKING, is_process = event >= PROCESS_LONGER && event <= PROCESS_NONBLOCKING;
    static const double modes[] = {2.5, INFINITY, 0};
    if (is_thread)
        must(sock_settimeout(scene->self, modes[event - THREAD_LONGER]), "sock_settimeout");
    if (is_process)
        elsewhere_settimeout(scene->self, modes[event - PROCESS_LONGER]);
    return is_thread || is_process;
}

bool scene_happen(struct scene *scene, enum event event)
{
    static const int how[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    switch (event) {
    case NOTHING:
    case LONGER: /* of modes the player knows */
    case SHORTER:
    case EVENTS:
        break;
    case READY:
    case THREAD_LONGER:
    case THREAD_BLOCKING:
    case THREAD_NONBLOCKING:
    case PROCESS_LONGER:
    case PROCESS_BLOCKING:
    case PROCESS_NONBLOCKING:
        return make_ready(scene);
    case HALF:
        must((int)send(scene->peer, junk, SMALL / 2, MSG_NOSIGNAL), "send");
        break;
    case URGENT:
        must((int)send(scene->peer, junk, 1, MSG_OOB | MSG_NOSIGNAL), "send");
        break;
    case OWN_RD:
    case OWN_WR:
    case OWN_RDWR:
        scene->denied = shutdown(scene->self, how[event - OWN_RD]) != 0 && errno == EBUSY;
        break;
    case PEER_RD:
    case PEER_WR:
    case PEER_RDWR:
        shutdown(scene->peer, how[event - PEER_RD]);
        break;
    case CLOSED:
        close(scene->peer);
        scene->peer = -1;
        break;
    case RESET:
        if (scene->operation == ACCEPT) {
            int client = kind_client(scene->kind, &scene->to);
            reset(scene, &client);
        } else {
            reset(scene, &scene->peer);
        }
        break;
    case REFUSED:
        refuse(scene);
        break;
    case TAKEN:
        return take(scene);
    case NOTED:
        note(scene->self);
        break;
    case CORRUPT_READY:
        forge_corrupt(scene->peer, scene->self, scene->kind->protocol);
        return make_ready(scene);
    case CORRUPT:
        forge_corrupt(scene->peer, scene->self, scene->kind->protocol);
        break;
    }
    return true;
}

void scene_strike(struct scene *scene)
{
    struct linger abort = {.l_onoff = 1}; /* no port is kept for a while */
    join_crowd(scene, scene->self);
    join_crowd(scene, scene->peer);
    for (int i = 0; i < scene->crowd_size; i++) {
        if (scene->crowd[i] < 0)
            continue;
        setsockopt(scene->crowd[i], SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
        close(scene->crowd[i]);
    }
}
