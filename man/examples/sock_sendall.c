/* Shows sock_sendall and sock_recvall. */
#include <stdio.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    char buffer[8];
    size_t moved;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    sock_settimeout(pair[0], 0.25);
    if (sock_sendall(pair[1], "hello, world", 12, 0, &moved) != 0)
        return 1;
    printf("%zu\n", moved);  /* 12 */
    if (sock_recvall(pair[0], buffer, 8, 0, NULL) != 0)
        return 1;
    printf("%.8s\n", buffer);  /* hello, w */

    /* The half that has come is not lost. */
    puts(sock_strerror(sock_recvall(pair[0], buffer, 8, 0, &moved)));  /* Timed out */
    printf("%.*s\n", (int)moved, buffer);  /* orld */

    close(pair[1]);
    puts(sock_strerror(sock_recvall(pair[0], buffer, 8, 0, &moved)));  /* Connection closed */
    return 0;
}
