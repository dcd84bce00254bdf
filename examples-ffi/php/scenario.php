<?php

// What examples-ffi/SCENARIO.md describes. usage: php scenario.php HOST PORT
// phpcs:disable PSR1.Files.SideEffects -- it is a program

declare(strict_types=1);

require __DIR__ . '/autoload.php';

use Sock\Socket;

/** @return array{Socket, Socket} */
function pair(): array
{
    $libc = FFI::cdef('int socketpair(int domain, int type, int protocol, int *fds);');
    $fds = $libc->new('int[2]');
    $libc->socketpair(AF_UNIX, SOCK_STREAM, 0, $fds) === 0 or throw new RuntimeException('socketpair');
    return [new Socket($fds[0]), new Socket($fds[1])];
}

/** Whether a receive that gets nothing ends on time. */
function timesOut(Socket $connection, float $seconds): bool
{
    $connection->setTimeout($seconds);
    $start = hrtime(true);
    try {
        $connection->recv(1);
    } catch (Sock\TimeoutException) {
        $took = (hrtime(true) - $start) / 1e9;
        return $took >= $seconds && $took < $seconds + 1;
    }
    return false;
}

function notReady(): void
{
    [$near, $far] = pair();
    $near->setTimeout(0);
    try {
        $near->recv(1);
    } catch (Sock\NotReadyException) {
        echo "non-blocking: not ready\n";
    }
    $onTime = timesOut($near, 0.25);
    $far->sendAll('x');
    if ($onTime && $near->recv(1) === 'x') {
        echo "timeout of 0.25 s: fired on time, and the socket is still good\n";
    }
}

/** One thread does both, in non-blocking mode: a part of each whenever there is one. */
function echoBack(string $host, string $port): void
{
    $size = 8 << 20;
    $data = substr(str_repeat(pack('C*', ...range(0, 250)), 33421), 0, $size);
    $connection = Socket::dial($host, $port, 30);
    $connection->setTimeout(0);
    $sent = 0;
    $received = '';
    while (strlen($received) < $size) {
        $connection->wait(Socket::POLLIN | ($sent < $size ? Socket::POLLOUT : 0), 30);
        $part = substr($data, $sent, 65536);
        try {
            $connection->sendAll($part);
            $sent += strlen($part);
        } catch (Sock\NotReadyException $error) {
            $sent += $error->transferred;
        }
        try {
            $received .= $connection->recvAll(min(65536, $size - strlen($received)));
        } catch (Sock\NotReadyException $error) {
            $received .= $error->data;
        }
    }
    if ($received === $data) {
        printf("echo: %d bytes there and back, Adler-32 %s\n", strlen($received), hash('adler32', $received));
    }
}

function earlyClose(): void
{
    [$near, $far] = pair();
    $far->sendAll(str_repeat("\0", 1000));
    unset($far);
    try {
        $near->recvAll(4096);
    } catch (Sock\ClosedException $error) {
        $received = $error->transferred;
    }
    try {
        $near->sendAll(str_repeat("\0", 4096));
    } catch (Sock\ClosedException $error) {
        echo "early close: $received of 4096 bytes received, then $error->transferred of 4096 sent\n";
    }
}

function interrupted(): void
{
    [$near, $far] = pair();
    $handled = 0;
    pcntl_async_signals(true);
    pcntl_signal(SIGUSR1, function () use (&$handled) {
        $handled++;
    });
    exec('(sleep 0.1; kill -USR1 ' . getmypid() . ') >/dev/null 2>&1 &');
    if (timesOut($near, 0.5) && $handled === 1) {
        echo "signal during a timeout of 0.5 s: handled, and fired on time\n";
    }
}

function byName(): void
{
    $listener = Socket::listen('127.0.0.1', 0);
    $near = Socket::dial('localhost', $listener->localAddress()[1], 5);
    $far = $listener->accept();
    $near->sendAll('hello');
    if ($near->getTimeout() === 5.0 && $far->recvAll(5) === 'hello') {
        echo "by name: dialed, with a timeout of 5 s, and hello went through\n";
    }
}

function lookupError(string $host, string|int $service, int $code): string
{
    try {
        Socket::dial($host, $service, 5);
    } catch (Sock\LookupException $error) {
        return $error->getCode() === $code ? $error->getMessage() : (string) $error;
    }
    return '';
}

function lookups(): void
{
    $host = lookupError('no such host', 7, Sock\LookupException::NO_HOST);
    $service = lookupError('127.0.0.1', 'no-such-service', Sock\LookupException::NO_SERVICE);
    try {
        Socket::dial("127.0.0.1\0.example", 7, 5);
    } catch (ValueError) {
        echo "lookups that fail: $host, $service\n";
    }
}

notReady();
echoBack($argv[1], $argv[2]);
earlyClose();
interrupted();
byName();
lookups();
