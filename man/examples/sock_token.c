/* Shows sock_token, sock_cancel, sock_send_until and sock_recv_until. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sock.h>

static int token;

static void stop(int number)
{
    (void)number;
    sock_cancel(token);
}

int main(void)
{
    int pair[2];
    char buffer[64];
    ssize_t count;

    token = sock_token();
    if (token < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    count = sock_send_until(pair[1], "hello", 5, 0, LIBSOCK_FOREVER, token);
    printf("%d\n", (int)count);  /* 5 */
    count = sock_recv_until(pair[0], buffer, sizeof buffer, 0, LIBSOCK_FOREVER, token);
    printf("%.*s\n", (int)count, buffer);  /* hello */

    signal(SIGALRM, stop);
    alarm(1);
    count = sock_recv_until(pair[0], buffer, sizeof buffer, 0, LIBSOCK_FOREVER, token);
    puts(sock_strerror(count));  /* Operation canceled */
    close(token);
    return 0;
}
