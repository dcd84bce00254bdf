<?php

declare(strict_types=1);

namespace Sock;

/** A socket in one of the modes. Seconds of null, or INF, are blocking mode, 0 is non-blocking mode. */
final class Socket
{
    use OneOwner;

    public const POLLIN = 0x001;
    public const POLLOUT = 0x004;

    /** Of each fiber: a deadline, and tokens. */
    private static ?\WeakMap $limits = null;
    private static ?\stdClass $main = null;

    private string $unread = '';
    private int $transferred = 0;

    /** Of a descriptor, with the mode that it has. */
    public function __construct(int $fd)
    {
        Library::check(Library::ffi()->sock_gettimeout(self::int($fd), \FFI::addr(Library::ffi()->new('double'))));
        $this->own($fd);
    }

    public function __debugInfo(): array
    {
        return ['descriptor' => $this->fd];
    }

    /**
     * Connects to a host by name, lookup included, within so many seconds, which become the timeout.
     *
     * "53/udp" is for UDP; a host that begins with "/" or "@" is a Unix socket.
     */
    public static function dial(string $host, string|int|null $service = null, ?float $seconds = null): self
    {
        [$host, $service, $seconds] = [self::host($host), self::text($service), self::seconds($seconds)];
        if ($seconds == 0) {
            throw new NotReadyException(\SOCKET_EAGAIN);
        }
        [$limit, $tokens] = self::limits();
        $deadline = min($limit, Library::ffi()->sock_deadline($seconds));
        $call = fn (float $until, int $token): int => Library::ffi()->sock_dial_until($host, $service, $until, $token);
        $socket = self::made(...Library::wait($call, $deadline, $tokens));
        $socket->setTimeout($seconds);
        return $socket;
    }

    /** Listens in blocking mode. A host of null is all addresses, service 0 any port. */
    public static function listen(?string $host, string|int|null $service = null, int $backlog = 0): self
    {
        $host = $host === null ? null : self::host($host);
        return self::made(Library::ffi()->sock_listen($host, self::text($service), self::int($backlog)));
    }

    /**
     * All that is called in the body ends within so many seconds altogether, or when the token is cancelled.
     *
     * The timeouts of the sockets hold besides, and so do the limits around it.
     */
    public static function within(?float $seconds, callable $body, ?Token $token = null): mixed
    {
        [$deadline, $tokens] = $outer = self::limits();
        $key = self::key();
        $token?->open();
        $deadline = min($deadline, Library::ffi()->sock_deadline(self::seconds($seconds)));
        self::$limits[$key] = [$deadline, $token === null ? $tokens : [...$tokens, $token]];
        try {
            return $body();
        } finally {
            self::$limits[$key] = $outer;
        }
    }

    public function setTimeout(?float $seconds): void
    {
        Library::check(Library::ffi()->sock_settimeout($this->fd, self::seconds($seconds)));
    }

    public function getTimeout(): float
    {
        $seconds = Library::ffi()->new('double');
        Library::check(Library::ffi()->sock_gettimeout($this->fd, \FFI::addr($seconds)));
        return $seconds->cdata;
    }

    /** How many bytes the last sendAll() or recvAll() moved, whatever ended it. */
    public function transferred(): int
    {
        return $this->transferred;
    }

    /** Gives how many bytes of it were sent. */
    public function send(string $data, int $flags = 0): int
    {
        [$code, $thrown] = $this->run(fn (float $until, int $token): int => Library::ffi()->sock_send_until(
            $this->fd,
            $data,
            \strlen($data),
            self::int($flags),
            $until,
            $token
        ));
        return $thrown ? throw $thrown : Library::check($code);
    }

    /** Sends a datagram to a host, in digits, and a port, or to the path of a Unix socket. */
    public function sendTo(string $data, string $host, string|int|null $port = null): int
    {
        [$address, $length] = self::packed($host, $port);
        [$code, $thrown] = $this->run(fn (float $until, int $token): int => Library::ffi()->sock_sendto_until(
            $this->fd,
            $data,
            \strlen($data),
            0,
            $address,
            $length,
            $until,
            $token
        ));
        return $thrown ? throw $thrown : Library::check($code);
    }

    /** Sends all of it within one timeout. */
    public function sendAll(string $data): void
    {
        [$code, $thrown] = $this->runAll(0, fn (int $done, \FFI\CData $part, float $until, int $token): int
            => Library::ffi()->sock_sendall_until(
                $this->fd,
                $done === 0 ? $data : substr($data, $done),
                \strlen($data) - $done,
                0,
                \FFI::addr($part),
                $until,
                $token
            ));
        $thrown ? throw $thrown : Library::check($code, $this->transferred);
    }

