import com.sun.jna.Native;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.InterruptedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import libsock.CancelledException;
import libsock.Lines;
import libsock.LookupException;
import libsock.Sock;
import libsock.Token;

/** What Java alone has the notion of. usage: Checks HOW-OFTEN SECONDS [CHECK] */
public final class Checks {
    private static final int AF_UNIX = 1, AF_INET = 2, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000;
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final Random RANDOM = new Random(1);

    private static int often;
    private static double soon;

    private Checks() {
    }

    /** Thread.interrupt ends a wait, also in the instant before it, and nothing else. */
    private static String interrupt() throws Exception {
        Sock[] pair = pair();
        Sock near = pair[0];
        double slowest = 0;
        for (int i = 0; i < often; i++) {
            FutureTask<Long> waiting = inThread(() -> {
                IOException e = raises(InterruptedIOException.class, () -> near.read(ByteBuffer.allocate(1)));
                check(e.getClass() == InterruptedIOException.class, "another exception: " + e);
                long ended = System.nanoTime();
                check(Thread.currentThread().isInterrupted(), "the thread forgot it");
                return ended;
            });
            long nanoseconds = RANDOM.nextInt(300_000);
            long start = System.nanoTime();
            while (System.nanoTime() - start < nanoseconds) {
                Thread.onSpinWait();
            }
            long asked = System.nanoTime();
            THREADS.get(waiting).interrupt();
            slowest = Math.max(slowest, (get(waiting) - asked) / 1e9);
        }
        check(slowest < soon, "only after " + slowest + " s");
        near.setTimeout(LONG);
        Thread.currentThread().interrupt();
        for (Action wait : List.<Action>of(() -> near.readFully(ByteBuffer.allocate(1)), near.lines()::readLine,
                () -> near.receive(ByteBuffer.allocate(1)), () -> Sock.listen("127.0.0.1", "0", 0).accept(),
                () -> fullListener(full -> Sock.dial("127.0.0.1", port(full), LONG)))) {
            raises(InterruptedIOException.class, wait);
        }
        check(Thread.interrupted() && near.isOpen(), "it is closed");
        send(pair[1], "x");
        check(receive(near, 1).equals("x"), "another byte");
        return String.format("%d of %d, the slowest after %.1f ms", often, often, slowest * 1e3);
    }

    /** What does not wait is done in an interrupted thread, and closes nothing. */
    private static void interruptedBefore() throws Exception {
        Sock[] pair = pair();
        send(pair[1], "xyz");
        Sock listener = Sock.listen("127.0.0.1", "0", 0);
        Sock near = Sock.dial("127.0.0.1", port(listener), LONG);
        Thread.currentThread().interrupt();
        pair[0].setTimeout(LONG);
        check(pair[0].getTimeout().equals(LONG), "another timeout");
        pair[0].getLocalAddress();
        check(receive(pair[0], 3).equals("xyz"), "other bytes");
        pair[0].write(bytes("abc"));
        Sock far = listener.accept();
        check(Thread.interrupted() && pair[0].isOpen(), "it is closed");
        send(near, "x");
        check(receive(far, 1).equals("x") && receive(pair[1], 3).equals("abc"), "other bytes");
    }

    /** Of an array only the window of the buffer is touched: what others write beside it meanwhile stays. */
    private static void windows() throws Exception {
        Sock[] pair = pair();
        byte[] array = new byte[100];
        for (int i = 0; i < 20; i++) {
            ByteBuffer window = ByteBuffer.wrap(array, 10, 10).slice();
            FutureTask<Integer> reading = inThread(() -> pair[0].readFully(window));
            Thread.sleep(5);
            Arrays.fill(array, 20, 100, (byte) i);
            send(pair[1], "0123456789");
            get(reading);
            check(array[9] == (i == 0 ? 0 : (byte) (i - 1 + 50)) && array[20] == i && array[99] == i, "others' bytes were reverted");
            check(new String(array, 10, 10, StandardCharsets.US_ASCII).equals("0123456789"), "other bytes came");
            array[9] = (byte) (i + 50);
        }
        send(pair[1], "01234");
        Arrays.fill(array, (byte) 7);
        check(pair[0].read(ByteBuffer.wrap(array, 10, 10)) == 5 && array[14] == '4' && array[15] == 7, "more than what came was written");
        byte[] halves = new byte[4 << 20];
        Sock[] other = pair();
        List<FutureTask<?>> tasks = new ArrayList<>();
        for (int half = 0; half < 2; half++) {
            Sock[] from = half == 0 ? pair : other;
            ByteBuffer window = ByteBuffer.wrap(halves, half * (halves.length / 2), halves.length / 2);
            byte[] sent = new byte[halves.length / 2];
            Arrays.fill(sent, (byte) (half + 1));
            tasks.add(inThread(() -> from[0].readFully(window)));
            tasks.add(inThread(() -> from[1].write(ByteBuffer.wrap(sent))));
        }
        for (FutureTask<?> task : tasks) {
            get(task);
        }
        for (int i = 0; i < halves.length; i++) {
            check(halves[i] == (i < halves.length / 2 ? 1 : 2), "a byte is lost");
        }
    }

