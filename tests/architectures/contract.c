/*
 * The contract, as far as the architecture could have a say in it: the sizes, the order and the signs of what
 * crosses the boundary, every mode, and time in all the shapes that the kernel knows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

/* Where the kernel has them but for Alpha, MIPS, PA-RISC, PowerPC and SPARC. */
enum { RCVTIMEO_OLD = 20, RCVTIMEO_NEW = 66 };

enum { BLOCK = 1 << 16, LARGE = 8 << 20 };

static int checks;

#define CHECK(condition) (checks++, MUST(condition))

/* The code is -error, and errno is set to the same. */
#define FAILS(error, call) (errno = 0, (call) == -(error) && errno == (error))

/* The call gives that, and leaves errno alone. */
#define GIVES(value, call) (errno = 12345, (call) == (value) && errno == 12345)

/* The call times out after so many seconds: never early, and not much later on a busy machine. */
#define EXPIRES(seconds, call)                              \
    do {                                                    \
        double begun_ = now(), took_;                       \
        CHECK(FAILS(ETIMEDOUT, call));                       \
        took_ = now() - begun_;                             \
        CHECK(took_ >= (seconds));                           \
        CHECK(took_ < (seconds) + 2);                        \
    } while (0)

static void pair(int type, int fds[2])
{
    CHECK(socketpair(AF_UNIX, type, 0, fds) == 0);
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static double timeout(int fd)
{
    double seconds = -1;
    CHECK(GIVES(0, sock_gettimeout(fd, &seconds)));
    return seconds;
}

static void about(void)
{
    CHECK(strcmp(sock_version(), LIBSOCK_VERSION) == 0);
    CHECK(strcmp(sock_strerror(0), "Success") == 0);
    CHECK(strcmp(sock_strerror(EPIPE), "Success") == 0); /* so many bytes */
    CHECK(strcmp(sock_strerror(SSIZE_MAX), "Success") == 0);
    CHECK(strstr(sock_strerror(-SSIZE_MAX - 1), "Unknown"));
    for (int error = 1; error < 134; error++)
        CHECK(!strstr(sock_strerror(-error), "Unknown") == (error != 41 && error != 58));
}

static void modes(void)
{
    static const double each[] = {0.1, 7.345, 1e-9, 0.0005, 0.03, 123456.789, 1999999, 2147483.648, 4294967.3, 3e9, 9e9};
    int fds[2], twin;
    uint64_t cookie;
    socklen_t length = sizeof cookie;
    pair(SOCK_STREAM, fds);
    twin = dup(fds[0]);
    int exact = getsockopt(fds[0], SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0;
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        CHECK(GIVES(0, sock_settimeout(fds[0], each[i])));
        CHECK(exact ? timeout(fds[0]) == each[i] : timeout(fds[0]) >= each[i]);
        CHECK(timeout(twin) == timeout(fds[0]));
        CHECK(GIVES(1, sock_getblocking(fds[0])));
        for (int on = 1; on >= 0; on--) {
            CHECK(GIVES(0, sock_setinterrupt(fds[0], on)));
            CHECK(GIVES(on, sock_getinterrupt(twin)));
            CHECK(exact ? timeout(fds[0]) == each[i] : timeout(fds[0]) >= each[i]);
        }
    }
    CHECK(GIVES(0, sock_setblocking(fds[0], 0)));
    CHECK(GIVES(0, sock_getblocking(fds[0])));
    CHECK(timeout(twin) == 0);
    CHECK(GIVES(0, sock_setblocking(fds[0], INT_MIN)));
    CHECK(timeout(fds[0]) == INFINITY);
    CHECK(GIVES(0, sock_settimeout(fds[0], -0.0)));
    CHECK(timeout(fds[0]) == 0);
    CHECK(GIVES(0, sock_settimeout(fds[0], LIBSOCK_FOREVER)));
    CHECK(timeout(fds[0]) == INFINITY);
    CHECK(timeout(fds[1]) == INFINITY);
    close(twin);
    close_pair(fds);
}

static void refusals(void)
{
    static const double invalid[] = {-1, -1e-300, NAN, -INFINITY}, excessive[] = {9223372036.854776, 1e300};
    int fds[2], file = open("/dev/null", O_RDWR | O_CLOEXEC);
    double seconds = -5;
    char byte = 0;
    struct msghdr message = {0};
    pair(SOCK_STREAM, fds);
    CHECK(GIVES(0, sock_settimeout(fds[0], 0.25)));
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        CHECK(FAILS(EINVAL, sock_settimeout(fds[0], invalid[i])));
        CHECK(FAILS(EINVAL, sock_wait(fds[0], POLLIN, invalid[i])));
    }
    for (size_t i = 0; i < sizeof excessive / sizeof excessive[0]; i++) {
        CHECK(FAILS(EOVERFLOW, sock_settimeout(fds[0], excessive[i])));
        CHECK(FAILS(EOVERFLOW, sock_wait(fds[0], POLLIN, excessive[i])));
    }
    CHECK(timeout(fds[0]) >= 0.25);
    CHECK(FAILS(EBADF, sock_gettimeout(-1, &seconds)));
    CHECK(FAILS(EBADF, sock_settimeout(INT_MIN, 1)));
    CHECK(FAILS(EBADF, sock_recv(INT_MAX, &byte, 1, 0)));
    CHECK(FAILS(ENOTSOCK, sock_gettimeout(file, &seconds)));
    CHECK(seconds == -5);
    CHECK(FAILS(ENOTSOCK, sock_getblocking(file)));
    CHECK(FAILS(ENOTSOCK, sock_send(file, &byte, 1, 0)));
    CHECK(FAILS(ENOTSOCK, sock_wait(file, POLLIN, 1)));
    CHECK(FAILS(EFAULT, sock_gettimeout(fds[0], NULL)));
    CHECK(FAILS(EFAULT, sock_send(fds[0], NULL, 1, 0)));
    CHECK(FAILS(EFAULT, sock_recvall(fds[0], NULL, 1, 0, NULL)));
    CHECK(FAILS(EFAULT, sock_recvmsg(fds[0], NULL, 0)));
    CHECK(FAILS(EINVAL, sock_send(fds[0], &byte, (size_t)SSIZE_MAX + 1, 0)));
    CHECK(FAILS(EINVAL, sock_recv(fds[0], &byte, SIZE_MAX, 0)));
    CHECK(FAILS(EINVAL, sock_recvall(fds[0], &byte, (size_t)SSIZE_MAX + 1, 0, NULL)));
    message.msg_iov = &(struct iovec){&byte, 1};
    message.msg_iovlen = 100000;
    CHECK(FAILS(EMSGSIZE, sock_sendmsg(fds[0], &message, 0)));
    CHECK(FAILS(EMSGSIZE, sock_recvmsg(fds[0], &message, 0)));
    CHECK(FAILS(EINVAL, sock_accept(fds[0], NULL, NULL)));
    CHECK(FAILS(EINVAL, sock_wait(fds[0], 1 << 20, 1)));
    close(file);
    close_pair(fds);
}

