/* For peers whose socket is a plain descriptor. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include "../bench.h"

#include <stdint.h>
#include <unistd.h>

static inline int fd_of(void *socket)
{
    return (int)(intptr_t)socket;
}

static inline void *open_fd(int fd)
{
    return (void *)(intptr_t)fd;
}

static inline void close_fd(void *socket)
{
    close(fd_of(socket));
}

/* Of a system call or a peer that has just failed, or not. */
static inline void *open_or_null(int fd)
{
    return fd < 0 ? NULL : open_fd(fd);
}

#endif
