# frozen_string_literal: true

# What Ruby alone has the notion of. usage: ruby.rb BINDING-DIRECTORY HOW-OFTEN SECONDS [CHECK]; instant.c is preloaded

require 'socket'
require 'timeout'
require 'openssl'
require File.join(ARGV[0], 'sock')

OFTEN = Integer(ARGV[1])
SOON = Float(ARGV[2])

# The functions of instant.c.
module Instant
  SELF = Fiddle.dlopen(nil)
  BEFORE = Fiddle::Function.new(SELF['instant_before'], [Fiddle::TYPE_INT], Fiddle::TYPE_VOID)
  AFTER = Fiddle::Function.new(SELF['instant_after'], [Fiddle::TYPE_INT], Fiddle::TYPE_INT)
  MOMENT = Fiddle::Function.new(SELF['instant_moment'], [], Fiddle::TYPE_DOUBLE)
end

class Interruption < StandardError; end

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

def pair = UNIXSocket.pair.map { |io| Sock.new(io) }

def descriptors = Dir.children('/proc/self/fd').size

def resident = File.read('/proc/self/statm').split[1].to_i * 4096

def raises(*kinds)
  result = yield
  raise "#{result.inspect}, not #{kinds}"
rescue *kinds => e
  e
end

def assert(what, words = 'it is not so')
  raise words unless what
end

# Every signal ends its wait, the one that comes in the instant before the system call too.
def ctrl_c
  near, far = pair
  near.timeout = 5
  slowest = 0
  OFTEN.times do |i|
    i.odd? ? Instant::AFTER.call(rand(2000)) : Instant::BEFORE.call(1 + (i / 2 % 3))
    near.recv(1)
    raise 'nothing was to be received'
  rescue Interrupt
    slowest = [slowest, now - Instant::MOMENT.call].max
  end
  far.sendall('x')
  assert near.recv(1) == 'x'
  assert slowest < SOON, "only after #{slowest} s"
  format('%<n>d of %<n>d, the slowest after %<ms>.1f ms', n: OFTEN, ms: slowest * 1e3)
end

def handler_returns
  near, = pair
  seen = []
  trap(:INT) { seen << now }
  [1, 2, 3].each do |before|
    near.timeout = 0.2
    Instant::BEFORE.call(before)
    start = now
    raises(Sock::TimeoutError) { near.recv(1) }
    assert now - start >= 0.2
    assert seen.size == before && seen.last - start < 0.1, 'it ran only after the wait'
  end
end

# A handler that raises, in the middle of a whole buffer: what was moved is told, and not lost.
def counts
  near, far = pair
  trap(:INT) { raise Interruption }
  Instant::AFTER.call(100_000)
  error = raises(Interruption) { near.sendall("\0" * (8 << 20)) }
  assert error.transferred == near.transferred
  far.timeout = 0
  came = 0
  came += far.recv(1 << 20).bytesize while came < error.transferred
  raises(IO::WaitReadable) { far.recv(1) }
  far.timeout = nil
  near.sendall('begin')
  Instant::AFTER.call(100_000)
  assert raises(Interruption) { far.recvall(10) }.transferred == 5
  near.sendall('..end')
  assert far.recvall(10) == 'begin..end'
end

def closing_handler
  near, far = pair
  trap(:INT) { near.close }
  near.timeout = 5
  far.sendall('begin')
  Instant::AFTER.call(100_000)
  assert raises(IOError) { near.recvall(10) }.transferred == 5
end

# Timeout.timeout, Thread#raise and Thread#kill end waits, and what came is not lost.
def from_outside
  near, far = pair
  far.sendall('begin')
  start = now
  raises(Timeout::Error) { Timeout.timeout(0.2) { near.recvall(10) } }
  assert now - start < 2
  far.sendall('..end')
  assert near.recvall(10) == 'begin..end'
  far.sendall('more')
  thread = Thread.new { near.recvall(5) }
  sleep 0.1
  thread.kill
  assert thread.join(2), 'it waits on'
  assert near.recv(10) == 'more'
  200.times do |i|
    writer = Thread.new { sleep(rand * 0.001) && far.sendall(format('%04d', i)) }
    begin
      got = Timeout.timeout(rand * 0.001 + 0.0001) { near.recv(4) }
    rescue Timeout::Error
      got = near.recvall(4)
    end
    writer.join
    assert got == format('%04d', i), "#{got}, not #{i}"
  end
end

def accept_from_outside
  listener = Sock.listen('127.0.0.1', 0)
  before = descriptors
  50.times do
    client = Thread.new { sleep(rand * 0.001) && TCPSocket.new('127.0.0.1', listener.local_address.ip_port) }
    begin
      far = Timeout.timeout(rand * 0.001 + 0.0001) { listener.accept }
    rescue Timeout::Error
      far = listener.accept
    end
    far.close
    client.value.close
  end
  GC.start
  assert descriptors <= before + 1, "#{descriptors} descriptors, not #{before}"
