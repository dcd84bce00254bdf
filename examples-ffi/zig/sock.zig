//! libsock's socket modes for Zig: blocking, non-blocking, or an exact timeout for every operation.
//!
//! It needs libsock (`make install`) and Zig 0.16. Copy this file into your project, and link to `sock` and to libc.
//! README.md beside it tells how it is used, and what it does not do.

const std = @import("std");
const Io = std.Io;

pub const Error = error{
    /// Non-blocking mode, and it is not ready.
    WouldBlock,
    /// The timeout ran out, or the deadline has passed. The socket is still good.
    Timeout,
    /// A token was canceled. The socket is still good.
    Canceled,
    /// A signal was handled, and `setInterrupt` is on.
    Interrupted,
    /// The connection was closed, or shut down for sending.
    BrokenPipe,
    /// The peer closed its side in the middle of what `recvAll` or `recvLine` was to receive.
    EndOfStream,
    ConnectionResetByPeer,
    /// The network's own time ran out.
    ConnectionAborted,
    ConnectionRefused,
    ConnectionPending,
    SocketUnconnected,
    AlreadyConnected,
    AddressRequired,
    /// A datagram that the network does not carry, or a line that does not fit into its buffer.
    MessageOversize,
    HostUnreachable,
    NetworkUnreachable,
    NetworkDown,
    AddressInUse,
    AddressUnavailable,
    AddressFamilyUnsupported,
    ProtocolUnsupported,
    OperationUnsupported,
    AccessDenied,
    FileNotFound,
    NotDir,
    SymLinkLoop,
    ReadOnlyFileSystem,
    NameTooLong,
    BadFileDescriptor,
    FileDescriptorNotASocket,
    InvalidArgument,
    ProcessFdQuotaExceeded,
    SystemFdQuotaExceeded,
    SystemResources,
    InputOutput,
    Unexpected,
};

/// What `Socket.dial` and `Socket.listen` fail with besides.
pub const NameError = Error || error{
    /// It has a NUL in it, before which C would end it.
    InvalidHostName,
    InvalidServiceName,
    UnknownHostName,
    /// Name servers fail for the time being.
    TemporaryNameServerFailure,
    NameServerFailure,
    HostLacksNetworkAddresses,
    UnknownService,
};

/// Ends waits, from any thread and for good. Whoever made it closes it, when nobody waits with it any more.
pub const Token = struct {
    /// Any descriptor cancels once it is readable or hangs up; `cancel` is for those of `init` alone.
    fd: std.posix.fd_t,

    pub fn init() Error!Token {
        return .{ .fd = try descriptor(sock_token()) };
    }

    pub fn deinit(self: *Token) void {
        _ = std.c.close(self.fd);
        self.fd = -1;
    }

    /// May be called in a signal handler too.
    pub fn cancel(self: Token) Error!void {
        _ = try result(sock_cancel(self.fd));
    }

    pub fn isCanceled(self: Token) Error!bool {
        // A wait for no socket with a deadline in the past only looks at the token.
        _ = result(sock_wait_until(-1, 0, -1, self.fd)) catch |err| switch (err) {
            error.Timeout => return false,
            error.Canceled => return true,
            else => return err,
        };
        unreachable;
    }
};

/// What ends the operations of `Socket.until`, whichever comes first.
pub const Until = struct {
    /// Of `Io.Clock.awake`, as `deadline` gives it.
    deadline: ?Io.Timestamp = null,
    token: ?Token = null,

    fn seconds(self: Until) f64 {
        const moment = self.deadline orelse return std.math.inf(f64);
        if (moment.nanoseconds >= std.math.maxInt(i63)) return std.math.inf(f64); // That is in 146 years.
        const nearest = @as(f64, @floatFromInt(moment.nanoseconds)) / std.time.ns_per_s;
        return std.math.nextAfter(f64, nearest, std.math.inf(f64)); // Never early.
    }

    fn tokenFd(self: Until) c_int {
        return if (self.token) |token| token.fd else -1;
    }
};

