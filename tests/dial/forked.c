/*
 * A program with one thread dials a name that is never answered, forks, and its child dials one that is: usage: forked
 * SERVICE TIMES. Prints how often the child was connected. A lookup of the child that met anything of its parent's would
 * wait for an answer that the parent's has taken.
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        return 64;
    int times = atoi(argv[2]), connected = 0;
    for (int i = 0; i < times; i++) {
        if (sock_dial("never.test.", argv[1], 0.05) != -ETIMEDOUT)
            return 1;
        pid_t child = fork();
        if (child == 0) {
            int fd = sock_dial("late100.4local.test.", argv[1], 2);
            if (fd < 0)
                fprintf(stderr, "%s\n", outcome(fd));
            _exit(fd < 0);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 1;
        connected += status == 0;
        threads_left(1, 20);
    }
    printf("{\"connected\": %d}\n", connected);
    return 0;
}