    /** It does not matter how large the array behind a buffer is. */
    private static String largeArray() throws Exception {
        Sock[] pair = pair();
        byte[] array = new byte[64 << 20];
        byte[] sent = new byte[1024];
        long start = 0;
        for (int i = -5; i < 20; i++) {
            if (i == 0) {
                start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            }
            pair[1].write(ByteBuffer.wrap(sent));
            pair[0].readFully(ByteBuffer.wrap(array, 1 << 20, 1024));
            pair[1].write(ByteBuffer.wrap(array, 1 << 20, 1024));
            pair[0].readFully(ByteBuffer.wrap(sent));
        }
        double took = (ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start) / 20e6;
        check(took < 10, took + " ms for 1 KiB there and back");
        return String.format("%.2f ms of processor time for 1 KiB there and back", took);
    }

    private static void buffers() throws Exception {
        Sock[] pair = pair();
        Sock near = pair[0];
        Sock far = pair[1];
        near.setTimeout(Duration.ofSeconds(2));
        ByteBuffer direct = ByteBuffer.allocateDirect(10);
        send(far, "0123456789");
        for (ByteBuffer readOnly : List.of(direct.asReadOnlyBuffer(), ByteBuffer.allocate(10).asReadOnlyBuffer())) {
            raises(ReadOnlyBufferException.class, () -> near.read(readOnly));
            raises(ReadOnlyBufferException.class, () -> near.readFully(readOnly));
            raises(ReadOnlyBufferException.class, () -> near.receive(readOnly));
            check(readOnly.position() == 0 && direct.get(0) == 0, "it was written to");
        }
        check(near.read(direct.position(2).limit(5)) == 3 && direct.position() == 5, "another position");
        check(direct.get(2) == '0' && direct.get(4) == '2' && direct.clear().get(5) == 0, "in another place");
        ByteBuffer slice = ByteBuffer.wrap(new byte[20], 5, 10).slice().position(1).limit(4);
        check(near.read(slice) == 3 && slice.position() == 4 && slice.array()[6] == '3' && slice.array()[9] == 0, "in another place");
        check(receive(near, 4).equals("6789"), "other bytes");
        for (ByteBuffer readOnly : List.of(direct.clear().asReadOnlyBuffer(), bytes("abcdefghij").asReadOnlyBuffer())) {
            check(near.write(readOnly) == 10 && !readOnly.hasRemaining() && receive(far, 10).length() == 10, "not all was sent");
        }
        for (ByteBuffer none : List.of(ByteBuffer.allocate(0), ByteBuffer.allocateDirect(0), ByteBuffer.allocate(9).position(9))) {
            check(near.read(none) == 0 && near.readFully(none) == 0 && near.write(none) == 0, "something of nothing");
        }
        ByteBuffer partly = ByteBuffer.allocate(100_000).position(10);
        send(far, "x".repeat(50_000));
        near.setTimeout(Duration.ofMillis(100));
        SocketTimeoutException late = raises(SocketTimeoutException.class, () -> near.readFully(partly));
        check(late.bytesTransferred == 50_000 && partly.position() == 50_010 && partly.get(50_009) == 'x', "another count");
        near.setTimeout(Duration.ZERO);
        check(near.read(partly) == 0 && near.readFully(partly) == 0 && near.lines().readLine() == null, "something of nothing");
        int sent = near.write(ByteBuffer.allocate(8 << 20));
        check(sent > 0 && sent < 8 << 20, "sent " + sent);
        far.close();
        check(raises(SocketException.class, () -> send(near, "x")).getMessage() != null, "no words");

        Sock[] streams = pair();
        send(streams[1], "one\ntwo\n");
        streams[1].shutdownOutput();
        BufferedReader reader = new BufferedReader(new InputStreamReader(Channels.newInputStream(streams[0]), StandardCharsets.UTF_8));
        check(reader.readLine().equals("one") && reader.readLine().equals("two") && reader.readLine() == null, "other lines");
    }

