/*
 * libsock: blocking, non-blocking and timeout modes for plain socket descriptors.
 *
 * Sockets are plain descriptors. Success is 0 or more. Failure is the negative of an error number, or of
 * a LIBSOCK_EAI_ code, and `errno` is set to the same, so that perror() works with error numbers; on
 * success `errno` is left alone. Not ready in non-blocking mode is -EAGAIN, a timeout that ran out is
 * -ETIMEDOUT and leaves the socket as good as it was. SIGPIPE is never raised.
 *
 * Where a comment says nothing else, a function is safe to call from any thread, from a signal handler
 * and after fork: it takes no lock and allocates no memory. Pointers are NULL or valid for as many bytes
 * as their lengths say, and strings end with a NUL.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef LIBSOCK_SOCK_H
#define LIBSOCK_SOCK_H

#include <math.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** No timeout: the seconds of blocking mode. */
#define LIBSOCK_FOREVER HUGE_VAL

/** The version of this header; `sock_version` tells that of the library. */
#define LIBSOCK_VERSION "0.1.0"
#define LIBSOCK_VERSION_MAJOR 0
#define LIBSOCK_VERSION_MINOR 1
#define LIBSOCK_VERSION_PATCH 0

/**
 * There is no such host. These codes are not error numbers, which end at 4095: they tell why a lookup failed.
 */
#define LIBSOCK_EAI_NONAME 5002

/**
 * The host cannot be looked up now, but later perhaps: no name server answered, or not in time.
 */
#define LIBSOCK_EAI_AGAIN 5003

/**
 * The host cannot be looked up: a name server refused, or its answer made no sense.
 */
#define LIBSOCK_EAI_FAIL 5004

/**
 * The host exists, but has no address.
 */
#define LIBSOCK_EAI_NODATA 5005

/**
 * There is no such service.
 */
#define LIBSOCK_EAI_SERVICE 5008

/**
 * Puts a socket in blocking or in non-blocking mode.
 *
 * In blocking mode an operation waits for as long as it takes; in non-blocking mode one that is not
 * ready fails with `-EAGAIN` at once. A timeout set before is gone. The mode belongs to the socket:
 * all its duplicates have it, in every process.
 *
 * @param fd        the socket
 * @param blocking  0 for non-blocking mode, any other value for blocking mode
 *
 * @return 0, or the negative of an error number, to which `errno` is set too:
 *   - `-EBADF`     `fd` is not an open descriptor
 *   - `-ENOTSOCK`  `fd` is not a socket
 *
 * On failure the socket keeps the mode it had. Safe to call from any thread, from a signal handler
 * and after fork. An operation that is waiting meanwhile obeys the old mode or the new one.
 */
int sock_setblocking(int fd, int blocking);

/**
 * Tells whether a socket's operations may wait.
 *
 * @param fd  the socket
 *
 * @return 1 in blocking mode or with a timeout, 0 in non-blocking mode, or the negative of an error
 * number, to which `errno` is set too:
 *   - `-EBADF`     `fd` is not an open descriptor
 *   - `-ENOTSOCK`  `fd` is not a socket
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
int sock_getblocking(int fd);

/**
 * Gives a socket a timeout, which every operation on it obeys.
 *
 * An operation that cannot complete in so many seconds fails with `-ETIMEDOUT`: never early, and
 * late by no more than scheduling. The socket is still good, and what was sent or received is
 * accounted for. The mode belongs to the socket: all its duplicates have it, in every process.
 *
 * @param fd       the socket
 * @param seconds  how long an operation may take; rounded up to a nanosecond, so that no positive
 *                 value becomes 0. 0 is non-blocking mode, `LIBSOCK_FOREVER` is blocking mode
 *
 * @return 0, or the negative of an error number, to which `errno` is set too:
 *   - `-EBADF`      `fd` is not an open descriptor
 *   - `-ENOTSOCK`   `fd` is not a socket
 *   - `-EINVAL`     `seconds` is negative or not a number
 *   - `-EOVERFLOW`  `seconds` is finite, and 2^63 nanoseconds (292 years) or more
 *
 * On failure the socket keeps the mode it had. Safe to call from any thread, from a signal handler
 * and after fork. An operation that is waiting meanwhile obeys the old timeout or the new one.
 */
int sock_settimeout(int fd, double seconds);

