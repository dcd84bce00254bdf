/*
 * Timeouts over a pause of the machine.
 *
 *   suspended paused             whoever runs the virtual machine stops it, when asked to, and lets it go on
 *   suspended asleep STATE       the kernel suspends itself (to STATE of /sys/power/state), and its clock wakes it
 *
 * The machine is paused once in the kernel's own wait and once in the exact tail, to which a signal leads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

#include "harness.h"

static const double TIMEOUT = 3;

static double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void handle(int number)
{
    (void)number;
}

static void write_to(const char *path, const char *text)
{
    int fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
    must((int)write(fd, text, strlen(text)), path);
    close(fd);
}

/* In a child: suspends the machine for some two seconds. */
static pid_t suspend(const char *state)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    usleep(500000);
    write_to("/sys/class/rtc/rtc0/wakealarm", "0");
    write_to("/sys/class/rtc/rtc0/wakealarm", "+3");
    write_to("/sys/power/state", state);
    _exit(0);
}

/* One wait, with a pause in it. */
static void paused(const char *where, int tail, int interruptible, const char *state)
{
    struct itimerval timer = {.it_value = {0, tail ? 100000 : 0}};
    int ends[2], code, status = 0;
    pid_t child = 0;
    double monotonic, boot;
    char byte;

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    MUST(sock_settimeout(ends[0], TIMEOUT) == 0 && sock_setinterrupt(ends[0], interruptible) == 0);
    setitimer(ITIMER_REAL, &timer, NULL);
    if (state)
        child = suspend(state);
    else
        printf("@ pause\n");
    monotonic = seconds(CLOCK_MONOTONIC);
    boot = seconds(CLOCK_BOOTTIME);
    code = (int)sock_recv(ends[0], &byte, 1, 0);
    monotonic = seconds(CLOCK_MONOTONIC) - monotonic;
    boot = seconds(CLOCK_BOOTTIME) - boot;
    if (!state)
        printf("@ over\n");
    if (child != 0)
        waitpid(child, &status, 0);
    printf("%s%s: %s, after %.4f s, of which the clock counted %.4f\n", where, interruptible ? ", interruptible" : "",
           sock_strerror(code), boot, monotonic);
    MUST(status == 0);
    MUST(code == -ETIMEDOUT && monotonic >= TIMEOUT);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    const char *state = argc == 3 ? argv[2] : NULL;

    sigaction(SIGALRM, &action, NULL);
    paused("in the kernel's share", 0, 0, state);
    paused("in the tail", 1, 0, state);
    if (state)
        paused("in the kernel's share", 0, 1, state);
    return 0;
}
