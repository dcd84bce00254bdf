/* A change of timeout: BATCHES. */
#include "../bench.h"

#include <stdlib.h>

enum { BATCH = 100, WARM_UP = 1 };

void measure_settimeout(const struct peer *peer, char **arguments)
{
    int batches = atoi(arguments[0]), fds[2];
    int64_t *times = calloc((size_t)batches, sizeof *times);
    pin(0);
    pair("unix", fds);
    void *socket = opened(peer, fds[0]);
    for (int batch = -WARM_UP; batch < batches; batch++) {
        int64_t start = spent();
        for (int i = 0; i < BATCH; i++)
            check(peer->settimeout(socket, i % 2 ? TIMEOUT : TIMEOUT / 2) == 0, "settimeout");
        if (batch >= 0)
            times[batch] = spent() - start;
    }
    print_median(times, batches, BATCH);
}
