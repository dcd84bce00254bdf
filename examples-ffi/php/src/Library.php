<?php

declare(strict_types=1);

namespace Sock;

/**
 * The functions of C, and how their calls wait.
 *
 * @internal
 */
final class Library
{
    public const FOREVER = INF;
    public const ECANCELED = 125;
    private const LAST_ERRNO = 4095; // The highest number that an error of Linux can have.
    private const SIG_SETMASK = 2;
    private const CLOEXEC = 0x80000;
    private const EPOLL_CTL_ADD = 1;
    private const EPOLLIN = 1;

    private static int $signals = -1;
    private static ?Token $now = null;

    public static function ffi(): \FFI
    {
        static $ffi;
        return $ffi ??= \FFI::cdef(<<<'C'
            int sock_settimeout(int fd, double seconds);
            int sock_gettimeout(int fd, double *seconds);
            ssize_t sock_recv_until(int fd, void *buf, size_t len, int flags, double deadline, int token);
            ssize_t sock_recvfrom_until(int fd, void *buf, size_t len, int flags, void *addr, unsigned *addrlen,
                                        double deadline, int token);
            ssize_t sock_send_until(int fd, const char *buf, size_t len, int flags, double deadline, int token);
            ssize_t sock_sendto_until(int fd, const char *buf, size_t len, int flags, void *addr, unsigned addrlen,
                                      double deadline, int token);
            int sock_sendall_until(int fd, const char *buf, size_t len, int flags, size_t *sent, double deadline,
                                   int token);
            int sock_recvall_until(int fd, void *buf, size_t len, int flags, size_t *received, double deadline,
                                   int token);
            ssize_t sock_recvdelim_until(int fd, void *buf, size_t size, size_t *have, const char *delim,
                                         size_t delimlen, double deadline, int token);
            int sock_connect_until(int fd, void *addr, unsigned addrlen, double deadline, int token);
            int sock_accept_until(int fd, void *addr, unsigned *addrlen, double deadline, int token);
            int sock_wait(int fd, int events, double seconds);
            int sock_wait_until(int fd, int events, double deadline, int token);
            int sock_dial_until(const char *host, const char *service, double deadline, int token);
            int sock_listen(const char *host, const char *service, int backlog);
            int sock_address(const char *host, const char *service, void *addr, unsigned *addrlen);
            int sock_name(void *addr, unsigned addrlen, char *host, size_t size);
            double sock_deadline(double seconds);
            int sock_token(void);
            int sock_cancel(int token);
            const char *sock_strerror(ssize_t code);
            int getsockname(int fd, void *addr, unsigned *addrlen);
            int getpeername(int fd, void *addr, unsigned *addrlen);
            int shutdown(int fd, int how);
            int close(int fd);
            int sigfillset(void *set);
            int sigprocmask(int how, const void *set, void *old);
            int signalfd(int fd, const char *set, int flags);
            int epoll_create1(int flags);
            int epoll_ctl(int epoll, int what, int fd, const char *event);
            int *__errno_location(void);
            C, 'libsock.so.0');
    }

    /** Throws what a code stands for. */
    public static function check(int $code, int $transferred = 0): int
    {
        return $code >= 0 ? $code : throw match (-$code) {
            \SOCKET_EAGAIN => new NotReadyException(-$code, $transferred),
            \SOCKET_ETIMEDOUT => new TimeoutException(-$code, $transferred),
            \SOCKET_EPIPE => new ClosedException(-$code, $transferred),
            self::ECANCELED => new CancelledException(-$code, $transferred),
            default => - $code > self::LAST_ERRNO
                ? new LookupException(-$code, $transferred)
                : new SocketException(-$code, $transferred),
        };
    }

    /** A code of libc's. */
    public static function libc(int $code): int
    {
        return $code < 0 ? -self::ffi()->__errno_location()[0] : $code;
    }

    /** The token of a call that is not to wait: it is cancelled. */
    public static function now(): int
    {
        if (self::$now === null) {
            $now = new Token();
            $now->cancel();
            self::$now = $now;
        }
        return self::$now->descriptor();
    }

    /**
     * Waits until one moment, however many signals come. Gives a code, and what a handler threw when there was one.
     *
     * @param \Closure(float, int): int $call
     * @param list<Token> $tokens
     * @return array{int, ?\Throwable}
     */
    public static function wait(\Closure $call, float $deadline, array $tokens): array
    {
        do {
            [$code, $thrown] = self::waitOnce($call, $deadline, $tokens);
            $cancelled = array_filter($tokens, fn (Token $token) => $token->isCancelled());
        } while ($code === -self::ECANCELED && $thrown === null && $cancelled === []);
        return [$code, $thrown];
    }

    /**
     * With all signals held back. One that comes pends, which is a token, even in the instant before the wait; it is
     * delivered when they are let through again, and then PHP's handlers run.
     */
    private static function waitOnce(\Closure $call, float $deadline, array $tokens): array
    {
        $ffi = self::ffi();
        [$old, $all] = [$ffi->new('char[128]'), $ffi->new('char[128]')];
        $ffi->sigfillset($all);
        $ffi->sigprocmask(self::SIG_SETMASK, null, $old);
        [$code, $thrown, $poll] = [-self::ECANCELED, null, -1];
        try {
            $ffi->sigprocmask(self::SIG_SETMASK, $all, null);
            self::runHandlers();
            // Those that the program itself holds back are none of its concern.
            $chosen = \FFI::string($all, 128) & ~\FFI::string($old, 128);
            self::$signals = self::check(self::libc($ffi->signalfd(self::$signals, $chosen, self::CLOEXEC)));
            $poll = $tokens === [] ? -1 : self::anyOf($tokens);
            $code = $call($deadline, $poll < 0 ? self::$signals : $poll);
        } catch (\Throwable $error) {
            $thrown = $error;
        }
        try {
            $ffi->close($poll);
            $ffi->sigprocmask(self::SIG_SETMASK, $old, null);
            self::runHandlers();
        } catch (\Throwable $error) {
            $thrown = $error;
        }
        return [$code, $thrown];
    }

    private static function runHandlers(): void
    {
        if (\function_exists('pcntl_async_signals') && pcntl_async_signals()) {
            pcntl_signal_dispatch();
        }
    }

    /** One descriptor that stands for all. */
    private static function anyOf(array $tokens): int
    {
        $poll = self::check(self::libc(self::ffi()->epoll_create1(self::CLOEXEC)));
        $event = pack('Lx12', self::EPOLLIN);
        foreach ([self::$signals, ...array_map(fn (Token $token) => $token->open(), $tokens)] as $fd) {
            self::ffi()->epoll_ctl($poll, self::EPOLL_CTL_ADD, $fd, $event);
        }
        return $poll;
    }
}
