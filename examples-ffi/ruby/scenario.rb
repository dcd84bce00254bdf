# frozen_string_literal: true

# What examples-ffi/SCENARIO.md describes. usage: ruby scenario.rb HOST PORT

require 'socket'
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
  Sock.dial("127.0.0.1\0.example", 7, 5)
rescue ArgumentError
  puts "lookups that fail: #{host}, #{service}"
end

not_ready
echo(*ARGV)
early_close
interrupted
by_name
lookups
