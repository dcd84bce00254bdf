//! What the binding of Zig promises beyond the scenario: one line for each check. usage: list OFTEN SECONDS [CHECK]

const std = @import("std");
const sock = @import("sock");
const Io = std.Io;
const Socket = sock.Socket;
const Token = sock.Token;
const expect = std.testing.expect;
const expectEqual = std.testing.expectEqual;
const expectEqualStrings = std.testing.expectEqualStrings;
const expectError = std.testing.expectError;

var io: Io = undefined;
var gpa: std.mem.Allocator = undefined;
var often: usize = 100;

/// Longer than any check takes: what ends only then has not been ended.
const long: Io.Duration = .fromSeconds(20);
/// What a noisy machine may be late by.
const late: Io.Duration = .fromSeconds(5);

fn ms(milliseconds: i64) Io.Duration {
    return .fromMilliseconds(milliseconds);
}

fn sleep(duration: Io.Duration) void {
    io.sleep(duration, .awake) catch {};
}

fn pair() !struct { Socket, Socket } {
    var fds: [2]std.posix.fd_t = undefined;
    try expect(std.c.socketpair(std.c.AF.UNIX, std.c.SOCK.STREAM | std.c.SOCK.CLOEXEC, 0, &fds) == 0);
    return .{ .{ .fd = fds[0] }, .{ .fd = fds[1] } };
}

fn within(duration: Io.Duration) sock.Until {
    return .{ .deadline = sock.deadline(duration) };
}

fn expectOnTime(start: Io.Timestamp, expected: Io.Duration) !void {
    const elapsed = start.untilNow(io, .awake).nanoseconds;
    try expect(elapsed >= expected.nanoseconds);
    try expect(elapsed < expected.nanoseconds + late.nanoseconds);
}

fn now() Io.Timestamp {
    return Io.Clock.awake.now(io);
}

/// A listener of TCP, or of UDP, and the port it has, as text.
const Local = struct {
    socket: Socket,
    text: [16]u8,
    length: usize,

    fn init(service: []const u8) !Local {
        var self: Local = .{ .socket = try .listen("127.0.0.1", service, 0), .text = undefined, .length = 0 };
        const address = try self.socket.localAddress();
        const protocol = if (std.mem.endsWith(u8, service, "/udp")) "/udp" else "";
        self.length = (try std.fmt.bufPrint(&self.text, "{d}{s}", .{ try address.port(), protocol })).len;
        return self;
    }

    fn port(self: *const Local) []const u8 {
        return self.text[0..self.length];
    }
};

fn descriptors() !usize {
    var directory = try Io.Dir.openDirAbsolute(io, "/proc/self/fd", .{ .iterate = true });
    defer directory.close(io);
    var entries = directory.iterate();
    var count: usize = 0;
    while (try entries.next(io)) |_| count += 1;
    return count;
}

/// The most that it was, in KiB.
fn resident() isize {
    var usage: std.c.rusage = undefined;
    _ = std.c.getrusage(std.c.rusage.SELF, &usage);
    return usage.maxrss;
}

fn processorTime() Io.Duration {
    var time: std.c.timespec = undefined;
    _ = std.c.clock_gettime(.PROCESS_CPUTIME_ID, &time);
    return .{ .nanoseconds = @as(i96, time.sec) * std.time.ns_per_s + time.nsec };
}

fn setOption(socket: Socket, level: i32, option: u32, value: anytype) void {
    _ = std.c.setsockopt(socket.fd, level, option, &value, @sizeOf(@TypeOf(value)));
}

