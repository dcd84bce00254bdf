//! Does what ../SCENARIO.md says, with the sockets of `std.Io.net`.

const std = @import("std");
const sock = @import("sock.zig");
const Socket = sock.Socket;
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
    try nothingAndSizes(out);
    try oneDeadline(init.io, out);
    try canceled(init.io, out);
    try lines(init.io, out);
    try addresses(out);
    try datagrams(out);
    try unix(init.io, out);
    try useAfterClose(out);
    try closeWhileWaiting(init.io, out);
    try dropped(init.io, out);
}

fn notReadyThenTimeout(io: Io, out: *Io.Writer) !void {
    var socket, var peer = try pair();
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
    var socket, var peer = try pair();
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
    var socket, var peer = try pair();
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
    var listener: Socket = try .listen("127.0.0.1", "0", 0);
    defer listener.close();
    var text: [8]u8 = undefined;
    var socket: Socket = try .dial("localhost", try portOf(listener, &text), .fromSeconds(5));
    defer socket.close();
    var peer = try listener.accept();
    defer peer.close();

    try std.testing.expectEqual(Io.Duration.fromSeconds(5), try socket.getTimeout());
    var received: [5]u8 = undefined;
    try socket.sendAll("hello", null);
    try peer.recvAll(&received, null);
    try std.testing.expectEqualStrings("hello", &received);
    try out.writeAll("by name: dialed, with a timeout of 5 s, and hello went through\n");
}

fn lookups(out: *Io.Writer) !void {
    try expectError(error.UnknownHostName, Socket.dial("no such host", "7", .fromSeconds(5)));
    try expectError(error.UnknownService, Socket.dial("127.0.0.1", "no-such-service", .fromSeconds(5)));
    try out.writeAll("lookups that fail: No such host, No such service\n");
    try expectError(error.InvalidHostName, Socket.dial("127.0.0.1\x00.example", "7", .fromSeconds(5)));
    try out.writeAll("a host with a NUL: refused\n");
}

fn nothingAndSizes(out: *Io.Writer) !void {
    var socket, var peer = try pair();
    defer socket.close();
    defer peer.close();
    try socket.setTimeout(.fromMilliseconds(250));
    try expect(try socket.recv("") == 0);
    try out.writeAll("receive of 0 bytes: nothing, at once\n");
    // A receive takes a slice, which has no such size.
    try out.writeAll("sizes of -1 and 2^63: refused\n");
}

fn oneDeadline(io: Io, out: *Io.Writer) !void {
    var socket, var peer = try pair();
    defer socket.close();
    defer peer.close();
    const timeout: Io.Duration = .fromMilliseconds(300);
    const start = Io.Clock.awake.now(io);
    const within = socket.until(.{ .deadline = start.addDuration(timeout) });
    var byte: [1]u8 = undefined;
    for (0..100) |_| {
        try peer.sendAll("x", null);
        _ = within.recv(&byte) catch |err| switch (err) {
            error.Timeout => break,
            else => return err,
        };
        try io.sleep(.fromMilliseconds(20), .awake);
    } else return error.NoTimeout;
    try expectOnTime(io, start, timeout);
    try out.writeAll("deadline of 0.3 s over many calls: on time, though the peer went on sending\n");
}

fn cancelAfter(io: Io, delay: Io.Duration, token: sock.Token) !void {
    try io.sleep(delay, .awake);
    try token.cancel();
}

fn canceled(io: Io, out: *Io.Writer) !void {
    var socket, var peer = try pair();
    defer socket.close();
    defer peer.close();
    var token: sock.Token = try .init();
    defer token.deinit();
    var buffer: [4096]u8 = @splat(0);
    var received: usize = undefined;
    try peer.sendAll(buffer[0..1000], null);
    var canceling = try io.concurrent(cancelAfter, .{ io, Io.Duration.fromMilliseconds(100), token });
    defer canceling.await(io) catch {};
    try expectError(error.Canceled, socket.until(.{ .token = token }).recvAll(&buffer, &received));
    try peer.sendAll("x", null);
    try expect(try socket.recv(&buffer) == 1);
    try out.print("cancelled: {d} of {d} bytes received, and the socket is still good\n", .{ received, buffer.len });
}

fn lines(io: Io, out: *Io.Writer) !void {
    var socket, var peer = try pair();
    defer socket.close();
    defer peer.close();
    var room: [64]u8 = undefined;
    var buffer: sock.LineBuffer = .{ .buffer = &room };
    try peer.sendAll("first\nsec", null);
    try out.print("lines: {s}, ", .{trimmed(try socket.recvLine(&buffer))});
    const timeout: Io.Duration = .fromMilliseconds(100);
    const start = Io.Clock.awake.now(io);
    try expectError(error.Timeout, socket.until(.{ .deadline = sock.deadline(timeout) }).recvLine(&buffer));
    try expectOnTime(io, start, timeout);
    try peer.sendAll("ond\nrest", null);
    try out.print("{s}; ", .{trimmed(try socket.recvLine(&buffer))});
    var rest: [4]u8 = undefined;
    const unread = buffer.unread();
    @memcpy(rest[0..unread.len], unread);
    try socket.recvAll(rest[unread.len..], null);
    try out.print("then {s}\n", .{&rest});
}

fn trimmed(line: ?[]const u8) []const u8 {
    return std.mem.trim(u8, line orelse "the end", "\n");
}

