package Sock;

# libsock's socket modes for Perl's sockets: blocking, non-blocking, or an exact timeout for every operation.
#
# It needs libsock (make install), Perl 5.14 or later and FFI::Platypus 2 (cpan FFI::Platypus, or Debian's
# libffi-platypus-perl). Copy this file into your project. README.md beside it tells how it is used, and what it does
# not do.
#
#   my $connection = Sock->dial('localhost', 7007, 5) or die "dial: $@";
#   $connection->settimeout(0.25);
#   defined $connection->recv(my $data, 4096) or die "recv: $!";

use strict;
use warnings;
use Carp qw(croak);
use Errno qw(EAGAIN ECANCELED EINVAL ETIMEDOUT);
use FFI::Platypus 2.00;
use FFI::Platypus::Buffer qw(scalar_to_pointer);
use List::Util qw(min sum0);
use POSIX ();
use Scalar::Util qw(looks_like_number readonly);

my $ffi = FFI::Platypus->new(api => 2, lib => 'libsock.so.0');
my @until = qw(double int);
$ffi->attach(@$_) for (
    [ sock_settimeout       => [qw(int double)]                                 => 'int' ],
    [ sock_gettimeout       => [qw(int double*)]                                => 'int' ],
    [ sock_send_until       => [ qw(int opaque size_t int), @until ]                => 'ssize_t' ],
    [ sock_sendto_until     => [ qw(int opaque size_t int opaque uint32), @until ]  => 'ssize_t' ],
    [ sock_recv_until       => [ qw(int opaque size_t int), @until ]                => 'ssize_t' ],
    [ sock_recvfrom_until   => [ qw(int opaque size_t int opaque uint32*), @until ] => 'ssize_t' ],
    [ sock_sendall_until    => [ qw(int opaque size_t int size_t*), @until ]        => 'int' ],
    [ sock_recvall_until    => [ qw(int opaque size_t int size_t*), @until ]        => 'int' ],
    [ sock_recvdelim_until  => [ qw(int opaque size_t size_t* opaque size_t), @until ] => 'ssize_t' ],
    [ sock_connect_until    => [ qw(int opaque uint32), @until ]                    => 'int' ],
    [ sock_accept_until     => [ qw(int opaque opaque), @until ]                    => 'int' ],
    [ sock_wait_until       => [ qw(int int), @until ]                              => 'int' ],
    [ sock_dial_until       => [ qw(string string), @until ]                        => 'int' ],
    [ sock_listen           => [qw(string string int)]                          => 'int' ],
    [ sock_address          => [qw(string string opaque uint32*)]               => 'int' ],
    [ sock_name             => [qw(opaque uint32 opaque size_t)]                => 'int' ],
    [ sock_deadline         => [qw(double)]                                     => 'double' ],
    [ sock_token            => []                                               => 'int' ],
    [ sock_cancel           => [qw(int)]                                        => 'int' ],
    [ sock_strerror         => [qw(ssize_t)]                                    => 'string' ],
);
my $libc = FFI::Platypus->new(api => 2, lib => undef);
$libc->attach([ $_->[0] => "_$_->[0]" ] => @$_[ 1, 2 ]) for (
    [ sigfillset    => [qw(opaque)]             => 'int' ],
    [ sigprocmask   => [qw(int opaque opaque)]  => 'int' ],
    [ signalfd      => [qw(int opaque int)]     => 'int' ],
    [ epoll_create1 => [qw(int)]                => 'int' ],
    [ epoll_ctl     => [qw(int int int opaque)] => 'int' ],
);

use constant { EAI_NONAME => 5002, EAI_AGAIN => 5003, EAI_FAIL => 5004, EAI_NODATA => 5005, EAI_SERVICE => 5008 };
use constant { MSG_PEEK => 2, CLOEXEC => 0x80000, EPOLL_CTL_ADD => 1, EPOLLIN => 1, FOREVER => 9**9**9 };