/// Has a signal handled in the thread that made it, again and again.
const Storm = struct {
    var handled: std.atomic.Value(u32) = .init(0);
    over: std.atomic.Value(bool) = .init(false),
    thread: std.Thread = undefined,

    fn begin(self: *Storm) !void {
        const action: std.posix.Sigaction = .{ .handler = .{ .handler = handle }, .mask = std.posix.sigemptyset(), .flags = 0 };
        std.posix.sigaction(.USR1, &action, null);
        self.thread = try .spawn(.{}, send, .{ self, std.c.pthread_self() });
    }

    fn end(self: *Storm) void {
        self.over.store(true, .monotonic);
        self.thread.join();
    }

    fn send(self: *Storm, to: std.c.pthread_t) void {
        while (!self.over.load(.monotonic)) {
            sleep(ms(20));
            _ = std.c.pthread_kill(to, .USR1);
        }
    }

    fn handle(_: std.posix.SIG) callconv(.c) void {
        _ = handled.fetchAdd(1, .monotonic);
    }
};

fn cancelAfter(token: Token, duration: Io.Duration) void {
    sleep(duration);
    token.cancel() catch {};
}

/// Sockets that are made and closed: descriptors and memory flat.
fn closed() !void {
    var listener: Local = try .init("0");
    defer listener.socket.close();
    var open: usize = 0;
    var memory: isize = 0;
    for (0..often * 10) |i| {
        if (i == 500) {
            open = try descriptors();
            memory = resident();
        }
        var token: Token = try .init();
        defer token.deinit();
        var near: Socket = try .dialUntil("127.0.0.1", listener.port(), .{ .deadline = sock.deadline(long), .token = token });
        defer near.close();
        // So that no port is in use for a minute.
        setOption(near, std.posix.SOL.SOCKET, std.posix.SO.LINGER, [2]c_int{ 1, 0 });
        try near.until(within(long)).sendAll("x", null);
        var far = try listener.socket.accept();
        far.close();
    }
    try expectEqual(open, try descriptors());
    try expect(resident() - memory < 4 << 10);
}

/// What was moved is told, whatever ended it.
fn counts() !void {
    var near, var far = try pair();
    defer near.close();
    const big = try gpa.alloc(u8, 8 << 20);
    defer gpa.free(big);
    var token: Token = try .init();
    defer token.deinit();
    const canceling: std.Thread = try .spawn(.{}, cancelAfter, .{ token, ms(50) });
    defer canceling.join();
    var sent: usize = 0;
    var received: usize = 0;
    try expectError(error.Canceled, near.until(.{ .token = token }).sendAll(big, &sent));
    try expect(0 < sent and sent < big.len);
    try far.until(within(long)).recvAll(big[0..sent], &received);
    try expectEqual(sent, received);
    try expectError(error.Timeout, far.until(within(ms(20))).recvAll(big, &received));
    try expectEqual(0, received);
    try near.sendAll("begin", &sent);
    try expectEqual(5, sent);
    try far.recvAll(big[0..5], &received);
    far.close();
    try expectError(error.BrokenPipe, near.sendAll("x", &sent));
    try expectEqual(0, sent);
    try expectError(error.EndOfStream, near.recvAll(big[0..4], &received));
}

/// Nothing is waited for to receive nothing.
fn zeroSizes() !void {
    var near, var far = try pair();
    defer near.close();
    defer far.close();
    try near.setTimeout(long);
    const start = now();
    try expectEqual(0, try near.recv(""));
    try near.recvAll("", null);
    try expectEqual(0, try near.send(""));
    try near.sendAll("", null);
    try expectOnTime(start, .zero);
}

/// A size of more than 32 bits is not cut.
fn largeSizes() !void {
    var near, var far = try pair();
    defer near.close();
    // It is the system's zeros until it is written to.
    const memory = try std.posix.mmap(null, (1 << 32) + 2, .{ .READ = true, .WRITE = true }, .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true }, -1, 0);
    defer std.posix.munmap(memory);
    try far.sendAll("begin", null);
    try expectEqual(5, try near.recv(memory));
    try far.sendAll("again", null);
    far.close();
    var received: usize = 0;
    try expectError(error.EndOfStream, near.recvAll(memory, &received));
    try expectEqualStrings("again", memory[0..received]);
}

