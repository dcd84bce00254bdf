/*
 * An HTTP/1.1 client with one deadline for all it does, from looking up the name of the host to the
 * end of the answer. Ctrl-C cancels whatever it waits for.
 *
 *     cc fetch.c -o fetch $(pkg-config --cflags --libs libsock)
 *     ./fetch http://127.0.0.1:8000/index.html 2.5 > index.html
 *
 * The body goes to stdout and one line about it to stderr. Exit code: 0 for a 2xx answer, 1 for any
 * other and for errors, 2 when the time ran out, 130 after Ctrl-C, 64 for wrong usage. The default
 * is 10 seconds.
 */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

static double start, deadline;
static int token = -1, fd = -1;
static char buffer[16384]; /* `have` bytes were received; those before `taken` are done with. */
static size_t taken, have;

static void cancel(int signal)
{
    (void)signal;
    sock_cancel(token);
}

static _Noreturn void usage(void)
{
    fputs("usage: fetch http://HOST[:PORT][/PATH] [SECONDS]\n", stderr);
    exit(64);
}

static _Noreturn void fail(const char *what, const char *why, int code)
{
    fprintf(stderr, "fetch: %s: %s after %.3f s\n", what, why, sock_deadline(0) - start);
    exit(code);
}

static void check(const char *what, ssize_t code)
{
    if (code < 0)
        fail(what, sock_strerror(code), code == -ETIMEDOUT ? 2 : code == -ECANCELED ? 130 : 1);
}

/* Connects to the URL's host and asks for its path. */
static void request(const char *url)
{
    char host[256], port[6] = "80", text[4096];
    int after_host = 0, after_port = 0;

    for (const char *c = url; *c; c++)
        if (!isgraph((unsigned char)*c))
            usage();
    if (sscanf(url, "http://%255[^][:@/?#]%n", host, &after_host) != 1)
        sscanf(url, "http://[%255[0-9A-Fa-f:.]]%n", host, &after_host);
    if (after_host == 0)
        usage();
    sscanf(url + after_host, ":%5[0-9]%n", port, &after_port);
    const char *authority = url + strlen("http://"), *path = url + after_host + after_port;
    if (atoi(port) > 65535 || (*path && !strchr("/?#", *path)))
        usage();
    int length = snprintf(text, sizeof text,
                          "GET %s%.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n",
                          *path == '/' ? "" : "/", (int)strcspn(path, "#"), path,
                          (int)(path - authority), authority);
    if (length >= (int)sizeof text)
        usage();

    fd = sock_dial_until(host, port, deadline, token);
    check("connect", fd);
    check("send", sock_sendall_until(fd, text, (size_t)length, 0, NULL, deadline, token));
}

/* Moves what is not yet taken to the front of the buffer. */
static void make_room(void)
{
    have -= taken;
    memmove(buffer, buffer + taken, have);
    taken = 0;
}

/* Takes a line, without its end. It is valid until more is taken. */
static char *take_line(void)
{
    make_room();
    ssize_t length = sock_recvdelim_until(fd, buffer, sizeof buffer, &have, "\n", 1, deadline, token);
    if (length == 0 || length == -EPIPE)
        fail("answer", "cut short", 1);
    if (length == -EMSGSIZE)
        fail("answer", "line too long", 1);
    check("receive", length);
    taken = (size_t)length;
    buffer[length - 1] = '\0';
    if (length > 1 && buffer[length - 2] == '\r')
        buffer[length - 2] = '\0';
    return buffer;
}

/* Sees to it that there is something to take; 0 once the server has closed the connection. */
static int fill(void)
{
    if (taken < have)
        return 1;
    /* Only a wait is cancelled, and for a fast server there may be none: so the token is asked, too. */
    if (sock_wait_until(-1, 0, -1, token) == -ECANCELED)
        check("receive", -ECANCELED);
    ssize_t received = sock_recv_until(fd, buffer, sizeof buffer, 0, deadline, token);
    check("receive", received);
    taken = 0;
    have = (size_t)received;
    return have > 0;
}

/* Copies so many bytes to stdout, or all until the server closes for UINTMAX_MAX; returns how many. */
static uintmax_t take_bytes(uintmax_t count)
{
    uintmax_t left = count;
    while (left > 0 && fill()) {
        size_t part = have - taken < left ? have - taken : (size_t)left;
        if (fwrite(buffer + taken, 1, part, stdout) != part)
            fail("stdout", sock_strerror(-errno), 1);
        taken += part;
        left -= part;
    }
    if (left > 0 && count != UINTMAX_MAX)
        fail("answer", "cut short", 1);
    return count - left;
}

static uintmax_t number(const char *text, int base)
{
    char *rest;
    text += strspn(text, " \t");
    uintmax_t value = strtoumax(text, &rest, base);
    if (!isxdigit((unsigned char)*text) || value == UINTMAX_MAX || (*rest && !strchr(" \t;", *rest)))
        fail("answer", "not a length", 1);
    return value;
}

static uintmax_t take_chunks(void)
{
    uintmax_t size, total = 0;
    while ((size = number(take_line(), 16)) > 0) {
        total += take_bytes(size);
        if (*take_line())
            fail("answer", "chunk without an end", 1);
    }
    while (*take_line()) /* trailers */
        ;
    return total;
}

/* Takes the answer, with its body, and returns its status. */
static int take_answer(void)
{
    char *line;
    int status, chunked;
    uintmax_t length;
    do { /* 1xx answers come before the one that counts. */
        length = UINTMAX_MAX;
        chunked = 0;
        if (sscanf(take_line(), "HTTP/1.%*1[01] %3d", &status) != 1)
            fail("answer", "not HTTP/1.1", 1);
        while (*(line = take_line())) {
            if (strncasecmp(line, "Content-Length:", 15) == 0)
                length = number(line + 15, 10);
            else if (strncasecmp(line, "Transfer-Encoding:", 18) == 0)
                chunked = 1;
        }
    } while (status < 200);
    if (status == 204 || status == 304)
        length = 0;
    length = chunked ? take_chunks() : take_bytes(length);
    if (fflush(stdout) != 0)
        fail("stdout", sock_strerror(-errno), 1);
    fprintf(stderr, "fetch: status %d, %ju bytes in %.3f s\n", status, length, sock_deadline(0) - start);
    return status;
}

int main(int argc, char *argv[])
{
    struct sigaction action = {.sa_handler = cancel};
    double seconds = 10;
    char *rest = "";
    if (argc == 3)
        seconds = strtod(argv[2], &rest);
    if (argc < 2 || argc > 3 || *rest || !(seconds > 0))
        usage();
    start = sock_deadline(0);
    deadline = sock_deadline(seconds);
    check("token", token = sock_token());
    check("sigaction", sigaction(SIGINT, &action, NULL) < 0 ? -errno : 0);
    request(argv[1]);
    int status = take_answer();
    close(fd);
    return status / 100 == 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
