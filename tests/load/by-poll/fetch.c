/* examples-c/fetch.c by poll(2), for an address and a port, and an answer that ends with the connection. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

int main(int argc, char **argv)
{
    char text[256], buffer[16384];
    double deadline = now() + 10;
    int port, error = 0, in_body = 0;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof error;
    MUST(argc == 2 && sscanf(argv[1], "http://127.0.0.1:%d/", &port) == 1);
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    stop_on_signals();
    int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        MUST(errno == EINPROGRESS && await(fd, POLLOUT, deadline) == 0);
        MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0);
    }
    int len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n", port);
    MUST(send_all(fd, text, (size_t)len, deadline) == 0);
    for (;;) {
        MUST(!in_body || await(-1, 0, 0) != -ECANCELED);
        ssize_t received = receive(fd, buffer, sizeof buffer, deadline);
        MUST(received >= 0);
        if (received == 0)
            break;
        char *body = in_body ? buffer : memmem(buffer, (size_t)received, "\r\n\r\n", 4);
        MUST(body);
        body += in_body ? 0 : 4;
        in_body = 1;
        fwrite(body, 1, (size_t)(buffer + received - body), stdout);
    }
    fflush(stdout);
    close(fd);
    return 0;
}
