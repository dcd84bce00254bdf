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
 * The host cannot be looked up, for another reason. It is rare with glibc: a name server that refuses is
 * `LIBSOCK_EAI_AGAIN` there, and an answer that makes no sense is `LIBSOCK_EAI_NONAME`.
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
 * On failure the socket keeps the mode it had. An operation that is waiting meanwhile obeys the old
 * mode or the new one.
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
 */
int sock_getblocking(int fd);

/**
 * Gives a socket a timeout, which every operation on it obeys.
 *
 * An operation that cannot complete within the timeout fails with `-ETIMEDOUT`: never early, and
 * late by no more than scheduling. The socket is still good, and what was sent or received is
 * accounted for. The mode belongs to the socket: all its duplicates have it, in every process.
 *
 * Sending and receiving share the mode. To give each a limit of its own, use the functions whose names end in
 * `_until`: they take their limits as arguments, and neither obey the mode nor change it.
 *
 * A timeout that is there already costs four system calls, another one six, a change from another mode up to ten,
 * and the first one of a socket up to sixteen. So set it once, as the longest that a single wait may last. A limit that covers several calls, or is
 * another one for each call, is better a deadline, which `sock_deadline` gives without a system call.
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
 * On failure the socket keeps the mode it had. An operation that is waiting meanwhile obeys the old
 * timeout or the new one.
 *
 * The mode is kept in `O_NONBLOCK`, `SO_RCVTIMEO`, `SO_SNDTIMEO` and `SO_PEEK_OFF`, and other code that uses the
 * socket sees them. With a timeout, a plain recv(2) there fails with `EAGAIN` a little before the timeout is over; or at
 * once, because `O_NONBLOCK` is set, on a socket that is neither of TCP nor a Unix socket, or if the timeout is
 * a few milliseconds. `SO_PEEK_OFF` is negative, which means "off". If other code has given it a value of 0 or more, this
 * library leaves it alone.
 *
 * There are sockets on which a timeout may be late by about a tick of the kernel's timer (1 to 10 ms), or by up to three
 * minutes if it is over a week. It is never early there either. These are the sockets of MPTCP; and those of TCP before
 * Linux 6.9, or with a `SO_PEEK_OFF` of other code, if another process has set the timeout, or if the process has more than
 * 16,384 of them. On all others a timeout of over a week is kept to 10 microseconds.
 */
int sock_settimeout(int fd,
                    double seconds);

/**
 * Tells a socket's timeout.
 *
 * @param fd       the socket
 * @param seconds  where to put the timeout: what was set, to the nanosecond; 0 in non-blocking
 *                 mode, `LIBSOCK_FOREVER` in blocking mode. It is left alone on failure. On the sockets
 *                 on which a timeout may be late, as `sock_settimeout` tells, it may come out longer by
 *                 as much
 *
 * @return 0, or the negative of an error number, to which `errno` is set too:
 *   - `-EBADF`     `fd` is not an open descriptor
 *   - `-ENOTSOCK`  `fd` is not a socket
 *   - `-EFAULT`    `seconds` is NULL
 */
int sock_gettimeout(int fd,
                    double *seconds);

/**
 * Chooses whether a signal ends an operation that waits.
 *
 * By default it does not: handlers run, and the wait goes on for the time that is left. With this on,
 * an operation that is waiting when a signal is handled fails with `-EINTR`, even if the handler was
 * installed with `SA_RESTART`; the functions that count say how far they came. This is for languages
 * that run their handlers only between calls. A process that is stopped and continued (`SIGSTOP`,
 * `SIGCONT`) may then get `-EINTR` too, although no handler has run. It belongs to the socket, as the mode
 * does, and is kept when the mode changes, but not when other code sets `SO_RCVTIMEO` or `SO_SNDTIMEO`. Where a mode
 * is set at the same time by another thread or process, one of the two may undo the other.
 *
 * @param fd  the socket
 * @param on  0 to wait on through signals (the default), any other value to be interrupted by them
 *
 * @return 0, or the negative of an error number, to which `errno` is set too:
 *   - `-EBADF`     `fd` is not an open descriptor
 *   - `-ENOTSOCK`  `fd` is not a socket
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
 */
