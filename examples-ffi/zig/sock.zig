//! A socket in one of libsock's modes: blocking, non-blocking, or with a timeout for every operation.
//!
//! It needs libsock (`make install`) and Zig 0.16 (`pip install ziglang==0.16.0`); Zig 0.17 has no @cImport, and takes a
//! module that `zig translate-c` makes of sock.h. Copy this file into your project. The program beside it is run by
//! `python3 -m ziglang run scenario.zig -lc -lsock -- HOST PORT`.
//!
//! A call that waits blocks its thread, and the cancelation of a task of `std.Io` does not end it: make it in a task of
//! its own, by `io.concurrent`. Signals neither end nor prolong the wait, unless `setInterrupt` asks for it. Zig's errors
//! carry nothing, so that the exact count comes through a pointer.
//!
//! It is for streams, not for datagrams.

const std = @import("std");
const c = @cImport({
    @cInclude("errno.h");
    @cInclude("sock.h");
});

pub const Error = error{
    /// Non-blocking mode, and it is not ready.
    WouldBlock,
    /// The timeout ran out. The socket is still good.
    Timeout,
    /// A signal was handled, and `setInterrupt` is on.
    Interrupted,
    /// The connection was closed, or shut down for sending.
    BrokenPipe,
    /// The peer closed its side before `recvAll` had its fill.
    EndOfStream,
    ConnectionResetByPeer,
    SocketUnconnected,
    BadFileDescriptor,
    FileDescriptorNotASocket,
    InvalidArgument,
    SystemResources,
    Unexpected,
};

/// What `Socket.dial` and `Socket.listen` fail with besides.
pub const NameError = Error || error{
    UnknownHostName,
    /// Name servers fail for the time being.
    TemporaryNameServerFailure,
    NameServerFailure,
    HostLacksNetworkAddresses,
    UnknownService,
    ConnectionRefused,
    AccessDenied,
    AddressInUse,
    AddressUnavailable,
    HostUnreachable,
    NetworkUnreachable,
};

pub const Socket = struct {
    /// Any descriptor of a socket, such as the `socket.handle` of a `std.Io.net.Stream`.
    fd: std.posix.fd_t,

    /// Connects by TCP, lookup included, within a timeout that becomes the socket's.
    pub fn dial(host: [:0]const u8, service: [:0]const u8, timeout: ?std.Io.Duration) NameError!Socket {
        return .{ .fd = try made(c.sock_dial(host, service, seconds(timeout))) };
    }

    /// Listens in blocking mode: on all addresses if the host is null, at any port for the service "0", and with the
    /// system's backlog if that is 0.
    pub fn listen(host: ?[:0]const u8, service: [:0]const u8, backlog: c_int) NameError!Socket {
        return .{ .fd = try made(c.sock_listen(if (host) |h| h.ptr else null, service, backlog)) };
    }

    /// The new socket is in blocking mode.
    pub fn accept(self: Socket) Error!Socket {
        return .{ .fd = @intCast(try result(c.sock_accept(self.fd, null, null))) };
    }

    /// For the descriptor's owner.
    pub fn close(self: Socket) void {
        _ = std.c.close(self.fd);
    }

    /// How long an operation may take: zero is non-blocking mode, null is blocking mode.
    pub fn setTimeout(self: Socket, timeout: ?std.Io.Duration) Error!void {
        _ = try result(c.sock_settimeout(self.fd, seconds(timeout)));
    }

    pub fn getTimeout(self: Socket) Error!?std.Io.Duration {
        var value: f64 = undefined;
        _ = try result(c.sock_gettimeout(self.fd, &value));
        if (std.math.isInf(value)) return null;
        return .fromNanoseconds(@intFromFloat(@round(value * std.time.ns_per_s)));
    }

    /// Whether a signal ends a wait.
    pub fn setInterrupt(self: Socket, on: bool) Error!void {
        _ = try result(c.sock_setinterrupt(self.fd, @intFromBool(on)));
    }

    /// Sends some of the bytes.
    pub fn send(self: Socket, bytes: []const u8) Error!usize {
        return result(c.sock_send(self.fd, bytes.ptr, bytes.len, 0));
    }

    /// Receives what is there. 0 is the end of a stream.
    pub fn recv(self: Socket, buffer: []u8) Error!usize {
        return result(c.sock_recv(self.fd, buffer.ptr, buffer.len, 0));
    }

    /// Sends all of the bytes within one timeout. `sent` is exact whatever the error.
    pub fn sendAll(self: Socket, bytes: []const u8, sent: *usize) Error!void {
        _ = try result(c.sock_sendall(self.fd, bytes.ptr, bytes.len, 0, sent));
    }

    /// Fills the buffer within one timeout. `received` is exact whatever the error.
    pub fn recvAll(self: Socket, buffer: []u8, received: *usize) Error!void {
        _ = result(c.sock_recvall(self.fd, buffer.ptr, buffer.len, 0, received)) catch |err| switch (err) {
            error.BrokenPipe => return error.EndOfStream,
            else => return err,
        };
    }
};

fn seconds(timeout: ?std.Io.Duration) f64 {
    const duration = timeout orelse return std.math.inf(f64);
    return @as(f64, @floatFromInt(duration.nanoseconds)) / std.time.ns_per_s;
}

fn made(code: c_int) NameError!std.posix.fd_t {
    return switch (-code) {
        c.LIBSOCK_EAI_NONAME => error.UnknownHostName,
        c.LIBSOCK_EAI_AGAIN => error.TemporaryNameServerFailure,
        c.LIBSOCK_EAI_FAIL => error.NameServerFailure,
        c.LIBSOCK_EAI_NODATA => error.HostLacksNetworkAddresses,
        c.LIBSOCK_EAI_SERVICE => error.UnknownService,
        c.ECONNREFUSED => error.ConnectionRefused,
        c.EACCES, c.EPERM => error.AccessDenied,
        c.EADDRINUSE => error.AddressInUse,
        c.EADDRNOTAVAIL => error.AddressUnavailable,
        c.EHOSTUNREACH => error.HostUnreachable,
        c.ENETUNREACH => error.NetworkUnreachable,
        else => @intCast(try result(code)),
    };
}

fn result(code: isize) Error!usize {
    if (code >= 0) return @intCast(code);
    return switch (@as(std.posix.E, @enumFromInt(-code))) {
        .AGAIN => error.WouldBlock,
        .TIMEDOUT => error.Timeout,
        .INTR => error.Interrupted,
        .PIPE => error.BrokenPipe,
        .CONNRESET => error.ConnectionResetByPeer,
        .NOTCONN => error.SocketUnconnected,
        .BADF => error.BadFileDescriptor,
        .NOTSOCK => error.FileDescriptorNotASocket,
        .INVAL, .OVERFLOW => error.InvalidArgument,
        .MFILE, .NFILE, .NOBUFS, .NOMEM => error.SystemResources,
        else => |errno| std.posix.unexpectedErrno(errno),
    };
}
