/* A receive that waits on one thread and is cancelled by another, on one core: COUNT, or as many as there are in a second. Prints
   the nanoseconds from the call that cancels until the receive has returned. */
#include "../bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

enum { ASLEEP = 2000000, ENOUGH = 1000000000 };

static struct {
    const struct peer *peer;
    void *socket;
    ssize_t result;
    int64_t returned;
    sem_t begin, end;
} receiver;

static void *receive(void *unused)
{
    char message[MESSAGE];
    for (;;) {
        sem_wait(&receiver.begin);
        receiver.result = receiver.peer->recv_until_cancelled(receiver.socket, message, sizeof message);
        receiver.returned = now();
        sem_post(&receiver.end);
    }
    return unused;
}

void measure_cancel(const struct peer *peer, char **arguments)
{
    int count = atoi(arguments[0]), done = 0, fds[2];
    int64_t *times = calloc((size_t)count, sizeof *times);
    pthread_t thread;
    check(peer->cancel != NULL, "nothing to cancel it with");
    receiver.peer = peer;
    sem_init(&receiver.begin, 0, 0);
    sem_init(&receiver.end, 0, 0);
    pin(0);
    check(pthread_create(&thread, NULL, receive, NULL) == 0, "pthread_create");
    int64_t begun = now();
    while (done < count && now() - begun < ENOUGH) {
        pair("unix", fds);
        receiver.socket = opened(peer, fds[0]);
        if (peer->prepare)
            peer->prepare(receiver.socket);
        sem_post(&receiver.begin);
        sleep_until(now() + ASLEEP);
        int64_t start = now();
        peer->cancel(receiver.socket);
        sem_wait(&receiver.end);
        check(receiver.result <= 0, "cancelled receive");
        times[done++] = receiver.returned - start;
        peer->close(receiver.socket);
        close(fds[1]);
    }
    print_median(times, done, 1);
}
