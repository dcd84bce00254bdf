/*
 * Cancels a thread in a function, and tells what came of it:
 *
 *   cancellation FUNCTION pending    it was cancelled before it called
 *   cancellation FUNCTION waiting    it is cancelled while it waits
 *
 * prints "cancelled" or "returned", and "; left behind: ..." unless descriptors and the mode are as before.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

static int stream[2], full[2], datagram[2], listener, unconnected;
static int pending, returned;
static sem_t begun, cancelled;
static char bytes[1 << 22];
static struct sockaddr_in address;
static struct iovec piece = {bytes, 1};
static struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
static struct sockaddr_storage text;
static socklen_t length;
static size_t count, have;
/* A token, and one that a thread makes. */
static int unused, made = -1;
static double seconds;

static void on_accept(void) { sock_accept(listener, NULL, NULL); }
static void on_address(void) { sock_address("127.0.0.1", "9", &text, &length); }
static void on_connect(void) { sock_connect(unconnected, (struct sockaddr *)&address, sizeof address); }
static void on_dial(void) { sock_dial("127.0.0.1", "9", 10.0); }
static void on_dial_until(void) { sock_dial_until("127.0.0.1", "9", LIBSOCK_FOREVER, -1); }
static void on_getblocking(void) { sock_getblocking(stream[0]); }
static void on_getinterrupt(void) { sock_getinterrupt(stream[0]); }
static void on_gettimeout(void) { sock_gettimeout(stream[0], &seconds); }
static void on_name(void) { sock_name((struct sockaddr *)&address, sizeof address, bytes, sizeof bytes); }
static void on_recv(void) { sock_recv(stream[0], bytes, 1, 0); }
static void on_recvall(void) { sock_recvall(stream[0], bytes, 2, 0, &count); }
static void on_recvfrom(void) { sock_recvfrom(datagram[0], bytes, 1, 0, NULL, NULL); }
static void on_recvmsg(void) { sock_recvmsg(stream[0], &message, 0); }
static void on_send(void) { sock_send(full[0], bytes, 1, 0); }
static void on_sendall(void) { sock_sendall(full[0], bytes, sizeof bytes, 0, &count); }
static void on_sendmsg(void) { sock_sendmsg(full[0], &message, 0); }
static void on_sendto(void) { sock_sendto(full[0], bytes, 1, 0, NULL, 0); }
static void on_setblocking(void) { sock_setblocking(stream[0], 1); }
static void on_setinterrupt(void) { sock_setinterrupt(stream[0], 0); }
static void on_settimeout(void) { sock_settimeout(stream[0], LIBSOCK_FOREVER); }
static void on_strerror(void) { sock_strerror(1); }
static void on_deadline(void) { sock_deadline(1.0); }
static void on_token(void) { made = sock_token(); }
static void on_cancel(void) { sock_cancel(unused); }
static void on_recvdelim(void) { have = 0; sock_recvdelim(stream[0], bytes, sizeof bytes, &have, "\n", 1); }
static void on_accept_until(void) { sock_accept_until(listener, NULL, NULL, LIBSOCK_FOREVER, unused); }
static void on_connect_until(void)
{
    sock_connect_until(unconnected, (struct sockaddr *)&address, sizeof address, LIBSOCK_FOREVER, unused);
}
static void on_recv_until(void) { sock_recv_until(stream[0], bytes, 1, 0, LIBSOCK_FOREVER, unused); }
static void on_recvall_until(void) { sock_recvall_until(stream[0], bytes, 2, 0, &count, LIBSOCK_FOREVER, unused); }
static void on_recvdelim_until(void)
{
    have = 0;
    sock_recvdelim_until(stream[0], bytes, sizeof bytes, &have, "\n", 1, LIBSOCK_FOREVER, unused);
}
static void on_recvfrom_until(void) { sock_recvfrom_until(datagram[0], bytes, 1, 0, NULL, NULL, LIBSOCK_FOREVER, unused); }
static void on_recvmsg_until(void) { sock_recvmsg_until(stream[0], &message, 0, LIBSOCK_FOREVER, unused); }
static void on_send_until(void) { sock_send_until(full[0], bytes, 1, 0, LIBSOCK_FOREVER, unused); }
static void on_sendall_until(void) { sock_sendall_until(full[0], bytes, sizeof bytes, 0, &count, LIBSOCK_FOREVER, unused); }
static void on_sendmsg_until(void) { sock_sendmsg_until(full[0], &message, 0, LIBSOCK_FOREVER, unused); }
static void on_sendto_until(void) { sock_sendto_until(full[0], bytes, 1, 0, NULL, 0, LIBSOCK_FOREVER, unused); }
static void on_wait_until(void) { sock_wait_until(stream[0], POLLIN, LIBSOCK_FOREVER, unused); }
static void on_version(void) { sock_version(); }
static void on_wait(void) { sock_wait(stream[0], POLLIN, 10.0); }

