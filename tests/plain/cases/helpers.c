#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

const struct kind *kind_named(const char *name)
{
    for (int i = 0; i < kind_count; i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    fail("no kind is called %s", name);
}

const struct kind *next_kind(const char *const **names)
{
    while (**names) {
        const struct kind *kind = kind_named(*(*names)++);
        if (!kind_absent(kind))
            return kind;
    }
    return NULL;
}

const char *error_text(long result)
{
    static char text[4][64];
    static unsigned next;
    char *here = text[next++ % 4];
    if (result >= 0)
        snprintf(here, sizeof text[0], "%ld", result);
    else
        snprintf(here, sizeof text[0], "-%ld (%s)", -result, strerror((int)-result));
    return here;
}

void in_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the test's own thread */
    MUST(pthread_create(&thread, NULL, body, argument) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void handle(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    must(sigaction(SIGALRM, &action, NULL), "sigaction");
}

void signal_every(long microseconds, void (*handler)(int))
{
    handle(handler);
    storm(microseconds);
}

void signal_after(long microseconds, void (*handler)(int))
{
    handle(handler);
    struct itimerval once = {.it_value.tv_usec = microseconds};
    must(setitimer(ITIMER_REAL, &once, NULL), "setitimer");
}

void no_local_port(void)
{
    if (unshare(CLONE_NEWNET) != 0)
        skip("a network of its own: %s", strerror(errno));
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    must(ioctl(fd, SIOCSIFFLAGS, &lo), "the loopback device");
    int range = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
    if (range < 0 || write(range, "40000 40000", 11) != 11)
        skip("ip_local_port_range: %s", strerror(errno));
    close(range);
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_port = htons(40000)};
    must(bind(fd, (struct sockaddr *)&port, sizeof port), "bind");
}

void cut_off(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &nothing};
    must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), "SO_ATTACH_FILTER");
}
