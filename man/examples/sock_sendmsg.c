/* Shows sock_sendmsg and sock_recvmsg. */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    char hello[] = "hello, ", world[] = "world", buffer[64];
    struct iovec parts[2] = {{hello, 7}, {world, 5}}, whole = {buffer, 4};
    struct msghdr message;
    ssize_t moved;

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
        return 1;
    memset(&message, 0, sizeof message);
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    moved = sock_sendmsg(pair[0], &message, 0);
    printf("%d\n", (int)moved);  /* 12 */

    message.msg_iov = &whole;
    message.msg_iovlen = 1;
    moved = sock_recvmsg(pair[1], &message, 0);
    if (moved < 0)
        return 1;
    printf("%.*s\n", (int)moved, buffer);  /* hell */
    printf("%d\n", (message.msg_flags & MSG_TRUNC) != 0);  /* 1 */
    return 0;
}
