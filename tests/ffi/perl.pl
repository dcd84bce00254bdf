# What Perl alone has the notion of. usage: perl.pl BINDING-DIRECTORY HOW-OFTEN SECONDS [CHECK]; instant.c is preloaded

use strict;
use warnings;
use lib shift;
use Sock;
use FFI::Platypus 2.00;
use Socket;
use IO::Socket::INET;
use Config;
use Tie::Scalar;
use Time::HiRes qw(clock clock_gettime CLOCK_MONOTONIC sleep);

my ($often, $soon, $only) = @ARGV;
my $ffi = FFI::Platypus->new(api => 2, lib => undef);
$ffi->attach(@$_) for (
    [ instant_before => ['int'] => 'void' ],
    [ instant_after  => ['int'] => 'int' ],
    [ instant_moment => []      => 'double' ],
);

sub now() { return clock_gettime(CLOCK_MONOTONIC) }
sub descriptors() { opendir my $dir, '/proc/self/fd' or die; return scalar(() = readdir $dir) }

sub resident() {
    open my $statm, '<', '/proc/self/statm' or die;
    return (split ' ', <$statm>)[1] * 4096;
}

sub pair {
    my ($kind) = @_;
    socketpair my $near, my $far, AF_UNIX, $kind // SOCK_STREAM, 0 or die "socketpair: $!";
    return map { Sock->new($_) } $near, $far;
}