fn namesWithNul() !void {
    try expectError(error.InvalidHostName, Socket.dial("127.0.0.1\x00.example", "7", long));
    try expectError(error.InvalidServiceName, Socket.dial("127.0.0.1", "7\x00", long));
    try expectError(error.InvalidHostName, Socket.dialUntil("127.0.0.1\x00", "7", within(long)));
    try expectError(error.InvalidHostName, Socket.listen("127.0.0.1\x00.example", "0", 0));
    try expectError(error.InvalidServiceName, Socket.listen(null, "0\x00", 0));
    try expectError(error.InvalidArgument, sock.Address.parse("127.0.0.1\x00", 7));
    try expectError(error.NameTooLong, Socket.dial("a" ** 2000, "7", long));
    try expectError(error.NameTooLong, Socket.dial("/" ++ "a" ** 200, null, long));
    // What is part of a longer text has no NUL behind it.
    const text = "localhost:0/udp";
    var listener: Socket = try .listen(text[0..9], text[10..11], 0);
    listener.close();
}

/// What goes wrong in the ordinary course of things has a name.
fn errors() !void {
    var near, var far = try pair();
    far.close();
    var byte: [1]u8 = undefined;
    try expectError(error.InvalidArgument, near.setTimeout(ms(-1)));
    try expectError(error.InvalidArgument, near.setTimeout(.max));
    try expectError(error.InvalidArgument, near.accept());
    near.close();
    try expectError(error.BadFileDescriptor, near.recv(&byte));
    const file = try Io.Dir.openFileAbsolute(io, "/dev/null", .{});
    defer file.close(io);
    try expectError(error.FileDescriptorNotASocket, (Socket{ .fd = file.handle }).recv(&byte));
    var listener: Local = try .init("0");
    const address = try listener.socket.localAddress();
    var connected: Socket = .{ .fd = std.c.socket(std.c.AF.INET, std.c.SOCK.STREAM, 0) };
    defer connected.close();
    try connected.connect(address);
    try expectError(error.AlreadyConnected, connected.connect(address));
    try expectError(error.AddressInUse, Socket.listen("127.0.0.1", listener.port(), 0));
    try expectError(error.SocketUnconnected, listener.socket.recv(&byte));
    try expectError(error.SocketUnconnected, listener.socket.remoteAddress());
    listener.socket.close();
    // A port that is taken, and where nobody listens.
    const taken = try connected.localAddress();
    var own: Socket = .{ .fd = std.c.socket(std.c.AF.INET, std.c.SOCK.STREAM, 0) };
    defer own.close();
    try expectError(error.ConnectionRefused, own.until(within(long)).connect(taken));
    var digits: [8]u8 = undefined;
    const port = try std.fmt.bufPrint(&digits, "{d}", .{try taken.port()});
    try expectError(error.ConnectionRefused, Socket.dial("127.0.0.1", port, long));
    try expectError(error.AddressUnavailable, Socket.listen("192.0.2.1", "0", 0));
    try expectError(error.FileNotFound, Socket.dial("/no/such/path", null, long));
    try expectError(error.InvalidArgument, Socket.dial("/no/such/path", "7", long));
    var udp: Local = try .init("0/udp");
    defer udp.socket.close();
    try expectError(error.OperationUnsupported, udp.socket.accept());
    try expectError(error.AddressRequired, udp.socket.send("x"));
    const big = try gpa.alloc(u8, 1 << 17);
    defer gpa.free(big);
    try expectError(error.MessageOversize, udp.socket.sendTo(big, try udp.socket.localAddress()));
    try expectError(error.AccessDenied, udp.socket.sendTo("x", try .parse("127.255.255.255", 7)));
    try limited();
}

fn limited() !void {
    const before = try std.posix.getrlimit(.NOFILE);
    try std.posix.setrlimit(.NOFILE, .{ .cur = 0, .max = before.max });
    defer std.posix.setrlimit(.NOFILE, before) catch {};
    try expectError(error.ProcessFdQuotaExceeded, Socket.listen("127.0.0.1", "0", 0));
    try expectError(error.ProcessFdQuotaExceeded, Token.init());
}

