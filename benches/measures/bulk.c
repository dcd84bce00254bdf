/* sendall by one thread, recvall by another: DOMAIN BYTES-A-CALL MEBIBYTES CORES BUFFER. Prints nanoseconds a mebibyte: on
   two cores what passed, on one what was spent on it. Buffers are as the system has them for a BUFFER of 0. */
#include "../bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct side {
    const struct peer *peer;
    void *socket;
    size_t step, total;
    int core;
};

/* By all threads, whatever else the machine does meanwhile. */
static int64_t spent_by_all(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void *read_all(void *argument)
{
    struct side *side = argument;
    char *data = calloc(1, side->step);
    pin(side->core);
    for (size_t done = 0; done < side->total; done += side->step)
        check(recv_all(side->peer, side->socket, data, side->step) == 0, "recvall");
    free(data);
    return NULL;
}

void measure_bulk(const struct peer *peer, char **arguments)
{
    size_t step = strtoul(arguments[1], NULL, 10), mebibytes = strtoul(arguments[2], NULL, 10);
    int cores = atoi(arguments[3]), buffer = atoi(arguments[4]), fds[2];
    int64_t (*clock)(void) = cores == 1 ? spent_by_all : now;
    char *data = calloc(1, step);
    pair(arguments[0], fds);
    for (int i = 0; buffer && i < 2; i++)
        check(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) == 0
                  && setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0,
              "SO_SNDBUF");
    struct side reader = {peer, opened(peer, fds[1]), step, mebibytes << 20, cores - 1};
    void *socket = opened(peer, fds[0]);
    pthread_t thread;
    pin(0);
    int64_t start = clock();
    check(pthread_create(&thread, NULL, read_all, &reader) == 0, "pthread_create");
    for (size_t done = 0; done < reader.total; done += step)
        check(send_all(peer, socket, data, step) == 0, "sendall");
    pthread_join(thread, NULL);
    int64_t time = clock() - start;
    print_median(&time, 1, (int)mebibytes);
    free(data);
}