static void expiry(void)
{
    static const double each[] = {1e-9, 0.0007, 0.02, 0.3};
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        struct sockaddr_storage address, from;
        socklen_t length = sizeof from, address_length = sizeof address;
        struct iovec part = {&from, sizeof from};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        int fds[2], listener = listening(AF_INET, 1, &address, &address_length);
        char byte;
        size_t count = 99;
        pair(SOCK_STREAM, fds);
        CHECK(GIVES(0, sock_settimeout(fds[0], each[i])));
        CHECK(GIVES(0, sock_settimeout(listener, each[i])));
        EXPIRES(each[i], sock_recv(fds[0], &byte, 1, 0));
        EXPIRES(each[i], sock_recvfrom(fds[0], &byte, 1, 0, (struct sockaddr *)&from, &length));
        EXPIRES(each[i], sock_recvmsg(fds[0], &message, 0));
        EXPIRES(each[i], sock_recvall(fds[0], &byte, 1, 0, &count));
        CHECK(count == 0);
        EXPIRES(each[i], sock_accept(listener, NULL, NULL));
        EXPIRES(each[i], sock_wait(fds[1], POLLIN, each[i]));
        close(listener);
        close_pair(fds);
    }
}

static void connections(void)
{
    struct sockaddr_in address, peer;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof peer;
    int listener = listening(AF_INET, 8, &address, &length), client = socket(AF_INET, SOCK_STREAM, 0), accepted;
    CHECK(GIVES(0, sock_settimeout(listener, 5)));
    CHECK(GIVES(0, sock_setblocking(client, 0)));
    int code = sock_connect(client, (struct sockaddr *)&address, sizeof address);
    CHECK(code == -EINPROGRESS || code == 0);
    CHECK(GIVES(POLLOUT, sock_wait(client, POLLOUT, 5)));
    if (code != 0)
        CHECK(GIVES(0, sock_connect(client, (struct sockaddr *)&address, sizeof address)));
    CHECK(FAILS(EISCONN, sock_connect(client, (struct sockaddr *)&address, sizeof address)));
    errno = 12345;
    accepted = sock_accept(listener, (struct sockaddr *)&peer, &length);
    CHECK(accepted >= 0 && errno == 12345);
    CHECK(length == sizeof peer && peer.sin_family == AF_INET && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(timeout(accepted) == INFINITY);
    CHECK(fcntl(accepted, F_GETFD) & FD_CLOEXEC);
    close(client);
    close(accepted);
    close(listener);

    /* A Unix listener whose queue is full. */
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family) == 0);
    length = sizeof name;
    CHECK(getsockname(listener, (struct sockaddr *)&name, &length) == 0);
    CHECK(listen(listener, 0) == 0);
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(GIVES(0, sock_connect(client, (struct sockaddr *)&name, length)));
    accepted = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(GIVES(0, sock_settimeout(accepted, 0.2)));
    EXPIRES(0.2, sock_connect(accepted, (struct sockaddr *)&name, length));
    close(accepted);
    close(client);
    close(listener);
}