end

def dial_interrupted
  full = Sock.listen('127.0.0.1', 0, 1)
  address = ['127.0.0.1', full.local_address.ip_port]
  ahead = Array.new(2) { Sock.dial(*address, 5) }
  before = descriptors
  trap(:INT) { raise Interruption }
  5.times do
    Instant::AFTER.call(50_000)
    raises(Interruption) { Sock.dial(*address, 20) }
  end
  raises(Timeout::Error) { Timeout.timeout(0.1) { Sock.dial(*address, 20) } }
  assert descriptors == before, "#{descriptors} descriptors, not #{before}"
  ahead.each(&:close)
end

def closed_elsewhere
  near, = pair
  waiting = Thread.new { raises(IOError) { near.recv(1) } }
  sleep 0.1
  near.close
  assert waiting.join(2), 'it waits on'
  raises(IOError) { near.recv(1) }
  near.close
  assert near.closed? && near.inspect == '#<Sock closed>'
end

# A program ends while a thread of it waits, or dials.
def exits
  program = 'require File.join(ARGV[0], "sock"); full = Sock.listen("127.0.0.1", 0, 1)
             port = full.local_address.ip_port; ahead = Array.new(2) { Sock.dial("127.0.0.1", port, 5) }
             near, = UNIXSocket.pair; Thread.new { Sock.new(near).recv(1) }
             Thread.new { Sock.dial("127.0.0.1", port) }; sleep 0.2'
  child = spawn('ruby', '-e', program, ARGV[0])
  Timeout.timeout(20) { Process.wait(child) }
  assert $?.success?, $?.to_s
rescue Timeout::Error
  Process.kill(:KILL, child)
  raise
end

def dropped
  listener = Sock.listen('127.0.0.1', 0)
  port = listener.local_address.ip_port
  before = memory = nil
  (OFTEN * 10).times do |i|
    if i == OFTEN
      GC.start
      before = descriptors
      memory = resident
    end
    near = Sock.dial('127.0.0.1', port, 5)
    near.io.setsockopt(:SOCKET, :LINGER, [1, 0].pack('ii'))
    near.sendall('x')
    listener.accept
    GC.start if (i % 200).zero?
  end
  GC.start
  assert descriptors <= before + 2, "#{descriptors} descriptors, not #{before}"
  grown = resident - memory
  assert grown < 16 << 20, "#{grown} bytes more"
end

def bad_arguments
  near, far = pair
  [[-1, ArgumentError], [Float::NAN, ArgumentError], [1e300, RangeError], ['1', TypeError]].each do |bad, kind|
    raises(kind) { near.timeout = bad }
  end
  %i[recv recvall].each do |call|
    raises(ArgumentError) { near.public_send(call, -1) }
    raises(ArgumentError, TypeError) { near.public_send(call, 'x') }
    raises(ArgumentError, NoMemoryError, RangeError) { near.public_send(call, 1 << 63) }
    assert near.public_send(call, 0) == ''
  end
  raises(RangeError) { near.recv(1, 1 << 32) }
  raises(TypeError) { near.sendall(nil) }
  raises(TypeError) { near.sendall(7) }
  raises(ArgumentError) { Sock.dial("127.0.0.1\0.example", 7, 1) }
  raises(ArgumentError) { Sock.listen("127.0.0.1\0", 7) }
  raises(TypeError) { Sock.dial(:localhost, 7, 1) }
  raises(TypeError) { Sock.new(File.open('/dev/null')) }
  raises(TypeError) { Sock.new(nil) }
  copy = near.dup
  copy.close
  assert !near.closed?, 'a duplicate has the same descriptor'
  frozen = 'frozen'
  near.sendall(frozen)
  assert far.recv(10) == frozen
end

def foreign_memory
  one, other = Socket.pair(:UNIX, :DGRAM)
  one.send('x' * 1000, 0)
  assert Sock.new(other).recv(8, Socket::MSG_TRUNC) == 'x' * 8
end

def tls
  near, = UNIXSocket.pair
  raises(TypeError) { Sock.new(OpenSSL::SSL::SSLSocket.new(near)) }
end

def limits
  near, far = pair
  start = now
  Sock.within(0.2) do
    far.sendall('1')
    assert near.recv(1) == '1'
    Sock.within(10) { raises(Sock::TimeoutError) { near.recv(1) } }
    raises(Sock::TimeoutError) { far.sendall('too late') }
  end
  assert (now - start).between?(0.2, 2)
  far.sendall('2')
  assert near.recv(1) == '2'
  near.timeout = 0.1
  Sock.within(10) { raises(Sock::TimeoutError) { near.recv(1) } }
  near.timeout = nil
  token = Sock::Token.new
  Sock.within(token: token) do
    Thread.new { sleep(0.1) && token.cancel }
    far.sendall('3')
    error = raises(Sock::Cancelled) { near.recvall(2) }
    assert error.data == '3' && error.transferred == 1
    raises(Sock::Cancelled) { Sock.listen('127.0.0.1', 0).accept }
  end
  assert token.cancelled?
  token.close
