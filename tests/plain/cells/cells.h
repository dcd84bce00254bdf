/*
 * A differential test: the same scene is played with the kernel's plain blocking call and with libsock, and what is told
 * of both must be the same. A *cell* is an operation on a kind of socket, in a phase of its wait, and an event.
 */
#ifndef CELLS_H
#define CELLS_H

#include "../common/common.h"

/* call.c: the operations, plain and libsock's */

enum operation { RECV, PEEK, RECVFROM, RECVMSG, RECVALL, WAIT_IN, SEND, SEND_LARGE, SENDTO, SENDMSG, SENDALL, WAIT_OUT, ACCEPT, CONNECT, OPERATIONS };

enum { SMALL = 100, LARGE = 6000 }; /* more than the smallest buffers of a Unix stream hold */

enum player { PLAIN, LIBSOCK, UNTIL /* libsock's with a deadline for an argument */ };

extern const char *const operation_names[];
bool receives(enum operation operation);
bool sends(enum operation operation);
bool waits(enum operation operation); /* by poll(2) and sock_wait */

enum sleep { AWAKE, IN_CALL, IN_POLL };

/* A call that a thread of its own makes. */
struct call;
struct call *call_begin(enum operation operation, enum player player, int fd, const struct address *to, double timeout);
/* Whether it sleeps, and where. */
enum sleep call_asleep(struct call *call);
/* Waits until it is over, or until a moment. */
bool call_over(struct call *call, double until);
/* A signal whose handler has SA_RESTART. */
void call_signal(struct call *call);
/* Ends a call that goes on; false if that cannot be done. */
bool call_rescue(struct call *call);
double call_began(const struct call *call);
double call_ended(const struct call *call);
/* For how long it kept a processor busy. */
double call_busy(const struct call *call);
/* Puts the outcome into words. */
void call_outcome(const struct call *call, char *text, size_t size);
/* How many bytes it moved. */
size_t call_moved(const struct call *call);
int call_descriptor(const struct call *call);
void call_free(struct call *call);
void call_setup(void);
const char *error_name(int error);

/* forge.c: packets that no socket would send */

void forge_setup(void);
/* Why it cannot be done, or NULL. */
const char *forge_impossible(void);
/* A datagram with a wrong checksum from one socket to another. */
void forge_corrupt(int from, int to, int protocol);
/* Where a SYN is never answered. */
struct address forge_silent(int domain);
/* Answers the SYN of a socket that connects there, with a SYN+ACK or with an RST. */
void forge_answer(int client, bool accept);

/* elsewhere.c: another process */

void elsewhere_setup(void);
/* Another process sets the timeout of a socket. */
void elsewhere_settimeout(int fd, double seconds);

/* scene.c: what is there, and what happens */

/* Within so many seconds a packet and the answer to it are there, also where a busy kernel leaves them to a thread of its own. */
static const double DELIVERY = 0.005;

enum event {
    NOTHING, READY, HALF, URGENT,
    OWN_RD, OWN_WR, OWN_RDWR, PEER_RD, PEER_WR, PEER_RDWR,
    CLOSED, RESET, REFUSED, TAKEN, NOTED, CORRUPT, CORRUPT_READY,
    /* the mode is changed, and then it is ready */
    THREAD_LONGER, THREAD_BLOCKING, THREAD_NONBLOCKING, PROCESS_LONGER, PROCESS_BLOCKING, PROCESS_NONBLOCKING,
    /* the mode is changed, and nothing more happens */
    LONGER, SHORTER, EVENTS
};

extern const char *const event_names[];

struct scene {
    const struct kind *kind;
    enum operation operation;
    int self, peer;
    struct address to; /* the peer, or the listener */
    int crowd[16], crowd_size; /* whoever else is there */
    bool full;     /* there is no room to send */
    size_t filled; /* bytes that were sent until there was none, and are still there */
    bool denied;   /* the kernel refused what was to happen */
};

void scene_set(struct scene *scene, const struct kind *kind, enum operation operation, bool full);
/* The change of the mode that comes before some events; false if there is none. */
bool scene_change_mode(struct scene *scene, enum event event);
/* What happens; false if it did not come about, and has to be tried again. */
bool scene_happen(struct scene *scene, enum event event);
void scene_strike(struct scene *scene);

/* next.c: what the next plain calls say */

/* On both ends, after a call that moved so many bytes or made a descriptor. */
void next_calls(struct scene *scene, size_t moved, int descriptor, char *text, size_t size);

/* play.c: a scene played once */

enum phase { IN_KERNEL, IN_TAIL, SIGNALLED, SHORT, BLOCKING, BLOCKING_SIGNALLED, BEFORE, BEFORE_BLOCKING, DEADLINE, DEADLINE_SIGNALLED, DEADLINE_BEFORE, PHASES };

extern const char *const phase_names[];

struct cell {
    const struct kind *kind;
    enum operation operation;
    enum phase phase;
    enum event event;
};

struct story {
    bool valid;     /* it came about as the cell has it */
    char outcome[120], next[400];
    size_t moved;   /* by calls that count */
    bool over;      /* it ended; else it slept on, and was rescued */
    bool premature; /* it ended before anything happened */
    bool denied;    /* the kernel refused what was to happen */
    double began, happened, ended, busy;
    enum sleep where; /* when it happened */
};

bool cell_exists(const struct cell *cell);
/* Whether what is left for the next calls is the same each time: an error that ends TLS's send is left by chance. */
bool cell_tells_next(const struct cell *cell);
bool has_timeout(enum phase phase);
double phase_timeout(enum phase phase);
double phase_moment(enum phase phase);
bool changes_mode(enum event event);
/* The scene that a plain call is given in its place: it knows of no mode. */
struct cell cell_oracle(const struct cell *cell);
enum player cell_player(const struct cell *cell);
void play(const struct cell *cell, enum player player, struct story *story);

#endif