/// The moment that is so long from now, by `Io.Clock.awake`.
pub fn deadline(duration: Io.Duration) Io.Timestamp {
    var now: std.c.timespec = undefined;
    _ = std.c.clock_gettime(.MONOTONIC, &now);
    const nanoseconds = @as(i96, now.sec) * std.time.ns_per_s + now.nsec;
    return .{ .nanoseconds = nanoseconds +| duration.nanoseconds };
}

/// The address of a socket, of whatever family.
pub const Address = struct {
    storage: std.posix.sockaddr.storage = .{ .family = std.posix.AF.UNSPEC },
    length: std.posix.socklen_t = @sizeOf(std.posix.sockaddr.storage),

    /// The most bytes of a `host`, and the NUL that ends it.
    pub const max_host = 110;

    /// Of an IPv4 or IPv6 address in digits and a port; or of a Unix path, which begins with "/", or an abstract name, which
    /// begins with "@", and no port.
    pub fn parse(text: []const u8, number: ?u16) Error!Address {
        var buffer: [256]u8 = undefined;
        const terminated = terminate(text, &buffer) catch |err| switch (err) {
            error.Nul => return error.InvalidArgument,
            error.NameTooLong => |e| return e,
        };
        var digits: [8]u8 = undefined;
        var service: ?[*:0]const u8 = null;
        if (number) |n| service = (std.fmt.bufPrintSentinel(&digits, "{d}", .{n}, 0) catch unreachable).ptr;
        var address: Address = .{};
        _ = try result(sock_address(terminated, service, &address.storage, &address.length));
        return address;
    }

    pub fn fromIp(address: Io.net.IpAddress) Address {
        return switch (address) {
            .ip4 => |ip4| of(std.posix.sockaddr.in{
                .port = std.mem.nativeToBig(u16, ip4.port),
                .addr = @bitCast(ip4.bytes),
            }),
            .ip6 => |ip6| of(std.posix.sockaddr.in6{
                .port = std.mem.nativeToBig(u16, ip6.port),
                .flowinfo = ip6.flow,
                .addr = ip6.bytes,
                .scope_id = ip6.interface.index,
            }),
        };
    }

    /// Null if it is not of the Internet.
    pub fn ip(self: *const Address) ?Io.net.IpAddress {
        switch (self.storage.family) {
            std.posix.AF.INET => {
                const in: *const std.posix.sockaddr.in = @ptrCast(&self.storage);
                return .{ .ip4 = .{ .port = std.mem.bigToNative(u16, in.port), .bytes = @bitCast(in.addr) } };
            },
            std.posix.AF.INET6 => {
                const in6: *const std.posix.sockaddr.in6 = @ptrCast(&self.storage);
                return .{ .ip6 = .{
                    .port = std.mem.bigToNative(u16, in6.port),
                    .flow = in6.flowinfo,
                    .bytes = in6.addr,
                    .interface = .{ .index = in6.scope_id },
                } };
            },
            else => return null,
        }
    }

    /// What `parse` takes for it, in digits; "" for a Unix socket without a name.
    pub fn host(self: *const Address, buffer: *[max_host]u8) Error![]const u8 {
        _ = try result(sock_name(&self.storage, self.length, buffer, buffer.len));
        return std.mem.sliceTo(buffer, 0);
    }

    /// 0 for a Unix socket.
    pub fn port(self: *const Address) Error!u16 {
        return @intCast(try result(sock_name(&self.storage, self.length, null, 0)));
    }

    pub fn eql(self: *const Address, other: *const Address) bool {
        return std.mem.eql(u8, self.bytes(), other.bytes());
    }

    fn of(address: anytype) Address {
        var self: Address = .{ .length = @sizeOf(@TypeOf(address)) };
        @memcpy(std.mem.asBytes(&self.storage)[0..self.length], std.mem.asBytes(&address));
        return self;
    }

    fn bytes(self: *const Address) []const u8 {
        // The kernel gives the whole length of an address that it had to cut.
        return std.mem.asBytes(&self.storage)[0..@min(self.length, @sizeOf(std.posix.sockaddr.storage))];
    }
};