/* A client dials what we listen on, by numbers alone. */
static void names(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    char port[sizeof "65535"], byte;
    int listener, client, accepted;
    errno = 12345;
    listener = sock_listen("127.0.0.1", "0", 4);
    CHECK(listener >= 0 && errno == 12345);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0 && address.sin_family == AF_INET);
    snprintf(port, sizeof port, "%hu", ntohs(address.sin_port));
    client = sock_dial_until("127.0.0.1", port, now() + 7.5, -1);
    CHECK(client >= 0 && errno == 12345 && timeout(client) == INFINITY);
    accepted = sock_accept(listener, NULL, NULL);
    close(accepted);
    close(client);
    client = sock_dial("127.0.0.1", port, 7.5);
    CHECK(client >= 0 && errno == 12345);
    CHECK(timeout(client) >= 7.5 && timeout(client) < 7.53);
    accepted = sock_accept(listener, NULL, NULL);
    CHECK(accepted >= 0 && timeout(accepted) == INFINITY);
    CHECK(GIVES(1, sock_send(client, "x", 1, 0)));
    CHECK(GIVES(1, sock_recv(accepted, &byte, 1, 0)) && byte == 'x');
    CHECK(FAILS(EADDRINUSE, sock_listen("127.0.0.1", port, 4)));
    close(accepted);
    close(client);
    close(listener);
    CHECK(FAILS(ECONNREFUSED, sock_dial("127.0.0.1", port, 5)));
    CHECK(FAILS(ECONNREFUSED, sock_dial_until("127.0.0.1", port, INFINITY, -1)));
    CHECK(FAILS(ETIMEDOUT, sock_dial_until("127.0.0.1", port, now() - 1, -1)));
    CHECK(FAILS(LIBSOCK_EAI_SERVICE, sock_dial("127.0.0.1", "65536", 5)));
    CHECK(FAILS(LIBSOCK_EAI_SERVICE, sock_listen(NULL, "no such service", 4)));
    CHECK(FAILS(LIBSOCK_EAI_NONAME, sock_dial("1::2::3", port, 5)));
    CHECK(FAILS(EINVAL, sock_dial(NULL, port, 5)));
    CHECK(FAILS(EINVAL, sock_dial("127.0.0.1", port, NAN)));
}

