/* What functions tell, in small. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sock.h>

/* A descriptor is passed, and received with the flags and in the mode. */
static void receive_descriptor(int flags, double timeout, bool late)
{
    int ends[2];
    kind_pair(kind_named("unix-stream"), ends);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &(int){STDOUT_FILENO}, sizeof(int));
    pid_t child = -1;
    if (late && (child = must(fork(), "fork")) == 0) {
        sleep_until(now() + 0.05);
        _exit(sendmsg(ends[1], &message, 0) == 1 ? 0 : 1);
    }
    if (!late)
        must((int)sendmsg(ends[1], &message, 0), "sendmsg");
    must(sock_settimeout(ends[0], timeout), "sock_settimeout");
    message.msg_controllen = sizeof control;
    message.msg_flags = -1;
    ssize_t result = sock_recvmsg(ends[0], &message, flags);
    int fd = -1;
    if (result == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    if (fd < 0)
        fail("no descriptor came: %s", error_text(result));
    if (message.msg_flags != (flags & MSG_CMSG_CLOEXEC))
        fail("with flags %#x msg_flags are %#x", (unsigned)flags, (unsigned)message.msg_flags);
    if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
        fail("the descriptor is not close-on-exec");
    close(fd);
}

static void message_flags(void)
{
    for (int asked = 0; asked < 2; asked++) {
        receive_descriptor(asked ? MSG_CMSG_CLOEXEC : 0, 5, false);
        receive_descriptor(asked ? MSG_CMSG_CLOEXEC : 0, 5, true);
        receive_descriptor(asked ? MSG_CMSG_CLOEXEC : 0, 0.003 * 100, true);
        receive_descriptor((asked ? MSG_CMSG_CLOEXEC : 0) | MSG_WAITALL, LIBSOCK_FOREVER, true);
    }
    receive_descriptor(MSG_DONTWAIT, 5, false);
    receive_descriptor(0, 0, false);
}

static void star(void)
{
    int dialed = sock_dial("*", "9", 1), listening = sock_listen("*", "0", 1);
    if (dialed != -LIBSOCK_EAI_NONAME || listening != -LIBSOCK_EAI_NONAME)
        fail("sock_dial: %d, sock_listen: %d", dialed, listening);
}

static void strings(void)
{
    for (int i = 0; i < 6000; i++)
        if (strcmp(sock_strerror(i), "Success") != 0)
            fail("%d is \"%s\"", i, sock_strerror(i));
    if (strcmp(sock_strerror(-ENOENT), "Success") == 0 || strcmp(sock_strerror(-ENOENT), sock_strerror(-EIO)) == 0)
        fail("-ENOENT is \"%s\"", sock_strerror(-ENOENT));
}

const struct test results[] = {
    {"msg_flags tell of no flag that was not asked for", message_flags, false},
    {"a star is no host", star, false},
    {"a count is no error", strings, false},
    {NULL, NULL, false},
};
