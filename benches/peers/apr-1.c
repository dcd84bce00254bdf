/* The Apache Portable Runtime. */
#include "../bench.h"

#include <apr_general.h>
#include <apr_network_io.h>
#include <apr_portable.h>
#include <apr_version.h>
#include <math.h>
#include <pthread.h>

static void initialize(void)
{
    apr_initialize();
}

/* A pool is not for use by several threads at once, so that each socket has its own. */
static apr_pool_t *new_pool(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialize);
    apr_pool_t *pool;
    apr_pool_create(&pool, NULL);
    return pool;
}

static void *adopt(int fd)
{
    apr_socket_t *socket = NULL;
    apr_os_sock_put(&socket, &fd, new_pool());
    return socket;
}

static void release(void *socket)
{
    apr_pool_t *pool = apr_socket_pool_get(socket);
    apr_socket_close(socket);
    apr_pool_destroy(pool);
}

static int failure(apr_status_t status)
{
    return APR_STATUS_IS_TIMEUP(status) ? -ETIMEDOUT : -status;
}

static int settimeout(void *socket, double seconds)
{
    return -apr_socket_timeout_set(socket, (apr_interval_time_t)ceil(seconds * 1e6));
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    apr_status_t status = apr_socket_recv(socket, data, &len);
    return status == APR_SUCCESS || APR_STATUS_IS_EOF(status) ? (ssize_t)len : failure(status);
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    apr_status_t status = apr_socket_send(socket, data, &len);
    return status == APR_SUCCESS ? (ssize_t)len : failure(status);
}

static void *accept_one(void *listener)
{
    apr_socket_t *socket;
    return apr_socket_accept(&socket, listener, new_pool()) == APR_SUCCESS ? socket : NULL;
}

static void *create(double seconds)
{
    apr_socket_t *socket;
    if (apr_socket_create(&socket, APR_INET, SOCK_STREAM, APR_PROTO_TCP, new_pool()) != APR_SUCCESS)
        return NULL;
    settimeout(socket, seconds);
    return socket;
}

static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    static apr_sockaddr_t *peer;
    if (!peer)
        apr_sockaddr_info_get(&peer, "127.0.0.1", APR_INET, ntohs(address->sin_port), 0, new_pool());
    return apr_socket_connect(socket, peer) == APR_SUCCESS ? socket : NULL;
}

const struct peer apr = {
    "apr", apr_version_string, adopt, release, settimeout, receive, transmit, NULL, NULL, accept_one, create, connect_to,
    .exchange = NULL,
};