static const struct {
    const char *name;
    void (*call)(void);
} functions[] = {
    {"sock_accept", on_accept}, {"sock_connect", on_connect}, {"sock_dial", on_dial}, {"sock_dial_until", on_dial_until},
    {"sock_address", on_address}, {"sock_name", on_name},
    {"sock_getblocking", on_getblocking}, {"sock_getinterrupt", on_getinterrupt}, {"sock_gettimeout", on_gettimeout},
    {"sock_recv", on_recv}, {"sock_recvall", on_recvall}, {"sock_recvfrom", on_recvfrom}, {"sock_recvmsg", on_recvmsg},
    {"sock_send", on_send}, {"sock_sendall", on_sendall}, {"sock_sendmsg", on_sendmsg}, {"sock_sendto", on_sendto},
    {"sock_setblocking", on_setblocking}, {"sock_setinterrupt", on_setinterrupt}, {"sock_settimeout", on_settimeout},
    {"sock_strerror", on_strerror}, {"sock_version", on_version}, {"sock_wait", on_wait},
    {"sock_deadline", on_deadline}, {"sock_token", on_token}, {"sock_cancel", on_cancel},
    {"sock_recvdelim", on_recvdelim},
    {"sock_send_until", on_send_until},
    {"sock_recv_until", on_recv_until},
    {"sock_sendto_until", on_sendto_until},
    {"sock_recvfrom_until", on_recvfrom_until},
    {"sock_sendmsg_until", on_sendmsg_until},
    {"sock_recvmsg_until", on_recvmsg_until},
    {"sock_sendall_until", on_sendall_until},
    {"sock_recvall_until", on_recvall_until},
    {"sock_recvdelim_until", on_recvdelim_until},
    {"sock_connect_until", on_connect_until},
    {"sock_accept_until", on_accept_until},
    {"sock_wait_until", on_wait_until},
};

static void set_up(void)
{
    struct sockaddr_in elsewhere;
    socklen_t size = sizeof elsewhere;
    int queued[4];

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0
          && socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram) == 0);
    while (send(full[0], bytes, 4096, MSG_DONTWAIT) > 0)
        ;
    while (send(full[0], bytes, 1, MSG_DONTWAIT) > 0)
        ;
    listener = listening(AF_INET, 0, &elsewhere, &size);
    /* A listener whose queue is full answers nobody. */
    listening(AF_INET, 0, &address, &size);
    fill_queue(&address, size, queued, 4);
    unconnected = socket(AF_INET, SOCK_STREAM, 0);
}

static void *thread(void *argument)
{
    void (*const *call)(void) = argument;

    if (pending) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        sem_post(&begun);
        sem_wait(&cancelled);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    } else {
        sem_post(&begun);
    }
    (*call)();
    returned = 1;
    pthread_testcancel();
    return NULL;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    int before;
    pthread_t other;
    void *result;
    double after;

    MUST(argc == 3);
    while (n < sizeof functions / sizeof *functions && strcmp(functions[n].name, argv[1]) != 0)
        n++;
    if (n == sizeof functions / sizeof *functions) {
        printf("%s is not known here\n", argv[1]);
        return 1;
    }
    pending = strcmp(argv[2], "pending") == 0;
    unused = sock_token();
    MUST(unused >= 0);
    set_up();
    before = descriptors();
    MUST(pthread_create(&other, NULL, thread, (void *)&functions[n].call) == 0);
    sem_wait(&begun);
    if (!pending)
        usleep(200000);
    pthread_cancel(other);
    sem_post(&cancelled);
    pthread_join(other, &result);
    MUST(result == PTHREAD_CANCELED);
    if (made >= 0)
        close(made);
    printf("%s", returned ? "returned" : "cancelled");
    if (descriptors() != before)
        printf("; left behind: %d descriptors", descriptors() - before);
    MUST(sock_gettimeout(stream[0], &after) == 0);
    if (after != LIBSOCK_FOREVER)
        printf("; left behind: a mode");
    /* The socket is as good as before. */
    if (send(stream[1], bytes, 1, 0) != 1 || sock_recv(stream[0], bytes, 1, 0) != 1)
        printf("; left behind: a socket that does not receive");
    puts("");
    return 0;
}
