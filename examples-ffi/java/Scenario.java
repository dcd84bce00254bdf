import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.zip.Adler32;
import libsock.Lines;
import libsock.LookupException;
import libsock.Sock;
import sun.misc.Signal;

/** Does what ../SCENARIO.md says. */
public final class Scenario {
    private static final int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000;
    private static final Duration SECONDS = Duration.ofSeconds(5);

    private Scenario() {
    }

    /**
     * Does it.
     *
     * @param args the host and the port of the echo-server
     * @throws Exception if something is otherwise
     */
    public static void main(String[] args) throws Exception {
        if (args.length != 2) {
            System.err.println("usage: Scenario HOST PORT");
            System.exit(64);
        }
        notReadyThenTimeout();
        echo(args[0], args[1]);
        earlyClose();
        signalWhileWaiting();
        byName();
        lookups();
        sizes();
        deadline();
        cancelled();
        lines();
        addresses();
        datagrams();
        unixSocket();
        useAfterClose();
        closeWhileWaiting();
        dropped();
    }

    private static void notReadyThenTimeout() throws IOException {
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]) {
            near.setTimeout(Duration.ZERO);
            expect(near.read(ByteBuffer.allocate(1)) == 0, "non-blocking: a byte out of nowhere");
            System.out.println("non-blocking: not ready");

            expectTimeout(near, Duration.ofMillis(250));
            send(far, "x");
            expect(receive(near, 1).equals("x"), "timeout: the socket is no longer good");
            System.out.println("timeout of 0.25 s: fired on time, and the socket is still good");
        }
    }

    private static void echo(String host, String port) throws IOException, InterruptedException, ExecutionException {
        ByteBuffer sent = ByteBuffer.allocate(8 << 20);
        ByteBuffer received = ByteBuffer.allocate(sent.capacity());
        for (int i = 0; i < sent.capacity(); i++) {
            sent.put(i, (byte) (i % 251));
        }
        try (Sock sock = Sock.dial(host, port, Duration.ofSeconds(30))) {
            FutureTask<Integer> sending = new FutureTask<>(() -> sock.write(sent));
            new Thread(sending).start();
            sock.readFully(received);
            sending.get();
        }
        expect(received.flip().equals(sent.flip()), "echo: other bytes came back");
        Adler32 sum = new Adler32();
        sum.update(received);
        System.out.printf("echo: %d bytes there and back, Adler-32 %08x%n", received.position(), sum.getValue());
    }

    private static void earlyClose() throws IOException {
        Sock[] pair = pair();
        try (Sock near = pair[0]) {
            pair[1].write(ByteBuffer.allocate(1000));
            pair[1].close();

            ByteBuffer in = ByteBuffer.allocate(4096);
            ByteBuffer out = ByteBuffer.allocate(4096);
            try {
                near.readFully(in);
                throw new AssertionError("early close: no end of the stream");
            } catch (EOFException e) {
                // As it should be.
            }
            try {
                near.write(out);
                throw new AssertionError("early close: no broken pipe");
            } catch (SocketException e) {
                expect(e.getMessage().equals("Connection closed"), "early close: " + e);
            }
            System.out.printf("early close: %d of %d bytes received, then %d of %d sent%n",
                in.position(), in.capacity(), out.position(), out.capacity());
        }
    }

    /** The JVM runs handlers in a thread of their own, but the signal goes to the very thread that waits. */
    private static void signalWhileWaiting() throws IOException, InterruptedException {
        CountDownLatch unhandled = new CountDownLatch(1);
        Signal usr1 = new Signal("USR1");
        Signal.handle(usr1, signal -> unhandled.countDown());
        NativeLong waiting = LibC.pthread_self();
        after(100, () -> LibC.pthread_kill(waiting, usr1.getNumber()));
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]) {
            expectTimeout(near, Duration.ofMillis(500));
            expect(far.isOpen(), "signal: the other side is closed");
        }
        expect(unhandled.await(10, TimeUnit.SECONDS), "signal: not handled");
        System.out.println("signal during a timeout of 0.5 s: handled, and fired on time");
    }

    private static void byName() throws IOException {
        try (Sock listener = Sock.listen("127.0.0.1", "0", 0);
                Sock near = Sock.dial("localhost", port(listener), SECONDS);
                Sock far = listener.accept()) {
            expect(near.getTimeout().equals(SECONDS), "by name: a timeout of " + near.getTimeout());
            send(near, "hello");
            expect(receive(far, 5).equals("hello"), "by name: other bytes came");
            System.out.println("by name: dialed, with a timeout of 5 s, and hello went through");
        }
    }

    private static void lookups() throws IOException {
        String host = lookupError("no such host", "7", LookupException.Reason.NO_HOST);
        String service = lookupError("127.0.0.1", "no-such-service", LookupException.Reason.NO_SERVICE);
        System.out.printf("lookups that fail: %s, %s%n", host, service);
        try {
            Sock.dial("127.0.0.1\0.example", "7", SECONDS);
            throw new AssertionError("lookups: a host with a NUL");
        } catch (IllegalArgumentException e) {
            System.out.println("a host with a NUL: refused");
        }
    }

    private static String lookupError(String host, String service, LookupException.Reason reason) throws IOException {
        try {
            Sock.dial(host, service, SECONDS);
            throw new AssertionError("lookups: " + host + ", " + service);
        } catch (LookupException e) {
            expect(e.reason() == reason, "lookups: " + e);
            return e.getMessage();
        }
    }

    private static void sizes() throws IOException {
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]) {
            near.setTimeout(Duration.ofMillis(250));
            expect(near.read(ByteBuffer.allocate(0)) == 0 && far.isOpen(), "nothing: something");
            System.out.println("receive of 0 bytes: nothing, at once");
        }
        try {
            ByteBuffer.allocate(-1);
        } catch (IllegalArgumentException e) {
            System.out.println("sizes of -1 and 2^63: refused"); // A buffer's size is an int.
        }
    }

    private static void deadline() throws Exception {
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]) {
            long start = System.nanoTime();
            try {
                Sock.within(Duration.ofMillis(300), () -> {
                    for (int i = 0; i < 100; i++) {
                        send(far, "x");
                        receive(near, 1);
                        Thread.sleep(20);
                    }
                });
                throw new AssertionError("deadline: no timeout");
            } catch (SocketTimeoutException e) {
                expectOnTime(start, Duration.ofMillis(300));
            }
            System.out.println("deadline of 0.3 s over many calls: on time, though the peer went on sending");
        }
    }

    private static void cancelled() throws IOException {
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]) {
            far.write(ByteBuffer.allocate(1000));
            Thread waiting = Thread.currentThread();
            after(100, waiting::interrupt);
            ByteBuffer in = ByteBuffer.allocate(4096);
            try {
                near.readFully(in);
                throw new AssertionError("cancelled: not");
            } catch (InterruptedIOException e) {
                expect(Thread.interrupted() && e.bytesTransferred == in.position(), "cancelled: another count");
            }
            send(far, "x");
            expect(receive(near, 1).equals("x"), "cancelled: the socket is no longer good");
            System.out.printf("cancelled: %d of 4096 bytes received, and the socket is still good%n", in.position());
        }
    }

    private static void lines() throws IOException {
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]) {
            send(far, "first\nsec");
            Lines lines = near.lines();
            String first = lines.readLine();
            long start = System.nanoTime();
            try {
                Sock.within(Duration.ofMillis(100), lines::readLine);
                throw new AssertionError("lines: no timeout");
            } catch (SocketTimeoutException e) {
                expectOnTime(start, Duration.ofMillis(100));
            }
            send(far, "ond\nrest");
            String second = lines.readLine();
            String rest = StandardCharsets.US_ASCII.decode(lines.unread()).toString();
            System.out.printf("lines: %s, %s; then %s%n", first, second, rest + receive(near, 4 - rest.length()));
        }
    }

    private static void addresses() throws IOException {
        try (Sock listener = Sock.listen("127.0.0.1", "0", 0);
                Sock near = Sock.dial("127.0.0.1", port(listener), SECONDS);
                Sock far = listener.accept()) {
            expect(near.getRemoteAddress().equals(listener.getLocalAddress())
                && near.getRemoteAddress().equals(far.getLocalAddress())
                && near.getLocalAddress().equals(far.getRemoteAddress()), "addresses: not what the other sees");
            InetSocketAddress remote = (InetSocketAddress) near.getRemoteAddress();
            System.out.printf("addresses: %s, and each end's is what the other sees%n", remote.getAddress().getHostAddress());
        }
    }

    private static void datagrams() throws IOException {
        try (Sock server = Sock.listen("127.0.0.1", "0/udp", 0); Sock client = Sock.listen("127.0.0.1", "0/udp", 0)) {
            ByteBuffer question = ByteBuffer.allocate(100);
            ByteBuffer answer = ByteBuffer.allocate(100);
            client.send(bytes("question"), server.getLocalAddress());
            SocketAddress askedBy = server.receive(question);
            server.send(bytes("answer"), askedBy);
            SocketAddress answeredBy = client.receive(answer);
            expect(askedBy.equals(client.getLocalAddress()) && answeredBy.equals(server.getLocalAddress()), "datagrams: from elsewhere");
            System.out.printf("datagrams: %s and %s, each with its sender's address%n", text(question), text(answer));
        }
    }

    private static void unixSocket() throws IOException {
        Path directory = Files.createTempDirectory("libsock");
        Path path = directory.resolve("socket");
        try (Sock listener = Sock.listen(path.toString(), null, 0);
                Sock near = Sock.dial(path.toString(), null, SECONDS);
                Sock far = listener.accept()) {
            expect(near.getRemoteAddress().equals(UnixDomainSocketAddress.of(path)), "Unix socket: another path");
            send(near, "hello");
            expect(receive(far, 5).equals("hello"), "Unix socket: other bytes came");
            System.out.println("Unix socket: dialed by its path, and hello went through");
        } finally {
            Files.deleteIfExists(path);
            Files.delete(directory);
        }
    }

    private interface Use {
        void use() throws IOException;
    }

    private static void useAfterClose() throws IOException {
        Sock[] before = pair();
        Sock closed = before[0];
        closed.close();
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]; Sock other = before[1]) {
            Use[] uses = {() -> send(closed, "astray"), () -> receive(closed, 1), () -> closed.setTimeout(Duration.ZERO)};
            for (Use use : uses) {
                try {
                    use.use();
                    throw new AssertionError("use after close: no error");
                } catch (ClosedChannelException e) {
                    // As it should be.
                }
            }
            closed.close();
            send(near, "x");
            send(far, "y");
            ByteBuffer one = ByteBuffer.allocate(10);
            ByteBuffer two = ByteBuffer.allocate(10);
            expect(far.read(one) == 1 && near.read(two) == 1 && other.isOpen(), "use after close: other bytes came");
            System.out.println("use after close: an error, and what has its number by then is left alone; closing twice: harmless");
        }
    }

    private static void closeWhileWaiting() throws IOException {
        Sock[] pair = pair();
        try (Sock near = pair[0]; Sock far = pair[1]) {
            near.setTimeout(Duration.ofSeconds(10));
            after(100, near::close);
            try {
                near.read(ByteBuffer.allocate(1));
                throw new AssertionError("close: the end of the stream");
            } catch (AsynchronousCloseException e) {
                expect(far.isOpen(), "close: the other side");
                System.out.println("close while a receive waits: an error at once, and not the end of the stream");
            }
        }
    }

    private static void dropped() throws IOException, InterruptedException {
        pair();
        long before = descriptors();
        for (int i = 0; i < 500; i++) {
            pair();
            if (i % 100 == 99) {
                System.gc();
            }
        }
        for (int i = 0; i < 100 && descriptors() >= before + 10; i++) {
            System.gc();
            Thread.sleep(100);
        }
        expect(descriptors() < before + 10, "dropped: some are left");
        System.out.println("1000 sockets dropped: no descriptor is left");
    }

    private static long descriptors() {
        String[] names = Path.of("/proc/self/fd").toFile().list();
        return names == null ? 0 : names.length;
    }

    private static void after(long milliseconds, Runnable what) {
        new Thread(() -> {
            try {
                Thread.sleep(milliseconds);
            } catch (InterruptedException e) {
                return;
            }
            what.run();
        }).start();
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static String text(ByteBuffer buffer) {
        return StandardCharsets.US_ASCII.decode(buffer.flip()).toString();
    }

    private static void send(Sock sock, String text) throws IOException {
        sock.write(bytes(text));
    }

    private static String receive(Sock sock, int size) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(size);
        sock.readFully(buffer);
        return text(buffer);
    }

    private static String port(Sock listener) throws IOException {
        return Integer.toString(((InetSocketAddress) listener.getLocalAddress()).getPort());
    }

    private static void expectTimeout(Sock sock, Duration timeout) throws IOException {
        sock.setTimeout(timeout);
        long start = System.nanoTime();
        try {
            sock.read(ByteBuffer.allocate(1));
            throw new AssertionError("no timeout");
        } catch (SocketTimeoutException e) {
            expectOnTime(start, timeout);
        }
    }

    private static void expectOnTime(long start, Duration timeout) {
        long late = System.nanoTime() - start - timeout.toNanos();
        expect(late >= 0 && late < 1_000_000_000, "late by " + late + " ns");
    }

    private static Sock[] pair() throws SocketException {
        int[] fds = new int[2];
        if (LibC.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
            throw new SocketException("socketpair: error " + Native.getLastError());
        }
        return new Sock[] {new Sock(fds[0]), new Sock(fds[1])};
    }

    private static void expect(boolean ok, String otherwise) {
        if (!ok) {
            throw new AssertionError(otherwise);
        }
    }

    private static final class LibC {
        static native int socketpair(int domain, int type, int protocol, int[] fds);

        static native NativeLong pthread_self();

        static native int pthread_kill(NativeLong thread, int signal);

        static {
            Native.register("c");
        }
    }
}
