/* Connect, accept and close both ends, over TCP: BATCHES. */
#include "../bench.h"

#include <stdlib.h>

enum { BATCH = 20, WARM_UP = 1 };

void measure_connect(const struct peer *peer, char **arguments)
{
    int batches = atoi(arguments[0]);
    int64_t *times = calloc((size_t)batches, sizeof *times);
    struct sockaddr_in address;
    /* Connections inherit this, and reset when they close: none is left in TIME_WAIT to run out of ports. */
    struct linger reset = {.l_onoff = 1};
    int fd = listener(&address);
    check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0, "SO_LINGER");
    pin(0);
    void *listening = opened(peer, fd);
    for (int batch = -WARM_UP; batch < batches; batch++) {
        int64_t start = spent();
        for (int i = 0; i < BATCH; i++) {
            void *client = peer->connect(peer->create ? peer->create(TIMEOUT) : NULL, &address);
            check(client != NULL, "connect");
            void *server = peer->accept(listening);
            check(server != NULL, "accept");
            peer->close(server);
            peer->close(client);
        }
        if (batch >= 0)
            times[batch] = spent() - start;
    }
    print_median(times, batches, BATCH);
}