int sock_getinterrupt(int fd);

/**
 * Sends `len` bytes, or some of them, on a connected socket.
 *
 * On a stream in blocking mode all are sent. If a part was sent when an error occurs or a signal is handled, the wait
 * ends with that part, as in send(2): for a signal also without `sock_setinterrupt`. With a timeout or in non-blocking
 * mode a part may be sent in any case. A message is sent whole. To send all of a buffer in every mode use
 * `sock_sendall`. SIGPIPE is never raised.
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
 *   - `-ECONNABORTED`  the network's own time ran out: keepalive, retransmissions or `TCP_USER_TIMEOUT`
 *   - `-EMSGSIZE`    the message is too large for the socket
 *   - `-ENOTCONN`, `-EDESTADDRREQ`  the socket is not connected
 *   - `-EFAULT`      `buf` is NULL and `len` is not 0
 *   - `-EINVAL`      `len` is over `SSIZE_MAX`
 *   - `-EBADF`       `fd` is not an open descriptor
 *   - `-ENOTSOCK`    `fd` is not a socket
 *   - any other error of send(2), among them `-EACCES`, `-ENETUNREACH`, `-ENOBUFS` and `-EOPNOTSUPP`
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
 *   - `-ECONNABORTED`  the network's own time ran out: keepalive, retransmissions or `TCP_USER_TIMEOUT`
 *   - `-ENOTCONN`      the socket is not connected
 *   - `-EFAULT`        `buf` is NULL and `len` is not 0
 *   - `-EINVAL`        `len` is over `SSIZE_MAX`, or there is no out-of-band data for `MSG_OOB`
 *   - `-EBADF`         `fd` is not an open descriptor
 *   - `-ENOTSOCK`      `fd` is not a socket
 *   - any other error of recv(2), among them `-EHOSTUNREACH`, `-ENOMEM` and `-EOPNOTSUPP`
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
 * When several threads send on one stream at once, their bytes may be interleaved.
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
 * When several threads receive from one stream at once, each gets a part of it.
 */
int sock_recvall(int fd,
                 void *buf,
                 size_t len,
                 int flags,
                 size_t *received);

/**
 * Receives a line, or whatever ends in a delimiter, into the caller's buffer.
 *
 * What comes after the delimiter stays behind it in the buffer, for the next call: move it to the front, or go on from
 * there with `buf + n`, `size - n` and `*have - n`. Nothing is kept anywhere else. It is for streams, and waits as the
 * socket's mode says. A timeout is for the whole of it, however many steps that takes.
 *
 * @param fd        the socket
 * @param buf       where to put the bytes. Its first `*have` bytes are looked at first
 * @param size      how many bytes it has room for
 * @param have      in: how many bytes are in `buf` already; out: how many are now, exact on every return
 * @param delim     the delimiter, such as "\n" or "\r\n\r\n"
 * @param delimlen  its length in bytes
 *
 * @return the length up to and with the first delimiter; 0 when the peer has closed its side and nothing is left; or the
 * negative of an error number, to which `errno` is set too. The errors are those of `sock_recv`, and:
 *   - `-EPIPE`     the peer closed its side in the middle: `*have` bytes are left, without a delimiter
 *   - `-EMSGSIZE`  the buffer is full, without a delimiter
 *   - `-EINVAL`    `delimlen` is 0, `have` is NULL, `*have` is over `size`, or `size` is over `SSIZE_MAX`
 *   - `-EFAULT`    `buf` or `delim` is NULL
 *
 * A delimiter that is already there costs no system call. In non-blocking mode `-EAGAIN` means that it
 * is not complete; what has come is kept, and calling again goes on. So it does after a timeout.
 */
ssize_t sock_recvdelim(int fd,
                       void *buf,
                       size_t size,
                       size_t *have,
                       const void *delim,
                       size_t delimlen);

