/*
 * Tampers with the system calls of a traced process between its marks. The faults:
 *
 *   EINTR, EAGAIN, ...  the call is not made and fails with it
 *   interrupted         the same with EINTR, as if a signal had come after a wait
 *   undone              the call is made, and then said to have been interrupted
 *   delayed             the call is made later
 *   shorter, one        a transfer is cut to half its length, or to a byte
 *   always              whatever polls finds a signal pending, unless there is something ready
 *   refused             a policy forbids a call of that kind, with that option, with EPERM
 *   wordless            a policy forbids SO_PEEK_OFF, from before the first call to the end
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"

static const useconds_t DELAY = 50000;
static const unsigned PATIENCE = 20; /* seconds */
static const unsigned long long UNUSED = 4096; /* bytes below the stack pointer that nobody uses */

static const struct {
    long number;
    const char *name;
    enum { ASKS, MOVES, MOVES_MESSAGE, OPENS, WAITS } what;
} known[] = {
    {SYS_sendto, "send", MOVES},           {SYS_recvfrom, "recv", MOVES},
    {SYS_sendmsg, "sendmsg", MOVES_MESSAGE}, {SYS_recvmsg, "recvmsg", MOVES_MESSAGE},
    {SYS_connect, "connect", OPENS},       {SYS_accept4, "accept", OPENS},
    {SYS_ppoll, "ppoll", WAITS},           {SYS_getsockopt, "getsockopt", ASKS},
    {SYS_setsockopt, "setsockopt", ASKS},  {SYS_fcntl, "fcntl", ASKS},
    {SYS_ioctl, "ioctl", ASKS},            {SYS_socket, "socket", ASKS},
    {SYS_bind, "bind", ASKS},              {SYS_listen, "listen", ASKS},
    {SYS_timerfd_create, "timerfd_create", ASKS}, {SYS_timerfd_settime, "timerfd_settime", ASKS},
};

static const struct {
    const char *name;
    int number;
} errors[] = {
    {"EINTR", EINTR},   {"interrupted", EINTR},     {"EAGAIN", EAGAIN},
    {"ENOMEM", ENOMEM}, {"ENOBUFS", ENOBUFS}, {"ECONNRESET", ECONNRESET}, {"ECONNABORTED", ECONNABORTED},
    {"refused", EPERM}, {"wordless", EPERM},
};

void mark(void)
{
    syscall(SYS_write, -1, "", 0);
}

/* The option that has what the timeouts do not tell of a mode. */
static int is_about_word(const struct user_regs_struct *registers)
{
    return (registers->orig_rax == SYS_getsockopt || registers->orig_rax == SYS_setsockopt) && registers->rsi == SOL_SOCKET &&
        registers->rdx == SO_PEEK_OFF;
}

static int lookup(long number)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].number == number)
            return (int)i;
    return -1;
}

static int error_of(const char *fault)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (is(fault, errors[i].name))
            return errors[i].number;
    return 0;
}

/* The memory of the traced process. */
static void peek(pid_t pid, unsigned long long at, void *to, size_t length)
{
    struct iovec here = {to, length}, there = {(void *)at, length};
    MUST(process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)length);
}

static void poke(pid_t pid, unsigned long long at, void *from, size_t length)
{
    struct iovec here = {from, length}, there = {(void *)at, length};
    MUST(process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)length);
}

static size_t cut(const char *fault, size_t length)
{
    return length < 2 || is(fault, "one") ? length != 0 : length / 2;
}

static int could_wait(int call, const struct user_regs_struct *registers)
{
    switch (known[call].what) {
    case MOVES:
        return !(registers->r10 & MSG_DONTWAIT);
    case MOVES_MESSAGE:
        return !(registers->rdx & MSG_DONTWAIT);
    case ASKS:
        return 0;
    default:
        return 1;
    }
}

/* A ppoll of no descriptor is a nap. */
static const char *name(pid_t pid, int call, const struct user_regs_struct *registers)
{
    struct pollfd entry;
    if (call < 0)
        return "other";
    if (is_about_word(registers))
        return registers->orig_rax == SYS_getsockopt ? "readword" : "setword";
    if (known[call].what != WAITS)
        return known[call].name;
    if (registers->rsi == 0)
        return "nap";
    peek(pid, registers->rdi, &entry, sizeof entry);
    return entry.fd < 0 ? "nap" : known[call].name;
}

/* Which call of a kind it is: with what option, for one. */
static unsigned long long option(const struct user_regs_struct *registers)
{
    return registers->orig_rax == SYS_ioctl ? registers->rsi : registers->rdx;
}

static int applies(const struct scene *scene, const struct report *report, int call, const struct user_regs_struct *registers,
                   const struct user_regs_struct *hit)
{
    int at = report->call_count - 1;
    long long first = (long long)hit->orig_rax;
    if (call < 0 || is(scene->fault, "none") || at < scene->index || report->hits >= scene->times)
        return 0;
    if (is(scene->fault, "always"))
        return known[call].what == WAITS;
    if (is(scene->fault, "refused"))
        return at == scene->index || (known[call].number == first && option(registers) == option(hit));
    /* A storm of signals interrupts whatever waits; other faults come again in the same call. */
    return at == scene->index || known[call].number == first || (is(scene->fault, "interrupted") && known[call].what != ASKS);
}