/// What came of a stream and is not yet taken, for `Socket.recvLine`.
pub const LineBuffer = struct {
    /// The longest line, with its delimiter, has its length.
    buffer: []u8,
    delimiter: []const u8 = "\n",
    start: usize = 0,
    have: usize = 0,

    /// What came behind the last line: the beginning of a body, say, after the lines of a head.
    pub fn unread(self: *const LineBuffer) []u8 {
        return self.buffer[self.start..][0..self.have];
    }
};

pub const Socket = struct {
    /// Any descriptor of a socket, such as the `socket.handle` of a `std.Io.net.Stream`.
    fd: std.posix.fd_t,
    limits: ?Until = null,

    /// Connects to a service of a host, lookup included, within a timeout that becomes the socket's.
    ///
    /// The service is a port or a name, "53/udp" and so on for UDP. A host that begins with "/" or "@" is a Unix socket, and
    /// its service null.
    pub fn dial(host: []const u8, service: ?[]const u8, timeout: ?Io.Duration) NameError!Socket {
        var names: Names = undefined;
        try names.set(host, service);
        return .{ .fd = try made(sock_dial(names.host, names.service, seconds(timeout))) };
    }

    /// Connects as `dial` does. The socket is in blocking mode.
    pub fn dialUntil(host: []const u8, service: ?[]const u8, limits: Until) NameError!Socket {
        var names: Names = undefined;
        try names.set(host, service);
        return .{ .fd = try made(sock_dial_until(names.host, names.service, limits.seconds(), limits.tokenFd())) };
    }

    /// Listens in blocking mode: on all addresses if the host is null, at any port for the service "0", and with the
    /// system's backlog if that is 0. Hosts and services are as for `dial`.
    pub fn listen(host: ?[]const u8, service: ?[]const u8, backlog: c_int) NameError!Socket {
        var names: Names = undefined;
        try names.set(host, service);
        return .{ .fd = try made(sock_listen(names.host, names.service, backlog)) };
    }

    /// Not while another thread waits with it: `shutdown` ends its wait, or a token does. Another close does nothing, nor
    /// does anything else reach whoever has the number by then; but for copies of this struct.
    pub fn close(self: *Socket) void {
        if (self.fd >= 0) _ = std.c.close(self.fd);
        self.fd = -1;
    }

    /// The same socket, whose operations end by then, whatever its mode, which stays as it is. It is not to be closed.
    pub fn until(self: Socket, limits: Until) Socket {
        return .{ .fd = self.fd, .limits = limits };
    }

    /// How long an operation may take: zero is non-blocking mode, null is blocking mode.
    pub fn setTimeout(self: Socket, timeout: ?Io.Duration) Error!void {
        _ = try result(sock_settimeout(self.fd, seconds(timeout)));
    }

    pub fn getTimeout(self: Socket) Error!?Io.Duration {
        var value: f64 = undefined;
        _ = try result(sock_gettimeout(self.fd, &value));
        if (std.math.isInf(value)) return null;
        return .fromNanoseconds(@intFromFloat(@round(value * std.time.ns_per_s)));
    }

    /// Whether a signal that is handled ends a wait. It goes on otherwise.
    pub fn setInterrupt(self: Socket, on: bool) Error!void {
        _ = try result(sock_setinterrupt(self.fd, @intFromBool(on)));
    }

    /// Connects a socket of your own; `dial` is for names.
    pub fn connect(self: Socket, address: Address) Error!void {
        _ = try result(if (self.limits) |limits|
            sock_connect_until(self.fd, &address.storage, address.length, limits.seconds(), limits.tokenFd())
        else
            sock_connect(self.fd, &address.storage, address.length));
    }

    /// The new socket is in blocking mode; its `remoteAddress` tells who it is.
    pub fn accept(self: Socket) Error!Socket {
        return .{ .fd = try descriptor(if (self.limits) |limits|
            sock_accept_until(self.fd, null, null, limits.seconds(), limits.tokenFd())
        else
            sock_accept(self.fd, null, null)) };
    }

    /// Sends some of the bytes, or all of a datagram.
    pub fn send(self: Socket, bytes: []const u8) Error!usize {
        return result(if (self.limits) |limits|
            sock_send_until(self.fd, bytes.ptr, bytes.len, 0, limits.seconds(), limits.tokenFd())
        else
            sock_send(self.fd, bytes.ptr, bytes.len, 0));
    }

    /// Sends a datagram.
    pub fn sendTo(self: Socket, bytes: []const u8, to: Address) Error!usize {
        return result(if (self.limits) |limits|
            sock_sendto_until(self.fd, bytes.ptr, bytes.len, 0, &to.storage, to.length, limits.seconds(), limits.tokenFd())
        else
            sock_sendto(self.fd, bytes.ptr, bytes.len, 0, &to.storage, to.length));
    }

    /// Sends all of the bytes within one timeout. `sent` is exact whatever the error.
    pub fn sendAll(self: Socket, bytes: []const u8, sent: ?*usize) Error!void {
        _ = try result(if (self.limits) |limits|
            sock_sendall_until(self.fd, bytes.ptr, bytes.len, 0, sent, limits.seconds(), limits.tokenFd())
        else
            sock_sendall(self.fd, bytes.ptr, bytes.len, 0, sent));
    }

    /// Receives what is there. 0 is the end of a stream, or an empty buffer, or an empty datagram.
    pub fn recv(self: Socket, buffer: []u8) Error!usize {
        if (buffer.len == 0) return 0;
        return result(if (self.limits) |limits|
            sock_recv_until(self.fd, buffer.ptr, buffer.len, 0, limits.seconds(), limits.tokenFd())
        else
            sock_recv(self.fd, buffer.ptr, buffer.len, 0));
    }

    /// Receives a datagram. What does not fit into the buffer is lost.
    pub fn recvFrom(self: Socket, buffer: []u8, from: *Address) Error!usize {
        from.* = .{};
        return result(if (self.limits) |limits|
            sock_recvfrom_until(self.fd, buffer.ptr, buffer.len, 0, &from.storage, &from.length, limits.seconds(), limits.tokenFd())
        else
            sock_recvfrom(self.fd, buffer.ptr, buffer.len, 0, &from.storage, &from.length));
    }

    /// Fills the buffer within one timeout. `received` is exact whatever the error.
    pub fn recvAll(self: Socket, buffer: []u8, received: ?*usize) Error!void {
        _ = result(if (self.limits) |limits|
            sock_recvall_until(self.fd, buffer.ptr, buffer.len, 0, received, limits.seconds(), limits.tokenFd())
        else
            sock_recvall(self.fd, buffer.ptr, buffer.len, 0, received)) catch |err| return endOfStream(err);
    }

    /// Receives one line, or whatever ends in the delimiter, within one timeout; null at the end. What has come stays in the
    /// buffer when it fails: call it again. A line is good until then.
    pub fn recvLine(self: Socket, lines: *LineBuffer) Error!?[]u8 {
        if (std.mem.find(u8, lines.unread(), lines.delimiter) == null) {
            @memmove(lines.buffer[0..lines.have], lines.unread());
            lines.start = 0;
        }
        const rest = lines.buffer[lines.start..];
        const mark = lines.delimiter;
        const size = result(if (self.limits) |limits|
            sock_recvdelim_until(self.fd, rest.ptr, rest.len, &lines.have, mark.ptr, mark.len, limits.seconds(), limits.tokenFd())
        else
            sock_recvdelim(self.fd, rest.ptr, rest.len, &lines.have, mark.ptr, mark.len)) catch |err| return endOfStream(err);
        if (size == 0) return null;
        lines.start += size;
        lines.have -= size;
        return rest[0..size];
    }

    /// Ends the waits of other threads too.
    pub fn shutdown(self: Socket, how: Io.net.ShutdownHow) Error!void {
        try ofLibc(std.c.shutdown(self.fd, switch (how) {
            .recv => std.posix.SHUT.RD,
            .send => std.posix.SHUT.WR,
            .both => std.posix.SHUT.RDWR,
        }));
    }

    pub fn localAddress(self: Socket) Error!Address {
        var address: Address = .{};
        try ofLibc(std.c.getsockname(self.fd, @ptrCast(&address.storage), &address.length));
        return address;
    }

    pub fn remoteAddress(self: Socket) Error!Address {
        var address: Address = .{};
        try ofLibc(std.c.getpeername(self.fd, @ptrCast(&address.storage), &address.length));
        return address;
    }

    /// An `Io.Reader` of the stream.
    pub fn reader(self: Socket, buffer: []u8) Reader {
        return .{
            .socket = self,
            .interface = .{ .vtable = &.{ .stream = Reader.stream }, .buffer = buffer, .seek = 0, .end = 0 },
        };
    }

    /// An `Io.Writer` of the stream.
    pub fn writer(self: Socket, buffer: []u8) Writer {
        return .{ .socket = self, .interface = .{ .vtable = &.{ .drain = Writer.drain }, .buffer = buffer } };
    }
};

