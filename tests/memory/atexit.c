/*
 * At exit: all functions from a handler of atexit(), from a destructor and from that of a thread's own data, while
 * other threads wait in an operation.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sock.h>

#include "all_functions.h"

enum { WAITING = 4 };

static struct room room;

static void all(const char *where)
{
    exercise_all(&room, functions, modes[0], 0);
    exercise_all(&room, lookups, modes[1], 0);
    for (int i = 2; i < MODES; i++)
        exercise_all(&room, functions, modes[i], 0);
    dprintf(1, "%s\n", where);
}

static void handler(void)
{
    all("atexit");
}

__attribute__((destructor)) static void destructor(void)
{
    all("destructor");
}

static void key_destructor(void *key)
{
    (void)key;
    all("key");
}

static void *with_key(void *argument)
{
    pthread_key_t *key = argument;
    must(-pthread_setspecific(*key, key), "pthread_setspecific");
    return NULL;
}

static void *wait_for_nothing(void *argument)
{
    size_t i = (size_t)argument;
    int ends[2];
    char byte;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    must(sock_settimeout(ends[0], modes[i % 2]), "sock_settimeout");
    long code = i < 2 ? sock_recv(ends[0], &byte, 1, 0) : sock_recvall(ends[0], &byte, 1, 0, NULL);
    dprintf(2, "a wait for nothing ended: %ld\n", code);
    _exit(1);
}

int main(void)
{
    start_peer();
    make_room(&room);
    must(-atexit(handler), "atexit");
    pthread_key_t key;
    pthread_t thread;
    must(-pthread_key_create(&key, key_destructor), "pthread_key_create");
    must(-pthread_create(&thread, NULL, with_key, &key), "pthread_create");
    pthread_join(thread, NULL);
    for (size_t i = 0; i < WAITING; i++) {
        must(-pthread_create(&thread, NULL, wait_for_nothing, (void *)i), "pthread_create");
        pthread_detach(thread);
    }
    usleep(20000);
    return 0;
}
