import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.DoubleByReference;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.NativeLongByReference;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.spi.AbstractInterruptibleChannel;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntUnaryOperator;

/**
 * A stream socket in one of libsock's modes: blocking, non-blocking, or with a timeout for every operation.
 *
 * <p>It needs libsock (make install), Java 11 or later and JNA 5 (Debian's libjna-java, Maven's
 * net.java.dev.jna:jna). Copy this file into your project. The program beside it, compiled with the same class path,
 * is run by {@code java -cp /usr/share/java/jna.jar:. Scenario HOST PORT}.
 *
 * <p>Java's own sockets hide their descriptors, so this class makes its own, or adopts one that came from elsewhere,
 * systemd's for one. A call that waits occupies its thread, and the carrier of a virtual one, but holds up neither
 * other threads nor the garbage collector. {@link #close} and {@link Thread#interrupt} end the calls under way, as they
 * do those of a SocketChannel; signals do not, and nothing but time ends {@link #dial}. Direct buffers are used in
 * place, those of arrays are copied.
 *
 * <p>It is for streams, not for datagrams.
 */
public final class Sock extends AbstractInterruptibleChannel implements ByteChannel {
    /** The timeout of blocking mode. */
    public static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();

    // As on x86, Arm, RISC-V, POWER and s390; MIPS has other numbers.
    private static final int EBADF = 9, EAGAIN = 11, EPIPE = 32, ETIMEDOUT = 110, ECONNREFUSED = 111;
    private static final int LAST_ERRNO = 4095; // The highest number that an error of Linux can have.
    private static final int SHUT_RDWR = 2;

    private final int fd;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    /** Adopts a descriptor, and will close it. */
    public Sock(int fd) {
        this.fd = fd;
    }

    /** Why a lookup failed. */
    public static final class LookupException extends UnknownHostException {
        public static final int NO_HOST = 5002, TRY_AGAIN = 5003, FAILED = 5004, NO_ADDRESS = 5005, NO_SERVICE = 5008;

        private static final long serialVersionUID = 1;

        /** One of the constants. */
        public final int code;

        private LookupException(int code) {
            super(words(-code));
            this.code = code;
        }
    }

    /** Connects by TCP, lookup included, within a timeout, which the socket keeps. */
    public static Sock dial(String host, String service, Duration timeout) throws IOException {
        return made(sock_dial(text(host), text(service), seconds(timeout)));
    }

    /**
     * Listens in blocking mode: on all addresses if the host is null, at any port for the service "0", and with the
     * system's backlog if that is 0.
     */
    public static Sock listen(String host, String service, int backlog) throws IOException {
        return made(sock_listen(text(host), text(service), backlog));
    }

    /** Gives a new socket in blocking mode, or null if there is none in non-blocking mode. */
    public Sock accept() throws IOException {
        int connection = call(s -> sock_accept(s, null, null));
        return connection == -EAGAIN ? null : made(connection);
    }

    /** The port of this end, for TCP. */
    public int port() throws IOException {
        byte[] sockaddr = new byte[28]; // sockaddr_in6
        IntByReference length = new IntByReference(sockaddr.length);
        check(call(s -> LibC.getsockname(s, sockaddr, length) < 0 ? -Native.getLastError() : 0), 0);
        return Short.toUnsignedInt(ByteBuffer.wrap(sockaddr).getShort(2));
    }

    /** How long an operation may take. */
    public Duration getTimeout() throws IOException {
        DoubleByReference seconds = new DoubleByReference();
        check(call(s -> sock_gettimeout(s, seconds)), 0);
        return Double.isInfinite(seconds.getValue())
            ? FOREVER
            : Duration.ofNanos(Math.round(seconds.getValue() * 1e9));
    }

    /** Sets how long an operation may take: zero is non-blocking mode, {@link #FOREVER} is blocking mode. */
    public void setTimeout(Duration timeout) throws IOException {
        check(call(s -> sock_settimeout(s, seconds(timeout))), 0);
    }

    /** Receives what is there. Returns 0 if that is nothing in non-blocking mode, and -1 at the end of the stream. */
    @Override
    public int read(ByteBuffer buffer) throws IOException {
        NativeLong length = new NativeLong(buffer.remaining());
        int n = call(s -> sock_recv(s, buffer.slice(), length, 0).intValue());
        if (n <= 0) {
            return n == 0 && buffer.hasRemaining() ? -1 : check(n, 0);
        }
        buffer.position(buffer.position() + n);
        return n;
    }