/**
 * Tells a socket's timeout.
 *
 * @param fd       the socket
 * @param seconds  where to put the timeout: what was set, to the nanosecond; 0 in non-blocking
 *                 mode, `LIBSOCK_FOREVER` in blocking mode. It is left alone on failure. Where another
 *                 process set it, it may come out longer by about a tick of the kernel's timer (1 to
 *                 10 ms), and one of over 26 days as `LIBSOCK_FOREVER`
 *
 * @return 0, or the negative of an error number, to which `errno` is set too:
 *   - `-EBADF`     `fd` is not an open descriptor
 *   - `-ENOTSOCK`  `fd` is not a socket
 *   - `-EFAULT`    `seconds` is NULL
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
int sock_gettimeout(int fd,
                    double *seconds);

/**
 * Chooses whether a signal ends an operation that waits.
 *
 * By default it does not: handlers run, and the wait goes on for the time that is left. With this on,
 * an operation that is waiting when a signal is handled fails with `-EINTR`, even if the handler was
 * installed with `SA_RESTART`; the functions that count say how far they came. This is for languages
 * that run their handlers only between calls. It belongs to the socket, as the mode does, and is
 * kept when the mode changes, but not when other code sets `SO_RCVTIMEO` or `SO_SNDTIMEO`.
 *
 * @param fd  the socket
 * @param on  0 to wait on through signals (the default), any other value to be interrupted by them
 *
 * @return 0, or the negative of an error number, to which `errno` is set too:
 *   - `-EBADF`     `fd` is not an open descriptor
 *   - `-ENOTSOCK`  `fd` is not a socket
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
int sock_setinterrupt(int fd,
                      int on);

/**
 * Tells whether a signal ends an operation that waits on a socket.
 *
 * @param fd  the socket
 *
 * @return 1 or 0, as set by `sock_setinterrupt`, or the negative of an error number, to which `errno`
 * is set too:
 *   - `-EBADF`     `fd` is not an open descriptor
 *   - `-ENOTSOCK`  `fd` is not a socket
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
int sock_getinterrupt(int fd);

/**
 * Sends `len` bytes, or some of them, on a connected socket.
 *
 * On a stream in blocking mode all are sent, unless an error or a signal comes after a part; with a
 * timeout or in non-blocking mode a part may be. A message is sent whole. To send all of a buffer in
 * every mode use `sock_sendall`. SIGPIPE is never raised.
 *
 * @param fd     the socket
 * @param buf    the bytes; may be NULL if `len` is 0
 * @param len    how many
 * @param flags  0, or `MSG_` flags of send(2). `MSG_NOSIGNAL` is implied; `MSG_DONTWAIT` makes it
 *               non-blocking whatever the mode
 *
 * @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
 * nothing was sent then:
 *   - `-EAGAIN`      non-blocking mode, and there is no room; in any, no local port is free
 *   - `-ETIMEDOUT`   there was no room before the timeout ran out
 *   - `-EINTR`       a signal was handled, and `sock_setinterrupt` is on
 *   - `-EPIPE`       the connection was closed, or shut down for sending
 *   - `-ECONNRESET`  the peer reset the connection
 *   - `-EMSGSIZE`    the message is too large for the socket
 *   - `-ENOTCONN`, `-EDESTADDRREQ`  the socket is not connected
 *   - `-EFAULT`      `buf` is NULL and `len` is not 0
 *   - `-EINVAL`      `len` is over `SSIZE_MAX`
 *   - `-EBADF`       `fd` is not an open descriptor
 *   - `-ENOTSOCK`    `fd` is not a socket
 *   - any other error of send(2), among them `-EACCES`, `-ENETUNREACH`, `-ENOBUFS` and `-EOPNOTSUPP`
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
ssize_t sock_send(int fd,
                  const void *buf,
                  size_t len,
                  int flags);

/**
 * Receives up to `len` bytes from a connected socket.
 *
 * @param fd     the socket
 * @param buf    where to put them; may be NULL if `len` is 0
 * @param len    how many at most. What a message has beyond them is lost
 * @param flags  0, or `MSG_` flags of recv(2). `MSG_DONTWAIT` makes it non-blocking whatever the mode;
 *               `MSG_ERRQUEUE` and `MSG_OOB` never wait. With `MSG_WAITALL`, or `SO_RCVLOWAT`, and a
 *               timeout, what has come by eight ninths of it may be returned: `sock_recvall` is exact
 *
 * @return how many bytes were received; 0 when the peer of a stream has closed its side, or for an
 * empty message; or the negative of an error number, to which `errno` is set too:
 *   - `-EAGAIN`        non-blocking mode, and there is nothing
 *   - `-ETIMEDOUT`     nothing came before the timeout ran out
 *   - `-EINTR`         a signal was handled, and `sock_setinterrupt` is on
 *   - `-ECONNREFUSED`  the peer refused a datagram sent before
 *   - `-ECONNRESET`    the peer reset the connection
 *   - `-ENOTCONN`      the socket is not connected
 *   - `-EFAULT`        `buf` is NULL and `len` is not 0
 *   - `-EINVAL`        `len` is over `SSIZE_MAX`, or there is no out-of-band data for `MSG_OOB`
 *   - `-EBADF`         `fd` is not an open descriptor
 *   - `-ENOTSOCK`      `fd` is not a socket
 *   - any other error of recv(2), among them `-EHOSTUNREACH`, `-ENOMEM` and `-EOPNOTSUPP`
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
ssize_t sock_recv(int fd,
                  void *buf,
                  size_t len,
                  int flags);

/**
 * Sends a message to an address.
 *
 * As `sock_send`, on a socket that need not be connected.
 *
 * @param fd       the socket
 * @param buf      the bytes; may be NULL if `len` is 0
 * @param len      how many
 * @param flags    as for `sock_send`
 * @param addr     where to send them, or NULL on a connected socket
 * @param addrlen  the length of the address in bytes; 0 if `addr` is NULL
 *
 * @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
 * nothing was sent then. The errors are those of `sock_send`, and:
 *   - `-EISCONN`  the socket is connected, and of a kind that cannot send elsewhere
 *   - `-EFAULT`   `addr` is NULL and `addrlen` is not 0
 *   - any other error of sendto(2), among them `-EAFNOSUPPORT`, `-ECONNREFUSED` and `-ENOENT`
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
ssize_t sock_sendto(int fd,
                    const void *buf,
                    size_t len,
                    int flags,
                    const struct sockaddr *addr,
                    socklen_t addrlen);

/**
 * Receives a message and the address that it came from.
 *
 * As `sock_recv`, on a socket that need not be connected.
 *
 * @param fd       the socket
 * @param buf      where to put the message; may be NULL if `len` is 0
 * @param len      how many bytes at most. What the message has beyond them is lost
 * @param flags    as for `sock_recv`. With `MSG_TRUNC` the result is the message's whole length
 * @param addr     where to put the address of the sender, or NULL
 * @param addrlen  in: the bytes that `addr` has room for; out: the length of the address, which was
 *                 cut if that is more. Ignored when `addr` is NULL
 *
 * @return how many bytes were received, which is 0 for an empty message, or the negative of an error
 * number, to which `errno` is set too. The errors are those of `sock_recv`, and:
 *   - `-EFAULT`  `addr` is not NULL but `addrlen` is
 *   - `-EINVAL`  `*addrlen` is over `INT_MAX`
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
ssize_t sock_recvfrom(int fd,
                      void *buf,
                      size_t len,
                      int flags,
                      struct sockaddr *addr,
                      socklen_t *addrlen);

/**
 * Sends a message gathered from several buffers, with control data.
 *
 * As `sock_send`. Control data goes with the first byte.
 *
 * @param fd     the socket
 * @param msg    the message, as for sendmsg(2)
 * @param flags  as for `sock_send`
 *
 * @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
 * nothing was sent then. The errors are those of `sock_sendto`, and:
 *   - `-EFAULT`    `msg` is NULL, or its `msg_iov` is NULL and `msg_iovlen` is not 0
 *   - `-EMSGSIZE`  `msg_iovlen` is over `IOV_MAX`
 *   - any other error of sendmsg(2), among them `-EINVAL`, `-EPERM` and `-ETOOMANYREFS`
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
ssize_t sock_sendmsg(int fd,
                     const struct msghdr *msg,
                     int flags);

/**
 * Receives a message into several buffers, with control data and its flags.
 *
 * As `sock_recvfrom`. Descriptors that come with the message are close-on-exec, as if by
 * `MSG_CMSG_CLOEXEC`.
 *
 * @param fd     the socket
 * @param msg    where to put the message, as for recvmsg(2). It is changed only on success; then its
 *               `msg_flags` tell, for one, with `MSG_TRUNC` that the message was longer than the buffers
 * @param flags  as for `sock_recv`
 *
 * @return how many bytes were received, which is 0 for an empty message, or when the peer of a stream
 * has closed its side; or the negative of an error number, to which `errno` is set too. The errors are
 * those of `sock_recv`, and:
 *   - `-EFAULT`    `msg` is NULL, or its `msg_iov` is NULL and `msg_iovlen` is not 0
 *   - `-EMSGSIZE`  `msg_iovlen` is over `IOV_MAX`
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
ssize_t sock_recvmsg(int fd,
                     struct msghdr *msg,
                     int flags);

/**
 * Sends all of a buffer.
 *
 * The timeout is for all of it, however many steps that takes. SIGPIPE is never raised.
 *
 * @param fd     the socket
 * @param buf    the bytes; may be NULL if `len` is 0
 * @param len    how many. If 0, nothing is sent, not even an empty message
 * @param flags  as for `sock_send`
 * @param sent   where to put how many bytes were sent: `len` on success, and exact on every failure.
 *               May be NULL
 *
 * @return 0 once all are sent, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_send`; `*sent` bytes were sent all the same.
 *
 * Safe to call from any thread, from a signal handler and after fork. When several threads send on one
 * stream at once, their bytes may be interleaved.
 */
