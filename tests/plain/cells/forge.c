/* Packets that no socket would send: datagrams with a wrong checksum, and answers to a SYN at a moment of our choice. */
#include "cells.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* What is only sent through takes no packets in. */
static const struct kind tcp[2] = {{"tcp4", AF_INET, SOCK_STREAM, IPPROTO_TCP, 0}, {"tcp6", AF_INET6, SOCK_STREAM, IPPROTO_TCP, 0}};
static struct wire {
    int domain, raw;       /* sees the SYNs that come to the silent listener, and answers them */
    struct address silent; /* a listener that drops all packets */
    uint32_t sequence[1 << 16]; /* of the last SYN from a port */
} wires[2];
static int datagrams[2][2]; /* of UDP and UDP-Lite, by IPv4 and IPv6 */
static const char *impossible;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void filter(int fd, struct sock_filter *code, size_t count)
{
    struct sock_fprog program = {(unsigned short)count, code};
    must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), "SO_ATTACH_FILTER");
}

static void take_nothing(int fd)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    filter(fd, code, 1);
}

/* SYNs without ACK to a port. A raw socket of IPv4 sees the header of IP too. */
static void take_syns(int fd, int domain, unsigned port)
{
    unsigned at = domain == AF_INET ? 20 : 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at + 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at + 13),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xFFFF),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    filter(fd, code, sizeof code / sizeof *code);
}

static uint16_t port_of(const struct address *address)
{
    return address->storage.ss_family == AF_INET ? ((const struct sockaddr_in *)&address->storage)->sin_port
                                                 : ((const struct sockaddr_in6 *)&address->storage)->sin6_port;
}

static void clear_port(struct address *address)
{
    if (address->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&address->storage)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = 0;
}

void forge_setup(void)
{
    for (int i = 0; i < 2; i++) {
        struct wire *wire = &wires[i];
        wire->domain = tcp[i].domain;
        wire->raw = -1;
        if (kind_absent(&tcp[i]))
            continue;
        wire->raw = socket(wire->domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
        if (wire->raw < 0) {
            impossible = errno == EPERM || errno == EACCES ? "raw sockets are for root" : "there are no raw sockets";
            continue;
        }
        int listener = kind_listener(&tcp[i], 1); /* for as long as the process lives */
        wire->silent = address_of(listener);
        take_nothing(listener);
        take_syns(wire->raw, wire->domain, ntohs(port_of(&wire->silent)));
        int size = 4 << 20;
        setsockopt(wire->raw, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        for (int lite = 0; lite < 2; lite++) {
            datagrams[lite][i] = socket(wire->domain, SOCK_RAW | SOCK_CLOEXEC, lite ? IPPROTO_UDPLITE : IPPROTO_UDP);
            if (datagrams[lite][i] >= 0)
                take_nothing(datagrams[lite][i]);
        }
    }
}

const char *forge_impossible(void)
{
    return impossible;
}

struct address forge_silent(int domain)
{
    return wires[domain == AF_INET6].silent;
}

void forge_corrupt(int from, int to, int protocol)
{
    /* More than 76 bytes: in shorter ones the checksum is looked at before the receiver is woken. */
    unsigned char packet[8 + 200];
    memset(packet, 'x', sizeof packet);
    struct address source = address_of(from), target = address_of(to);
    bool lite = protocol == IPPROTO_UDPLITE;
    struct udphdr header = {.source = port_of(&source), .dest = port_of(&target), .len = htons(lite ? 0 : sizeof packet), .check = htons(0x5A5A)};
    memcpy(packet, &header, sizeof header);
    int fd = datagrams[lite][target.storage.ss_family == AF_INET6];
    /* The source's address is the kernel's choice; for IPv4 it must be told. */
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    clear_port(&target);
    struct iovec part = {packet, sizeof packet};
    struct msghdr message = {.msg_name = &target.storage, .msg_namelen = target.len, .msg_iov = &part, .msg_iovlen = 1};
    if (target.storage.ss_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = ((struct sockaddr_in *)&source.storage)->sin_addr};
        memset(&control, 0, sizeof control);
        control.header.cmsg_level = IPPROTO_IP;
        control.header.cmsg_type = IP_PKTINFO;
        control.header.cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(&control.header), &info, sizeof info);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    must((int)sendmsg(fd, &message, MSG_DONTWAIT), "a forged datagram");
}

static uint32_t sum(uint32_t so_far, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i + 1 < len; i += 2)
        so_far += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    return so_far;
}

/* The checksum of a header of TCP without data. */
static uint16_t checksum(const struct address *from, const struct address *to, const struct tcphdr *header)
{
    bool ipv4 = from->storage.ss_family == AF_INET;
    const struct sockaddr_in *in[2] = {(const void *)&from->storage, (const void *)&to->storage};
    const struct sockaddr_in6 *in6[2] = {(const void *)&from->storage, (const void *)&to->storage};
    uint32_t total = IPPROTO_TCP + sizeof *header;
    for (int i = 0; i < 2; i++)
        total = ipv4 ? sum(total, &in[i]->sin_addr, 4) : sum(total, &in6[i]->sin6_addr, 16);
    total = sum(total, header, sizeof *header);
    while (total >> 16)
        total = (total & 0xFFFF) + (total >> 16);
    return htons((uint16_t)~total);
}

/* Notes all SYNs that have come. */
static void note_syns(struct wire *wire)
{
    unsigned char packet[256];
    size_t at = wire->domain == AF_INET ? 20 : 0;
    for (;;) {
        ssize_t len = recv(wire->raw, packet, sizeof packet, MSG_DONTWAIT);
        struct tcphdr header;
        if (len < 0)
            return;
        if ((size_t)len < at + sizeof header)
            continue;
        memcpy(&header, packet + at, sizeof header);
        wire->sequence[header.source] = ntohl(header.seq);
    }
}

void forge_answer(int client, bool accepted)
{
    struct address to = address_of(client);
    struct wire *wire = &wires[to.storage.ss_family == AF_INET6];
    struct tcphdr header = {.source = port_of(&wire->silent), .dest = port_of(&to), .doff = sizeof header / 4, .window = htons(65535),
                            .ack = 1, .syn = accepted, .rst = !accepted};
    pthread_mutex_lock(&turn);
    note_syns(wire);
    header.ack_seq = htonl(wire->sequence[header.dest] + 1);
    header.seq = accepted ? htonl(1000) : 0;
    pthread_mutex_unlock(&turn);
    header.check = checksum(&wire->silent, &to, &header);
    struct address target = to;
    clear_port(&target);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    struct iovec part = {&header, sizeof header};
    struct msghdr message = {.msg_name = &target.storage, .msg_namelen = target.len, .msg_iov = &part, .msg_iovlen = 1};
    if (wire->domain == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = ((struct sockaddr_in *)&wire->silent.storage)->sin_addr};
        memset(&control, 0, sizeof control);
        control.header.cmsg_level = IPPROTO_IP;
        control.header.cmsg_type = IP_PKTINFO;
        control.header.cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(&control.header), &info, sizeof info);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    must((int)sendmsg(wire->raw, &message, MSG_DONTWAIT), "a forged answer");
}
