import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.zip.Adler32;
import sun.misc.Signal;

/** Does what ../SCENARIO.md says. */
public final class Scenario {
    private static final int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000;

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
    }

    private static void notReadyThenTimeout() throws IOException {
        Sock[] pair = pair();
        try (Sock sock = pair[0]; Sock peer = pair[1]) {
            ByteBuffer one = ByteBuffer.allocate(1);
            sock.setTimeout(Duration.ZERO);
            expect(sock.read(one) == 0, "non-blocking: a byte out of nowhere");
            System.out.println("non-blocking: not ready");

            expectTimeout(sock, Duration.ofMillis(250));
            peer.write(ByteBuffer.wrap(new byte[] {'x'}));
            expect(sock.read(one) == 1, "timeout: the socket is no longer good");
            System.out.println("timeout of 0.25 s: fired on time, and the socket is still good");
        }
    }

    private static void echo(String host, String port) throws IOException, InterruptedException, ExecutionException {
        ByteBuffer sent = ByteBuffer.allocateDirect(8 << 20);
        ByteBuffer received = ByteBuffer.allocateDirect(sent.capacity());
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
        try (Sock sock = pair[0]) {
            pair[1].write(ByteBuffer.allocate(1000));
            pair[1].close();

            ByteBuffer in = ByteBuffer.allocate(4096);
            ByteBuffer out = ByteBuffer.allocate(4096);
            try {
                sock.readFully(in);
                throw new AssertionError("early close: no end of the stream");
            } catch (EOFException e) {
                // As it should be.
            }
            try {
                sock.write(out);
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
        CompletableFuture.delayedExecutor(100, TimeUnit.MILLISECONDS)
            .execute(() -> LibC.pthread_kill(waiting, usr1.getNumber()));
        Sock[] pair = pair();
        try (Sock sock = pair[0]; Sock peer = pair[1]) {
            expectTimeout(sock, Duration.ofMillis(500));
        }
        expect(unhandled.await(10, TimeUnit.SECONDS), "signal: not handled");
        System.out.println("signal during a timeout of 0.5 s: handled, and fired on time");
    }

    private static void byName() throws IOException {
        Duration timeout = Duration.ofSeconds(5);
        try (Sock listener = Sock.listen("127.0.0.1", "0", 0);
                Sock sock = Sock.dial("localhost", Integer.toString(listener.port()), timeout);
                Sock peer = listener.accept()) {
            expect(sock.getTimeout().equals(timeout), "by name: a timeout of " + sock.getTimeout());
            ByteBuffer sent = ByteBuffer.wrap("hello".getBytes(StandardCharsets.US_ASCII));
            ByteBuffer received = ByteBuffer.allocate(sent.capacity());
            sock.write(sent);
            peer.readFully(received);
            expect(received.flip().equals(sent.flip()), "by name: other bytes came");
            System.out.println("by name: dialed, with a timeout of 5 s, and hello went through");
        }
    }

    private static void lookups() throws IOException {
        String host = lookupError("no such host", "7", Sock.LookupException.NO_HOST);
        String service = lookupError("127.0.0.1", "no-such-service", Sock.LookupException.NO_SERVICE);
        try (Sock sock = Sock.dial("127.0.0.1\0.example", "7", Duration.ofSeconds(5))) {
            throw new AssertionError("lookups: a host with a NUL");
        } catch (IllegalArgumentException e) {
            System.out.printf("lookups that fail: %s, %s%n", host, service);
        }
    }

    private static String lookupError(String host, String service, int code) throws IOException {
        try (Sock sock = Sock.dial(host, service, Duration.ofSeconds(5))) {
            throw new AssertionError("lookups: " + host + ", " + service);
        } catch (Sock.LookupException e) {
            expect(e.code == code, "lookups: " + e);
            return e.getMessage();
        }
    }

    private static void expectTimeout(Sock sock, Duration timeout) throws IOException {
        sock.setTimeout(timeout);
        long start = System.nanoTime();
        try {
            sock.read(ByteBuffer.allocate(1));
            throw new AssertionError("no timeout");
        } catch (SocketTimeoutException e) {
            long late = System.nanoTime() - start - timeout.toNanos();
            expect(late >= 0 && late < 1_000_000_000, "late by " + late + " ns");
        }
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
