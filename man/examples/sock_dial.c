/* Shows sock_dial and sock_dial_until. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int client, token[2], listener = sock_listen("localhost", "0", 0);
    char port[6];
    double seconds;
    struct timespec now;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;
    snprintf(port, sizeof port, "%d", sock_name((struct sockaddr *)&address, length, NULL, 0));

    client = sock_dial("localhost", port, 2.0);  /* in 2 s, with the lookup and all */
    if (client < 0) {
        fprintf(stderr, "localhost: %s\n", sock_strerror(client));
        return 1;
    }
    if (sock_gettimeout(client, &seconds) != 0)
        return 1;
    printf("%.1f\n", seconds);  /* 2.0 */
    close(client);

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0 || pipe(token) != 0)
        return 1;
    client = sock_dial_until("localhost", port, (double)now.tv_sec + 5, token[0]);  /* by then */
    puts(client < 0 ? sock_strerror(client) : "connected");  /* connected */
    close(client);
    close(token[1]);  /* What another thread would do to stop the wait. */
    client = sock_dial_until("localhost", port, (double)now.tv_sec + 5, token[0]);
    puts(sock_strerror(client));  /* Operation canceled */
    close(token[0]);
    close(listener);

    puts(sock_strerror(sock_dial("localhost", port, 2.0)));  /* Connection refused */
    puts(sock_strerror(sock_dial("no such name", port, 2.0)));  /* No such host */
    puts(sock_strerror(sock_dial("localhost", "no such name", 2.0)));  /* No such service */
    return 0;
}