/// What is closed does nothing to whoever has its number by then.
fn afterClose() !void {
    var one, var other = try pair();
    defer other.close();
    one.close();
    var near, var far = try pair();
    defer near.close();
    defer far.close();
    try expectError(error.BadFileDescriptor, one.sendAll("astray", null));
    one.close();
    try far.sendAll("x", null);
    var byte: [1]u8 = undefined;
    try expectEqual(1, try near.recv(&byte));
    var token: Token = try .init();
    token.deinit();
    try expectError(error.BadFileDescriptor, token.cancel());
    try expectError(error.BadFileDescriptor, near.until(.{ .token = .{ .fd = -7 } }).recv(&byte));
}

fn bothDirections() !void {
    var near, var far = try pair();
    defer near.close();
    defer far.close();
    const outgoing = try gpa.alloc(u8, 4 << 20);
    defer gpa.free(outgoing);
    for (outgoing, 0..) |*byte, i| byte.* = @truncate(i *% 0x9E3779B1 >> 13);
    const there = try gpa.alloc(u8, outgoing.len);
    defer gpa.free(there);
    const back = try gpa.alloc(u8, outgoing.len);
    defer gpa.free(back);
    var sending = try io.concurrent(Socket.sendAll, .{ near, outgoing, null });
    var answering = try io.concurrent(Socket.sendAll, .{ far, outgoing, null });
    var receiving = try io.concurrent(Socket.recvAll, .{ near, back, null });
    try far.recvAll(there, null);
    try receiving.await(io);
    try sending.await(io);
    try answering.await(io);
    try expect(std.mem.eql(u8, outgoing, there) and std.mem.eql(u8, outgoing, back));
}

/// A signal that is handled ends a wait only where that is asked for.
fn interrupted() !void {
    var near, var far = try pair();
    defer near.close();
    defer far.close();
    var storm: Storm = .{};
    try storm.begin();
    defer storm.end();
    var bytes: [4]u8 = undefined;
    const start = now();
    try expectError(error.Timeout, near.until(within(ms(200))).recv(&bytes));
    try expectOnTime(start, ms(200));
    try near.setInterrupt(true);
    try expectError(error.Interrupted, near.until(within(long)).recv(&bytes));
    try far.sendAll("be", null);
    var received: usize = 0;
    try expectError(error.Interrupted, near.until(within(long)).recvAll(&bytes, &received));
    try expectEqual(2, received);
    try expect(Storm.handled.load(.monotonic) >= 2);
}

fn shutdownAfter(socket: Socket, duration: Io.Duration) void {
    sleep(duration);
    socket.shutdown(.both) catch {};
}

/// `shutdown` by another thread ends a wait.
fn shutDown() !void {
    var near, var far = try pair();
    defer near.close();
    defer far.close();
    const stopping: std.Thread = try .spawn(.{}, shutdownAfter, .{ near, ms(50) });
    defer stopping.join();
    var byte: [1]u8 = undefined;
    try expectEqual(0, try near.until(within(long)).recv(&byte));
    try expectEqual(0, try far.recv(&byte));
    try expectError(error.BrokenPipe, near.send("x"));
}

