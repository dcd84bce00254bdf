/*
 * One function by name, between two calls of getppid(2) by which strace's reader finds its own: usage: by_name SCENE.
 * Prints the result, how many descriptors it left, and what it is.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sock.h>

static int descriptors(void)
{
    int count = 0;
    DIR *open = opendir("/proc/self/fd");
    while (open && readdir(open))
        count++;
    closedir(open);
    return count;
}

static int is(const char *scene, const char *name)
{
    return strcmp(scene, name) == 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char service[sizeof "65535/udp"], name[] = "@libsock by name";
    int token[2];
    if (argc != 2 || pipe(token) != 0 || close(token[1]) != 0)
        return 64;
    const char *scene = argv[1];
    int udp = strstr(scene, "udp") != NULL, unix_socket = strstr(scene, "unix") != NULL;
    int listener = unix_socket ? sock_listen(name, NULL, 8) : sock_listen("127.0.0.1", udp ? "0/udp" : "0", 8);
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;
    snprintf(service, sizeof service, "%d%s", sock_name((struct sockaddr *)&address, length, NULL, 0), udp ? "/udp" : "");
    if (is(scene, "dial nobody"))
        close(listener);
    if (strstr(scene, "listen"))
        close(listener);
    if (is(scene, "dial localhost again")) {
        sock_dial_until("localhost", service, LIBSOCK_FOREVER, token[0]);
        usleep(50000);
    }

    int before = descriptors(), code = -1;
    getppid();
    if (is(scene, "dial") || is(scene, "dial nobody") || is(scene, "dial udp"))
        code = sock_dial("127.0.0.1", service, 5);
    else if (is(scene, "dial localhost") || is(scene, "dial localhost again"))
        code = sock_dial("localhost", service, 5);
    else if (is(scene, "dial unix"))
        code = sock_dial(name, NULL, 5);
    else if (is(scene, "dial until"))
        code = sock_dial_until("127.0.0.1", service, LIBSOCK_FOREVER, -1);
    else if (is(scene, "dial cancelled"))
        code = sock_dial_until("localhost", service, LIBSOCK_FOREVER, token[0]);
    else if (is(scene, "listen") || is(scene, "listen udp"))
        code = sock_listen("127.0.0.1", udp ? "0/udp" : "0", 8);
    else if (is(scene, "listen six"))
        code = sock_listen("::1", "0", 8);
    else if (is(scene, "listen unix"))
        code = sock_listen(name, NULL, 8);
    else if (is(scene, "address"))
        code = sock_address("fe80::1%lo", "80", &address, &length);
    else
        return 64;
    getppid();
    if (code > 0)
        close(code);
    usleep(50000); /* For the thread of a lookup that was abandoned. */
    printf("%d %d\n", code > 0 ? 0 : code, descriptors() - before);
    return 0;
}
