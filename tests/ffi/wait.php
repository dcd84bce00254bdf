<?php

// Waits for data that never come, or dials a port that never answers.
// usage: wait.php BINDING-DIRECTORY SECONDS [handler [PORT]]; 0 seconds are for ever

declare(strict_types=1);

require $argv[1] . '/autoload.php';

$libc = FFI::cdef('int socketpair(int domain, int type, int protocol, int *fds);');
$fds = $libc->new('int[2]');
$libc->socketpair(AF_UNIX, SOCK_STREAM, 0, $fds);
$waiting = new Sock\Socket($fds[0]);
$waiting->setTimeout((float) $argv[2] ?: INF);
$handled = [];
if (in_array('handler', $argv, true)) {
    pcntl_async_signals(true);
    pcntl_signal(SIGINT, function () use (&$handled) { $handled[] = hrtime(true); });
}
echo "waiting\n";
$start = hrtime(true);
try {
    isset($argv[4]) ? Sock\Socket::dial('127.0.0.1', $argv[4], (float) $argv[2]) : $waiting->recv(1);
} catch (Sock\TimeoutException) {
    $took = hrtime(true) - $start;
    $last = ($handled ? end($handled) : $start) - $start;
    printf("timed out %.9f %d %.9f\n", $took / 1e9, count($handled), $last / 1e9);
}
