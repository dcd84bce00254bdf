# frozen_string_literal: true

# libsock's socket modes for Ruby's sockets: blocking, non-blocking, or an exact timeout for every operation.
#
# It needs libsock (make install) and Ruby 3.0 or later; fiddle comes with Ruby. Copy this file into your project.
# The program beside it: ruby scenario.rb HOST PORT, with the address of a running echo-server.
#
#   connection = Sock.dial("localhost", 7007, 5)
#   connection.timeout = 0.25
#   data = connection.recv(4096)
#
# Not ready is IO::WaitReadable or IO::WaitWritable, a timeout is Sock::TimeoutError (IO::TimeoutError, or
# Errno::ETIMEDOUT before Ruby 3.2), anything else the Errno of its number. Each has `transferred`, how many bytes
# moved all the same, and from recvall `data`, those bytes. A lookup that fails is a Sock::LookupError, whose
# error_code is one of Socket::EAI_NONAME, EAI_SERVICE and so on.
#
# Other threads run while a call waits. Ruby's signal handlers run as soon as a signal comes, in the main thread. One
# that raises, as that of Ctrl-C does, ends its wait; after one that returns, it goes on for the time that is left.
# Timeout.timeout, Thread#raise and Thread#kill do not end a wait, and it blocks a scheduler of fibers. Only dial and
# listen are not interrupted: handlers run after them.
#
# It does not send or receive datagrams with addresses.

require "fiddle/import"
require "socket"

