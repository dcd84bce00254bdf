/* Kinds of socket, alone and in pairs, each at an address of loopback. */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/sctp.h>
#include <linux/tls.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif
#ifndef AF_TIPC
#define AF_TIPC 30
#endif
enum { EXPERIMENTAL = 253 }; /* a protocol of IP that nobody else speaks: RFC 3692 */

const struct kind kinds[] = {
    {"tcp4", AF_INET, SOCK_STREAM, 0, STREAM | LISTENS | FILLS | TCP | SHUTS},
    {"tcp6", AF_INET6, SOCK_STREAM, 0, STREAM | LISTENS | FILLS | TCP | SHUTS},
    {"mptcp4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, STREAM | LISTENS | FILLS | TCP | SHUTS | SLUGGISH},
    {"mptcp6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP, STREAM | LISTENS | FILLS | TCP | SHUTS | SLUGGISH},
    {"ktls", AF_INET, SOCK_STREAM, 0, STREAM | LISTENS | FILLS | SHUTS | TLS},
    {"udp4", AF_INET, SOCK_DGRAM, 0, DATAGRAM | SHUTS},
    {"udp6", AF_INET6, SOCK_DGRAM, 0, DATAGRAM | SHUTS},
    {"udplite4", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, DATAGRAM | SHUTS},
    {"udplite6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, DATAGRAM | SHUTS},
    {"raw4", AF_INET, SOCK_RAW, EXPERIMENTAL, SHUTS},
    {"icmp4", AF_INET, SOCK_RAW, IPPROTO_ICMP, SHUTS},
    {"packet", AF_PACKET, SOCK_DGRAM, 0, 0},
    {"unix-stream", AF_UNIX, SOCK_STREAM, 0, STREAM | LISTENS | FILLS | SHUTS},
    {"unix-seqpacket", AF_UNIX, SOCK_SEQPACKET, 0, LISTENS | FILLS | SHUTS},
    {"unix-dgram", AF_UNIX, SOCK_DGRAM, 0, FILLS | SHUTS},
    {"netlink", AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK, FILLS},
    {"vsock", AF_VSOCK, SOCK_STREAM, 0, STREAM | LISTENS | FILLS | SHUTS | SLUGGISH},
    {"vsock-seqpacket", AF_VSOCK, SOCK_SEQPACKET, 0, LISTENS | FILLS | SHUTS | SLUGGISH},
    {"sctp4", AF_INET, SOCK_STREAM, IPPROTO_SCTP, LISTENS | FILLS | SHUTS | SLUGGISH},
    {"sctp6", AF_INET6, SOCK_STREAM, IPPROTO_SCTP, LISTENS | FILLS | SHUTS | SLUGGISH},
    {"tipc-stream", AF_TIPC, SOCK_STREAM, 0, STREAM | TWINS | FILLS | SHUTS},
    {"tipc-seqpacket", AF_TIPC, SOCK_SEQPACKET, 0, TWINS | FILLS | SHUTS},
    {"tipc-rdm", AF_TIPC, SOCK_RDM, 0, SHUTS},
    {"tipc-dgram", AF_TIPC, SOCK_DGRAM, 0, SHUTS},
};
const int kind_count = sizeof kinds / sizeof *kinds;

int kind_socket(const struct kind *kind)
{
    return socket(kind->domain, kind->type | SOCK_CLOEXEC, kind->protocol);
}

/* An address of IPv4's loopback for each socket, so that ports never run out. TIPC gives a socket its address when it is made. */
static struct address loopback(const struct kind *kind)
{
    static atomic_uint handed_out;
    struct address address = {.len = 0};
    struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address.storage;
    struct sockaddr_vm *vm = (struct sockaddr_vm *)&address.storage;
    struct sockaddr_ll *ll = (struct sockaddr_ll *)&address.storage;
    address.storage.ss_family = (sa_family_t)kind->domain;
    switch (kind->domain) {
    case AF_INET:
        in->sin_addr.s_addr = htonl(0x7F010000 + atomic_fetch_add(&handed_out, 1) % 0xF00000);
        address.len = sizeof *in;
        break;
    case AF_INET6:
        in6->sin6_addr = in6addr_loopback;
        address.len = sizeof *in6;
        break;
    case AF_UNIX: /* the kernel finds an abstract name */
        address.len = offsetof(struct sockaddr_un, sun_path);
        break;
    case AF_VSOCK:
        vm->svm_cid = 1; /* VMADDR_CID_LOCAL */
        vm->svm_port = VMADDR_PORT_ANY;
        address.len = sizeof *vm;
        break;
    case AF_PACKET: /* a protocol of Ethernet for each, from a range that nobody uses */
        ll->sll_ifindex = (int)if_nametoindex("lo");
        ll->sll_protocol = htons((uint16_t)(0xA000 + atomic_fetch_add(&handed_out, 1) % 0x4000));
        address.len = sizeof *ll;
        break;
    case AF_NETLINK:
        address.len = sizeof(struct sockaddr_nl);
        break;
    }
    return address;
}

struct address address_of(int fd)
{
    struct address address = {.len = sizeof address.storage};
    must(getsockname(fd, (struct sockaddr *)&address.storage, &address.len), "getsockname");
    if (address.storage.ss_family == AF_PACKET) /* of which bind(2) wants all */
        address.len = sizeof(struct sockaddr_ll);
    return address;
}

static int try_to_bind(const struct kind *kind)
{
    int fd = kind_socket(kind);
    struct address address = loopback(kind);
    if (fd >= 0 && address.len > 0 && bind(fd, (struct sockaddr *)&address.storage, address.len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int kind_bound(const struct kind *kind)
{
    return must(try_to_bind(kind), "bind");
}

/* Buffers that are soon full. */
static void shrink(const struct kind *kind, int fd)
{
    int size = 16 << 10;
    if (kind->traits & FILLS && kind->domain != AF_VSOCK) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    /* SCTP would acknowledge by a timer, and tell of no room that is less than a packet of loopback. */
    if (kind->protocol == IPPROTO_SCTP) {
        struct sctp_sack_info at_once = {.sack_freq = 1};
        int room = 192 << 10;
        must(setsockopt(fd, IPPROTO_SCTP, SCTP_DELAYED_SACK, &at_once, sizeof at_once), "SCTP_DELAYED_SACK");
        must(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), "SO_RCVBUF");
    }
}

int kind_listener(const struct kind *kind, int backlog)
{
    int fd = kind_bound(kind);
    shrink(kind, fd);
    must(listen(fd, backlog), "listen");
    return fd;
}

int kind_client(const struct kind *kind, const struct address *listener)
{
    int fd = must(kind_socket(kind), "socket");
    shrink(kind, fd);
    must(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
    int result = connect(fd, (const struct sockaddr *)&listener->storage, listener->len);
    MUST(result == 0 || errno == EINPROGRESS || errno == EAGAIN);
    must(fcntl(fd, F_SETFL, 0), "fcntl");
    return fd;
}

/* Both ends and both directions have the same key: nobody listens. Fails unless the socket is connected. */
int kind_encrypt(int fd)
{
    struct tls12_crypto_info_aes_gcm_128 key = {.info = {TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128}};
    if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") != 0 || setsockopt(fd, SOL_TLS, TLS_TX, &key, sizeof key) != 0)
        return -1;
    return setsockopt(fd, SOL_TLS, TLS_RX, &key, sizeof key);
}

void kind_pair(const struct kind *kind, int ends[2])
{
    if (kind->traits & TWINS) {
        must(socketpair(kind->domain, kind->type | SOCK_CLOEXEC, kind->protocol, ends), "socketpair");
    } else if (kind->traits & LISTENS) {
        int listener = kind_listener(kind, 1);
        struct address address = address_of(listener);
        ends[0] = kind_client(kind, &address);
        ends[1] = must(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
        MUST(poll_one(ends[0], POLLOUT, 5000));
        close(listener);
        for (int i = 0; i < 2 && kind->traits & TLS; i++)
            must(kind_encrypt(ends[i]), "TLS");
    } else {
        for (int i = 0; i < 2; i++) {
            ends[i] = kind_bound(kind);
            shrink(kind, ends[i]);
        }
        for (int i = 0; i < 2; i++) {
            struct address address = address_of(ends[!i]);
            if (kind->domain != AF_PACKET)
                must(connect(ends[i], (struct sockaddr *)&address.storage, address.len), "connect");
            else if (i == 1) /* both see what either sends */
                must(bind(ends[1], (struct sockaddr *)&address.storage, address.len), "bind");
            /* A raw socket takes in what others are sent, until it is bound. */
            while (kind->type == SOCK_RAW && recv(ends[i], &(char){0}, 1, MSG_DONTWAIT) >= 0)
                ;
        }
    }
}

const char *kind_absent(const struct kind *kind)
{
    int ends[2], fd = -1, failed;
    if (kind->traits & TWINS) {
        if (socketpair(kind->domain, kind->type, kind->protocol, ends) != 0)
            return strerror(errno);
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    failed = (fd = try_to_bind(kind)) < 0;
    if (!failed && kind->traits & LISTENS) {
        struct address address = address_of(fd);
        int client = kind_socket(kind);
        failed = listen(fd, 1) != 0 || connect(client, (struct sockaddr *)&address.storage, address.len) != 0
            || (kind->traits & TLS && kind_encrypt(client) != 0);
        close(client);
    }
    int why = errno;
    if (fd >= 0)
        close(fd);
    return failed ? strerror(why) : NULL;
}
