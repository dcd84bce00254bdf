/* Changes of the mode that are cut in two, and changes that cross. */
#include "cases.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

/* An unbound UDP socket in blocking mode, which needs a local port and gets none: EAGAIN is final. */
static int portless = -1;

static long send_without_port(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return sock_sendto(portless, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
}

static void make_portless(void)
{
    no_local_port();
    portless = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    if (send_without_port() != -EAGAIN)
        fail("in peace it is not -EAGAIN");
}

static int changing = -1;

static void *change_on(void *argument)
{
    for (unsigned i = 0;; i++)
        sock_settimeout(changing, 1 + i % 7);
    return argument;
}

/* Children of a process whose other thread is always changing a mode. */
static void forked(void)
{
    enum { CHILDREN = 250 };
    make_portless();
    changing = must(kind_socket(kind_named("unix-stream")), "socket");
    in_thread(change_on, NULL);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = must(fork(), "fork");
        int status;
        if (child == 0) {
            alarm(5);
            _exit(send_without_port() == -EAGAIN ? 0 : 1);
        }
        must(waitpid(child, &status, 0), "waitpid");
        if (WIFSIGNALED(status))
            fail("the call spins for ever in child %d", i + 1);
        if (status != 0)
            fail("child %d did not get -EAGAIN", i + 1);
    }
    found("%d children", CHILDREN);
}

static volatile sig_atomic_t handled, wrong;

static void send_in_handler(int number)
{
    (void)number;
    handled++;
    wrong |= send_without_port() != -EAGAIN;
}

static void interrupted(void)
{
    enum { HANDLERS = 1000 };
    make_portless();
    changing = must(kind_socket(kind_named("unix-stream")), "socket");
    for (int i = 0; i < HANDLERS; i++) {
        int before = handled;
        signal_after(1 + i % 20, send_in_handler);
        while (handled == before)
            sock_settimeout(changing, 1 + i % 7);
    }
    if (wrong)
        fail("a handler did not get -EAGAIN");
    found("%d handlers", (int)handled);
}

static sigjmp_buf away;
static volatile sig_atomic_t may_jump;

static void jump(int number)
{
    (void)number;
    if (may_jump) {
        may_jump = 0;
        siglongjmp(away, 1);
    }
}

static void jumped_out_of(void)
{
    enum { JUMPS = 1000 };
    make_portless();
    changing = must(kind_socket(kind_named("unix-stream")), "socket");
    signal_every(100, jump);
    for (volatile int i = 0; i < JUMPS; i++) {
        if (sigsetjmp(away, 1) == 0) {
            may_jump = 1;
            for (;;)
                sock_settimeout(changing, 1 + i);
        }
        long result = send_without_port();
        if (result != -EAGAIN)
            fail("after %d jumps: %s", i + 1, error_text(result));
        /* The socket is as good as any. */
        double seconds = 0;
        if (sock_settimeout(changing, 7.25) != 0 || sock_gettimeout(changing, &seconds) != 0 || seconds != 7.25)
            fail("after %d jumps a timeout of 7.25 s is %g s", i + 1, seconds);
    }
    signal_every(0, SIG_IGN);
    found("%d jumps", JUMPS);
}

/* Keeps what it interrupted waiting for a while. */
static void dawdle(int number)
{
    (void)number;
    for (double until = now() + 20e-6; now() < until;)
        ;
}

/* A client connects, and other processes accept, under signals, on the listener whose mode is set here. */
static void accept_elsewhere(void)
{
    enum { OTHERS = 3 };
    static const char *const all[] = {"tcp4", "unix-stream", NULL};
    static const double modes[] = {0, 30.25, INFINITY};
    const char *const *next = all;
    int tried = 0, undone = 0;
    double last[2] = {0};
    for (const struct kind *kind; (kind = next_kind(&next));) {
        int listener = kind_listener(kind, 5);
        struct address address = address_of(listener);
        pid_t parent = getpid(), children[OTHERS];
        for (int i = 0; i < OTHERS; i++) {
            children[i] = must(fork(), "fork");
            if (children[i] == 0 && i == 0) {
                struct linger abort = {.l_onoff = 1}; /* no port is kept for a while */
                while (getppid() == parent) {
                    int client = kind_client(kind, &address);
                    sleep_until(now() + 150e-6);
                    setsockopt(client, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
                    close(client);
                }
                _exit(0);
            }
            if (children[i] == 0) {
                signal_every(45 + i, dawdle);
                while (getppid() == parent)
                    close(sock_accept(listener, NULL, NULL));
                _exit(0);
            }
        }
        unsigned seed = 1;
        for (double end = now() + 1.2; now() < end; tried++) {
            double set = modes[tried % 3], kept;
            /* One waits in the kernel, and after a signal it changes how it waits. The second comes in between. */
            must(sock_settimeout(listener, 0.02), "sock_settimeout");
            for (double until = now() + rand_r(&seed) % 100 * 1e-6; now() < until;)
                ;
            must(sock_settimeout(listener, set), "sock_settimeout");
            for (double until = now() + 30e-6; now() < until;)
                ;
            must(sock_gettimeout(listener, &kept), "sock_gettimeout");
            /* What is read in between may be said to be a tick longer. */
            if (set == 30.25 ? kept < set || kept > set + 0.03 : kept != set) {
                undone++;
                last[0] = set;
                last[1] = kept;
            }
        }
        for (int i = 0; i < OTHERS; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        close(listener);
    }
    if (undone)
        fail("%d of %d settings were undone, the last from %g to %g", undone, tried, last[0], last[1]);
    found("%d settings", tried);
}

const struct test changes[] = {
    {"no call spins in a child forked in the middle of a change", forked, false},
    {"no call spins in a handler that interrupted a change", interrupted, false},
    {"no call spins after a jump out of a change", jumped_out_of, false},
    {"an accept in another process undoes no mode", accept_elsewhere, false},
    {NULL, NULL, false},
};
