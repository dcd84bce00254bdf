/* recv and send of one message when they need not wait: DOMAIN BATCHES. */
#include "../bench.h"

#include <stdlib.h>

enum { BATCH = 64, WARM_UP = 2 };

static char message[MESSAGE];

/* The other end is served by plain calls, outside the time. */
static void run(const struct peer *peer, const char *domain, int batches, int receiving)
{
    int64_t *times = calloc((size_t)batches, sizeof *times);
    int fds[2];
    pin(0);
    pair(domain, fds);
    void *socket = opened(peer, fds[0]);
    for (int batch = -WARM_UP; batch < batches; batch++) {
        if (receiving)
            for (int i = 0; i < BATCH; i++)
                send_fully(fds[1], message, sizeof message);
        int64_t start = spent();
        for (int i = 0; i < BATCH; i++) {
            ssize_t moved = receiving ? peer->recv(socket, message, sizeof message)
                                      : peer->send(socket, message, sizeof message);
            check(moved == sizeof message, "transfer");
        }
        if (batch >= 0)
            times[batch] = spent() - start;
        if (!receiving)
            for (int i = 0; i < BATCH; i++)
                receive_fully(fds[1], message, sizeof message);
    }
    print_median(times, batches, BATCH);
}

void measure_recv(const struct peer *peer, char **arguments)
{
    run(peer, arguments[0], atoi(arguments[1]), 1);
}

void measure_send(const struct peer *peer, char **arguments)
{
    run(peer, arguments[0], atoi(arguments[1]), 0);
}