/**
 * Receives a line, or whatever ends in a delimiter, until a deadline, or until a token cancels it.
 *
 * What comes after the delimiter stays behind it in the buffer, for the next call: move it to the front, or go on from
 * there with `buf + n`, `size - n` and `*have - n`. Nothing is kept anywhere else. It is for streams. The
 * deadline and the token hold in every mode, and the mode is neither obeyed nor changed.
 *
 * @param fd        the socket
 * @param buf       where to put the bytes. Its first `*have` bytes are looked at first
 * @param size      how many bytes it has room for
 * @param have      in: how many bytes are in `buf` already; out: how many are now, exact on every return
 * @param delim     the delimiter, such as "\n" or "\r\n\r\n"
 * @param delimlen  its length in bytes
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return the length up to and with the first delimiter; 0 when the peer has closed its side and nothing is left; or the
 * negative of an error number, to which `errno` is set too. The errors are those of `sock_recvdelim`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A delimiter that is already there costs no system call, and is found whatever the deadline and the token. What has come
 * is kept when a deadline or a token ends the call, and calling again goes on.
 */
ssize_t sock_recvdelim_until(int fd,
                             void *buf,
                             size_t size,
                             size_t *have,
                             const void *delim,
                             size_t delimlen,
                             double deadline,
                             int token);

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
 *   - `-EINVAL`      `fd` is not listening, or was shut down, perhaps while this waited; or `*addrlen` is over
 *     `INT_MAX`
 *   - `-EMFILE`, `-ENFILE`, `-ENOBUFS`, `-ENOMEM`  no descriptor or memory is left; the connection is
 *     not lost, and can be accepted later
 *   - `-EFAULT`      `addr` is not NULL but `addrlen` is
 *   - `-EOPNOTSUPP`  the socket is of a kind that does not accept
 *   - `-EBADF`       `fd` is not an open descriptor
 *   - `-ENOTSOCK`    `fd` is not a socket
 *   - `-EPERM`       a firewall forbids it
 */
int sock_accept(int fd,
                struct sockaddr *addr,
                socklen_t *addrlen);

/**
 * Connects a socket to an address until a deadline, or until a token cancels it.
 *
 * It is `sock_connect` with other limits: the deadline and the token hold in every mode, which is not obeyed.
 * The attempt is begun without waiting. It goes on by itself if the deadline passes, or the token cancels; a later call
 * goes on with it.
 *
 * @param fd        the socket
 * @param addr      the address of the peer
 * @param addrlen   its length in bytes
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return 0 once connected, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_connect`, and:
 *   - `-ETIMEDOUT`  the deadline has passed, or the network's own time is over
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * While it begins the attempt, the socket has `O_NONBLOCK` set. A deadline that has passed is found before anything is
 * tried. A token is looked at only if there is something to wait for, and then before the socket. A signal ends the
 * wait only with `sock_setinterrupt`.
 */
int sock_connect_until(int fd,
                       const struct sockaddr *addr,
                       socklen_t addrlen,
                       double deadline,
                       int token);

/**
 * Accepts a connection until a deadline, or until a token cancels it.
 *
 * It is `sock_accept` with other limits: the deadline and the token hold in every mode, which is not obeyed.
 *
 * @param fd        the socket
 * @param addr      where to put the address of the peer, or NULL
 * @param addrlen   in: the bytes that `addr` has room for; out: the length of the address
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return the descriptor of the connection, close-on-exec and in blocking mode whatever the
 * listener's, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_accept`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A listener that could wait in the kernel has `O_NONBLOCK` set from now on, until its mode is next set: other code that
 * accepts from it must expect `EAGAIN`. To this library its mode stays what it was. A deadline that has passed is found
 * before anything is tried. A token is looked at only if there is something to wait for, and then before the socket. A
 * signal ends the wait only with `sock_setinterrupt`.
 */
int sock_accept_until(int fd,
                      struct sockaddr *addr,
                      socklen_t *addrlen,
                      double deadline,
                      int token);

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
 */
int sock_wait(int fd,
              int events,
              double seconds);

