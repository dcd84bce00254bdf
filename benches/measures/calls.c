/* An operation to count system calls of, while this thread alone is traced: OPERATION COUNT. The other end
   is served by plain calls in a process of its own. */
#include "../bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINES = 64, LARGE = 8 << 20, PART = 128 << 10, PAUSE = 5000000, SHORT_PAUSE = 2000000 };

static char data[LARGE];

/* The process at the other end, which ends when its work is done. */
static pid_t other_end(void work(int fd, int count), int fd, int count)
{
    /* Under a tracer the signal that it has ended would interrupt what is counted. */
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        work(fd, count);
        _exit(0);
    }
    return pid;
}

static void send_at_once(int fd, int count)
{
    for (int i = 0; i < count; i++)
        send_fully(fd, data, MESSAGE);
}

static void send_with_pauses(int fd, int count)
{
    for (int i = 0; i < count; i++) {
        sleep_until(now() + PAUSE);
        send_fully(fd, data, MESSAGE);
    }
}

/* The slower side, so that being traced, which takes time, changes nothing. */
static void send_large(int fd, int count)
{
    for (int i = 0; i < count * (LARGE / PART); i++) {
        sleep_until(now() + SHORT_PAUSE);
        send_fully(fd, data, PART);
    }
}

static void receive_large(int fd, int count)
{
    for (int i = 0; i < count * (LARGE / PART); i++) {
        sleep_until(now() + SHORT_PAUSE);
        receive_fully(fd, data, PART);
    }
}

static void connect_plainly(int fd, int count, int64_t pause)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    check(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    for (int i = 0; i < count; i++) {
        sleep_until(now() + pause);
        check(connect(socket(address.ss_family, SOCK_STREAM, 0), (struct sockaddr *)&address, len) == 0, "connect");
    }
}

static void connect_at_once(int fd, int count)
{
    connect_plainly(fd, count, 0);
}

static void connect_with_pauses(int fd, int count)
{
    connect_plainly(fd, count, PAUSE);
}

static void send_lines(int fd, int count)
{
    static char text[LINES * MESSAGE];
    memset(text, 'x', sizeof text);
    for (size_t i = MESSAGE - 1; i < sizeof text; i += MESSAGE)
        text[i] = '\n';
    for (int i = 0; i < count; i++)
        send_fully(fd, text, sizeof text);
}

static void answer_with_pauses(int fd, int count)
{
    for (int i = 0; i < count; i++) {
        receive_fully(fd, data, MESSAGE);
        sleep_until(now() + PAUSE);
        send_fully(fd, data, MESSAGE);
    }
}

static void receive(const struct peer *peer, void *socket, int count)
{
    for (int i = 0; i < count; i++)
        check(peer->recv(socket, data, MESSAGE) == MESSAGE, "recv");
}

static void transmit(const struct peer *peer, void *socket, int count)
{
    for (int i = 0; i < count; i++)
        check(peer->send(socket, data, MESSAGE) == MESSAGE, "send");
}

static void receive_all(const struct peer *peer, void *socket, int count)
{
    for (int i = 0; i < count; i++)
        check(recv_all(peer, socket, data, LARGE) == 0, "recvall");
}

static void transmit_all(const struct peer *peer, void *socket, int count)
{
    for (int i = 0; i < count; i++)
        check(send_all(peer, socket, data, LARGE) == 0, "sendall");
}

static void set_another_timeout(const struct peer *peer, void *socket, int count)
{
    for (int i = 0; i < count; i++)
        check(peer->settimeout(socket, i % 2 ? TIMEOUT : TIMEOUT / 2) == 0, "settimeout");
}

static void set_same_timeout(const struct peer *peer, void *socket, int count)
{
    for (int i = 0; i < count; i++)
        check(peer->settimeout(socket, TIMEOUT) == 0, "settimeout");
}

static void request_all(const struct peer *peer, void *socket, int count)
{
    static char request[MESSAGE];
    for (int i = 0; i < count; i++)
        check(do_exchange(peer, socket, request, data, MESSAGE) == 0, "request");
}

