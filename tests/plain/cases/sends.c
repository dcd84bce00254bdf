/* Blocking sends are one call of the kernel's, and a send is waited for once. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sock.h>

enum { HUGE = 64 << 20 };
static const char *const names[] = {"send", "sendto", "sendmsg"};

static long send_huge(bool plain, int how, int fd, char *bytes)
{
    struct iovec parts[2] = {{bytes, HUGE / 2}, {bytes + HUGE / 2, HUGE / 2}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    switch (how) {
    case 0: return plain ? send(fd, bytes, HUGE, MSG_NOSIGNAL) : sock_send(fd, bytes, HUGE, 0);
    case 1: return plain ? sendto(fd, bytes, HUGE, MSG_NOSIGNAL, NULL, 0) : sock_sendto(fd, bytes, HUGE, 0, NULL, 0);
    default: return plain ? sendmsg(fd, &message, MSG_NOSIGNAL) : sock_sendmsg(fd, &message, 0);
    }
}

/* Takes a part, and when the sender sleeps again it resets the connection. */
static void *reset_after_a_part(void *argument)
{
    static char room[1 << 20];
    int fd = *(int *)argument;
    for (size_t taken = 0; taken < sizeof room;) {
        ssize_t received = recv(fd, room, sizeof room, 0);
        taken += received > 0 ? (size_t)received : 0;
    }
    sleep_until(now() + 0.15);
    struct linger abort = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(fd);
    return NULL;
}