/**
 * Waits until a socket is ready, a deadline has passed, or a token cancels it.
 *
 * It is `sock_wait` with other limits: a moment instead of seconds, and a token.
 *
 * @param fd        the socket; or -1, with `events` 0, to wait for the deadline and the token alone
 * @param events    what to wait for, as in `sock_wait`
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return the events that are ready, more than 0, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_wait`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, meanwhile or before
 *   - `-EBADF`      `token` is negative and not -1, or is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * With `fd` -1 and `events` 0 it only sleeps, until `-ETIMEDOUT` or `-ECANCELED`; no signal ends that. With a deadline in
 * the past it then asks whether a token is cancelled. With a socket, a deadline that has passed is found before the
 * socket is looked at. The token is looked at before the socket.
 */
int sock_wait_until(int fd,
                    int events,
                    double deadline,
                    int token);

/**
 * Tells the deadline that is a number of seconds from now.
 *
 * All functions whose names end in `_until` take it, so that several calls share one limit.
 *
 * @param seconds  how long from now
 *
 * @return the moment in seconds of `CLOCK_MONOTONIC`, rounded up: never early. `LIBSOCK_FOREVER` stays what it is, and so
 * does what is not a number; for negative seconds it is a moment of the past
 */
double sock_deadline(double seconds);

/**
 * Makes a token, with which `sock_cancel` ends waits.
 *
 * It is a descriptor, a timer of timerfd_create(2) that never expires by itself. The caller closes it with close(2), once
 * nobody waits with it any more. Any other descriptor that becomes readable or hangs up serves as a token too: an
 * eventfd, the read end of a pipe, a pidfd, a signalfd, or an epoll descriptor for several.
 *
 * @return the token, close-on-exec, or the negative of an error number, to which `errno` is set too:
 *   - `-EMFILE`, `-ENFILE`, `-ENOMEM`  no descriptor or memory is left
 *   - `-ENODEV`  the system lacks what such descriptors are made of
 */
int sock_token(void);

/**
 * Cancels all that waits with a token, and all that will.
 *
 * It is for good: there is no way back, which would race with those that have not looked yet. Make a new token instead.
 * Every call that waits with it, or will have to, gives `-ECANCELED`. What has already been moved is counted, and the
 * socket is still good. To take a token down: cancel, wait for all who use it, close.
 *
 * @param token  a token of `sock_token`
 *
 * @return 0, also if it was cancelled before, or the negative of an error number, to which `errno` is set too:
 *   - `-EBADF`   `token` is not an open descriptor
 *   - `-EINVAL`  `token` is open, but no token of `sock_token`
 *
 * Safe to call from any thread, from a signal handler and after fork, and in another process that has the descriptor.
 */
int sock_cancel(int token);

