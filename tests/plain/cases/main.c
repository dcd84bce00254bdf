/*
 * Runs the cases, each in a process of its own that has 40 seconds; those that mostly sleep side by side. LIBSOCK_ONLY is a pattern for their names.
 */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PASSED, FAILED, SKIPPED, SECONDS = 40, MOST_SLEEPING = 32 };

static int report = -1; /* a pipe to the parent, for what is told */

static void tell(const char *format, va_list arguments)
{
    char text[400];
    vsnprintf(text, sizeof text, format, arguments);
    if (write(report, text, strlen(text)) < 0)
        _exit(FAILED);
}

#define TELL(format) \
    do { \
        va_list arguments; \
        va_start(arguments, format); \
        tell(format, arguments); \
        va_end(arguments); \
    } while (0)

void fail(const char *format, ...)
{
    TELL(format);
    _exit(FAILED);
}

void skip(const char *format, ...)
{
    TELL(format);
    _exit(SKIPPED);
}

void found(const char *format, ...)
{
    TELL(format);
}

static bool wanted(const char *name)
{
    const char *pattern = getenv("LIBSOCK_ONLY");
    regex_t compiled;
    if (!pattern || !*pattern)
        return true;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool matches = regexec(&compiled, name, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}

/* A test under way. */
struct run {
    const struct test *test;
    pid_t process;
    int report;
    double end;
};

static struct run start(const struct test *test)
{
    int ends[2];
    must(pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
    fflush(stdout);
    pid_t parent = getpid(), child = must(fork(), "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(FAILED);
        report = ends[1];
        test->body();
        _exit(PASSED);
    }
    close(ends[1]);
    return (struct run){test, child, ends[0], now() + SECONDS};
}

static void finish(struct run run)
{
    char text[4096] = "";
    int status;
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)run.process, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == 0) {
        if (now() > run.end)
            kill(run.process, SIGKILL);
        sleep_until(now() + 0.002);
    }
    must(waitpid(run.process, &status, 0), "waitpid");
    ssize_t len = read(run.report, text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    close(run.report);
    int outcome = WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "%s", now() > run.end ? "it did not end" : strsignal(WTERMSIG(status)));
    printf("%s %s%s%s\n", outcome == PASSED ? "ok" : outcome == SKIPPED ? "skip" : "not ok", run.test->name, *text ? ": " : "", text);
}

int main(void)
{
    static const struct test *const all[] = {sends, floods, timeouts, changes, network, results};
    struct run sleeping[MOST_SLEEPING];
    int count = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const struct test *test = all[i]; test->name; test++)
            if (test->sleeps && count < MOST_SLEEPING && wanted(test->name))
                sleeping[count++] = start(test);
    for (int i = 0; i < count; i++)
        finish(sleeping[i]);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const struct test *test = all[i]; test->name; test++)
            if (!test->sleeps && wanted(test->name))
                finish(start(test));
    return 0;
}
