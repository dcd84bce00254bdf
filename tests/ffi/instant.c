/* SIGINT in the instant before a wait, or at a moment to come: a library to be preloaded, whose functions every FFI calls. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int before = 0; /* the call before which the signal comes, counted down */
static double moment = 0;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void shoot(void) {
    moment = now();
    kill(getpid(), SIGINT);
}

/* The next but n - 1 of the calls below comes after a signal, which nothing can have noticed yet. */
void instant_before(int n) { before = n; }

/* When the last signal was sent, in seconds of CLOCK_MONOTONIC. */
double instant_moment(void) { return moment; }

static void *later(void *microseconds) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    struct timespec time = {0, (long)(size_t)microseconds * 1000};
    nanosleep(&time, NULL);
    shoot();
    return NULL;
}

/* Sends the signal in so many microseconds, less than a second. */
int instant_after(int microseconds) {
    pthread_t thread;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int code = pthread_create(&thread, NULL, later, (void *)(size_t)microseconds);
    if (code == 0) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code;
}

/* A handler that does nothing, for languages that have none. */
void instant_ignore(int signal) { (void)signal; }

static void count(void) {
    if (before > 0 && --before == 0) shoot();
}

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
    static ssize_t (*real)(int, void *, size_t, int);
    if (!real) real = (ssize_t (*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
    count();
    return real(fd, buffer, size, flags);
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask) {
    static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    if (!real) real = (int (*)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *))dlsym(RTLD_NEXT, "ppoll");
    count();
    return real(fds, n, timeout, mask);
}
