/*
 * Every function in every mode, ready, late or never, interrupted and misused, called by a confined thread.
 *
 *   scenarios PART PARTS                      nothing but what the table lists may be called
 *   scenarios PART PARTS withhold ROW         one row is missing: the first call of it ends the program with status 3
 *   scenarios PART PARTS refuse ROW ERROR     the calls of one row fail with an error number
 *
 * Scenarios mostly sleep, so that they are dealt out to PARTS processes; this one plays every PARTS-th from PART on.
 *
 * A call of the library ends as it always does or, if calls are refused, with the code of the refusal: in time,
 * without spinning, every byte and connection accounted for, and the mode as it was. Whatever else ends the
 * program with status 1. At the end it tells what was called, and what met with a refusal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sock.h>

#include "confined.h"
#include "harness.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { SMALL = 64, LARGE = 256 << 10, BUFFERS = 16 << 10 };

static const double SHORT = 0.002, SHARED = 0.05, LONG = 5, SLOWEST_TICK = 0.01;

enum call { SETBLOCKING, GETBLOCKING, SETTIMEOUT, GETTIMEOUT, SETINTERRUPT, GETINTERRUPT, SEND, SENDTO, SENDMSG, SENDALL,
            RECV, RECVFROM, RECVMSG, RECVALL, RECVDELIM, CONNECT, ACCEPT, WAIT, ADDRESS, NAME, STRERROR, VERSION, DEADLINE, TOKEN,
            CANCEL, CALLS };
static const char *const names[CALLS] = {
    "setblocking", "getblocking", "settimeout", "gettimeout", "setinterrupt", "getinterrupt", "send", "sendto", "sendmsg",
    "sendall", "recv", "recvfrom", "recvmsg", "recvall", "recvdelim", "connect", "accept", "wait", "address", "name", "strerror",
    "version", "deadline", "token", "cancel"};

enum kind { UNIX, TCP, DATAGRAM };
static const char *const kinds[] = {"unix", "tcp", "datagram"};

/* Whether a socket is ready before the call, during it, during it after a signal, for a part only, or not at all. */
enum when { READY, LATE, SIGNALLED, PARTLY, NEVER };
static const char *const whens[] = {"ready", "late", "signalled", "partly", "never"};

static struct scenario {
    enum call call;
    enum kind kind;
    enum when when;
    double mode;
    int interrupt;
    size_t length;
    int until; /* whether the form with a deadline and a token is called */
} scene;

static int fd, peer;               /* the socket of the call, and what makes it ready */
static struct sockaddr_storage to; /* where a datagram or a connection goes */
static socklen_t to_length;
static int events = POLLIN, flags;
static double seconds, got;
static char data[LARGE], junk[LARGE];
static size_t count;
static int called[CALLS][2], met[CALLS][2], scenarios, part, parts;
static int token; /* which nobody cancels */

static int is_ours(void)
{
    static int next;
    return next++ % parts == part;
}

static void explain_scene(void)
{
    dprintf(STDERR_FILENO, "in sock_%s%s, %s, %s, %g s, %s, %zu bytes\n", names[scene.call], scene.until ? "_until" : "", kinds[scene.kind], whens[scene.when],
            scene.mode, scene.interrupt ? "interruptible" : "uninterruptible", scene.length);
}