    /** Gives an empty string at the end of the stream, and for a size of 0. */
    public function recv(int $size, int $flags = 0): string
    {
        if (self::size($size) === 0 || $this->unread !== '') {
            return $flags & MSG_PEEK ? substr($this->unread, 0, $size) : $this->take($size);
        }
        $buffer = Library::ffi()->new("char[$size]");
        [$code, $thrown] = $this->run(fn (float $until, int $token): int
            => Library::ffi()->sock_recv_until($this->fd, $buffer, $size, self::int($flags), $until, $token));
        if ($thrown) {
            $this->unread = \FFI::string($buffer, max(0, min($code, $size))); // The next receive gives it.
            throw $thrown;
        }
        return \FFI::string($buffer, min(Library::check($code), $size));
    }

    /**
     * Gives a datagram, and the host and the port, or the path of a Unix socket and 0, that it came from.
     *
     * @return array{string, string, int}
     */
    public function recvFrom(int $size): array
    {
        $ffi = Library::ffi();
        $buffer = $ffi->new('char[' . max(1, self::size($size)) . ']');
        [$address, $length] = [$ffi->new('char[128]'), $ffi->new('unsigned')];
        [$code, $thrown] = $this->run(function (float $until, int $token) use ($buffer, $size, $address, $length): int {
            $length->cdata = 128;
            $place = \FFI::addr($length);
            return Library::ffi()->sock_recvfrom_until($this->fd, $buffer, $size, 0, $address, $place, $until, $token);
        });
        $count = $thrown ? throw $thrown : Library::check($code);
        return [\FFI::string($buffer, $count), ...self::unpacked($address, $length->cdata)];
    }

    /** Receives that many bytes within one timeout. */
    public function recvAll(int $size): string
    {
        $head = $this->take(self::size($size));
        if (\strlen($head) === $size) {
            return $head;
        }
        $buffer = Library::ffi()->new("char[$size]");
        \FFI::memcpy($buffer, $head, \strlen($head));
        [$code, $thrown] = $this->runAll(\strlen($head), fn (int $done, \FFI\CData $part, float $until, int $token): int
            => Library::ffi()->sock_recvall_until(
                $this->fd,
                $buffer + $done,
                $size - $done,
                0,
                \FFI::addr($part),
                $until,
                $token
            ));
        $came = \FFI::string($buffer, $this->transferred);
        if ($thrown) {
            $this->unread = $came; // The next receive gives it.
            throw $thrown;
        }
        try {
            Library::check($code, $this->transferred);
        } catch (SocketException $error) {
            $error->data = $came;
            throw $error;
        }
        return $came;
    }

    /**
     * Gives a line, or whatever ends in the delimiter; null at the end of the stream.
     *
     * What comes after it stays for the next receive, and so does what came before an error.
     */
    public function recvLine(string $delimiter = "\n", int $limit = 65536): ?string
    {
        $limit = max(self::size($limit), \strlen($this->unread), 1);
        $buffer = Library::ffi()->new("char[$limit]");
        $have = Library::ffi()->new('size_t');
        $have->cdata = \strlen($this->unread);
        \FFI::memcpy($buffer, $this->unread, $have->cdata);
        try {
            [$code, $thrown] = $this->run(fn (float $until, int $token): int => Library::ffi()->sock_recvdelim_until(
                $this->fd,
                $buffer,
                $limit,
                \FFI::addr($have),
                $delimiter,
                \strlen($delimiter),
                $until,
                $token
            ));
        } finally {
            $this->unread = \FFI::string($buffer, $have->cdata);
        }
        $size = $thrown ? throw $thrown : Library::check($code);
        return $size === 0 ? null : $this->take($size);
    }

    /** @return \Generator<string> */
    public function lines(string $delimiter = "\n", int $limit = 65536): \Generator
    {
        while (($line = $this->recvLine($delimiter, $limit)) !== null) {
            yield $line;
        }
    }

    /** Connects to a host, in digits, and a port, or to the path of a Unix socket. */
    public function connect(string $host, string|int|null $port = null): void
    {
        [$address, $length] = self::packed($host, $port);
        [$code, $thrown] = $this->run(fn (float $until, int $token): int
            => Library::ffi()->sock_connect_until($this->fd, $address, $length, $until, $token));
        $thrown ? throw $thrown : Library::check($code);
    }

    /** Gives a new Socket in blocking mode. */
    public function accept(): self
    {
        return self::made(...$this->run(fn (float $until, int $token): int
            => Library::ffi()->sock_accept_until($this->fd, null, null, $until, $token)));
    }

    /** Waits for POLLIN, POLLOUT or both, in any mode, and gives what is ready. */
    public function wait(int $events, ?float $seconds = null): int
    {
        $events = self::int($events);
        $seconds = self::seconds($seconds);
        if ($seconds == 0) {
            return Library::check(Library::ffi()->sock_wait($this->fd, $events, 0));
        }
        [$limit, $tokens] = self::limits();
        $call = fn (float $until, int $token): int
            => Library::ffi()->sock_wait_until($this->fd, $events, $until, $token);
        [$code, $thrown] = Library::wait($call, min($limit, Library::ffi()->sock_deadline($seconds)), $tokens);
        return $thrown ? throw $thrown : Library::check($code);
    }

