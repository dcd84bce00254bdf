/* After fork in a process with threads, which are in the middle of operations and of changes of modes: a child can
   use all functions. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sock.h>

#include "all_functions.h"

enum { THREADS = 6, AT_ONCE = 8 };

static _Atomic int finished;
static int shared;

static void *operate(void *argument)
{
    struct room room;
    make_room(&room);
    room.others = 1;
    while (!finished)
        exercise_all(&room, functions, modes[3 + (size_t)argument % 2], 0);
    free_room(&room);
    return NULL;
}

static void *change(void *argument)
{
    (void)argument;
    for (int i = 0; !finished; i++)
        must(sock_settimeout(shared, modes[i % MODES]), "sock_settimeout");
    return NULL;
}

static void join_child(void)
{
    int status;
    must(wait(&status), "wait");
    if (status != 0) {
        fprintf(stderr, "a child ended with status %d\n", status);
        _exit(1);
    }
}

int main(int argc, char **argv)
{
    double end = now() + (argc > 1 ? atof(argv[1]) : 3);
    start_peer();
    shared = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    struct room room;
    make_room(&room);
    room.others = 1;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        must(-pthread_create(&threads[i], NULL, i < 2 ? change : operate, (void *)i), "pthread_create");
    int forks = 0, under_way = 0;
    for (; now() < end; forks++) {
        if (must(fork(), "fork") == 0) {
            alarm(60);
            exercise_all(&room, functions, modes[MODES - 1 - (forks % 10 == 0 ? forks / 10 % MODES : 0)], 0);
            /* Of a mode that was being changed in the middle of the fork, one or the other is left. */
            double told = -1;
            must(sock_gettimeout(shared, &told), "sock_gettimeout");
            must(sock_settimeout(shared, 7.345), "sock_settimeout");
            _exit(told >= 0 ? 0 : 1);
        }
        if (under_way == AT_ONCE)
            join_child();
        else
            under_way++;
    }
    while (under_way-- > 0)
        join_child();
    finished = 1;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    free_room(&room);
    printf("%d children of %d threads, each with all functions\n", forks, THREADS + 1);
    return 0;
}