/// A token ends every kind of wait, also from before it began, and what is ready is given all the same.
fn tokens() !void {
    var near, var far = try pair();
    defer near.close();
    defer far.close();
    try near.setTimeout(long);
    var token: Token = try .init();
    defer token.deinit();
    try expect(!try token.isCanceled());
    const start = now();
    const canceling: std.Thread = try .spawn(.{}, cancelAfter, .{ token, ms(100) });
    var bytes: [8]u8 = undefined;
    try expectError(error.Canceled, near.until(.{ .token = token }).recv(&bytes));
    try expectOnTime(start, ms(90));
    canceling.join();
    try expect(try token.isCanceled());
    const limited_socket = near.until(.{ .deadline = sock.deadline(long), .token = token });
    var from: sock.Address = .{};
    var line: sock.LineBuffer = .{ .buffer = &bytes };
    var listener: Local = try .init("0");
    defer listener.socket.close();
    try expectError(error.Canceled, limited_socket.recvAll(&bytes, null));
    try expectError(error.Canceled, limited_socket.recvFrom(&bytes, &from));
    try expectError(error.Canceled, limited_socket.recvLine(&line));
    try expectError(error.Canceled, listener.socket.until(.{ .token = token }).accept());
    try expectError(error.Canceled, Socket.dialUntil("localhost", "7", .{ .token = token }));
    try expectOnTime(start, .zero);
    try far.sendAll("x", null);
    try expectEqual(1, try limited_socket.recv(&bytes));
    try expectEqual(long, try near.getTimeout());

    var pipe, var other_end = try pair();
    defer pipe.close();
    const hangup: Token = .{ .fd = pipe.fd };
    try expectError(error.InvalidArgument, hangup.cancel());
    other_end.close();
    try expectError(error.Canceled, near.until(.{ .token = hangup }).recv(&bytes));
    try expect(try hangup.isCanceled());
}

fn deadlines() !void {
    var near, var far = try pair();
    defer near.close();
    defer far.close();
    var bytes: [8]u8 = undefined;
    const start = now();
    const moment = start.addDuration(ms(200));
    try expectError(error.Timeout, near.until(.{ .deadline = moment }).recv(&bytes));
    try expectOnTime(start, ms(200));
    try far.sendAll("abc", null);
    try expectError(error.Timeout, near.until(.{ .deadline = moment }).recv(&bytes));
    try expectError(error.Timeout, near.until(within(ms(-5))).recv(&bytes));
    try expectError(error.Timeout, near.until(.{ .deadline = .zero }).recv(&bytes));
    try expectEqual(1, try near.until(within(.max)).recv(bytes[0..1]));
    try expectEqual(1, try near.until(within(.fromSeconds(1 << 40))).recv(bytes[0..1]));
    try expectEqual(1, try near.until(within(long)).recv(bytes[0..1]));
    const soon = within(ms(100));
    var listener: Local = try .init("0");
    defer listener.socket.close();
    try expectError(error.Timeout, near.until(soon).recvAll(&bytes, null));
    try expectError(error.Timeout, listener.socket.until(soon).accept());
    try expectOnTime(start, ms(300));
    try expectEqual(null, try near.getTimeout());

    // Once the one place in its queue is taken, a listener answers nobody.
    var full: Socket = try .listen("127.0.0.1", "0", 1);
    defer full.close();
    const address = try full.localAddress();
    const ahead: [2]Io.net.Stream = .{
        try address.ip().?.connect(io, .{ .mode = .stream }),
        try address.ip().?.connect(io, .{ .mode = .stream }),
    };
    defer for (ahead) |stream| stream.close(io);
    const begin = now();
    var text: [8]u8 = undefined;
    const port = try std.fmt.bufPrint(&text, "{d}", .{try address.port()});
    try expectError(error.Timeout, Socket.dialUntil("127.0.0.1", port, within(ms(100))));
    try expectOnTime(begin, ms(100));
}