/* What an entered system call must become when it is left. */
struct tampering {
    int fails;          /* with this error number */
    int is_late;        /* only if nothing was ready */
    struct msghdr message;
    struct iovec first; /* as they were before a cut */
    int restore;
};

/* Waits in a system call's stead, but for no longer than ppoll would. */
static void wait_in(pid_t pid, int call, const struct user_regs_struct *registers)
{
    struct timespec time = {.tv_nsec = DELAY * 1000L};
    if (known[call].what == WAITS && registers->rdx) {
        struct timespec limit;
        peek(pid, registers->rdx, &limit, sizeof limit);
        if (limit.tv_sec == 0 && limit.tv_nsec < time.tv_nsec)
            time = limit;
    }
    nanosleep(&time, NULL);
}

static void enter(pid_t pid, const struct scene *scene, int call, struct user_regs_struct *registers, struct tampering *tampering)
{
    const char *fault = scene->fault;
    if (is(fault, "delayed"))
        usleep(DELAY);
    if (is(fault, "interrupted"))
        wait_in(pid, call, registers);
    if (known[call].what == WAITS && (is(fault, "always") || is(fault, "interrupted"))) {
        struct timespec at_once = {0};
        registers->rdx = registers->rsp - UNUSED;
        poke(pid, registers->rdx, &at_once, sizeof at_once);
        tampering->fails = EINTR;
        tampering->is_late = 1;
        MUST(ptrace(PTRACE_SETREGS, pid, NULL, registers) == 0);
        return;
    }
    if ((tampering->fails = error_of(fault)) != 0) {
        registers->orig_rax = (unsigned long long)-1;
    } else if (is(fault, "undone")) {
        tampering->fails = EINTR;
    } else if (is(fault, "shorter") || is(fault, "one")) {
        if (known[call].what == MOVES) {
            registers->rdx = cut(fault, registers->rdx);
        } else if (known[call].what == MOVES_MESSAGE) {
            peek(pid, registers->rsi, &tampering->message, sizeof tampering->message);
            struct msghdr message = tampering->message;
            peek(pid, (unsigned long long)message.msg_iov, &tampering->first, sizeof tampering->first);
            struct iovec first = tampering->first;
            first.iov_len = cut(fault, first.iov_len);
            message.msg_iovlen = 1;
            poke(pid, (unsigned long long)message.msg_iov, &first, sizeof first);
            poke(pid, registers->rsi, &message, sizeof message);
            tampering->restore = 1;
        }
    }
    MUST(ptrace(PTRACE_SETREGS, pid, NULL, registers) == 0);
}

static void leave(pid_t pid, struct user_regs_struct *registers, struct tampering *tampering)
{
    if (tampering->restore) {
        struct msghdr message;
        peek(pid, registers->rsi, &message, sizeof message);
        message.msg_iovlen = tampering->message.msg_iovlen;
        poke(pid, (unsigned long long)message.msg_iov, &tampering->first, sizeof tampering->first);
        poke(pid, registers->rsi, &message, sizeof message);
    }
    if (tampering->fails && !(tampering->is_late && registers->rax != 0)) {
        registers->rax = (unsigned long long)-tampering->fails;
        MUST(ptrace(PTRACE_SETREGS, pid, NULL, registers) == 0);
    }
    memset(tampering, 0, sizeof *tampering);
}

static void wake(int signal)
{
    (void)signal;
}

/* Follows the subject to its end. */
void trace(pid_t pid, const struct scene *scene, struct report *report)
{
    struct sigaction action = {.sa_handler = wake};
    struct tampering tampering = {0};
    struct user_regs_struct hit = {.orig_rax = (unsigned long long)-1};
    int status, inside = 0, marked = 0, signal = 0, ready = 0;

    MUST(sigaction(SIGALRM, &action, NULL) == 0);
    alarm(PATIENCE);
    for (;;) {
        if (waitpid(pid, &status, 0) < 0) {
            report->died = "hung";
            kill(pid, SIGKILL);
            MUST(waitpid(pid, &status, 0) == pid);
            break;
        }
        if (!WIFSTOPPED(status)) {
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                report->died = WIFEXITED(status) ? "failed" : "killed";
            break;
        }
        signal = 0;
        if (!ready) {
            MUST(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
            ready = 1;
        } else if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            signal = WSTOPSIG(status);
        } else {
            struct user_regs_struct registers;
            MUST(ptrace(PTRACE_GETREGS, pid, NULL, &registers) == 0);
            inside = !inside;
            if (!inside) {
                leave(pid, &registers, &tampering);
            } else if (registers.orig_rax == SYS_write && (int)registers.rdi == -1) {
                marked = !marked;
            } else if (is(scene->fault, "wordless")) {
                if (is_about_word(&registers)) {
                    report->hits++;
                    enter(pid, scene, lookup((long)registers.orig_rax), &registers, &tampering);
                }
            } else if (marked) {
                int call = lookup((long)registers.orig_rax);
                if (report->call_count < CALLS)
                    strcpy(report->calls[report->call_count], name(pid, call, &registers));
                report->call_count++;
                if (applies(scene, report, call, &registers, &hit)) {
                    if (report->hits++ == 0) {
                        hit = registers;
                        report->could_wait = could_wait(call, &registers);
                    }
                    enter(pid, scene, call, &registers, &tampering);
                }
            }
        }
        ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal);
    }
    alarm(0);
}
