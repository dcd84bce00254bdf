/* What the cells and the cases share: kinds of socket, and time. */
#ifndef COMMON_H
#define COMMON_H

#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <harness.h>

/* kinds.c: kinds of socket */

enum trait {
    STREAM = 1,      /* a stream of bytes, not messages */
    LISTENS = 2,     /* it listens and accepts */
    FILLS = 4,       /* its sender waits for its receiver */
    DATAGRAM = 8,    /* UDP and UDP-Lite: checksums, and refusals by ICMP */
    TCP = 16,        /* TCP's handshake: a client waits for the answer to its SYN */
    SHUTS = 32,      /* shutdown(2) means something */
    TWINS = 64,      /* two of them come from socketpair(2) alone */
    SLUGGISH = 128,  /* when room is told of, and used, is a matter of its timers or workers: of MPTCP, SCTP, vsock */
    TLS = 256,       /* encrypted by the kernel: TCP with an upper protocol */
};

struct kind {
    const char *name;
    int domain, type, protocol;
    unsigned traits;
};

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

extern const struct kind kinds[];
extern const int kind_count;

/* Why this machine does not have the kind, or NULL. */
const char *kind_absent(const struct kind *kind);
int kind_socket(const struct kind *kind);
/* A socket bound to an address of loopback that no other has. */
int kind_bound(const struct kind *kind);
int kind_listener(const struct kind *kind, int backlog);
void kind_pair(const struct kind *kind, int ends[2]);
/* Has TCP's upper protocol encrypt all that is sent and received, with a key that both ends know. */
int kind_encrypt(int fd);
/* A client that is connected, or about to be. */
int kind_client(const struct kind *kind, const struct address *listener);
struct address address_of(int fd);

/* clock.c: time, and how late a plain sleep is */

void sleep_until(double moment);
/* How long a plain sleep is. */
extern double clock_nap;
void clock_setup(void);
/* By how much a plain sleep between two moments was late at worst. */
double clock_late(double from, double to);
/* A tick of the kernel's timer. */
double clock_tick(void);

#endif
