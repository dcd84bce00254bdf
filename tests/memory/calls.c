/* All functions in all modes, in one thread: for memcheck and AddressSanitizer. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <sock.h>

#include "all_functions.h"

/* No descriptor is left: nothing leaks, and the listener is as good as before. (There are two connections, because
   valgrind takes one to say that there is no descriptor.) */
static void accept_without_descriptors(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof addr.sun_family;
    int listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    int clients[2];
    must(bind(listener, (struct sockaddr *)&addr, len), "bind");
    must(listen(listener, 1), "listen");
    len = sizeof addr;
    must(getsockname(listener, (struct sockaddr *)&addr, &len), "getsockname");
    for (int i = 0; i < 2; i++) {
        clients[i] = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(connect(clients[i], (struct sockaddr *)&addr, len), "connect");
    }
    struct rlimit before, none;
    must(getrlimit(RLIMIT_NOFILE, &before), "getrlimit");
    none = before;
    none.rlim_cur = 0;
    must(setrlimit(RLIMIT_NOFILE, &none), "setrlimit");
    int refused = sock_accept(listener, NULL, NULL);
    must(setrlimit(RLIMIT_NOFILE, &before), "setrlimit");
    int accepted = sock_accept(listener, NULL, NULL);
    if (refused != -EMFILE || accepted < 0) {
        fprintf(stderr, "without a descriptor sock_accept is %d, then %d\n", refused, accepted);
        _exit(1);
    }
    close(accepted);
    close(clients[0]);
    close(clients[1]);
    close(listener);
}

int main(void)
{
    const struct function *lists[] = {functions, lookups};
    start_peer();
    struct room room;
    make_room(&room);
    for (int i = 0; i < MODES; i++)
        for (int interrupt = 0; interrupt <= 1; interrupt++)
            for (int list = 0; list < 2; list++)
                exercise_all(&room, lists[list], modes[i], interrupt);
    accept_without_descriptors();
    printf("%ld calls\n", room.checks);
    free_room(&room);
    return 0;
}
