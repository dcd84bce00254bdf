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
 * An operation that cannot complete within the timeout fails with `-ETIMEDOUT`. That is never early, and late only by
 * the time that the system takes to schedule the thread. The socket is still good, and every byte that was sent or
 * received is counted. The mode belongs to the socket: all its duplicates have it, in every process.
 *
 * Sending and receiving share the mode. To give each a limit of its own, use the functions whose names end in
 * `_until`: they take their limits as arguments, and neither obey the mode nor change it.
 *
 * To set the timeout that is there already costs four system calls, another timeout six, a change from another mode up to
 * ten, and the first mode of a socket up to sixteen. So set it once, to the longest time that a single wait may last. For
 * a limit that covers several calls, or differs from call to call, use a deadline: `sock_deadline` makes no system call.
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
 * socket sees them. With a timeout, a plain recv(2) on it fails with `EAGAIN` a little before the timeout is over. It fails
 * at once, because `O_NONBLOCK` is set, if the timeout is a few milliseconds or the socket is neither a TCP nor a Unix
 * socket. `SO_PEEK_OFF` is negative, which means "off". If other code has set it to 0 or more, this library does not
 * change it.
 *
 * On some sockets a timeout may be late by about a tick of the kernel's timer (1 to 10 ms), or by up to three minutes if
 * it is over a week. It is never early there either. These are MPTCP sockets; and TCP sockets before Linux 6.9, or with a
 * `SO_PEEK_OFF` of other code, if another process has set the timeout or the process has more than 16,384 of them. On all
 * other sockets a timeout of over a week is exact to 10 microseconds.
 */
int sock_settimeout(int fd,
                    double seconds);

