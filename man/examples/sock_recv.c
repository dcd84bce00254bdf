#include <stdio.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    char buffer[64];
    ssize_t received;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    sock_settimeout(pair[0], 0.25);
    received = sock_recv(pair[0], buffer, sizeof buffer, 0);
    puts(sock_strerror(received));  /* Timed out */

    sock_send(pair[1], "hello", 5, 0);
    close(pair[1]);
    while ((received = sock_recv(pair[0], buffer, sizeof buffer, 0)) > 0)
        printf("%.*s\n", (int)received, buffer);  /* hello */
    return received < 0;  /* 0: the peer has closed */
}
