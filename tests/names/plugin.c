/* A plug-in with the static library in it, and a host for it, which unloads it while a lookup is abandoned. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef PLUGIN

#include <sock.h>

int dial(void);
int dial(void)
{
    return sock_dial("name.invalid", "9", 0.05);
}

#else

static atomic_int ended;

/* The plug-in's too. It ends when the plug-in has been unloaded. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)host, (void)service, (void)found;
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    ended = 1;
    return EAI_AGAIN;
}

int main(int argc, char **argv)
{
    int (*dial)(void);
    void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!plugin || !(*(void **)&dial = dlsym(plugin, "dial"))) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    int code = dial();
    dlclose(plugin);
    if (code != -ETIMEDOUT)
        return 2;
    while (!ended)
        usleep(1000);
    usleep(200000);
    return 0;
}

#endif