/**
 * Sends bytes on a connected socket until a deadline, or until a token cancels it.
 *
 * It is `sock_send` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. One system call if it need not wait, three if it must.
 * Of a stream it sends what there is room for, 1 MiB at most.
 *
 * @param fd        the socket
 * @param buf       the bytes; may be NULL if `len` is 0
 * @param len       how many
 * @param flags     as for `sock_send`
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return how many bytes were sent, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_send`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
ssize_t sock_send_until(int fd,
                        const void *buf,
                        size_t len,
                        int flags,
                        double deadline,
                        int token);

/**
 * Receives bytes from a connected socket until a deadline, or until a token cancels it.
 *
 * It is `sock_recv` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. One system call if it need not wait, three if it must.
 * Of a stream it receives 1 MiB at most.
 *
 * @param fd        the socket
 * @param buf       where to put the bytes; may be NULL if `len` is 0
 * @param len       how many at most
 * @param flags     as for `sock_recv`
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return how many bytes were received; 0 when the peer of a stream has closed its side, or for an
 * empty message, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_recv`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
ssize_t sock_recv_until(int fd,
                        void *buf,
                        size_t len,
                        int flags,
                        double deadline,
                        int token);

/**
 * Sends a message to an address until a deadline, or until a token cancels it.
 *
 * It is `sock_sendto` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. One system call if it need not wait, three if it must.
 *
 * @param fd        the socket
 * @param buf       the bytes; may be NULL if `len` is 0
 * @param len       how many
 * @param flags     as for `sock_send`
 * @param addr      where to send them, or NULL on a connected socket
 * @param addrlen   the length of the address in bytes; 0 if `addr` is NULL
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return how many bytes were sent, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_sendto`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
ssize_t sock_sendto_until(int fd,
                          const void *buf,
                          size_t len,
                          int flags,
                          const struct sockaddr *addr,
                          socklen_t addrlen,
                          double deadline,
                          int token);

/**
 * Receives a message and its sender's address until a deadline, or until a token cancels it.
 *
 * It is `sock_recvfrom` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. One system call if it need not wait, three if it must.
 *
 * @param fd        the socket
 * @param buf       where to put the bytes; may be NULL if `len` is 0
 * @param len       how many at most
 * @param flags     as for `sock_recv`
 * @param addr      where to put the address of the sender, or NULL
 * @param addrlen   in: the bytes that `addr` has room for; out: the length of the address
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return how many bytes were received, which is 0 for an empty message, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_recvfrom`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
ssize_t sock_recvfrom_until(int fd,
                            void *buf,
                            size_t len,
                            int flags,
                            struct sockaddr *addr,
                            socklen_t *addrlen,
                            double deadline,
                            int token);

/**
 * Sends a message with control data until a deadline, or until a token cancels it.
 *
 * It is `sock_sendmsg` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. One system call if it need not wait, three if it must.
 *
 * @param fd        the socket
 * @param msg       the message, as for sendmsg(2)
 * @param flags     as for `sock_send`
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return how many bytes were sent, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_sendmsg`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
ssize_t sock_sendmsg_until(int fd,
                           const struct msghdr *msg,
                           int flags,
                           double deadline,
                           int token);

/**
 * Receives a message with control data until a deadline, or until a token cancels it.
 *
 * It is `sock_recvmsg` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. One system call if it need not wait, three if it must.
 *
 * @param fd        the socket
 * @param msg       where to put the message, as for `sock_recvmsg`
 * @param flags     as for `sock_recv`
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return how many bytes were received, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_recvmsg`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
ssize_t sock_recvmsg_until(int fd,
                           struct msghdr *msg,
                           int flags,
                           double deadline,
                           int token);

/**
 * Sends all of a buffer until a deadline, or until a token cancels it.
 *
 * It is `sock_sendall` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. It looks at both between any two steps, so that a peer that sends, or takes, without end holds it no longer.
 *
 * @param fd        the socket
 * @param buf       the bytes; may be NULL if `len` is 0
 * @param len       how many. If 0, nothing is sent
 * @param flags     as for `sock_send`
 * @param sent      where to put how many bytes were sent: exact on every return. May be NULL
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return 0 once all are sent, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_sendall`, and:
 *   - `-ETIMEDOUT`  the deadline has passed; `*sent` bytes were sent all the same
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
int sock_sendall_until(int fd,
                       const void *buf,
                       size_t len,
                       int flags,
                       size_t *sent,
                       double deadline,
                       int token);

/**
 * Receives until a buffer is full, a deadline has passed, or a token cancels it.
 *
 * It is `sock_recvall` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
 * changed. It looks at both between any two steps, so that a peer that sends, or takes, without end holds it no longer.
 *
 * @param fd        the socket
 * @param buf       where to put the bytes; may be NULL if `len` is 0
 * @param len       how many. If 0, nothing is received
 * @param flags     as for `sock_recv`
 * @param received  where to put how many bytes were received: exact on every return. May be NULL
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
 *                  `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return 0 once the buffer is full, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_recvall`, and:
 *   - `-ETIMEDOUT`  the deadline has passed; `*received` bytes were received all the same
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, even if the socket is ready. A token is looked at only
 * if there is something to wait for, and then before the socket: one that was cancelled before cancels the wait.
 * `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
 */
