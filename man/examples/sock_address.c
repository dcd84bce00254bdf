/* Shows sock_address and sock_name. */
#include <stdio.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    struct sockaddr_storage address;
    socklen_t length;
    char host[110];
    int port, receiver, sender = socket(AF_INET6, SOCK_DGRAM, 0);

    receiver = sock_listen("::1", "0/udp", 0);  /* any port */
    length = sizeof address;
    if (receiver < 0 || getsockname(receiver, (struct sockaddr *)&address, &length) != 0)
        return 1;
    port = sock_name((struct sockaddr *)&address, length, host, sizeof host);
    printf("%s, %s\n", host, port > 0 ? "a port" : "no port");  /* ::1, a port */

    if (sock_sendto(sender, "hello", 5, 0, (struct sockaddr *)&address, length) != 5)
        return 1;
    printf("%zd bytes\n", sock_recv(receiver, host, sizeof host, 0));  /* 5 bytes */
    close(sender);
    close(receiver);

    if (sock_address("192.0.2.1", "80", &address, &length) != 0)
        return 1;
    printf("%d bytes\n", (int)length);  /* 16 bytes */
    if (sock_address("/run/server.sock", NULL, &address, &length) != 0)
        return 1;
    sock_name((struct sockaddr *)&address, length, host, sizeof host);
    puts(host);  /* /run/server.sock */
    puts(sock_strerror(sock_address("localhost", "80", &address, &length)));  /* Invalid argument */
    return 0;
}
