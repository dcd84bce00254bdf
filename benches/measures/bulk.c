/* sendall on one core, recvall on another: DOMAIN BYTES-A-CALL MEBIBYTES. Prints nanoseconds a mebibyte. */
#include "../bench.h"

#include <pthread.h>
#include <stdlib.h>

struct side {
    const struct peer *peer;
    void *socket;
    size_t step, total;
};

static void *read_all(void *argument)
{
    struct side *side = argument;
    char *data = calloc(1, side->step);
    pin(1);
    for (size_t done = 0; done < side->total; done += side->step)
        check(recv_all(side->peer, side->socket, data, side->step) == 0, "recvall");
    free(data);
    return NULL;
}

void measure_bulk(const struct peer *peer, char **arguments)
{
    size_t step = strtoul(arguments[1], NULL, 10), mebibytes = strtoul(arguments[2], NULL, 10);
    char *data = calloc(1, step);
    int fds[2];
    pair(arguments[0], fds);
    struct side reader = {peer, opened(peer, fds[1]), step, mebibytes << 20};
    void *socket = opened(peer, fds[0]);
    pthread_t thread;
    pin(0);
    int64_t start = now();
    check(pthread_create(&thread, NULL, read_all, &reader) == 0, "pthread_create");
    for (size_t done = 0; done < reader.total; done += step)
        check(send_all(peer, socket, data, step) == 0, "sendall");
    pthread_join(thread, NULL);
    int64_t time = now() - start;
    print_median(&time, 1, (int)mebibytes);
    free(data);
}
