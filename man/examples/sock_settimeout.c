/* Shows sock_settimeout and sock_gettimeout. */
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    char byte;
    double seconds;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    if (sock_settimeout(pair[0], 0.25) != 0
            || sock_gettimeout(pair[0], &seconds) != 0)
        return 1;
    printf("%g s\n", seconds);  /* 0.25 s */
    puts(sock_strerror(sock_recv(pair[0], &byte, 1, 0)));  /* Timed out */

    sock_settimeout(pair[0], LIBSOCK_FOREVER);
    sock_gettimeout(pair[0], &seconds);
    printf("%g\n", seconds);  /* inf */
    puts(sock_strerror(sock_settimeout(pair[0], -1)));  /* Invalid argument */
    return 0;
}