fn lines() !void {
    var near, var far = try pair();
    defer near.close();
    var room: [16]u8 = undefined;
    var buffer: sock.LineBuffer = .{ .buffer = &room };
    try far.sendAll("one\ntwo\nthr", null);
    try expectEqualStrings("one\n", (try near.recvLine(&buffer)).?);
    try expectEqualStrings("two\n", (try near.recvLine(&buffer)).?);
    try expectEqualStrings("thr", buffer.unread());
    try expectError(error.Timeout, near.until(within(ms(20))).recvLine(&buffer));
    try far.sendAll("ee\nrest", null);
    try expectEqualStrings("three\n", (try near.recvLine(&buffer)).?);
    far.close();
    try expectError(error.EndOfStream, near.recvLine(&buffer));
    try expectEqualStrings("rest", buffer.unread());

    near.close();
    near, far = try pair();
    buffer = .{ .buffer = &room };
    var text: [16 << 10]u8 = undefined;
    var sent: Io.Writer = .fixed(&text);
    for (0..1000) |i| try sent.print("{d} {d}\n", .{ i, i * i });
    try far.sendAll(sent.buffered(), null);
    try far.shutdown(.send);
    for (0..1000) |i| {
        var line: [16]u8 = undefined;
        try expectEqualStrings(try std.fmt.bufPrint(&line, "{d} {d}\n", .{ i, i * i }), (try near.recvLine(&buffer)).?);
    }
    try expectEqual(null, try near.recvLine(&buffer));
    far.close();
    near.close();

    near, far = try pair();
    defer far.close();
    var head: [32]u8 = undefined;
    buffer = .{ .buffer = &head, .delimiter = "\r\n\r\n" };
    try far.sendAll("a head\r\n\r\nbody", null);
    try expectEqualStrings("a head\r\n\r\n", (try near.recvLine(&buffer)).?);
    try expectEqualStrings("body", buffer.unread());
    try far.sendAll("x" ** 20, null);
    buffer = .{ .buffer = &room };
    try expectError(error.MessageOversize, near.recvLine(&buffer));
    buffer.delimiter = "";
    try expectError(error.InvalidArgument, near.recvLine(&buffer));
}

/// What std does with its own streams.
fn readersAndWriters() !void {
    var near, var far = try pair();
    defer near.close();
    var in: [64]u8 = undefined;
    var out: [64]u8 = undefined;
    var writer = far.writer(&out);
    var reader = near.reader(&in);
    try writer.interface.print("{s} {d}\n", .{ "line", 1 });
    try writer.interface.writeAll("lin");
    try writer.interface.flush();
    try expectEqualStrings("line 1\n", try reader.interface.takeDelimiterInclusive('\n'));
    reader.socket = near.until(within(ms(20)));
    try expectError(error.ReadFailed, reader.interface.takeDelimiterInclusive('\n'));
    try expectEqual(error.Timeout, reader.err.?);
    reader.socket = near;
    try writer.interface.writeAll("e 2\n");
    try writer.interface.splatByteAll('y', 100);
    try writer.interface.flush();
    try expectEqualStrings("line 2\n", try reader.interface.takeDelimiterInclusive('\n'));
    try expectEqualStrings("y" ** 50, try reader.interface.take(50));
    try reader.interface.discardAll(50);

    // What a timeout leaves is sent, once, by the next flush.
    const data = try gpa.alloc(u8, 1 << 20);
    defer gpa.free(data);
    for (data, 0..) |*byte, i| byte.* = @truncate(i *% 0x9E3779B1 >> 13);
    const whole = try gpa.alloc(u8, data.len);
    defer gpa.free(whole);
    const buffer = try gpa.alloc(u8, data.len);
    defer gpa.free(buffer);
    writer = far.until(within(ms(20))).writer(buffer);
    try writer.interface.writeAll(data);
    try expectError(error.WriteFailed, writer.interface.flush());
    try expectEqual(error.Timeout, writer.err.?);
    writer.socket = far;
    var receiving = try io.concurrent(Socket.recvAll, .{ near, whole, null });
    try writer.interface.flush();
    try receiving.await(io);
    try expect(std.mem.eql(u8, data, whole));
    far.close();
    try expectError(error.EndOfStream, reader.interface.takeByte());
    writer = near.writer("");
    try expectError(error.WriteFailed, writer.interface.writeAll("x"));
    try expectEqual(error.BrokenPipe, writer.err.?);
}

