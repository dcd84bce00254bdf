/*
 * Asks a name server for the IPv4 addresses of a host, over UDP. A try that gets no answer in half a
 * second is followed by one with twice as long, until 5 seconds, or as many as told, are over.
 *
 *     cc dns-query.c -o dns-query $(pkg-config --cflags --libs libsock)
 *     ./dns-query www.example.org 127.0.0.1 53 2.5
 *
 * Exit code: 0 with at least one address, 1 for none and for errors, 2 when the time ran out, 64 for
 * wrong usage. For looking up names there is sock_dial: this shows datagrams that get lost.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

enum { HEADER = 12, LONGEST_NAME = 255, TYPE_A = 1, CLASS_IN = 1 };

static _Noreturn void fail(const char *why, int code)
{
    fprintf(stderr, "dns-query: %s\n", why);
    exit(code);
}

static ssize_t check(ssize_t code)
{
    if (code < 0)
        fail(sock_strerror(code), code == -ETIMEDOUT ? 2 : 1);
    return code;
}

static unsigned number(const unsigned char *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* Writes the question, with a number that nobody can guess, and returns its length. */
static size_t write_question(const char *host, unsigned char *question)
{
    FILE *random = fopen("/dev/urandom", "rb");
    if (!random || fread(question, 1, 2, random) != 2)
        fail("no random numbers", 1);
    fclose(random);
    memcpy(question + 2, "\1\0\0\1\0\0\0\0\0\0", 10); /* recursion is desired; one question */

    unsigned char *end = question + HEADER;
    while (*host) {
        size_t length = strcspn(host, ".");
        if (length == 0 || length > 63 || (size_t)(end - question) + length > HEADER + LONGEST_NAME - 2)
            fail("that is no name of a host", 64);
        *end++ = (unsigned char)length;
        memcpy(end, host, length);
        end += length;
        host += length + (host[length] == '.');
    }
    memcpy(end, "\0\0\1\0\1", 5); /* the root, type A, class IN */
    return (size_t)(end - question) + 5;
}

/* Asks once. What comes and is no answer to this question does not prolong the wait. */
static ssize_t ask(int fd, const unsigned char *question, size_t length, unsigned char *answer, size_t size,
                   double deadline)
{
    ssize_t got = sock_send_until(fd, question, length, 0, deadline, -1);
    while (got >= 0) {
        got = sock_recv_until(fd, answer, size, 0, deadline, -1);
        if (got >= (ssize_t)length && answer[2] & 0x80 && memcmp(answer, question, 2) == 0
            && memcmp(answer + HEADER, question + HEADER, length - HEADER) == 0)
            break;
    }
    return got;
}

/* The place after a name, which ends with the root or with a pointer to the rest of it. */
static size_t skip_name(const unsigned char *answer, size_t end, size_t at)
{
    while (at < end && answer[at] != 0 && answer[at] < 0xc0)
        at += answer[at] + 1u;
    return at + (at < end && answer[at] >= 0xc0 ? 2 : 1);
}

/* Prints the addresses of an answer and returns how many there were. */
static int print_addresses(const unsigned char *answer, size_t end, size_t at)
{
    int printed = 0;
    for (unsigned records = number(answer + 6); records > 0; records--) {
        at = skip_name(answer, end, at);
        if (at + 10 > end || at + 10 + number(answer + at + 8) > end)
            fail("the answer is cut short", 1);
        const unsigned char *record = answer + at, *data = record + 10;
        if (number(record) == TYPE_A && number(record + 2) == CLASS_IN && number(record + 8) == 4) {
            printf("%d.%d.%d.%d\n", data[0], data[1], data[2], data[3]);
            printed++;
        }
        at += 10 + number(record + 8);
    }
    return printed;
}

int main(int argc, char *argv[])
{
    unsigned char question[HEADER + LONGEST_NAME + 4], answer[512];
    char service[32], *rest = "";
    double seconds = argc > 4 ? strtod(argv[4], &rest) : 5;
    if (argc < 3 || argc > 5 || *rest || !(seconds > 0))
        fail("usage: dns-query HOST SERVER [PORT [SECONDS]]", 64);
    if (snprintf(service, sizeof service, "%s/udp", argc > 3 ? argv[3] : "53") >= (int)sizeof service)
        fail("that is no port", 64);

    double deadline = sock_deadline(seconds), patience = 0.5;
    size_t length = write_question(argv[1], question);
    int fd = (int)check(sock_dial_until(argv[2], service, deadline, -1));
    ssize_t got;
    do {
        double try_until = sock_deadline(patience);
        got = ask(fd, question, length, answer, sizeof answer, try_until < deadline ? try_until : deadline);
        patience *= 2;
    } while (got == -ETIMEDOUT && sock_deadline(0) < deadline);
    check(got);
    close(fd);

    if (answer[2] & 2)
        fail("the answer does not fit a datagram", 1);
    if ((answer[3] & 15) != 0)
        fail((answer[3] & 15) == 3 ? "no such host" : "the server fails", 1);
    if (print_addresses(answer, (size_t)got, length) == 0)
        fail("the host has no IPv4 address", 1);
    return EXIT_SUCCESS;
}
