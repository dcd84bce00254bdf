/*
 * TCP and UDP in a network that is not loopback's.
 *
 *   network impaired     packets are late, lost, doubled and overtake each other (netem)
 *   network filtered     packets to some ports, and those with a mark, are dropped or refused (nftables)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sock.h>

#include "in_time.h"

/* As tests/kernels/rules.nft has them. */
enum { DROPPED = 7001, RESET = 7002, UNREACHABLE = 7003, PROHIBITED = 7004, DEAD_MARK = 7 };

enum { TOTAL = 3 << 19, PATIENCE = 60 };

/* By how much a wait may be late, in seconds of a machine whose clock counts instructions. */
const double LATE = 0.005;

static const struct family {
    int domain;
    const char *host;
} families[] = {{AF_INET, "127.0.0.1"}, {AF_INET6, "::1"}};

/* The call times out after so many seconds. */
#define EXPIRES(seconds, call)             \
    do {                                   \
        double begun_ = now();             \
        CHECK((call) == -ETIMEDOUT);        \
        in_time(begun_, seconds, __LINE__); \
    } while (0)

static char *port_of(int fd)
{
    static char text[8];
    struct sockaddr_in6 address;
    socklen_t length = sizeof address;
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    snprintf(text, sizeof text, "%d", ntohs(address.sin6_port)); /* at the same place in both families */
    return text;
}

static socklen_t address_of(const struct family *family, int port, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    if (family->domain == AF_INET) {
        *(struct sockaddr_in *)address = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        return sizeof(struct sockaddr_in);
    }
    *(struct sockaddr_in6 *)address = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return sizeof(struct sockaddr_in6);
}

static void connected(const struct family *family, int ends[2])
{
    int listener = sock_listen(family->host, "0", 4);
    CHECK(listener >= 0);
    CHECK(sock_settimeout(listener, PATIENCE) == 0);
    CHECK((ends[0] = sock_dial(family->host, port_of(listener), PATIENCE)) >= 0);
    CHECK((ends[1] = sock_accept(listener, NULL, NULL)) >= 0);
    close(listener);
}

/* Receives all in pieces, each for as long as the timeout says, and finds each byte at its place. */
static struct reading {
    int fd, timeouts;
    double seconds;
} reading;

static void *read_all(void *unused)
{
    unsigned char *data = calloc(1, TOTAL);
    size_t have = 0;
    CHECK(data);
    CHECK(sock_settimeout(reading.fd, reading.seconds) == 0);
    while (have < TOTAL) {
        size_t received = 0;
        double began = now();
        int code = sock_recvall(reading.fd, data + have, TOTAL - have, 0, &received);
        have += received;
        CHECK(code == 0 || code == -ETIMEDOUT);
        CHECK((code == 0) == (have == TOTAL));
        if (code != 0) {
            in_time(began, reading.seconds, __LINE__);
            reading.timeouts++;
        }
    }
    for (size_t place = 0; place < TOTAL; place++)
        if (data[place] != pattern(place))
            CHECK(!"each byte at its place");
    free(data);
    return unused;
}

/* However often a timeout cuts a transfer, what it counted is exact. */
static void transfers(const struct family *family)
{
    static const double each[] = {PATIENCE, 0.1, 0.007};
    unsigned char *data = malloc(TOTAL);
    CHECK(data);
    for (size_t place = 0; place < TOTAL; place++)
        data[place] = pattern(place);
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        int ends[2], timeouts = 0, size = 1 << 16;
        size_t gone = 0;
        pthread_t reader;
        connected(family, ends);
        CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
        CHECK(sock_settimeout(ends[0], each[i]) == 0);
        reading = (struct reading){.fd = ends[1], .seconds = each[i]};
        CHECK(pthread_create(&reader, NULL, read_all, NULL) == 0);
        while (gone < TOTAL) {
            size_t sent = 0;
            double began = now();
            int code = sock_sendall(ends[0], data + gone, TOTAL - gone, 0, &sent);
            gone += sent;
            CHECK(code == 0 || code == -ETIMEDOUT);
            CHECK((code == 0) == (gone == TOTAL));
            if (code != 0) {
                in_time(began, each[i], __LINE__);
                timeouts++;
            }
        }
        CHECK(pthread_join(reader, NULL) == 0);
        CHECK(i == 0 || (timeouts > 0 && reading.timeouts > 0));
        printf("%s: %d bytes, with timeouts of %g s: %d of the sender's, %d of the receiver's\n", family->host, TOTAL, each[i], timeouts,
               reading.timeouts);
        close(ends[0]);
        close(ends[1]);
    }
    free(data);
}

