/*
 * Plays scenes: reads one a line, and answers each with a line of what came of it.
 *
 *   FUNCTION KIND ARGUMENT LIMIT MODE INTERRUPT WHEN FAULT INDEX TIMES
 *
 * Each has a subject, which makes the call and is traced, and a peer, which makes it ready.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"

int receives(const struct scene *scene)
{
    return strncmp(scene->function, "recv", 4) == 0 || is(scene->function, "wait");
}

int sends(const struct scene *scene)
{
    return strncmp(scene->function, "send", 4) == 0;
}

int connects(const struct scene *scene)
{
    return is(scene->function, "connect") || is(scene->function, "dial");
}

int has_messages(const struct scene *scene)
{
    return is(scene->kind, "datagram") || is(scene->kind, "udp");
}

size_t length_of(const struct scene *scene)
{
    return (size_t)scene->argument;
}

void tell(const int pipe[2])
{
    MUST(write(pipe[1], "", 1) == 1);
}

void await(const int pipe[2])
{
    struct pollfd entry = {.fd = pipe[0], .events = POLLIN};
    MUST(poll(&entry, 1, -1) == 1);
}

static void play(const struct scene *scene, struct report *report)
{
    struct ends ends;
    memset(report, 0, sizeof *report);
    report->intact = report->arrived_intact = report->made_well = 1;
    set_up(scene, &ends);
    report->filled = ends.filled;

    pid_t other = fork();
    MUST(other >= 0);
    if (other == 0) {
        close(ends.socket);
        peer(scene, &ends, report);
        _exit(0);
    }
    pid_t traced = fork();
    MUST(traced >= 0);
    if (traced == 0) {
        close(ends.peer);
        MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        raise(SIGSTOP);
        subject(scene, &ends, report);
        _exit(0);
    }
    trace(traced, scene, report);
    if (report->died)
        kill(other, SIGKILL);
    int status;
    close(ends.socket);
    close(ends.peer);
    close(ends.token);
    for (int i = 0; i < ends.queued_count; i++)
        close(ends.queued[i]);
    for (int i = 0; i < 2; i++) {
        close(ends.begun[i]);
        close(ends.ended[i]);
        close(ends.left[i]);
    }
    MUST(waitpid(other, &status, 0) == other);
    if (!report->died && status != 0)
        report->died = "peer";
}

static void show(const struct report *report)
{
    printf("died=%s code=%ld error=%d elapsed=%lld count=%zu rest=%zu intact=%d leaked=%d made_well=%d again=%d value=%.9f "
           "timeout=%.9f interrupt=%d later_timeout=%.9f later_interrupt=%d given=%zu filled=%zu arrived=%zu passed=%d ready_after=%lld "
           "cancelled_after=%lld "
           "hits=%d could_wait=%d calls=",
           report->died ? report->died : "", report->code, report->error, report->elapsed, report->count, report->rest,
           report->intact && report->arrived_intact, report->leaked, report->made_well, report->again, report->value,
           report->timeout[0], report->interrupt[0], report->timeout[1], report->interrupt[1], report->given, report->filled,
           report->arrived, report->passed, report->acted_at ? report->acted_at - report->begun_at : -1,
           report->cancelled_at ? report->cancelled_at - report->begun_at : -1, report->hits, report->could_wait);
    for (int i = 0; i < report->call_count && i < CALLS; i++)
        printf("%s%s", i ? "," : "", report->calls[i]);
    putchar('\n');
}

int main(void)
{
    struct scene scene;
    char line[256];
    struct report *report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(report != MAP_FAILED);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        MUST(sscanf(line, "%19s %15s %lf %lf %lf %d %11s %15s %d %d", scene.function, scene.kind, &scene.argument, &scene.limit,
                    &scene.mode, &scene.interrupt, scene.when, scene.fault, &scene.index, &scene.times) == 10);
        char *until = strstr(scene.function, "_until");
        scene.until = until != NULL;
        if (until)
            *until = '\0';
        play(&scene, report);
        show(report);
    }
    return 0;
}
