<?php

// libsock's socket modes for PHP: blocking, non-blocking, or an exact timeout for every operation.
//
// It needs libsock (make install) and PHP 8.1 or later with the extensions ffi and sockets (for its constants),
// which on Debian are in php-cli; anywhere but on the command line ffi.enable must allow it. Copy this file into
// your project. The program beside it: php scenario.php HOST PORT, with the address of a running echo-server.
//
//     $connection = Sock\Socket::dial('localhost', 7007, 5);
//     $connection->setTimeout(0.25);
//     $data = $connection->recv(4096);
//
// What fails throws a Sock\Error, whose code is the errno: a Sock\NotReady in non-blocking mode, a Sock\Timeout,
// a Sock\Closed for a peer that closed. Its `transferred` tells how many bytes moved all the same, its `data`
// what recvAll received. A lookup that fails throws a Sock\LookupError, whose code is one of its constants.
//
// With pcntl_async_signals(true), signal handlers run as soon as a signal comes. One that throws ends the wait; after
// one that returns, it goes on for the time that is left. Only dial and listen are not interrupted: handlers run after
// them.
//
// The sockets and streams of PHP do not give up their descriptors: a Socket is made by dial(), listen() and accept(),
// or of any other descriptor. It does not send or receive datagrams with addresses. A call that waits occupies the
// process, fibers included: with an event loop use non-blocking mode.

declare(strict_types=1);

namespace Sock;

class Error extends \RuntimeException
{
    public string $data = '';

    public function __construct(int $errno, public readonly int $transferred)
    {
        parent::__construct(Socket::lib()->sock_strerror(-$errno), $errno);
    }
}

final class NotReady extends Error {}
final class Timeout extends Error {}
final class Closed extends Error {}

final class LookupError extends Error
{
    public const NO_HOST = 5002;
    public const TRY_AGAIN = 5003;
    public const FAILED = 5004;
    public const NO_ADDRESS = 5005;
    public const NO_SERVICE = 5008;
}

/** Owns a descriptor, and closes it. Seconds are as in sock.h: 0 is non-blocking mode, INF blocking mode. */
final class Socket
{
    public const POLLIN = 0x001;
    public const POLLOUT = 0x004;
    private const LAST_ERRNO = 4095; // The highest number that an error of Linux can have.

    public static function lib(): \FFI
    {
        static $lib;
        return $lib ??= \FFI::cdef(<<<'C'
            int sock_settimeout(int fd, double seconds);
            int sock_gettimeout(int fd, double *seconds);
            int sock_setinterrupt(int fd, int on);
            ssize_t sock_recv(int fd, void *buf, size_t len, int flags);
            int sock_sendall(int fd, const char *buf, size_t len, int flags, size_t *sent);
            int sock_recvall(int fd, void *buf, size_t len, int flags, size_t *received);
            int sock_accept(int fd, void *addr, unsigned *addrlen);
            int sock_dial(const char *host, const char *service, double seconds);
            int sock_listen(const char *host, const char *service, int backlog);
            int sock_wait(int fd, int events, double seconds);
            const char *sock_strerror(ssize_t code);
            int getsockname(int fd, void *addr, unsigned *addrlen);
            int close(int fd);
            int *__errno_location(void);
            C, 'libsock.so.0');
    }

    public function __construct(private int $fd)
    {
        self::check(self::lib()->sock_setinterrupt($fd, 1));
    }

    public function __destruct()
    {
        self::lib()->close($this->fd);
    }

    /** Connects by TCP, lookup included, within so many seconds, which become the timeout. */
    public static function dial(string $host, string|int $service, float $seconds = INF): self
    {
        return new self(self::check(self::lib()->sock_dial(self::text($host), self::text($service), $seconds)));
    }

    /** Listens in blocking mode. A host of null is all addresses, service 0 any port. */
    public static function listen(?string $host, string|int $service, int $backlog = 0): self
    {
        $host = $host === null ? null : self::text($host);
        return new self(self::check(self::lib()->sock_listen($host, self::text($service), $backlog)));
    }

