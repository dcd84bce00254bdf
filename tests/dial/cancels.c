/*
 * Some threads dial the hosts in turn, each until a token; another thread for each cancels at moments of chance. Prints
 * what came of it and what is left of it, in JSON:
 *
 *     cancels TIMES THREADS SERVICE HOST...
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common.h"

/* How long threads of abandoned lookups may take to end: longer than the resolver's own patience. */
#define SETTLE 30
/* The longest time to a cancel, in nanoseconds. */
#define LONGEST 20000000

static char **hosts;
static const char *service;
static int host_count, times;
static atomic_int next, connected, cancelled, busy, wrong;

struct cancel {
    pthread_barrier_t turn;
    int token, over;
    unsigned seed;
};

static void *cancel(void *own)
{
    struct cancel *cancel = own;
    for (;;) {
        pthread_barrier_wait(&cancel->turn);
        if (cancel->over)
            return NULL;
        nap((double)((uint64_t)rand_r(&cancel->seed) * LONGEST / RAND_MAX) / 1e9);
        if (eventfd_write(cancel->token, 1) != 0)
            abort();
        pthread_barrier_wait(&cancel->turn);
    }
}

static void *work(void *number)
{
    struct cancel own = {.seed = (unsigned)(uintptr_t)number};
    pthread_t other;
    if (pthread_barrier_init(&own.turn, NULL, 2) != 0 || pthread_create(&other, NULL, cancel, &own) != 0)
        abort();
    for (int i; (i = atomic_fetch_add(&next, 1)) < times;) {
        own.token = eventfd(0, EFD_CLOEXEC);
        pthread_barrier_wait(&own.turn);
        int fd = sock_dial_until(hosts[i % host_count], service, LIBSOCK_FOREVER, own.token);
        if (fd >= 0) {
            connected++;
            double timeout = 0;
            if (sock_gettimeout(fd, &timeout) != 0 || timeout != LIBSOCK_FOREVER || (fcntl(fd, F_GETFL) & O_NONBLOCK))
                wrong++;
            close(fd);
        } else if (fd == -ECANCELED) {
            struct pollfd token = {.fd = own.token, .events = POLLIN};
            cancelled++;
            if (poll(&token, 1, 0) != 1)
                wrong++;
        } else if (fd == -EAGAIN) {
            busy++; /* 64 lookups are under way: this machine is slow. */
        } else {
            fprintf(stderr, "%s from %s\n", outcome(fd), hosts[i % host_count]);
            wrong++;
        }
        pthread_barrier_wait(&own.turn);
        close(own.token);
    }
    own.over = 1;
    pthread_barrier_wait(&own.turn);
    pthread_join(other, NULL);
    pthread_barrier_destroy(&own.turn);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 64;
    int workers = atoi(argv[2]), before = descriptors();
    pthread_t thread[workers];
    times = atoi(argv[1]);
    service = argv[3];
    hosts = argv + 4;
    host_count = argc - 4;
    for (int i = 0; i < workers; i++)
        if (pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)(i + 1)) != 0)
            return 1;
    for (int i = 0; i < workers; i++)
        pthread_join(thread[i], NULL);
    int left = threads_left(1, SETTLE) - 1;
    printf("{\"connected\": %d, \"cancelled\": %d, \"busy\": %d, \"wrong\": %d, \"threads_left\": %d, \"descriptors_left\": %d}\n",
           connected, cancelled, busy, wrong, left, descriptors() - before);
    return 0;
}