int sock_sendall(int fd,
                 const void *buf,
                 size_t len,
                 int flags,
                 size_t *sent);

/**
 * Receives until a buffer is full.
 *
 * The timeout is for all of it, however many steps that takes. It is meant for streams: from a
 * socket with messages it receives one after the other, cuts what does not fit, and takes an empty one
 * for the end.
 *
 * @param fd        the socket
 * @param buf       where to put the bytes; may be NULL if `len` is 0
 * @param len       how many. If 0, nothing is received
 * @param flags     as for `sock_recv`
 * @param received  where to put how many bytes were received: `len` on success, and exact on every
 *                  failure; that many are in `buf`, unless `flags` have `MSG_TRUNC`. May be NULL
 *
 * @return 0 once the buffer is full, or the negative of an error number, to which `errno` is set too.
 * The errors are those of `sock_recv`; `*received` bytes were received all the same. With
 * `sock_setinterrupt` on, `-EINTR` may also tell of control or urgent data in the stream, at which the
 * kernel stopped. And:
 *   - `-EPIPE`   the peer closed its side first
 *   - `-EINVAL`  `flags` has `MSG_PEEK`, with which no more than one receive can be of use
 *
 * Safe to call from any thread, from a signal handler and after fork. When several threads receive
 * from one stream at once, each gets a part of it.
 */
