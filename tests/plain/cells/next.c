/* What the next plain calls say on both ends: what an operation left behind. */
#include "cells.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void say(char *text, size_t size, const char *format, ...)
{
    size_t len = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + len, size - len, format, arguments);
    va_end(arguments);
}

static const char *word(long result)
{
    static _Thread_local char number[24];
    if (result < 0)
        return error_name(errno);
    snprintf(number, sizeof number, "%ld", result);
    return number;
}

static int pending_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

/* Receives all that is there, or arrives in its wake: how much. The last result is left in `last`, and errno. */
static size_t receive_all(const struct scene *scene, int fd, long *last)
{
    unsigned char room[64 << 10];
    size_t total = 0;
    for (bool called = false;;) {
        *last = recv(fd, room, sizeof room, MSG_DONTWAIT);
        if (*last > 0) {
            total += (size_t)*last;
            called = false;
            continue;
        }
        int why = errno;
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        /* TIPC calls an end ready for ever. */
        bool ends = *last == 0 || why != EAGAIN || !scene->full || scene->kind->domain == AF_UNIX || called;
        called = true;
        if (ends || poll(&entry, 1, 100) == 0 || !(entry.revents & POLLIN)) {
            errno = why;
            return total;
        }
    }
}

/* `due`: how much there is to receive, where that is left to chance. */
static void say_end(const struct scene *scene, const char *name, int fd, const size_t *due, char *text, size_t size)
{
    if (fd < 0 || (due && scene->kind->traits & SLUGGISH))
        return;
    /* Not POLLPRI: urgent data that came while a plain receive slept is passed over by it, and is still there where it was not
       in the kernel's wait. */
    struct pollfd entry = {.fd = fd, .events = POLLIN | POLLRDHUP};
    poll(&entry, 1, 0);
    say(text, size, "%s%s: poll %x", *text ? "; " : "", name, (unsigned)entry.revents);
    long last;
    size_t received = receive_all(scene, fd, &last);
    if (!due)
        say(text, size, " recv %zu", received);
    else if (received == *due)
        say(text, size, " recv all");
    else
        say(text, size, " recv %s", last < 0 && errno != EAGAIN ? "some" : "not all");
    errno = last < 0 ? errno : 0;
    say(text, size, " %s", word(last));
    say(text, size, " %s", word(recv(fd, &(char){0}, 1, MSG_DONTWAIT)));
    for (int i = 0; i < 2; i++) {
        say(text, size, "%s %s", i ? "" : " send", word(send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL)));
        sleep_until(now() + DELIVERY);
    }
    int error = pending_error(fd);
    say(text, size, " error %s", error ? error_name(error) : "0");
}

static void say_listener(const struct scene *scene, char *text, size_t size)
{
    int accepted, count = 0;
    while ((accepted = accept4(scene->self, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        count++;
        close(accepted);
    }
    say(text, size, "%d more connections, then %s", count, error_name(errno));
    int client = kind_socket(scene->kind);
    fcntl(client, F_SETFL, O_NONBLOCK);
    long result = connect(client, (const struct sockaddr *)&scene->to.storage, scene->to.len);
    int why = result == 0 ? 0 : errno;
    /* TCP answers on loopback before connect is back, but may say it in either way. */
    if (why == EINPROGRESS)
        why = poll(&(struct pollfd){.fd = client, .events = POLLOUT}, 1, 20) == 1 ? pending_error(client) : EINPROGRESS;
    say(text, size, "; a client: %s", why ? error_name(why) : "connected");
    close(client);
}

static void say_connecting(const struct scene *scene, char *text, size_t size)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    int fd = scene->self;
    struct pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    poll(&entry, 1, 0);
    say(text, size, "poll %x getpeername %s", (unsigned)entry.revents, word(getpeername(fd, (struct sockaddr *)&name, &len)));
    say(text, size, " connect %s", word(connect(fd, (const struct sockaddr *)&scene->to.storage, scene->to.len)));
    int error = pending_error(fd);
    say(text, size, " error %s", error ? error_name(error) : "0");
    say(text, size, " send %s", word(send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL)));
    say(text, size, " recv %s", word(recv(fd, &(char){0}, 1, MSG_DONTWAIT)));
}

void next_calls(struct scene *scene, size_t moved, int descriptor, char *text, size_t size)
{
    *text = '\0';
    if (scene->self >= 0)
        fcntl(scene->self, F_SETFL, fcntl(scene->self, F_GETFL) | O_NONBLOCK);
    if (descriptor >= 0) {
        struct timeval limit = {.tv_sec = -1};
        socklen_t len = sizeof limit;
        getsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, &len);
        say(text, size, "the connection: flags %x cloexec %d timeout %d; ", (unsigned)fcntl(descriptor, F_GETFL),
            fcntl(descriptor, F_GETFD), limit.tv_sec != 0 || limit.tv_usec != 0);
        close(descriptor);
    }
    if (scene->operation == ACCEPT) {
        say_listener(scene, text, size);
    } else if (scene->operation == CONNECT) {
        say_connecting(scene, text, size);
    } else {
        size_t due = scene->filled + moved;
        say_end(scene, "itself", scene->self, NULL, text, size);
        if (scene->kind->traits & SLUGGISH) /* What was sent just now is under way. */
            sleep_until(now() + 0.02);
        say_end(scene, "the peer", scene->peer, scene->full ? &due : NULL, text, size);
    }
}
