//! Does what ../SCENARIO.md says, with the sockets of `std.Io.net`.

const std = @import("std");
const Socket = @import("sock.zig").Socket;
const Io = std.Io;
const expect = std.testing.expect;
const expectError = std.testing.expectError;

pub fn main(init: std.process.Init) !void {
    const arguments = try init.minimal.args.toSlice(init.arena.allocator());
    if (arguments.len != 3) return error.UsageScenarioHostPort;
    const address: Io.net.IpAddress = try .resolve(init.io, arguments[1], try std.fmt.parseInt(u16, arguments[2], 10));

    var writer = Io.File.stdout().writer(init.io, &.{});
    const out = &writer.interface;
    try notReadyThenTimeout(init.io, out);
    try echo(init.io, init.gpa, address, out);
    try earlyClose(out);
    try signalWhileWaiting(init.io, out);
    try byName(out);
    try lookups(out);
}

fn notReadyThenTimeout(io: Io, out: *Io.Writer) !void {
    const socket, const peer = try pair();
    defer socket.close();
    defer peer.close();
    var byte: [1]u8 = undefined;

    try socket.setTimeout(.zero);
    try expectError(error.WouldBlock, socket.recv(&byte));
    try out.writeAll("non-blocking: not ready\n");

    const timeout: Io.Duration = .fromMilliseconds(250);
    try socket.setTimeout(timeout);
    const start = Io.Clock.awake.now(io);
    try expectError(error.Timeout, socket.recv(&byte));
    try expectOnTime(io, start, timeout);
    try expect(try peer.send("x") == 1);
    try expect(try socket.recv(&byte) == 1);
    try out.writeAll("timeout of 0.25 s: fired on time, and the socket is still good\n");
}

fn echo(io: Io, gpa: std.mem.Allocator, address: Io.net.IpAddress, out: *Io.Writer) !void {
    const stream = try address.connect(io, .{ .mode = .stream });
    defer stream.close(io);
    const socket: Socket = .{ .fd = stream.socket.handle };
    try socket.setTimeout(.fromSeconds(30));

    const size = 8 << 20;
    const outgoing = try gpa.alloc(u8, size);
    defer gpa.free(outgoing);
    const incoming = try gpa.alloc(u8, size);
    defer gpa.free(incoming);
    for (outgoing, 0..) |*byte, i| byte.* = @intCast(i % 251);

    var sent: usize = undefined;
    var received: usize = undefined;
    var sending = try io.concurrent(Socket.sendAll, .{ socket, outgoing, &sent });
    errdefer sending.cancel(io) catch {};
    try socket.recvAll(incoming, &received);
    try sending.await(io);
    try expect(std.mem.eql(u8, outgoing, incoming));
    try out.print("echo: {d} bytes there and back, Adler-32 {x:0>8}\n", .{ received, std.hash.Adler32.hash(incoming) });
}

fn earlyClose(out: *Io.Writer) !void {
    const socket, const peer = try pair();
    defer socket.close();
    var buffer: [4096]u8 = @splat(0);
    var sent: usize = undefined;
    var received: usize = undefined;
    try peer.sendAll(buffer[0..1000], &sent);
    peer.close();

    try expectError(error.EndOfStream, socket.recvAll(&buffer, &received));
    try expectError(error.BrokenPipe, socket.sendAll(&buffer, &sent));
    try out.print("early close: {d} of {d} bytes received, ", .{ received, buffer.len });
    try out.print("then {d} of {d} sent\n", .{ sent, buffer.len });
}

var signals: std.atomic.Value(u32) = .init(0);

fn handler(_: std.posix.SIG) callconv(.c) void {
    _ = signals.fetchAdd(1, .monotonic);
}

fn signalWhileWaiting(io: Io, out: *Io.Writer) !void {
    const socket, const peer = try pair();
    defer socket.close();
    defer peer.close();
    const timeout: Io.Duration = .fromMilliseconds(500);
    try socket.setTimeout(timeout);
    const action: std.posix.Sigaction = .{
        .handler = .{ .handler = handler },
        .mask = std.posix.sigemptyset(),
        .flags = 0,
    };
    std.posix.sigaction(.USR1, &action, null);

    const start = Io.Clock.awake.now(io);
    var signaling = try io.concurrent(signalAfter, .{ io, Io.Duration.fromMilliseconds(100), std.c.pthread_self() });
    errdefer signaling.await(io) catch {};
    var byte: [1]u8 = undefined;
    try expectError(error.Timeout, socket.recv(&byte));
    try expectOnTime(io, start, timeout);
    try signaling.await(io);
    try expect(signals.load(.monotonic) == 1);
    try out.writeAll("signal during a timeout of 0.5 s: handled, and fired on time\n");
}

fn signalAfter(io: Io, delay: Io.Duration, thread: std.c.pthread_t) !void {
    try io.sleep(delay, .awake);
    _ = std.c.pthread_kill(thread, .USR1);
}

fn byName(out: *Io.Writer) !void {
    const listener: Socket = try .listen("127.0.0.1", "0", 0);
    defer listener.close();
    var text: [8]u8 = undefined;
    const port = try std.fmt.bufPrintZ(&text, "{d}", .{try portOf(listener)});
    const socket: Socket = try .dial("localhost", port, .fromSeconds(5));
    defer socket.close();
    const peer = try listener.accept();
    defer peer.close();

    try std.testing.expectEqual(Io.Duration.fromSeconds(5), try socket.getTimeout());
    var count: usize = undefined;
    var received: [5]u8 = undefined;
    try socket.sendAll("hello", &count);
    try peer.recvAll(&received, &count);
    try std.testing.expectEqualStrings("hello", &received);
    try out.writeAll("by name: dialed, with a timeout of 5 s, and hello went through\n");
}

fn lookups(out: *Io.Writer) !void {
    try expectError(error.UnknownHostName, Socket.dial("no such host", "7", .fromSeconds(5)));
    try expectError(error.UnknownService, Socket.dial("127.0.0.1", "no-such-service", .fromSeconds(5)));
    try out.writeAll("lookups that fail: No such host, No such service\n");
}

fn portOf(socket: Socket) !u16 {
    var address: std.c.sockaddr.in = undefined;
    var length: std.c.socklen_t = @sizeOf(@TypeOf(address));
    if (std.c.getsockname(socket.fd, @ptrCast(&address), &length) != 0) return error.Unexpected;
    return std.mem.bigToNative(u16, address.port);
}

fn pair() !struct { Socket, Socket } {
    var fds: [2]std.posix.fd_t = undefined;
    if (std.c.socketpair(std.c.AF.UNIX, std.c.SOCK.STREAM | std.c.SOCK.CLOEXEC, 0, &fds) != 0) return error.Unexpected;
    return .{ .{ .fd = fds[0] }, .{ .fd = fds[1] } };
}

fn expectOnTime(io: Io, start: Io.Timestamp, timeout: Io.Duration) !void {
    const elapsed = start.untilNow(io, .awake).nanoseconds;
    try expect(elapsed >= timeout.nanoseconds and elapsed < timeout.nanoseconds + std.time.ns_per_s);
}
