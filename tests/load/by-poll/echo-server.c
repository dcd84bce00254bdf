/* examples-c/echo-server.c by poll(2). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#include "common.h"

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char piece[65536];
    for (;;) {
        double deadline = now() + 60;
        ssize_t length = receive(fd, piece, sizeof piece, deadline);
        if (length <= 0 || send_all(fd, piece, (size_t)length, deadline) < 0 || await(-1, 0, 0) == -ECANCELED)
            break;
    }
    close(fd);
    return NULL;
}

int main(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = listening(AF_INET, SOMAXCONN, &address, &length), fd;
    stop_on_signals();
    must(fcntl(listener, F_SETFL, O_NONBLOCK), "fcntl");
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while ((fd = accept_one(listener, now() + 3600)) >= 0) {
        pthread_t thread;
        must(-pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd), "pthread_create");
        pthread_detach(thread);
    }
    return 0;
}
