/*
 * Every function called from a signal handler, and right: one that interrupts malloc ("malloc"), one that interrupts
 * the library at the ticks of a timer while it operates and waits ("storm"), and one that interrupts it at every
 * single instruction ("step"), by the processor's trap flag, also with both at work on one socket ("same").
 */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <ucontext.h>
#include <unistd.h>

#include <sock.h>

#include "all_functions.h"

enum { TRAP_FLAG = 0x100, FIRST_SENT = 3, LAST_RECEIVED = 22, CALLS = 36 };

static volatile sig_atomic_t in_malloc;
static volatile long handled, handled_in_malloc;

/* The handler's own: a pair, a listener that nobody connects to, and a token. */
static int own[2], listener, token;

static void judge(int call, long result, long wanted)
{
    if (result != wanted) {
        dprintf(2, "in the handler call %d is %ld, not %ld\n", call, result, wanted);
        _exit(1);
    }
}

/* The functions in turn. A byte that one sends the next receives. */
static void call_next(void)
{
    static unsigned calls;
    static char byte, got;
    static size_t count;
    static double told;
    static int cancelled;
    static struct sockaddr_un addr;
    int call = (int)(calls++ % CALLS), error = errno;
    double later = now() + 30;
    int sends = call >= FIRST_SENT && call <= LAST_RECEIVED && call % 2 == 1;
    struct iovec part = {sends ? &byte : &got, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    socklen_t addrlen = sizeof addr;
    handled++;
    switch (call) {
    case 0: judge(call, sock_setblocking(own[0], (int)(calls & 1)), 0); break;
    case 1: judge(call, sock_settimeout(own[0], 0.5), 0); break;
    case 2: judge(call, sock_gettimeout(own[0], &told) == 0 && is_rebuilt(told, 0.5), 1); break;
    case 3: judge(call, sock_send(own[0], &byte, 1, 0), 1); break;
    case 4: judge(call, sock_recv(own[1], &got, 1, 0), 1); break;
    case 5: judge(call, sock_sendto(own[0], &byte, 1, 0, NULL, 0), 1); break;
    case 6: judge(call, sock_recvfrom(own[1], &got, 1, 0, (struct sockaddr *)&addr, &addrlen), 1); break;
    case 7: judge(call, sock_sendmsg(own[0], &message, 0), 1); break;
    case 8: judge(call, sock_recvmsg(own[1], &message, 0), 1); break;
    case 9: judge(call, sock_sendall(own[0], &byte, 1, 0, &count) == 0 && count == 1, 1); break;
    case 10: judge(call, sock_recvall(own[1], &got, 1, 0, &count) == 0 && count == 1, 1); break;
    case 11: judge(call, sock_send_until(own[0], &byte, 1, 0, later, token), 1); break;
    case 12: judge(call, sock_recv_until(own[1], &got, 1, 0, later, token), 1); break;
    case 13: judge(call, sock_sendto_until(own[0], &byte, 1, 0, NULL, 0, later, token), 1); break;
    case 14: judge(call, sock_recvfrom_until(own[1], &got, 1, 0, (struct sockaddr *)&addr, &addrlen, later, token), 1); break;
    case 15: judge(call, sock_sendmsg_until(own[0], &message, 0, later, token), 1); break;
    case 16: judge(call, sock_recvmsg_until(own[1], &message, 0, later, token), 1); break;
    case 17: judge(call, sock_sendall_until(own[0], &byte, 1, 0, &count, later, token) == 0 && count == 1, 1); break;
    case 18: judge(call, sock_recvall_until(own[1], &got, 1, 0, &count, later, token) == 0 && count == 1, 1); break;
    case 19: judge(call, sock_send(own[0], &byte, 1, 0), 1); break;
    case 20: judge(call, (count = 0, sock_recvdelim(own[1], &got, 1, &count, &byte, 1)), 1); break;
    case 21: judge(call, sock_send(own[0], &byte, 1, 0), 1); break;
    case 22: judge(call, (count = 0, sock_recvdelim_until(own[1], &got, 1, &count, &byte, 1, later, token)), 1); break;
    case 23: judge(call, sock_setinterrupt(own[0], (int)(calls & 1)), 0); break;
    case 24: judge(call, sock_getinterrupt(own[0]), (int)(calls - 1) & 1); break;
    case 25: judge(call, sock_getblocking(own[0]), 1); break;
    case 26: judge(call, sock_wait(own[0], POLLOUT, 0), POLLOUT); break;
    case 27: judge(call, sock_wait_until(own[0], POLLOUT, later, token), POLLOUT); break;
    case 28: judge(call, sock_accept(listener, NULL, NULL), -EAGAIN); break;
    case 29: judge(call, sock_accept_until(listener, NULL, NULL, sock_deadline(0.0001), token), -ETIMEDOUT); break;
    case 30: judge(call, sock_connect(own[0], (struct sockaddr *)&addr, sizeof addr.sun_family), -EINVAL); break;
    case 31: judge(call, sock_connect_until(own[0], (struct sockaddr *)&addr, sizeof addr.sun_family, later, token), -EINVAL); break;
    case 32: judge(call, (cancelled = sock_token()) >= 0, 1); break;
    case 33: judge(call, sock_cancel(cancelled), 0); break;
    case 34:
        judge(call, sock_recv_until(own[1], &got, 1, 0, INFINITY, cancelled), -ECANCELED);
        close(cancelled);
        break;
    default: judge(call, sock_strerror(-EINVAL) != NULL && strcmp(sock_version(), LIBSOCK_VERSION) == 0, 1); break;
    }
    if (call >= FIRST_SENT && call <= LAST_RECEIVED && !sends)
        judge(call, got, byte++);
    errno = error;
}

static void on_timer(int signal)
{
    (void)signal;
    handled_in_malloc += in_malloc;
    for (int i = 0; i < CALLS; i++)
        call_next();
}

static void start_timer(void)
{
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    must(setitimer(ITIMER_REAL, &(struct itimerval){{0, 311}, {0, 311}}, NULL), "setitimer");
}

static void stop_timer(void)
{
    must(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL), "setitimer");
}

