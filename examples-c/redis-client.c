/*
 * Sends each line of its input to Redis as a command, and prints each answer on a line. Every command
 * has 5 seconds, or as many as told, from its first byte to the last of the answer.
 *     cc redis-client.c -o redis-client $(pkg-config --cflags --libs libsock)
 *     echo "SET greeting hello" | ./redis-client /run/redis/redis.sock 0.5
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sock.h>

static char buffer[65536];
static size_t taken, have;

static ssize_t check(ssize_t code)
{
    if (code >= 0)
        return code;
    fprintf(stderr, "redis-client: %s\n", sock_strerror(code));
    exit(code == -ETIMEDOUT ? 2 : 1);
}

static void print_answer(int fd, double deadline)
{
    memmove(buffer, buffer + taken, have -= taken);
    ssize_t length = check(sock_recvdelim_until(fd, buffer, sizeof buffer, &have, "\r\n", 2, deadline, -1));
    taken = (size_t)(length > 0 ? length : check(-EPIPE));
    long size = strtol(buffer + 1, NULL, 10);
    if (*buffer == '*') {
        for (; size > 0; fputs(--size > 0 ? " " : "", stdout))
            print_answer(fd, deadline);
    } else if (*buffer == '$' && size >= 0) {
        size_t end = taken + (size_t)size + 2, part = 0;
        check(end > sizeof buffer ? -EMSGSIZE : 0);
        if (end > have)
            check(sock_recvall_until(fd, buffer + have, end - have, 0, &part, deadline, -1));
        fwrite(buffer + taken, 1, (size_t)size, stdout);
        have += part;
        taken = end;
    } else {
        fwrite(*buffer == '$' ? "(nil)" : buffer + 1, 1, *buffer == '$' ? 5 : taken - 3, stdout);
    }
}

int main(int argc, char *argv[])
{
    char line[4096], command[4 * sizeof line], *words[sizeof line / 2];
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 5;
    if (argc < 2 || argc > 3 || !(seconds > 0))
        return fputs("usage: redis-client HOST|PATH [SECONDS] < COMMANDS\n", stderr), 64;

    int fd = (int)check(sock_dial(argv[1], *argv[1] == '/' ? NULL : "6379", seconds));
    while (fgets(line, sizeof line, stdin)) {
        int count = 0;
        for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count == 0)
            continue;
        size_t length = (size_t)sprintf(command, "*%d\r\n", count);
        for (int i = 0; i < count; i++)
            length += (size_t)sprintf(command + length, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
        double deadline = sock_deadline(seconds);
        check(sock_sendall_until(fd, command, length, 0, NULL, deadline, -1));
        print_answer(fd, deadline);
        puts("");
    }
    return 0;
}