sub assert {
    my ($ok, $words) = @_;
    die +($words // 'it is not so') . ' in line ' . (caller)[2] . "\n" unless $ok;
    return;
}

sub undef_handle { my $token = Sock::Token->new; close $token or die; return $token }

# A call that fails with an errno.
sub fails {
    my ($name, $call) = @_;
    local $! = 0;
    my @result = $call->();
    assert((!@result || !$result[0]) && $!{$name}, "not $name but $! and (@{[ map { $_ // 'undef' } @result ]}), called");
    return;
}

# A call that croaks, or whose handler dies.
sub dies {
    my ($call, $words) = @_;
    return assert(0, "it did not die, called from " . (caller)[2]) if eval { $call->(); 1 };
    assert($@ =~ $words, "it died of $@") if $words;
    return;
}

my @checks = (
    # Every signal ends its wait, the one that comes in the instant before the system call too.
    ctrl_c => sub {
        my ($near, $far) = pair;
        $near->settimeout(5);
        local $SIG{INT} = sub { die "interrupted\n" };
        my $slowest = 0;
        for my $i (1 .. $often) {
            $i % 2 ? instant_after(int rand 2000) : instant_before(1 + $i / 2 % 4);
            dies(sub { $near->recv(my $data, 1) }, qr/^interrupted$/);
            my $took = now - instant_moment();
            $slowest = $took if $took > $slowest;
        }
        $far->sendall('x');
        $near->recv(my $data, 1);
        assert($data eq 'x');
        assert($slowest < $soon, "only after $slowest s");
        return sprintf '%d of %d, the slowest after %.1f ms', $often, $often, $slowest * 1e3;
    },
    handler_returns => sub {
        my ($near, $far) = pair;
        my @seen;
        local $SIG{INT} = sub { push @seen, now };
        for my $before (1 .. 4) {
            $near->settimeout(0.2);
            instant_before($before);
            my $start = now;
            fails(ETIMEDOUT => sub { $near->recv(my $data, 1) });
            assert(now - $start >= 0.2 && @seen == $before && $seen[-1] - $start < 0.1, 'it ran only after the wait');
        }
        return;
    },
    # A handler that dies in the middle of a whole buffer: what was moved is told, and what came is not lost.
    counts => sub {
        my ($near, $far) = pair;
        $near->sendall('12345');
        $far->recvall(my $data, 5);
        local $SIG{INT} = sub { die "interrupted\n" };
        instant_after(100_000);
        dies(sub { $near->sendall('x' x (8 << 20)) }, qr/^interrupted$/);
        my $sent = $near->transferred;
        assert($sent > 5 && $sent < 8 << 20);
        $far->settimeout(0);
        my $came = 0;
        $came += $far->recv($data, 1 << 20) // last while $came < $sent;
        fails(EAGAIN => sub { $far->recv($data, 1) });
        assert($came == $sent, "$came came, $sent were told");
        $far->settimeout(undef);
        $near->sendall('begin');
        instant_after(100_000);
        dies(sub { $far->recvall($data, 10) }, qr/^interrupted$/);
        assert($far->transferred == 5);
        $near->sendall('..end');
        assert($far->recvall($data, 10) && $data eq 'begin..end');
        return;
    },
    closing_handler => sub {
        my ($near, $far) = pair;
        $near->settimeout(5);
        $far->sendall('begin');
        local $SIG{INT} = sub { $near->close };
        instant_after(100_000);
        fails(EBADF => sub { $near->recvall(my $data, 10) });
        assert($near->transferred == 5);
        return;
    },
    # A handler may do what it likes with the caller's variables.
    handler_and_buffers => sub {
        my ($near, $far) = pair;
        my $data = 'y' x (4 << 20);
        local $SIG{INT} = sub { undef $data; my @other = map { 'z' x (1 << 20) } 1 .. 8; };
        defined(my $child = fork) or die "fork: $!";
        if (!$child) {
            sleep 0.3;
            $far->recvall(my $got, 4 << 20);
            POSIX::_exit($got eq 'y' x (4 << 20) ? 0 : 1);
        }
        instant_after(100_000);
        assert($near->sendall($data));
        waitpid $child, 0;
        assert($? == 0, 'other bytes were sent');
        my $buffer = 'before';
        local $SIG{INT} = sub { undef $buffer; my @other = map { 'z' x 100 } 1 .. 100; $far->sendall('after') };
        instant_after(100_000);
        assert($near->recvall($buffer, 5) && $buffer eq 'after');
        return;
    },
    kinds_of_buffers => sub {
        my ($near, $far) = pair;
        $far->sendall('0123456789' x 4);
        my %hash;
        assert($near->recv($hash{absent}, 4) && $hash{absent} eq '0123');
        my $flagged = "\x{263a}";
        assert($near->recvall($flagged, 4) && $flagged eq '4567' && length $flagged == 4);
        my $text = '<----->';
        assert($near->recvall(substr($text, 1, 5), 5) && $text eq '<89012>');
        tie my $tied, 'Tie::StdScalar';
        assert($near->recv($tied, 5) && $tied eq '34567');
        $near->recvall($hash{rest}, 22);
        $far->sendall($tied);
        assert($near->recvall($flagged, 5) && $flagged eq '34567');
        my $latin = "\xe9\x{263a}";
        chop $latin;
        $far->sendall($latin);
        assert($near->recv($flagged, 10) == 1 && $flagged eq "\xe9" && $latin eq "\xe9");
        my $number = 12345;
        $far->sendall($number);
        assert($near->recvall($number, 5) && $number == 12345);
        dies(sub { $far->sendall("\x{263a}") }, qr/Wide character/);
        my ($one, $other) = pair(SOCK_DGRAM);
        $one->send('x' x 1000);
        assert($other->recv($flagged, 8, MSG_TRUNC) == 1000 && $flagged eq 'x' x 8, 'foreign memory');
        return;
    },
    dial_interrupted => sub {
        my $full = Sock->listen('127.0.0.1', 0, 1);
        my (undef, $port) = $full->local_address;
        my @ahead = map { Sock->dial('127.0.0.1', $port, 5) } 1, 2;
        my $before = descriptors;
        local $SIG{INT} = sub { die "interrupted\n" };
        for (1 .. 5) {
            instant_after(50_000);
            dies(sub { Sock->dial('127.0.0.1', $port, 20) }, qr/^interrupted$/);
        }
        my $open = Sock->listen('127.0.0.1', 0, 4096);    # And where somebody answers, at any moment.
        (undef, $port) = $open->local_address;
        my $armed = 0;
        local $SIG{INT} = sub { $armed-- && die "interrupted\n" };
        for (1 .. 100) {
            eval {
                $armed = 1;
                instant_after(int rand 600);
                Sock->dial('127.0.0.1', $port, 5);
                sleep 0.0001 while $armed > 0;
                1;
            };
        }
        $open->close;
        assert(descriptors == $before + 1 || descriptors == $before, descriptors . " descriptors, not $before");
        return;
    },
    dropped => sub {
        my $listener = Sock->listen('127.0.0.1', 0);
        my (undef, $port) = $listener->local_address;
        my ($before, $memory);
        for my $i (1 .. $often * 10) {
            ($before, $memory) = (descriptors, resident) if $i == $often;
            my $near = Sock->dial('127.0.0.1', $port, 5) or die "dial: $@";
            setsockopt $near->handle, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
            $near->sendall('x');
            $listener->accept or die "accept: $!";
        }
        assert(descriptors == $before, descriptors . " descriptors, not $before");
        assert(resident() - $memory < 8 << 20, resident() - $memory . ' bytes more');
        return;
    },
    bad_arguments => sub {
        my ($near, $far) = pair;
        dies(sub { $near->settimeout($_) }) for -1, 'nan', '1s';
        fails(EOVERFLOW => sub { $near->settimeout(1e300) });
        assert($near->settimeout(undef) && $near->gettimeout == 9**9**9);
        for my $call (qw(recv recvall)) {
            for my $bad (-1, 'x', undef, 1 << 31, 1 << 62) {
                dies(sub { $near->$call(my $data, $bad) });
            }
        }
        my $data = 'before';
        assert($near->recv($data, 0) == 0 && $data eq '' && $near->recvall($data, 0));
        dies(sub { $near->sendall(undef) });
        dies(sub { Sock->dial("127.0.0.1\0.example", 7, 1) }, qr/NUL/);
        dies(sub { Sock->listen("127.0.0.1\0",       7) },    qr/NUL/);
        dies(sub { Sock->dial(undef, 7, 1) });
        dies(sub { Sock->within(1, sub { }, $_) }) for 3, 'token', undef_handle();
        $far->sendall('x');
        for my $call (qw(recv recvall)) { dies(sub { $near->$call('constant', 1) }, qr/read-only/) }
        assert($near->recv($data, 1) && $data eq 'x', 'it was lost');
        $near->close;
        $near->close;
        fails(EBADF => sub { $near->recv($data, 1) });
        open my $file, '<', '/dev/null' or die;
        fails(ENOTSOCK => sub { Sock->new($file) });
        return;
    },
    # Perl's threads have copies of all objects: none may close what is another's.
    threads => sub {
        return 'this Perl has none' unless $Config{usethreads};
        require threads;
        my ($near, $far) = pair;
        my $token = Sock::Token->new;
        my $wait  = sub { $near->settimeout(0.01); fails(ETIMEDOUT => sub { $near->recv(my $data, 1) }) };
        $wait->();
        my $before = descriptors;
        for (1 .. 3) { threads->create($wait)->join }
        assert(descriptors == $before, descriptors . " descriptors, not $before");
        $far->sendall('x');
        assert($near->recv(my $data, 1) && $token->cancel);
        return;
    },
    tls => sub {
        my ($near) = pair;

        package Tied { sub TIEHANDLE { return bless {}, shift } sub FILENO { return $_[1] } }
        tie *{ $near->handle }, 'Tied';
        dies(sub { Sock->new($near->handle) }, qr/TLS/);
        untie *{ $near->handle };
        return;
    },
    limits => sub {
        my ($near, $far) = pair;
        my $start = now;
        Sock->within(0.2, sub {
            $far->sendall('1');
            assert($near->recv(my $data, 1));
            Sock->within(10, sub { fails(ETIMEDOUT => sub { $near->recv($data, 1) }) });
            fails(ETIMEDOUT => sub { $far->sendall('too late') });
        });
        assert(now - $start >= 0.2 && now - $start < 2);
        $far->sendall('2');
        assert($near->recv(my $data, 1));
        my $token = Sock::Token->new;
        Sock->within(undef, sub {
            $far->sendall('3');
            local $SIG{INT} = sub { $token->cancel };
            instant_after(100_000);
            fails(ECANCELED => sub { $near->recvall($data, 2) });
            assert($data eq '3' && $token->cancelled);
            fails(ECANCELED => sub { Sock->listen('127.0.0.1', 0)->accept });
        }, $token);
        return;
    },
    lines => sub {
        my ($near, $far) = pair;
        $far->sendall("one\ntwo\nthr");
        assert($near->recvline eq "one\n" && $near->recvline eq "two\n");
        $near->settimeout(0.05);
        fails(ETIMEDOUT => sub { $near->recvline });
        $far->sendall("ee\nrest");
        assert($near->recvline eq "three\n");
        my $rest;
        assert($near->recv($rest, 4, $_) && $rest eq 'rest') for MSG_PEEK, 0;
        $far->sendall('cut');
        $far->close;
        fails(EPIPE => sub { $near->recvline });
        ($near, $far) = pair;
        $far->sendall("a head\r\n\r\nbody\nlines\n");
        $far->close;
        assert($near->recvline("\r\n\r\n") eq "a head\r\n\r\n");
        my @lines;
        while (defined(my $line = $near->recvline)) { push @lines, $line }
        assert("@lines" eq "body\n lines\n" && $! == 0);
        return;
    },
    datagrams => sub {
        my $server = Sock->listen('127.0.0.1', '0/udp');
        my (undef, $port) = $server->local_address;
        my $client = Sock->dial('localhost', "$port/udp", 5);
        $client->send('question');
        my ($data, @from) = $server->recvfrom(100);
        assert($data eq 'question' && "@from" eq join ' ', $client->local_address);
        $server->sendto('answer', @from);
        assert($client->recv($data, 100) && $data eq 'answer');
        dies(sub { $server->sendto('', 'localhost', 7) });
        return;
    },
    unix => sub {
        for my $name ("\@libsock-perl-$$", "/tmp/libsock-perl-$$") {
            my $listener = Sock->listen($name) or die "listen: $@";
            my $near = Sock->dial($name, undef, 5) or die "dial: $@";
            my $far = $listener->accept;
            $near->sendall('hello');
            $far->recvall(my $data, 5);
            assert($data eq 'hello' && ($near->remote_address)[0] eq $name);
            socket my $own, AF_UNIX, SOCK_STREAM, 0 or die;
            assert(Sock->new($own)->connect($name));
            unlink $name;
        }
        return;
    },
    error_queue => sub {
        my $closed = Sock->listen('127.0.0.1', '0/udp');
        my (undef, $port) = $closed->local_address;
        $closed->close;
        my $waiting = Sock->dial('127.0.0.1', "$port/udp", 5);
        setsockopt $waiting->handle, 0, 11, pack 'i', 1;    # IP_RECVERR
        $waiting->send('x');
        fails(ECONNREFUSED => sub { $waiting->recv(my $data, 1) });
        $waiting->settimeout(1);
        local $SIG{INT} = sub { };
        instant_after(100_000);
        my ($used, $start) = (clock, now);
        fails(ETIMEDOUT => sub { $waiting->recv(my $data, 1) });
        $used = clock() - $used;
        assert(now - $start >= 1 && $used < 0.3, "$used s of processor time in a wait of 1 s");
        return;
    },
);

$| = 1;
while (my ($name, $check) = splice @checks, 0, 2) {
    next if defined $only && $only ne $name;
    my $found;
    if (eval { $found = $check->(); 1 }) { print "ok $name", defined $found ? ": $found" : '', "\n" }
    else                                 { chomp(my $why = $@); print "not ok $name: $why\n" }
}