/// After `error.ReadFailed` `err` tells why. What had come is still there: read again after a timeout.
pub const Reader = struct {
    socket: Socket,
    interface: Io.Reader,
    err: ?Error = null,

    fn stream(interface: *Io.Reader, to: *Io.Writer, limit: Io.Limit) Io.Reader.StreamError!usize {
        const self: *Reader = @alignCast(@fieldParentPtr("interface", interface));
        const room = limit.slice(try to.writableSliceGreedy(1));
        const size = self.socket.recv(room) catch |err| {
            self.err = err;
            return error.ReadFailed;
        };
        if (size == 0 and room.len > 0) return error.EndOfStream;
        to.advance(size);
        return size;
    }
};

/// After `error.WriteFailed` `err` tells why. What was not sent is still in the buffer, and only that: flush again after a
/// timeout.
pub const Writer = struct {
    socket: Socket,
    interface: Io.Writer,
    err: ?Error = null,

    fn drain(interface: *Io.Writer, data: []const []const u8, splat: usize) Io.Writer.Error!usize {
        const self: *Writer = @alignCast(@fieldParentPtr("interface", interface));
        const bytes = first(interface.buffered(), data, splat);
        if (bytes.len == 0) return 0;
        const size = self.socket.send(bytes) catch |err| {
            self.err = err;
            return error.WriteFailed;
        };
        return interface.consume(size);
    }

    fn first(buffered: []const u8, data: []const []const u8, splat: usize) []const u8 {
        if (buffered.len > 0) return buffered;
        for (data[0 .. data.len - 1]) |part| if (part.len > 0) return part;
        return if (splat > 0) data[data.len - 1] else "";
    }
};