int sock_recvall_until(int fd,
                       void *buf,
                       size_t len,
                       int flags,
                       size_t *received,
                       double deadline,
                       int token);

/**
 * Connects to a service of a host, within a time that covers all of it: the lookup of the name, every address, and
 * the handshake.
 *
 * All addresses of the host are tried as RFC 8305 (Happy Eyeballs) has it: IPv6 and IPv4 in turn, in
 * the system's order of preference. The next attempt begins when the one before has failed or has had 250 ms,
 * or less where not all would have their turn in the first half of the time. There are 128 attempts at once at most.
 * The first connection that is made is the result, the other attempts are closed.
 *
 * @param host     the name of the host, or a numeric address: of IPv4, or of IPv6, with its scope
 *                 where it needs one, such as "fe80::1%eth0". Or a Unix stream socket: its path, which begins with
 *                 "/", or its abstract name, which begins with "@"
 * @param service  a port number from 0 to 65535, or the name of a service, such as "http". "/udp" after it, as in
 *                 "53/udp" or "domain/udp", is for a socket of UDP; "/tcp" may be there too. NULL for a Unix socket
 * @param seconds  how long it may take, as in `sock_settimeout`: with 0 only a numeric address or a Unix socket can be
 *                 connected to, and that at once; with `LIBSOCK_FOREVER` it takes as long as it takes
 *
 * @return a connected descriptor, close-on-exec, with `seconds` for its timeout, or the negative of
 * an error number, to which `errno` is set too:
 *   - `-ETIMEDOUT`            no connection was made within `seconds`, or the network's own timeout came first
 *   - `-EAGAIN`               `seconds` is 0 and no connection could be made at once, or 64 lookups that were
 *                             abandoned are still under way
 *   - `-LIBSOCK_EAI_NONAME`   there is no such host, or no host can have that name
 *   - `-LIBSOCK_EAI_NODATA`   the host has no address
 *   - `-LIBSOCK_EAI_SERVICE`  there is no such service, no port of that number, or no such protocol
 *   - `-LIBSOCK_EAI_AGAIN`    name servers fail for the time being
 *   - `-LIBSOCK_EAI_FAIL`     the lookup failed for another reason
 *   - `-EINVAL`               `host` is NULL or empty, or `service` is NULL or empty or begins with "/", or is not NULL
 *                             for a Unix socket, or `host` is "@" alone or a link-local address without its scope, or
 *                             `seconds` is negative or not a number
 *   - `-EOVERFLOW`            `seconds` is finite, and 2^63 nanoseconds or more
 *   - `-ENAMETOOLONG`         the path of the Unix socket has more than 107 bytes, or the abstract name more than 107
 *                             after its "@"
 *   - `-ENOENT`               there is no Unix socket at that path
 *   - when every address failed, the most telling error of them: `-EMFILE`, `-ENFILE`, `-ENOBUFS` or
 *     `-ENOMEM` before `-ECONNREFUSED`, then `-ECONNRESET`, `-EACCES` or `-EPERM`, `-ETIMEDOUT`,
 *     `-EHOSTUNREACH`, and after these any other of socket(2) and connect(2), among them
 *     `-ENETUNREACH`, `-EADDRNOTAVAIL` and `-EAFNOSUPPORT`; of equals the first
 *
 * The timeout of the connection is all of `seconds` for each operation that follows, not what is left
 * of it. On a socket of your own, or of another kind, use `sock_connect`. A socket of UDP is connected at once, whether
 * or not anybody is there.
 *
 * A signal that is handled meanwhile changes nothing. A name is looked up with getaddrinfo(3); when
 * `seconds` is neither 0 nor infinite, in a thread of its own. That thread blocks all signals but those that it raises
 * itself, such as SIGSEGV and SIGSYS. Without a limit the resolver runs in the calling thread, and may take a signal for
 * a name server that fails. With a numeric address there is no thread, and the name of a service, if it is not a number,
 * is looked up at once. Where too few descriptors or too little memory keep the resolver from its files, the code says so.
 *
 * The thread is gone when the function returns, unless time ran out first: then the lookup is abandoned. Its thread ends
 * when the resolver gives up, and until then counts as a thread of the process, also for what a program may do after
 * fork. Its memory, 300 KiB of addresses of which little is in use, is given back when a later lookup begins. And the
 * object that has the library's code in it, a plug-in perhaps, stays loaded for good.
 *
 * Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
 * several threads: the resolver allocates memory and takes locks. A thread that is cancelled meanwhile
 * leaks descriptors and memory.
 */
