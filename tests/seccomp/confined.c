#define _GNU_SOURCE
#include "confined.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* glibc's header lacks it, and the kernel's cannot be had beside that. */
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)

int withheld = -1, refused = -1, refusal;
pthread_t confined;

/* What an argument must be: a number, a number with certain bits set, or a null pointer. */
struct argument {
    int position;
    enum { IS, HAS, IS_NULL } must;
    uint32_t value;
};

/* The rows of the table, as the suite has read them. */
static const struct row {
    uint32_t call;
    int count;
    struct argument arguments[3];
} rows[] = {
#include "rows.h"
};

enum { IDLE, CALLING, TRAPPED };

static _Atomic uint32_t turn;
static ssize_t (*call)(void);
static ssize_t returned;
static pid_t thread;
static siginfo_t trap;

#define LOW(position) (uint32_t)(offsetof(struct seccomp_data, args[position]) + 4 * (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
#define HIGH(position) (uint32_t)(offsetof(struct seccomp_data, args[position]) + 4 * (__BYTE_ORDER__ != __ORDER_BIG_ENDIAN__))

static struct sock_filter program[512];
static unsigned short length;

static void add(uint16_t code, uint32_t value)
{
    program[length++] = (struct sock_filter)BPF_STMT(code, value);
}

/* Goes to the next row unless a word of the call passes the test. The length of that jump is not known yet. */
static void require(uint32_t offset, uint16_t test, uint32_t value)
{
    add(BPF_LD | BPF_W | BPF_ABS, offset);
    add(BPF_JMP | test | BPF_K, value);
}

static void end_row(unsigned short start, uint32_t action)
{
    add(BPF_RET | BPF_K, action);
    for (unsigned short at = start; at < length; at++)
        if (BPF_CLASS(program[at].code) == BPF_JMP)
            program[at].jf = (unsigned char)(length - at - 1);
}

static void add_row(const struct row *row, uint32_t action)
{
    unsigned short start = length;
    require(offsetof(struct seccomp_data, nr), BPF_JEQ, row->call);
    for (const struct argument *argument = row->arguments; argument < row->arguments + row->count; argument++) {
        require(LOW(argument->position), argument->must == HAS ? BPF_JSET : BPF_JEQ, argument->value);
        if (argument->must == IS_NULL)
            require(HIGH(argument->position), BPF_JEQ, 0);
    }
    end_row(start, action);
}

static void add_own(void)
{
    unsigned short start = length;
    require(offsetof(struct seccomp_data, nr), BPF_JEQ, SYS_futex);
    require(LOW(0), BPF_JEQ, (uint32_t)(uintptr_t)&turn);
    require(HIGH(0), BPF_JEQ, (uint32_t)((uint64_t)(uintptr_t)&turn >> 32));
    end_row(start, SECCOMP_RET_ALLOW);
    add_row(&(struct row){SYS_rt_sigreturn, 0, {{0, IS, 0}}}, SECCOMP_RET_ALLOW);
}

static void install(void)
{
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++)
        add_row(&rows[i], i == withheld ? SECCOMP_RET_TRAP | (uint32_t)(i + 1) : i == refused ? SECCOMP_RET_ERRNO | (uint32_t)refusal
                                                                                          : SECCOMP_RET_ALLOW);
    add_own();
    add(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog filter = {length, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        printf("seccomp: %s\n", strerror(errno));
        exit(2);
    }
}

static void pass(uint32_t next)
{
    turn = next;
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Waits while it is the other thread's turn, or for so long. */
static void await(uint32_t other, const struct timespec *timeout)
{
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, other, timeout, NULL, 0);
}

static void trapped(int number, siginfo_t *information, void *context)
{
    (void)number, (void)context;
    trap = *information;
    pass(TRAPPED);
    for (;;)
        await(TRAPPED, NULL);
}

static void *confined_thread(void *unused)
{
    thread = (pid_t)syscall(SYS_gettid);
    install();
    for (;;) {
        while (turn == IDLE)
            await(IDLE, NULL);
        returned = call();
        pass(IDLE);
    }
    return unused;
}

void confine(void)
{
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    if (pthread_create(&confined, NULL, confined_thread, NULL) != 0)
        abort();
}

void begin(ssize_t (*next)(void))
{
    call = next;
    pass(CALLING);
}

bool sleeps(void)
{
    while (turn == CALLING) {
        if (is_asleep(thread) && turn == CALLING)
            return true;
        usleep(200);
    }
    return false;
}

bool ended(double seconds, ssize_t *result)
{
    struct timespec timeout = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    if (turn == CALLING)
        await(CALLING, &timeout);
    if (turn == CALLING)
        return false;
    if (turn == TRAPPED) {
        printf("trapped: row %d, call %d\n", trap.si_errno, trap.si_syscall);
        exit(3);
    }
    *result = returned;
    return true;
}

double used(void)
{
    clockid_t clock;
    struct timespec time;
    if (pthread_getcpuclockid(confined, &clock) != 0 || clock_gettime(clock, &time) != 0)
        abort();
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