fn datagrams() !void {
    var server: Local = try .init("0/udp");
    defer server.socket.close();
    var client: Socket = try .dial("localhost", server.port(), long);
    defer client.close();
    var buffer: [100]u8 = undefined;
    var from: sock.Address = undefined;
    try expectEqual(8, try client.send("question"));
    const size = try server.socket.until(within(long)).recvFrom(&buffer, &from);
    try expectEqualStrings("question", buffer[0..size]);
    try expect(from.eql(&try client.localAddress()));
    try expectEqual(6, try server.socket.sendTo("answer", from));
    try expectEqual(6, try client.recv(&buffer));
    try expect((try client.remoteAddress()).eql(&try server.socket.localAddress()));
    try expectEqual(0, try server.socket.until(within(long)).sendTo("", from));
    try expectEqual(0, try client.recv(&buffer));
    try expectEqual(4, try server.socket.sendTo("long", from));
    try expectEqual(2, try client.recv(buffer[0..2]));
}

fn addresses() !void {
    var text: [sock.Address.max_host]u8 = undefined;
    for ([_]struct { []const u8, u16 }{ .{ "192.0.2.1", 65535 }, .{ "2001:db8::1", 1 }, .{ "fe80::1%1", 7 } }) |known| {
        const address: sock.Address = try .parse(known[0], known[1]);
        try expectEqualStrings(known[0], try address.host(&text));
        try expectEqual(known[1], try address.port());
        try expect(address.eql(&.fromIp(address.ip().?)));
    }
    const scoped: Io.net.IpAddress = .{ .ip6 = .{ .bytes = @splat(1), .port = 7, .flow = 5, .interface = .{ .index = 3 } } };
    try expect(scoped.eql(&sock.Address.fromIp(scoped).ip().?));
    for ([_][]const u8{ "/a/path", "@name" }) |name| {
        const address: sock.Address = try .parse(name, null);
        try expectEqualStrings(name, try address.host(&text));
        try expectEqual(0, try address.port());
        try expectEqual(null, address.ip());
    }
    try expectError(error.InvalidArgument, sock.Address.parse("localhost", 7));
    try expectError(error.NameTooLong, sock.Address.parse("/" ++ "a" ** 107, null));
    try expectError(error.NameTooLong, sock.Address.parse("/" ++ "a" ** 1000, null));
}

fn unix() !void {
    var names: [2][64]u8 = undefined;
    for (&names, [_][]const u8{ "/tmp/", "@" }) |*buffer, kind| {
        const name = try std.fmt.bufPrint(buffer, "{s}libsock-zig-{d}", .{ kind, std.c.getpid() });
        var listener: Socket = try .listen(name, null, 0);
        defer listener.close();
        defer if (name[0] == '/') Io.Dir.deleteFileAbsolute(io, name) catch {};
        var near: Socket = try .dial(name, null, long);
        defer near.close();
        var far = try listener.accept();
        defer far.close();
        var text: [sock.Address.max_host]u8 = undefined;
        try expectEqualStrings(name, try (try near.remoteAddress()).host(&text));
        try expectEqualStrings("", try (try far.remoteAddress()).host(&text));
        try near.sendAll("hello", null);
        try far.recvAll(text[0..5], null);
        try expectEqualStrings("hello", text[0..5]);
        var own: Socket = .{ .fd = std.c.socket(std.c.AF.UNIX, std.c.SOCK.STREAM, 0) };
        defer own.close();
        try own.connect(try .parse(name, null));
    }
}

/// An entry in the error queue makes nothing spin, before a signal and after it.
fn errorQueue() !void {
    // What is connected elsewhere takes nothing from anybody else.
    var elsewhere: Local = try .init("0/udp");
    defer elsewhere.socket.close();
    try elsewhere.socket.connect(try .parse("127.0.0.1", 9));
    var waiting: Local = try .init("0/udp");
    defer waiting.socket.close();
    setOption(waiting.socket, std.c.IPPROTO.IP, 11, @as(c_int, 1)); // IP_RECVERR
    try waiting.socket.connect(try elsewhere.socket.localAddress());
    var byte: [1]u8 = undefined;
    try expectEqual(1, try waiting.socket.send("x"));
    try expectError(error.ConnectionRefused, waiting.socket.recv(&byte));
    try waiting.socket.setTimeout(ms(300));
    var storm: Storm = .{};
    try storm.begin();
    defer storm.end();
    const start = now();
    const used = processorTime();
    try expectError(error.Timeout, waiting.socket.recv(&byte));
    try expectError(error.Timeout, waiting.socket.until(within(ms(300))).recv(&byte));
    try expectOnTime(start, ms(600));
    try expect(processorTime().nanoseconds - used.nanoseconds < ms(200).nanoseconds);
}