/* Numbers as text and back, in the byte order of the network. */
static void addresses(void)
{
    struct sockaddr_storage storage;
    struct sockaddr_in *address = (struct sockaddr_in *)&storage;
    socklen_t length = 0;
    char host[64];
    CHECK(GIVES(0, sock_address("127.0.0.1", "258", &storage, &length)));
    CHECK(length == sizeof *address && address->sin_family == AF_INET);
    CHECK(address->sin_port == htons(258) && address->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(GIVES(258, sock_name((struct sockaddr *)&storage, length, host, sizeof host)) && strcmp(host, "127.0.0.1") == 0);
    CHECK(GIVES(0, sock_address("2001:db8::1", "65535", &storage, &length)));
    CHECK(length == sizeof(struct sockaddr_in6) && storage.ss_family == AF_INET6);
    CHECK(GIVES(65535, sock_name((struct sockaddr *)&storage, length, host, sizeof host)) && strcmp(host, "2001:db8::1") == 0);
    CHECK(FAILS(EINVAL, sock_address("localhost", "1", &storage, &length)));
    CHECK(FAILS(ENOSPC, sock_name((struct sockaddr *)&storage, length, host, 3)));
}

static int is_cancelled(int token)
{
    return sock_wait_until(-1, 0, 0, token) == -ECANCELED;
}

/* Doubles, sizes and descriptors in one call, of which some are passed in memory on some architectures. */
static void limits(void)
{
    char bytes[64] = "abc", got[64];
    size_t count = 0;
    struct iovec part = {got, sizeof got};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct sockaddr_un address;
    socklen_t length = sizeof address, addrlen;
    int fds[2], token;
    double start = now();
    CHECK(sock_deadline(0.5) >= start + 0.5 && sock_deadline(0.5) < start + 5);
    CHECK(sock_deadline(LIBSOCK_FOREVER) == INFINITY && isnan(sock_deadline(NAN)));
    CHECK(sock_deadline(-1) < now());
    token = sock_token();
    CHECK(token >= 0 && fcntl(token, F_GETFD) == FD_CLOEXEC);
    CHECK(FAILS(ETIMEDOUT, sock_wait_until(-1, 0, 0, token)));
    pair(SOCK_STREAM, fds);
    CHECK(GIVES(3, sock_send_until(fds[0], bytes, 3, 0, sock_deadline(5), token)));
    CHECK(GIVES(3, sock_recv_until(fds[1], got, 8, 0, sock_deadline(5), token)));
    CHECK(GIVES(3, sock_sendto_until(fds[0], bytes, 3, 0, NULL, 0, sock_deadline(5), token)));
    CHECK(GIVES(3, sock_recvfrom_until(fds[1], got, 8, 0, NULL, NULL, sock_deadline(5), token)));
    part = (struct iovec){bytes, 3};
    CHECK(GIVES(3, sock_sendmsg_until(fds[0], &message, 0, sock_deadline(5), token)));
    part = (struct iovec){got, 3};
    CHECK(GIVES(3, sock_recvmsg_until(fds[1], &message, 0, sock_deadline(5), token)));
    CHECK(GIVES(0, sock_sendall_until(fds[0], bytes, 3, 0, &count, sock_deadline(5), token)) && count == 3);
    CHECK(GIVES(0, sock_recvall_until(fds[1], got, 3, 0, &count, sock_deadline(5), token)) && count == 3);
    EXPIRES(0.05, sock_recv_until(fds[1], got, 1, 0, sock_deadline(0.05), token));
    EXPIRES(0.05, sock_recvall_until(fds[1], got, 1, 0, &count, sock_deadline(0.05), -1));
    CHECK(count == 0);
    EXPIRES(0.05, sock_wait_until(fds[1], POLLIN, sock_deadline(0.05), token));
    CHECK(GIVES(POLLOUT, sock_wait_until(fds[1], POLLOUT, INFINITY, token)));

    /* Lines, and what comes after them. */
    CHECK(GIVES(7, sock_send(fds[0], "ab\r\ncd\r", 7, 0)));
    CHECK(GIVES(4, sock_recvdelim(fds[1], got, sizeof got, &count, "\r\n", 2)) && count == 7);
    memmove(got, got + 4, count -= 4);
    CHECK(FAILS(ETIMEDOUT, sock_recvdelim_until(fds[1], got, sizeof got, &count, "\r\n", 2, sock_deadline(0.01), token)) && count == 3);
    CHECK(GIVES(1, sock_send(fds[0], "\n", 1, 0)));
    CHECK(GIVES(4, sock_recvdelim_until(fds[1], got, sizeof got, &count, "\r\n", 2, INFINITY, token)) && count == 4);
    CHECK(FAILS(EMSGSIZE, sock_recvdelim(fds[1], got, count, &count, "x", 1)));
    CHECK(FAILS(EINVAL, sock_recvdelim(fds[1], got, count - 1, &count, "x", 1)));

    /* Connections. */
    int listener = listening(AF_UNIX, 4, &address, &length), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPIRES(0.05, sock_accept_until(listener, NULL, NULL, sock_deadline(0.05), token));
    CHECK(timeout(listener) == INFINITY);
    CHECK(GIVES(0, sock_connect_until(client, (struct sockaddr *)&address, length, sock_deadline(5), token)));
    addrlen = sizeof address;
    int accepted = sock_accept_until(listener, (struct sockaddr *)&address, &addrlen, sock_deadline(5), token);
    CHECK(accepted >= 0 && timeout(accepted) == INFINITY);

    CHECK(!is_cancelled(token));
    CHECK(FAILS(EINVAL, sock_cancel(fds[0])) && FAILS(EBADF, sock_cancel(-1)));
    CHECK(GIVES(0, sock_cancel(token)) && GIVES(0, sock_cancel(token)) && is_cancelled(token));
    CHECK(FAILS(ECANCELED, sock_recv_until(fds[1], got, 1, 0, INFINITY, token)));
    CHECK(FAILS(EBADF, sock_recv_until(fds[1], got, 1, 0, INFINITY, -2)));
    CHECK(FAILS(EINVAL, sock_recv_until(fds[1], got, 1, 0, NAN, -1)));
    CHECK(FAILS(EOVERFLOW, sock_recv_until(fds[1], got, 1, 0, 1e10, -1)));
    close(accepted);
    close(client);
    close(listener);
    close(token);
    close_pair(fds);
}

static void datagrams(void)
{
    struct sockaddr_in address, origin, from;
    socklen_t length = sizeof from;
    int receiver = bound(AF_INET, SOCK_DGRAM, &address, &length), sender = bound(AF_INET, SOCK_DGRAM, &origin, &length);
    unsigned char bytes[4] = {0x80, 0xff, 0, 1}, got[8];
    CHECK(GIVES(0, sock_settimeout(receiver, 5)));
    CHECK(GIVES(4, sock_sendto(sender, bytes, 4, 0, (struct sockaddr *)&address, sizeof address)));
    CHECK(GIVES(4, sock_recvfrom(receiver, got, sizeof got, 0, (struct sockaddr *)&from, &length)));
    CHECK(memcmp(bytes, got, 4) == 0 && length == sizeof from && from.sin_port == origin.sin_port);
    CHECK(GIVES(0, sock_sendto(sender, NULL, 0, 0, (struct sockaddr *)&address, sizeof address)));
    CHECK(GIVES(0, sock_recv(receiver, got, sizeof got, 0)));
    CHECK(GIVES(4, sock_sendto(sender, bytes, 4, 0, (struct sockaddr *)&address, sizeof address)));
    CHECK(GIVES(4, sock_recv(receiver, got, 2, MSG_TRUNC)));
    close(receiver);
    close(sender);
}

/* Several buffers, and a descriptor with them. */
static void messages(void)
{
    int fds[2], passed[2], got;
    char here[3], there[9];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } out = {0}, in = {0};
    struct iovec parts[] = {{"ab", 2}, {"", 0}, {"cdef", 4}}, places[] = {{here, 3}, {there, 9}};
    struct msghdr send = {.msg_iov = parts, .msg_iovlen = 3, .msg_control = out.bytes, .msg_controllen = sizeof out.bytes};
    struct msghdr receive = {.msg_iov = places, .msg_iovlen = 2, .msg_control = in.bytes, .msg_controllen = sizeof in.bytes};
    struct cmsghdr *control = CMSG_FIRSTHDR(&send);
    pair(SOCK_STREAM, fds);
    pair(SOCK_DGRAM, passed);
    CHECK(GIVES(0, sock_settimeout(passed[0], 6.5)));
    *control = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(control), &passed[0], sizeof(int));
    CHECK(GIVES(6, sock_sendmsg(fds[0], &send, 0)));
    CHECK(GIVES(6, sock_recvmsg(fds[1], &receive, 0)));
    CHECK(memcmp(here, "abc", 3) == 0 && memcmp(there, "def", 3) == 0);
    control = CMSG_FIRSTHDR(&receive);
    CHECK(control && control->cmsg_len == CMSG_LEN(sizeof(int)) && control->cmsg_type == SCM_RIGHTS);
    memcpy(&got, CMSG_DATA(control), sizeof(int));
    CHECK(fcntl(got, F_GETFD) & FD_CLOEXEC);
    CHECK(timeout(got) == timeout(passed[0]));
    close(got);
    close_pair(passed);
    close_pair(fds);
}

