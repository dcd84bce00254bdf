/* The instructions that recv or send of one message executes in user space when it need not wait, counted
   one by one, the vDSO's among them: OPERATION. */
#include "../bench.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static char message[MESSAGE];

/* Stops before and after, to be counted in between. */
static void transfer(const struct peer *peer, void *socket, int receiving, int count)
{
    raise(SIGSTOP);
    for (int i = 0; i < count; i++)
        if (receiving)
            peer->recv(socket, message, sizeof message);
        else
            peer->send(socket, message, sizeof message);
    raise(SIGSTOP);
}

static long least(long one, long other)
{
    return one < other ? one : other;
}

static long steps_to_next_stop(pid_t pid)
{
    int status;
    for (long steps = 0;; steps++) {
        check(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid, "PTRACE_SINGLESTEP");
        check(WIFSTOPPED(status), "the traced process");
        if (WSTOPSIG(status) == SIGSTOP)
            return steps;
    }
}

void measure_instructions(const struct peer *peer, char **arguments)
{
    enum { WARM_UP = 8, TIMES = 25 };
    int receiving = strcmp(arguments[0], "recv") == 0, fds[2], status;
    pair("unix", fds);
    void *socket = opened(peer, fds[0]);
    if (receiving)
        for (int i = 0; i < WARM_UP + TIMES; i++)
            send_fully(fds[1], message, sizeof message);
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        transfer(peer, socket, receiving, WARM_UP);
        for (int i = 0; i < TIMES; i++) {
            transfer(peer, socket, receiving, 0);
            transfer(peer, socket, receiving, 1);
        }
        _exit(0);
    }
    check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "ptrace");
    steps_to_next_stop(pid);
    /* The fewest, for the vDSO begins anew when the kernel updates its clock, which at this pace is often. */
    long none = LONG_MAX, some = LONG_MAX;
    for (int i = 0; i < TIMES; i++) {
        steps_to_next_stop(pid); /* What lies between two. */
        none = least(none, steps_to_next_stop(pid));
        steps_to_next_stop(pid);
        some = least(some, steps_to_next_stop(pid));
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    printf("%ld\n", some - none);
}
