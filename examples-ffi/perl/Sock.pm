package Sock;

# libsock's socket modes for Perl's sockets: blocking, non-blocking, or an exact timeout for every operation.
#
# It needs libsock (make install), Perl 5.14 or later and FFI::Platypus 2 (cpan FFI::Platypus, or Debian's
# libffi-platypus-perl). Copy this file into your project. The program beside it: perl scenario.pl HOST PORT, with
# the address of a running echo-server.
#
#   my $connection = Sock->dial("localhost", 7007, 5) or die "dial: $@";
#   $connection->settimeout(0.25);
#   defined $connection->recv(my $data, 4096) or die "recv: $!";
#
# As with Perl's own functions, what fails gives undef and sets $!: $!{EAGAIN} when not ready in non-blocking
# mode, $!{ETIMEDOUT}, $!{EPIPE} for a peer that closed, and so on. transferred() tells how many bytes the last
# sendall or recvall moved all the same. dial and listen put the library's words in $@ besides; when a lookup failed,
# $! is Sock::EAI_NONAME, Sock::EAI_SERVICE and so on, for which Perl has no words.
#
# Perl's signal handlers run as soon as a signal comes. One that dies ends the wait; after one that returns, it goes
# on for the time that is left. Only dial and listen are not interrupted: handlers run after them. A call that waits
# stops an event loop: use non-blocking mode there.
#
# It does not send or receive datagrams with addresses, and bypasses the buffers of print and readline.

use strict;
use warnings;
use Carp qw(croak);
use Errno qw(EAGAIN EINTR ETIMEDOUT);
use FFI::Platypus 2.00;
use FFI::Platypus::Buffer qw(grow scalar_to_pointer set_used_length);
use IO::Poll qw(POLLIN POLLOUT);
use Socket qw(MSG_DONTWAIT);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my $ffi = FFI::Platypus->new(api => 2, lib => 'libsock.so.0');
$ffi->attach(@$_) for (
    [ sock_settimeout   => [qw(int double)]                   => 'int' ],
    [ sock_gettimeout   => [qw(int double*)]                  => 'int' ],
    [ sock_setinterrupt => [qw(int int)]                      => 'int' ],
    [ sock_send         => [qw(int opaque size_t int)]         => 'ssize_t' ],
    [ sock_recv         => [qw(int opaque size_t int)]         => 'ssize_t' ],
    [ sock_sendall      => [qw(int opaque size_t int size_t*)] => 'int' ],
    [ sock_recvall      => [qw(int opaque size_t int size_t*)] => 'int' ],
    [ sock_accept       => [qw(int opaque opaque)]             => 'int' ],
    [ sock_dial         => [qw(string string double)]          => 'int' ],
    [ sock_listen       => [qw(string string int)]             => 'int' ],
    [ sock_wait         => [qw(int int double)]                => 'int' ],
    [ sock_strerror     => [qw(ssize_t)]                       => 'string' ],
);

use constant { EAI_NONAME => 5002, EAI_AGAIN => 5003, EAI_FAIL => 5004, EAI_NODATA => 5005, EAI_SERVICE => 5008 };

# Any handle that has a fileno. Its close still closes the socket.
sub new {
    my ($class, $handle) = @_;
    my $self = bless { handle => $handle, transferred => 0 }, $class;
    return defined _result(sock_setinterrupt($self->fileno, 1)) ? $self : undef;
}

