/* What dial.c and many.c share: names of codes, and counts of what a process has. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sock.h>

static inline const char *outcome(int code)
{
    switch (code) {
    case -LIBSOCK_EAI_NONAME:
        return "EAI_NONAME";
    case -LIBSOCK_EAI_AGAIN:
        return "EAI_AGAIN";
    case -LIBSOCK_EAI_FAIL:
        return "EAI_FAIL";
    case -LIBSOCK_EAI_NODATA:
        return "EAI_NODATA";
    case -LIBSOCK_EAI_SERVICE:
        return "EAI_SERVICE";
    }
    const char *name = code >= 0 ? "connected" : strerrorname_np(-code);
    return name ? name : "unknown";
}

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void nap(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) != 0)
        ;
}

/* How many entries a directory of /proc has. That of the descriptors counts the one that reads it, always. */
static inline int entries(const char *directory)
{
    int count = 0;
    DIR *open = opendir(directory);
    if (!open) {
        perror(directory);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(open));)
        count += entry->d_name[0] != '.';
    closedir(open);
    return count;
}

static inline int threads(void)
{
    return entries("/proc/self/task");
}

static inline int descriptors(void)
{
    return entries("/proc/self/fd");
}

/* Waits until no more than so many threads are left; gives how many are. */
static inline int threads_left(int expected, double seconds)
{
    int left;
    for (double end = now() + seconds; (left = threads()) > expected && now() < end;)
        nap(0.01);
    return left;
}
