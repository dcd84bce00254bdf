#!/usr/bin/perl

# What examples-ffi/SCENARIO.md describes. usage: perl scenario.pl HOST PORT

use strict;
use warnings;
use Compress::Raw::Zlib qw(adler32);
use File::Temp qw(tempdir);
use FindBin;
use IO::Socket::INET;
use POSIX qw(_exit);
use Socket qw(AF_UNIX SOCK_STREAM);
use Time::HiRes qw(clock_gettime sleep ualarm CLOCK_MONOTONIC);
use lib $FindBin::Bin;
use Sock;

sub pair {
    socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!";
    return (Sock->new($near), Sock->new($far));
}

# Whether a receive that gets nothing ends on time.
sub times_out {
    my ($connection, $seconds) = @_;
    $connection->settimeout($seconds) or die "settimeout: $!";
    my $start = clock_gettime(CLOCK_MONOTONIC);
    return 0 if defined $connection->recv(my $data, 1) or !$!{ETIMEDOUT};
    my $took = clock_gettime(CLOCK_MONOTONIC) - $start;
    return $took >= $seconds && $took < $seconds + 1;
}

sub not_ready {
    my ($near, $far) = pair();
    $near->settimeout(0) or die "settimeout: $!";
    print "non-blocking: not ready\n" if !defined $near->recv(my $data, 1) && $!{EAGAIN};
    my $on_time = times_out($near, 0.25);
    $far->send('x');
    if ($on_time && $near->recv($data, 1) && $data eq 'x') {
        print "timeout of 0.25 s: fired on time, and the socket is still good\n";
    }
}

# A child sends: the socket's mode is the same in both processes.
sub echo {
    my ($host, $port) = @_;
    my $size = 8 << 20;
    my $data = substr join('', map { chr } 0 .. 250) x 33421, 0, $size;
    my $handle = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die "connect: $@";
    my $connection = Sock->new($handle);
    $connection->settimeout(30) or die "settimeout: $!";
    my $child = fork // die "fork: $!";
    _exit($connection->sendall($data) ? 0 : 1) if !$child;
    $connection->recvall(my $received, $size) or die "recvall: $!";
    waitpid $child, 0;
    if ($? == 0 && $received eq $data) {
        printf "echo: %d bytes there and back, Adler-32 %08x\n", length $received, adler32($received);
    }
}

sub early_close {
    my ($near, $far) = pair();
    $far->sendall("\0" x 1000) or die "sendall: $!";
    $far->close;
    $near->recvall(my $data, 4096) or $!{EPIPE} or die "recvall: $!";
    my $received = $near->transferred;
    $near->sendall("\0" x 4096) or $!{EPIPE} or die "sendall: $!";
    printf "early close: %d of 4096 bytes received, then %d of 4096 sent\n", $received, $near->transferred;
}

sub interrupted {
    my ($near, $far) = pair();
    my $handled = 0;
    local $SIG{ALRM} = sub { $handled++ };
    ualarm(100_000);
    print "signal during a timeout of 0.5 s: handled, and fired on time\n" if times_out($near, 0.5) && $handled == 1;
}

sub by_name {
    my $listener = Sock->listen('127.0.0.1', 0) or die "listen: $@";
    my (undef, $port) = $listener->local_address;
    my $near     = Sock->dial('localhost', $port, 5) or die "dial: $@";
    my $far      = $listener->accept or die "accept: $!";
    $near->sendall('hello') or die "sendall: $!";
    $far->recvall(my $data, 5) or die "recvall: $!";
    print "by name: dialed, with a timeout of 5 s, and $data went through\n" if $near->gettimeout == 5;
}

sub lookup_error {
    my ($host, $service, $code) = @_;
    return if Sock->dial($host, $service, 5);
    return $! == $code ? $@ : "error $!";
}

sub lookups {
    my $host    = lookup_error('no such host', 7, Sock::EAI_NONAME);
    my $service = lookup_error('127.0.0.1', 'no-such-service', Sock::EAI_SERVICE);
    print "lookups that fail: $host, $service\n";
    print "a host with a NUL: refused\n" if refused(sub { Sock->dial("127.0.0.1\0.example", 7, 5) });
}

sub refused {
    my ($call) = @_;
    return !eval { $call->(); 1 };
}

sub now { return clock_gettime(CLOCK_MONOTONIC) }

sub sizes {
    my ($near, $far) = pair();
    $near->settimeout(0.25) or die "settimeout: $!";
    my $count = $near->recv(my $data, 0);
    print "receive of 0 bytes: nothing, at once\n" if defined $count && $count == 0 && $data eq '';
    print "sizes of -1 and 2^63: refused\n" if 2 == grep { my $size = $_; refused(sub { $near->recv($data, $size) }) } -1, 2**63;
}

