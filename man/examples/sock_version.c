#include <stdio.h>
#include <string.h>
#include <sock.h>

int main(void)
{
    if (strcmp(sock_version(), LIBSOCK_VERSION) != 0)
        printf("compiled for %s, running with %s\n",
               LIBSOCK_VERSION, sock_version());
    return 0;
}