/// Names that end in a NUL, and have no other.
const Names = struct {
    host: ?[*:0]const u8,
    service: ?[*:0]const u8,
    host_buffer: [1025]u8, // NI_MAXHOST
    service_buffer: [64]u8,

    fn set(self: *Names, host: ?[]const u8, service: ?[]const u8) NameError!void {
        self.host = if (host) |name| terminate(name, &self.host_buffer) catch |err| switch (err) {
            error.Nul => return error.InvalidHostName,
            error.NameTooLong => |e| return e,
        } else null;
        self.service = if (service) |name| terminate(name, &self.service_buffer) catch |err| switch (err) {
            error.Nul => return error.InvalidServiceName,
            error.NameTooLong => |e| return e,
        } else null;
    }
};

fn terminate(text: []const u8, buffer: []u8) error{ Nul, NameTooLong }![*:0]const u8 {
    if (std.mem.findScalar(u8, text, 0) != null) return error.Nul;
    if (text.len >= buffer.len) return error.NameTooLong;
    @memcpy(buffer[0..text.len], text);
    buffer[text.len] = 0;
    return buffer[0..text.len :0].ptr;
}

fn seconds(timeout: ?Io.Duration) f64 {
    const duration = timeout orelse return std.math.inf(f64);
    return @as(f64, @floatFromInt(duration.nanoseconds)) / std.time.ns_per_s;
}

