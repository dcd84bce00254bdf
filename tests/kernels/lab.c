/*
 * Kinds of socket that few kernels have, where a differential test of single calls ends: transfers that timeouts cut again and
 * again, TLS in the kernel on a socket whose mode was set before, and a cipher of AF_ALG.
 *
 *   lab KIND...     kinds of tests/plain/common/kinds.c, or "alg"
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_alg.h>
#include <linux/tls.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sock.h>

#include "../plain/common/common.h"
#include "in_time.h"

enum { TOTAL = 1 << 20, MESSAGE = 1000, PAUSE_EACH = 1 << 15, ALERT = 21 };

/* By how much a wait may be late, in seconds of a machine whose clock counts the instructions of all threads. */
const double LATE = 0.02;

/* The call times out after so many seconds. */
static void expires(double began, double seconds, long result, int line)
{
    if (result != -ETIMEDOUT) {
        printf("line %d: %ld after %.3f s where it was to end after %g s\n", line, result, now() - began, seconds);
        exit(1);
    }
    in_time(began, seconds, line);
}

#define EXPIRES(seconds, call)                            \
    do {                                                  \
        double begun_ = now();                            \
        expires(begun_, seconds, (long)(call), __LINE__); \
    } while (0)

/* A transfer, both ends of which have a timeout that cuts it. */

static struct reading {
    int fd, timeouts;
    double seconds;
} reading;

static void *read_all(void *unused)
{
    unsigned char room[4096];
    size_t have = 0, paused = 0;
    CHECK(sock_settimeout(reading.fd, reading.seconds) == 0);
    while (have < TOTAL) {
        double began = now();
        ssize_t got = sock_recv(reading.fd, room, sizeof room, 0);
        if (got == -ETIMEDOUT) {
            in_time(began, reading.seconds, __LINE__);
            reading.timeouts++;
            continue;
        }
        CHECK(got > 0);
        for (ssize_t i = 0; i < got; i++)
            if (room[i] != pattern(have + (size_t)i))
                CHECK(!"each byte at its place");
        have += (size_t)got;
        if (have - paused >= PAUSE_EACH) {
            paused = have;
            sleep_until(now() + 0.05);
        }
    }
    CHECK(have == TOTAL);
    return unused;
}

/* Sends on from a place: a message, or all there is. Gives how far it came. */
static int send_on(const struct kind *kind, int fd, const unsigned char *data, size_t *gone)
{
    size_t sent = 0, left = TOTAL - *gone;
    int code;
    if (kind->traits & STREAM) {
        code = sock_sendall(fd, data + *gone, left, 0, &sent);
    } else {
        ssize_t result = sock_send(fd, data + *gone, left < MESSAGE ? left : MESSAGE, 0);
        CHECK(result < 0 || (size_t)result == (left < MESSAGE ? left : MESSAGE));
        sent = result > 0 ? (size_t)result : 0;
        code = result < 0 ? (int)result : 0;
    }
    *gone += sent;
    return code;
}

static void transfer(const struct kind *kind)
{
    static const double seconds = 0.02;
    static unsigned char data[TOTAL];
    int ends[2], timeouts = 0;
    pthread_t reader;
    kind_pair(kind, ends);
    for (size_t place = 0; place < TOTAL; place++)
        data[place] = pattern(place);
    reading = (struct reading){.fd = ends[1], .seconds = seconds};
    CHECK(sock_settimeout(ends[0], seconds) == 0);
    EXPIRES(seconds, sock_recv(ends[0], data, 1, 0));
    CHECK(pthread_create(&reader, NULL, read_all, NULL) == 0);
    for (size_t gone = 0; gone < TOTAL;) {
        double began = now();
        int code = send_on(kind, ends[0], data, &gone);
        CHECK(code == 0 || code == -ETIMEDOUT);
        if (code != 0) {
            in_time(began, seconds, __LINE__);
            timeouts++;
        }
    }
    CHECK(pthread_join(reader, NULL) == 0);
    CHECK(timeouts > 0);
    printf("%s: %d bytes, with %d timeouts of the sender and %d of the receiver\n", kind->name, TOTAL, timeouts, reading.timeouts);
    close(ends[0]);
    close(ends[1]);
}

/* TLS in the kernel, which programs turn on after they have connected, and so after the mode was set. */

static const struct kind *named(const char *name)
{
    for (int i = 0; i < kind_count; i++)
        if (is(name, kinds[i].name))
            return &kinds[i];
    MUST(!"a kind");
    return NULL;
}

