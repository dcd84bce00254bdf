#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sock.h>

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    int peer;
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0
            || listen(listener, 1) != 0
            || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;

    sock_settimeout(listener, 0.25);
    puts(sock_strerror(sock_accept(listener, NULL, NULL)));  /* Timed out */

    if (sock_connect(client, (struct sockaddr *)&address, length) != 0)
        return 1;
    length = sizeof address;
    peer = sock_accept(listener, (struct sockaddr *)&address, &length);
    if (peer < 0)
        return 1;
    /* The timeout is the listener's alone. */
    printf("%d\n", sock_getblocking(peer));  /* 1 */
    return 0;
}
