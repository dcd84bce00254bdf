/* Shows sock_connect_until and sock_accept_until. */
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int listener = sock_listen("127.0.0.1", "0", 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    double deadline = sock_deadline(2.0);

    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;
    if (sock_connect_until(client, (struct sockaddr *)&address, length, deadline, -1) != 0)
        return 1;
    printf("%d\n", sock_accept_until(listener, NULL, NULL, deadline, -1) >= 0);  /* 1 */
    /* Nobody else connects. */
    deadline = sock_deadline(0.25);
    puts(sock_strerror(sock_accept_until(listener, NULL, NULL, deadline, -1)));  /* Timed out */
    return 0;
}
