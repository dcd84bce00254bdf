/* Tests of what is no cell, each in a process of its own. */
#ifndef CASES_H
#define CASES_H

#include "../common/common.h"

struct test {
    const char *name;
    void (*body)(void);
    bool sleeps; /* nearly all of the time: it may run beside others that do */
};

/* Ends the test's process: it fails, cannot run here, or has found something. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
void found(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern const struct test sends[], floods[], timeouts[], changes[], network[], results[];

/* helpers.c */

const struct kind *kind_named(const char *name);
/* Those of the names that this machine has, which end with NULL. */
const struct kind *next_kind(const char *const **names);
const char *error_text(long result);
/* Runs a function in a thread. */
void in_thread(void *(*body)(void *), void *argument);
/* Signals itself every so many microseconds, or once after so many, with a handler under SA_RESTART. */
void signal_every(long microseconds, void (*handler)(int));
void signal_after(long microseconds, void (*handler)(int));
/* Its own network, where all but one local port is taken, and that one too. */
void no_local_port(void);
/* A packet's last step: the socket receives none any more. */
void cut_off(int fd);

#endif
