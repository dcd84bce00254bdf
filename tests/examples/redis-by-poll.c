/*
 * What redis-client does, by poll(2) alone and as few system calls as that takes when nothing is known of the socket: each
 * step is tried, waited for with what is left of the command's time, and tried again. Its answers are of one line.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static int fd;
static double deadline;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int holds)
{
    if (!holds)
        exit(1);
}

static void wait_for(short events)
{
    struct pollfd polled = {.fd = fd, .events = events};
    must(errno == EAGAIN && poll(&polled, 1, (int)((deadline - now()) * 1000) + 1) == 1);
}

int main(int argc, char *argv[])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[4096], answer[4096];
    must(argc == 2 && strlen(argv[1]) < sizeof address.sun_path);
    strcpy(address.sun_path, argv[1]);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
    while (fgets(line, sizeof line, stdin)) {
        size_t length = strlen(line), sent = 0, have = 0;
        deadline = now() + 5;
        while (sent < length) {
            ssize_t part = send(fd, line + sent, length - sent, MSG_NOSIGNAL);
            if (part < 0)
                wait_for(POLLOUT);
            else
                sent += (size_t)part;
        }
        while (have == 0 || answer[have - 1] != '\n') {
            ssize_t part = recv(fd, answer + have, sizeof answer - have, 0);
            must(part != 0);
            if (part < 0)
                wait_for(POLLIN);
            else
                have += (size_t)part;
        }
        fwrite(answer, 1, have, stdout);
    }
    return 0;
}
