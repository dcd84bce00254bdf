# frozen_string_literal: true

# libsock's socket modes for Ruby's sockets: blocking, non-blocking, or an exact timeout for every operation.
#
# It needs libsock (make install) and Ruby 3.0 or later; fiddle comes with Ruby. Copy this file into your project.
# README.md beside it tells how it is used, and what it does not do.
#
#   Sock.dial("localhost", 7007, 5) do |connection|
#     connection.timeout = 0.25
#     data = connection.recv(4096)
#   end

require 'fiddle'
require 'io/wait'
require 'socket'

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

  # A token was cancelled.
  class Cancelled < StandardError; end

  # What every error of a Sock has besides, and what ends its whole transfers from outside.
  module Progress
    attr_accessor :transferred, :data
  end

  # The functions of C. But for those that look up names they never wait, and keep Ruby's lock: Ruby does the waiting.
  module Library
    HANDLE = Fiddle.dlopen('libsock.so.0')
    INT = Fiddle::TYPE_INT
    SIZE = Fiddle::TYPE_SIZE_T
    COUNT = Fiddle::TYPE_SSIZE_T
    SECONDS = Fiddle::TYPE_DOUBLE
    MEMORY = Fiddle::TYPE_VOIDP
    UNTIL = [SECONDS, INT].freeze

    def self.function(name, result, *arguments, waits: false)
      Fiddle::Function.new(HANDLE["sock_#{name}"], arguments, result, name: name, need_gvl: !waits)
    end

    SETTIMEOUT = function('settimeout', INT, INT, SECONDS)
    GETTIMEOUT = function('gettimeout', INT, INT, MEMORY)
    SEND = function('send_until', COUNT, INT, MEMORY, SIZE, INT, *UNTIL)
    SENDTO = function('sendto_until', COUNT, INT, MEMORY, SIZE, INT, MEMORY, INT, *UNTIL)
    SENDALL = function('sendall_until', INT, INT, MEMORY, SIZE, INT, MEMORY, *UNTIL)
    RECV = function('recv_until', COUNT, INT, MEMORY, SIZE, INT, *UNTIL)
    RECVFROM = function('recvfrom_until', COUNT, INT, MEMORY, SIZE, INT, MEMORY, MEMORY, *UNTIL)
    RECVALL = function('recvall_until', INT, INT, MEMORY, SIZE, INT, MEMORY, *UNTIL)
    RECVDELIM = function('recvdelim_until', COUNT, INT, MEMORY, SIZE, MEMORY, MEMORY, SIZE, *UNTIL)
    CONNECT = function('connect_until', INT, INT, MEMORY, INT, *UNTIL)
    ACCEPT = function('accept_until', INT, INT, MEMORY, MEMORY, *UNTIL)
    DIAL = function('dial_until', INT, MEMORY, MEMORY, *UNTIL, waits: true)
    LISTEN = function('listen', INT, MEMORY, MEMORY, INT, waits: true)
    ADDRESS = function('address', INT, MEMORY, MEMORY, MEMORY, MEMORY)
    DEADLINE = function('deadline', SECONDS, SECONDS)
    TOKEN = function('token', INT)
    CANCEL = function('cancel', INT, INT)
    STRERROR = function('strerror', MEMORY, COUNT)
  end
  private_constant :Library
  include Library

  FOREVER = Float::INFINITY
  EAGAIN = -Errno::EAGAIN::Errno
  ECANCELED = -Errno::ECANCELED::Errno
  ETIMEDOUT = -Errno::ETIMEDOUT::Errno
  private_constant :FOREVER, :EAGAIN, :ECANCELED, :ETIMEDOUT

  # Raises what a code of the library stands for, and makes what it takes.
  module Words
    private

    def check(code, events = nil, done = 0)
      return code unless code.negative?

      error = error(code, events).extend(Progress)
      error.transferred = done
      raise error
    end

    def error(code, events)
      case code
      when EAGAIN then (events == :read ? IO::EAGAINWaitReadable : IO::EAGAINWaitWritable).new
      when ETIMEDOUT then TimeoutError.new
      when ECANCELED then Cancelled.new(words(code))
      when -Errno::EPIPE::Errno then events == :read ? EOFError.new('end of file reached') : Errno::EPIPE.new
      else LookupError::CODES[-code] ? LookupError.new(words(code), -code) : SystemCallError.new(nil, -code)
      end
    end

    def words(code)
      Library::STRERROR.call(code).to_s
    end

    # C would cut a string at a NUL.
    def text(value)
      return if value.nil?
      raise TypeError, "a name is a String or an Integer, not #{value.class}" unless [String,
                                                                                      Integer].include?(value.class)
      raise ArgumentError, 'string contains null byte' if value.to_s.include?("\0")

      "#{value}\0"
    end

    def interval(seconds)
      return FOREVER if seconds.nil?
      raise TypeError, "can't convert #{seconds.class} into time interval" unless seconds.is_a?(Numeric)
      raise ArgumentError, 'time interval must not be negative' if seconds.negative? || seconds.to_f.nan?
      raise RangeError, "#{seconds} out of Time range" if seconds.finite? && seconds * (10**9) >= 2**63

      seconds.to_f
    end

    def length(size)
      raise ArgumentError, "negative length #{size} given" if Integer(size).negative?

      Integer(size)
    end

    def packed(address)
      return address.to_sockaddr if address.is_a?(Addrinfo)

      bytes = "\0" * 128
      count = [0].pack('I')
      code = Library::ADDRESS.call(*[*address, nil].first(2).map { |part| text(part) }, bytes, count)
      raise ArgumentError, "not an address: #{address.inspect}" if code == -Errno::EINVAL::Errno

      check(code)
      bytes.byteslice(0, count.unpack1('I'))
    end
  end
  private_constant :Words
  include Words
  extend Words

  # Ends waits, from any thread, for good.
  class Token
    include Words
    attr_reader :io

    def initialize
      @io = IO.for_fd(check(Library::TOKEN.call))
    end

    def cancel
      check(Library::CANCEL.call(@io.fileno))
    end

    def cancelled?
      !@io.wait_readable(0).nil?
    end

    # When nobody waits with it any more.
    def close
      @io.close
    end
  end

  NOW = Token.new.tap(&:cancel) # The token of a call that is not to wait.
  private_constant :NOW

  # All that is called in the block ends within so many seconds altogether, or when the token is cancelled. The timeouts
  # of the sockets hold besides, and so do the limits of a block around it.
  def self.within(seconds = nil, token: nil)
    outer = Thread.current[:sock_limits]
    deadline, tokens = outer || [FOREVER, []]
    deadline = [deadline, Library::DEADLINE.call(interval(seconds))].min
    Thread.current[:sock_limits] = [deadline, [*tokens, *token]]
    yield
  ensure
    Thread.current[:sock_limits] = outer
  end

  # Connects to a host by name, lookup included, within so many seconds, which become the timeout. "53/udp" is for UDP;
  # a host that begins with "/" or "@" is a Unix socket. With a block it gives the Sock to that, and closes it.
  def self.dial(host, service = nil, seconds = nil, &block)
    host = text(host)
    service = text(service)
    limit, tokens = Thread.current[:sock_limits] || [FOREVER, []]
    deadline = [limit, Library::DEADLINE.call(interval(seconds))].min
    fd = beside(tokens) { |token| Library::DIAL.call(host, service, deadline, token.io.fileno) }
    made(fd, seconds, &block)
  end

  # Gives a listening Sock in blocking mode. A host of nil is all addresses, service 0 any port.
  def self.listen(host, service = nil, backlog = 0, &block)
    made(check(Library::LISTEN.call(text(host), text(service), backlog)), nil, &block)
  end

  # In a thread, which a token ends: so what interrupts this one does so at once, and leaves nothing open.
  def self.beside(tokens)
    token = Token.new
    Thread.handle_interrupt(Object => :never) do
      worker = Thread.new { yield token }
      begin
        Thread.handle_interrupt(Object => :immediate) { join(worker, tokens) }
        over = true
      ensure
        over || (token.cancel && worker.value.negative?) || IO.for_fd(worker.value).close
      end
      check(worker.value)
    end
  ensure
    token&.close
  end
  private_class_method :beside

  def self.join(worker, tokens)
    return worker.join if tokens.empty?

    tokens.any?(&:cancelled?) && check(ECANCELED) until worker.join(0.01)
  end
  private_class_method :join

  def self.made(descriptor, seconds)
    connection = new(descriptor)
    connection.timeout = seconds
    return connection unless block_given?

    begin
      yield connection
    ensure
      connection.close
    end
  end
  private_class_method :made

  # The IO, and how many bytes the last whole transfer moved.
  attr_reader :io, :transferred

  # A socket of Ruby's, or a descriptor, which it closes. It begins in blocking mode here, or with the timeout that an
  # IO has since Ruby 3.2. Use the methods of the IO no longer for what waits or buffers.
  def initialize(io)
    @io = io.is_a?(Integer) ? Socket.for_fd(io) : io
    raise TypeError, "#{io.class} is not a socket; one of TLS would be gone past" unless @io.is_a?(BasicSocket)

    @unread = String.new
    @accepted = []
    @transferred = 0
    self.timeout = @io.respond_to?(:timeout) ? @io.timeout : nil
  end

  # A duplicate has a descriptor of its own, as with every IO.
  def initialize_copy(other)
    super
    @io = other.io.dup
    @unread = String.new
    @accepted = []
  end

  def fileno
    @io.fileno
  end

  # Whoever waits with it gets an IOError.
  def close
    @io.close
  end

  def closed?
    @io.closed?
  end

  def inspect
    "#<#{self.class} #{closed? ? 'closed' : "fd #{fileno}"}>"
  end

  def shutdown(how = Socket::SHUT_RDWR)
    @io.shutdown(how)
  end

  # Each is an Addrinfo.
  def local_address
    @io.local_address
  end

  def remote_address
    @io.remote_address
  end

  # nil is blocking mode, 0 non-blocking mode.
  def timeout=(seconds)
    check(SETTIMEOUT.call(fileno, interval(seconds)))
  end

  def timeout
    value = [0.0].pack('d')
    check(GETTIMEOUT.call(fileno, value))
    seconds = value.unpack1('d')
    seconds unless seconds.infinite?
  end

  # Sends some of it, and gives how many bytes that were.
  def send(data, flags = 0)
    data = bytes(data)
    check(run(:write) { |*till| SEND.call(fileno, data, data.bytesize, flags, *till) }, :write)
  end

  # Sends a datagram to an Addrinfo, to [host, port], the host in digits, or to the path of a Unix socket.
  def sendto(data, address, flags = 0)
    data = bytes(data)
    address = packed(address)
    check(run(:write) do |*till|
      SENDTO.call(fileno, data, data.bytesize, flags, address, address.bytesize, *till)
    end, :write)
  end

  # Sends all of it within one timeout, and gives its size.
  def sendall(data, flags = 0)
    data = bytes(data)
    code = whole(:write) do |done, part, *till|
      SENDALL.call(fileno, Fiddle::Pointer[data] + done, data.bytesize - done, flags, part, *till)
    end
    check(code, :write, @transferred)
    data.bytesize
  end

  # Gives an empty string at the end of the stream, and for a size of 0.
  def recv(size, flags = 0)
    return take(length(size), flags) if length(size).zero? || !@unread.empty?

    receive(size) { |buffer, *till| RECV.call(fileno, buffer, size, flags, *till) }
  end

  # Gives a datagram, and the Addrinfo that it came from.
  def recvfrom(size, flags = 0)
    address = "\0" * 128
    count = [128].pack('I')
    data = receive(length(size)) { |buffer, *till| RECVFROM.call(fileno, buffer, size, flags, address, count, *till) }
    [data, Addrinfo.new(address.byteslice(0, count.unpack1('I')))]
  end

  # Receives that many bytes within one timeout. A peer that closes before is an EOFError; its `data` are what came.
  def recvall(size, flags = 0)
    head = take(length(size))
    return head if head.bytesize == size

    buffer = head.ljust(size, "\0")
    code = all_into(buffer, head.bytesize, flags)
    check(code, :read, @transferred)
    buffer
  rescue Progress => e
    e.data = buffer[0, @transferred] if code
    raise
  end

  # A line, or whatever ends in the delimiter; nil at the end of the stream. What comes after it stays for the next
  # receive.
  def gets(delimiter = "\n", limit = 65_536, chomp: false)
    delimiter = bytes(delimiter)
    have = [@unread.bytesize].pack('J')
    buffer = @unread.ljust(length(limit), "\0")
    size = begin
      run(:read, moved: -> { have.unpack1('J') }) do |*till|
        RECVDELIM.call(fileno, buffer, buffer.bytesize, have, delimiter, delimiter.bytesize, *till)
      end
    ensure
      @unread = buffer[0, have.unpack1('J')]
    end
    check(size, :read)
    take(size).then { |line| chomp ? line.delete_suffix(delimiter) : line } unless size.zero?
  end

  def each_line(delimiter = "\n", limit = 65_536, chomp: false)
    return enum_for(:each_line, delimiter, limit, chomp: chomp) unless block_given?

    while (line = gets(delimiter, limit, chomp: chomp))
      yield line
    end
  end

  # Connects to an Addrinfo, to [host, port], the host in digits, or to the path of a Unix socket.
  def connect(address)
    address = packed(address)
    check(run(:write) { |*till| CONNECT.call(fileno, address, address.bytesize, *till) }, :write)
  end

  # Gives a new Sock in blocking mode; its remote_address tells who it is.
  def accept
    if @accepted.empty?
      outcome = []
      begin
        check(run(:read, outcome) { |*till| ACCEPT.call(fileno, nil, nil, *till) }, :read)
      ensure
        @accepted.concat(outcome.reject(&:negative?))
      end
    end
    Sock.new(@accepted.shift)
  end

  private

  # Ruby waits, as its own sockets do: so signals, Timeout, Thread#raise, Thread#kill, close, the end of the program and
  # schedulers of fibers do to it what they do to those. The calls themselves never wait, and what interrupts comes
  # between them, when their outcome is known.
  def run(events, outcome = [], moved: -> { 0 }, &call)
    limit, tokens = Thread.current[:sock_limits] || [FOREVER, []]
    deadline = ready = nil
    loop do
      before = moved.call
      return outcome[0] unless attempt(outcome, limit, NOW.io.fileno, &call) == ECANCELED

      deadline ||= [limit, moment].min
      return EAGAIN if deadline.zero?
      return outcome[0] if ready && moved.call == before && !missed?(outcome, deadline, &call)
      return ECANCELED if tokens.any?(&:cancelled?)
      return ETIMEDOUT unless (left = deadline - now).positive?

      ready = wait(events, [left, 1].min, tokens)
    end
  end

  # Ruby saw what the call did not. Such is an entry in the error queue, which stays, or an end that only the library
  # sees.
  def missed?(outcome, deadline, &call)
    return false unless attempt(outcome, DEADLINE.call(0.0005), -1, &call) == ETIMEDOUT

    sleep((deadline - now).clamp(0, 0.02))
    true
  end

  def attempt(outcome, *till)
    Thread.handle_interrupt(Object => :never) { outcome[0] = yield(*till) }
    outcome[0]
  end

  # In parts of a second, for there are ends of which poll(2) does not tell.
  def wait(events, seconds, tokens)
    unless tokens.empty?
      reads = tokens.map(&:io)
      return IO.select(events == :read ? [@io, *reads] : reads, events == :read ? nil : [@io], nil, seconds)
    end
    events == :read ? @io.wait_readable(seconds) : @io.wait_writable(seconds)
  end

  # Each call counts in a place of its own, so that the sum is right whatever interrupts.
  def whole(events, before = 0)
    parts = []
    moved = -> { parts.sum(before) { |part| part.unpack1('J') } }
    run(events, moved: moved) do |*till|
      done = moved.call
      parts << [0].pack('J')
      yield(done, parts.last, *till)
    end
  rescue Exception => e # rubocop:disable Lint/RescueException
    e.extend(Progress).transferred = moved.call
    raise
  ensure
    @transferred = moved.call
  end

  # To what interrupts it from outside nobody may listen: then the next receive gives what came.
  def all_into(buffer, before, flags)
    code = whole(:read, before) do |done, part, *till|
      RECVALL.call(fileno, Fiddle::Pointer[buffer] + done, buffer.bytesize - done, flags, part, *till)
    end
  ensure
    @unread = buffer[0, @transferred] unless code
  end

  def receive(size)
    buffer = ("\0" * size).b
    outcome = []
    code = run(:read, outcome) { |*till| yield(buffer, *till) }
    buffer[0, [check(code, :read), size].min]
  ensure
    @unread << buffer[0, outcome[0].to_i.clamp(0, size)] if outcome && !code
  end

  def take(size, flags = 0)
    flags.anybits?(Socket::MSG_PEEK) ? @unread[0, size] : @unread.slice!(0, size)
  end

  # A copy that shares its memory with the caller's, which another thread may change meanwhile.
  def bytes(data)
    raise TypeError, "no implicit conversion of #{data.class} into String" unless data.respond_to?(:to_str)

    data.to_str.dup.force_encoding(Encoding::BINARY)
  end

  # 0 in non-blocking mode.
  def moment
    seconds = timeout
    return FOREVER unless seconds

    seconds.zero? ? 0 : DEADLINE.call(seconds)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
