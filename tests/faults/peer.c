/* What happens at the other end. */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <sock.h>

#include "faults.h"

static const useconds_t LATE = 50000;
/* Milliseconds that what was said may take to come through. When a listener's queue was full as the last
   part of a handshake came, TCP begins that anew after a second. */
static const int MOMENT = 5000;

static int takes_all(const struct scene *scene)
{
    return is(scene->function, "recvall") || is(scene->function, "recvdelim");
}

static void give(const struct scene *scene, struct ends *ends, struct report *report, size_t bytes)
{
    static unsigned char buffer[65536];
    while (bytes > 0) {
        size_t part = has_messages(scene) ? 64 : bytes < sizeof buffer ? bytes : sizeof buffer;
        for (size_t i = 0; i < part; i++)
            buffer[i] = pattern(report->given + i);
        ssize_t sent = send(ends->peer, buffer, part, MSG_NOSIGNAL);
        MUST(sent > 0);
        report->given += (size_t)sent;
        bytes -= (size_t)sent;
    }
}

/* Takes what arrives until the subject closes, or leaves. */
static void take(const struct scene *scene, struct ends *ends, struct report *report)
{
    static unsigned char buffer[65536];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct pollfd entries[] = {{.fd = ends->peer, .events = POLLIN}, {.fd = ends->left[0], .events = POLLIN}};
    for (;;) {
        struct iovec part = {buffer, sizeof buffer};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        MUST(poll(entries, 2, -1) > 0);
        if (!(entries[0].revents) && has_messages(scene))
            return;
        if (!(entries[0].revents)) {
            entries[1].fd = -1; /* A stream has an end. */
            continue;
        }
        ssize_t received = recvmsg(ends->peer, &message, 0);
        MUST(received >= 0);
        if (received == 0)
            return;
        for (ssize_t i = 0; i < received; i++)
            report->arrived_intact &= buffer[i] == pattern(report->arrived + (size_t)i);
        report->arrived += (size_t)received;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_type == SCM_RIGHTS) {
            int fd;
            memcpy(&fd, CMSG_DATA(header), sizeof fd);
            close(fd);
            report->passed++;
        }
    }
}

static void connect_to(struct ends *ends, struct report *report, int *fd)
{
    *fd = socket(ends->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(*fd >= 0 && connect(*fd, (struct sockaddr *)&ends->to, ends->to_length) == 0);
    report->given++;
}

/* Accepts until the subject leaves, and counts the connections on which something is said. */
static void welcome(struct ends *ends, struct report *report)
{
    struct pollfd entries[16] = {{.fd = ends->peer, .events = POLLIN}, {.fd = ends->left[0], .events = POLLIN}};
    nfds_t count = 2;
    int patience = -1;
    while (poll(entries, count, patience) > 0) {
        if (entries[0].revents && count < sizeof entries / sizeof entries[0]) {
            entries[count].events = POLLIN;
            MUST((entries[count].fd = accept(ends->peer, NULL, NULL)) >= 0);
            count++;
        }
        for (nfds_t i = 2; i < count; i++) {
            char byte;
            if (entries[i].revents) {
                report->arrived += recv(entries[i].fd, &byte, 1, 0) == 1;
                entries[i].fd = -1;
            }
        }
        if (entries[1].revents) {
            entries[1].fd = -1;
            patience = MOMENT;
        }
        if (patience > 0 && report->arrived > 0)
            return;
    }
}

/* What makes the call ready. */
static void act(const struct scene *scene, struct ends *ends, struct report *report)
{
    report->acted_at = nanoseconds();
    if (receives(scene)) {
        /* More comes than the call may take. */
        size_t length = length_of(scene), all = takes_all(scene) ? length + 64 : 2 * length;
        give(scene, ends, report, all - report->given);
        await(ends->ended); /* What has come is not yet the end, whatever the call is told. */
        MUST(shutdown(ends->peer, SHUT_WR) == 0);
    } else if (sends(scene)) {
        take(scene, ends, report);
    } else if (connects(scene)) {
        welcome(ends, report);
    } else if (is(scene->function, "accept")) {
        int clients[2];
        for (int i = 0; i < 2; i++)
            connect_to(ends, report, &clients[i]);
    }
}

void peer(const struct scene *scene, struct ends *ends, struct report *report)
{
    if (is(scene->when, "ready")) {
        act(scene, ends, report);
    } else {
        if (takes_all(scene))
            give(scene, ends, report, length_of(scene) / 2);
        if (is(scene->when, "cancelled")) {
            await(ends->begun);
            usleep(LATE);
            report->cancelled_at = nanoseconds();
            MUST(sock_cancel(ends->token) == 0);
        }
        /* What never comes while the call waits comes when it has ended. */
        await(is(scene->when, "late") ? ends->begun : ends->ended);
        if (is(scene->when, "late"))
            usleep(LATE);
        act(scene, ends, report);
    }
    await(ends->left);
}
