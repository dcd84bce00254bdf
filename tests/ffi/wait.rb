# Waits for data that never come, or dials a port that never answers.
# usage: wait.rb BINDING-DIRECTORY SECONDS [handler [PORT]]; 0 seconds are for ever

require "socket"
require File.join(ARGV[0], "sock")

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

near, _far = UNIXSocket.pair
waiting = Sock.new(near)
waiting.timeout = ARGV[1].to_f.nonzero?
handled = []
trap(:INT) { handled << now } if ARGV.include?("handler")
puts "waiting"
$stdout.flush
start = now
begin
  ARGV[3] ? Sock.dial("127.0.0.1", ARGV[3], ARGV[1].to_f) : waiting.recv(1)
rescue Sock::TimeoutError
  puts "timed out #{now - start} #{handled.size} #{(handled.last || start) - start}"
end