int sock_dial(const char *host,
              const char *service,
              double seconds);

/**
 * Connects to a service of a host until a deadline, or until a token cancels it.
 *
 * It is `sock_dial` with other limits. They hold for the lookup of the name, for every attempt and for the handshake.
 *
 * @param host      as in `sock_dial`
 * @param service   as in `sock_dial`
 * @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`; `LIBSOCK_FOREVER` for none
 * @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
 *
 * @return a connected descriptor, close-on-exec and in blocking mode, or the negative of an error number, to which
 * `errno` is set too. The errors are those of `sock_dial`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the token was readable, or had hung up, when there was something to wait for
 *   - `-EBADF`      `token` is negative and not -1, or is not open and there was something to wait for
 *   - `-EINVAL`     `deadline` is not a number
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A deadline that has passed is found before anything is tried, and a negative one has always passed. A token is looked
 * at only when there is something to wait for: a host to be looked up, or a connection that is not made at once. Then it
 * is looked at first, so that a token which was cancelled before the wait cancels it. What was begun is left behind as
 * little as by `sock_dial`: all attempts are closed, and a lookup is abandoned.
 *
 * Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
 * several threads: the resolver allocates memory and takes locks. A thread that is cancelled meanwhile
 * leaks descriptors and memory.
 */
int sock_dial_until(const char *host,
                    const char *service,
                    double deadline,
                    int token);

/**
 * Listens for connections to a service, or makes a socket of UDP that receives what is sent to it.
 *
 * The address of a listener of TCP may be used again at once when it is gone, as if by `SO_REUSEADDR`.
 *
 * @param host     the name or the numeric address of this machine on which to listen, or NULL for all
 *                 addresses, of IPv6 and of IPv4 by the one descriptor (of IPv4 alone where IPv6 is missing or
 *                 refused). With a name it is the first of its addresses that can be listened on; "::" is all
 *                 addresses of IPv6 alone. Or a Unix stream socket, which is made: its path, which begins with "/",
 *                 or its abstract name, which begins with "@"
 * @param service  a port number, or the name of a service; "0" for a port that is free, which
 *                 getsockname(2) and `sock_name` tell. "/udp" after it, as in "53/udp", is for a socket of UDP. NULL
 *                 for a Unix socket
 * @param backlog  how many connections may wait to be accepted; 0 or less for the system's default,
 *                 net.core.somaxconn, which is also the maximum. UDP has none
 *
 * @return a listening descriptor, or one of UDP, close-on-exec and in blocking mode, or the negative of an error
 * number, to which `errno` is set too:
 *   - `-EADDRINUSE`      another socket listens there, or there is a file at the path of the Unix socket
 *   - `-EACCES`          the port is for privileged users, or the directory of the Unix socket cannot be written to
 *   - `-EADDRNOTAVAIL`   the address is not this machine's
 *   - `-EINVAL`          `host` is empty, or `service` is NULL or empty or begins with "/", or is not NULL for a Unix
 *                        socket, or `host` is "@" alone or a link-local address without its scope
 *   - `-ENAMETOOLONG`    the path of the Unix socket has more than 107 bytes, or the abstract name more than 107
 *                        after its "@"
 *   - `-LIBSOCK_EAI_NONAME`, `-LIBSOCK_EAI_NODATA`, `-LIBSOCK_EAI_SERVICE`, `-LIBSOCK_EAI_AGAIN`,
 *     `-LIBSOCK_EAI_FAIL`  the lookup failed, as in `sock_dial`
 *   - any other error of socket(2), bind(2) and listen(2), among them `-EAFNOSUPPORT`, `-EMFILE`,
 *     `-ENFILE`, `-ENOBUFS`, `-ENOENT` and `-ENOMEM`
 *
 * `sock_accept` accepts the connections. A name is looked up with getaddrinfo(3) for as long as it
 * takes; a number takes no time. The file of a Unix socket stays when the listener is gone: unlink(2) removes it.
 *
 * Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
 * several threads: the resolver allocates memory and takes locks.
 */
