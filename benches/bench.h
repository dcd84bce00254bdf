/* The harness: peers, the measures that they are put to, and what the measures share. */
#ifndef BENCH_H
#define BENCH_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { MESSAGE = 64, PEERS = 8 };

/* In the measures of speed, long enough never to expire. */
static const double TIMEOUT = 10.0;

/* What a program would use to receive with a timeout. Failure is the negative of an error number, and
   a timeout that ran out is -ETIMEDOUT, whatever the peer calls it. */
struct peer {
    const char *name;
    const char *(*version)(void);
    void *(*open)(int fd); /* takes over a connected or a listening socket */
    void (*close)(void *socket);
    int (*settimeout)(void *socket, double seconds);
    ssize_t (*recv)(void *socket, void *data, size_t len);
    ssize_t (*send)(void *socket, const void *data, size_t len);
    int (*recvall)(void *socket, void *data, size_t len); /* 0 once the buffer is full; NULL if it has none */
    int (*sendall)(void *socket, const void *data, size_t len); /* the same */
    void *(*accept)(void *listener); /* NULL on failure */
    void *(*create)(double seconds); /* a TCP socket with that timeout; NULL if connect makes it */
    void *(*connect)(void *socket, const struct sockaddr_in *address); /* what is connected, or NULL on failure */
    void *(*accept_from)(void *listener); /* the same as accept, with the address; NULL if it has none */

    /* A request and the whole of its answer, so many seconds for both; NULL: by the timeout of what is left, at each step. */
    int (*exchange)(void *socket, const void *request, void *answer, size_t len, double seconds);

    /* Lines that end in a newline; NULL: by hand, on recv. */
    void *(*open_lines)(void *socket);
    ssize_t (*read_line)(void *lines);

    /* A receive that another thread ends; NULL if it cannot be. */
    void (*prepare)(void *socket);
    ssize_t (*recv_until_cancelled)(void *socket, void *data, size_t len);
    void (*cancel)(void *socket);
};

const struct peer *peer_named(const char *name);
extern const struct peer *const peers[PEERS];

/* A measure prints one number a line, the unit being its own. */
typedef void measure(const struct peer *peer, char **arguments);
measure measure_recv, measure_send, measure_pingpong, measure_bulk, measure_connect, measure_settimeout,
    measure_lateness, measure_storm, measure_calls, measure_instructions, measure_scale, measure_request, measure_lines,
    measure_cancel;

void die(const char *what); /* prints `fail WHAT`, and why if errno tells */
void check(int ok, const char *what);
int64_t now(void); /* in nanoseconds */
int64_t spent(void); /* by this thread on a processor, whatever else the machine does meanwhile */
void sleep_until(int64_t moment);
void print_median(int64_t *batches, int count, int each); /* nanoseconds for each of so many in a batch */
void pair(const char *domain, int fds[2]); /* "unix" or "tcp", connected to each other */
int listener(struct sockaddr_in *address);
void *opened(const struct peer *peer, int fd); /* with the timeout set */
int do_exchange(const struct peer *peer, void *socket, const void *request, void *answer, size_t len);
void answer_requests(int fd, size_t len); /* by plain calls, until the other end is closed */
void *opened_lines(const struct peer *peer, void *socket);
ssize_t next_line(const struct peer *peer, void *lines); /* its length */
int recv_all(const struct peer *peer, void *socket, void *data, size_t len); /* by one recv after another, if need be */
int send_all(const struct peer *peer, void *socket, const void *data, size_t len);
void pin(int core); /* the calling thread, to a core that the process may run on, the last being 0 */
void send_signals(pid_t pid); /* one each millisecond, until it is gone or the storm has blown over */
void receive_fully(int fd, void *data, size_t len); /* by plain recv */
void send_fully(int fd, const void *data, size_t len);

#endif