/* Connected, or timed out: the way there and back takes longer than these timeouts, unless packets overtake others. */
static int connects(double began, double seconds, int fd, int code)
{
    if (code == -ETIMEDOUT) {
        in_time(began, seconds, __LINE__);
        return 0;
    }
    CHECK(code >= 0);
    CHECK(now() - began < seconds + LATE);
    close(fd);
    return 1;
}

static void impatient(const struct family *family)
{
    static const double each[] = {0.0004, 0.006, 0.035};
    int listener = sock_listen(family->host, "0", 64), connected = 0, fd, code;
    struct sockaddr_storage address;
    char *port = port_of(listener);
    socklen_t length = address_of(family, atoi(port), &address);
    for (int i = 0; i < 24; i++) {
        double seconds = each[i % 3], began = now();
        code = sock_dial(family->host, port, seconds);
        connected += connects(began, seconds, code, code);
        CHECK((fd = socket(family->domain, SOCK_STREAM, 0)) >= 0);
        CHECK(sock_settimeout(fd, seconds) == 0);
        began = now();
        code = sock_connect(fd, (struct sockaddr *)&address, length);
        if (connects(began, seconds, fd, code))
            connected++;
        else
            close(fd);
    }
    CHECK(connected < 24);
    close(listener);
}

/* Datagrams that come, or do not: every wait is one or the other. */
static void datagrams(const struct family *family)
{
    struct sockaddr_storage address;
    socklen_t length = address_of(family, 0, &address);
    int receiver = socket(family->domain, SOCK_DGRAM, 0), sender = socket(family->domain, SOCK_DGRAM, 0), came = 0, timeouts = 0;
    CHECK(bind(receiver, (struct sockaddr *)&address, length) == 0);
    CHECK(getsockname(receiver, (struct sockaddr *)&address, &length) == 0);
    CHECK(sock_settimeout(receiver, 0.03) == 0);
    for (int i = 0; i < 200; i++) {
        double began;
        ssize_t got;
        char byte;
        CHECK(sock_sendto(sender, "x", 1, 0, (struct sockaddr *)&address, length) == 1);
        began = now();
        got = sock_recv(receiver, &byte, 1, 0);
        CHECK(got == 1 || got == -ETIMEDOUT);
        if (got == 1)
            came++;
        else
            in_time(began, 0.03, __LINE__), timeouts++;
    }
    CHECK(came > 0 && timeouts > 0);
    close(receiver);
    close(sender);
}

/* What becomes of a connection that is refused: just what plain connect(2) says. */
static void refused(const struct family *family, int port)
{
    static const double each[] = {INFINITY, 5};
    struct sockaddr_storage address;
    socklen_t length = address_of(family, port, &address);
    char text[8];
    int expected, fd = socket(family->domain, SOCK_STREAM, 0);
    snprintf(text, sizeof text, "%d", port);
    CHECK(connect(fd, (struct sockaddr *)&address, length) == -1);
    expected = errno;
    close(fd);
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        CHECK((fd = socket(family->domain, SOCK_STREAM, 0)) >= 0);
        CHECK(sock_settimeout(fd, each[i]) == 0);
        CHECK(sock_connect(fd, (struct sockaddr *)&address, length) == -expected);
        close(fd);
        CHECK(sock_dial(family->host, text, each[i]) == -expected);
    }
    printf("%s port %d: %s\n", family->host, port, strerror(expected));
}

static void dropped(const struct family *family)
{
    static const double each[] = {0.0007, 0.02, 0.5, 2.5}; /* the last sees SYNs sent again */
    struct sockaddr_storage address;
    socklen_t length = address_of(family, DROPPED, &address);
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        int fd = socket(family->domain, SOCK_STREAM, 0);
        CHECK(sock_settimeout(fd, each[i]) == 0);
        EXPIRES(each[i], sock_connect(fd, (struct sockaddr *)&address, length));
        close(fd);
        EXPIRES(each[i], sock_dial(family->host, "7001", each[i]));
    }
}

