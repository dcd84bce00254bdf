#include <netdb.h>
#include <stdio.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int client, listener = sock_listen("localhost", "0", 0);
    char port[6];
    double seconds;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0
            || getnameinfo((struct sockaddr *)&address, length, NULL, 0, port, sizeof port,
                           NI_NUMERICSERV) != 0)
        return 1;

    client = sock_dial("localhost", port, 2.0);  /* in 2 s, with the lookup and all */
    if (client < 0) {
        fprintf(stderr, "localhost: %s\n", sock_strerror(client));
        return 1;
    }
    if (sock_gettimeout(client, &seconds) != 0)
        return 1;
    printf("%.1f\n", seconds);  /* 2.0 */
    close(client);
    close(listener);

    puts(sock_strerror(sock_dial("localhost", port, 2.0)));  /* Connection refused */
    puts(sock_strerror(sock_dial("no such name", port, 2.0)));  /* No such host */
    puts(sock_strerror(sock_dial("localhost", "no such name", 2.0)));  /* No such service */
    return 0;
}
