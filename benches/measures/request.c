/* A request and its answer under one deadline, over TCP, one after another, on one core: BYTES BATCHES. The answer is of so many
   bytes. The other end is served by plain calls in a process of its own. */
#include "../bench.h"

#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 20, WARM_UP = 1 };

static int step_by_step(const struct peer *peer, void *socket, const void *request, char *answer, size_t len)
{
    int64_t deadline = now() + (int64_t)(TIMEOUT * 1e9);
    int code = peer->settimeout(socket, (double)(deadline - now()) / 1e9);
    if (code == 0)
        code = send_all(peer, socket, request, MESSAGE);
    for (size_t done = 0; code == 0 && done < len;) {
        code = peer->settimeout(socket, (double)(deadline - now()) / 1e9);
        ssize_t more = code < 0 ? code : peer->recv(socket, answer + done, len - done);
        if (more <= 0)
            return more == 0 ? -1 : (int)more;
        done += (size_t)more;
    }
    return code;
}

int do_exchange(const struct peer *peer, void *socket, const void *request, void *answer, size_t len)
{
    return peer->exchange ? peer->exchange(socket, request, answer, len, TIMEOUT)
                          : step_by_step(peer, socket, request, answer, len);
}

void answer_requests(int fd, size_t len)
{
    char request[MESSAGE], *answer = calloc(1, len);
    while (recv(fd, request, sizeof request, MSG_WAITALL) == sizeof request)
        send_fully(fd, answer, len);
    free(answer);
}

void measure_request(const struct peer *peer, char **arguments)
{
    size_t len = strtoul(arguments[0], NULL, 10);
    int batches = atoi(arguments[1]), fds[2];
    int64_t *times = calloc((size_t)batches, sizeof *times);
    char request[MESSAGE] = {0}, *answer = malloc(len);
    pin(0);
    pair("tcp", fds);
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(fds[0]);
        answer_requests(fds[1], len);
        _exit(0);
    }
    close(fds[1]);
    void *socket = opened(peer, fds[0]);
    for (int batch = -WARM_UP; batch < batches; batch++) {
        int64_t start = now();
        for (int i = 0; i < BATCH; i++)
            check(do_exchange(peer, socket, request, answer, len) == 0, "request");
        if (batch >= 0)
            times[batch] = now() - start;
    }
    print_median(times, batches, BATCH);
    free(answer);
    free(times);
}