fn endOfStream(err: Error) Error {
    return if (err == error.BrokenPipe) error.EndOfStream else err;
}

fn made(code: c_int) NameError!std.posix.fd_t {
    return switch (-code) {
        5002 => error.UnknownHostName,
        5003 => error.TemporaryNameServerFailure,
        5004 => error.NameServerFailure,
        5005 => error.HostLacksNetworkAddresses,
        5008 => error.UnknownService,
        else => descriptor(code),
    };
}

fn descriptor(code: c_int) Error!std.posix.fd_t {
    return @intCast(try result(code));
}

fn ofLibc(code: c_int) Error!void {
    if (code < 0) return named(std.posix.errno(code));
}

fn result(code: isize) Error!usize {
    if (code >= 0) return @intCast(code);
    return named(@enumFromInt(-code));
}

fn named(errno: std.posix.E) Error {
    return switch (errno) {
        .AGAIN => error.WouldBlock,
        .TIMEDOUT => error.Timeout,
        .CANCELED => error.Canceled,
        .INTR => error.Interrupted,
        .PIPE => error.BrokenPipe,
        .CONNRESET => error.ConnectionResetByPeer,
        .CONNABORTED => error.ConnectionAborted,
        .CONNREFUSED => error.ConnectionRefused,
        .INPROGRESS, .ALREADY => error.ConnectionPending,
        .NOTCONN => error.SocketUnconnected,
        .ISCONN => error.AlreadyConnected,
        .DESTADDRREQ => error.AddressRequired,
        .MSGSIZE => error.MessageOversize,
        .HOSTUNREACH, .HOSTDOWN => error.HostUnreachable,
        .NETUNREACH => error.NetworkUnreachable,
        .NETDOWN => error.NetworkDown,
        .ADDRINUSE => error.AddressInUse,
        .ADDRNOTAVAIL => error.AddressUnavailable,
        .AFNOSUPPORT => error.AddressFamilyUnsupported,
        .PROTONOSUPPORT, .PROTOTYPE, .NOPROTOOPT => error.ProtocolUnsupported,
        .OPNOTSUPP => error.OperationUnsupported,
        .ACCES, .PERM => error.AccessDenied,
        .NOENT => error.FileNotFound,
        .NOTDIR => error.NotDir,
        .LOOP => error.SymLinkLoop,
        .ROFS => error.ReadOnlyFileSystem,
        .NAMETOOLONG => error.NameTooLong,
        .BADF => error.BadFileDescriptor,
        .NOTSOCK => error.FileDescriptorNotASocket,
        .INVAL, .OVERFLOW => error.InvalidArgument,
        .MFILE => error.ProcessFdQuotaExceeded,
        .NFILE => error.SystemFdQuotaExceeded,
        .NOBUFS, .NOMEM => error.SystemResources,
        .IO => error.InputOutput,
        else => std.posix.unexpectedErrno(errno),
    };
}