sub deadline {
    my ($near, $far) = pair();
    my $start = now();
    my $done = Sock->within(0.3, sub {
        for (1 .. 100) {
            $far->sendall('x') && $near->recv(my $data, 1) or return $!{ETIMEDOUT};
            sleep 0.02;
        }
        return;
    });
    if ($done && now() - $start >= 0.3) {
        print "deadline of 0.3 s over many calls: on time, though the peer went on sending\n";
    }
}

sub cancelled {
    my ($near, $far) = pair();
    my $token = Sock::Token->new or die "token: $!";
    $far->sendall("\0" x 1000) or die "sendall: $!";
    local $SIG{ALRM} = sub { $token->cancel };
    ualarm(100_000);
    my $ended = Sock->within(undef, sub { !$near->recvall(my $data, 4096) && $!{ECANCELED} }, $token);
    my $received = $near->transferred;
    $far->send('x');
    $near->recv(my $data, 1) or die "recv: $!";
    if ($ended && $data eq 'x') {
        print "cancelled: $received of 4096 bytes received, and the socket is still good\n";
    }
}

sub lines {
    my ($near, $far) = pair();
    $far->sendall("first\nsec") or die "sendall: $!";
    my $first = $near->recvline // die "recvline: $!";
    my $start = now();
    my $ended = Sock->within(0.1, sub { !defined $near->recvline && $!{ETIMEDOUT} });
    my $took  = now() - $start;
    $far->sendall("ond\nrest") or die "sendall: $!";
    my $second = $near->recvline // die "recvline: $!";
    $near->recvall(my $rest, 4) or die "recvall: $!";
    chomp($first, $second);
    print "lines: $first, $second; then $rest\n" if $ended && $took >= 0.1;
}

sub connected {
    my ($host, $service) = @_;
    my $listener = Sock->listen($host, $service) or die "listen: $@";
    my (undef, $port) = $listener->local_address;
    my $near = Sock->dial($host, defined $service ? $port : undef, 5) or die "dial: $@";
    my $far  = $listener->accept or die "accept: $!";
    return ($listener, $near, $far);
}

sub addresses {
    my ($listener, $near, $far) = connected('127.0.0.1', 0);
    my @remote = map { join ' ', $_->remote_address } $near,     $far;
    my @local  = map { join ' ', $_->local_address } $listener, $near;
    my ($host) = $near->remote_address;
    print "addresses: $host, and each end's is what the other sees\n" if "@remote" eq "@local";
}

sub datagrams {
    my ($server, $client) = map { Sock->listen('127.0.0.1', '0/udp') // die "listen: $@" } 1, 2;
    $client->sendto('question', $server->local_address) // die "sendto: $!";
    my ($question, @from) = $server->recvfrom(100);
    $server->sendto('answer', @from) // die "sendto: $!";
    my ($answer, @origin) = $client->recvfrom(100);
    if ("@from" eq join(' ', $client->local_address) && "@origin" eq join ' ', $server->local_address) {
        print "datagrams: $question and $answer, each with its sender's address\n";
    }
}

sub unix {
    my $path = tempdir(CLEANUP => 1) . '/socket';
    my ($listener, $near, $far) = connected($path);
    $near->sendall('hello') or die "sendall: $!";
    my ($remote) = $near->remote_address;
    $far->recvall(my $data, 5) or die "recvall: $!";
    print "Unix socket: dialed by its path, and $data went through\n" if $remote eq $path;
}

sub use_after_close {
    my ($closed) = pair();
    $closed->close;
    my ($near, $far) = pair();    # One of these has its number now.
    my $errors = grep { !$_->() && $!{EBADF} }
        sub { $closed->sendall('astray') }, sub { defined $closed->recv(my $data, 1) }, sub { $closed->settimeout(0) };
    $closed->close;
    $near->send('x');
    $far->send('y');
    my ($x, $y);
    $far->recv($x, 10) && $near->recv($y, 10) or die "recv: $!";
    if ($errors == 3 && "$x$y" eq 'xy') {
        print 'use after close: an error, and what has its number by then is left alone; closing twice: harmless', "\n";
    }
}

sub close_while_waiting {
    my ($near, $far) = pair();
    $near->settimeout(10) or die "settimeout: $!";
    local $SIG{ALRM} = sub { $near->close };
    ualarm(100_000);
    if (!defined $near->recv(my $data, 1) && !$!{ETIMEDOUT}) {
        print "close while a receive waits: an error at once, and not the end of the stream\n";
    }
}

sub descriptors { return scalar(() = glob '/proc/self/fd/*') }

sub dropped {
    pair();
    my $before = descriptors();
    pair() for 1 .. 500;
    print "1000 sockets dropped: no descriptor is left\n" if descriptors() <= $before;
}

$| = 1;
not_ready();
echo(@ARGV);
early_close();
interrupted();
by_name();
lookups();
sizes();
deadline();
cancelled();
lines();
addresses();
datagrams();
unix();
use_after_close();
close_while_waiting();
dropped();