    /**
     * The host and the port, or the path of a Unix socket and 0.
     *
     * @return array{string, int}
     */
    public function localAddress(): array
    {
        return $this->address('getsockname');
    }

    /** @return array{string, int} */
    public function remoteAddress(): array
    {
        return $this->address('getpeername');
    }

    /** Ends both directions, and the waits in them, in all who have the socket. */
    public function shutdown(): void
    {
        Library::check(Library::libc(Library::ffi()->shutdown($this->fd, 2)));
    }

    /**
     * What is ready costs one call. What waits does so until one moment, that of the mode or of the limits around it.
     *
     * @param \Closure(float, int): int $call
     * @return array{int, ?\Throwable}
     */
    private function run(\Closure $call): array
    {
        [$limit, $tokens] = self::limits();
        $code = $call($limit, Library::now());
        if ($code !== -Library::ECANCELED) {
            return [$code, null];
        }
        $seconds = $this->getTimeout();
        if ($seconds == 0) {
            return [-\SOCKET_EAGAIN, null];
        }
        return Library::wait($call, min($limit, Library::ffi()->sock_deadline($seconds)), $tokens);
    }

    /** The same for whole buffers. Each call counts in a place of its own, so that the sum is right wherever one throws. */
    private function runAll(int $before, \Closure $call): array
    {
        $parts = [];
        $moved = function () use (&$parts, $before): int {
            return $before + array_sum(array_map(fn (\FFI\CData $part): int => $part->cdata, $parts));
        };
        try {
            $outcome = $this->run(function (float $until, int $token) use (&$parts, $moved, $call): int {
                $done = $moved();
                $parts[] = $part = Library::ffi()->new('size_t');
                return $call($done, $part, $until, $token);
            });
        } catch (\Throwable $error) {
            $outcome = [-Library::ECANCELED, $error];
        }
        $this->transferred = $moved();
        return $outcome;
    }

    private static function made(int $code, ?\Throwable $thrown = null): self
    {
        if ($thrown !== null && $code >= 0) {
            Library::ffi()->close($code);
        }
        return new self($thrown ? throw $thrown : Library::check($code));
    }

    private function take(int $size): string
    {
        $taken = substr($this->unread, 0, $size);
        $this->unread = substr($this->unread, $size);
        return $taken;
    }

    private function address(string $getName): array
    {
        [$address, $length] = [Library::ffi()->new('char[128]'), Library::ffi()->new('unsigned')];
        $length->cdata = 128;
        Library::check(Library::libc(Library::ffi()->$getName($this->fd, $address, \FFI::addr($length))));
        return self::unpacked($address, $length->cdata);
    }

    private static function packed(string $host, string|int|null $port): array
    {
        [$address, $length] = [Library::ffi()->new('char[128]'), Library::ffi()->new('unsigned')];
        $code = Library::ffi()->sock_address(self::text($host), self::text($port), $address, \FFI::addr($length));
        if ($code === -\SOCKET_EINVAL) {
            throw new \ValueError("not an address: $host");
        }
        Library::check($code);
        return [$address, $length->cdata];
    }

    private static function unpacked(\FFI\CData $address, int $length): array
    {
        $host = Library::ffi()->new('char[110]');
        $port = Library::check(Library::ffi()->sock_name($address, $length, $host, 110));
        return [\FFI::string($host), $port];
    }

    private static function limits(): array
    {
        self::$limits ??= new \WeakMap();
        return self::$limits[self::key()] ?? [Library::FOREVER, []];
    }

    private static function key(): object
    {
        return \Fiber::getCurrent() ?? self::$main ??= new \stdClass();
    }

    private static function host(string $host): string
    {
        if (preg_match('/[^\0-\x7f]/', $host) && !preg_match('{^[/@]}', $host)) {
            \function_exists('idn_to_ascii') || throw new \ValueError('an international name needs the extension intl');
            $host = idn_to_ascii($host) ?: throw new \ValueError("no name of a host: $host");
        }
        return self::text($host);
    }

    /** C would cut a string at a NUL. */
    private static function text(string|int|null $value): ?string
    {
        if ($value !== null && str_contains((string) $value, "\0")) {
            throw new \ValueError('a string with a NUL');
        }
        return $value === null ? null : (string) $value;
    }

    private static function seconds(?float $seconds): float
    {
        $seconds ??= INF;
        if (!($seconds >= 0) || ($seconds !== INF && $seconds * 1e9 >= 2 ** 63)) {
            throw new \ValueError("seconds are 0 or more, and less than 292 years: $seconds");
        }
        return $seconds;
    }

    /** PHP's FFI would take a size modulo 2^32. */
    private static function size(int $size): int
    {
        return $size >= 0 && $size < 2 ** 31 ? $size : throw new \ValueError("a size is from 0 to 2^31 - 1: $size");
    }

    private static function int(int $number): int
    {
        return $number >= -2 ** 31 && $number < 2 ** 31 ? $number : throw new \ValueError("no int of C: $number");
    }
}