    private static void badArguments() throws Exception {
        Sock[] pair = pair();
        for (Duration bad : List.of(Duration.ofNanos(-1), Duration.ofSeconds(Long.MIN_VALUE), Duration.ofSeconds(Long.MAX_VALUE - 1),
                Duration.ofSeconds(1L << 34))) {
            raises(IllegalArgumentException.class, () -> pair[0].setTimeout(bad));
            raises(IllegalArgumentException.class, () -> Sock.dial("127.0.0.1", "7", bad));
            raises(IllegalArgumentException.class, () -> Sock.within(bad, () -> 1));
        }
        raises(NullPointerException.class, () -> pair[0].setTimeout(null));
        raises(NullPointerException.class, () -> pair[0].read(null));
        raises(NullPointerException.class, () -> Sock.within((Token) null, () -> 1));
        for (String nul : List.of("127.0.0.1\0.example", "127.0.0.1\0")) {
            raises(IllegalArgumentException.class, () -> Sock.dial(nul, "7", LONG));
            raises(IllegalArgumentException.class, () -> Sock.listen(nul, "0", 0));
            raises(IllegalArgumentException.class, () -> Sock.dial("127.0.0.1", nul, LONG));
        }
        check(raises(LookupException.class, () -> Sock.dial("127.0.0.1", "65536", LONG)).reason() == LookupException.Reason.NO_SERVICE, "another reason");
        raises(SocketException.class, () -> Sock.dial(null, "7", LONG));
        raises(IllegalArgumentException.class, () -> new Lines(pair[0], "", 10));
        raises(IllegalArgumentException.class, () -> new Lines(pair[0], "\n", -1));
        raises(IllegalArgumentException.class, () -> new Lines(pair[0], "\n", Integer.MAX_VALUE));
        raises(SocketException.class, () -> new Sock(-1));
        int file = C.open("/dev/null", 0);
        raises(SocketException.class, () -> new Sock(file));
        check(C.close(file) == 0, "it was closed");
        Sock listener = Sock.listen("127.0.0.1", "0", 0);
        String port = port(listener);
        raises(java.net.BindException.class, () -> Sock.listen("127.0.0.1", port, 0));
        listener.close();
        raises(ConnectException.class, () -> Sock.dial("127.0.0.1", port, LONG));
        pair[0].close();
        pair[0].close();
        check(!pair[0].isOpen() && pair[0].toString().equals("Sock[closed]"), "it is open");
        for (Action use : List.<Action>of(() -> pair[0].read(bytes("")), () -> pair[0].read(bytes("x")), () -> send(pair[0], "x"),
                pair[0]::getTimeout, pair[0]::getLocalAddress, pair[0]::accept, pair[0]::shutdownInput, pair[0].lines()::readLine)) {
            raises(ClosedChannelException.class, use);
        }
    }

