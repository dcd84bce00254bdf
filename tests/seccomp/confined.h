/*
 * A thread that can make no system call but those of SECURITY.md.
 *
 * A filter belongs to a thread, so the thread that calls the library is confined and the main thread, which
 * makes its sockets and plays its peers, is not. What the confined thread needs for itself is to wait for its
 * turn, by futex(2) on one address and no other, and to come back from a signal handler.
 */
#ifndef CONFINED_H
#define CONFINED_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/* What becomes of the calls of one row: allowed as a rule, or withheld (as if the row were missing), or refused with
   an error number. No row is -1. */
extern int withheld, refused, refusal;

/* Starts the thread, once. */
void confine(void);

/* Has the thread make a call of the library, and returns at once. */
void begin(ssize_t (*call)(void));

/* Waits until the thread sleeps within its call; false if the call is over. */
bool sleeps(void);

/* Waits for the end of the call for so long; false if it has not come. */
bool ended(double seconds, ssize_t *result);

/* The thread, and the processor time that it has used, in seconds. */
extern pthread_t confined;
double used(void);

#endif