/* The call with a deadline and a token. */
static ssize_t call_until(void)
{
    static struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    struct iovec part = {data, scene.length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    const struct sockaddr *name = to_length > 0 ? (struct sockaddr *)&to : NULL;
    double deadline = scene.call == WAIT && isnan(seconds) ? NAN : sock_deadline(scene.mode);

    switch (scene.call) {
    case SEND:
        return sock_send_until(fd, data, scene.length, flags, deadline, token);
    case SENDTO:
        return sock_sendto_until(fd, data, scene.length, flags, name, to_length, deadline, token);
    case SENDMSG:
        message.msg_name = (void *)name;
        message.msg_namelen = to_length;
        return sock_sendmsg_until(fd, &message, flags, deadline, token);
    case SENDALL:
        return sock_sendall_until(fd, data, scene.length, flags, &count, deadline, token);
    case RECV:
        return sock_recv_until(fd, data, scene.length, flags, deadline, token);
    case RECVFROM:
        return sock_recvfrom_until(fd, data, scene.length, flags, (struct sockaddr *)&from, &from_length, deadline, token);
    case RECVMSG:
        return sock_recvmsg_until(fd, &message, flags, deadline, token);
    case RECVALL:
        return sock_recvall_until(fd, data, scene.length, flags, &count, deadline, token);
    case RECVDELIM:
        return sock_recvdelim_until(fd, data, scene.length, &count, "", 1, deadline, token);
    case CONNECT:
        return sock_connect_until(fd, (struct sockaddr *)&to, to_length, deadline, token);
    case ACCEPT:
        return sock_accept_until(fd, (struct sockaddr *)&from, &from_length, deadline, token);
    case WAIT:
        return sock_wait_until(fd, events, deadline, token);
    default:
        abort();
    }
}

/* The call, made by the confined thread. */
static ssize_t call(void)
{
    if (scene.until)
        return call_until();
    static struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    struct iovec part = {data, scene.length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    const struct sockaddr *name = to_length > 0 ? (struct sockaddr *)&to : NULL;

    switch (scene.call) {
    case SETBLOCKING:
        return sock_setblocking(fd, seconds != 0);
    case GETBLOCKING:
        return sock_getblocking(fd);
    case SETTIMEOUT:
        return sock_settimeout(fd, seconds);
    case GETTIMEOUT:
        return sock_gettimeout(fd, &got);
    case SETINTERRUPT:
        return sock_setinterrupt(fd, scene.interrupt);
    case GETINTERRUPT:
        return sock_getinterrupt(fd);
    case SEND:
        return sock_send(fd, data, scene.length, flags);
    case SENDTO:
        return sock_sendto(fd, data, scene.length, flags, name, to_length);
    case SENDMSG:
        message.msg_name = (void *)name;
        message.msg_namelen = to_length;
        return sock_sendmsg(fd, &message, flags);
    case SENDALL:
        return sock_sendall(fd, data, scene.length, flags, &count);
    case RECV:
        return sock_recv(fd, data, scene.length, flags);
    case RECVFROM:
        return sock_recvfrom(fd, data, scene.length, flags, (struct sockaddr *)&from, &from_length);
    case RECVMSG:
        return sock_recvmsg(fd, &message, flags);
    case RECVALL:
        return sock_recvall(fd, data, scene.length, flags, &count);
    case RECVDELIM: /* what is sent are zeros */
        return sock_recvdelim(fd, data, scene.length, &count, "", 1);
    case CONNECT:
        return sock_connect(fd, (struct sockaddr *)&to, to_length);
    case ACCEPT:
        return sock_accept(fd, (struct sockaddr *)&from, &from_length);
    case WAIT:
        return sock_wait(fd, events, seconds);
    case ADDRESS:
        return sock_address("fe80::1%2", "80", &from, &from_length);
    case NAME:
        return sock_name((struct sockaddr *)&to, to_length, data, sizeof data) < 0;
    case STRERROR:
        return sock_strerror(-EAGAIN)[0] == '\0';
    case VERSION:
        return sock_version()[0] == '\0';
    case DEADLINE:
        return sock_deadline(1) < 1;
    case TOKEN:
        return sock_token();
    case CANCEL:
        return sock_cancel(fd);
    default:
        abort();
    }
}

static int sends(void)
{
    return scene.call >= SEND && scene.call <= SENDALL;
}

static int receives(void)
{
    return scene.call >= RECV && scene.call <= RECVDELIM;
}

static int family(void)
{
    return scene.kind == TCP ? AF_INET : AF_UNIX;
}

/* Nothing makes the socket ready. */
static int stays_unready(void)
{
    return scene.when == NEVER || (scene.when == SIGNALLED && scene.interrupt);
}

static int with_small_buffers(int made)
{
    int size = BUFFERS;
    MUST(setsockopt(made, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    MUST(setsockopt(made, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
    return made;
}

static int open_socket(int type)
{
    return with_small_buffers(must(socket(family(), type | SOCK_CLOEXEC, 0), "socket"));
}

static int bound_socket(int type)
{
    to_length = sizeof to;
    return with_small_buffers(bound(family(), type, &to, &to_length));
}

static int listener(int backlog)
{
    int made = bound_socket(SOCK_STREAM);
    MUST(listen(made, backlog) == 0);
    return made;
}

/* Connects to the listener; not, if its queue is full. */
static int connected(void)
{
    int made = open_socket(SOCK_STREAM | SOCK_NONBLOCK);
    int result = connect(made, (struct sockaddr *)&to, to_length);
    MUST(result == 0 || errno == EINPROGRESS || errno == EAGAIN);
    if (poll_one(made, POLLOUT, result == 0 || family() == AF_UNIX ? 0 : 50) == POLLOUT)
        return made;
    close(made);
    return -1;
}

/* What was sent to the peer and has come: bytes, or messages of SMALL bytes. */
static size_t drain(int milliseconds)
{
    size_t bytes = 0;
    while (poll_one(peer, POLLIN, milliseconds)) {
        ssize_t received = recv(peer, junk, sizeof junk, MSG_DONTWAIT);
        if (received <= 0)
            break;
        bytes += (size_t)received;
    }
    return bytes;
}

/* Takes all room on the way to the peer; gives how many bytes that took. */
static size_t fill_way(void)
{
    if (scene.kind != DATAGRAM)
        return fill_socket(fd, 4096, NULL, 0);
    int named = scene.call != SEND && scene.call != SENDALL;
    return fill_socket(fd, SMALL, named ? &to : NULL, named ? to_length : 0);
}

static void feed(size_t bytes)
{
    static const char zeros[SMALL];
    for (size_t sent = 0; sent < bytes; sent += SMALL)
        MUST(send(peer, zeros, SMALL, MSG_DONTWAIT) == SMALL);
}

static int queue[64], queued;

static void make_ready(void)
{
    if (receives() || (scene.call == WAIT && events == POLLIN)) {
        feed(scene.call == RECVALL ? scene.length : SMALL);
    } else if (scene.call == ACCEPT) {
        peer = connected();
        MUST(peer >= 0);
    } else if (scene.call == CONNECT) {
        while (queued > 0)
            close(queue[--queued]);
        for (int made; (made = accept(peer, NULL, NULL)) >= 0;)
            close(made);
    }
}

static void set_up(void)
{
    count = 0;
    if (scene.call == ACCEPT) {
        fd = listener(4);
        peer = -1;
    } else if (scene.call == CONNECT) {
        peer = listener(scene.when == READY ? 4 : 0);
        MUST(fcntl(peer, F_SETFL, O_NONBLOCK) == 0);
        if (scene.when != READY)
            while (queued < 64 && (queue[queued] = connected()) >= 0)
                queued++;
        fd = open_socket(SOCK_STREAM);
    } else if (scene.kind == DATAGRAM) {
        int receiver = bound_socket(SOCK_DGRAM), sender = open_socket(SOCK_DGRAM);
        if (!sends() || scene.call == SEND || scene.call == SENDALL) {
            MUST(connect(sender, (struct sockaddr *)&to, to_length) == 0);
        }
        fd = sends() ? sender : receiver;
        peer = sends() ? receiver : sender;
    } else {
        int listening = listener(1);
        fd = connected();
        MUST(fd >= 0 && fcntl(fd, F_SETFL, 0) == 0);
        peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        MUST(peer >= 0);
        close(listening);
        to_length = 0;
    }
}

/* Has the call made, and gives its code, once time, processor time and errno have been judged. */
static ssize_t judged(double start, double busy, ssize_t expected)
{
    ssize_t result;
    MUST(ended(LONG * 3, &result));
    double took = now() - start, spent = used() - busy;
    called[scene.call][scene.until]++;
    scenarios++;
    MUST(spent <= took / 2 + 0.02);
    int patient = expected == -ETIMEDOUT || scene.when == LATE || scene.when == SIGNALLED;
    MUST(took <= (expected == -ETIMEDOUT ? scene.mode : 0) + (patient ? 2 : 1.5));
    if (refused >= 0 && result == -refusal && result != expected) {
        met[scene.call][scene.until]++;
        return result;
    }
    if (result == -ETIMEDOUT)
        MUST(took >= scene.mode);
    if (expected >= 0 ? result < 0 : result != expected) {
        dprintf(STDERR_FILENO, "%zd where %zd was expected\n", result, expected);
        give_up(__FILE__, __LINE__, "the code");
    }
    return result;
}

static ssize_t expected(void)
{
    if (scene.when == SIGNALLED && scene.interrupt)
        return -EINTR;
    if (scene.when < PARTLY || (scene.when == PARTLY && scene.call != RECVALL && scene.call != SENDALL))
        return 0;
    if (scene.mode != 0)
        return -ETIMEDOUT;
    return scene.call == CONNECT && scene.kind == TCP ? -EINPROGRESS : -EAGAIN;
}

/* Everything that was sent before or by the call has arrived, once, and nothing else. */
static void account_for_sent(size_t before, size_t drained, ssize_t result)
{
    size_t sent = scene.call == SENDALL ? count : result > 0 ? (size_t)result : 0;
    MUST(scene.call != SENDALL || result != 0 || count == scene.length);
    close(fd);
    fd = -1;
    MUST(drained + drain(scene.kind == TCP ? 1000 : 0) == before + sent);
}

/* Everything that was fed and not received is still there. */
static void account_for_received(ssize_t result)
{
    size_t fed = stays_unready() ? 0 : scene.call == RECVALL && scene.when != PARTLY ? scene.length : SMALL;
    size_t received = scene.call >= RECVALL ? count : result > 0 ? (size_t)result : 0;
    MUST(scene.call != RECVALL || result != 0 || count == scene.length);
    while (received < fed) {
        ssize_t more = recv(fd, junk, sizeof junk, MSG_DONTWAIT);
        MUST(more > 0);
        received += (size_t)more;
    }
    MUST(received == fed && recv(fd, junk, sizeof junk, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static void account_for_connection(ssize_t result)
{
    if (scene.call == ACCEPT && !stays_unready()) {
        MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
        int accepted = result >= 0 ? (int)result : accept(fd, NULL, NULL);
        MUST(accepted >= 0 && send(peer, "!", 1, MSG_DONTWAIT) == 1 && poll_one(accepted, POLLIN, 1000) == POLLIN);
        MUST(accept(fd, NULL, NULL) == -1 && errno == EAGAIN);
        close(accepted);
    } else if (scene.call == CONNECT && result == 0) {
        int accepted = accept(peer, NULL, NULL);
        while (accepted >= 0 && send(accepted, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 && !poll_one(fd, POLLIN, 0)) {
            close(accepted);
            accepted = accept(peer, NULL, NULL);
        }
        MUST(poll_one(fd, POLLIN, 1000) != 0);
        close(accepted);
    }
}

static void interrupt(int number)
{
    (void)number;
}

/* One call on a fresh socket, from beginning to end. */
static void play(struct scenario scenario)
{
    size_t before = 0, drained = 0;
    double busy = used();
    ssize_t result;
    if (!is_ours())
        return;
    scene = scenario;
    set_up();
    MUST(sock_setinterrupt(fd, scene.interrupt) == 0 && sock_settimeout(fd, scene.call == WAIT ? INFINITY : scene.mode) == 0);
    seconds = scene.mode;
    if ((sends() || (scene.call == WAIT && events == POLLOUT)) && scene.when != READY && scene.when != PARTLY)
        before = fill_way();
    if (receives() && scene.when == PARTLY)
        feed(SMALL);
    if (scene.when == READY) {
        make_ready();
        if (receives() || scene.call == ACCEPT)
            MUST(poll_one(fd, POLLIN, 1000) == POLLIN);
        if (scene.call == CONNECT && scene.kind == TCP && scene.mode < LONG) {
            /* A connection that is not waited for is never made at once; the second call finds it made. */
            MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
            connect(fd, (struct sockaddr *)&to, to_length);
            MUST(poll_one(fd, POLLOUT, 1000) == POLLOUT && sock_settimeout(fd, scene.mode) == 0);
        }
    }
    double start = now();
    begin(call);
    /* With a deadline a wait to send or connect has parts, between which a signal is not seen. */
    for (int signals = scene.when != SIGNALLED ? 0 : scene.until ? 5 : 1; signals > 0 && sleeps(); signals--) {
        usleep(2000);
        pthread_kill(confined, SIGUSR1);
        usleep(2000);
    }
    if (!stays_unready() && (scene.when == LATE || scene.when == SIGNALLED)) {
        if (sleeps())
            usleep(1000);
        make_ready();
        while (sends() && !ended(0.0005, &result))
            drained += drain(0);
    }
    result = judged(start, busy, expected());
    if (sends())
        account_for_sent(before, drained, result);
    else if (receives())
        account_for_received(result);
    else
        account_for_connection(result);
    while (queued > 0)
        close(queue[--queued]);
    close(fd);
    close(peer);
}

/* The scenarios of one function: every mode, for as far as that ends. */
static void play_modes(enum call call, enum kind kind, size_t length, int late)
{
    static const double modes[] = {INFINITY, LONG, SHARED, SHORT, 0};
    for (size_t mode = 0; mode < COUNT(modes); mode++)
        for (int interrupt = 0; interrupt <= 1; interrupt++)
            for (enum when when = READY; when <= NEVER; when++) {
                struct scenario scenario = {call, kind, when, modes[mode], interrupt, length, 0};
                int lasting = modes[mode] >= LONG, large = length == LARGE;
                if (when == READY ? !large : when < PARTLY ? lasting && late : !lasting && (when == NEVER || large)) {
                    play(scenario);
                    scenario.until = 1;
                    /* One that sends or connects sleeps in parts, between which a signal does not count. */
                    int in_parts = call <= SENDALL || call == CONNECT;
                    if (modes[mode] >= SHARED && (!interrupt || (when == SIGNALLED && !in_parts)))
                        play(scenario);
                }
            }
}

static void play_transfers(void)
{
    for (enum call call = SEND; call <= RECVDELIM; call++)
        for (enum kind kind = UNIX; kind <= (call == RECVDELIM ? TCP : DATAGRAM); kind++) {
            play_modes(call, kind, SMALL, 1);
            if (kind != DATAGRAM && (call <= SENDALL || call == RECVALL))
                play_modes(call, kind, LARGE, call <= SENDALL);
        }
}

static void play_connections(void)
{
    for (enum kind kind = UNIX; kind <= TCP; kind++) {
        play_modes(ACCEPT, kind, 0, 1);
        play_modes(CONNECT, kind, 0, kind == UNIX);
    }
}

static void play_waits(void)
{
    events = POLLIN;
    play_modes(WAIT, UNIX, 0, 1);
    play_modes(WAIT, DATAGRAM, 0, 1);
    events = POLLOUT;
    play((struct scenario){WAIT, UNIX, READY, INFINITY, 0, 0, 0});
    play((struct scenario){WAIT, UNIX, NEVER, SHARED, 0, 0, 0});
}

static enum kind mode_kind; /* of the sockets whose mode is set and told */
static int peeks;           /* whether other code has them peek further at each time */

/* What a function of the mode makes of a socket, and that a refused one leaves it as it was. */
static void play_mode(enum call which, double from, int interruptible, double next, int interrupt)
{
    double before = 0, after = 0;
    if (!is_ours())
        return;
    scene = (struct scenario){which, mode_kind, READY, from, interrupt, 0, 0};
    set_up();
    seconds = next;
    if (peeks)
        MUST(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &(int){0}, sizeof(int)) == 0);
    MUST(sock_setinterrupt(fd, interruptible) == 0 && sock_settimeout(fd, from) == 0 && sock_gettimeout(fd, &before) == 0);
    MUST(before == from);
    double busy = used(), start = now(), slack = 1.26 * SLOWEST_TICK;
    begin(call);
    ssize_t result = judged(start, busy, 0);
    MUST(sock_gettimeout(fd, &after) == 0);
    if (result < 0 || which == GETBLOCKING || which == GETINTERRUPT || which == GETTIMEOUT || which == SETINTERRUPT)
        MUST(after == from);
    if (result < 0 || which != SETINTERRUPT)
        MUST(sock_getinterrupt(fd) == interruptible);
    if (result >= 0) {
        MUST(which != GETBLOCKING || result == (from != 0));
        MUST(which != GETINTERRUPT || result == interruptible);
        MUST(which != SETINTERRUPT || sock_getinterrupt(fd) == interrupt);
        MUST(which != SETBLOCKING || after == (next != 0 ? INFINITY : 0));
        MUST(which != SETTIMEOUT || refused >= 0 || after == next);
        /* Without an entry in the table of exact timeouts, one is rebuilt: never shorter, and no more than a tick longer. */
        MUST(which != SETTIMEOUT || (after >= next && (after <= next + slack || next > 1e6)));
        MUST(which != GETTIMEOUT || (got >= from && (got <= from + slack || from > 1e6)));
        MUST(which != GETTIMEOUT || refused >= 0 || got == from);
    }
    close(fd);
    close(peer);
}

static void play_modes_set_and_told(void)
{
    static const double modes[] = {INFINITY, 0, 1e-3, 5e-3, 0.0511, 5.0503, 3600, 3e6};
    for (size_t from = 0; from < COUNT(modes); from++)
        for (int interruptible = 0; interruptible <= 1; interruptible++) {
            play_mode(GETBLOCKING, modes[from], interruptible, 0, 0);
            play_mode(GETTIMEOUT, modes[from], interruptible, 0, 0);
            play_mode(GETINTERRUPT, modes[from], interruptible, 0, 0);
            play_mode(SETBLOCKING, modes[from], interruptible, 0, 0);
            play_mode(SETBLOCKING, modes[from], interruptible, 1, 0);
            play_mode(SETINTERRUPT, modes[from], interruptible, 0, 0);
            play_mode(SETINTERRUPT, modes[from], interruptible, 0, 1);
            for (size_t next = 0; next < COUNT(modes); next++)
                play_mode(SETTIMEOUT, modes[from], interruptible, modes[next], 0);
        }
}

/* The kernel may wait for TCP, unless there is a protocol above it; and a table has what a socket that peeks cannot. */
static void play_modes_elsewhere(void)
{
    for (int interruptible = 0; interruptible <= 1; interruptible++) {
        mode_kind = TCP;
        play_mode(SETTIMEOUT, INFINITY, interruptible, 0.0511, 0);
        play_mode(SETTIMEOUT, 5.0503, interruptible, 3600, 0);
        play_mode(SETTIMEOUT, 0, interruptible, INFINITY, 0);
        mode_kind = UNIX;
        peeks = 1;
        play_mode(SETTIMEOUT, INFINITY, interruptible, 0.0511, 0);
        play_mode(GETTIMEOUT, 0.0511, interruptible, 0, 0);
        peeks = 0;
    }
}

/* A call that fails, or ends, at once whatever the mode. */
static ssize_t play_end_of(int until, enum call which, int on, size_t length, ssize_t code)
{
    scene = (struct scenario){which, UNIX, READY, INFINITY, 0, length, until};
    fd = on;
    count = 0;
    double busy = used(), start = now();
    begin(call);
    return judged(start, busy, code);
}

static void play_end(enum call which, int on, size_t length, ssize_t code)
{
    play_end_of(0, which, on, length, code);
    if (which >= SEND && which <= WAIT)
        play_end_of(1, which, on, length, code);
}

static void play_tokens(int no_token)
{
    play_end(DEADLINE, -1, 0, 0);
    play_end(CANCEL, -1, 0, -EBADF);
    play_end(CANCEL, 1 << 20, 0, -EBADF);
    play_end(CANCEL, no_token, 0, -EINVAL);
    ssize_t made = play_end_of(0, TOKEN, -1, 0, 0);
    if (made >= 0) {
        play_end(CANCEL, (int)made, 0, 0);
        close((int)made);
    }
}

static void play_misuse(void)
{
    int pipes[2], pair[2];
    MUST(pipe(pipes) == 0);
    to.ss_family = AF_UNIX;
    to_length = sizeof(sa_family_t);
    seconds = 1;
    for (enum call which = 0; which < ADDRESS; which++) {
        play_end(which, -1, SMALL, -EBADF);
        play_end(which, 1 << 20, SMALL, -EBADF);
        play_end(which, pipes[0], SMALL, -ENOTSOCK);
    }
    play_end(SENDALL, pipes[0], 0, -ENOTSOCK);
    play_tokens(pipes[0]);
    play_end(ADDRESS, -1, 0, 0);
    to = (struct sockaddr_storage){.ss_family = AF_INET};
    to_length = sizeof(struct sockaddr_in);
    play_end(NAME, -1, 0, 0);
    play_end(STRERROR, -1, 0, 0);
    play_end(VERSION, -1, 0, 0);
    seconds = NAN;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    play_end(SETTIMEOUT, pair[0], 0, -EINVAL);
    play_end(WAIT, pair[0], 0, -EINVAL);
    play_end(SEND, pair[0], SIZE_MAX, -EINVAL);
    play_end(RECV, pair[0], SIZE_MAX, -EINVAL);
    play_end(SENDALL, pair[0], 0, 0);
    play_end(RECVALL, pair[0], 0, 0);
    play_end(ACCEPT, pair[0], 0, -EINVAL);
    flags = MSG_ERRQUEUE;
    play_end(RECV, pair[0], SMALL, -EAGAIN);
    flags = MSG_DONTWAIT;
    play_end(RECV, pair[0], SMALL, -EAGAIN);
    play_end(SENDTO, pair[0], SMALL, -EISCONN);
    flags = 0;
    close(pair[1]);
    play_end(RECV, pair[0], SMALL, 0);
    play_end(RECVALL, pair[0], SMALL, -EPIPE);
    to_length = 0;
    for (enum call which = SEND; which <= SENDALL; which++)
        play_end(which, pair[0], SMALL, -EPIPE);
    close(pair[0]);
    close(pipes[0]);
    close(pipes[1]);
}

/* Nobody listens, no descriptor is left, and an error queue that makes poll call a socket ready which is not. */
static void play_failures(void)
{
    scene.kind = TCP;
    int gone = bound_socket(SOCK_STREAM), on = 1;
    int sender = open_socket(SOCK_STREAM);
    close(gone);
    play_end(CONNECT, sender, 0, -ECONNREFUSED);
    close(sender);

    scene = (struct scenario){.kind = UNIX};
    int listening = listener(1);
    peer = connected();
    struct rlimit limit, none = {0, 0};
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none.rlim_max = limit.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &none) == 0);
    play_end(ACCEPT, listening, 0, -EMFILE);
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    MUST(poll_one(listening, POLLIN, 0) == POLLIN);
    close(peer);
    close(listening);

    scene.kind = TCP;
    gone = bound_socket(SOCK_DGRAM);
    sender = open_socket(SOCK_DGRAM);
    close(gone);
    MUST(setsockopt(sender, IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0);
    MUST(connect(sender, (struct sockaddr *)&to, to_length) == 0 && send(sender, "", 0, 0) == 0);
    MUST(poll_one(sender, POLLIN, 1000) & POLLERR);
    MUST(recv(sender, junk, 1, MSG_DONTWAIT) == -1 && errno == ECONNREFUSED && sock_settimeout(sender, SHARED) == 0);
    scene = (struct scenario){RECV, UNIX, NEVER, SHARED, 0, SMALL, 0};
    fd = sender;
    double busy = used(), start = now();
    begin(call);
    judged(start, busy, -ETIMEDOUT);
    close(sender);
}

/* Room of its own, and none in the queue of its peer: poll tells of the one and send of the other. */
static void play_full_queue(void)
{
    int senders[64], made = 0;
    scene = (struct scenario){.kind = DATAGRAM};
    peer = bound_socket(SOCK_DGRAM);
    do {
        MUST(made < 64);
        senders[made] = open_socket(SOCK_DGRAM);
    } while (fill_socket(senders[made++], SMALL, &to, to_length) > 0);
    for (int until = 0; until <= 1; until++) {
        scene = (struct scenario){SENDTO, DATAGRAM, NEVER, SHARED, 0, SMALL, until};
        fd = senders[made - 1];
        MUST(sock_settimeout(fd, SHARED) == 0);
        double busy = used(), start = now();
        begin(call);
        judged(start, busy, -ETIMEDOUT);
    }
    while (made > 0)
        close(senders[--made]);
    close(peer);
}

/* No descriptor may be open, so that ppoll takes none. */
static void play_without_descriptors(void)
{
    int pair[2];
    struct rlimit limit, none = {0, 0};
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none.rlim_max = limit.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &none) == 0);
    scene = (struct scenario){RECV, UNIX, NEVER, SHARED, 0, SMALL, 1};
    fd = pair[0];
    double busy = used(), start = now();
    begin(call);
    judged(start, busy, -ETIMEDOUT);
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    setvbuf(stdout, NULL, _IONBF, 0);
    MUST(argc >= 3);
    part = atoi(argv[1]);
    parts = atoi(argv[2]);
    if (argc == 5 && strcmp(argv[3], "withhold") == 0)
        withheld = atoi(argv[4]);
    if (argc == 6 && strcmp(argv[3], "refuse") == 0) {
        refused = atoi(argv[4]);
        refusal = atoi(argv[5]);
    }
    explain = explain_scene;
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    token = must(sock_token(), "a token");
    confine();
    play_modes_set_and_told();
    if (part == 0) {
        play_misuse();
        play_failures();
        play_full_queue();
        play_without_descriptors();
    }
    play_modes_elsewhere();
    play_connections();
    play_waits();
    play_transfers();
    for (enum call which = 0; which < CALLS; which++) {
        for (int until = 0; until <= 1; until++) {
            if (called[which][until])
                printf("called sock_%s%s\n", names[which], until ? "_until" : "");
            if (met[which][until])
                printf("refused sock_%s%s\n", names[which], until ? "_until" : "");
        }
    }
    printf("%d scenarios\n", scenarios);
    return 0;
}
