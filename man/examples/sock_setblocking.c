/* Shows sock_setblocking and sock_getblocking. */
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    printf("%d\n", sock_getblocking(pair[0]));  /* 1 */
    if (sock_setblocking(pair[0], 0) != 0)
        return 1;
    printf("%d\n", sock_getblocking(pair[0]));  /* 0 */
    puts(sock_strerror(sock_recv(pair[0], &byte, 1, 0)));  /* Not ready, try again */
    return 0;
}