static void *sleep_on(void *argument)
{
    sigset_t signals;
    sigfillset(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pause();
    return argument;
}

static void hold_malloc(double seconds)
{
    /* With a second thread malloc takes its lock in earnest. */
    pthread_t other;
    must(-pthread_create(&other, NULL, sleep_on, NULL), "pthread_create");
    double end = now() + seconds;
    unsigned seed = 1;
    static char *blocks[512];
    start_timer();
    while (now() < end) {
        for (int i = 0; i < 4096; i++) {
            char **block = &blocks[rand_r(&seed) % 512];
            in_malloc = 1;
            *block = realloc(*block, 1 + (size_t)rand_r(&seed) % 100000);
            in_malloc = 0;
        }
    }
    stop_timer();
    for (int i = 0; i < 512; i++)
        free(blocks[i]);
    printf("%ld calls, after %ld interruptions in malloc\n", (long)handled, (long)handled_in_malloc);
}

static void interrupt_at_ticks(struct room *room)
{
    room->signals = 1;
    start_timer();
    for (int i = 0; i < MODES; i++)
        exercise_all(room, functions, modes[i], 0);
    stop_timer();
    printf("%ld calls in handlers, %ld in what they interrupted\n", (long)handled, room->checks);
}

/* Instruction by instruction. */

static uintptr_t text, text_end;
static volatile long instructions, every = 1;

static int find_library(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size, (void)argument;
    if (!strstr(info->dlpi_name, "libsock"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            text = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            text_end = text + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

static int in_library(const void *context)
{
    uintptr_t at = (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    return at >= text && at < text_end;
}

static void trap(int on)
{
    __asm__ volatile("pushfq\n\tandq %0, (%%rsp)\n\torq %1, (%%rsp)\n\tpopfq"
                     :
                     : "r"(~(unsigned long)TRAP_FLAG), "r"(on ? (unsigned long)TRAP_FLAG : 0UL)
                     : "memory", "cc");
}

static void trap_on(struct room *room)
{
    (void)room;
    trap(1);
}

static void trap_off(struct room *room)
{
    (void)room;
    trap(0);
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    if (in_library(context) && instructions++ % every == 0)
        call_next();
}

static void handle_traps(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
}

static void step(struct room *room)
{
    handle_traps(on_step);
    room->before = trap_on;
    room->after = trap_off;
    /* Each instruction is a trap, which is slow: without calls at every one, the polled mode alone. */
    for (int i = MODES - 2; i < (every == 1 ? MODES : MODES - 1); i++)
        exercise_all(room, functions, modes[i], 0);
    printf("%ld instructions of the library interrupted, by %ld calls\n", (long)instructions, (long)handled);
}

/* One socket: at one instruction after the other of a call, another mode is set, or a byte sent. */

static int shared[2];
static volatile long stop_at;
static double inner;

static void on_one_step(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    if (!in_library(context) || instructions++ != stop_at)
        return;
    int error = errno;
    double told = -1;
    judge(100, sock_settimeout(shared[0], inner), 0);
    judge(101, sock_gettimeout(shared[0], &told) == 0 && told == inner, 1);
    judge(102, sock_send(shared[1], "!", 1, 0), 1);
    errno = error;
    handled++;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

enum interrupted { SETTIMEOUT, SETINTERRUPT, RECV, INTERRUPTED };

static void interrupt_at_each(enum interrupted what, double outer)
{
    for (stop_at = 0;; stop_at += every) {
        char byte;
        double told = -1;
        judge(103, sock_setinterrupt(shared[0], 0), 0);
        judge(104, sock_settimeout(shared[0], what == SETTIMEOUT ? 30 : outer), 0);
        instructions = 0;
        trap(1);
        long result = what == SETTIMEOUT    ? sock_settimeout(shared[0], outer)
                      : what == SETINTERRUPT ? sock_setinterrupt(shared[0], 1)
                                             : sock_recv(shared[0], &byte, 1, 0);
        trap(0);
        if (instructions <= stop_at)
            return;
        judge(105, sock_gettimeout(shared[0], &told), 0);
        /* A setter that was interrupted may leave what it set, or kept. */
        int prevails = what != RECV;
        judge(106, is_rebuilt(told, inner) || (prevails && is_rebuilt(told, outer)), 1);
        judge(107, sock_getblocking(shared[0]), told != 0);
        if (what == RECV && result != 1)
            judge(108, result == -EAGAIN || result == -ETIMEDOUT, 1);
        else if (what != RECV)
            judge(109, result, 0);
        if (what == SETINTERRUPT)
            judge(110, sock_getinterrupt(shared[0]), 1);
        if (what != RECV || result != 1) /* The byte is not lost. */
            judge(111, sock_recv(shared[0], &byte, 1, 0), 1);
        judge(112, sock_recv(shared[0], &byte, 1, MSG_DONTWAIT), -EAGAIN);
    }
}

static void same_socket(void)
{
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, shared), "socketpair");
    handle_traps(on_one_step);
    for (int i = 0; i < MODES; i++) {
        inner = modes[i];
        for (int j = 0; j < MODES; j++)
            for (enum interrupted what = 0; what < INTERRUPTED; what++)
                if (i != j && (what != RECV || modes[j] < 0.01))
                    interrupt_at_each(what, modes[j]);
    }
    printf("%ld instructions interrupted by calls on the same socket\n", (long)handled);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    double seconds = argc > 2 ? atof(argv[2]) : 2;
    if (argc > 3)
        every = atoi(argv[3]);
    start_peer();
    struct room room;
    make_room(&room);
    room.others = 1;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, own), "socketpair");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    must(bind(listener, (struct sockaddr *)&addr, sizeof addr.sun_family), "bind");
    must(listen(listener, 1), "listen");
    must(sock_setblocking(listener, 0), "sock_setblocking");
    token = must(sock_token(), "sock_token");
    dl_iterate_phdr(find_library, NULL);
    if (strcmp(what, "malloc") == 0)
        hold_malloc(seconds);
    else if (strcmp(what, "storm") == 0)
        interrupt_at_ticks(&room);
    else if (strcmp(what, "step") == 0)
        step(&room);
    else
        same_socket();
    free_room(&room);
    return handled == 0;
}
