#include <stdio.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    ssize_t sent;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    sock_settimeout(pair[0], 0.25);
    sent = sock_send(pair[0], "hello", 5, 0);
    printf("%d\n", (int)sent);  /* 5 */

    while (sent > 0)  /* nobody reads */
        sent = sock_send(pair[0], "hello", 5, 0);
    puts(sock_strerror(sent));  /* Timed out */

    close(pair[1]);
    sent = sock_send(pair[0], "hello", 5, 0);  /* no SIGPIPE */
    puts(sock_strerror(sent));  /* Connection closed */
    return 0;
}
