#include <stdio.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int client, peer, listener = sock_listen(NULL, "0", 0);  /* any port, of IPv6 and of IPv4 */
    char port[6];
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (listener < 0) {
        fprintf(stderr, "%s\n", sock_strerror(listener));
        return 1;
    }
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;
    snprintf(port, sizeof port, "%d", sock_name((struct sockaddr *)&address, length, NULL, 0));
    puts(sock_strerror(sock_listen(NULL, port, 0)));  /* Address already in use */

    client = sock_dial("127.0.0.1", port, 2.0);
    if (client < 0)
        return 1;
    sock_settimeout(listener, 2.0);
    peer = sock_accept(listener, NULL, NULL);
    if (peer < 0)
        return 1;
    puts(sock_strerror(sock_sendall(peer, "hello", 5, 0, NULL)));  /* Success */
    close(peer);
    close(client);
    close(listener);
    return 0;
}
