# frozen_string_literal: true

# What examples-ffi/SCENARIO.md describes. usage: ruby scenario.rb HOST PORT

require 'socket'
require 'tmpdir'
require 'zlib'
require_relative 'sock'

def pair
  UNIXSocket.pair.map { |io| Sock.new(io) }
end

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

# Whether a receive that gets nothing ends on time.
def times_out?(connection, seconds)
  connection.timeout = seconds
  start = now
  connection.recv(1)
  false
rescue Sock::TimeoutError
  (now - start).between?(seconds, seconds + 1)
end

def not_ready
  near, far = pair
  near.timeout = 0
  begin
    near.recv(1)
  rescue IO::WaitReadable
    puts 'non-blocking: not ready'
  end
  on_time = times_out?(near, 0.25)
  far.sendall('x')
  puts 'timeout of 0.25 s: fired on time, and the socket is still good' if on_time && near.recv(1) == 'x'
end

def echo(host, port)
  data = ((0..250).to_a.pack('C*') * 33_421).byteslice(0, 8 << 20)
  received = TCPSocket.open(host, port) do |io|
    connection = Sock.new(io)
    connection.timeout = 30
    sender = Thread.new { connection.sendall(data) }
    connection.recvall(data.bytesize).tap { sender.join }
  end
  return unless received == data

  puts format('echo: %<size>d bytes there and back, Adler-32 %<sum>08x',
              size: received.bytesize, sum: Zlib.adler32(received))
end

def early_close
  near, far = pair
  far.sendall("\0" * 1000)
  far.close
  begin
    near.recvall(4096)
  rescue EOFError => e
    received = e.transferred
  end
  near.sendall("\0" * 4096)
rescue Errno::EPIPE => e
  puts "early close: #{received} of 4096 bytes received, then #{e.transferred} of 4096 sent"
end

def interrupted
  near, _far = pair
  handled = 0
  trap(:USR1) { handled += 1 }
  sender = spawn("sleep 0.1; kill -USR1 #{Process.pid}")
  on_time = times_out?(near, 0.5)
  Process.wait(sender)
  puts 'signal during a timeout of 0.5 s: handled, and fired on time' if on_time && handled == 1
end

def by_name
  listener = Sock.listen('127.0.0.1', 0)
  near = Sock.dial('localhost', listener.local_address.ip_port, 5)
  far = listener.accept
  near.sendall('hello')
  return unless near.timeout == 5 && far.recvall(5) == 'hello'

  puts 'by name: dialed, with a timeout of 5 s, and hello went through'
end

def lookup_error(host, service, code)
  Sock.dial(host, service, 5)
rescue Sock::LookupError => e
  e.error_code == code ? e.message : e.full_message
end

def lookups
  host = lookup_error('no such host', 7, Socket::EAI_NONAME)
  service = lookup_error('127.0.0.1', 'no-such-service', Socket::EAI_SERVICE)
  puts "lookups that fail: #{host}, #{service}"
  Sock.dial("127.0.0.1\0.example", 7, 5)
rescue ArgumentError
  puts 'a host with a NUL: refused'
end

def refused?(*errors)
  yield
  false
rescue *errors
  true
end

def sizes
  near, _far = pair
  near.timeout = 0.25
  puts 'receive of 0 bytes: nothing, at once' if near.recv(0).empty?
  refused = [-1, 2**63].all? { |size| refused?(ArgumentError, RangeError) { near.recv(size) } }
  puts 'sizes of -1 and 2^63: refused' if refused
end

def deadline
  near, far = pair
  start = now
  Sock.within(0.3) do
    100.times do
      far.sendall('x')
      near.recv(1)
      sleep 0.02
    end
  end
rescue Sock::TimeoutError
  return if now - start < 0.3

  puts 'deadline of 0.3 s over many calls: on time, though the peer went on sending'
end

def cancelled
  near, far = pair
  token = Sock::Token.new
  far.sendall("\0" * 1000)
  canceller = Thread.new { sleep(0.1) && token.cancel }
  begin
    Sock.within(token: token) { near.recvall(4096) }
  rescue Sock::Cancelled => e
    received = e.transferred
  end
  canceller.join
  far.sendall('x')
  puts "cancelled: #{received} of 4096 bytes received, and the socket is still good" if near.recv(1) == 'x'
end

def lines
  near, far = pair
  far.sendall("first\nsec")
  first = near.gets
  start = now
  on_time = refused?(Sock::TimeoutError) { Sock.within(0.1) { near.gets } } && now - start >= 0.1
  far.sendall("ond\nrest")
  second = near.gets
  puts "lines: #{first.chomp}, #{second.chomp}; then #{near.recvall(4)}" if on_time
end

def connected(*address)
  listener = Sock.listen(*address)
  near = Sock.dial(address[0], address[1] && listener.local_address.ip_port, 5)
  [listener, near, listener.accept]
end

def addresses
  listener, near, far = connected('127.0.0.1', 0)
  remotes = [near, far].map { |one| one.remote_address.inspect_sockaddr }
  return unless remotes == [listener, near].map { |one| one.local_address.inspect_sockaddr }

  puts "addresses: #{near.remote_address.ip_address}, and each end's is what the other sees"
end

def datagrams
  server, client = Array.new(2) { Sock.listen('127.0.0.1', '0/udp') }
  client.sendto('question', server.local_address)
  question, from = server.recvfrom(100)
  server.sendto('answer', from)
  answer, origin = client.recvfrom(100)
  return unless [from, origin].map(&:ip_port) == [client, server].map { |one| one.local_address.ip_port }

  puts "datagrams: #{question} and #{answer}, each with its sender's address"
end

def unix
  Dir.mktmpdir do |directory|
    path = File.join(directory, 'socket')
    _, near, far = connected(path)
    near.sendall('hello')
    next unless near.remote_address.unix_path == path && far.recvall(5) == 'hello'

    puts 'Unix socket: dialed by its path, and hello went through'
  end
end

def use_after_close
  closed, _far = pair
  closed.close
  near, far = pair # One of these has its number now.
  uses = [-> { closed.sendall('astray') }, -> { closed.recv(1) }, -> { closed.timeout = 0 }]
  refused = uses.all? { |use| refused?(IOError, &use) }
  closed.close
  near.sendall('x')
  far.sendall('y')
  return unless refused && far.recv(10) == 'x' && near.recv(10) == 'y'

  puts 'use after close: an error, and what has its number by then is left alone; closing twice: harmless'
end

def close_while_waiting
  near, _far = pair
  near.timeout = 10
  Thread.new { sleep(0.1) && near.close }
  near.recv(1)
rescue IOError => e
  return if e.is_a?(Sock::TimeoutError) || e.is_a?(EOFError)

  puts 'close while a receive waits: an error at once, and not the end of the stream'
end

def descriptors
  GC.start
  Dir.children('/proc/self/fd').size
end

def dropped
  pair
  most = descriptors + 9 # Ruby's collector is conservative.
  500.times { |i| pair && (descriptors if (i % 100).zero?) }
  limit = now + 10
  sleep 0.01 while descriptors > most && now < limit
  puts '1000 sockets dropped: no descriptor is left' if descriptors <= most
end

not_ready
echo(*ARGV)
early_close
interrupted
by_name
lookups
sizes
deadline
cancelled
lines
addresses
datagrams
unix
use_after_close
close_while_waiting
dropped
