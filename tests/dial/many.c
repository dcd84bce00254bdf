/*
 * Dials many times from some threads, each time the next of the hosts in turn, and prints what came of it and
 * what is left of it, in JSON:
 *
 *     many TIMES THREADS SERVICE HOST=OUTCOME@SECONDS...
 *
 * A connection counts if it brings back the byte that was sent. The first half of the times fills what the C
 * library keeps for later, so what the second half leaves behind has leaked.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common.h"

/* How long threads of abandoned lookups may take to end: longer than the resolver's own patience. */
#define SETTLE 30

struct target {
    const char *host, *expected;
    double seconds;
};

static struct target *targets;
static int target_count, last;
static const char *service;
static atomic_int next, right, most_threads;

/* What a dial came to; a connection is put to use and closed. */
static const char *dial(const struct target *target)
{
    int fd;
    /* 64 lookups of names that are never answered may be under way, and soon are. */
    while ((fd = sock_dial(target->host, service, target->seconds)) == -EAGAIN)
        nap(0.05);
    const char *came = outcome(fd);
    if (fd >= 0) {
        char byte = 'x';
        int failed = sock_settimeout(fd, 10);
        if (failed == 0)
            failed = sock_sendall(fd, "b", 1, 0, NULL);
        if (failed == 0)
            failed = sock_recvall(fd, &byte, 1, 0, NULL);
        if (failed != 0 || byte != 'b')
            came = "connected in vain";
        close(fd);
    }
    return came;
}

static void *work(void *nothing)
{
    for (int i; (i = atomic_fetch_add(&next, 1)) < last;) {
        const struct target *target = &targets[i % target_count];
        const char *came = dial(target);
        if (strcmp(came, target->expected) == 0)
            atomic_fetch_add(&right, 1);
        else
            fprintf(stderr, "%d: %s instead of %s from %s\n", i, came, target->expected, target->host);
        if (i % 100 == 0) {
            int seen = threads();
            if (seen > atomic_load(&most_threads))
                atomic_store(&most_threads, seen);
        }
    }
    return nothing;
}

struct holding {
    int threads, descriptors;
    size_t bytes;
    long kilobytes;
};

/* Dials until so many have been done, and tells what the process then holds. */
static struct holding until(int times, int workers)
{
    pthread_t thread[workers];
    last = times;
    for (int i = 0; i < workers; i++)
        if (pthread_create(&thread[i], NULL, work, NULL) != 0)
            exit(1);
    for (int i = 0; i < workers; i++)
        pthread_join(thread[i], NULL);
    atomic_store(&next, times);
    struct holding held = {.threads = threads_left(1, SETTLE)};
    held.descriptors = descriptors();
    held.bytes = mallinfo2().uordblks;
    held.kilobytes = resident();
    return held;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("usage: many TIMES THREADS SERVICE HOST=OUTCOME@SECONDS...\n", stderr);
        return 64;
    }
    int times = atoi(argv[1]), workers = atoi(argv[2]);
    service = argv[3];
    target_count = argc - 4;
    targets = calloc((size_t)target_count, sizeof *targets);
    if (!targets || times < 2 || workers < 1)
        return 64;
    for (int i = 0; i < target_count; i++) {
        char *expected = strrchr(argv[4 + i], '='), *seconds = strrchr(argv[4 + i], '@');
        if (!expected || !seconds)
            return 64;
        *expected++ = *seconds++ = '\0';
        targets[i] = (struct target){argv[4 + i], expected, strtod(seconds, NULL)};
    }
    int before = descriptors();
    double start = now();
    struct holding half = until(times / 2, workers), end = until(times, workers);
    printf("{\"right\": %d, \"seconds\": %.3f, \"most_threads\": %d, \"threads_left\": %d, \"descriptors_left\": %d,"
           " \"bytes_kept\": %ld, \"kilobytes_grown\": %ld, \"kilobytes\": %ld}\n",
           right, now() - start, most_threads, end.threads - 1, end.descriptors - before, (long)(end.bytes - half.bytes),
           end.kilobytes - half.kilobytes, end.kilobytes);
    free(targets);
    return 0;
}