static int reader;

static void *read_all(void *buffer)
{
    size_t count = 0;
    int code = sock_recvall(reader, buffer, LARGE, 0, &count);
    return code == 0 && count == LARGE ? buffer : NULL;
}

/* Everything arrives, and what failed tells exactly how much did. */
static void totals(void)
{
    static const double each[] = {INFINITY, 30, 0.25};
    unsigned char *data = malloc(LARGE), *copy = calloc(1, LARGE);
    CHECK(data && copy);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    for (size_t i = 0; i < 2; i++) {
        int fds[2];
        pthread_t thread;
        void *result;
        size_t sent = 0;
        pair(SOCK_STREAM, fds);
        reader = fds[1];
        memset(copy, 0, LARGE);
        CHECK(GIVES(0, sock_settimeout(fds[0], each[i])));
        CHECK(GIVES(0, sock_settimeout(fds[1], each[i])));
        CHECK(pthread_create(&thread, NULL, read_all, copy) == 0);
        CHECK(GIVES(0, sock_sendall(fds[0], data, LARGE, 0, &sent)));
        CHECK(sent == LARGE);
        CHECK(pthread_join(thread, &result) == 0 && result == copy);
        CHECK(memcmp(data, copy, LARGE) == 0);
        close_pair(fds);
    }
    int fds[2];
    size_t sent = SIZE_MAX, received = SIZE_MAX;
    pair(SOCK_STREAM, fds);
    CHECK(GIVES(0, sock_settimeout(fds[0], each[2])));
    EXPIRES(each[2], sock_sendall(fds[0], data, LARGE, 0, &sent));
    CHECK(sent > 0 && sent < LARGE);
    EXPIRES(each[2], sock_send(fds[0], data, LARGE, 0));
    close(fds[0]);
    memset(copy, 0, LARGE);
    CHECK(FAILS(EPIPE, sock_recvall(fds[1], copy, LARGE, 0, &received)));
    CHECK(received == sent && memcmp(data, copy, sent) == 0);
    sent = SIZE_MAX;
    CHECK(FAILS(EPIPE, sock_sendall(fds[1], data, 1, 0, &sent)));
    CHECK(sent == 0);
    CHECK(FAILS(EPIPE, sock_send(fds[1], data, 1, 0)));
    close(fds[1]);
    free(data);
    free(copy);
}

