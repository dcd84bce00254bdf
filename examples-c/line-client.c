/*
 * Talks to a server that answers each line with a line: sends the lines of its input, and prints what
 * comes back. A line and its answer together have 10 seconds, or as many as told. Ctrl-C cancels.
 *
 *     cc line-client.c -o line-client $(pkg-config --cflags --libs libsock)
 *     echo hello | ./line-client 127.0.0.1 7007 2.5
 *
 * `struct lines` and `next_line` are all that a protocol of lines needs: copy them. Exit code: 0 at
 * the end of the input, 1 for errors, 2 when the time ran out, 130 after Ctrl-C, 64 for wrong usage.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

/* What was received of a socket, `have` bytes; the first `taken` of them are the line taken last. */
struct lines {
    int fd;
    size_t taken, have;
    char buffer[4096];
};

/* Puts the next line in `line`, valid until the next call, and returns its length with its end. */
static ssize_t next_line(struct lines *l, char **line, double deadline, int token)
{
    l->have -= l->taken;
    memmove(l->buffer, l->buffer + l->taken, l->have);
    l->taken = 0;
    ssize_t length = sock_recvdelim_until(l->fd, l->buffer, sizeof l->buffer, &l->have, "\n", 1, deadline, token);
    *line = l->buffer;
    if (length > 0)
        l->taken = (size_t)length;
    return length;
}

static int token;

static void cancel(int signal)
{
    (void)signal;
    sock_cancel(token);
}

static ssize_t check(const char *what, ssize_t code)
{
    if (code < 0) {
        fprintf(stderr, "line-client: %s: %s\n", what, sock_strerror(code));
        exit(code == -ETIMEDOUT ? 2 : code == -ECANCELED ? 130 : EXIT_FAILURE);
    }
    return code;
}

int main(int argc, char *argv[])
{
    static struct lines lines;
    struct sigaction action = {.sa_handler = cancel};
    char text[4096], *answer, *rest = "";
    double seconds = argc == 4 ? strtod(argv[3], &rest) : 10;
    if (argc < 3 || argc > 4 || *rest || !(seconds > 0)) {
        fputs("usage: line-client HOST PORT [SECONDS] < LINES\n", stderr);
        return 64;
    }
    token = (int)check("token", sock_token());
    check("sigaction", sigaction(SIGINT, &action, NULL) < 0 ? -errno : 0);

    lines.fd = (int)check("connect", sock_dial_until(argv[1], argv[2], sock_deadline(seconds), token));
    while (fgets(text, sizeof text, stdin)) {
        double deadline = sock_deadline(seconds);
        check("send", sock_sendall_until(lines.fd, text, strlen(text), 0, NULL, deadline, token));
        ssize_t length = check("receive", next_line(&lines, &answer, deadline, token));
        if (length == 0)
            check("receive", -EPIPE);
        fwrite(answer, 1, (size_t)length, stdout);
        fflush(stdout);
    }
    check("stdin", sock_wait_until(-1, 0, -1, token) == -ECANCELED ? -ECANCELED : 0);
    check("stdout", ferror(stdout) ? -EIO : 0);
    close(lines.fd);
    return EXIT_SUCCESS;
}