fn connectAfter(address: sock.Address, duration: Io.Duration) void {
    sleep(duration);
    var client: Socket = .{ .fd = std.c.socket(std.c.AF.INET, std.c.SOCK.STREAM, 0) };
    defer client.close();
    client.connect(address) catch {};
}

fn acceptOne(listener: Socket) void {
    var socket = listener.accept() catch return;
    socket.close();
}

/// A connection that another thread takes, after a signal too, makes an accept neither longer nor shorter.
fn acceptTaken() !void {
    var storm: Storm = .{};
    try storm.begin();
    defer storm.end();
    for (0..3) |_| {
        var listener: Local = try .init("0");
        defer listener.socket.close();
        try listener.socket.setTimeout(ms(300));
        const other: std.Thread = try .spawn(.{}, acceptOne, .{listener.socket});
        defer other.join();
        const client: std.Thread = try .spawn(.{}, connectAfter, .{ try listener.socket.localAddress(), ms(100) });
        defer client.join();
        const start = now();
        var mine = listener.socket.accept() catch |err| {
            try expectEqual(error.Timeout, err);
            try expectOnTime(start, ms(300));
            continue;
        };
        mine.close();
    }
}

fn receiveOne(socket: Socket) void {
    var byte: [1]u8 = undefined;
    _ = socket.recv(&byte) catch {};
}

/// A program ends while a thread of it waits.
fn exits() !void {
    const child = std.c.fork();
    if (child == 0) {
        const near, _ = try pair();
        const thread: std.Thread = try .spawn(.{}, receiveOne, .{near});
        thread.detach();
        sleep(ms(50));
        std.process.exit(0);
    }
    const start = now();
    var status: c_int = undefined;
    while (std.c.waitpid(child, &status, std.c.W.NOHANG) == 0) {
        if (start.untilNow(io, .awake).nanoseconds > long.nanoseconds) {
            _ = std.c.kill(child, .KILL);
            _ = std.c.waitpid(child, &status, 0);
            return error.TestUnexpectedResult;
        }
        sleep(ms(5));
    }
    try expectEqual(0, status);
}

const checks = .{
    .closed = closed,
    .counts = counts,
    .zero_sizes = zeroSizes,
    .large_sizes = largeSizes,
    .names_with_nul = namesWithNul,
    .errors = errors,
    .after_close = afterClose,
    .both_directions = bothDirections,
    .interrupted = interrupted,
    .shut_down = shutDown,
    .tokens = tokens,
    .deadlines = deadlines,
    .lines = lines,
    .readers_and_writers = readersAndWriters,
    .datagrams = datagrams,
    .addresses = addresses,
    .unix = unix,
    .error_queue = errorQueue,
    .accept_taken = acceptTaken,
    .exits = exits,
};

pub fn main(init: std.process.Init) !void {
    io = init.io;
    gpa = init.gpa;
    const arguments = try init.minimal.args.toSlice(init.arena.allocator());
    if (arguments.len > 1) often = try std.fmt.parseInt(usize, arguments[1], 10);
    var line: [128]u8 = undefined;
    var writer = Io.File.stdout().writer(io, &line);
    inline for (@typeInfo(@TypeOf(checks)).@"struct".fields) |check| {
        if (arguments.len < 4 or std.mem.eql(u8, arguments[3], check.name)) {
            if (@field(checks, check.name)()) {
                try writer.interface.print("ok {s}\n", .{check.name});
            } else |err| {
                try writer.interface.print("not ok {s}: {t}\n", .{ check.name, err });
                if (@errorReturnTrace()) |trace| std.debug.dumpErrorReturnTrace(trace);
            }
            try writer.interface.flush();
        }
    }
}
