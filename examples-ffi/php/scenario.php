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
    soon(function () use (&$handled) {
        $handled++;
    });
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
    echo "lookups that fail: $host, $service\n";
    if (thrown(fn () => Socket::dial("127.0.0.1\0.example", 7, 5)) instanceof ValueError) {
        echo "a host with a NUL: refused\n";
    }
}

function thrown(callable $call): ?Throwable
{
    try {
        $call();
    } catch (Throwable $error) {
        return $error;
    }
    return null;
}

function sizes(): void
{
    [$near, $far] = pair();
    $near->setTimeout(0.25);
    if ($near->recv(0) === '') {
        echo "receive of 0 bytes: nothing, at once\n";
    }
    // 2^63 is a float, and no size for that.
    $errors = [thrown(fn () => $near->recv(-1)), thrown(fn () => $near->recv(2 ** 63))];
    if ($errors[0] instanceof ValueError && $errors[1] instanceof TypeError) {
        echo "sizes of -1 and 2^63: refused\n";
    }
}

function deadline(): void
{
    [$near, $far] = pair();
    $start = hrtime(true);
    $error = thrown(fn () => Socket::within(0.3, function () use ($near, $far) {
        for ($i = 0; $i < 100; $i++) {
            $far->sendAll('x');
            $near->recv(1);
            usleep(20000);
        }
    }));
    $took = (hrtime(true) - $start) / 1e9;
    if ($error instanceof Sock\TimeoutException && $took >= 0.3) {
        echo "deadline of 0.3 s over many calls: on time, though the peer went on sending\n";
    }
}

/** The handler of a signal that comes in 0.1 s. */
function soon(callable $handler): void
{
    pcntl_async_signals(true);
    pcntl_signal(SIGUSR1, $handler);
    exec('(sleep 0.1; kill -USR1 ' . getmypid() . ') >/dev/null 2>&1 &');
}

function cancelled(): void
{
    [$near, $far] = pair();
    $far->sendAll(str_repeat("\0", 1000));
    $token = new Sock\Token();
    soon(fn () => $token->cancel());
    $error = thrown(fn () => Socket::within(null, fn () => $near->recvAll(4096), $token));
    $far->sendAll('x');
    if ($error instanceof Sock\CancelledException && $near->recv(1) === 'x') {
        echo "cancelled: $error->transferred of 4096 bytes received, and the socket is still good\n";
    }
}

function receivedLines(): void
{
    [$near, $far] = pair();
    $far->sendAll("first\nsec");
    $first = $near->recvLine();
    $start = hrtime(true);
    $error = thrown(fn () => Socket::within(0.1, fn () => $near->recvLine()));
    $took = (hrtime(true) - $start) / 1e9;
    $far->sendAll("ond\nrest");
    $second = $near->recvLine();
    if ($error instanceof Sock\TimeoutException && $took >= 0.1) {
        echo 'lines: ', rtrim($first), ', ', rtrim($second), '; then ', $near->recvAll(4), "\n";
    }
}

/** @return array{Socket, Socket, Socket} */
function connected(string $host, ?int $service = null): array
{
    $listener = Socket::listen($host, $service);
    $near = Socket::dial($host, $service === null ? null : $listener->localAddress()[1], 5);
    return [$listener, $near, $listener->accept()];
}

function addresses(): void
{
    [$listener, $near, $far] = connected('127.0.0.1', 0);
    $remote = $near->remoteAddress();
    if ($remote === $listener->localAddress() && $far->remoteAddress() === $near->localAddress()) {
        echo "addresses: $remote[0], and each end's is what the other sees\n";
    }
}

function datagrams(): void
{
    [$server, $client] = [Socket::listen('127.0.0.1', '0/udp'), Socket::listen('127.0.0.1', '0/udp')];
    $client->sendTo('question', ...$server->localAddress());
    [$question, $host, $port] = $server->recvFrom(100);
    $server->sendTo('answer', $host, $port);
    [$answer, $serverHost, $serverPort] = $client->recvFrom(100);
    if ([$host, $port, $serverHost, $serverPort] === [...$client->localAddress(), ...$server->localAddress()]) {
        echo "datagrams: $question and $answer, each with its sender's address\n";
    }
}

function unix(): void
{
    $directory = sys_get_temp_dir() . '/' . uniqid('sock-', true);
    mkdir($directory);
    [, $near, $far] = connected("$directory/socket");
    $near->sendAll('hello');
    if ($near->remoteAddress()[0] === "$directory/socket" && $far->recvAll(5) === 'hello') {
        echo "Unix socket: dialed by its path, and hello went through\n";
    }
    unlink("$directory/socket");
    rmdir($directory);
}

function useAfterClose(): void
{
    [$closed, $other] = pair();
    $closed->close();
    [$near, $far] = pair(); // One of these has its number now.
    $uses = [fn () => $closed->sendAll('astray'), fn () => $closed->recv(1), fn () => $closed->setTimeout(0)];
    $errors = array_filter(array_map(thrown(...), $uses), fn ($error) => $error instanceof Sock\SocketException);
    $closed->close();
    $near->sendAll('x');
    $far->sendAll('y');
    if (count($errors) === 3 && $far->recv(10) === 'x' && $near->recv(10) === 'y') {
        echo "use after close: an error, and what has its number by then is left alone; closing twice: harmless\n";
    }
}

function closeWhileWaiting(): void
{
    [$near, $far] = pair();
    $near->setTimeout(10);
    soon(fn () => $near->close());
    $error = thrown(fn () => $near->recv(1));
    if ($error instanceof Sock\SocketException && !$error instanceof Sock\TimeoutException) {
        echo "close while a receive waits: an error at once, and not the end of the stream\n";
    }
}

function descriptors(): int
{
    return count(scandir('/proc/self/fd'));
}

function dropped(): void
{
    pair();
    $before = descriptors();
    for ($i = 0; $i < 500; $i++) {
        pair();
    }
    if (descriptors() <= $before) {
        echo "1000 sockets dropped: no descriptor is left\n";
    }
}

notReady();
echoBack($argv[1], $argv[2]);
earlyClose();
interrupted();
byName();
lookups();
sizes();
deadline();
cancelled();
receivedLines();
addresses();
datagrams();
unix();
useAfterClose();
closeWhileWaiting();
dropped();
