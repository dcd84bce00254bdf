/* What the C programs of the suites share: failures, time, sockets, and the resources of a process. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Ends the process with code 1, and says where and why, unless the condition holds. */
#define MUST(condition) ((condition) ? (void)0 : give_up(__FILE__, __LINE__, #condition))
_Noreturn void give_up(const char *file, int line, const char *what);

/* Says more about what failed, if it is set. */
extern void (*explain)(void);

/* The result of a system call. A negative result ends the process too. */
int must(int result, const char *what);

int is(const char *word, const char *what);

/* CLOCK_MONOTONIC, in nanoseconds and in seconds. */
long long nanoseconds(void);
double now(void);

/* Compares two doubles, for qsort(3). */
int ascending(const void *a, const void *b);

/* Sends SIGALRM again and again. 0 stops it. */
void storm(long microseconds);

/* A socket with an address of the kernel's choice, on the loopback interface or of the abstract kind. The length is the
   room before and the address's after, as with getsockname(2). Descriptors are close-on-exec here and below. */
int bound(int family, int type, void *address, socklen_t *length);
int listening(int family, int backlog, void *address, socklen_t *length);

/* A stream socket that is connected to the address, or is about to be. The flags are those of socket(2). */
int connecting(const void *address, socklen_t length, int flags);

/* Connects until a listener's queue is full. Gives the number of descriptors, of which the last is not connected. */
int fill_queue(const void *address, socklen_t length, int queued[], int most);

/* Sends parts of that size, to an address unless it is NULL, until there is no room and none appears: TCP takes a
   moment to move what was sent. Gives the number of bytes, which are those of the pattern. */
size_t fill_socket(int fd, size_t part, const void *address, socklen_t length);

/* The byte at a place in what is sent, so that none can be lost, doubled or out of order unnoticed. */
unsigned char pattern(size_t at);

/* The events that poll(2) reports for one descriptor within the time, or 0. */
int poll_one(int fd, short events, int milliseconds);

/* Whether a thread of this process sleeps in the kernel. */
int is_asleep(pid_t thread);

/* The threads of this process, its open descriptors (always counted one too high), and its resident memory in KiB. */
int threads(void);
int descriptors(void);
long resident(void);

#endif
