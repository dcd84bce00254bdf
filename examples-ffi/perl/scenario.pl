#!/usr/bin/perl

# What examples-ffi/SCENARIO.md describes. usage: perl scenario.pl HOST PORT

use strict;
use warnings;
use Compress::Raw::Zlib qw(adler32);
use FindBin;
use IO::Socket::INET;
use POSIX qw(_exit);
use Socket qw(AF_UNIX SOCK_STREAM);
use Time::HiRes qw(clock_gettime ualarm CLOCK_MONOTONIC);
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
    eval { Sock->dial("127.0.0.1\0.example", 7, 5); 1 } or print "lookups that fail: $host, $service\n";
}

$| = 1;
not_ready();
echo(@ARGV);
early_close();
interrupted();
by_name();
lookups();