# Connects by TCP, lookup included, within so many seconds, which become the timeout.
sub dial {
    my ($class, $host, $service, $seconds) = @_;
    return $class->_made(sock_dial(_text($host), _text($service), $seconds // 9**9**9));
}

# Gives a listening Sock in blocking mode. An undefined host is all addresses, service 0 any port.
sub listen {
    my ($class, $host, $service, $backlog) = @_;
    return $class->_made(sock_listen(_text($host), _text($service), $backlog // 0));
}

sub handle      { $_[0]{handle} }
sub transferred { $_[0]{transferred} }
sub fileno      { CORE::fileno($_[0]{handle}) // -1 }    # -1, which is no descriptor, once it is closed

# 9**9**9, infinity, is blocking mode, 0 non-blocking mode.
sub settimeout {
    my ($self, $seconds) = @_;
    return defined _result(sock_settimeout($self->fileno, $seconds));
}

sub gettimeout {
    my ($self) = @_;
    my $code = sock_gettimeout($self->fileno, \my $seconds);
    return defined _result($code) ? $seconds : undef;
}

# Gives how many bytes of it were sent.
sub send {
    my ($self, $data) = @_;
    my ($pointer, $size) = _bytes($data);
    return $self->_run(POLLOUT, sub { sock_send($_[0], $pointer, $size, $_[2]) });
}

# Sends all of it within one timeout, and tells whether it could.
sub sendall {
    my ($self, $data) = @_;
    my ($pointer, $size) = _bytes($data);
    return defined $self->_run(POLLOUT, sub {
        my ($fd, $done, $more, $part) = @_;
        sock_sendall($fd, $pointer + $done, $size - $done, $more, $part);
    });
}

# Receives some data into its argument, as sysread does; 0 is the end of the stream.
sub recv {
    my ($self, undef, $size) = @_;
    grow($_[1], $size, { set_length => 0 });
    my $pointer = scalar_to_pointer($_[1]);
    my $count = $self->_run(POLLIN, sub { sock_recv($_[0], $pointer, $size, $_[2]) });
    set_used_length($_[1], $count // 0);
    return $count;
}

# Receives that many bytes into its argument within one timeout, and tells whether it could.
sub recvall {
    my ($self, undef, $size) = @_;
    grow($_[1], $size, { set_length => 0 });
    my $pointer = scalar_to_pointer($_[1]);
    my $count = $self->_run(POLLIN, sub {
        my ($fd, $done, $more, $part) = @_;
        sock_recvall($fd, $pointer + $done, $size - $done, $more, $part);
    });
    set_used_length($_[1], $self->{transferred});
    return defined $count;
}

# Gives a new Sock in blocking mode.
sub accept {
    my ($self) = @_;
    my $fd = $self->_run(POLLIN, sub { sock_accept($_[0], undef, undef) }) // return;
    return Sock->_made($fd);
}

# Of a new descriptor, or a code.
sub _made {
    my ($class, $code) = @_;
    $@ = sock_strerror($code) if $code < 0;
    my $fd = _result($code) // return;
    open my $handle, '+<&=', $fd or return;
    return $class->new($handle);
}

sub _text {
    my ($text) = @_;
    croak 'a string with a NUL' if defined $text && $text =~ /\0/;
    return $text;
}

# Where the bytes of a string are, and how many.
sub _bytes {
    utf8::downgrade($_[0]);
    return (scalar_to_pointer($_[0]), length $_[0]);
}

# Perl runs its handlers when a call has come back with EINTR. To go on it waits, and then calls without waiting:
# the timeout, which other processes may be using, stays as it is.
sub _run {
    my ($self, $events, $call) = @_;
    my $start = clock_gettime(CLOCK_MONOTONIC);
    my $fd    = $self->fileno;
    my $part  = 0;
    my $code  = $call->($fd, 0, 0, \$part);
    $self->{transferred} = $part;
    while ($code == -EINTR) {
        my $left = $start + $self->gettimeout - clock_gettime(CLOCK_MONOTONIC);
        $code = $left > 0 ? sock_wait($fd, $events, $left) : -ETIMEDOUT;
        next unless $code > 0;
        $code = $call->($fd, $self->{transferred}, MSG_DONTWAIT, \$part);
        $self->{transferred} += $part;
        $code = -EINTR if $code == -EAGAIN;
    }
    return _result($code);
}

sub _result {
    my ($code) = @_;
    return $code if $code >= 0;
    $! = -$code;
    return;
}

1;
