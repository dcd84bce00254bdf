/*
 * An HTTP/1.1 client with one deadline for all it does: each step gets what is left of the seconds.
 *
 *     cc fetch.c -o fetch $(pkg-config --cflags --libs libsock)
 *     ./fetch http://127.0.0.1:8000/index.html 2.5 > index.html
 *
 * The body goes to stdout and one line about it to stderr. Exit code: 0 for a 2xx answer, 1 for any
 * other and for errors, 2 when the time ran out, 64 for wrong usage. The default is 10 seconds.
 * The seconds are for everything, from looking up the name of the host to the end of the answer.
 */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sock.h>

static double start, seconds = 10;
static int fd = -1;
static char buffer[16384]; /* What was received and not yet taken is from `at` to `end`. */
static size_t at, end;

static double elapsed(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9 - start;
}

static _Noreturn void usage(void)
{
    fputs("usage: fetch http://HOST[:PORT][/PATH] [SECONDS]\n", stderr);
    exit(64);
}

static _Noreturn void fail(const char *what, const char *why, int code)
{
    fprintf(stderr, "fetch: %s: %s after %.3f s\n", what, why, elapsed());
    exit(code);
}

static void check(const char *what, ssize_t code)
{
    if (code < 0)
        fail(what, sock_strerror(code), code == -ETIMEDOUT ? 2 : 1);
}

/* What is left of the time for the next call. It is never 0: that is non-blocking mode. */
static double time_left(void)
{
    double left = seconds - elapsed();
    return left > 0 ? left : 1e-9;
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

    fd = sock_dial(host, port, time_left());
    check("connect", fd);
    check("send", sock_settimeout(fd, time_left()));
    check("send", sock_sendall(fd, text, (size_t)length, 0, NULL));
}

/* Sees to it that something is in the buffer; 0 once the server has closed the connection. */
static int fill(void)
{
    if (at == end) {
        check("receive", sock_settimeout(fd, time_left()));
        ssize_t received = sock_recv(fd, buffer, sizeof buffer, 0);
        check("receive", received);
        at = 0;
        end = (size_t)received;
    }
    return at < end;
}

/* Takes a line, without its end, and returns its length. */
static size_t take_line(char *line, size_t room)
{
    for (size_t length = 0; length < room; length++) {
        if (!fill())
            fail("answer", "cut short", 1);
        line[length] = buffer[at++];
        if (line[length] == '\n') {
            length -= length > 0 && line[length - 1] == '\r';
            line[length] = '\0';
            return length;
        }
    }
    fail("answer", "line too long", 1);
}

/* Copies so many bytes to stdout, or all until the server closes for UINTMAX_MAX; returns how many. */
static uintmax_t take_bytes(uintmax_t count)
{
    uintmax_t left = count;
    while (left > 0 && fill()) {
        size_t part = end - at < left ? end - at : (size_t)left;
        if (fwrite(buffer + at, 1, part, stdout) != part)
            fail("stdout", sock_strerror(errno), 1);
        at += part;
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
    char line[1024];
    uintmax_t size, total = 0;
    while (take_line(line, sizeof line), size = number(line, 16)) {
        total += take_bytes(size);
        if (take_line(line, sizeof line) > 0)
            fail("answer", "chunk without an end", 1);
    }
    while (take_line(line, sizeof line) > 0) /* trailers */
        ;
    return total;
}

/* Takes the answer, with its body, and returns its status. */
static int take_answer(void)
{
    char line[8192];
    int status, chunked;
    uintmax_t length;
    do { /* 1xx answers come before the one that counts. */
        length = UINTMAX_MAX;
        chunked = 0;
        take_line(line, sizeof line);
        if (sscanf(line, "HTTP/1.%*1[01] %3d", &status) != 1)
            fail("answer", "not HTTP/1.1", 1);
        while (take_line(line, sizeof line) > 0) {
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
        fail("stdout", sock_strerror(errno), 1);
    fprintf(stderr, "fetch: status %d, %ju bytes in %.3f s\n", status, length, elapsed());
    return status;
}

int main(int argc, char *argv[])
{
    char *rest = "";
    if (argc == 3)
        seconds = strtod(argv[2], &rest);
    if (argc < 2 || argc > 3 || *rest || !(seconds > 0))
        usage();
    start = elapsed();
    request(argv[1]);
    int status = take_answer();
    close(fd);
    return status / 100 == 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
