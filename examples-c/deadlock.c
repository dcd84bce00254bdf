/*
 * Two sides that each send a megabyte before they receive wait for each other for ever once the
 * buffers between them are full. Shown in blocking mode, where a watchdog has to end it, and cured
 * in three ways: by a timeout, by non-blocking mode and by threads.
 *
 *     cc deadlock.c -o deadlock -pthread $(pkg-config --cflags --libs libsock)
 *     ./deadlock
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

#define SIZE (1024 * 1024)

struct side {
    int fd;
    int finished; /* a socket that tells the watchdog */
    int (*exchange)(struct side *);
    int code; /* what the exchange came to */
    size_t sent, received;
    char out[SIZE], in[SIZE];
};

static struct side sides[2];

static void check(const char *what, int code)
{
    if (code < 0) {
        fprintf(stderr, "deadlock: %s: %s\n", what, sock_strerror(code));
        exit(EXIT_FAILURE);
    }
}

/* The mistake: both send all before either receives. */
static int all_at_once(struct side *s)
{
    int code = sock_sendall(s->fd, s->out, SIZE, 0, &s->sent);
    return code != 0 ? code : sock_recvall(s->fd, s->in, SIZE, 0, &s->received);
}

static int unfinished(const struct side *s)
{
    return s->sent < SIZE || s->received < SIZE;
}

static int not_yet(int code)
{
    return code == -ETIMEDOUT || code == -EAGAIN;
}

/* Sends, then receives, as much as the mode allows. The next turn goes on where a call stopped. */
static int take_turns(struct side *s)
{
    size_t part;
    int code = sock_sendall(s->fd, s->out + s->sent, SIZE - s->sent, 0, &part);
    s->sent += part;
    if (code < 0 && !not_yet(code))
        return code;
    code = sock_recvall(s->fd, s->in + s->received, SIZE - s->received, 0, &part);
    s->received += part;
    return not_yet(code) ? 0 : code;
}

/* Nobody waits for ever, and a call that runs out of time tells exactly how far it came. */
static int by_timeout(struct side *s)
{
    int code = sock_settimeout(s->fd, 0.02);
    while (code == 0 && unfinished(s))
        code = take_turns(s);
    return code;
}

/* Nobody waits for one thing alone. */
static int by_nonblocking(struct side *s)
{
    int code = sock_setblocking(s->fd, 0);
    while (code == 0 && unfinished(s)) {
        int wanted = (s->sent < SIZE ? POLLOUT : 0) | (s->received < SIZE ? POLLIN : 0);
        int ready = sock_wait(s->fd, wanted, LIBSOCK_FOREVER);
        code = ready < 0 ? ready : take_turns(s);
    }
    return code;
}

static void *send_out(void *side)
{
    struct side *s = side;
    s->code = sock_sendall(s->fd, s->out, SIZE, 0, &s->sent);
    return NULL;
}

/* One thread sends while the other receives. */
static int by_threads(struct side *s)
{
    pthread_t sender;
    int code = -pthread_create(&sender, NULL, send_out, s);
    if (code < 0)
        return code;
    code = sock_recvall(s->fd, s->in, SIZE, 0, &s->received);
    check("thread", -pthread_join(sender, NULL));
    return s->code < 0 ? s->code : code;
}

static void *run(void *side)
{
    struct side *s = side;
    s->code = s->exchange(s);
    check("send", (int)sock_send(s->finished, "", 1, 0));
    return NULL;
}

static void show(const char *name, int (*exchange)(struct side *))
{
    pthread_t threads[2];
    char marks[2];
    int pair[2], finished[2];
    check("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ? -errno : 0);
    check("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, finished) < 0 ? -errno : 0);
    for (int i = 0; i < 2; i++) {
        struct side *s = &sides[i];
        memset(s, 0, sizeof *s);
        memset(s->out, "ab"[i], SIZE);
        s->fd = pair[i];
        s->finished = finished[1];
        s->exchange = exchange;
        check("thread", -pthread_create(&threads[i], NULL, run, s));
    }
    double deadline = sock_deadline(exchange == all_at_once ? 0.5 : 30);
    int code = sock_recvall_until(finished[0], marks, sizeof marks, 0, NULL, deadline, -1);
    if (code < 0) /* The way out for threads that wait for each other: both get -EPIPE. */
        shutdown(pair[0], SHUT_RDWR);
    for (int i = 0; i < 2; i++)
        check("thread", -pthread_join(threads[i], NULL));

    printf("%-24s ", name);
    if (code == -ETIMEDOUT && exchange == all_at_once) {
        printf("deadlock: stuck at %zu and %zu bytes sent\n", sides[0].sent, sides[1].sent);
    } else {
        check("exchange", code);
        for (int i = 0; i < 2; i++) {
            check("exchange", sides[i].code);
            if (memcmp(sides[i].in, sides[1 - i].out, SIZE) != 0)
                check("exchange", -EBADMSG);
        }
        printf("done: %zu and %zu bytes exchanged\n", sides[0].received, sides[1].received);
    }
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(finished[i]);
    }
}

int main(void)
{
    printf("two sides that each send %d bytes to the other before they receive:\n", SIZE);
    show("blocking", all_at_once);
    show("cured by a timeout", by_timeout);
    show("cured by non-blocking", by_nonblocking);
    show("cured by threads", by_threads);
    return EXIT_SUCCESS;
}
