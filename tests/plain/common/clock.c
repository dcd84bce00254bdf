/* Time, and how late a plain sleep is meanwhile: what comes later than that is not the machine's fault. */
#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { SLEEPERS = 4, KEPT = 1 << 15 };

double clock_nap = 0.004;

/* Each sleeper's last sleeps: when they should have ended, and when they did. */
static struct sleeper {
    double due[KEPT], woken[KEPT];
    atomic_ulong count;
} sleepers[SLEEPERS];

double clock_tick(void)
{
    struct timespec tick;
    clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    return (double)tick.tv_nsec / 1e9;
}

void sleep_until(double moment)
{
    struct timespec time = {.tv_sec = (time_t)moment, .tv_nsec = (long)((moment - (double)(time_t)moment) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
        ;
}

static void *sleep_on(void *argument)
{
    struct sleeper *sleeper = argument;
    for (;;) {
        double due = now() + clock_nap;
        sleep_until(due);
        unsigned long count = atomic_load(&sleeper->count);
        sleeper->due[count % KEPT] = due;
        sleeper->woken[count % KEPT] = now();
        atomic_store(&sleeper->count, count + 1);
    }
    return NULL;
}

void clock_setup(void)
{
    for (int i = 0; i < SLEEPERS; i++) {
        pthread_t thread;
        MUST(pthread_create(&thread, NULL, sleep_on, &sleepers[i]) == 0);
    }
}

double clock_late(double from, double to)
{
    double worst = 0;
    for (int i = 0; i < SLEEPERS; i++) {
        struct sleeper *sleeper = &sleepers[i];
        unsigned long count = atomic_load(&sleeper->count);
        for (unsigned long back = 1; back < KEPT && back <= count; back++) {
            unsigned long at = (count - back) % KEPT;
            if (sleeper->woken[at] < from)
                break;
            double late = sleeper->woken[at] - sleeper->due[at];
            if (sleeper->due[at] <= to && late > worst)
                worst = late;
        }
    }
    return worst;
}
