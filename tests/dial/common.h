/* What dial.c and many.c share: names of codes, and waiting for threads to end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sock.h>

#include "harness.h"

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

static inline void nap(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) != 0)
        ;
}

/* Waits until no more than so many threads are left; gives how many are. */
static inline int threads_left(int expected, double seconds)
{
    int left;
    for (double end = now() + seconds; (left = threads()) > expected && now() < end;)
        nap(0.01);
    return left;
}
