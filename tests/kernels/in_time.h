/* Checks that are counted, and waits that must end in time. */
#ifndef IN_TIME_H
#define IN_TIME_H

#include <stdio.h>
#include <stdlib.h>

#include <harness.h>

/* By how much a wait may be late, in seconds: the program's own. */
extern const double LATE;

static int checks;

#define CHECK(condition) ((void)__atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED), MUST(condition))

static void in_time(double began, double seconds, int line)
{
    double late = now() - began - seconds;
    if (late < 0 || late > LATE) {
        printf("line %d: %g s ended %.6f s late\n", line, seconds, late);
        exit(1);
    }
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
}

#endif