int sock_listen(const char *host,
                const char *service,
                int backlog);

/**
 * Turns text into an address, without asking anybody.
 *
 * @param host     an address of IPv4 or of IPv6, such as "127.0.0.1", "::1", or with a scope "fe80::1%2" or
 *                 "fe80::1%eth0"; or a Unix path, which begins with "/"; or an abstract Unix name, which begins
 *                 with "@"
 * @param service  the port, from 0 to 65535 in decimals; NULL for a Unix address
 * @param addr     gets the address
 * @param addrlen  gets its length; what it was before does not matter
 *
 * @return 0, or the negative of an error number, to which `errno` is set too:
 *   - `-EINVAL`        `host` is NULL or no address: the name of a host, a short form such as "127.1", a scope that
 *                      does not exist, "@" alone; or `service` is not a port, or not NULL for a Unix address
 *   - `-ENAMETOOLONG`  the Unix path has more than 107 bytes, or the abstract name more than 107 after its "@"
 *   - `-EFAULT`        `addr` or `addrlen` is NULL
 *   - `-EMFILE`, `-ENFILE`, `-ENOBUFS`, `-ENOMEM`  the name of a scope could not be looked up
 *
 * It is for `sock_connect`, `sock_sendto` and bind(2), and for languages that do not have the structs of C. The names
 * of hosts and services are for `sock_dial` and `sock_listen`.
 *
 * No system call is made, but that the kernel is asked for the index of an interface which is given by name.
 */
int sock_address(const char *host,
                 const char *service,
                 struct sockaddr_storage *addr,
                 socklen_t *addrlen);

/**
 * Turns an address into text, without asking anybody.
 *
 * @param addr     the address, as accept(2), recvfrom(2), getsockname(2) and getpeername(2) give it
 * @param addrlen  its length
 * @param host     gets the text, which ends with a NUL; or NULL, if only the port is asked for. What
 *                 `sock_address` takes for the same address: "127.0.0.1", "::1", "fe80::1%2" with the scope as a
 *                 number, the path of a Unix socket, or "@" and its abstract name. A Unix socket without a name
 *                 is ""
 * @param size     the room at `host`; 110 is enough for every address
 *
 * @return the port, 0 for a Unix address, or the negative of an error number, to which `errno` is set too:
 *   - `-ENOSPC`        the text and its NUL do not fit into `size` bytes
 *   - `-EINVAL`        `addrlen` is too short for an address of that family, or longer than any; or it is an abstract
 *                      name with a NUL in it, or a relative path that begins with "@", which no text stands for
 *   - `-EAFNOSUPPORT`  the address is of another family
 *   - `-EFAULT`        `addr` is NULL
 *
 * A Unix path that is relative stays relative, and `sock_address` does not take it. No system call is made.
 */
int sock_name(const struct sockaddr *addr,
              socklen_t addrlen,
              char *host,
              size_t size);

/**
 * Puts a result into words.
 *
 * @param code  what a function of this library returned
 *
 * @return a constant string in English, never NULL: "Success" for 0 or more, the error's text for a negative
 * result, "Unknown error" for a negative number that is no error's
 *
 * Safe to call from any thread, from a signal handler and after fork, unlike strerror(3).
 */
const char *sock_strerror(ssize_t code);

/**
 * Tells the version of the library.
 *
 * @return the version as a constant string, such as "0.1.0"; `LIBSOCK_VERSION` is that of the header
 */
const char *sock_version(void);

#ifdef __cplusplus
}
#endif

#endif /* LIBSOCK_SOCK_H */
