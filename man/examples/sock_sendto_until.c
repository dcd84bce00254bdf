/* Shows sock_sendto_until and sock_recvfrom_until. */
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int here = sock_listen("127.0.0.1", "0/udp", 0), there = sock_listen("127.0.0.1", "0/udp", 0);
    struct sockaddr_storage address, from;
    socklen_t length = sizeof address;
    char buffer[64], host[64];
    ssize_t count;

    if (here < 0 || there < 0 || getsockname(there, (struct sockaddr *)&address, &length) != 0)
        return 1;
    count = sock_sendto_until(here, "hello", 5, 0, (struct sockaddr *)&address, length,
                              sock_deadline(2.0), -1);
    if (count != 5)
        return 1;
    length = sizeof from;
    count = sock_recvfrom_until(there, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length,
                                sock_deadline(2.0), -1);
    if (count < 0 || sock_name((struct sockaddr *)&from, length, host, sizeof host) < 0)
        return 1;
    printf("%.*s from %s\n", (int)count, buffer, host);  /* hello from 127.0.0.1 */
    return 0;
}
