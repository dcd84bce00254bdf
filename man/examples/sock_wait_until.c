#include <poll.h>
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int pair[2], token = sock_token();
    double deadline = sock_deadline(0.25);

    if (token < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    puts(sock_strerror(sock_wait_until(pair[0], POLLIN, deadline, token)));  /* Timed out */
    sock_cancel(token);
    /* Without a socket: is it cancelled? */
    puts(sock_strerror(sock_wait_until(-1, 0, 0, token)));  /* Operation canceled */
    return 0;
}