/**
 * Tells a socket's timeout.
 *
 * @param fd       the socket
 * @param seconds  where to put the timeout: what was set, to the nanosecond; 0 in non-blocking
 *                 mode, `LIBSOCK_FOREVER` in blocking mode. It is not changed on failure. On sockets
 *                 on which a timeout may be late (see `sock_settimeout`), it may be longer by as much
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
 * installed with `SA_RESTART`. Functions that count tell how much was done. This is for languages
 * that run their handlers only between calls. A process that is stopped and continued (`SIGSTOP`,
 * `SIGCONT`) may then get `-EINTR` too, although no handler has run. The setting belongs to the socket,
 * like the mode. It is kept when the mode changes, but may end when other code sets `SO_RCVTIMEO` or `SO_SNDTIMEO`. If
 * another thread or process sets a mode at the same time, one of the two changes may be lost.
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
 * In blocking mode all bytes are sent on a stream. If an error occurs or a signal is handled when a part was sent, the
 * call ends with that part, as send(2) does; a signal does this even without `sock_setinterrupt`. With a timeout, and in
 * non-blocking mode, a part may be sent in any case. A message is always sent whole. `sock_sendall` sends all of a buffer
 * in every mode. SIGPIPE is never raised.
 *
 * @param fd     the socket
 * @param buf    the bytes; may be NULL if `len` is 0
 * @param len    how many
 * @param flags  0, or `MSG_` flags of send(2). `MSG_NOSIGNAL` is implied; `MSG_DONTWAIT` makes it
 *               non-blocking whatever the mode
 *
 * @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
 * nothing was sent then:
 *   - `-EAGAIN`      non-blocking mode: there is no room; in any mode: no local port is free
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
 * @param len    how many at most. Bytes of a message that do not fit are lost
 * @param flags  0, or `MSG_` flags of recv(2). `MSG_DONTWAIT` makes it non-blocking whatever the mode;
 *               `MSG_ERRQUEUE` and `MSG_OOB` never wait. With a timeout, a receive with `MSG_WAITALL` or
 *               `SO_RCVLOWAT` may end after eight ninths of it, with what has come by then;
 *               `sock_recvall` uses all of it
 *
 * @return how many bytes were received; 0 when the peer of a stream has closed its side, or for an
 * empty message; or the negative of an error number, to which `errno` is set too:
 *   - `-EAGAIN`        non-blocking mode: nothing has come
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
 * @param len      how many bytes at most. Bytes of the message that do not fit are lost
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
 * The timeout limits the whole call, however many steps it takes. SIGPIPE is never raised.
 *
 * @param fd     the socket
 * @param buf    the bytes; may be NULL if `len` is 0
 * @param len    how many. If 0, nothing is sent, not even an empty message
 * @param flags  as for `sock_send`
 * @param sent   where to put how many bytes were sent: `len` on success, and exact on every failure.
 *               May be NULL
 *
 * @return 0 once all are sent, or the negative of an error number, to which `errno` is set too. The
 * errors are those of `sock_send`; `*sent` bytes were sent nevertheless.
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
 * The timeout limits the whole call, however many steps it takes. It is meant for streams. From a socket
 * with messages it receives one message after the other, cuts one that does not fit, and takes an empty
 * one for the end.
 *
 * @param fd        the socket
 * @param buf       where to put the bytes; may be NULL if `len` is 0
 * @param len       how many. If 0, nothing is received
 * @param flags     as for `sock_recv`
 * @param received  where to put how many bytes were received: `len` on success, and exact on every
 *                  failure; that many are in `buf`, unless `flags` have `MSG_TRUNC`. May be NULL
 *
 * @return 0 once the buffer is full, or the negative of an error number, to which `errno` is set too.
 * The errors are those of `sock_recv`; `*received` bytes were received nevertheless. With
 * `sock_setinterrupt` on, `-EINTR` may also tell of control or urgent data in the stream, at which the
 * kernel stopped. And:
 *   - `-EPIPE`   the peer closed its side first
 *   - `-EINVAL`  `flags` has `MSG_PEEK`: a second receive would see the same bytes
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
 * socket's mode says. A timeout limits the whole call, however many steps it takes.
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
 * A delimiter that is already there costs no system call. In non-blocking mode `-EAGAIN` means that the
 * delimiter has not come yet. What has come is kept, and the next call goes on from there. So it is after a timeout.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A delimiter that is already there costs no system call, and is found whatever the deadline and the token. What has come
 * is kept when the deadline or the token ends the call, and the next call goes on from there.
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
 * An attempt that is interrupted, or runs out of time, goes on by itself. Call `sock_connect` on the same
 * socket again to wait for its end: without a limit in blocking mode, for the timeout otherwise.
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
int sock_connect(int fd,
                 const struct sockaddr *addr,
                 socklen_t addrlen);

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
 *   - `-EINVAL`      `fd` is not listening, or was shut down, even during the wait; or `*addrlen` is over
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
 * It is `sock_connect` with other limits: the deadline and the token hold in every mode, and the mode is not obeyed.
 * If the deadline passes or the token cancels, the attempt goes on by itself, and a later call can wait for its end.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * While it begins the attempt, the socket has `O_NONBLOCK` set. If the deadline has already
 * passed, the call fails before anything is tried. The token is looked at only if the call has to wait, and then before
 * the socket. A signal ends the wait only with `sock_setinterrupt`.
 */
int sock_connect_until(int fd,
                       const struct sockaddr *addr,
                       socklen_t addrlen,
                       double deadline,
                       int token);

/**
 * Accepts a connection until a deadline, or until a token cancels it.
 *
 * It is `sock_accept` with other limits: the deadline and the token hold in every mode, and the mode is not obeyed.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * A listener that could wait in the kernel has `O_NONBLOCK` set from now on, until its mode is next set: other code that
 * accepts from it must expect `EAGAIN`. To this library its mode stays what it was. If the deadline has
 * already passed, the call fails before anything is tried. The token is looked at only if the call has to wait, and then
 * before the socket. A signal ends the wait only with `sock_setinterrupt`.
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
 *   - `-ETIMEDOUT`  nothing became ready within `seconds`
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
 * Gives the deadline that is a number of seconds from now.
 *
 * All functions whose names end in `_until` take it, so that several calls share one limit.
 *
 * @param seconds  how long from now
 *
 * @return the moment in seconds of `CLOCK_MONOTONIC`, rounded up: never early. Infinity and what is not a number
 * are returned as they are. Negative seconds give a moment in the past
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
 *   - `-ENODEV`  the kernel was built without such descriptors
 */
int sock_token(void);

