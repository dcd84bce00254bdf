/* How late a recv that gets nothing expires, in nanoseconds, less than 0 being early: SECONDS COUNT, or
   SECONDS alone under a storm of signals. */
#include "../bench.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void expire(const struct peer *peer, double seconds, int count)
{
    char message[MESSAGE];
    int fds[2];
    pair("unix", fds);
    void *socket = opened(peer, fds[0]);
    check(peer->settimeout(socket, seconds) == 0, "settimeout");
    for (int i = 0; i < count; i++) {
        int64_t start = now();
        ssize_t result = peer->recv(socket, message, sizeof message);
        int64_t late = now() - start - (int64_t)llround(seconds * 1e9);
        if (result != -ETIMEDOUT) {
            errno = result < 0 ? (int)-result : 0;
            die("recv");
        }
        printf("%lld\n", (long long)late);
    }
}

void measure_lateness(const struct peer *peer, char **arguments)
{
    expire(peer, atof(arguments[0]), atoi(arguments[1]));
}

static void ignore(int number)
{
    (void)number;
}

void measure_storm(const struct peer *peer, char **arguments)
{
    struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    pid_t self = getpid(), storm = fork();
    check(storm >= 0, "fork");
    if (storm == 0) {
        send_signals(self);
        _exit(0);
    }
    expire(peer, atof(arguments[0]), 1);
    kill(storm, SIGKILL);
    while (waitpid(storm, NULL, 0) < 0 && errno == EINTR)
        ;
}