# Ends waits, for good. It is a handle, which Perl closes when the last has dropped it, in the last of its threads.
package Sock::Token {
    sub new {
        my ($class) = @_;
        my $handle = Sock::_handle(Sock::_result(Sock::sock_token()) // return) // return;
        return bless $handle, $class;
    }
    sub cancel    { return defined Sock::_result(Sock::sock_cancel(CORE::fileno $_[0])) }
    sub cancelled { return Sock::sock_wait_until(-1, 0, -1, CORE::fileno $_[0]) == -Errno::ECANCELED() }
}

my $now = Sock::Token->new // die "sock_token: $!";    # The token of a call that is not to wait.
$now->cancel;

our @limits = (FOREVER);                               # A deadline, and tokens.

# All that is called in the sub ends within so many seconds altogether, or when the token is cancelled. The timeouts of
# the sockets hold besides, and so do the limits of a call around it.
sub within {
    my ($class, $seconds, $body, $token) = @_;
    my ($deadline, @tokens) = @limits;
    croak 'a token is a handle that is open' if defined $token && !defined eval { CORE::fileno $token };
    local @limits = (min($deadline, sock_deadline(_seconds($seconds))), @tokens, defined $token ? $token : ());
    return $body->();
}

# Any handle that has a fileno. Its close still closes the socket.
sub new {
    my ($class, $handle) = @_;
    croak 'a tied handle, as those of TLS are: the bytes would go past it' if ref $handle && tied *$handle;
    my $self = bless { handle => $handle, transferred => 0, unread => '' }, $class;
    return defined _result(sock_gettimeout($self->fileno, \my $seconds)) ? $self : undef;
}

# Connects to a host by name, lookup included, within so many seconds, which become the timeout. "53/udp" is for UDP; a
# host that begins with "/" or "@" is a Unix socket.
sub dial {
    my ($class, $host, $service, $seconds) = @_;
    ($host, $service, $seconds) = (_host($host), _text($service), _seconds($seconds));
    my @outcome = $seconds ? _run(undef, sub { sock_dial_until($host, $service, @_) }, $seconds) : -EAGAIN;
    my $self    = $class->_made(@outcome) // return;
    return $self->settimeout($seconds) ? $self : undef;
}

# Gives a listening Sock in blocking mode. An undefined host is all addresses, service 0 any port.
sub listen {
    my ($class, $host, $service, $backlog) = @_;
    return $class->_made(sock_listen(defined $host ? _host($host) : undef, _text($service), $backlog // 0));
}

sub handle      { return $_[0]{handle} }
sub transferred { return $_[0]{transferred} }
sub fileno      { return CORE::fileno($_[0]{handle}) // -1 }        # -1, which is no descriptor, once it is closed
sub close       { return CORE::close($_[0]{handle}) }
sub shutdown    { return CORE::shutdown($_[0]{handle}, $_[1] // 2) }

# The host and the port, or the path of a Unix socket and 0.
sub local_address  { return _unpacked(getsockname($_[0]{handle}) // return) }
sub remote_address { return _unpacked(getpeername($_[0]{handle}) // return) }

# Undefined or 9**9**9, infinity, is blocking mode, 0 non-blocking mode.
sub settimeout {
    my ($self, $seconds) = @_;
    return defined _result(sock_settimeout($self->fileno, _seconds($seconds)));
}

sub gettimeout {
    my ($self) = @_;
    my $code = sock_gettimeout($self->fileno, \my $seconds);
    return defined _result($code) ? $seconds : undef;
}

# Gives how many bytes of it were sent.
sub send {
    my ($self, $data, $flags) = @_;
    my ($pointer, $size) = _bytes($data);
    return _finish($self->_run(sub { sock_send_until($self->fileno, $pointer, $size, $flags // 0, @_) }));
}

# Sends a datagram to a host, in digits, and a port, or to the path of a Unix socket.
sub sendto {
    my ($self, $data, $host, $port) = @_;
    my ($pointer, $size) = _bytes($data);
    my ($code, $address, $length) = _packed($host, $port);
    return _result($code) if $code < 0;
    my $place = scalar_to_pointer($address);
    return _finish($self->_run(sub { sock_sendto_until($self->fileno, $pointer, $size, 0, $place, $length, @_) }));
}

# Sends all of it within one timeout, and tells whether it could.
sub sendall {
    my ($self, $data) = @_;
    my ($pointer, $size) = _bytes($data);
    return defined _finish($self->_run_all(0, sub {
        my ($done, @more) = @_;
        return sock_sendall_until($self->fileno, $pointer + $done, $size - $done, 0, @more);
    }));
}

# Receives some data into its argument, as sysread does; 0 is the end of the stream, or a size of 0.
sub recv {
    my ($self, undef, $size, $flags) = @_;
    croak 'Modification of a read-only value attempted' if readonly $_[1];    # Sooner than something is received.
    return length($_[1] = $self->_take($size, $flags)) if _size($size) == 0 || length $self->{unread};
    my $buffer  = "\0" x $size;
    my $pointer = scalar_to_pointer($buffer);
    my ($code, $died) = $self->_run(sub { sock_recv_until($self->fileno, $pointer, $size, $flags // 0, @_) });
    my $came = substr $buffer, 0, $code < 0 ? 0 : $code;
    $self->{unread} = $came if $died;    # The next receive gives it.
    my $count = _finish($code, $died);
    $_[1] = $came;
    return $count;
}

# Gives a datagram, and the host and the port, or the path, that it came from; nothing if it fails.
sub recvfrom {
    my ($self, $size) = @_;
    my ($buffer, $address, $length) = ("\0" x _size($size), "\0" x 128);
    my ($pointer, $place) = map { scalar_to_pointer($_) } $buffer, $address;
    my $count = _finish($self->_run(sub {
        $length = 128;
        return sock_recvfrom_until($self->fileno, $pointer, $size, 0, $place, \$length, @_);
    })) // return;
    return (substr($buffer, 0, $count), _unpacked(substr $address, 0, $length));
}

# Receives that many bytes into its argument within one timeout, and tells whether it could; what came is there anyway.
sub recvall {
    my ($self, undef, $size) = @_;
    croak 'Modification of a read-only value attempted' if readonly $_[1];
    my $buffer = $self->_take($size);
    my $head   = length $buffer;
    $buffer .= "\0" x ($size - $head);
    my $pointer = scalar_to_pointer($buffer);
    my ($code, $died) = $head == $size ? 0 : $self->_run_all($head, sub {
        my ($done, @more) = @_;
        return sock_recvall_until($self->fileno, $pointer + $done, $size - $done, 0, @more);
    });
    my $came = $code == 0 ? $buffer : substr $buffer, 0, $self->{transferred};
    if ($died) { $self->{unread} = $came }    # The next receive gives it.
    else       { $_[1] = $came }
    return defined _finish($code, $died);
}

# Gives a line, or whatever ends in the delimiter, or nothing, with $! 0 at the end of the stream. What comes after it stays
# for the next receive, and so does what came before an error.
sub recvline {
    my ($self, $delimiter, $limit) = @_;
    my ($mark, $marksize) = _bytes($delimiter //= "\n");
    my $have = length $self->{unread};
    $limit = $have if $have > _size($limit //= 65536);
    my $buffer  = $self->{unread} . "\0" x ($limit - $have);
    my $pointer = scalar_to_pointer($buffer);
    my @outcome;
    local $@;
    my $ok = eval {
        @outcome = $self->_run(sub {
            return sock_recvdelim_until($self->fileno, $pointer, $limit, \$have, $mark, $marksize, @_);
        });
        1;
    };
    my $died = $ok ? $outcome[1] : [$@];
    $self->{unread} = substr $buffer, 0, $have;
    my $size = _finish($outcome[0] // -ECANCELED, $died) // return;
    return $self->_take($size) if $size > 0;
    $! = 0;
    return;
}

# Connects to a host, in digits, and a port, or to the path of a Unix socket.
sub connect {
    my ($self, $host, $port) = @_;
    my ($code, $address, $length) = _packed($host, $port);
    return _result($code) if $code < 0;
    my $place = scalar_to_pointer($address);
    return defined _finish($self->_run(sub { sock_connect_until($self->fileno, $place, $length, @_) }));
}

# Gives a new Sock in blocking mode.
sub accept {
    my ($self) = @_;
    return Sock->_made($self->_run(sub { sock_accept_until($self->fileno, undef, undef, @_) }));
}

# Of a new descriptor, or a code, and what a handler died of.
sub _made {
    my ($class, $code, $died) = @_;
    POSIX::close($code) if $died && $code >= 0;
    my $words = sock_strerror($code);
    my $fd    = _finish($code, $died);
    if (!defined $fd) {
        $@ = $words;
        return;
    }
    return $class->new(_handle($fd) // return);
}

sub _handle {
    my ($fd) = @_;
    if (open my $handle, '+<&=', $fd) { return $handle }
    POSIX::close($fd);
    return;
}

# What is ready costs one call. What waits does so until one moment, that of the mode or of the limits around it. Gives a
# code, and a reference to what a handler died of when there was one already.
sub _run {
    my ($self, $call, $seconds) = @_;
    my ($limit, @tokens) = @limits;
    if (!defined $seconds) {
        my $code = $call->($limit, CORE::fileno $now);
        return $code if $code != -ECANCELED;
        $seconds = $self->gettimeout // return -$!;
        return -EAGAIN if $seconds == 0;
    }
    my $deadline = min($limit, sock_deadline($seconds));
    while (1) {
        my ($code, $died) = _wait($call, $deadline, @tokens);
        return ($code, $died) if $died || $code != -ECANCELED || grep { $_->cancelled } @tokens;
    }
}

# The same for whole buffers. Each call counts in a place of its own, so that the sum is right wherever a handler dies.
sub _run_all {
    my ($self, $before, $call) = @_;
    my @parts;
    my @outcome;
    local $@;
    my $ok = eval {
        @outcome = $self->_run(sub {
            my $done = $before + sum0 @parts;
            push @parts, 0;
            return $call->($done, \$parts[-1], @_);
        });
        1;
    };
    my $died = [$@];
    $self->{transferred} = $before + sum0 @parts;
    return $ok ? @outcome : (-ECANCELED, $died);
}

my $signals;    # A signalfd, of each thread.
sub CLONE { undef $signals; return }
my $all = "\0" x 128;
_sigfillset(scalar_to_pointer($all));

# One wait, with all signals held back. One that comes pends, which is a token, even in the instant before the wait; it is
# delivered when they are let through again, and then Perl's handlers run.
sub _wait {
    my ($call, $deadline, @tokens) = @_;
    my $old = "\0" x 128;
    my $code = -ECANCELED;
    my $died;
    local $@;
    _sigprocmask(POSIX::SIG_SETMASK(), undef, scalar_to_pointer($old));
    eval {
        _sigprocmask(POSIX::SIG_SETMASK(), scalar_to_pointer($all), undef);
        _run_handlers();
        my $chosen = $all & ~$old;    # Those that the program itself holds back are none of its concern.
        my $fd = _signalfd($signals ? CORE::fileno $signals : -1, scalar_to_pointer($chosen), CLOEXEC);
        if ($fd < 0 || !($signals //= _handle($fd))) { $code = -$! }
        else {
            my ($token, $close) = _any_of(@tokens);
            $code = $call->($deadline, $token);
            POSIX::close($token) if $close;
        }
        1;
    } or $died = [$@];
    eval {
        _sigprocmask(POSIX::SIG_SETMASK(), scalar_to_pointer($old), undef);
        _run_handlers();
        1;
    } or $died = [$@];
    return ($code, $died);
}

# Perl looks whether a signal has come when a loop goes round.
sub _run_handlers {
    my $times = 2;
    1 while $times--;
    return;
}

# One descriptor that stands for all, and whether it is to be closed.
sub _any_of {
    my (@tokens) = @_;
    return CORE::fileno $signals unless @tokens;
    my $poll  = _epoll_create1(CLOEXEC);
    my $event = pack 'L x12', EPOLLIN;
    _epoll_ctl($poll, EPOLL_CTL_ADD, $_, scalar_to_pointer($event)) for map { CORE::fileno $_ } $signals, @tokens;
    return ($poll, 1);
}

sub _take {
    my ($self, $size, $flags) = @_;
    my $taken = substr $self->{unread}, 0, min(_size($size), length $self->{unread});
    substr $self->{unread}, 0, length $taken, '' unless ($flags // 0) & MSG_PEEK;
    return $taken;
}

sub _host {
    my ($host) = @_;
    croak 'no host' unless defined $host;
    if ($host =~ /[^\0-\x7f]/ && $host !~ m{^[/@]}) {
        eval { require Net::IDN::Encode; 1 } or croak 'an international name, for which Net::IDN::Encode is needed';
        $host = Net::IDN::Encode::domain_to_ascii($host);
    }
    return _text($host);
}

# C would cut a string at a NUL.
sub _text {
    my ($text) = @_;
    croak 'a string with a NUL' if defined $text && $text =~ /\0/;
    utf8::encode($text)         if defined $text && utf8::is_utf8($text);
    return $text;
}

sub _seconds {
    my ($seconds) = @_;
    $seconds = FOREVER unless defined $seconds;
    croak "seconds that are no number: $seconds"   unless looks_like_number($seconds);
    croak "seconds that are not 0 or more: $seconds" unless $seconds >= 0;
    return $seconds;
}

sub _size {
    my ($size) = @_;
    croak 'no size' unless defined $size && looks_like_number($size);
    croak "Negative length: $size" if $size < 0;
    croak "length too large: $size" if $size > 0x7fffffff;    # Perl ends where there is no memory.
    return $size;
}

# Where the bytes of a string are, and how many. The caller's variable stays as it is: this is of a copy that it has.
sub _bytes {
    croak 'undefined data' unless defined $_[0];
    $_[0] = "$_[0]";
    utf8::downgrade($_[0], 1) or croak 'Wide character in data';
    return (scalar_to_pointer($_[0]), length $_[0]);
}

# A code, the bytes of an address, and how many.
sub _packed {
    my ($host, $port) = @_;
    my $address = "\0" x 128;
    my $code = sock_address(_text($host), _text($port), scalar_to_pointer($address), \my $length);
    croak 'not an address' if $code == -EINVAL;
    return ($code, $address, $length);
}

sub _unpacked {
    my ($address) = @_;
    my $host = "\0" x 110;
    my $port = sock_name(scalar_to_pointer($address), length $address, scalar_to_pointer($host), length $host);
    return defined _result($port) ? (unpack('Z*', $host), $port) : ();
}

sub _finish {
    my ($code, $died) = @_;
    die $died->[0] if $died;    ## no critic (RequireCarping)
    return _result($code);
}

sub _result {
    my ($code) = @_;
    return $code if $code >= 0;
    $! = -$code;
    return;
}

1;