static void readiness(void)
{
    int fds[2];
    char bytes[4];
    pair(SOCK_STREAM, fds);
    CHECK(GIVES(0, sock_setblocking(fds[0], 0)));
    CHECK(FAILS(EAGAIN, sock_recv(fds[0], bytes, 1, 0)));
    CHECK(FAILS(EAGAIN, sock_wait(fds[0], POLLIN, 0)));
    CHECK(GIVES(POLLOUT, sock_wait(fds[0], POLLIN | POLLOUT, INFINITY)));
    CHECK(GIVES(3, sock_send(fds[1], "abc", 3, 0)));
    CHECK(GIVES(POLLIN | POLLOUT, sock_wait(fds[0], POLLIN | POLLOUT, 1)));
    CHECK(GIVES(3, sock_recv(fds[0], bytes, 4, MSG_PEEK)));
    CHECK(GIVES(3, sock_recv(fds[0], bytes, 4, 0)));
    close(fds[1]);
    CHECK((sock_wait(fds[0], POLLIN, 1) & (POLLIN | POLLHUP)) == (POLLIN | POLLHUP));
    CHECK(GIVES(0, sock_recv(fds[0], bytes, 4, 0)));
    close(fds[0]);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

/* However many signals come, with and without SA_RESTART, time is spent once. */
static void signals(void)
{
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        struct sigaction action = {.sa_handler = count_alarm, .sa_flags = flags};
        int fds[2];
        char byte;
        pair(SOCK_STREAM, fds);
        CHECK(sigaction(SIGALRM, &action, NULL) == 0);
        CHECK(GIVES(0, sock_settimeout(fds[0], 0.4)));
        alarms = 0;
        storm(20000);
        EXPIRES(0.4, sock_recv(fds[0], &byte, 1, 0));
        CHECK(alarms > 2);
        EXPIRES(0.4, sock_wait(fds[0], POLLIN, 0.4));
        CHECK(GIVES(0, sock_setinterrupt(fds[0], 1)));
        CHECK(FAILS(EINTR, sock_recv(fds[0], &byte, 1, 0)));
        CHECK(FAILS(EINTR, sock_wait(fds[0], POLLIN, 5)));
        CHECK(GIVES(0, sock_setblocking(fds[0], 1)));
        CHECK(GIVES(1, sock_getinterrupt(fds[0])));
        CHECK(FAILS(EINTR, sock_recv(fds[0], &byte, 1, 0)));
        storm(0);
        close_pair(fds);
    }
}

