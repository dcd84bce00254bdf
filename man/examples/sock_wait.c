#include <poll.h>
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int pair[2], ready;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    puts(sock_strerror(sock_wait(pair[0], POLLIN, 0)));  /* Not ready, try again */
    puts(sock_strerror(sock_wait(pair[0], POLLIN, 0.25)));  /* Timed out */

    sock_send(pair[1], "hello", 5, 0);
    ready = sock_wait(pair[0], POLLIN | POLLOUT, LIBSOCK_FOREVER);
    if (ready < 0)
        return 1;
    printf("%d %d\n", (ready & POLLIN) != 0, (ready & POLLOUT) != 0);  /* 1 1 */
    return 0;
}
