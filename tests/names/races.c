/* Names dialled in time, too late and not at all, for ThreadSanitizer. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include <sock.h>

static char port[6];

static int dial(double seconds, int expected)
{
    int code = sock_dial("localhost", port, seconds);
    if (code >= 0)
        close(code);
    return (code < 0 ? code : 0) == expected || code == -ETIMEDOUT;
}

int main(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int token[2], listener = sock_listen("localhost", "0", 0);
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0 || pipe(token) != 0)
        return 1;
    snprintf(port, sizeof port, "%d", sock_name((struct sockaddr *)&address, length, NULL, 0));
    close(token[1]);
    for (int i = 0; i < 20; i++) {
        if (!dial(30, 0) || !dial(0.0001, 0) || sock_dial_until("localhost", port, LIBSOCK_FOREVER, token[0]) != -ECANCELED)
            return 2;
        usleep(1000);
    }
    close(listener);
    if (!dial(30, -ECONNREFUSED))
        return 3;
    puts("done");
    return 0;
}