end

def lines
  near, far = pair
  far.sendall("one\ntwo\nthr")
  assert near.gets == "one\n" && near.gets == "two\n"
  near.timeout = 0.05
  raises(Sock::TimeoutError) { near.gets }
  far.sendall("ee\nrest")
  assert near.gets == "three\n"
  assert near.recv(4, Socket::MSG_PEEK) == 'rest' && near.recvall(4) == 'rest'
  far.sendall('cut')
  far.close
  raises(EOFError) { near.gets }
  raises(TypeError) { near.gets(nil) }
  near, far = pair
  far.sendall("a head\r\n\r\nbody\nlines\n")
  far.close
  assert near.gets("\r\n\r\n") == "a head\r\n\r\n" && near.each_line(chomp: true).to_a == %w[body lines] && near.gets.nil?
  near, far = pair
  far.sendall('x' * 20)
  raises(Errno::EMSGSIZE) { near.gets("\n", 16) }
  assert near.recvall(20) == 'x' * 20
end

def datagrams
  server = Sock.listen('127.0.0.1', '0/udp')
  client = Sock.dial('localhost', "#{server.local_address.ip_port}/udp", 5)
  client.send('question')
  data, address = server.recvfrom(100)
  assert data == 'question' && address.to_sockaddr == client.local_address.to_sockaddr
  server.sendto('answer', address)
  server.sendto('again', ['127.0.0.1', client.local_address.ip_port])
  assert client.recv(100) == 'answer' && client.recv(100) == 'again'
  raises(ArgumentError) { server.sendto('', ['localhost', 7]) }
  # The bytes of an address may look like text, as those of one port in fifteen do.
  100.times do
    other = Sock.listen('127.0.0.1', '0/udp')
    other.sendto('', server.local_address)
    assert server.recvfrom(0)[1].to_sockaddr == other.local_address.to_sockaddr
    other.close
  end
end

def unix
  ["@libsock-#{Process.pid}\u{e9}", "/tmp/libsock-#{Process.pid}\u{e9}.rb"].each do |name|
    listener = Sock.listen(name)
    Sock.dial(name, nil, 5) do |near|
      far = listener.accept
      near.sendall('hello')
      assert far.recvall(5) == 'hello'
    end
    Sock.new(Socket.new(:UNIX, :STREAM)).connect(name)
  ensure
    File.unlink(name) if name.start_with?('/')
  end
end

# An entry in the error queue makes nothing spin, before a signal and after it.
def error_queue
  closed = UDPSocket.new
  closed.bind('127.0.0.1', 0)
  port = closed.local_address.ip_port
  closed.close
  plain = UDPSocket.new
  plain.setsockopt(:IP, 11, 1) # IP_RECVERR
  plain.connect('127.0.0.1', port)
  waiting = Sock.new(plain)
  waiting.send('x')
  raises(Errno::ECONNREFUSED) { waiting.recv(1) }
  waiting.timeout = 1
  trap(:INT) {}
  Instant::AFTER.call(100_000)
  used = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
  start = now
  raises(Sock::TimeoutError) { waiting.recv(1) }
  used = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - used
  assert now - start >= 1
  assert used < 0.2, "#{used} s of processor time in a wait of 1 s"
end

# An end that the kernel's poll tells, but not an attempt that does not wait.
def shut_down
  socket = UDPSocket.new
  socket.connect('127.0.0.1', 9)
  waiting = Sock.new(socket)
  thread = Thread.new { waiting.recv(1) }
  sleep 0.1
  waiting.shutdown(:RD)
  assert thread.join(2) && thread.value == '', 'it waits on'
end

def both_directions
  near, far = pair
  data = Random.bytes(1 << 20) * 4
  threads = [near, far].flat_map { |one| [Thread.new { one.sendall(data) }, Thread.new { one.recvall(data.size) == data }] }
  assert threads.all? { |thread| thread.join(60)&.value }
end

%i[ctrl_c handler_returns counts closing_handler from_outside accept_from_outside dial_interrupted closed_elsewhere
   exits dropped bad_arguments foreign_memory tls limits lines datagrams unix error_queue shut_down
   both_directions].each do |name|
  next unless [nil, name.to_s].include?(ARGV[3])

  trap(:INT, 'DEFAULT')
  found = send(name)
  puts "ok #{name}#{": #{found}" if found.is_a?(String)}"
rescue Exception => e # rubocop:disable Lint/RescueException
  puts "not ok #{name}: #{e.message.lines.first&.chomp} (#{e.class}) #{e.backtrace.reject { |at| at.include?('internal') }[0, 4].map { |at| at[/[^\/]*$/] }.join(' < ')}"
ensure
  $stdout.flush
end
