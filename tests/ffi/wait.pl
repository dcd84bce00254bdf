# Waits for data that never come, or dials a port that never answers.
# usage: wait.pl BINDING-DIRECTORY SECONDS [handler [PORT]]; 0 seconds are for ever

use strict;
use warnings;
use lib shift;
use Sock;
use Socket qw(AF_UNIX SOCK_STREAM);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($seconds, $handler, $port) = @ARGV;
my @handled;
sub now { clock_gettime(CLOCK_MONOTONIC) }

socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!";
my $waiting = Sock->new($near);
$waiting->settimeout($seconds || 9**9**9) or die "settimeout: $!";
$SIG{INT} = sub { push @handled, now() } if $handler;
$| = 1;
print "waiting\n";
my $start = now();
my $result = $port ? Sock->dial('127.0.0.1', $port, $seconds) : $waiting->recv(my $data, 1);
printf "timed out %.9f %d %.9f\n", now() - $start, scalar @handled, ($handled[-1] // $start) - $start
    if !defined $result && $!{ETIMEDOUT};
