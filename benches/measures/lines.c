/* Lines of one message's length that have come already: DOMAIN BATCHES. */
#include "../bench.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 256, WARM_UP = 2, BUFFER = 4096 };

/* What is written by hand around a recv. */
struct lines {
    const struct peer *peer;
    void *socket;
    size_t at, have;
    char data[BUFFER];
};

static ssize_t by_hand(struct lines *lines)
{
    size_t known = 0;
    for (;;) {
        char *line = lines->data + lines->at;
        char *end = memchr(line + known, '\n', lines->have - known);
        if (end) {
            size_t len = (size_t)(end - line) + 1;
            lines->at += len;
            lines->have -= len;
            return (ssize_t)len;
        }
        memmove(lines->data, line, lines->have);
        lines->at = 0;
        known = lines->have;
        ssize_t more = lines->peer->recv(lines->socket, lines->data + lines->have, BUFFER - lines->have);
        if (more <= 0)
            return more;
        lines->have += (size_t)more;
    }
}

void *opened_lines(const struct peer *peer, void *socket)
{
    if (peer->open_lines)
        return peer->open_lines(socket);
    struct lines *lines = calloc(1, sizeof *lines);
    check(lines != NULL, "calloc");
    lines->peer = peer;
    lines->socket = socket;
    return lines;
}

ssize_t next_line(const struct peer *peer, void *lines)
{
    return peer->read_line ? peer->read_line(lines) : by_hand(lines);
}

void measure_lines(const struct peer *peer, char **arguments)
{
    static char text[BATCH * MESSAGE];
    int batches = atoi(arguments[1]), fds[2];
    int64_t *times = calloc((size_t)batches, sizeof *times);
    memset(text, 'x', sizeof text);
    for (size_t i = MESSAGE - 1; i < sizeof text; i += MESSAGE)
        text[i] = '\n';
    pin(0);
    pair(arguments[0], fds);
    void *lines = opened_lines(peer, opened(peer, fds[0]));
    for (int batch = -WARM_UP; batch < batches; batch++) {
        send_fully(fds[1], text, sizeof text);
        int64_t start = spent();
        for (int i = 0; i < BATCH; i++)
            check(next_line(peer, lines) == MESSAGE, "line");
        if (batch >= 0)
            times[batch] = spent() - start;
    }
    print_median(times, batches, BATCH);
    free(times);
}
