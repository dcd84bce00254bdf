/* The library is loaded and unloaded again and again, and used in between. It may stay loaded, but no more comes of it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "all_functions.h"

/* The exercises are in a plugin that is linked to the library, both of which come and go. */
static void use(const char *plugin, double seconds)
{
    void *handle = dlopen(plugin, RTLD_NOW);
    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    void (*start)(void), (*make)(struct room *), (*discard)(struct room *), (*all)(struct room *, const struct function *, double, int);
    *(void **)&start = dlsym(handle, "start_peer");
    *(void **)&make = dlsym(handle, "make_room");
    *(void **)&discard = dlsym(handle, "free_room");
    *(void **)&all = dlsym(handle, "exercise_all");
    const struct function *list = dlsym(handle, "functions");
    struct room room;
    start();
    make(&room);
    all(&room, list, seconds, 0);
    discard(&room);
    dlclose(handle);
}

static int lines(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int count = 0;
    char *line = NULL;
    size_t size = 0;
    while (maps && getline(&line, &size, maps) > 0)
        count++;
    free(line);
    fclose(maps);
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int times = atoi(argv[2]), before = 0;
    for (int i = 0; i < times; i++) {
        use(argv[1], i % 50 == 0 ? 0.001 : 0);
        for (int fd = 3; fd < 64; fd++)
            close(fd); /* The way to the peer of that round. */
        int after = lines();
        if (i == 4)
            before = after;
        if (i > 4 && after > before) {
            fprintf(stderr, "%d mappings have become %d after %d times\n", before, after, i);
            return 1;
        }
    }
    printf("%d times, %d mappings before and after\n", times, before);
    return 0;
}
