/* Shows sock_sendto and sock_recvfrom. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sock.h>

int main(void)
{
    int here = socket(AF_INET, SOCK_DGRAM, 0);
    int there = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address, from;
    socklen_t length = sizeof address;
    char buffer[64], name[INET_ADDRSTRLEN];
    ssize_t received;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(there, (struct sockaddr *)&address, sizeof address) != 0
            || getsockname(there, (struct sockaddr *)&address, &length) != 0)
        return 1;

    if (sock_sendto(here, "hello", 5, 0,
                    (struct sockaddr *)&address, length) != 5)
        return 1;
    sock_settimeout(there, 2.0);
    length = sizeof from;
    received = sock_recvfrom(there, buffer, sizeof buffer, 0,
                             (struct sockaddr *)&from, &length);
    if (received < 0)
        return 1;
    inet_ntop(AF_INET, &from.sin_addr, name, sizeof name);
    printf("%.*s from %s\n", (int)received, buffer, name);  /* hello from 127.0.0.1 */
    return 0;
}