    /** close ends every kind of wait in other threads. */
    private static void closedElsewhere() throws Exception {
        Sock full = Sock.listen("127.0.0.1", "0", 1);
        SocketAddress address = full.getLocalAddress();
        List<Sock> ahead = List.of(Sock.dial("127.0.0.1", port(full), LONG), Sock.dial("127.0.0.1", port(full), LONG));
        List<Wait> waits = List.of(
            sock -> sock.read(ByteBuffer.allocate(1)),
            sock -> sock.read(ByteBuffer.allocateDirect(1)),
            sock -> sock.readFully(ByteBuffer.allocate(10)),
            sock -> sock.write(ByteBuffer.allocate(8 << 20)),
            sock -> sock.receive(ByteBuffer.allocate(1)),
            sock -> sock.lines().readLine());
        for (Wait wait : waits) {
            Sock[] pair = pair();
            endsByClose(pair[0], () -> wait.on(pair[0]));
            check(pair[1].read(ByteBuffer.allocate(16 << 20)) != 0, "the other side");
        }
        Sock listener = Sock.listen("127.0.0.1", "0", 0);
        endsByClose(listener, listener::accept);
        Sock connecting = new Sock(C.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        endsByClose(connecting, () -> connecting.connect(address));
        check(ahead.size() == 2 && full.isOpen(), "others");
    }

    private static void endsByClose(Sock sock, Action wait) throws Exception {
        FutureTask<AsynchronousCloseException> waiting = inThread(() -> raises(AsynchronousCloseException.class, wait));
        Thread.sleep(20);
        get(inThread(() -> {
            sock.close();
            return null;
        }));
        get(waiting);
        raises(ClosedChannelException.class, sock::getTimeout);
    }

    /** A number that is another socket's by now is not touched, whenever the close comes. */
    private static void reusedNumbers() throws Exception {
        for (int i = 0; i < often * 3; i++) {
            Sock[] closed = pair();
            FutureTask<?> using = inThread(() -> {
                try {
                    while (true) {
                        closed[0].write(bytes("astray"));
                        closed[0].read(ByteBuffer.allocate(10));
                    }
                } catch (ClosedChannelException e) {
                    return null;
                }
            });
            if (i % 2 == 0) {
                Thread.yield();
            }
            closed[0].close();
            Sock[] pair = pair();
            send(pair[0], "x");
            send(pair[1], "y");
            get(using);
            ByteBuffer x = ByteBuffer.allocate(10);
            ByteBuffer y = ByteBuffer.allocate(10);
            check(pair[1].read(x) == 1 && pair[0].read(y) == 1 && x.get(0) == 'x' && y.get(0) == 'y', "other bytes came");
            closed[1].close();
            pair[0].close();
            pair[1].close();
        }
    }

    /** What was moved is told, whatever ends it. */
    private static void counts() throws Exception {
        Sock[] pair = pair();
        for (boolean direct : new boolean[] {false, true}) {
            ByteBuffer much = direct ? ByteBuffer.allocateDirect(8 << 20) : ByteBuffer.allocate(8 << 20);
            Token token = new Token();
            after(50, token::cancel);
            CancelledException cancelled =
                raises(CancelledException.class, () -> Sock.within(token, () -> pair[0].write(much)));
            check(cancelled.bytesTransferred == much.position() && much.position() > 0, "another count");
            pair[1].setTimeout(Duration.ZERO);
            int came = pair[1].readFully(ByteBuffer.allocate(16 << 20));
            check(came == much.position(), came + " came, not " + much.position());
        }
        ByteBuffer ten = ByteBuffer.allocate(10);
        send(pair[1], "begin");
        Thread waiting = Thread.currentThread();
        after(50, waiting::interrupt);
        InterruptedIOException interrupted = raises(InterruptedIOException.class, () -> pair[0].readFully(ten));
        check(Thread.interrupted() && interrupted.bytesTransferred == 5 && ten.position() == 5, "another count");
        send(pair[1], "..end");
        check(pair[0].readFully(ten) == 5 && text(ten).equals("begin..end"), "other bytes");
        send(pair[1], "cut");
        pair[1].close();
        ByteBuffer cut = ByteBuffer.allocate(10);
        raises(EOFException.class, () -> pair[0].readFully(cut));
        check(cut.position() == 3 && pair[0].read(cut) == -1, "another count");
    }

    private static void limits() throws Exception {
        Sock[] pair = pair();
        Sock near = pair[0];
        long start = System.nanoTime();
        Sock.within(Duration.ofMillis(200), () -> {
            send(pair[1], "1");
            check(receive(near, 1).equals("1"), "another byte");
            Sock.within(LONG, () -> raises(SocketTimeoutException.class, () -> near.read(ByteBuffer.allocate(1))));
            raises(SocketTimeoutException.class, () -> send(pair[1], "too late"));
        });
        check(System.nanoTime() - start >= 200_000_000L, "early");
        check(near.getTimeout().equals(Sock.FOREVER), "the mode changed");
        send(pair[1], "2");
        check(receive(near, 1).equals("2"), "another byte");
        near.setTimeout(Duration.ofMillis(50));
        raises(SocketTimeoutException.class, () -> Sock.within(LONG, () -> near.read(ByteBuffer.allocate(1))));
        near.setTimeout(Duration.ofNanos(1));
        check(near.getTimeout().equals(Duration.ofNanos(1)), "another timeout");
        near.setTimeout(Sock.FOREVER);
        Token token = new Token();
        token.cancel();
        check(token.isCancelled(), "it is not");
        Token other = new Token();
        Sock.within(token, () -> Sock.within(other, () -> {
            raises(CancelledException.class, () -> near.read(ByteBuffer.allocate(1)));
            raises(CancelledException.class, () -> Sock.listen("127.0.0.1", "0", 0).accept());
            raises(CancelledException.class, () -> fullListener(full -> Sock.dial("127.0.0.1", port(full), LONG)));
            send(pair[1], "3");
            check(receive(near, 1).equals("3"), "another byte");
        }));
        raises(SocketTimeoutException.class, () -> fullListener(full -> Sock.dial("127.0.0.1", port(full), Duration.ofMillis(50))));
        raises(SocketTimeoutException.class, () -> fullListener(full -> Sock.dial("127.0.0.1", port(full), Duration.ZERO)));
    }

    /** A token ends a wait, also in the instant before it. */
    private static String tokens() throws Exception {
        Sock[] pair = pair(); // The other side must not be collected.
        Sock near = pair[0];
        double slowest = 0;
        for (int i = 0; i < often; i++) {
            Token token = new Token();
            FutureTask<Long> waiting = inThread(() -> {
                raises(CancelledException.class, () -> Sock.within(token, () -> near.read(ByteBuffer.allocate(1))));
                return System.nanoTime();
            });
            if (i % 2 == 0) {
                Thread.sleep(0, RANDOM.nextInt(300_000));
            }
            long asked = System.nanoTime();
            token.cancel();
            slowest = Math.max(slowest, (get(waiting) - asked) / 1e9);
        }
        check(pair[1].isOpen() && slowest < soon, "only after " + slowest + " s");
        return String.format("%d of %d, the slowest after %.1f ms", often, often, slowest * 1e3);
    }

    /** Two that write do so one after the other. */
    private static void writers() throws Exception {
        Sock[] pair = pair();
        int size = 300_000;
        List<FutureTask<?>> writing = new ArrayList<>();
        for (char letter = 'a'; letter < 'e'; letter++) {
            byte[] block = String.valueOf(letter).repeat(size).getBytes(StandardCharsets.US_ASCII);
            writing.add(inThread(() -> {
                for (int i = 0; i < 3; i++) {
                    pair[0].write(ByteBuffer.wrap(block));
                }
                return null;
            }));
        }
        for (int i = 0; i < 12; i++) {
            String block = receive(pair[1], size);
            check(block.equals(block.substring(0, 1).repeat(size)), "they are mixed");
        }
        for (FutureTask<?> task : writing) {
            get(task);
        }
    }

    /** Who waits for another that reads is ended by the same as who reads. */
    private static void queue() throws Exception {
        Sock[] pair = pair();
        FutureTask<?> first = inThread(() -> raises(AsynchronousCloseException.class, () -> pair[0].read(ByteBuffer.allocate(1))));
        Thread.sleep(50);
        long start = System.nanoTime();
        raises(SocketTimeoutException.class, () -> Sock.within(Duration.ofMillis(50), () -> pair[0].read(ByteBuffer.allocate(1))));
        check(System.nanoTime() - start >= 50_000_000L, "early");
        Token token = new Token();
        after(50, token::cancel);
        raises(CancelledException.class, () -> Sock.within(token, () -> pair[0].read(ByteBuffer.allocate(1))));
        after(50, Thread.currentThread()::interrupt);
        raises(InterruptedIOException.class, () -> pair[0].readFully(ByteBuffer.allocate(1)));
        check(Thread.interrupted(), "it forgot");
        after(50, pair[0]::close);
        raises(ClosedChannelException.class, () -> pair[0].read(ByteBuffer.allocate(1)));
        get(first);
    }

    /** What nothing but a call that waits refers to is not closed by the collector. */
    private static void collected() throws Exception {
        Sock listener = Sock.listen("127.0.0.1", "0", 0);
        listener.setTimeout(Duration.ZERO);
        for (int i = 0; i < 2000; i++) {
            listener.accept(); // Until it is compiled: interpreted methods keep what they no longer need.
        }
        listener.setTimeout(LONG);
        FutureTask<Sock> waiting = inThread(() -> new Sock(C.dup(number(listener))).accept());
        Thread.sleep(50);
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(10);
        }
        Sock near = Sock.dial("127.0.0.1", port(listener), LONG);
        send(near, "x");
        check(receive(get(waiting), 1).equals("x"), "another byte");
    }