/**
 * Cancels every wait with a token, now and from now on.
 *
 * A token cannot be reset, for that would race with waits that have not looked at it yet: make a new one. Every call that
 * waits with the token, or has to wait later, gives `-ECANCELED`. Bytes that were moved are counted, and the socket is
 * still good. To remove a token, cancel it, wait until nobody uses it, and close it.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 * @return how many bytes were received, which is 0 for an empty message, or the negative of an error number,
 * to which `errno` is set too. The errors are those of `sock_recvfrom`, and:
 *   - `-ETIMEDOUT`  the deadline has passed
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 * changed. It looks at both between any two steps, so that a peer which never stops cannot hold it for longer.
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
 *   - `-ETIMEDOUT`  the deadline has passed; `*sent` bytes were sent nevertheless
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 * changed. It looks at both between any two steps, so that a peer which never stops cannot hold it for longer.
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
 *   - `-ETIMEDOUT`  the deadline has passed; `*received` bytes were received nevertheless
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
 * looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
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
 * the system's order of preference. The next attempt begins when the one before has failed, or after 250 ms;
 * earlier if otherwise not every address would have its turn in the first half of the time. There are at most 128
 * attempts at once. The first connection that is made is the result, and the other attempts are closed.
 *
 * @param host     the name of the host, or a numeric address: of IPv4, or of IPv6, with its scope
 *                 where it needs one, such as "fe80::1%eth0". Or a Unix stream socket: its path, which begins with
 *                 "/", or its abstract name, which begins with "@"
 * @param service  a port number from 0 to 65535, or the name of a service, such as "http". "/udp" after it, as in
 *                 "53/udp" or "domain/udp", is for a socket of UDP; "/tcp" may be there too. NULL for a Unix socket
 * @param seconds  how long it may take, as in `sock_settimeout`: with 0, only a numeric address or a Unix socket can be
 *                 connected to, at once; `LIBSOCK_FOREVER` sets no limit
 *
 * @return a connected descriptor, close-on-exec, with `seconds` for its timeout, or the negative of
 * an error number, to which `errno` is set too:
 *   - `-ETIMEDOUT`            no connection was made within `seconds`, or the network's own timeout came first
 *   - `-EAGAIN`               `seconds` is 0 and no connection could be made at once, or 64 lookups that were
 *                             abandoned are still under way
 *   - `-LIBSOCK_EAI_NONAME`   there is no such host, or no host can have that name
 *   - `-LIBSOCK_EAI_NODATA`   the host has no address
 *   - `-LIBSOCK_EAI_SERVICE`  there is no such service, no port of that number, or no such protocol
 *   - `-LIBSOCK_EAI_AGAIN`    the name servers fail at the moment
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
 * fork. Its memory (300 KiB of address space, little of it in use) is given back when a later lookup begins. The
 * object that contains the library's code, such as a plug-in, stays loaded for good.
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
 *   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
 *   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
 *   - `-EINVAL`     `deadline` is not a number
 *   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
 *
 * If the deadline has already passed, the call fails before anything is tried; a negative one has always passed. The token
 * is looked at only if the call has to wait: for the lookup of a host, or for a connection that is not made at once. Then
 * it is looked at first, so that a token which was cancelled earlier cancels the wait. Nothing is left behind
 * that `sock_dial` would not leave: all attempts are closed, and a lookup is abandoned.
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
 * Converts text to an address, without a name server.
 *
 * @param host     an address of IPv4 or of IPv6, such as "127.0.0.1", "::1", or with a scope "fe80::1%2" or
 *                 "fe80::1%eth0"; or a Unix path, which begins with "/"; or an abstract Unix name, which begins
 *                 with "@"
 * @param service  the port, from 0 to 65535 in decimals; NULL for a Unix address
 * @param addr     gets the address
 * @param addrlen  gets its length; its value before the call does not matter
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
 * No system call is made, except to look up the index of an interface that is given by name.
 */
int sock_address(const char *host,
                 const char *service,
                 struct sockaddr_storage *addr,
                 socklen_t *addrlen);

/**
 * Converts an address to text, without a name server.
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
 * Describes a result in words.
 *
 * @param code  what a function of this library returned
 *
 * @return a constant string in English, never NULL: "Success" for 0 or more, the error's text for a negative
 * result, "Unknown error" for a negative number that no error has
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