static void read_lines(const struct peer *peer, void *socket, int count)
{
    void *lines = opened_lines(peer, socket);
    for (int i = 0; i < count * LINES; i++)
        check(next_line(peer, lines) == MESSAGE, "line");
}

static void expire(const struct peer *peer, void *socket, int count)
{
    check(peer->settimeout(socket, 0.05) == 0, "settimeout");
    for (int i = 0; i < count; i++)
        check(peer->recv(socket, data, MESSAGE) < 0, "recv that should have expired");
}

static void accept_each(const struct peer *peer, void *accept(void *listener), void *socket, int count)
{
    for (int i = 0; i < count; i++) {
        void *connection = accept(socket);
        check(connection != NULL, "accept");
        peer->close(connection);
    }
}

static void accept_all(const struct peer *peer, void *socket, int count)
{
    accept_each(peer, peer->accept, socket, count);
}

static void accept_with_address(const struct peer *peer, void *socket, int count)
{
    check(peer->accept_from != NULL, "no address");
    accept_each(peer, peer->accept_from, socket, count);
}

/* As many are made, and closed, however few are connected. */
static void connect_all(const struct peer *peer, void *socket, int count)
{
    enum { MADE = 25 };
    void *sockets[MADE] = {NULL};
    struct sockaddr_in address;
    (void)socket;
    listener(&address);
    check(count <= MADE, "fewer connections");
    for (int i = 0; peer->create && i < MADE; i++)
        check((sockets[i] = peer->create(TIMEOUT)) != NULL, "socket");
    for (int i = 0; i < count; i++)
        check((sockets[i] = peer->connect(sockets[i], &address)) != NULL, "connect");
}

static const struct {
    const char *name;
    void (*run)(const struct peer *peer, void *socket, int count);
    void (*other)(int fd, int count);
    int other_goes_first, listens;
    const char *domain;
} operations[] = {
    {"recv-ready", receive, send_at_once, 1, 0, "unix"},
    {"recv-waiting", receive, send_with_pauses, 0, 0, "unix"},
    {"recv-expiring", expire, NULL, 0, 0, "unix"},
    {"send", transmit, NULL, 0, 0, "unix"},
    {"sendall-unix", transmit_all, receive_large, 0, 0, "unix"},
    {"sendall-tcp", transmit_all, receive_large, 0, 0, "tcp"},
    {"recvall", receive_all, send_large, 0, 0, "unix"},
    {"accept-ready", accept_all, connect_at_once, 1, 1, "tcp"},
    {"accept-waiting", accept_all, connect_with_pauses, 0, 1, "tcp"},
    {"connect", connect_all, NULL, 0, 0, "unix"},
    {"accept-unix", accept_with_address, connect_at_once, 1, 1, "unix"},
    {"settimeout", set_another_timeout, NULL, 0, 0, "unix"},
    {"settimeout-same", set_same_timeout, NULL, 0, 0, "unix"},
    {"request-ready", request_all, send_at_once, 1, 0, "unix"},
    {"request-waiting", request_all, answer_with_pauses, 0, 0, "unix"},
    {"lines", read_lines, send_lines, 1, 0, "unix"},
};

static int unix_listener(void)
{
    sa_family_t nameless = AF_UNIX; /* The kernel chooses a name. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(fd, (struct sockaddr *)&nameless, sizeof nameless) == 0 && listen(fd, 128) == 0, "listen");
    return fd;
}

void measure_calls(const struct peer *peer, char **arguments)
{
    int count = atoi(arguments[1]), fds[2];
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(operations[i].name, arguments[0]) != 0)
            continue;
        struct sockaddr_in address;
        pid_t other = 0;
        if (!operations[i].listens)
            pair(operations[i].domain, fds);
        else
            fds[0] = fds[1] = strcmp(operations[i].domain, "unix") == 0 ? unix_listener() : listener(&address);
        void *socket = opened(peer, fds[0]);
        if (operations[i].other)
            other = other_end(operations[i].other, fds[1], count);
        if (other && operations[i].other_goes_first)
            waitpid(other, NULL, 0);
        operations[i].run(peer, socket, count);
    }
}
