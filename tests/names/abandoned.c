/*
 * Lookups that do not end are abandoned when time runs out or a token comes: no more than 64 of them, and what ends
 * leaves nothing behind. A child of fork, where the threads of its parent's lookups are not, begins anew. The resolver is
 * the program's own. Silent if all is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

#define AT_MOST 64
#define PATIENCE 20.0
#define SOON 0.05

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* A lookup ends when it is open. */
static struct sockaddr_in address;
static atomic_int lists, unlike;
static _Thread_local volatile sig_atomic_t handled;

static void handle(int number)
{
    (void)number;
    handled = 1;
}

/* Signals are the program's, but for those that a thread raises itself. */
static void look_at_signals(void)
{
    const int own[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    for (int number = 1; number <= SIGRTMAX; number++) {
        int open = number == SIGKILL || number == SIGSTOP || (number > 31 && number < SIGRTMIN);
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            open |= number == own[i];
        if (sigismember(&blocked, number) != !open)
            unlike = number;
    }
    raise(SIGSYS);
    if (!handled)
        unlike = SIGSYS;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)host, (void)service;
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    look_at_signals();
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    struct addrinfo *list = calloc(1, sizeof *list);
    *list = (struct addrinfo){.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)&address,
                              .ai_addrlen = sizeof address};
    lists++;
    *found = list;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    lists--;
    free(list);
}

static int lines(const char *path)
{
    int count = 0;
    FILE *file = fopen(path, "r");
    MUST(file);
    for (int byte; (byte = getc(file)) != EOF;)
        count += byte == '\n';
    fclose(file);
    return count;
}

struct held {
    int threads, descriptors, mappings;
};

static struct held held(void)
{
    return (struct held){threads(), descriptors(), lines("/proc/self/maps")};
}

/* Threads and descriptors go by themselves, mappings when the next lookup begins. */
static void settles(struct held before)
{
    struct held after = held();
    for (double end = now() + PATIENCE; after.threads > before.threads && now() < end; after = held())
        usleep(1000);
    MUST(after.threads == before.threads);
    MUST(after.descriptors == before.descriptors);
    MUST(lists == 0);
}

static int dial(double seconds)
{
    return sock_dial("name.invalid", "9", seconds);
}

static int dial_until(double deadline, int token)
{
    return sock_dial_until("name.invalid", "9", deadline, token);
}

/* The thread is begun before the clock is read. */
static void *cancel_soon(void *token)
{
    usleep((useconds_t)(2 * SOON * 1e6));
    MUST(write(((int *)token)[1], "", 1) == 1);
    return NULL;
}

/* A connection is made, and then there are no more mappings than before. */
static void connects(struct held before)
{
    int client = dial(PATIENCE);
    MUST(client >= 0 && close(client) == 0);
    settles(before);
    MUST(held().mappings <= before.mappings);
}

int main(void)
{
    mallopt(M_ARENA_MAX, 1); /* Threads would have mappings of their own from it. */
    signal(SIGSYS, handle);
    socklen_t length = sizeof address;
    listening(AF_INET, 100, &address, &length);
    int token[2];
    char byte;
    pthread_t other;
    MUST(pipe(token) == 0);
    MUST(pthread_create(&other, NULL, cancel_soon, token) == 0 && pthread_join(other, NULL) == 0);
    MUST(read(token[0], &byte, 1) == 1);
    struct held before = held();
    connects(before); /* What the C library keeps of first threads is there. */
    before = held();
    connects(before);

    for (int round = 0; round < 3; round++) {
        pthread_mutex_lock(&gate);
        double start = now();
        MUST(dial(0.05) == -ETIMEDOUT && now() - start >= 0.05 && now() - start < 5);
        double deadline = now() + 0.05;
        MUST(dial_until(deadline, -1) == -ETIMEDOUT && now() >= deadline && now() < deadline + 5);
        MUST(pthread_create(&other, NULL, cancel_soon, token) == 0);
        start = now();
        MUST(dial_until(LIBSOCK_FOREVER, token[0]) == -ECANCELED && now() - start >= SOON && now() - start < 5);
        MUST(pthread_join(other, NULL) == 0);
        for (int i = 3; i < 2 * AT_MOST; i++)
            MUST(dial_until(LIBSOCK_FOREVER, token[0]) == (i < AT_MOST ? -ECANCELED : -EAGAIN));
        MUST(read(token[0], &byte, 1) == 1);
        MUST(threads() == before.threads + AT_MOST);

        pid_t child = fork();
        MUST(child >= 0);
        if (child == 0) {
            pthread_mutex_unlock(&gate);
            int client = dial(PATIENCE);
            MUST(client >= 0 && close(client) == 0);
            struct held after = held();
            MUST(after.threads == before.threads && after.descriptors == before.descriptors);
            MUST(after.mappings <= before.mappings);
            _exit(0);
        }
        int status = 0;
        MUST(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);

        pthread_mutex_unlock(&gate);
        settles(before);
        connects(before);
    }
    errno = unlike;
    MUST(unlike == 0);
    return 0;
}
