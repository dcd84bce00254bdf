/* Whose timeout it is, and how exact: other processes', many sockets', other code's. */
#include "cases.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sock.h>

static void elsewhere(int fd, double seconds)
{
    pid_t child = must(fork(), "fork");
    int status;
    if (child == 0)
        _exit(sock_settimeout(fd, seconds) == 0 ? 0 : 1);
    if (waitpid(child, &status, 0) != child || status != 0)
        fail("sock_settimeout in another process");
}

static double receive_in_vain(int fd)
{
    char room[8];
    double begun = now();
    ssize_t result = sock_recv(fd, room, sizeof room, 0);
    double took = now() - begun;
    if (result != -ETIMEDOUT)
        fail("sock_recv: %s", error_text(result));
    return took;
}

/* A timeout set here, and a nearly equal one by another process. */
static void nearly_equal(void)
{
    static const char *const all[] = {"tcp4", "tcp6", "mptcp4", "udp4", "udp6", "unix-stream", "unix-seqpacket", "unix-dgram", "netlink", NULL};
    static const double pairs[][2] = {{0.1, 0.103}, {0.1, 0.1001}, {0.1, 0.1049}, {0.05, 0.0535}, {0.003, 0.0039}, {0.103, 0.1}};
    const char *const *next = all;
    int tried = 0;
    for (const struct kind *kind; (kind = next_kind(&next));)
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++, tried++) {
            int ends[2];
            double seconds;
            kind_pair(kind, ends);
            must(sock_settimeout(ends[0], pairs[i][0]), "sock_settimeout");
            elsewhere(ends[0], pairs[i][1]);
            must(sock_gettimeout(ends[0], &seconds), "sock_gettimeout");
            double took = receive_in_vain(ends[0]);
            if (took < pairs[i][1] || seconds < pairs[i][1])
                fail("%s: %g s here, then %g s by another process: it took %.6f s, and is said to be %.6f s", kind->name, pairs[i][0],
                     pairs[i][1], took, seconds);
            close(ends[0]);
            close(ends[1]);
        }
    found("%d pairs", tried);
}

/* How late a timeout is in the middle. */
static double lateness(int fd, double timeout)
{
    double late[31];
    for (size_t i = 0; i < 31; i++) {
        late[i] = receive_in_vain(fd) - timeout;
        if (late[i] < 0)
            fail("%.3f ms early", -late[i] * 1e3);
    }
    qsort(late, 31, sizeof *late, ascending);
    return late[15];
}

/* Whether the value is kept with the socket: TCP has a place for it since Linux 6.9. */
static bool is_exact_everywhere(const struct kind *kind)
{
    int fd = kind_socket(kind), off = -1;
    bool is = setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off) == 0;
    close(fd);
    return is;
}

/* The first of a hundred thousand sockets is as exact as before. */
static void many_sockets(void)
{
    static const char *const all[] = {"tcp4", "udp4", "unix-stream", "unix-seqpacket", "unix-dgram", NULL};
    enum { MANY = 100000 };
    const double timeout = 0.0013;
    const char *const *next = all;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    int ends[5][2], count = 0, most = (int)(files.rlim_cur > MANY ? MANY : files.rlim_cur) - 64;
    const struct kind *first[5];
    double before[5];
    for (const struct kind *kind; (kind = next_kind(&next)); count++) {
        kind_pair(kind, ends[count]);
        first[count] = kind;
        must(sock_settimeout(ends[count][0], timeout), "sock_settimeout");
        before[count] = lateness(ends[count][0], timeout);
    }
    /* As many at once as may be open; the others are closed again. */
    for (int i = 0; i < MANY; i++) {
        int fd = must(kind_socket(kind_named("unix-dgram")), "socket");
        must(sock_settimeout(fd, 1 + i * 1e-6), "sock_settimeout");
        if (fd > most)
            close(fd);
    }
    char bounded[100] = "";
    for (int i = 0; i < count; i++) {
        double seconds;
        if (!is_exact_everywhere(first[i])) {
            snprintf(bounded + strlen(bounded), sizeof bounded - strlen(bounded), ", but not %s", first[i]->name);
            continue;
        }
        must(sock_gettimeout(ends[i][0], &seconds), "sock_gettimeout");
        if (seconds != timeout)
            fail("%s: %.6f s were set, and are said to be %.6f s", first[i]->name, timeout, seconds);
        double after = lateness(ends[i][0], timeout);
        if (after > before[i] + 0.0005)
            fail("%s: %.3f ms late before, %.3f ms after", first[i]->name, before[i] * 1e3, after * 1e3);
    }
    found("%d kinds, %d sockets, %d of them open%s", count, MANY, most < MANY ? most : MANY, bounded);
}

static void set_foreign(int fd, double receive, double send)
{
    struct timeval values[2];
    for (int i = 0; i < 2; i++) {
        double seconds = i ? send : receive;
        values[i] = (struct timeval){(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6 + 0.5)};
    }
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &values[0], sizeof values[0]), "SO_RCVTIMEO");
    must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &values[1], sizeof values[1]), "SO_SNDTIMEO");
}

struct foreign {
    const struct kind *kind;
    double receive, send;
    pthread_t thread;
    char why[300];
};

