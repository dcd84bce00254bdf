/* One message to and fro between two threads, so that every recv waits: DOMAIN CORES BATCHES. */
#include "../bench.h"

#include <pthread.h>
#include <stdlib.h>

enum { BATCH = 100, WARM_UP = 1 };

struct side {
    const struct peer *peer;
    void *socket;
    int core, count;
};

static void *echo(void *argument)
{
    struct side *side = argument;
    char message[MESSAGE];
    pin(side->core);
    for (int i = 0; i < side->count; i++) {
        check(side->peer->recv(side->socket, message, sizeof message) == sizeof message, "recv");
        check(side->peer->send(side->socket, message, sizeof message) == sizeof message, "send");
    }
    return NULL;
}

void measure_pingpong(const struct peer *peer, char **arguments)
{
    int cores = atoi(arguments[1]), batches = atoi(arguments[2]), fds[2];
    int64_t *times = calloc((size_t)batches, sizeof *times);
    char message[MESSAGE] = {0};
    pin(0);
    pair(arguments[0], fds);
    void *socket = opened(peer, fds[0]);
    struct side other = {peer, opened(peer, fds[1]), cores - 1, (batches + WARM_UP) * BATCH};
    pthread_t thread;
    check(pthread_create(&thread, NULL, echo, &other) == 0, "pthread_create");
    for (int batch = -WARM_UP; batch < batches; batch++) {
        int64_t start = now();
        for (int i = 0; i < BATCH; i++) {
            check(peer->send(socket, message, sizeof message) == sizeof message, "send");
            check(peer->recv(socket, message, sizeof message) == sizeof message, "recv");
        }
        if (batch >= 0)
            times[batch] = now() - start;
    }
    print_median(times, batches, BATCH);
    pthread_join(thread, NULL);
}
