/*
 * A program that may have 16 descriptors dials a host of 40 addresses, none of which answers; then one of which,
 * the third, does; then the last, and the others give way late, when descriptors have run out; then it has no
 * descriptor left. Its resolver is its own. Silent if all is right.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

#define DESCRIPTORS 16
#define ADDRESSES 40
#define BUDGET 0.5
#define PATIENCE 20.0

static struct sockaddr_in silent, answering;
static int answers; /* which of the addresses does, if any */
static atomic_int lists;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)host, (void)service;
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    struct addrinfo *list = calloc(ADDRESSES, sizeof *list);
    for (int i = 0; i < ADDRESSES; i++) {
        list[i].ai_family = AF_INET;
        list[i].ai_socktype = SOCK_STREAM;
        list[i].ai_addr = (struct sockaddr *)(i == answers ? &answering : &silent);
        list[i].ai_addrlen = sizeof silent;
        list[i].ai_next = i + 1 < ADDRESSES ? &list[i + 1] : NULL;
    }
    lists++;
    *found = list;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    lists--;
    free(list);
}

static int open_of_few(void)
{
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The thread of the lookup may be the last to let go of what it shares with the call. */
static void nothing_is_left_but(int expected)
{
    for (double end = now() + PATIENCE; (open_of_few() != expected || lists != 0) && now() < end;)
        usleep(1000);
    MUST(open_of_few() == expected);
    MUST(lists == 0);
}

/* The attempts of 40 addresses in the half of 4 s take all descriptors before; the first is refused at 1 s, when
 * TCP tries again. */
static void *close_late(void *fd)
{
    usleep(800000);
    close(*(int *)fd);
    return NULL;
}

int main(void)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = DESCRIPTORS;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int queued[4];
    socklen_t length = sizeof silent;
    int silent_listener = listening(AF_INET, 0, &silent, &length);
    listening(AF_INET, 8, &answering, &length);
    fill_queue(&silent, length, queued, 4);
    int before = open_of_few();
    MUST(before <= DESCRIPTORS - 6);

    answers = -1;
    double start = now();
    MUST(sock_dial("crowd.invalid", "9", BUDGET) == -ETIMEDOUT);
    MUST(now() - start >= BUDGET && now() - start < BUDGET + 2);
    nothing_is_left_but(before);

    answers = 2;
    int client = sock_dial("crowd.invalid", "9", PATIENCE);
    MUST(client >= 0);
    double seconds;
    MUST(sock_gettimeout(client, &seconds) == 0 && seconds == PATIENCE);
    nothing_is_left_but(before + 1);

    answers = ADDRESSES - 1;
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, close_late, &silent_listener) == 0);
    int last = sock_dial("crowd.invalid", "9", 4);
    MUST(last >= 0 && pthread_join(thread, NULL) == 0 && close(last) == 0);
    before--;
    nothing_is_left_but(before + 1);

    while (dup(client) >= 0)
        ;
    MUST(sock_dial("crowd.invalid", "9", BUDGET) == -EMFILE);
    MUST(sock_dial("crowd.invalid", "9", LIBSOCK_FOREVER) == -EMFILE);
    nothing_is_left_but(DESCRIPTORS);
    return 0;
}
