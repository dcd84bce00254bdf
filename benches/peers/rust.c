/* Rust's TcpStream, in rust.rs. */
#include "descriptor.h"


int std_settimeout(int fd, double seconds);
ssize_t std_recv(int fd, void *data, size_t len);
ssize_t std_send(int fd, const void *data, size_t len);
int std_recvall(int fd, void *data, size_t len);
int std_sendall(int fd, const void *data, size_t len);
int std_accept(int fd);
int std_connect(uint16_t port, double seconds);

static const char *version(void)
{
    return RUST_VERSION;
}

static int settimeout(void *socket, double seconds)
{
    return std_settimeout(fd_of(socket), seconds);
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    return std_recv(fd_of(socket), data, len);
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    return std_send(fd_of(socket), data, len);
}

static int receive_all(void *socket, void *data, size_t len)
{
    return std_recvall(fd_of(socket), data, len);
}

static int transmit_all(void *socket, const void *data, size_t len)
{
    return std_sendall(fd_of(socket), data, len);
}

static void *accept_one(void *listener)
{
    return open_or_null(std_accept(fd_of(listener)));
}

/* TcpStream::connect_timeout makes the socket, too. */
static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    (void)socket;
    return open_or_null(std_connect(ntohs(address->sin_port), TIMEOUT));
}

const struct peer rust = {
    "rust", version, open_fd, close_fd, settimeout, receive, transmit, receive_all, transmit_all, accept_one,
    NULL, connect_to, .exchange = NULL,
};