int sock_recvall(int fd,
                 void *buf,
                 size_t len,
                 int flags,
                 size_t *received);

/**
 * Connects a socket to an address.
 *
 * An attempt that is interrupted or runs out of time goes on by itself; a later `sock_connect` on
 * the same socket takes it up again. In blocking mode it waits for the end of the attempt, with a
 * timeout for that long at most.
 *
 * @param fd       the socket
 * @param addr     the address of the peer
 * @param addrlen  its length in bytes
 *
 * @return 0 once connected, or the negative of an error number, to which `errno` is set too:
 *   - `-EINPROGRESS`  non-blocking mode: the attempt has begun. Wait for `POLLOUT`, then call again
 *   - `-EALREADY`     non-blocking mode: an attempt begun earlier is still under way
 *   - `-EAGAIN`       non-blocking mode: the queue of a Unix listener is full
 *   - `-ETIMEDOUT`    the timeout ran out, or the network's own did
 *   - `-EINTR`        a signal was handled, and `sock_setinterrupt` is on
 *   - `-ECONNREFUSED` nobody listens there
 *   - `-EISCONN`      the socket was connected before
 *   - `-EFAULT`       `addr` is NULL and `addrlen` is not 0
 *   - `-EBADF`        `fd` is not an open descriptor
 *   - `-ENOTSOCK`     `fd` is not a socket
 *   - any other error of connect(2), among them `-EACCES`, `-EADDRNOTAVAIL`, `-EAFNOSUPPORT`,
 *     `-EHOSTUNREACH`, `-EINVAL`, `-ENETUNREACH`, `-ENOENT` and `-EPROTOTYPE`
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
int sock_connect(int fd, const struct sockaddr *addr, socklen_t addrlen);

/**
 * Accepts a connection from a listening socket.
 *
 * A connection that failed while it waited to be accepted is skipped, and the wait goes on.
 *
 * @param fd       the listening socket
 * @param addr     where to put the address of the peer, or NULL
 * @param addrlen  in: the bytes that `addr` has room for; out: the length of the address, which was
 *                 cut if that is more. Ignored when `addr` is NULL
 *
 * @return the descriptor of the connection, close-on-exec and in blocking mode whatever the
 * listener's, or the negative of an error number, to which `errno` is set too:
 *   - `-EAGAIN`      non-blocking mode: there is no connection to accept
 *   - `-ETIMEDOUT`   none came before the timeout ran out
 *   - `-EINTR`       a signal was handled, and `sock_setinterrupt` is on
 *   - `-EINVAL`      `fd` is not listening, or `*addrlen` is over `INT_MAX`
 *   - `-EMFILE`, `-ENFILE`, `-ENOBUFS`, `-ENOMEM`  no descriptor or memory is left; the connection is
 *     not lost, and can be accepted later
 *   - `-EFAULT`      `addr` is not NULL but `addrlen` is
 *   - `-EOPNOTSUPP`  the socket is of a kind that does not accept
 *   - `-EBADF`       `fd` is not an open descriptor
 *   - `-ENOTSOCK`    `fd` is not a socket
 *   - `-EPERM`       a firewall forbids it
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
int sock_accept(int fd,
                struct sockaddr *addr,
                socklen_t *addrlen);

/**
 * Connects to a service of a host by TCP, within a time that covers all of it: the lookup of the name,
 * every address, and the handshake.
 *
 * All addresses of the host are tried as RFC 8305 (Happy Eyeballs) has it: IPv6 and IPv4 in turn, in
 * the system's order of preference, each next one when the one before has failed or has had 250 ms,
 * or less where not all would have their turn in the first half of the time, and 128 at once at most.
 * The first connection that is made is the result, the other attempts are closed.
 *
 * @param host     the name of the host, or an address in numbers: of IPv4, or of IPv6, with its scope
 *                 where it needs one, such as "fe80::1%eth0"
 * @param service  a port number from 0 to 65535, or the name of a service, such as "http"
 * @param seconds  how long it may take, as in `sock_settimeout`: with 0 only a host in numbers can be
 *                 connected to, and that at once; with `LIBSOCK_FOREVER` it takes as long as it takes
 *
 * @return a connected descriptor, close-on-exec, with `seconds` for its timeout, or the negative of
 * an error number, to which `errno` is set too:
 *   - `-ETIMEDOUT`            no connection was made in so many seconds, or before the network's own
 *                             timeout
 *   - `-EAGAIN`               `seconds` is 0, and no connection could be made at once
 *   - `-LIBSOCK_EAI_NONAME`   there is no such host, or no host can have that name
 *   - `-LIBSOCK_EAI_NODATA`   the host has no address
 *   - `-LIBSOCK_EAI_SERVICE`  there is no such service, or no port of that number
 *   - `-LIBSOCK_EAI_AGAIN`    name servers fail for the time being
 *   - `-LIBSOCK_EAI_FAIL`     the lookup failed for another reason
 *   - `-EINVAL`               `host` or `service` is NULL or empty, or `seconds` is negative or not a
 *                             number
 *   - `-EOVERFLOW`            `seconds` is finite, and 2^63 nanoseconds or more
 *   - when every address failed, the most telling error of them: `-EMFILE`, `-ENFILE`, `-ENOBUFS` or
 *     `-ENOMEM` before `-ECONNREFUSED`, then `-ECONNRESET`, `-EACCES` or `-EPERM`, `-ETIMEDOUT`,
 *     `-EHOSTUNREACH`, and after these any other of socket(2) and connect(2), among them
 *     `-ENETUNREACH`, `-EADDRNOTAVAIL` and `-EAFNOSUPPORT`; of equals the first
 *
 * The timeout of the connection is all of `seconds` for each operation that follows, not what is left
 * of them. On a socket of your own, or of another kind, use `sock_connect`.
 *
 * A signal that is handled meanwhile changes nothing. A name is looked up with getaddrinfo(3); when
 * `seconds` are neither 0 nor infinite, in a thread of its own, which has all signals blocked. If time
 * runs out first, that thread is left to itself, and ends when the resolver gives up. Without a limit
 * the resolver runs in the calling thread, and may take a signal for a name server that fails. With a
 * host in numbers there is no thread, and the name of a service, if it is not a number, is looked up at
 * once.
 *
 * Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
 * several threads: the resolver allocates memory and takes locks. A thread that is cancelled meanwhile
 * leaks descriptors and memory.
 */
