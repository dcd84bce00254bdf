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
double (*deadline)(double) = sock_deadline;
int (*token)(void) = sock_token;
int (*cancel)(int) = sock_cancel;
ssize_t (*send_until)(int, const void *, size_t, int, double, int) = sock_send_until;
ssize_t (*recv_until)(int, void *, size_t, int, double, int) = sock_recv_until;
ssize_t (*sendto_until)(int, const void *, size_t, int, const struct sockaddr *, socklen_t, double, int) = sock_sendto_until;
ssize_t (*recvfrom_until)(int, void *, size_t, int, struct sockaddr *, socklen_t *, double, int) = sock_recvfrom_until;
ssize_t (*sendmsg_until)(int, const struct msghdr *, int, double, int) = sock_sendmsg_until;
ssize_t (*recvmsg_until)(int, struct msghdr *, int, double, int) = sock_recvmsg_until;
int (*sendall_until)(int, const void *, size_t, int, size_t *, double, int) = sock_sendall_until;
int (*recvall_until)(int, void *, size_t, int, size_t *, double, int) = sock_recvall_until;
ssize_t (*recvdelim)(int, void *, size_t, size_t *, const void *, size_t) = sock_recvdelim;
ssize_t (*recvdelim_until)(int, void *, size_t, size_t *, const void *, size_t, double, int) = sock_recvdelim_until;
int (*connect_until)(int, const struct sockaddr *, socklen_t, double, int) = sock_connect_until;
int (*accept_until)(int, struct sockaddr *, socklen_t *, double, int) = sock_accept_until;
int (*wait_until)(int, int, double, int) = sock_wait_until;
const char *(*strerror_)(ssize_t) = sock_strerror;
const char *(*version)(void) = sock_version;

#include <stdio.h>

int main(void)
{
    printf("%s %d.%d.%d %s\n", LIBSOCK_VERSION, LIBSOCK_VERSION_MAJOR, LIBSOCK_VERSION_MINOR,
           LIBSOCK_VERSION_PATCH, version());
    return 0;
}
