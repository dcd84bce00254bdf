/*
 * A program with LOCAL bytes of thread-local data, which are taken from the stack of each thread, dials a name.
 * Prints how much of its stack was left to the thread that looked it up, in KiB, and what became of it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sock.h>

static _Thread_local volatile char local[LOCAL];
static atomic_ulong left;

/* The resolver's, and on the way to it a look at the stack. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*resolve)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&resolve = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!(hints->ai_flags & (AI_NUMERICHOST | AI_PASSIVE))) {
        char here;
        void *lowest;
        size_t size;
        pthread_attr_t attributes;
        if (pthread_getattr_np(pthread_self(), &attributes) != 0
            || pthread_attr_getstack(&attributes, &lowest, &size) != 0)
            abort();
        pthread_attr_destroy(&attributes);
        left = (unsigned long)(&here - (char *)lowest);
    }
    return resolve(host, service, hints, found);
}

int main(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char port[6];
    int listener = sock_listen("localhost", "0", 0);
    local[LOCAL - 1] = 1;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0
        || getnameinfo((struct sockaddr *)&address, length, NULL, 0, port, sizeof port, NI_NUMERICSERV) != 0)
        return 1;
    int client = sock_dial("localhost", port, 20);
    printf("%lu %s\n", left / 1024, client < 0 ? sock_strerror(client) : "connected");
    return 0;
}