/* Timeouts that other code set, in each of the shapes in which the kernel takes them. */
static void foreign(void)
{
    struct timeval own = {1, 500000}, read;
    struct { long seconds, microseconds; } old = {0, 250000};
    struct { int64_t seconds, microseconds; } new = {0, 250000};
    socklen_t length = sizeof read;
    int fds[2];
    char byte;
    pair(SOCK_STREAM, fds);
    CHECK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &own, sizeof own) == 0);
    CHECK(timeout(fds[0]) >= 1.5 && timeout(fds[0]) < 1.53);
    CHECK(setsockopt(fds[0], SOL_SOCKET, RCVTIMEO_OLD, &old, sizeof old) == 0);
    CHECK(timeout(fds[0]) >= 0.25 && timeout(fds[0]) < 0.28);
    EXPIRES(0.25, sock_recv(fds[0], &byte, 1, 0));
    CHECK(GIVES(0, sock_settimeout(fds[0], 8)));
    CHECK(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &read, &length) == 0);
    if (length == sizeof read)
        CHECK(read.tv_sec >= 6 && read.tv_sec <= 8); /* The share, or all of it where it is polled. */
    else /* An emulator takes it for an int. */
        puts("SO_RCVTIMEO with 64-bit time is not read here");
    CHECK(GIVES(0, sock_setblocking(fds[0], 1)));
    if (setsockopt(fds[0], SOL_SOCKET, RCVTIMEO_NEW, &new, sizeof new) == 0) {
        CHECK(timeout(fds[0]) >= 0.25 && timeout(fds[0]) < 0.28);
        EXPIRES(0.25, sock_recv(fds[0], &byte, 1, 0));
    } else {
        /* Emulators and old kernels. */
        CHECK(errno == ENOPROTOOPT);
        puts("SO_RCVTIMEO with 64-bit time is not known here");
    }
    close_pair(fds);
}

int main(void)
{
    about();
    modes();
    refusals();
    expiry();
    connections();
    names();
    addresses();
    limits();
    datagrams();
    messages();
    totals();
    readiness();
    signals();
    foreign();
    printf("%d checks with %d-bit pointers and %d-bit time_t\n", checks, (int)sizeof(void *) * 8, (int)sizeof(time_t) * 8);
    return 0;
}
