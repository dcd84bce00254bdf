/*
 * Runs a program to which the kernel seems to have given no vDSO, so that the C library asks for the time by
 * system calls.
 *
 *   without-vdso PROGRAM [ARGUMENT...]
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void give_up(const char *what)
{
    perror(what);
    exit(125);
}

/* Where the program's stack begins: the number of its arguments, the arguments, the environment and the
   auxiliary vector lie there. */
static unsigned long stack(pid_t program)
{
    char path[64], text[1024], *fields;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)program);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file) || !(fields = strrchr(text, ')')))
        give_up(path);
    fclose(file);
    for (int field = 2; field < 28; field++)
        if (!(fields = strchr(fields + 1, ' ')))
            give_up(path);
    return strtoul(fields, NULL, 10);
}

static void hide_vdso(pid_t program)
{
    char path[64];
    unsigned long at = stack(program), words[2];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)program);
    int memory = open(path, O_RDWR | O_CLOEXEC);
    if (memory < 0)
        give_up(path);
    for (int nulls = 0; nulls < 2; nulls += words[0] == 0)
        if (pread(memory, words, sizeof at, (off_t)(at += sizeof at)) != sizeof at)
            give_up("the arguments and the environment");
    at += sizeof at;
    while (pread(memory, words, sizeof words, (off_t)at) == sizeof words && words[0] != AT_SYSINFO_EHDR && words[0] != AT_NULL)
        at += sizeof words;
    words[0] = words[0] == AT_NULL ? AT_NULL : AT_IGNORE;
    if (pwrite(memory, words, sizeof words, (off_t)at) != sizeof words)
        give_up("the auxiliary vector");
    close(memory);
}

int main(int argc, char **argv)
{
    int status;
    pid_t program = fork();
    if (argc < 2 || program < 0)
        give_up("fork");
    if (program == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
            execv(argv[1], argv + 1);
        _exit(125);
    }
    if (waitpid(program, &status, 0) != program || !WIFSTOPPED(status))
        give_up("ptrace");
    hide_vdso(program);
    if (ptrace(PTRACE_DETACH, program, NULL, NULL) != 0 || waitpid(program, &status, 0) != program)
        give_up("ptrace");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