    /**
     * Receives until the buffer is full, within one timeout; in non-blocking mode until there is nothing more. The
     * buffer's position tells how much came, whatever the exception, which is an EOFException if the peer closed first.
     */
    public int readFully(ByteBuffer buffer) throws IOException {
        int start = buffer.position();
        int code = all(buffer, Sock::sock_recvall);
        if (code == -EPIPE) {
            throw new EOFException();
        }
        return check(code, buffer.position() - start);
    }

    /**
     * Sends the whole buffer, within one timeout; in non-blocking mode until there is no more room. The buffer's
     * position tells how much was sent, whatever the exception.
     */
    @Override
    public int write(ByteBuffer buffer) throws IOException {
        int start = buffer.position();
        return check(all(buffer, Sock::sock_sendall), buffer.position() - start);
    }

    @Override
    protected void implCloseChannel() {
        LibC.shutdown(fd, SHUT_RDWR);
        lock.writeLock().lock();
        LibC.close(fd);
        lock.writeLock().unlock();
    }

    private interface All {
        int call(int fd, Buffer buffer, NativeLong length, int flags, NativeLongByReference count);
    }

    private int all(ByteBuffer buffer, All function) throws IOException {
        NativeLong length = new NativeLong(buffer.remaining());
        NativeLongByReference count = new NativeLongByReference();
        return call(s -> {
            int code = function.call(s, buffer.slice(), length, 0, count);
            buffer.position(buffer.position() + count.getValue().intValue());
            return code;
        });
    }

    /** Makes a call of the library; the descriptor stays open until it is over. */
    private int call(IntUnaryOperator function) throws IOException {
        int code = -EBADF;
        begin();
        lock.readLock().lock();
        try {
            code = isOpen() ? function.applyAsInt(fd) : -EBADF;
            return code;
        } finally {
            lock.readLock().unlock();
            end(code > 0);
        }
    }

    private static Sock made(int fd) throws IOException {
        if (fd < 0) {
            throw exception(fd, 0);
        }
        return new Sock(fd);
    }

    private static int check(int code, int transferred) throws IOException {
        if (code >= 0 || code == -EAGAIN) {
            return transferred;
        }
        throw exception(code, transferred);
    }

    private static IOException exception(int code, int transferred) {
        switch (-code) {
            case ETIMEDOUT:
                SocketTimeoutException timeout = new SocketTimeoutException(words(code));
                timeout.bytesTransferred = transferred;
                return timeout;
            case ECONNREFUSED:
                return new ConnectException(words(code));
            default:
                return -code > LAST_ERRNO ? new LookupException(-code) : new SocketException(words(code));
        }
    }

    private static String words(int code) {
        return sock_strerror(new NativeLong(code));
    }

    private static double seconds(Duration timeout) {
        return timeout.equals(FOREVER) ? Double.POSITIVE_INFINITY : timeout.getSeconds() + timeout.getNano() / 1e9;
    }

    /** What C would cut at a NUL is refused. */
    private static String text(String text) {
        if (text != null && text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a string with a NUL");
        }
        return text;
    }

    private static native int sock_settimeout(int fd, double seconds);
    private static native int sock_gettimeout(int fd, DoubleByReference seconds);
    private static native int sock_dial(String host, String service, double seconds);
    private static native int sock_listen(String host, String service, int backlog);
    private static native int sock_accept(int fd, Pointer address, IntByReference length);
    private static native NativeLong sock_recv(int fd, Buffer buffer, NativeLong len, int flags);
    private static native int sock_recvall(int fd, Buffer buffer, NativeLong len, int flags, NativeLongByReference n);
    private static native int sock_sendall(int fd, Buffer buffer, NativeLong len, int flags, NativeLongByReference n);
    private static native String sock_strerror(NativeLong code);

    static {
        Native.register("libsock.so.0");
    }

    private static final class LibC {
        static native int getsockname(int fd, byte[] address, IntByReference length);
        static native int shutdown(int fd, int how);
        static native int close(int fd);

        static {
            Native.register("c");
        }
    }
}