const Storage = std.posix.sockaddr.storage;
const Length = std.posix.socklen_t;
extern "sock" fn sock_settimeout(fd: c_int, seconds: f64) c_int;
extern "sock" fn sock_gettimeout(fd: c_int, seconds: *f64) c_int;
extern "sock" fn sock_setinterrupt(fd: c_int, on: c_int) c_int;
extern "sock" fn sock_token() c_int;
extern "sock" fn sock_cancel(token: c_int) c_int;
extern "sock" fn sock_wait_until(fd: c_int, events: c_int, deadline: f64, token: c_int) c_int;
extern "sock" fn sock_send(fd: c_int, buf: [*]const u8, len: usize, flags: c_int) isize;
extern "sock" fn sock_send_until(fd: c_int, buf: [*]const u8, len: usize, flags: c_int, deadline: f64, token: c_int) isize;
extern "sock" fn sock_sendto(fd: c_int, buf: [*]const u8, len: usize, flags: c_int, addr: *const Storage, addrlen: Length) isize;
extern "sock" fn sock_sendto_until(fd: c_int, buf: [*]const u8, len: usize, flags: c_int, addr: *const Storage, addrlen: Length, deadline: f64, token: c_int) isize;
extern "sock" fn sock_sendall(fd: c_int, buf: [*]const u8, len: usize, flags: c_int, sent: ?*usize) c_int;
extern "sock" fn sock_sendall_until(fd: c_int, buf: [*]const u8, len: usize, flags: c_int, sent: ?*usize, deadline: f64, token: c_int) c_int;
extern "sock" fn sock_recv(fd: c_int, buf: [*]u8, len: usize, flags: c_int) isize;
extern "sock" fn sock_recv_until(fd: c_int, buf: [*]u8, len: usize, flags: c_int, deadline: f64, token: c_int) isize;
extern "sock" fn sock_recvfrom(fd: c_int, buf: [*]u8, len: usize, flags: c_int, addr: *Storage, addrlen: *Length) isize;
extern "sock" fn sock_recvfrom_until(fd: c_int, buf: [*]u8, len: usize, flags: c_int, addr: *Storage, addrlen: *Length, deadline: f64, token: c_int) isize;
extern "sock" fn sock_recvall(fd: c_int, buf: [*]u8, len: usize, flags: c_int, received: ?*usize) c_int;
extern "sock" fn sock_recvall_until(fd: c_int, buf: [*]u8, len: usize, flags: c_int, received: ?*usize, deadline: f64, token: c_int) c_int;
extern "sock" fn sock_recvdelim(fd: c_int, buf: [*]u8, size: usize, have: *usize, delim: [*]const u8, delimlen: usize) isize;
extern "sock" fn sock_recvdelim_until(fd: c_int, buf: [*]u8, size: usize, have: *usize, delim: [*]const u8, delimlen: usize, deadline: f64, token: c_int) isize;
extern "sock" fn sock_connect(fd: c_int, addr: *const Storage, addrlen: Length) c_int;
extern "sock" fn sock_connect_until(fd: c_int, addr: *const Storage, addrlen: Length, deadline: f64, token: c_int) c_int;
extern "sock" fn sock_accept(fd: c_int, addr: ?*Storage, addrlen: ?*Length) c_int;
extern "sock" fn sock_accept_until(fd: c_int, addr: ?*Storage, addrlen: ?*Length, deadline: f64, token: c_int) c_int;
extern "sock" fn sock_dial(host: ?[*:0]const u8, service: ?[*:0]const u8, seconds: f64) c_int;
extern "sock" fn sock_dial_until(host: ?[*:0]const u8, service: ?[*:0]const u8, deadline: f64, token: c_int) c_int;
extern "sock" fn sock_listen(host: ?[*:0]const u8, service: ?[*:0]const u8, backlog: c_int) c_int;
extern "sock" fn sock_address(host: [*:0]const u8, service: ?[*:0]const u8, addr: *Storage, addrlen: *Length) c_int;
extern "sock" fn sock_name(addr: *const Storage, addrlen: Length, host: ?[*]u8, size: usize) c_int;
