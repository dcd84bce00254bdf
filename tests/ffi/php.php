<?php

// What PHP alone has the notion of. usage: php.php BINDING-DIRECTORY HOW-OFTEN SECONDS [CHECK]; instant.c is preloaded

declare(strict_types=1);

require $argv[1] . '/autoload.php';

use Sock\Socket;
use Sock\Token;

[$often, $soon] = [(int) $argv[2], (float) $argv[3]];
pcntl_async_signals(true);

final class Interruption extends Exception
{
}

function c(): FFI
{
    static $c;
    return $c ??= FFI::cdef('
        void instant_before(int n);
        int instant_after(int microseconds);
        double instant_moment(void);
        int socketpair(int domain, int type, int protocol, int *fds);
        int socket(int domain, int type, int protocol);
        int setsockopt(int fd, int level, int name, const char *value, unsigned length);
    ');
}

function pair(int $kind = SOCK_STREAM): array
{
    $fds = c()->new('int[2]');
    c()->socketpair(AF_UNIX, $kind, 0, $fds);
    return [new Socket($fds[0]), new Socket($fds[1])];
}

function now(): float
{
    return hrtime(true) / 1e9;
}

function descriptors(): int
{
    return count(scandir('/proc/self/fd'));
}

function resident(): int
{
    return (int) explode(' ', file_get_contents('/proc/self/statm'))[1] * 4096;
}

function check(bool $ok, string $words = 'it is not so'): void
{
    $ok || throw new Exception($words);
}

function throws(string $kind, callable $call): Throwable
{
    try {
        $result = $call();
    } catch (Throwable $error) {
        check($error instanceof $kind, get_class($error) . ", not $kind: {$error->getMessage()}");
        return $error;
    }
    throw new Exception(var_export($result, true) . ", not $kind");
}

function interrupts(): void
{
    pcntl_signal(SIGINT, fn () => throw new Interruption());
}

$checks = [
    // Every signal ends its wait, the one that comes in the instant before the system call too.
    'ctrl_c' => function () use ($often, $soon): string {
        [$near, $far] = pair();
        $near->setTimeout(5);
        interrupts();
        $slowest = 0;
        for ($i = 0; $i < $often; $i++) {
            try {
                $i % 2 ? c()->instant_after(random_int(0, 2000)) : c()->instant_before(1 + intdiv($i, 2) % 4);
                $near->recv(1);
                throw new Exception('nothing was to be received');
            } catch (Interruption) {
                $slowest = max($slowest, now() - c()->instant_moment());
            }
        }
        $far->sendAll('x');
        check($near->recv(1) === 'x');
        check($slowest < $soon, "only after $slowest s");
        return sprintf('%d of %d, the slowest after %.1f ms', $often, $often, $slowest * 1e3);
    },
    'handler_returns' => function (): void {
        [$near, $far] = pair();
        $seen = [];
        pcntl_signal(SIGINT, function () use (&$seen) {
            $seen[] = now();
        });
        foreach ([1, 2, 3, 4] as $before) {
            $near->setTimeout(0.2);
            c()->instant_before($before);
            $start = now();
            throws(Sock\TimeoutException::class, fn () => $near->recv(1));
            check(now() - $start >= 0.2 && count($seen) === $before && end($seen) - $start < 0.1, 'only after the wait');
        }
    },
    // A handler that throws in the middle of a whole buffer: what was moved is told, and what came is not lost.
    'counts' => function (): void {
        [$near, $far] = pair();
        interrupts();
        c()->instant_after(100_000);
        throws(Interruption::class, fn () => $near->sendAll(str_repeat('x', 8 << 20)));
        $sent = $near->transferred();
        $far->setTimeout(0);
        for ($came = 0; $came < $sent; $came += strlen($far->recv(1 << 20))) {
        }
        throws(Sock\NotReadyException::class, fn () => $far->recv(1));
        check($sent > 0 && $came === $sent, "$came came, $sent were told");
        $far->setTimeout(null);
        $near->sendAll('begin');
        c()->instant_after(100_000);
        throws(Interruption::class, fn () => $far->recvAll(10));
        check($far->transferred() === 5);
        $near->sendAll('..end');
        check($far->recvAll(10) === 'begin..end');
    },
    'closing_handler' => function (): void {
        [$near, $far] = pair();
        $near->setTimeout(5);
        $far->sendAll('begin');
        pcntl_signal(SIGINT, fn () => $near->close());
        c()->instant_after(100_000);
        $error = throws(Sock\SocketException::class, fn () => $near->recvAll(10));
        check($error->getCode() === SOCKET_EBADF && $error->transferred === 5 && $error->data === 'begin');
    },
    'one_owner' => function (): void {
        [$near, $far] = pair();
        throws(Error::class, fn () => clone $near);
        throws(LogicException::class, fn () => serialize($near));
        throws(LogicException::class, fn () => unserialize('O:11:"Sock\Socket":1:{s:2:"fd";i:' . $far->descriptor() . ';}'));
        throws(LogicException::class, fn () => $near->__construct($far->descriptor()));
        (new ReflectionClass(Socket::class))->newInstanceWithoutConstructor();
        gc_collect_cycles();
        $near->sendAll('x');
        check($far->recv(1) === 'x');
        [$one, $number] = [$near, $near->descriptor()];
        $near->close();
        $other = fopen('/dev/null', 'r');
        unset($near, $one);
        check(file_exists("/proc/self/fd/$number") && is_resource($other), 'it closed a file of others');
    },
    'sizes' => function (): void {
        [$near, $far] = pair();
        $far->sendAll('data');
        foreach ([-1, 1 << 31, (1 << 32) + 16, PHP_INT_MAX, PHP_INT_MIN] as $bad) {
            foreach (['recv', 'recvAll', 'recvFrom'] as $call) {
                throws(ValueError::class, fn () => $near->$call($bad));
            }
        }
        check($near->recv(0) === '' && $near->recvAll(0) === '' && $near->recv(4) === 'data');
        throws(TypeError::class, fn () => $near->recv('4'));
        throws(ValueError::class, fn () => $near->recv(1, 1 << 32));
        throws(ValueError::class, fn () => new Socket((1 << 32) + $far->descriptor()));
        throws(ValueError::class, fn () => Socket::listen('127.0.0.1', 0, 1 << 32));
        [$one, $other] = pair(SOCK_DGRAM);
        $one->send(str_repeat('x', 1000));
        check($other->recv(8, MSG_TRUNC) === 'xxxxxxxx', 'foreign memory');
    },
    'bad_arguments' => function (): void {
        [$near, $far] = pair();
        foreach ([-1.0, NAN, 1e300] as $bad) {
            throws(ValueError::class, fn () => $near->setTimeout($bad));
        }
        throws(TypeError::class, fn () => $near->setTimeout('1'));
        throws(ValueError::class, fn () => Socket::dial("127.0.0.1\0.example", 7, 1));
        throws(ValueError::class, fn () => Socket::listen("127.0.0.1\0", 7));
        $near->close();
        $near->close();
        check(throws(Sock\SocketException::class, fn () => $near->recv(1))->getCode() === SOCKET_EBADF);
        check(print_r($near, true) === "Sock\\Socket Object\n(\n    [descriptor] => -1\n)\n");
    },
    'dial_interrupted' => function (): void {
        $full = Socket::listen('127.0.0.1', 0, 1);
        $port = $full->localAddress()[1];
        $ahead = [Socket::dial('127.0.0.1', $port, 5), Socket::dial('127.0.0.1', $port, 5)];
        $before = descriptors();
        interrupts();
        for ($i = 0; $i < 5; $i++) {
            c()->instant_after(50_000);
            throws(Interruption::class, fn () => Socket::dial('127.0.0.1', $port, 20));
        }
        // And where somebody answers, at any moment.
        $open = Socket::listen('127.0.0.1', 0, 4096);
        $armed = false;
        pcntl_signal(SIGINT, function () use (&$armed) {
            [$raise, $armed] = [$armed, false];
            $raise && throw new Interruption();
        });
        for ($i = 0; $i < 100; $i++) {
            try {
                $armed = true;
                c()->instant_after(random_int(0, 600));
                Socket::dial('127.0.0.1', $open->localAddress()[1], 5);
                while ($armed) {
                    usleep(100);
                }
            } catch (Interruption) {
            }
        }
        $open->close();
        check(descriptors() <= $before + 1, descriptors() . " descriptors, not $before");
    },
    'dropped' => function () use ($often): void {
        $listener = Socket::listen('127.0.0.1', 0);
        $port = $listener->localAddress()[1];
        for ($i = 0; $i < $often * 10; $i++) {
            if ($i === $often) {
                [$before, $memory] = [descriptors(), resident()];
            }
            $near = Socket::dial('127.0.0.1', $port, 5);
            c()->setsockopt($near->descriptor(), SOL_SOCKET, SO_LINGER, pack('ii', 1, 0), 8);
            $near->sendAll('x');
            $listener->accept();
        }
        check(descriptors() === $before, descriptors() . " descriptors, not $before");
        check(resident() - $memory < 8 << 20, resident() - $memory . ' bytes more');
    },
    'limits' => function (): void {
        [$near, $far] = pair();
        $start = now();
        Socket::within(0.2, function () use ($near, $far) {
            $far->sendAll('1');
            check($near->recv(1) === '1');
            Socket::within(10, fn () => throws(Sock\TimeoutException::class, fn () => $near->recv(1)));
            throws(Sock\TimeoutException::class, fn () => $far->sendAll('too late'));
        });
        check(now() - $start >= 0.2 && now() - $start < 2);
        $far->sendAll('2');
        check($near->recv(1) === '2');
        $token = new Token();
        pcntl_signal(SIGINT, fn () => $token->cancel());
        c()->instant_after(100_000);
        Socket::within(null, function () use ($near, $far, $token) {
            $far->sendAll('3');
            $error = throws(Sock\CancelledException::class, fn () => $near->recvAll(2));
            check($error->data === '3' && $error->transferred === 1 && $token->isCancelled());
            throws(Sock\CancelledException::class, fn () => Socket::listen('127.0.0.1', 0)->accept());
        }, $token);
        $token->close();
        throws(ValueError::class, fn () => Socket::within(1, fn () => null, $token));
        throws(ValueError::class, fn () => $token->cancel());
        $fiber = new Fiber(fn () => Socket::within(0.05, fn () => Fiber::suspend()));
        $fiber->start();
        usleep(60_000);
        $far->sendAll('4');
        check($near->recv(1) === '4', 'the limits of a fiber are those of another');
    },
    'lines' => function (): void {
        [$near, $far] = pair();
        $far->sendAll("one\ntwo\nthr");
        check($near->recvLine() === "one\n" && $near->recvLine() === "two\n");
        $near->setTimeout(0.05);
        throws(Sock\TimeoutException::class, fn () => $near->recvLine());
        $far->sendAll("ee\nrest");
        check($near->recvLine() === "three\n" && $near->recv(4, MSG_PEEK) === 'rest' && $near->recvAll(4) === 'rest');
        $far->sendAll('cut');
        $far->close();
        throws(Sock\ClosedException::class, fn () => $near->recvLine());
        [$near, $far] = pair();
        $far->sendAll("a head\r\n\r\nbody\nlines\n");
        $far->close();
        check($near->recvLine("\r\n\r\n") === "a head\r\n\r\n" && [...$near->lines()] === ["body\n", "lines\n"]);
    },
    'datagrams' => function (): void {
        $server = Socket::listen('127.0.0.1', '0/udp');
        $client = Socket::dial('localhost', $server->localAddress()[1] . '/udp', 5);
        $client->send('question');
        [$data, $host, $port] = $server->recvFrom(100);
        check($data === 'question' && [$host, $port] === $client->localAddress());
        $server->sendTo('answer', $host, $port);
        check($client->recv(100) === 'answer');
        throws(ValueError::class, fn () => $server->sendTo('', 'localhost', 7));
    },
    'unix' => function (): void {
        foreach (['@libsock-php-' . getmypid(), '/tmp/libsock-php-' . getmypid()] as $name) {
            $listener = Socket::listen($name);
            $near = Socket::dial($name, null, 5);
            $far = $listener->accept();
            $near->sendAll('hello');
            check($far->recvAll(5) === 'hello' && $near->remoteAddress() === [$name, 0]);
            (new Socket(c()->socket(AF_UNIX, SOCK_STREAM, 0)))->connect($name);
            $name[0] === '@' || unlink($name);
        }
    },
    'error_queue' => function (): void {
        $closed = Socket::listen('127.0.0.1', '0/udp');
        $port = $closed->localAddress()[1];
        $closed->close();
        $waiting = Socket::dial('127.0.0.1', "$port/udp", 5);
        c()->setsockopt($waiting->descriptor(), 0, 11, pack('i', 1), 4); // IP_RECVERR
        $waiting->send('x');
        check(throws(Sock\SocketException::class, fn () => $waiting->recv(1))->getCode() === SOCKET_ECONNREFUSED);
        $waiting->setTimeout(1);
        pcntl_signal(SIGINT, fn () => null);
        c()->instant_after(100_000);
        [$used, $start] = [getrusage(), now()];
        throws(Sock\TimeoutException::class, fn () => $waiting->recv(1));
        $after = getrusage();
        $seconds = 0.0;
        foreach (['ru_utime', 'ru_stime'] as $kind) {
            $seconds += $after["$kind.tv_sec"] - $used["$kind.tv_sec"];
            $seconds += ($after["$kind.tv_usec"] - $used["$kind.tv_usec"]) / 1e6;
        }
        check(now() - $start >= 1 && $seconds < 0.3, "$seconds s of processor time in a wait of 1 s");
    },
];

foreach ($checks as $name => $check) {
    if (($argv[4] ?? $name) !== $name) {
        continue;
    }
    try {
        $found = $check();
        echo "ok $name", $found === null ? '' : ": $found", "\n";
    } catch (Throwable $why) {
        $lines = array_filter(array_column($why->getTrace(), 'line'));
        echo "not ok $name: {$why->getMessage()} in lines {$why->getLine()} ", implode(' ', $lines), "\n";
    }
}
