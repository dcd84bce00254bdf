/*
 * One socketpair, the three modes side by side: what a receive answers in each, and how long it took.
 *
 *     cc modes.c -o modes -pthread $(pkg-config --cflags --libs libsock)
 *     ./modes
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

#define LATE 0.2 /* seconds after which the message of the second round is sent */

static const struct mode {
    const char *name;
    double seconds;
} modes[] = {
    {"blocking", LIBSOCK_FOREVER},
    {"non-blocking", 0},
    {"timeout 0.1 s", 0.1},
};

static ssize_t check(const char *what, ssize_t code)
{
    if (code < 0) {
        fprintf(stderr, "modes: %s: %s\n", what, sock_strerror(code));
        exit(EXIT_FAILURE);
    }
    return code;
}

static void greet(int fd)
{
    check("send", sock_send(fd, "hello", 5, 0));
}

static void *greet_late(void *fd)
{
    sock_wait_until(-1, 0, sock_deadline(LATE), -1); /* It only sleeps. */
    greet(*(int *)fd);
    return NULL;
}

/* Receives once, prints how that went, and returns how many bytes came. */
static ssize_t show(const char *what, const char *mode, int fd)
{
    char text[16];
    double start = sock_deadline(0);
    ssize_t received = sock_recv(fd, text, sizeof text, 0);
    double took = sock_deadline(0) - start;

    if (received < 0)
        printf("%-24s %-15s %-24s", what, mode, sock_strerror(received));
    else
        printf("%-24s %-15s %zd %-22s", what, mode, received, "bytes");
    printf(" %7.1f ms\n", took * 1e3);
    return received;
}

int main(void)
{
    const size_t count = sizeof modes / sizeof *modes;
    int pair[2];
    check("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ? -errno : 0);

    printf("%-24s %-15s %-24s %10s\n", "when", "mode", "sock_recv says", "after");
    for (size_t i = 0; i < count; i++) {
        check("settimeout", sock_settimeout(pair[0], modes[i].seconds));
        greet(pair[1]);
        show(i == 0 ? "a message is there" : "", modes[i].name, pair[0]);
    }
    for (size_t i = 0; i < count; i++) {
        pthread_t peer;
        check("settimeout", sock_settimeout(pair[0], modes[i].seconds));
        check("thread", -pthread_create(&peer, NULL, greet_late, &pair[1]));
        ssize_t received = show(i == 0 ? "one comes after 200 ms" : "", modes[i].name, pair[0]);
        check("thread", -pthread_join(peer, NULL));
        if (received < 0) { /* The socket is still good, and the message has come by now. */
            char text[16];
            check("receive", sock_recv(pair[0], text, sizeof text, 0));
        }
    }

    close(pair[0]);
    close(pair[1]);
    return EXIT_SUCCESS;
}
