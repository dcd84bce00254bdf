/* Shows sock_recvdelim and sock_recvdelim_until. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    char buffer[64];
    size_t have = 0;
    ssize_t line;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    sock_settimeout(pair[0], 2.0);
    sock_send(pair[1], "one\ntwo\nthr", 11, 0);
    line = sock_recvdelim(pair[0], buffer, sizeof buffer, &have, "\n", 1);
    if (line <= 0)
        return 1;
    printf("%.*s\n", (int)line - 1, buffer);  /* one */

    /* What came after the line stays in the buffer. */
    have -= line;
    memmove(buffer, buffer + line, have);
    line = sock_recvdelim_until(pair[0], buffer, sizeof buffer, &have, "\n", 1,
                                sock_deadline(2.0), -1);
    if (line <= 0)
        return 1;
    printf("%.*s\n", (int)line - 1, buffer);  /* two */

    have -= line;
    memmove(buffer, buffer + line, have);
    close(pair[1]);
    line = sock_recvdelim(pair[0], buffer, sizeof buffer, &have, "\n", 1);
    puts(sock_strerror(line));  /* Connection closed */
    printf("%d\n", (int)have);  /* 3 */
    return 0;
}