# A socket in one of the modes.
class Sock
  TimeoutError = defined?(IO::TimeoutError) ? IO::TimeoutError : Errno::ETIMEDOUT

  # No such host or service, or no name server that tells.
  class LookupError < SocketError
    # LIBSOCK_EAI_NONAME and so on.
    CODES = {
      5002 => Socket::EAI_NONAME,
      5003 => Socket::EAI_AGAIN,
      5004 => Socket::EAI_FAIL,
      5005 => Socket::EAI_NODATA,
      5008 => Socket::EAI_SERVICE
    }.freeze

    attr_reader :error_code

    def initialize(words, code)
      super(words)
      @error_code = CODES.fetch(code)
    end
  end

  # What every error of a Sock has besides.
  module Progress
    attr_accessor :transferred, :data
  end

  # Fiddle lets go of Ruby's lock while it calls.
  module Library
    extend Fiddle::Importer
    dlload "libsock.so.0"
    extern "int sock_settimeout(int, double)"
    extern "int sock_gettimeout(int, void *)"
    extern "int sock_setinterrupt(int, int)"
    extern "ssize_t sock_recv(int, void *, size_t, int)"
    extern "int sock_sendall(int, void *, size_t, int, void *)"
    extern "int sock_recvall(int, void *, size_t, int, void *)"
    extern "int sock_accept(int, void *, void *)"
    extern "int sock_dial(const char *, const char *, double)"
    extern "int sock_listen(const char *, const char *, int)"
    extern "int sock_wait(int, int, double)"
    extern "char *sock_strerror(ssize_t)"
  end
  private_constant :Library

  POLLIN = 0x001
  POLLOUT = 0x004

  # Raises what a code of the library stands for.
  module Outcome
    private

    def check(code, events = nil, done = 0)
      return code unless code.negative?

      error =
        case -code
        when Errno::EAGAIN::Errno then (events == POLLIN ? IO::EAGAINWaitReadable : IO::EAGAINWaitWritable).new
        when Errno::ETIMEDOUT::Errno then TimeoutError.new
        when Errno::EPIPE::Errno then events == POLLIN ? EOFError.new("end of file reached") : Errno::EPIPE.new
        when *LookupError::CODES.keys then LookupError.new(Library.sock_strerror(code).to_s, -code)
        else SystemCallError.new(nil, -code)
        end
      error.extend(Progress).transferred = done
      raise error
    end
  end
  private_constant :Outcome
  include Outcome
  extend Outcome

  # Connects by TCP, lookup included, within so many seconds, which become the timeout.
  def self.dial(host, service, seconds = nil)
    fd = check(Library.sock_dial(text(host), text(service), seconds || Float::INFINITY))
    new(Socket.for_fd(fd)).tap { |connection| connection.timeout = seconds }
  end

  # Gives a listening Sock in blocking mode. A host of nil is all addresses, service 0 any port.
  def self.listen(host, service, backlog = 0)
    new(Socket.for_fd(check(Library.sock_listen(text(host), text(service), backlog))))
  end

  # Fiddle would cut a string at a NUL.
  def self.text(value)
    text = value&.to_s
    raise ArgumentError, "string contains null byte" if text&.include?("\0")

    text
  end
  private_class_method :text

  attr_reader :io

  # Any object with a fileno will do, or a descriptor. Ruby keeps its sockets in O_NONBLOCK for its own use: they
  # begin in blocking mode here, or with the timeout that an IO has since Ruby 3.2. Use the methods of the IO no
  # longer for what waits or buffers; its close still closes it.
  def initialize(io)
    @io = io
    check(Library.sock_setinterrupt(fileno, 1))
    self.timeout = io.respond_to?(:timeout) ? io.timeout : nil
  end

  def fileno
    @io.is_a?(Integer) ? @io : @io.fileno
  end

  # nil is blocking mode, 0 non-blocking mode.
  def timeout=(seconds)
    check(Library.sock_settimeout(fileno, seconds || Float::INFINITY))
  end

  def timeout
    value = memory(Fiddle::SIZEOF_DOUBLE)
    check(Library.sock_gettimeout(fileno, value))
    seconds = value.to_str.unpack1("d")
    seconds unless seconds.infinite?
  end

  # Gives an empty string at the end of the stream.
  def recv(size, flags = 0)
    buffer = memory(size)
    buffer[0, run(POLLIN) { |_, more| Library.sock_recv(fileno, buffer, size, flags | more) }]
  end

  # Sends all of it within one timeout, and gives its size.
  def sendall(data, flags = 0)
    data = Fiddle::Pointer[data.b] # Of its own, for another thread may change the caller's.
    part = memory(Fiddle::SIZEOF_SIZE_T)
    run(POLLOUT, part) do |done, more|
      Library.sock_sendall(fileno, data + done, data.size - done, flags | more, part)
    end
    data.size
  end

  # Receives that many bytes within one timeout. A peer that closes before is an EOFError.
  def recvall(size, flags = 0)
    buffer = memory(size)
    part = memory(Fiddle::SIZEOF_SIZE_T)
    run(POLLIN, part) do |done, more|
      Library.sock_recvall(fileno, buffer + done, size - done, flags | more, part)
    end
    buffer[0, size]
  rescue Progress => e
    e.data = buffer[0, e.transferred]
    raise
  end

  # Gives a new Sock in blocking mode; io.remote_address of that tells who it is.
  def accept
    Sock.new(Socket.for_fd(run(POLLIN) { Library.sock_accept(fileno, nil, nil) }))
  end

  private

  # Ruby runs its handlers when a call has come back with EINTR. To go on it waits, and then calls without
  # waiting: the timeout, which other threads may be using, stays as it is.
  def run(events, part = nil)
    start = now
    code = yield 0, 0
    done = count(part)
    while code == -Errno::EINTR::Errno
      left = start + (timeout || Float::INFINITY) - now
      code = left.positive? ? Library.sock_wait(fileno, events, left) : -Errno::ETIMEDOUT::Errno
      next unless code.positive?

      code = yield done, Socket::MSG_DONTWAIT
      done += count(part)
      code = -Errno::EINTR::Errno if code == -Errno::EAGAIN::Errno
    end
    check(code, events, done)
  end

  def memory(size)
    Fiddle::Pointer.malloc(size, Fiddle::RUBY_FREE)
  end

  def count(part)
    part ? part.to_str.unpack1("J") : 0
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
