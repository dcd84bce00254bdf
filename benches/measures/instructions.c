/* The instructions that recv or send of one message executes in user space when it need not wait, counted
   one by one, the vDSO's among them: OPERATION. */
#include "../bench.h"

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
    enum { WARM_UP = 8, FEW = 8, MANY = 40 };
    int receiving = strcmp(arguments[0], "recv") == 0, fds[2], status;
    pair("unix", fds);
    void *socket = opened(peer, fds[0]);
    if (receiving)
        for (int i = 0; i < WARM_UP + FEW + MANY; i++)
            send_fully(fds[1], message, sizeof message);
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        transfer(peer, socket, receiving, WARM_UP);
        transfer(peer, socket, receiving, FEW);
        transfer(peer, socket, receiving, MANY);
        _exit(0);
    }
    check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "ptrace");
    long steps[5]; /* of the three, and what lies between them */
    for (int i = 0; i < 5; i++)
        steps[i] = steps_to_next_stop(pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    printf("%.2f\n", (double)(steps[4] - steps[2]) / (MANY - FEW));
}
