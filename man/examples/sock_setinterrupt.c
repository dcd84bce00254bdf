/* Shows sock_setinterrupt and sock_getinterrupt. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sock.h>

static void ignore(int number)
{
    (void)number;
}

int main(void)
{
    int pair[2];
    char byte;
    struct itimerval often = {{0, 100000}, {0, 100000}};

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    signal(SIGALRM, ignore);
    setitimer(ITIMER_REAL, &often, NULL);
    sock_settimeout(pair[0], 0.5);
    puts(sock_strerror(sock_recv(pair[0], &byte, 1, 0)));  /* Timed out */

    sock_setinterrupt(pair[0], 1);
    printf("%d\n", sock_getinterrupt(pair[0]));  /* 1 */
    puts(sock_strerror(sock_recv(pair[0], &byte, 1, 0)));  /* Interrupted system call */
    return 0;
}
