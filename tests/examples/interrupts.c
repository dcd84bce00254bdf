/*
 * A receive without data is ended by a handler that cancels a token, a thousand times of a thousand: the signal comes at a
 * moment of chance about the call, and each fourth time in the instant before it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

enum { ROUNDS = 1000 };

static volatile sig_atomic_t token, handled;
static volatile double handled_at;

static void cancel(int signal)
{
    (void)signal;
    MUST(sock_cancel(token) == 0);
    handled_at = sock_deadline(0);
    handled = 1;
}

int main(void)
{
    int pair[2], before = 0;
    char byte;
    double latest = 0;
    struct sigaction action = {.sa_handler = cancel};
    sigemptyset(&action.sa_mask);
    MUST(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGINT, &action, NULL) == 0);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        token = must(sock_token(), "token");
        handled = 0;
        if (round % 4 == 0) {
            raise(SIGINT);
        } else {
            struct itimerval timer = {.it_value = {.tv_usec = 1 + rand() % 50}};
            setitimer(ITIMER_REAL, &timer, NULL);
            for (volatile int busy = rand() % 20000; busy > 0; busy--)
                ;
        }
        before += handled;
        ssize_t code = sock_recv_until(pair[0], &byte, 1, 0, LIBSOCK_FOREVER, token);
        double late = sock_deadline(0) - handled_at;
        MUST(handled && code == -ECANCELED && errno == ECANCELED);
        latest = late > latest ? late : latest;
        close(token);
    }
    /* What was cancelled is as good as it was. */
    MUST(sock_send(pair[1], "x", 1, 0) == 1 && sock_recv(pair[0], &byte, 1, 0) == 1 && byte == 'x');
    MUST(before > ROUNDS / 4 && before < ROUNDS);
    printf("%d of %d, %d of them before the call, the latest %.3f ms after the handler\n", ROUNDS, ROUNDS, before, latest * 1e3);
    return latest < 0.05 ? 0 : 3;
}