    private static String dropped() throws Exception {
        Sock listener = Sock.listen("127.0.0.1", "0", 0);
        String port = port(listener);
        long before = 0;
        long memory = 0;
        for (int i = 0; i < often * 10; i++) {
            if (i == often * 2) {
                settle(0);
                before = descriptors();
                memory = resident();
            }
            Sock near = Sock.dial("127.0.0.1", port, LONG);
            noLinger(near);
            send(near, "x");
            Sock far = listener.accept();
            near.lines();
            raises(SocketTimeoutException.class, () -> Sock.within(Duration.ZERO, () -> far.read(ByteBuffer.allocate(1))));
            if (i % 100 == 0) {
                System.gc();
            }
        }
        settle(before + 10);
        check(descriptors() < before + 10, descriptors() + " descriptors, not " + before);
        long grown = resident() - memory;
        check(grown < 48 << 20, grown + " bytes more");
        long direct = ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream().mapToLong(BufferPoolMXBean::getMemoryUsed).sum();
        check(direct < 32 << 20, direct + " bytes of direct buffers");
        return often * 20 + " sockets, " + grown / 1024 + " KiB more";
    }

    /** So that no port is in use for a minute. */
    private static void noLinger(Sock sock) throws IOException {
        check(C.setsockopt(number(sock), 1, 13, new int[] {1, 0}, 8) == 0, "SO_LINGER");
    }

    private static int number(Sock sock) {
        return Integer.parseInt(sock.toString().replaceAll("\\D", ""));
    }

    /** Until the collector and the cleaner are through. */
    private static void settle(long wanted) throws InterruptedException {
        for (int i = 0; i < 100 && (i < 3 || descriptors() >= wanted && wanted > 0); i++) {
            System.gc();
            Thread.sleep(50);
        }
    }

    private static void lines() throws Exception {
        Sock[] pair = pair();
        Lines lines = new Lines(pair[0], "\n", 16);
        send(pair[1], "one\ntwo\nthr");
        check(lines.readLine().equals("one") && lines.readLine().equals("two"), "other lines");
        pair[0].setTimeout(Duration.ofMillis(50));
        raises(SocketTimeoutException.class, lines::readLine);
        send(pair[1], "ee\n\u00fcb\nrest");
        check(lines.readLine().equals("three") && lines.readLine().equals("\u00fcb"), "other lines");
        check(lines.unread().remaining() == 4 && lines.unread().get(0) == 'r', "another rest");
        pair[1].close();
        raises(EOFException.class, lines::readLine);

        Sock[] many = pair();
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < 2000; i++) {
            all.append(String.valueOf((char) ('a' + i % 26)).repeat(i % 16)).append('\n');
        }
        FutureTask<?> writing = inThread(() -> {
            for (int at = 0, piece = 1; at < all.length(); at += piece, piece = piece % 23 + 1) {
                send(many[1], all.substring(at, Math.min(all.length(), at + piece)));
            }
            many[1].close();
            return null;
        });
        Lines reader = new Lines(many[0], "\n", 16);
        for (int i = 0; i < 2000; i++) {
            check(reader.readLine().equals(String.valueOf((char) ('a' + i % 26)).repeat(i % 16)), "another line");
        }
        check(reader.readLine() == null && !reader.unread().hasRemaining(), "another end");
        get(writing);

