/* Shows sock_deadline, sock_sendall_until and sock_recvall_until. */
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int pair[2], sent, received;
    char reply[64];
    size_t count;
    double deadline;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    /* A request and its reply together take a quarter of a second at most. */
    deadline = sock_deadline(0.25);
    sent = sock_sendall_until(pair[0], "request", 7, 0, NULL, deadline, -1);
    sock_send(pair[1], "rep", 3, 0);
    received = sock_recvall_until(pair[0], reply, 5, 0, &count, deadline, -1);
    printf("%s\n", sock_strerror(sent));  /* Success */
    printf("%s\n", sock_strerror(received));  /* Timed out */
    printf("%.*s\n", (int)count, reply);  /* rep */
    return 0;
}