/* Whether a count came back, and what the next receives and the next send say. */
static void story(bool plain, const struct kind *kind, int how, char *bytes, char *text, size_t size)
{
    int ends[2];
    kind_pair(kind, ends);
    in_thread(reset_after_a_part, &ends[1]);
    long sent = send_huge(plain, how, ends[0], bytes);
    long next[3];
    for (int i = 0; i < 3; i++) {
        next[i] = i < 2 ? recv(ends[0], &(char){0}, 1, MSG_DONTWAIT) : send(ends[0], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        next[i] = next[i] < 0 ? -errno : next[i];
    }
    snprintf(text, size, "%s, then recv %s, recv %s, send %s", sent > 0 && sent < HUGE ? "a part" : error_text(sent), error_text(next[0]),
             error_text(next[1]), error_text(next[2]));
    close(ends[0]);
}

static void reset_after_part_of_a_send(void)
{
    static const char *const all[] = {"tcp4", "tcp6", "mptcp4", "unix-stream", "vsock", NULL};
    const char *const *next = all;
    char *bytes = calloc(1, HUGE), plain[300], libsock[300];
    int scenes = 0;
    for (const struct kind *kind; (kind = next_kind(&next));)
        for (int how = 0; how < 3; how++, scenes++) {
            story(true, kind, how, bytes, plain, sizeof plain);
            story(false, kind, how, bytes, libsock, sizeof libsock);
            if (strcmp(plain, libsock) != 0)
                fail("%s on %s: plain: %s; libsock: %s", names[how], kind->name, plain, libsock);
        }
    found("%d scenes", scenes);
}

static void *take_slowly(void *argument)
{
    static char room[256 << 10];
    int fd = *(int *)argument;
    while (recv(fd, room, sizeof room, 0) > 0)
        sleep_until(now() + 0.0001);
    return NULL;
}

/* How many notification numbers one send with MSG_ZEROCOPY uses. */
static long notifications(bool plain, int how)
{
    int ends[2], on = 1;
    size_t len = 2 << 20;
    char *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec parts[2] = {{bytes, len / 2}, {bytes + len / 2, len / 2}};
    struct msghdr gathered = {.msg_iov = parts, .msg_iovlen = 2};
    kind_pair(kind_named("tcp4"), ends);
    if (setsockopt(ends[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0)
        skip("SO_ZEROCOPY: %s", strerror(errno));
    in_thread(take_slowly, &ends[1]);
    ssize_t sent;
    if (how == 0)
        sent = plain ? send(ends[0], bytes, len, MSG_ZEROCOPY) : sock_send(ends[0], bytes, len, MSG_ZEROCOPY);
    else
        sent = plain ? sendmsg(ends[0], &gathered, MSG_ZEROCOPY) : sock_sendmsg(ends[0], &gathered, MSG_ZEROCOPY);
    if (sent != (ssize_t)len)
        fail("%s of %s with MSG_ZEROCOPY: %s", names[how * 2], plain ? "plain" : "libsock", error_text(sent < 0 && plain ? -errno : sent));
    long numbers = 0;
    for (double end = now() + 0.3; now() < end;) {
        char control[128];
        struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(ends[0], &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            sleep_until(now() + 0.005);
            continue;
        }
        struct sock_extended_err *error = (struct sock_extended_err *)CMSG_DATA(CMSG_FIRSTHDR(&message));
        if (error->ee_data + 1 > numbers)
            numbers = error->ee_data + 1;
    }
    close(ends[0]);
    return numbers;
}

static void one_notification(void)
{
    for (int how = 0; how < 2; how++) {
        long plain = notifications(true, how), libsock = notifications(false, how);
        if (plain == 0)
            skip("the plain call gives no notification");
        if (plain != libsock)
            fail("%s: plain: %ld, libsock: %ld", names[how * 2], plain, libsock);
    }
}

struct later {
    double moment;
    int fd;
};

static void *drain_later(void *argument)
{
    struct later *later = argument;
    static char room[4096];
    sleep_until(later->moment);
    while (recv(later->fd, room, sizeof room, MSG_DONTWAIT) > 0)
        ;
    return NULL;
}

/* There is no room in the sender's own buffer, and when there is, none in the receiver's queue. */
static void one_wait_of_sendto(void)
{
    const struct kind *kind = kind_named("unix-dgram");
    static char bytes[1000];
    const double timeout = 1;
    for (int how = 0; how < 3; how++) {
        int self = kind_bound(kind), other = kind_bound(kind), full = kind_bound(kind), crowd = kind_bound(kind), size = 4096;
        struct address to_other = address_of(other), to_full = address_of(full);
        must(setsockopt(self, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
        while (sendto(crowd, bytes, 10, MSG_DONTWAIT, (struct sockaddr *)&to_full.storage, to_full.len) > 0)
            ;
        while (sendto(self, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&to_other.storage, to_other.len) > 0)
            ;
        must(sock_settimeout(self, timeout), "sock_settimeout");
        double begun = now();
        struct later later = {begun + 0.72, other};
        in_thread(drain_later, &later);
        struct iovec part = {bytes, 100};
        struct msghdr message = {.msg_name = &to_full.storage, .msg_namelen = to_full.len, .msg_iov = &part, .msg_iovlen = 1};
        const struct sockaddr *to = (const struct sockaddr *)&to_full.storage;
        ssize_t result = how == 0   ? sock_sendto(self, bytes, 100, 0, to, to_full.len)
                         : how == 1 ? sock_sendto(self, bytes, sizeof bytes, 0, to, to_full.len)
                                    : sock_sendmsg(self, &message, 0);
        double took = now() - begun, late = clock_late(begun, now());
        if (result != -ETIMEDOUT || took < timeout || took > timeout + 0.05 + late)
            fail("%s after %.3f s, with a timeout of %.0f s", error_text(result), took, timeout);
        for (int i = 0; i < 4; i++)
            close((int[]){self, other, full, crowd}[i]);
    }
}

static void one_wait(void)
{
    clock_setup();
    one_wait_of_sendto();
}

const struct test sends[] = {
    {"a reset after part of a blocking send is left for the next call", reset_after_part_of_a_send, true},
    {"a blocking send with MSG_ZEROCOPY is one notification", one_notification, false},
    {"a datagram for a full queue from a full buffer is waited for once", one_wait, true},
    {NULL, NULL, false},
};