int sock_dial(const char *host,
              const char *service,
              double seconds);

/**
 * Listens for connections to a service by TCP.
 *
 * The address may be used again at once when a listener is gone, as if by `SO_REUSEADDR`.
 *
 * @param host     the name or the address of this machine on which to listen, or NULL for all
 *                 addresses, of IPv6 and of IPv4 by the one descriptor. With a name it is the first of
 *                 its addresses that can be listened on; "::" is all addresses of IPv6 alone
 * @param service  a port number, or the name of a service; "0" for a port that is free, which
 *                 getsockname(2) tells
 * @param backlog  how many connections may wait to be accepted; 0 or less for the system's default,
 *                 net.core.somaxconn, which is the most as well
 *
 * @return a listening descriptor, close-on-exec and in blocking mode, or the negative of an error
 * number, to which `errno` is set too:
 *   - `-EADDRINUSE`      another socket listens there
 *   - `-EACCES`          the port is for privileged users
 *   - `-EADDRNOTAVAIL`   the address is not this machine's
 *   - `-EINVAL`          `host` is empty, or `service` is NULL or empty
 *   - `-LIBSOCK_EAI_NONAME`, `-LIBSOCK_EAI_NODATA`, `-LIBSOCK_EAI_SERVICE`, `-LIBSOCK_EAI_AGAIN`,
 *     `-LIBSOCK_EAI_FAIL`  the lookup failed, as in `sock_dial`
 *   - any other error of socket(2), bind(2) and listen(2), among them `-EAFNOSUPPORT`, `-EMFILE`,
 *     `-ENFILE`, `-ENOBUFS` and `-ENOMEM`
 *
 * `sock_accept` accepts the connections. A name is looked up with getaddrinfo(3) for as long as it
 * takes; a number takes no time.
 *
 * Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
 * several threads: the resolver allocates memory and takes locks.
 */
