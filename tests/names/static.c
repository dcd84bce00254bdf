/* A static program with LOCAL bytes of thread-local data dials a name. */
#include <netinet/in.h>
#include <stdio.h>

#include <sock.h>

static _Thread_local volatile char local[LOCAL];

int main(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char port[6];
    int listener = sock_listen("localhost", "0", 0);
    local[LOCAL - 1] = 1;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;
    snprintf(port, sizeof port, "%d", sock_name((struct sockaddr *)&address, length, NULL, 0));
    int client = sock_dial("localhost", port, 20);
    puts(client < 0 ? sock_strerror(client) : "connected");
    return 0;
}
