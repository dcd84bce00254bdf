/*
 * Every function of the library, exercised in every mode, on every kind of socket, with its errors.
 *
 * But for those that look up names, an exercise allocates nothing, takes no lock and needs little stack, so that it
 * may be run from a signal handler, after fork and on a small stack, as the library itself may.
 */
#ifndef ALL_FUNCTIONS_H
#define ALL_FUNCTIONS_H

#include <stddef.h>
#include <sys/socket.h>

#include "harness.h"

/* What the calls are made with. Each piece has memory of its own size, so that a step beyond is seen. */
struct room {
    double seconds; /* the mode */
    int interrupt;
    int others; /* Others are at work, who may take a socket's place in the table of exact timeouts. */
    int until; /* The forms with a deadline and a token, which is not to be cancelled. */
    int token;
    int hurries; /* The deadline is the mode's timeout, and else one that is not waited for. */
    int signals; /* Signals come, which end a send in blocking mode with a part. */
    const char *function;
    long checks;
    double begun;
    char *bytes;
    char *into;
    struct iovec *parts; /* two */
    struct msghdr *message;
    struct sockaddr_storage *addr;
    socklen_t *addrlen;
    size_t *count;
    double *told;
    /* What else to do before a call and after it. */
    void (*before)(struct room *room);
    void (*after)(struct room *room);
};

struct function {
    const char *name;
    void (*exercise)(struct room *room);
};

/* All functions: those that may be called anywhere, and those that look up names, for which getaddrinfo(3)
   allocates and locks. Each list ends with a NULL name. */
extern const struct function functions[], lookups[];

#define MODES 5
extern const double modes[MODES];

/* Starts the process that does to the other end of a socket what it is told to, a little later. To be
   called first of all, before there are threads. */
void start_peer(void);

void make_room(struct room *room);
void free_room(struct room *room);

/* One function in one mode. */
void exercise(struct room *room, const struct function *function, double seconds, int interrupt);
/* All functions of a list in one mode. */
void exercise_all(struct room *room, const struct function *function, double seconds, int interrupt);

/* Whether it is the timeout, or what it is rebuilt as without the table: never shorter, and longer by little. */
int is_rebuilt(double told, double mode);

#endif
