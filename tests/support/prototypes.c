/*
 * The interface as it was promised: each function with its exact type. It compiles in every version of C
 * and C++ or the header does not, links to every function, and prints both versions.
 *
 * The header comes first and twice, so that it cannot lean on another or trip over itself.
 */
#include <sock.h>
#include <sock.h>

double forever = LIBSOCK_FOREVER;
int lookup[] = {LIBSOCK_EAI_NONAME, LIBSOCK_EAI_AGAIN, LIBSOCK_EAI_FAIL, LIBSOCK_EAI_NODATA, LIBSOCK_EAI_SERVICE};

int (*setblocking)(int, int) = sock_setblocking;
int (*getblocking)(int) = sock_getblocking;
int (*settimeout)(int, double) = sock_settimeout;
int (*gettimeout)(int, double *) = sock_gettimeout;
int (*setinterrupt)(int, int) = sock_setinterrupt;
int (*getinterrupt)(int) = sock_getinterrupt;
ssize_t (*send_)(int, const void *, size_t, int) = sock_send;
ssize_t (*recv_)(int, void *, size_t, int) = sock_recv;
ssize_t (*sendto_)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = sock_sendto;
ssize_t (*recvfrom_)(int, void *, size_t, int, struct sockaddr *, socklen_t *) = sock_recvfrom;
ssize_t (*sendmsg_)(int, const struct msghdr *, int) = sock_sendmsg;
ssize_t (*recvmsg_)(int, struct msghdr *, int) = sock_recvmsg;
int (*sendall)(int, const void *, size_t, int, size_t *) = sock_sendall;
int (*recvall)(int, void *, size_t, int, size_t *) = sock_recvall;
int (*connect_)(int, const struct sockaddr *, socklen_t) = sock_connect;
int (*accept_)(int, struct sockaddr *, socklen_t *) = sock_accept;
int (*dial)(const char *, const char *, double) = sock_dial;
int (*listen_)(const char *, const char *, int) = sock_listen;
int (*dial_until)(const char *, const char *, double, int) = sock_dial_until;
int (*address)(const char *, const char *, struct sockaddr_storage *, socklen_t *) = sock_address;
int (*name)(const struct sockaddr *, socklen_t, char *, size_t) = sock_name;
int (*wait_)(int, int, double) = sock_wait;
const char *(*strerror_)(int) = sock_strerror;
const char *(*version)(void) = sock_version;

#include <stdio.h>

int main(void)
{
    printf("%s %d.%d.%d %s\n", LIBSOCK_VERSION, LIBSOCK_VERSION_MAJOR, LIBSOCK_VERSION_MINOR,
           LIBSOCK_VERSION_PATCH, version());
    return 0;
}