        Sock[] head = pair();
        send(head[1], "a head\r\n\r\nbody" + "x".repeat(40));
        Lines block = new Lines(head[0], "\r\n\r\n", 100);
        check(block.readLine().equals("a head") && block.unread().get(0) == 'b', "another head");
        send(pair()[0], "x");
        Sock[] narrow = pair();
        send(narrow[1], "x".repeat(40) + "\n");
        check(raises(SocketException.class, new Lines(narrow[0], "\n", 16)::readLine).getMessage().contains("long"), "other words");
    }

    private static void datagrams() throws Exception {
        Sock server = Sock.listen("127.0.0.1", "0/udp", 0);
        Sock client = Sock.dial("localhost", port(server) + "/udp", LONG);
        client.write(bytes("question"));
        ByteBuffer buffer = ByteBuffer.allocate(100);
        SocketAddress from = server.receive(buffer);
        check(text(buffer).equals("question") && from.equals(client.getLocalAddress()), "another question");
        server.send(bytes("answer"), from);
        check(client.read(buffer.clear()) == 6 && client.getRemoteAddress().equals(server.getLocalAddress()), "another answer");
        server.send(ByteBuffer.allocate(0), from);
        check(client.read(buffer.clear()) == 0, "not empty"); // An empty datagram is no end.
        client.write(ByteBuffer.allocate(0));
        check(server.receive(buffer).equals(from) && buffer.position() == 0, "not empty");
        byte[] large = new byte[60_000];
        RANDOM.nextBytes(large);
        check(server.send(ByteBuffer.wrap(large), from) == large.length, "not whole");
        ByteBuffer whole = ByteBuffer.allocate(65_536);
        check(client.read(whole) == large.length && whole.flip().equals(ByteBuffer.wrap(large)), "not whole");
        server.send(bytes("cut"), from);
        check(client.read(ByteBuffer.allocate(1)) == 1, "not cut");
        server.setTimeout(Duration.ofMillis(50));
        raises(SocketTimeoutException.class, () -> server.receive(ByteBuffer.allocate(1)));
        server.setTimeout(Duration.ZERO);
        check(server.receive(ByteBuffer.allocate(1)) == null, "something of nothing");
        raises(UnresolvedAddressException.class, () -> server.send(bytes("x"), InetSocketAddress.createUnresolved("localhost", 7)));

        Sock both = Sock.listen(null, "0/udp", 0);
        Sock ipv4 = Sock.dial("127.0.0.1", port(both) + "/udp", LONG);
        ipv4.write(bytes("x"));
        SocketAddress seen = both.receive(ByteBuffer.allocate(1));
        both.send(bytes("y"), seen);
        check(ipv4.read(ByteBuffer.allocate(1)) == 1, "no answer");

        Sock[] unix = pair(SOCK_DGRAM);
        byte[] larger = new byte[100_000];
        check(unix[0].write(ByteBuffer.wrap(larger)) == larger.length, "not whole");
        ByteBuffer all = ByteBuffer.allocate(200_000);
        check(unix[1].receive(all).equals(UnixDomainSocketAddress.of("")) && all.position() == larger.length, "not whole");
        unix[0].setTimeout(Duration.ZERO);
        int sent = 0;
        while (unix[0].write(ByteBuffer.allocate(1000)) == 1000) {
            sent++;
        }
        check(sent > 0, "no room at all");
    }

    private static void unixSockets() throws Exception {
        Path path = Path.of("/tmp", "libsock-" + ProcessHandle.current().pid() + ".java");
        for (String name : List.of("@libsock-java-" + ProcessHandle.current().pid(), path.toString())) {
            Sock listener = Sock.listen(name, null, 0);
            Sock near = Sock.dial(name, null, LONG);
            Sock far = listener.accept();
            send(near, "hello");
            check(receive(far, 5).equals("hello"), "other bytes");
            check(near.getRemoteAddress().equals(UnixDomainSocketAddress.of(name))
                && near.getLocalAddress().equals(UnixDomainSocketAddress.of("")), "another name");
            Sock own = new Sock(C.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
            check(own.connect(UnixDomainSocketAddress.of(name)), "not connected");
        }
        Files.delete(path);
    }

    /** International names are converted: IDNA maps wide digits to those of ASCII, so nobody is asked here. */
    private static void internationalNames() throws Exception {
        Sock listener = Sock.listen("\uff11\uff12\uff17\u3002\uff10\u3002\uff10\u3002\uff11", "0", 0);
        check(((InetSocketAddress) listener.getLocalAddress()).getAddress().equals(InetAddress.getByName("127.0.0.1")), "elsewhere");
        Sock near = Sock.dial("\uff11\uff12\uff17\u3002\uff10\u3002\uff10\u3002\uff11", port(listener), LONG);
        check(near.getRemoteAddress().equals(listener.getLocalAddress()), "elsewhere");
        LookupException bad = raises(LookupException.class, () -> Sock.dial("\u00fc".repeat(200), "7", LONG));
        check(bad.reason() == LookupException.Reason.NO_HOST, "another reason");
    }

    /** An entry in the error queue makes nothing spin. */
    private static String errorQueue() throws Exception {
        Sock closed = Sock.listen("127.0.0.1", "0/udp", 0);
        SocketAddress gone = closed.getLocalAddress();
        closed.close();
        int fd = C.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        check(C.setsockopt(fd, 0, 11, new int[] {1}, 4) == 0, "IP_RECVERR");
        Sock sock = new Sock(fd);
        sock.connect(gone);
        send(sock, "x");
        sock.setTimeout(LONG);
        raises(ConnectException.class, () -> sock.read(ByteBuffer.allocate(1)));
        sock.setTimeout(Duration.ofSeconds(1));
        long start = System.nanoTime();
        long used = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        raises(SocketTimeoutException.class, () -> sock.read(ByteBuffer.allocate(1)));
        used = (ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - used) / 1_000_000;
        check(System.nanoTime() - start >= 1_000_000_000L, "early");
        check(used < 200, used + " ms of processor time in a wait of 1 s");
        return used + " ms of processor time in a wait of 1 s";
    }

    /** A program ends while a thread of it waits. */
    private static void exits() throws Exception {
        Process child = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
            System.getProperty("java.class.path"), "Checks", "1", "1", "-exit").inheritIO().start();
        if (!child.waitFor(60, TimeUnit.SECONDS)) {
            child.destroyForcibly();
            throw new AssertionError("it does not end");
        }
        check(child.exitValue() == 3, "it ended with " + child.exitValue());
    }

    private static void exit() throws Exception {
        Sock near = pair()[0];
        inThread(() -> near.read(ByteBuffer.allocate(1)));
        Thread.sleep(50);
        System.exit(3);
    }

    /** A connection that another thread takes makes an accept neither longer nor shorter. */
    private static String acceptTaken() throws Exception {
        int taken = 0;
        for (int i = 0; i < 5; i++) {
            Sock listener = Sock.listen("127.0.0.1", "0", 0);
            String port = port(listener);
            listener.setTimeout(Duration.ofMillis(200));
            List<FutureTask<Boolean>> accepting = new ArrayList<>();
            for (int j = 0; j < 2; j++) {
                accepting.add(inThread(() -> {
                    long start = System.nanoTime();
                    try {
                        listener.accept();
                        return true;
                    } catch (SocketTimeoutException e) {
                        long took = (System.nanoTime() - start) / 1_000_000;
                        check(took >= 200 && took < 2200, "a timeout of 200 ms took " + took);
                        return false;
                    }
                }));
            }
            Thread.sleep(50);
            Sock near = Sock.dial("127.0.0.1", port, LONG);
            for (FutureTask<Boolean> one : accepting) {
                taken += get(one) ? 0 : 1;
            }
            check(near.isOpen(), "it is closed");
        }
        return taken + " of 5 were taken";
    }

    private static void bothDirections() throws Exception {
        Sock[] pair = pair();
        byte[] data = new byte[4 << 20];
        RANDOM.nextBytes(data);
        List<FutureTask<?>> tasks = new ArrayList<>();
        for (Sock sock : pair) {
            ByteBuffer received = sock == pair[0] ? ByteBuffer.allocate(data.length) : ByteBuffer.allocateDirect(data.length);
            tasks.add(inThread(() -> sock.write(ByteBuffer.wrap(data))));
            tasks.add(inThread(() -> {
                sock.readFully(received);
                check(received.flip().equals(ByteBuffer.wrap(data)), "other bytes");
                return null;
            }));
        }
        for (FutureTask<?> task : tasks) {
            get(task);
        }
    }

    private interface Action {
        void run() throws Exception;
    }

    private interface Wait {
        void on(Sock sock) throws Exception;
    }

    private interface Check {
        String run() throws Exception;
    }

    private static Check silent(Action action) {
        return () -> {
            action.run();
            return "";
        };
    }

    /** Runs a check, and prints its line. */
    private static void run(String name, Check check) {
        String line;
        try {
            String found = check.run();
            line = "ok " + name + (found.isEmpty() ? "" : ": " + found);
        } catch (Exception | AssertionError | LinkageError e) {
            StackTraceElement at = Arrays.stream(e.getStackTrace())
                .filter(frame -> frame.getMethodName().equals(name) || frame.getMethodName().startsWith("lambda$" + name))
                .findFirst().orElse(e.getStackTrace()[0]);
            line = "not ok " + name + ": " + e.toString().replace('\n', ' ') + " in line " + at.getLineNumber();
        }
        Thread.interrupted();
        System.out.println(line);
        System.out.flush();
    }

    /**
     * Runs the checks.
     *
     * @param args how often, within how many seconds, and which
     * @throws Exception if the program is to end while a thread waits, and does not
     */
    public static void main(String[] args) throws Exception {
        often = Integer.parseInt(args[0]);
        soon = Double.parseDouble(args[1]);
        if (args.length > 2 && args[2].equals("-exit")) {
            exit();
        }
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("interrupt", Checks::interrupt);
        checks.put("interruptedBefore", silent(Checks::interruptedBefore));
        checks.put("windows", silent(Checks::windows));
        checks.put("largeArray", Checks::largeArray);
        checks.put("buffers", silent(Checks::buffers));
        checks.put("badArguments", silent(Checks::badArguments));
        checks.put("closedElsewhere", silent(Checks::closedElsewhere));
        checks.put("reusedNumbers", silent(Checks::reusedNumbers));
        checks.put("counts", silent(Checks::counts));
        checks.put("limits", silent(Checks::limits));
        checks.put("tokens", Checks::tokens);
        checks.put("writers", silent(Checks::writers));
        checks.put("queue", silent(Checks::queue));
        checks.put("collected", silent(Checks::collected));
        checks.put("dropped", Checks::dropped);
        checks.put("lines", silent(Checks::lines));
        checks.put("datagrams", silent(Checks::datagrams));
        checks.put("unixSockets", silent(Checks::unixSockets));
        checks.put("internationalNames", silent(Checks::internationalNames));
        checks.put("errorQueue", Checks::errorQueue);
        checks.put("exits", silent(Checks::exits));
        checks.put("acceptTaken", Checks::acceptTaken);
        checks.put("bothDirections", silent(Checks::bothDirections));
        checks.forEach((name, check) -> {
            if (args.length < 3 || args[2].equals(name)) {
                run(name, check);
            }
        });
        System.exit(0); // Whatever still waits.
    }

    private static final Map<FutureTask<?>, Thread> THREADS = new java.util.WeakHashMap<>();

    private static <T> FutureTask<T> inThread(Callable<T> what) {
        FutureTask<T> task = new FutureTask<>(what);
        Thread thread = new Thread(task);
        synchronized (THREADS) {
            THREADS.put(task, thread);
        }
        thread.start();
        return task;
    }

    private static <T> T get(FutureTask<T> task) throws Exception {
        try {
            return task.get(20, TimeUnit.SECONDS);
        } catch (java.util.concurrent.ExecutionException e) {
            throw new AssertionError(e.getCause().toString(), e.getCause());
        } catch (java.util.concurrent.TimeoutException e) {
            throw new AssertionError("it waits on");
        }
    }

    private static void after(long milliseconds, Action what) {
        inThread(() -> {
            Thread.sleep(milliseconds);
            what.run();
            return null;
        });
    }

    private static <E extends Throwable> E raises(Class<E> kind, Action action) {
        try {
            action.run();
        } catch (Throwable e) {
            if (kind.isInstance(e)) {
                return kind.cast(e);
            }
            throw new AssertionError(e + ", not " + kind.getSimpleName(), e);
        }
        throw new AssertionError("no " + kind.getSimpleName());
    }

    private static void check(boolean ok, String otherwise) {
        if (!ok) {
            throw new AssertionError(otherwise);
        }
    }

    /** With a listener whose queue is full, so that it answers nobody. */
    private static void fullListener(Wait use) throws Exception {
        try (Sock full = Sock.listen("127.0.0.1", "0", 1);
                Sock one = new Sock(C.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
                Sock two = new Sock(C.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
            boolean interrupted = Thread.interrupted();
            check(one.connect(full.getLocalAddress()) && two.connect(full.getLocalAddress()), "they are not ahead");
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            use.on(full);
        }
    }

    private static long descriptors() {
        String[] names = Path.of("/proc/self/fd").toFile().list();
        return names == null ? 0 : names.length;
    }

    private static long resident() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(ByteBuffer buffer) {
        return StandardCharsets.UTF_8.decode(buffer.flip()).toString();
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

    private static Sock[] pair() throws IOException {
        return pair(SOCK_STREAM);
    }

    private static Sock[] pair(int type) throws IOException {
        int[] fds = new int[2];
        check(C.socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
        return new Sock[] {new Sock(fds[0]), new Sock(fds[1])};
    }

    private static final class C {
        static native int socketpair(int domain, int type, int protocol, int[] fds);

        static native int socket(int domain, int type, int protocol);

        static native int setsockopt(int fd, int level, int option, int[] value, int length);

        static native int dup(int fd);

        static native int open(String path, int flags);

        static native int close(int fd);

        static {
            Native.register("c");
        }
    }
}
