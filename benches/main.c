/* Puts one peer to one measure, once. benches/run.py decides which, in what order and how often.

   usage: bench PEER MEASURE [ARGUMENT...]
          bench peers               each with its version
          bench signals PID         a storm of signals
          bench server BYTES        answers requests on one core; prints its port of TCP */
#include "bench.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    measure *run;
    int arguments;
} measures[] = {
    {"recv", measure_recv, 2},
    {"send", measure_send, 2},
    {"pingpong", measure_pingpong, 3},
    {"bulk", measure_bulk, 5},
    {"connect", measure_connect, 1},
    {"settimeout", measure_settimeout, 1},
    {"lateness", measure_lateness, 2},
    {"storm", measure_storm, 1},
    {"calls", measure_calls, 2},
    {"instructions", measure_instructions, 1},
    {"scale", measure_scale, 3},
    {"request", measure_request, 2},
    {"lines", measure_lines, 2},
    {"cancel", measure_cancel, 1},
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "peers") == 0) {
        for (int i = 0; i < PEERS; i++)
            if (peers[i])
                printf("%s %s\n", peers[i]->name, peers[i]->version());
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "signals") == 0) {
        send_signals(atoi(argv[2]));
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "server") == 0) {
        struct sockaddr_in address;
        int listening = listener(&address), on = 1;
        printf("%d\n", ntohs(address.sin_port));
        fflush(stdout);
        pin(0);
        int fd = accept(listening, NULL, NULL);
        check(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "accept");
        answer_requests(fd, strtoul(argv[2], NULL, 10));
        return 0;
    }
    signal(SIGPIPE, SIG_IGN); /* Some peers leave it to the program. */
    const struct peer *peer = argc >= 3 ? peer_named(argv[1]) : NULL;
    for (size_t i = 0; peer && i < sizeof measures / sizeof *measures; i++) {
        if (strcmp(argv[2], measures[i].name) == 0 && argc - 3 == measures[i].arguments) {
            errno = 0;
            measures[i].run(peer, argv + 3);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s PEER MEASURE [ARGUMENT...]\n", argv[0]);
    return 2;
}