static void *obey(void *argument)
{
    struct foreign *foreign = argument;
    const struct kind *kind = foreign->kind;
    char bytes[1000] = "";
    int ends[2];
    kind_pair(kind, ends);
    bool fills = foreign->send > 0 && kind->traits & FILLS && kind->domain == AF_UNIX;
    while (fills && send(ends[0], bytes, kind->traits & STREAM ? 1 : sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    set_foreign(ends[0], foreign->receive, foreign->send);
    int interrupts = sock_getinterrupt(ends[0]);
    for (int side = 0; side < (fills ? 2 : 1); side++) {
        double timeout = side ? foreign->send : foreign->receive, begun = now();
        ssize_t result = side ? sock_send(ends[0], bytes, 100, 0) : sock_recv(ends[0], bytes, 100, 0);
        double took = now() - begun, late = clock_late(begun, now());
        if (result != -ETIMEDOUT || interrupts != 0 || took < timeout || took > timeout + 0.05 + late)
            snprintf(foreign->why, sizeof foreign->why, "%s: SO_RCVTIMEO %g s and SO_SNDTIMEO %g s: %s gave %s after %.4f s, sock_getinterrupt %d",
                     kind->name, foreign->receive, foreign->send, side ? "sock_send" : "sock_recv", error_text(result), took, interrupts);
    }
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

/* Two timeouts of other code's mean what they say, and turn no interruption on. */
static void other_code(void)
{
    static const char *const names[] = {"tcp4", "udp4", "unix-stream", "unix-seqpacket", "unix-dgram", NULL};
    static const double pairs[][2] = {{1, 2}, {2, 1}, {0.08, 0.2}, {1, 1.008}, {0.5, 0.504}, {0.5, 0.512}, {1, 1.004}, {0.2, 0.32}, {0.25, 0}};
    enum { PAIRS = sizeof pairs / sizeof *pairs };
    static struct foreign all[5 * PAIRS];
    const char *const *next = names;
    int count = 0;
    clock_setup();
    for (const struct kind *kind; (kind = next_kind(&next));)
        for (size_t i = 0; i < PAIRS; i++, count++) {
            all[count] = (struct foreign){.kind = kind, .receive = pairs[i][0], .send = pairs[i][1]};
            MUST(pthread_create(&all[count].thread, NULL, obey, &all[count]) == 0);
        }
    for (int i = 0; i < count; i++)
        pthread_join(all[i].thread, NULL);
    for (int i = 0; i < count; i++)
        if (*all[i].why)
            fail("%s", all[i].why);
    found("%d pairs", count);
}

static void pass(int number)
{
    (void)number;
}

struct later {
    pthread_t receiver;
    int fd;
    double signal, send;    /* moments */
    _Atomic double sent; /* when it really was */
};

static void *send_a_part(void *argument)
{
    struct later *later = argument;
    static char bytes[500];
    if (later->signal > 0) {
        sleep_until(later->signal);
        pthread_kill(later->receiver, SIGUSR1);
    }
    sleep_until(later->send);
    must((int)send(later->fd, bytes, sizeof bytes, MSG_NOSIGNAL), "send");
    later->sent = now();
    return NULL;
}

/* SO_RCVLOWAT holds back what the plain call gives once its time is over. */
static void low_water(void)
{
    static const char *const all[] = {"tcp4", "tcp6", "unix-stream", NULL};
    static const struct {
        double timeout, signal, send;
    } scenes[] = {{0.3, 0, 0}, {0.3, 0, 0.1}, {0.3, 0.05, 0.1}, {0.3, 0, 0.28}, {0.01, 0, 0}, {0.01, 0, 0.003}};
    const char *const *next = all;
    static char bytes[2000];
    struct sigaction action = {.sa_handler = pass, .sa_flags = SA_RESTART};
    must(sigaction(SIGUSR1, &action, NULL), "sigaction");
    clock_setup();
    for (const struct kind *kind; (kind = next_kind(&next));)
        for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
            int ends[2], low = 1000;
            double timeout = scenes[i].timeout;
            kind_pair(kind, ends);
            must(setsockopt(ends[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low), "SO_RCVLOWAT");
            must(sock_settimeout(ends[0], timeout), "sock_settimeout");
            double begun = now();
            struct later later = {pthread_self(), ends[1], scenes[i].signal > 0 ? begun + scenes[i].signal : 0, begun + scenes[i].send, 0};
            in_thread(send_a_part, &later);
            if (scenes[i].send == 0)
                sleep_until(now() + 0.003);
            begun = now();
            ssize_t result = sock_recv(ends[0], bytes, sizeof bytes, 0);
            double took = now() - begun, late = clock_late(begun, now());
            /* What comes too late on a busy machine is not there. */
            while (later.sent == 0)
                sleep_until(now() + 0.001);
            if (result == -ETIMEDOUT && took >= timeout && later.sent + 0.002 > begun + timeout)
                continue;
            if (result != 500 || took > timeout + 0.05 + late)
                fail("%s with %g s, a signal at %g s and 500 bytes at %g s: %s after %.4f s", kind->name, timeout, scenes[i].signal,
                     scenes[i].send, error_text(result), took);
            close(ends[0]);
            close(ends[1]);
        }
}

const struct test timeouts[] = {
    {"a timeout that another process sets nearly equal is not early", nearly_equal, true},
    {"a timeout is exact after a hundred thousand newer sockets", many_sockets, false},
    {"two timeouts of other code mean what they say", other_code, true},
    {"SO_RCVLOWAT holds nothing back when the time is over", low_water, true},
    {NULL, NULL, false},
};