/* A datagram that is refused is told of by the next call, and one that is dropped by none. */
static void lost_datagrams(const struct family *family)
{
    static const int ports[] = {DROPPED, UNREACHABLE, PROHIBITED};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        struct sockaddr_storage address;
        socklen_t length = address_of(family, ports[i], &address);
        char byte;
        int told[3][2];
        for (int player = 0; player < 3; player++) {
            static const double seconds[] = {0, 0.3, 0.3};
            int fd = socket(family->domain, SOCK_DGRAM, 0);
            struct pollfd entry = {.fd = fd, .events = POLLIN};
            CHECK(connect(fd, (struct sockaddr *)&address, length) == 0);
            if (player == 0) {
                told[player][0] = send(fd, "x", 1, 0) == 1 ? 1 : -errno;
                told[player][1] = poll(&entry, 1, 300) == 1 && recv(fd, &byte, 1, 0) == -1 ? -errno : -ETIMEDOUT;
            } else {
                CHECK(sock_settimeout(fd, seconds[player]) == 0);
                told[player][0] = (int)sock_send(fd, "x", 1, 0);
                told[player][1] = (int)sock_recv(fd, &byte, 1, 0);
            }
            close(fd);
        }
        CHECK(memcmp(told[1], told[0], sizeof told[0]) == 0 && memcmp(told[2], told[0], sizeof told[0]) == 0);
        printf("%s datagram to port %d: %s, then %s\n", family->host, ports[i], sock_strerror(told[0][0]), sock_strerror(told[0][1]));
    }
}

/* Connected, and then the link is dead for both. */
static void dead(const struct family *family, int ends[2])
{
    int mark = DEAD_MARK, milliseconds = 700;
    connected(family, ends);
    for (int i = 0; i < 2; i++)
        CHECK(setsockopt(ends[i], SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0);
    CHECK(setsockopt(ends[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds) == 0);
}

/* The network's time runs out, which is another matter than the caller's. */
static void dead_links(const struct family *family)
{
    static const double each[] = {INFINITY, PATIENCE};
    int ends[2];
    char byte;
    dead(family, ends);
    CHECK(send(ends[0], "x", 1, 0) == 1);
    CHECK(recv(ends[0], &byte, 1, 0) == -1 && errno == ETIMEDOUT);
    CHECK(recv(ends[0], &byte, 1, 0) == 0);
    close(ends[0]);
    close(ends[1]);
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        dead(family, ends);
        CHECK(sock_settimeout(ends[0], each[i]) == 0);
        CHECK(sock_send(ends[0], "x", 1, 0) == 1);
        CHECK(sock_recv(ends[0], &byte, 1, 0) == -ECONNABORTED);
        CHECK(sock_recv(ends[0], &byte, 1, 0) == 0);
        close(ends[0]);
        close(ends[1]);
    }
    /* The caller's own time is shorter. */
    dead(family, ends);
    CHECK(sock_settimeout(ends[0], 0.2) == 0);
    CHECK(sock_send(ends[0], "x", 1, 0) == 1);
    EXPIRES(0.2, sock_recv(ends[0], &byte, 1, 0));
    EXPIRES(0.2, sock_recv(ends[0], &byte, 1, 0));
    for (int code = -ETIMEDOUT; code != -ECONNABORTED;) {
        code = (int)sock_recv(ends[0], &byte, 1, 0);
        CHECK(code == -ETIMEDOUT || code == -ECONNABORTED);
    }
    close(ends[0]);
    close(ends[1]);
}

/* What found room before the link died is counted, and no more. */
static void full_dead_links(const struct family *family)
{
    static char data[16 << 20];
    int ends[2];
    size_t sent = 0, more = 0;
    dead(family, ends);
    CHECK(sock_settimeout(ends[0], 0.25) == 0);
    EXPIRES(0.25, sock_sendall(ends[0], data, sizeof data, 0, &sent));
    CHECK(sent > 0 && sent < sizeof data);
    CHECK(sock_setblocking(ends[0], 1) == 0);
    CHECK(sock_sendall(ends[0], data, sizeof data, 0, &more) == -ECONNABORTED);
    CHECK(more < sizeof data - sent);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(argv[1], "impaired") == 0) {
            transfers(&families[i]);
            impatient(&families[i]);
            datagrams(&families[i]);
        } else {
            refused(&families[i], RESET);
            refused(&families[i], UNREACHABLE);
            refused(&families[i], PROHIBITED);
            dropped(&families[i]);
            lost_datagrams(&families[i]);
            dead_links(&families[i]);
            full_dead_links(&families[i]);
        }
    }
    printf("%d checks\n", checks);
    return 0;
}
