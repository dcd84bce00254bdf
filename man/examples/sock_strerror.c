#include <errno.h>
#include <stdio.h>
#include <sock.h>

int main(void)
{
    int code = sock_settimeout(-1, 2.0);

    puts(sock_strerror(code));  /* Bad file descriptor */
    puts(sock_strerror(5));  /* Success */
    puts(sock_strerror(0));  /* Success */
    printf("%d\n", errno == EBADF);  /* 1 */
    return 0;
}
