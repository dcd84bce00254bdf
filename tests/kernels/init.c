/*
 * The first process of a virtual machine: it runs the plan, a line at a time, and reports on the console.
 *
 *   load PATH [PARAMETERS]            a module of the kernel
 *   run SECONDS NAME PROGRAM ...      a program, which is killed after so many seconds
 *
 * Tabs separate the words. What a program says stands between "@ begin NAME" and "@ end NAME STATUS": its exit
 * code, or the signal that ended it as a negative number. The machine restarts after the last line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 32, SECONDS_TO_TRUST = 10, SET_CONSOLE_LEVEL = 8, ERRORS_ONLY = 4 };

static char *const environment[] = {"PATH=/sbin:/bin:/usr/sbin:/usr/bin", "HOME=/tmp", "TMPDIR=/tmp", "RUST_BACKTRACE=1", NULL};

static void complain(const char *what)
{
    printf("@ trouble %s: %s\n", what, strerror(errno));
}

static void make_device(const char *path, unsigned major, unsigned minor)
{
    if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) != 0 && errno != EEXIST)
        complain(path);
}

static void mount_on(const char *path, const char *type)
{
    mkdir(path, 0755);
    if (mount(type, path, type, 0, NULL) != 0)
        complain(path);
}

static void set_up(void)
{
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    struct utsname name;
    struct timespec tick, finest;
    int console, probe;

    umask(0);
    mkdir("/dev", 0755);
    make_device("/dev/console", 5, 1);
    make_device("/dev/null", 1, 3);
    make_device("/dev/zero", 1, 5);
    make_device("/dev/urandom", 1, 9);
    console = open("/dev/console", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(console, fd);
    if (console > 2)
        close(console);
    setvbuf(stdout, NULL, _IOLBF, 0);
    mount_on("/proc", "proc");
    mount_on("/sys", "sysfs");
    mount_on("/tmp", "tmpfs");
    klogctl(SET_CONSOLE_LEVEL, NULL, ERRORS_ONLY);
    probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(probe, SIOCSIFFLAGS, &loopback) != 0)
        complain("loopback");
    close(probe);
    uname(&name);
    clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    /* A kernel begins with timers that know ticks alone, and turns to precise ones when it trusts its clock. */
    for (int i = 0; i < SECONDS_TO_TRUST; i++) {
        clock_getres(CLOCK_MONOTONIC, &finest);
        if (finest.tv_nsec == 1)
            break;
        sleep(1);
    }
    printf("@ kernel %s %s %ld %ld\n", name.release, name.machine, tick.tv_nsec, finest.tv_nsec);
}

static void load(const char *path, const char *parameters)
{
    int module = open(path, O_RDONLY | O_CLOEXEC);
    if (module < 0 || (syscall(SYS_finit_module, module, parameters, 0) != 0 && errno != EEXIST))
        complain(path);
    close(module);
}

static void run(unsigned seconds, const char *name, char **command)
{
    const struct timespec patience = {.tv_sec = seconds};
    sigset_t child_ended;
    int status = 0;
    pid_t child;

    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ended, NULL);
    printf("@ begin %s\n", name);
    child = fork();
    if (child == 0) {
        sigprocmask(SIG_UNBLOCK, &child_ended, NULL);
        setsid();
        execve(command[0], command, environment);
        complain(command[0]);
        _exit(127);
    }
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (sigtimedwait(&child_ended, NULL, &patience) < 0 && errno == EAGAIN) {
            printf("@ trouble %s: it did not end in %u seconds\n", name, seconds);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
    }
    /* What it left behind must not disturb the next. */
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    printf("@ end %s %d\n", name, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

int main(void)
{
    static char line[4096];
    FILE *plan;
    set_up();
    plan = fopen("/plan", "re");
    if (!plan)
        complain("/plan");
    while (plan && fgets(line, sizeof line, plan)) {
        char *words[WORDS] = {NULL};
        size_t count = 0;
        for (char *word = strtok(line, "\t\n"); word && count < WORDS - 1; word = strtok(NULL, "\t\n"))
            words[count++] = word;
        if (count >= 2 && strcmp(words[0], "load") == 0)
            load(words[1], words[2] ? words[2] : "");
        else if (count >= 4 && strcmp(words[0], "run") == 0)
            run((unsigned)strtoul(words[1], NULL, 10), words[2], words + 3);
    }
    puts("@ done");
    fflush(stdout);
    tcdrain(STDOUT_FILENO);
    reboot(RB_AUTOBOOT);
    return 0;
}
