/*
 * Gives one file to whoever asks, over HTTP/1.0, so many seconds late if told to: a server to try a
 * client's timeouts on. It serves one client after the other, and none can hold it up for ever.
 *
 *     cc serve.c -o serve $(pkg-config --cflags --libs libsock)
 *     ./serve page.html 5
 *
 * It listens on loopback, at a port of the system's choice, and prints its URL.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sock.h>

static int listen_on_loopback(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = sock_listen("127.0.0.1", "0", 0);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        perror("serve: listen");
        exit(EXIT_FAILURE);
    }
    printf("serving at http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* Receives up to the empty line that ends a request. */
static int take_request(int fd)
{
    char text[4096];
    size_t length = 0;
    while (length < sizeof text - 1) {
        ssize_t received = sock_recv(fd, text + length, sizeof text - 1 - length, 0);
        if (received <= 0)
            return received == 0 ? -EPIPE : (int)received;
        length += (size_t)received;
        text[length] = '\0';
        if (strstr(text, "\r\n\r\n"))
            return 0;
    }
    return -EMSGSIZE;
}

static int answer(int fd, FILE *file)
{
    char piece[16384] = "HTTP/1.0 200 OK\r\n\r\n";
    size_t length = strlen(piece);
    rewind(file);
    do {
        int code = sock_sendall(fd, piece, length, 0, NULL);
        if (code < 0)
            return code;
    } while ((length = fread(piece, 1, sizeof piece, file)) > 0);
    return ferror(file) ? -EIO : 0;
}

static int serve(int fd, FILE *file, double delay)
{
    int code = sock_settimeout(fd, 10);
    if (code == 0)
        code = take_request(fd);
    if (code < 0)
        return code;
    /* Nothing more is expected of the client: what can be received is its farewell. */
    code = sock_wait(fd, POLLIN, delay);
    if (code > 0)
        return -ECANCELED;
    return code == -ETIMEDOUT || code == -EAGAIN ? answer(fd, file) : code;
}

int main(int argc, char *argv[])
{
    char *rest = "";
    double delay = argc == 3 ? strtod(argv[2], &rest) : 0;
    if (argc < 2 || argc > 3 || *rest || !(delay >= 0)) {
        fputs("usage: serve FILE [SECONDS]\n", stderr);
        return 64;
    }
    FILE *file = fopen(argv[1], "rb");
    if (!file) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    for (int listener = listen_on_loopback();;) {
        int fd = sock_accept(listener, NULL, NULL);
        int code = fd < 0 ? fd : serve(fd, file, delay);
        if (code < 0)
            fprintf(stderr, "serve: %s\n", sock_strerror(code));
        if (fd < 0)
            return EXIT_FAILURE;
        close(fd);
    }
}
