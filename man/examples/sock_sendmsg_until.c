/* Shows sock_sendmsg_until and sock_recvmsg_until. */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sock.h>

int main(void)
{
    int pair[2];
    char head[] = "two ", tail[] = "pieces", buffer[64];
    struct iovec pieces[2], whole;
    struct msghdr message;
    ssize_t count;

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
        return 1;
    pieces[0].iov_base = head;
    pieces[0].iov_len = 4;
    pieces[1].iov_base = tail;
    pieces[1].iov_len = 6;
    memset(&message, 0, sizeof message);
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    printf("%d\n", (int)sock_sendmsg_until(pair[1], &message, 0, sock_deadline(2.0), -1));  /* 10 */

    whole.iov_base = buffer;
    whole.iov_len = sizeof buffer;
    message.msg_iov = &whole;
    message.msg_iovlen = 1;
    count = sock_recvmsg_until(pair[0], &message, 0, sock_deadline(2.0), -1);
    printf("%.*s\n", (int)count, buffer);  /* two pieces */
    return 0;
}
