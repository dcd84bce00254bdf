/* Another process, which sets the timeouts of sockets that it is sent. It is forked before there are threads. */
#include "cells.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include <sock.h>

static int there = -1;

static void serve(int from)
{
    for (;;) {
        double seconds;
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {&seconds, sizeof seconds};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != sizeof seconds || !CMSG_FIRSTHDR(&message))
            _exit(0);
        int fd, result;
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        result = sock_settimeout(fd, seconds);
        close(fd);
        send(from, &result, sizeof result, 0);
    }
}

void elsewhere_setup(void)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    pid_t parent = getpid();
    if (must(fork(), "fork") == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    there = ends[0];
}

void elsewhere_settimeout(int fd, double seconds)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&seconds, sizeof seconds};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    int result = -1;
    pthread_mutex_lock(&turn);
    must((int)sendmsg(there, &message, MSG_NOSIGNAL), "sendmsg");
    MUST(recv(there, &result, sizeof result, 0) == sizeof result && result == 0);
    pthread_mutex_unlock(&turn);
}
