#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sock.h>

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    int code;
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0
            || listen(listener, 1) != 0
            || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;

    sock_settimeout(client, 2.0);  /* for this and all that follows */
    code = sock_connect(client, (struct sockaddr *)&address, length);
    puts(sock_strerror(code));  /* Success */
    close(client);
    close(listener);

    client = socket(AF_INET, SOCK_STREAM, 0);
    code = sock_connect(client, (struct sockaddr *)&address, length);
    puts(sock_strerror(code));  /* Connection refused */
    return 0;
}
