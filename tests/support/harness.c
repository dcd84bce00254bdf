#define _GNU_SOURCE
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void (*explain)(void);

/* It works in a handler, after fork and on a small stack too. */
void give_up(const char *file, int line, const char *what)
{
    dprintf(STDERR_FILENO, "%s:%d: %s: %s\n", file, line, what, strerror(errno));
    if (explain)
        explain();
    _exit(1);
}

int must(int result, const char *what)
{
    if (result < 0)
        give_up(__FILE__, __LINE__, what);
    return result;
}

int is(const char *word, const char *what)
{
    return strcmp(word, what) == 0;
}

long long nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

double now(void)
{
    return (double)nanoseconds() / 1e9;
}

int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

void storm(long microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

int bound(int family, int type, void *address, socklen_t *length)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
    int fd = must(socket(family, type | SOCK_CLOEXEC, 0), "socket");
    if (family == AF_INET)
        must(bind(fd, (struct sockaddr *)&loopback, sizeof loopback), "bind");
    else
        must(bind(fd, (struct sockaddr *)&unnamed, sizeof unnamed.sun_family), "bind");
    must(getsockname(fd, address, length), "getsockname");
    return fd;
}

int listening(int family, int backlog, void *address, socklen_t *length)
{
    int fd = bound(family, SOCK_STREAM, address, length);
    must(listen(fd, backlog), "listen");
    return fd;
}

int connecting(const void *address, socklen_t length, int flags)
{
    int family = ((const struct sockaddr *)address)->sa_family;
    int fd = must(socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");
    MUST(connect(fd, address, length) == 0 || errno == EINPROGRESS || errno == EAGAIN);
    return fd;
}

int fill_queue(const void *address, socklen_t length, int queued[], int most)
{
    int count = 0;
    do {
        MUST(count < most);
        queued[count] = connecting(address, length, SOCK_NONBLOCK);
    } while (poll_one(queued[count++], POLLOUT, 100) == POLLOUT);
    return count;
}

size_t fill_socket(int fd, size_t part, const void *address, socklen_t length)
{
    unsigned char bytes[4096];
    size_t sent = 0;
    int family;
    socklen_t size = sizeof family;
    MUST(part <= sizeof bytes && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0);
    for (int tries = 0; tries < 60;) {
        for (size_t i = 0; i < part; i++)
            bytes[i] = pattern(sent + i);
        ssize_t result = sendto(fd, bytes, part, MSG_DONTWAIT, address, length);
        if (result >= 0) {
            sent += (size_t)result;
            tries = 0;
        } else {
            MUST(errno == EAGAIN);
            if (family == AF_UNIX)
                break;
            tries++;
            usleep(2000);
        }
    }
    return sent;
}

unsigned char pattern(size_t at)
{
    return (unsigned char)((at * 0x9E3779B97F4A7C15ULL) >> 56);
}

int poll_one(int fd, short events, int milliseconds)
{
    struct pollfd entry = {.fd = fd, .events = events};
    return poll(&entry, 1, milliseconds) == 1 ? entry.revents : 0;
}

int is_asleep(pid_t thread)
{
    char path[64], text[256], *state;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    FILE *file = fopen(path, "r");
    MUST(file && fgets(text, sizeof text, file));
    fclose(file);
    state = strrchr(text, ')');
    return state && state[2] == 'S';
}

static int entries(const char *directory)
{
    int count = 0;
    DIR *open = opendir(directory);
    MUST(open);
    for (struct dirent *entry; (entry = readdir(open));)
        count += entry->d_name[0] != '.';
    closedir(open);
    return count;
}

int threads(void)
{
    return entries("/proc/self/task");
}

int descriptors(void)
{
    return entries("/proc/self/fd");
}

long resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    MUST(file && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}
