/* Many sockets, each with its own timeout and waited on by its own thread: DOMAIN SOCKETS SECONDS. Prints the
   resident bytes for each socket and thread, then the nanoseconds for each message answered. */
#include "../bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, STACK = 64 << 10 };

struct waiter {
    const struct peer *peer;
    void *socket;
};

static atomic_int waiting;

static void *answer(void *argument)
{
    struct waiter *waiter = argument;
    char message[MESSAGE];
    atomic_fetch_add(&waiting, 1);
    while (waiter->peer->recv(waiter->socket, message, sizeof message) == sizeof message)
        check(waiter->peer->send(waiter->socket, message, sizeof message) == sizeof message, "send");
    return NULL;
}

static int64_t resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file && fscanf(file, "%*d %ld", &pages) == 1, "statm");
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int listen_in(const char *domain, struct sockaddr_storage *address, socklen_t *len)
{
    /* Connections inherit this, and reset when they close: none is left in TIME_WAIT. */
    struct linger reset = {.l_onoff = 1};
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sa_family_t nameless = AF_UNIX; /* The kernel chooses a name. */
    int is_unix = strcmp(domain, "unix") == 0, fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const void *wanted = is_unix ? (const void *)&nameless : &loopback;
    check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0
              && bind(fd, wanted, is_unix ? sizeof nameless : sizeof loopback) == 0 && listen(fd, 1024) == 0,
          "listen");
    *len = sizeof *address;
    check(getsockname(fd, (struct sockaddr *)address, len) == 0, "getsockname");
    return fd;
}

/* The other ends are in another process, which has as many descriptors to spend again. It asks of some
   sockets at a time, and goes round all of them. */
static void ask(int listening, int count, int64_t duration, int go, int done)
{
    int *fds = calloc((size_t)count, sizeof *fds), window = count < IN_FLIGHT ? count : IN_FLIGHT;
    int64_t asked = 0;
    char message[MESSAGE] = {0};
    for (int i = 0; i < count; i++)
        check((fds[i] = accept(listening, NULL, NULL)) >= 0, "accept");
    check(read(go, message, 1) == 1, "read");
    int64_t start = now();
    for (int first = 0; now() - start < duration; first = (first + window) % count) {
        for (int i = 0; i < window; i++)
            send_fully(fds[(first + i) % count], message, sizeof message);
        for (int i = 0; i < window; i++)
            receive_fully(fds[(first + i) % count], message, sizeof message);
        asked += window;
    }
    double each = (double)(now() - start) / (double)asked;
    check(write(done, &each, sizeof each) == sizeof each, "write");
    _exit(0);
}

void measure_scale(const struct peer *peer, char **arguments)
{
    int count = atoi(arguments[1]), go[2], done[2];
    struct sockaddr_storage address;
    socklen_t len;
    int listening = listen_in(arguments[0], &address, &len);
    check(pipe(go) == 0 && pipe(done) == 0, "pipe");
    fflush(stdout);
    pid_t asker = fork();
    check(asker >= 0, "fork");
    if (asker == 0)
        ask(listening, count, (int64_t)(atof(arguments[2]) * 1e9), go[0], done[1]);

    struct waiter *waiters = calloc((size_t)count, sizeof *waiters);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    int *fds = calloc((size_t)count, sizeof *fds);
    for (int i = 0; i < count; i++) {
        fds[i] = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(fds[i] >= 0 && connect(fds[i], (struct sockaddr *)&address, len) == 0, "connect");
    }
    int64_t before = resident();
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK);
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){peer, opened(peer, fds[i])};
        check(peer->settimeout(waiters[i].socket, 100 + i) == 0, "settimeout");
        check(pthread_create(&threads[i], &small, answer, &waiters[i]) == 0, "pthread_create");
    }
    while (atomic_load(&waiting) < count)
        sleep_until(now() + 1000000);
    sleep_until(now() + 50000000); /* From there into recv is not far. */
    printf("%.0f\n", (double)(resident() - before) / count);

    double each;
    check(write(go[1], "", 1) == 1 && read(done[0], &each, sizeof each) == sizeof each, "the other ends");
    printf("%.2f\n", each);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    waitpid(asker, NULL, 0);
}
