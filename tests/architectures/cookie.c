/*
 * Put before libc, it answers SO_COOKIE, which qemu-user does not know, with another number that no other open
 * socket has: its inode. Of SO_PEEK_OFF, which qemu-user lets read but not set, it says that there is none.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

typedef int getsockopt_function(int, int, int, void *, socklen_t *);

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict length)
{
    if (level == SOL_SOCKET && option == SO_PEEK_OFF) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (level != SOL_SOCKET || option != SO_COOKIE) {
        getsockopt_function *next;
        *(void **)&next = dlsym(RTLD_NEXT, "getsockopt");
        return next(fd, level, option, value, length);
    }
    struct stat status;
    if (fstat(fd, &status) == -1)
        return -1;
    if (!S_ISSOCK(status.st_mode) || *length < sizeof(uint64_t)) {
        errno = S_ISSOCK(status.st_mode) ? EINVAL : ENOTSOCK;
        return -1;
    }
    uint64_t cookie = status.st_ino;
    *length = sizeof cookie;
    memcpy(value, &cookie, sizeof cookie);
    return 0;
}