int sock_listen(const char *host,
                const char *service,
                int backlog);

/**
 * Waits until a socket is ready, whatever its mode.
 *
 * @param fd       the socket
 * @param events   what to wait for: `POLLIN`, `POLLOUT` and the other events of poll(2), or'ed.
 *                 `POLLERR` and `POLLHUP` are always waited for
 * @param seconds  how long to wait at most, as in `sock_settimeout`: 0 looks once, `LIBSOCK_FOREVER`
 *                 waits for as long as it takes
 *
 * @return the events that are ready, more than 0, or the negative of an error number, to which `errno`
 * is set too:
 *   - `-EAGAIN`     `seconds` is 0 and nothing is ready
 *   - `-ETIMEDOUT`  nothing became ready in so many seconds
 *   - `-EINTR`      a signal was handled, and `sock_setinterrupt` is on
 *   - `-EINVAL`     `seconds` is negative or not a number, or `events` is negative or
 *                   does not fit a short
 *   - `-EOVERFLOW`  `seconds` is finite, and 2^63 nanoseconds or more
 *   - `-EBADF`      `fd` is not an open descriptor
 *   - `-ENOTSOCK`   `fd` is not a socket
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
int sock_wait(int fd,
              int events,
              double seconds);

/**
 * Puts a code into words.
 *
 * @param code  what a function returned, or an error number: either sign will do
 *
 * @return a constant string in English, never NULL: "Success" for 0, "Unknown error" for a number that
 * is no error's
 *
 * Safe to call from any thread, from a signal handler and after fork, unlike strerror(3).
 */
const char *sock_strerror(int code);

/**
 * Tells the version of the library.
 *
 * @return the version as a constant string, such as "0.1.0"; `LIBSOCK_VERSION` is that of the header
 *
 * Safe to call from any thread, from a signal handler and after fork.
 */
const char *sock_version(void);

#ifdef __cplusplus
}
#endif

#endif /* LIBSOCK_SOCK_H */
