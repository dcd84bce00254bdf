/* A try: one call of the library in a scene, with one of its system calls tampered with. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "harness.h"

enum { CALLS = 128 };

/* What is tried. */
struct scene {
    char function[20]; /* without its sock_ and its _until */
    int until;         /* it takes a deadline and a token */
    char kind[16];     /* unix, tcp, datagram or udp */
    double argument;   /* the length to transfer, or what a setter is given */
    double limit;      /* the seconds that the call itself is given, if it is */
    double mode;       /* the seconds of sock_settimeout */
    int interrupt;
    char when[12];     /* ready, late, never, or cancelled */
    char fault[16];    /* "none", or see trace.c */
    int index;         /* of the system call to begin with */
    int times;         /* how often at most */
};

/* The sockets of a scene. The peer's end is a listener where the function connects. */
struct ends {
    int socket, peer;
    int begun[2], ended[2], left[2]; /* pipes by which the subject tells the peer how far it is */
    struct sockaddr_storage to;
    socklen_t to_length;
    size_t filled;          /* bytes sent before */
    int token;
    int queued[8], queued_count; /* connections that fill the listener's queue */
};

/* What came of it, in memory that the processes share. */
struct report {
    /* of the subject */
    long code;
    int error;
    long long elapsed;        /* in nanoseconds */
    size_t count;             /* what the call moved, by its result or its out-pointer */
    size_t rest;              /* what there was to receive or accept after it */
    int intact;               /* the bytes are those that were sent, in order */
    int leaked;               /* descriptors */
    int made_well;            /* a new descriptor is in the right mode and close-on-exec */
    int again;                /* a second attempt, where the first failed */
    double value;             /* of sock_gettimeout under test */
    double timeout[2];        /* the socket's mode after the call, and after other calls */
    int interrupt[2];
    /* of the peer */
    size_t filled;            /* of what arrives, the bytes that were sent before the call */
    size_t given, arrived;    /* bytes; or connections made, and of those the ones that work */
    int arrived_intact;
    int passed;               /* descriptors that came with them */
    long long begun_at, acted_at, cancelled_at; /* CLOCK_MONOTONIC in nanoseconds; 0 before */
    /* of the tracer */
    char calls[CALLS][16];
    int call_count, hits;
    int could_wait;           /* the first system call that was hit could have waited */
    const char *died;
};

int receives(const struct scene *scene);
int sends(const struct scene *scene);
int connects(const struct scene *scene);
int has_messages(const struct scene *scene);
size_t length_of(const struct scene *scene);
void tell(const int pipe[2]);
void await(const int pipe[2]);

void set_up(const struct scene *scene, struct ends *ends);
void subject(const struct scene *scene, struct ends *ends, struct report *report);
void peer(const struct scene *scene, struct ends *ends, struct report *report);

/* Marks where the call begins and ends, for the tracer. */
void mark(void);
void trace(pid_t subject, const struct scene *scene, struct report *report);

#endif