    /** The port of this end, for TCP. */
    public function port(): int
    {
        [$address, $length] = [self::lib()->new('char[28]'), self::lib()->new('unsigned')]; // sockaddr_in6
        $length->cdata = 28;
        $code = self::lib()->getsockname($this->fd, $address, \FFI::addr($length));
        self::check($code < 0 ? -self::lib()->__errno_location()[0] : 0);
        return unpack('n', \FFI::string($address, 4), 2)[1];
    }

    public function setTimeout(float $seconds): void
    {
        self::check(self::lib()->sock_settimeout($this->fd, $seconds));
    }

    public function getTimeout(): float
    {
        $seconds = self::lib()->new('double');
        self::check(self::lib()->sock_gettimeout($this->fd, \FFI::addr($seconds)));
        return $seconds->cdata;
    }

    /** Gives an empty string at the end of the stream. */
    public function recv(int $size): string
    {
        $buffer = self::lib()->new("char[$size]");
        return \FFI::string($buffer, $this->run(self::POLLIN, fn ($done, $more) =>
            self::lib()->sock_recv($this->fd, $buffer, $size, $more)));
    }

    /** Sends all of it within one timeout. */
    public function sendAll(string $data): void
    {
        $part = self::lib()->new('size_t');
        $this->run(self::POLLOUT, fn ($done, $more) => self::lib()->sock_sendall(
            $this->fd, substr($data, $done), strlen($data) - $done, $more, \FFI::addr($part)), $part);
    }

    /** Receives that many bytes within one timeout. */
    public function recvAll(int $size): string
    {
        [$buffer, $part] = [self::lib()->new("char[$size]"), self::lib()->new('size_t')];
        try {
            $this->run(self::POLLIN, fn ($done, $more) => self::lib()->sock_recvall(
                $this->fd, $buffer + $done, $size - $done, $more, \FFI::addr($part)), $part);
        } catch (Error $error) {
            $error->data = \FFI::string($buffer, $error->transferred);
            throw $error;
        }
        return \FFI::string($buffer, $size);
    }

    public function accept(): self
    {
        return new self($this->run(self::POLLIN, fn () => self::lib()->sock_accept($this->fd, null, null)));
    }

    /** Waits for POLLIN, POLLOUT or both, in any mode, and gives what is ready. */
    public function wait(int $events, float $seconds = INF): int
    {
        return $this->run($events, fn () => self::lib()->sock_wait($this->fd, $events, $seconds), null, $seconds);
    }

    // PHP runs its handlers when a call has come back with EINTR. To go on it waits, and then calls without
    // waiting: the timeout, which other processes may be using, stays as it is.
    private function run(int $events, \Closure $call, ?\FFI\CData $part = null, ?float $seconds = null): int
    {
        $start = hrtime(true);
        $code = $call(0, 0);
        $done = $part?->cdata ?? 0;
        while ($code === -\SOCKET_EINTR) {
            $left = ($seconds ?? $this->getTimeout()) - (hrtime(true) - $start) / 1e9;
            $code = $left > 0 ? self::lib()->sock_wait($this->fd, $events, $left) : -\SOCKET_ETIMEDOUT;
            if ($code > 0) {
                $code = $call($done, \MSG_DONTWAIT);
                $done += $part?->cdata ?? 0;
                $code = $code === -\SOCKET_EAGAIN ? -\SOCKET_EINTR : $code;
            }
        }
        return self::check($code, $done);
    }

    private static function text(string|int $value): string
    {
        return str_contains((string) $value, "\0") ? throw new \ValueError('a string with a NUL') : (string) $value;
    }

    private static function check(int $code, int $transferred = 0): int
    {
        return $code >= 0 ? $code : throw match (-$code) {
            \SOCKET_EAGAIN => new NotReady(-$code, $transferred),
            \SOCKET_ETIMEDOUT => new Timeout(-$code, $transferred),
            \SOCKET_EPIPE => new Closed(-$code, $transferred),
            default => -$code > self::LAST_ERRNO
                ? new LookupError(-$code, $transferred)
                : new Error(-$code, $transferred),
        };
    }
}
