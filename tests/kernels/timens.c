/*
 * Runs a program in a time namespace whose CLOCK_MONOTONIC is so many seconds ahead, as that of a container may be.
 *
 *   timens SECONDS PROGRAM ...
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

int main(int argc, char **argv)
{
    long long before = nanoseconds(), seconds;
    FILE *offsets;
    pid_t child;
    int status;

    MUST(argc > 2);
    seconds = strtoll(argv[1], NULL, 10);
    MUST(unshare(CLONE_NEWTIME) == 0);
    MUST(offsets = fopen("/proc/self/timens_offsets", "w"));
    MUST(fprintf(offsets, "monotonic %lld 0\n", seconds) > 0 && fclose(offsets) == 0);
    MUST((child = fork()) >= 0);
    if (child == 0) {
        MUST(nanoseconds() - before >= seconds * 1000000000);
        execv(argv[2], argv + 2);
        give_up(__FILE__, __LINE__, argv[2]);
    }
    MUST(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