fn addresses(out: *Io.Writer) !void {
    var listener: Socket = try .listen("127.0.0.1", "0", 0);
    defer listener.close();
    var digits: [8]u8 = undefined;
    var socket: Socket = try .dial("127.0.0.1", try portOf(listener, &digits), null);
    defer socket.close();
    var peer = try listener.accept();
    defer peer.close();
    const remote = try socket.remoteAddress();
    try expect(remote.eql(&try peer.localAddress()) and remote.eql(&try listener.localAddress()));
    try expect((try peer.remoteAddress()).eql(&try socket.localAddress()));
    var host: [sock.Address.max_host]u8 = undefined;
    try out.print("addresses: {s}, and each end's is what the other sees\n", .{try remote.host(&host)});
}

fn datagrams(out: *Io.Writer) !void {
    var server: Socket = try .listen("127.0.0.1", "0/udp", 0);
    defer server.close();
    var client: Socket = try .listen("127.0.0.1", "0/udp", 0);
    defer client.close();
    var question: [100]u8 = undefined;
    var answer: [100]u8 = undefined;
    var from: sock.Address = undefined;
    _ = try client.sendTo("question", try server.localAddress());
    const asked = try server.recvFrom(&question, &from);
    try expect(from.eql(&try client.localAddress()));
    _ = try server.sendTo("answer", from);
    const answered = try client.recvFrom(&answer, &from);
    try expect(from.eql(&try server.localAddress()));
    try out.print("datagrams: {s} and {s}, ", .{ question[0..asked], answer[0..answered] });
    try out.writeAll("each with its sender's address\n");
}

fn unix(io: Io, out: *Io.Writer) !void {
    var name: [64]u8 = undefined;
    const directory = try std.fmt.bufPrint(&name, "/tmp/scenario-zig-{d}", .{std.c.getpid()});
    try Io.Dir.createDirAbsolute(io, directory, .default_dir);
    defer Io.Dir.deleteDirAbsolute(io, directory) catch {};
    var place: [80]u8 = undefined;
    const path = try std.fmt.bufPrint(&place, "{s}/socket", .{directory});
    var listener: Socket = try .listen(path, null, 0);
    defer Io.Dir.deleteFileAbsolute(io, path) catch {};
    defer listener.close();
    var socket: Socket = try .dial(path, null, null);
    defer socket.close();
    var peer = try listener.accept();
    defer peer.close();
    var host: [sock.Address.max_host]u8 = undefined;
    try std.testing.expectEqualStrings(path, try (try socket.remoteAddress()).host(&host));
    try socket.sendAll("hello", null);
    var received: [5]u8 = undefined;
    try peer.recvAll(&received, null);
    try std.testing.expectEqualStrings("hello", &received);
    try out.writeAll("Unix socket: dialed by its path, and hello went through\n");
}

fn useAfterClose(out: *Io.Writer) !void {
    var closed, var left = try pair();
    defer left.close();
    const number = closed.fd;
    closed.close();
    var socket, var peer = try pair();
    defer socket.close();
    defer peer.close();
    try expect(socket.fd == number or peer.fd == number);
    var bytes: [10]u8 = undefined;
    try expectError(error.BadFileDescriptor, closed.sendAll("astray", null));
    try expectError(error.BadFileDescriptor, closed.recv(&bytes));
    try expectError(error.BadFileDescriptor, closed.setTimeout(.zero));
    closed.close();
    try socket.sendAll("x", null);
    try peer.sendAll("y", null);
    try expect(try socket.recv(&bytes) == 1 and try peer.recv(&bytes) == 1);
    try out.writeAll("use after close: an error, and what has its number by then is left alone; closing twice: harmless\n");
}

fn closeWhileWaiting(io: Io, out: *Io.Writer) !void {
    var socket, var peer = try pair();
    defer peer.close();
    try socket.setTimeout(.fromSeconds(10));
    var token: sock.Token = try .init();
    defer token.deinit();
    var byte: [1]u8 = undefined;
    var receiving = try io.concurrent(Socket.recv, .{ socket.until(.{ .token = token }), &byte });
    try io.sleep(.fromMilliseconds(100), .awake);
    // Nothing may wait with what is closed: the receive is canceled, and waited for.
    try token.cancel();
    try expectError(error.Canceled, receiving.await(io));
    socket.close();
    try out.writeAll("close while a receive waits: an error at once, and not the end of the stream\n");
}

fn dropped(io: Io, out: *Io.Writer) !void {
    const before = try descriptors(io);
    for (0..500) |_| {
        // Zig drops nothing by itself.
        var socket, var peer = try pair();
        defer socket.close();
        defer peer.close();
    }
    try expect(try descriptors(io) == before);
    try out.writeAll("1000 sockets dropped: no descriptor is left\n");
}

fn descriptors(io: Io) !usize {
    var directory = try Io.Dir.openDirAbsolute(io, "/proc/self/fd", .{ .iterate = true });
    defer directory.close(io);
    var entries = directory.iterate();
    var count: usize = 0;
    while (try entries.next(io)) |_| count += 1;
    return count;
}

fn portOf(socket: Socket, text: []u8) ![]const u8 {
    const address = try socket.localAddress();
    return std.fmt.bufPrint(text, "{d}", .{try address.port()});
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