static void pair_with_mode(double seconds, int ends[2])
{
    kind_pair(named("tcp4"), ends);
    for (int i = 0; i < 2; i++) {
        CHECK(sock_settimeout(ends[i], seconds) == 0);
        must(kind_encrypt(ends[i]), "TLS");
    }
}

/* The other end, which sends or takes a little again and again: each is a record for itself. */
static struct drip {
    int fd;
    bool sends;
    int over;
} drip;

static void *drip_on(void *unused)
{
    static char room[8 << 10];
    while (!__atomic_load_n(&drip.over, __ATOMIC_RELAXED)) {
        sleep_until(now() + 0.15);
        if (drip.sends)
            send(drip.fd, room, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        else
            recv(drip.fd, room, sizeof room, MSG_DONTWAIT);
    }
    return unused;
}

/* Pieces that come one by one give no piece a time of its own. */
static void trickle(bool sends)
{
    static char data[4 << 20];
    static const double seconds = 0.5;
    size_t moved;
    int ends[2];
    pthread_t other;
    pair_with_mode(seconds, ends);
    drip = (struct drip){.fd = ends[1], .sends = sends};
    CHECK(pthread_create(&other, NULL, drip_on, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        moved = 0;
        if (sends)
            EXPIRES(seconds, sock_recvall(ends[0], data, 100, 0, &moved));
        else
            EXPIRES(seconds, sock_sendall(ends[0], data, sizeof data, 0, &moved));
        CHECK(!sends || (moved > 0 && moved < 100));
        double deadline = sock_deadline(seconds);
        moved = 0;
        if (sends)
            EXPIRES(seconds, sock_recvall_until(ends[0], data, 100, 0, &moved, deadline, -1));
        else
            EXPIRES(seconds, sock_sendall_until(ends[0], data, sizeof data, 0, &moved, deadline, -1));
    }
    __atomic_store_n(&drip.over, 1, __ATOMIC_RELAXED);
    CHECK(pthread_join(other, NULL) == 0);
    close(ends[0]);
    close(ends[1]);
}

/* What TLS sends as a record of its own kind, and what it refuses, is told as the plain call tells it. */

enum player { PLAIN, TIMEOUT, NON_BLOCKING, UNTIL, PLAYERS };

static void send_alert(int fd)
{
    static char text[] = "no";
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(1)];
    } control;
    struct iovec part = {text, 2};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memset(&control, 0, sizeof control);
    control.header = (struct cmsghdr){.cmsg_level = SOL_TLS, .cmsg_type = TLS_SET_RECORD_TYPE, .cmsg_len = CMSG_LEN(1)};
    *CMSG_DATA(&control.header) = ALERT;
    must((int)sendmsg(fd, &message, MSG_NOSIGNAL), "sendmsg");
}

static long receive(enum player player, int fd, char *room, int flags)
{
    long result = player == PLAIN   ? recv(fd, room, 8, flags)
                  : player == UNTIL ? sock_recv_until(fd, room, 8, flags, sock_deadline(0.3), -1)
                                    : sock_recv(fd, room, 8, flags);
    return player == PLAIN && result < 0 ? -errno : result;
}

static long receive_message(enum player player, int fd, int *type)
{
    char room[8];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(1)];
    } control;
    struct iovec part = {room, sizeof room};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    long result = player == PLAIN   ? recvmsg(fd, &message, 0)
                  : player == UNTIL ? sock_recvmsg_until(fd, &message, 0, sock_deadline(0.3), -1)
                                    : sock_recvmsg(fd, &message, 0);
    *type = result >= 0 && CMSG_FIRSTHDR(&message) ? *CMSG_DATA(&control.header) : -1;
    return player == PLAIN && result < 0 ? -errno : result;
}

static long transmit(enum player player, int fd, int flags)
{
    long result = player == PLAIN   ? send(fd, "12", 2, flags | MSG_NOSIGNAL)
                  : player == UNTIL ? sock_send_until(fd, "12", 2, flags, sock_deadline(0.3), -1)
                                    : sock_send(fd, "12", 2, flags);
    return player == PLAIN && result < 0 ? -errno : result;
}

