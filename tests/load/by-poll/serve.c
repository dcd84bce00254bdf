/* examples-c/serve.c by poll(2). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

enum { CLIENTS = 8 };

static int listener, file;

static int serve(int fd)
{
    double deadline = now() + 10;
    char request[4096], piece[16384] = "HTTP/1.0 200 OK\r\n\r\n";
    for (size_t have = 0; !memmem(request, have, "\r\n\r\n", 4);) {
        ssize_t length = have < sizeof request ? receive(fd, request + have, sizeof request - have, deadline) : -EMSGSIZE;
        if (length <= 0)
            return (int)length;
        have += (size_t)length;
    }
    int code = await(fd, POLLIN, now());
    if (code != -ETIMEDOUT)
        return code;
    ssize_t length = (ssize_t)strlen(piece);
    for (off_t at = 0; length > 0; at += length) {
        code = send_all(fd, piece, (size_t)length, deadline);
        if (code < 0)
            return code;
        length = pread(file, piece, sizeof piece, at);
    }
    return 0;
}

static void *accept_and_serve(void *unused)
{
    for (;;) {
        int fd = accept_one(listener, now() + 3600);
        int code = fd < 0 ? fd : serve(fd);
        if (fd >= 0)
            close(fd);
        if (code == -ECANCELED)
            return unused;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    pthread_t threads[CLIENTS];
    MUST(argc == 2);
    file = must(open(argv[1], O_RDONLY), "open");
    listener = listening(AF_INET, SOMAXCONN, &address, &length);
    stop_on_signals();
    must(fcntl(listener, F_SETFL, O_NONBLOCK), "fcntl");
    printf("serving at http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = 0; i < CLIENTS; i++)
        must(-pthread_create(&threads[i], NULL, accept_and_serve, NULL), "pthread_create");
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
