/*
 * Counts the system calls that a program makes between its marks, which are writes to descriptor -1 of a name.
 *
 *   count PROGRAM ...
 *
 * Each mark gives a line: its name, and the numbers of the system calls up to the next. The program's first thread
 * alone is followed, for that is the one that is measured. Unlike strace it runs on every architecture from one source,
 * and brings no libraries.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* The text that the tracee is about to write. */
static void print_mark(pid_t pid, unsigned long long address, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        unsigned long long place = address + at, offset = place % sizeof(long);
        long word;
        errno = 0;
        word = ptrace(PTRACE_PEEKDATA, pid, (void *)(unsigned long)(place - offset), NULL);
        MUST(errno == 0);
        putchar(((char *)&word)[offset]);
    }
    putchar(':');
}

int main(int argc, char **argv)
{
    int status, signal = 0, marked = 0;
    pid_t pid;

    MUST(argc > 1);
    pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        execv(argv[1], argv + 1);
        give_up(__FILE__, __LINE__, argv[1]);
    }
    /* On PREEMPT_RT a tracer that runs before its tracee is quite asleep sleeps a tick, which makes each call a long one. */
    MUST(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}) == 0);
    MUST(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
    MUST(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
    for (;;) {
        struct __ptrace_syscall_info info = {0};
        MUST(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal) == 0);
        MUST(waitpid(pid, &status, 0) == pid);
        signal = 0;
        if (!WIFSTOPPED(status))
            break;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            signal = WSTOPSIG(status);
            continue;
        }
        MUST(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) > 0);
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
            continue;
        if (info.entry.nr == SYS_write && (int)info.entry.args[0] == -1) {
            if (marked)
                putchar('\n');
            print_mark(pid, info.entry.args[1], (size_t)info.entry.args[2]);
            marked = 1;
        } else if (marked) {
            printf(" %llu", (unsigned long long)info.entry.nr);
        }
    }
    puts("");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