static void records(void)
{
    static const int in[] = {0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL | MSG_PEEK, MSG_OOB, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC};
    static const int out[] = {0, MSG_MORE, MSG_EOR, MSG_OOB, MSG_DONTROUTE, MSG_CONFIRM, MSG_ZEROCOPY, MSG_FASTOPEN, MSG_BATCH};
    static const double modes[PLAYERS] = {INFINITY, 0.3, 0, INFINITY};
    long told[PLAYERS][40] = {{0}};
    for (int player = 0; player < PLAYERS; player++) {
        int ends[2], count = 0, type;
        char room[8];
        pair_with_mode(modes[player], ends);
        for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
            must((int)send(ends[1], "1234", 4, MSG_NOSIGNAL), "send");
            /* With MSG_WAITALL a peek would wait for more than there is. */
            told[player][count++] = receive((enum player)player, ends[0], room, in[i] | (in[i] & MSG_WAITALL ? MSG_DONTWAIT : 0));
        }
        while (recv(ends[0], room, sizeof room, MSG_DONTWAIT) > 0)
            ;
        send_alert(ends[1]);
        told[player][count++] = receive((enum player)player, ends[0], room, 0);
        told[player][count++] = receive_message((enum player)player, ends[0], &type);
        told[player][count++] = type;
        for (size_t i = 0; i < sizeof out / sizeof *out; i++)
            told[player][count++] = transmit((enum player)player, ends[0], out[i]);
        close(ends[0]);
        close(ends[1]);
        for (int i = 0; i < count; i++) {
            if (told[player][i] != told[PLAIN][i])
                printf("player %d, question %d: %ld where the plain call says %ld\n", player, i, told[player][i], told[PLAIN][i]);
            CHECK(told[player][i] == told[PLAIN][i]);
        }
    }
    printf("records:");
    for (size_t i = 0; i < sizeof in / sizeof *in + 3 + sizeof out / sizeof *out; i++)
        printf(" %ld", told[PLAIN][i]);
    puts("");
}

/* A cipher, whose receive heeds no timeout of the kernel's. */

static void encrypt_late(int fd)
{
    static char text[16];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(uint32_t))];
    } control;
    uint32_t what = ALG_OP_ENCRYPT;
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memset(&control, 0, sizeof control);
    control.header = (struct cmsghdr){.cmsg_level = SOL_ALG, .cmsg_type = ALG_SET_OP, .cmsg_len = CMSG_LEN(sizeof what)};
    memcpy(CMSG_DATA(&control.header), &what, sizeof what);
    must((int)sendmsg(fd, &message, 0), "sendmsg");
}

static void *encrypt_soon(void *fd)
{
    sleep_until(now() + 0.1);
    encrypt_late(*(int *)fd);
    return NULL;
}

static void cipher(void)
{
    static const double each[] = {0.003, 0.3, 2};
    struct sockaddr_alg address = {.salg_family = AF_ALG, .salg_type = "skcipher", .salg_name = "ecb(aes)"};
    int algorithm = must(socket(AF_ALG, SOCK_SEQPACKET, 0), "socket");
    char room[16];
    must(bind(algorithm, (struct sockaddr *)&address, sizeof address), "bind");
    must(setsockopt(algorithm, SOL_ALG, ALG_SET_KEY, room, sizeof room), "ALG_SET_KEY");
    int fd = must(accept(algorithm, NULL, NULL), "accept");
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        CHECK(sock_settimeout(fd, each[i]) == 0);
        EXPIRES(each[i], sock_recv(fd, room, sizeof room, 0));
        EXPIRES(each[i], sock_recv_until(fd, room, sizeof room, 0, sock_deadline(each[i]), -1));
        if (each[i] > 0.1) {
            pthread_t other;
            CHECK(pthread_create(&other, NULL, encrypt_soon, &fd) == 0);
            CHECK(sock_recv(fd, room, sizeof room, 0) == sizeof room);
            CHECK(pthread_join(other, NULL) == 0);
        }
    }
    CHECK(sock_setblocking(fd, 0) == 0);
    CHECK(sock_recv(fd, room, sizeof room, 0) == -EAGAIN);
    close(fd);
    close(algorithm);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (is(argv[i], "alg")) {
            cipher();
            continue;
        }
        const char *absent = kind_absent(named(argv[i]));
        if (absent) {
            printf("%s: %s\n", argv[i], absent);
            return 1;
        }
        transfer(named(argv[i]));
        fflush(stdout);
        if (named(argv[i])->traits & TLS) {
            records();
            trickle(true);
            trickle(false);
        }
    }
    printf("%d checks\n", checks);
    return 0;
}
