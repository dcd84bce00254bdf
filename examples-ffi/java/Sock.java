import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.ptr.NativeLongByReference;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
 * do those of a SocketChannel; signals do not. Direct buffers are used in place, those of arrays are copied.
 *
 * <p>It does not accept connections, and is for streams, not for datagrams.
 */
public final class Sock extends AbstractInterruptibleChannel implements ByteChannel {
    /** The timeout of blocking mode. */
    public static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();

    // As on x86, Arm, RISC-V, POWER and s390; MIPS has other numbers.
    private static final int AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000, SHUT_RDWR = 2;
    private static final int EBADF = 9, EAGAIN = 11, EPIPE = 32, ETIMEDOUT = 110, ECONNREFUSED = 111;

    private final int fd;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    /** Adopts a descriptor, and will close it. */
    public Sock(int fd) {
        this.fd = fd;
    }

    /** Connects within a timeout, which the socket keeps. */
    public static Sock connect(InetSocketAddress address, Duration timeout) throws IOException {
        boolean v4 = address.getAddress() instanceof Inet4Address;
        ByteBuffer sockaddr = ByteBuffer.allocate(v4 ? 16 : 28);
        sockaddr.order(ByteOrder.nativeOrder()).putShort((short) (v4 ? AF_INET : AF_INET6));
        sockaddr.order(ByteOrder.BIG_ENDIAN).putShort((short) address.getPort());
        sockaddr.position(v4 ? 4 : 8).put(address.getAddress().getAddress());
        int fd = LibC.socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(fd < 0 ? -Native.getLastError() : 0, 0);
        Sock sock = new Sock(fd);
        try {
            sock.setTimeout(timeout);
            check(sock.call(s -> sock_connect(s, sockaddr.array(), sockaddr.capacity())), 0);
            return sock;
        } catch (IOException e) {
            sock.close();
            throw e;
        }
    }

    /** Sets how long an operation may take: zero is non-blocking mode, {@link #FOREVER} is blocking mode. */
    public void setTimeout(Duration timeout) throws IOException {
        double seconds = timeout.getSeconds() + timeout.getNano() / 1e9;
        check(call(s -> sock_settimeout(s, timeout.equals(FOREVER) ? Double.POSITIVE_INFINITY : seconds)), 0);
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

    private static int check(int code, int transferred) throws IOException {
        if (code >= 0 || code == -EAGAIN) {
            return transferred;
        }
        switch (-code) {
            case ETIMEDOUT:
                SocketTimeoutException timeout = new SocketTimeoutException(sock_strerror(code));
                timeout.bytesTransferred = transferred;
                throw timeout;
            case ECONNREFUSED:
                throw new ConnectException(sock_strerror(code));
            default:
                throw new SocketException(sock_strerror(code));
        }
    }

    private static native int sock_settimeout(int fd, double seconds);
    private static native int sock_connect(int fd, byte[] address, int length);
    private static native NativeLong sock_recv(int fd, Buffer buffer, NativeLong len, int flags);
    private static native int sock_recvall(int fd, Buffer buffer, NativeLong len, int flags, NativeLongByReference n);
    private static native int sock_sendall(int fd, Buffer buffer, NativeLong len, int flags, NativeLongByReference n);
    private static native String sock_strerror(int code);

    static {
        Native.register("libsock.so.0");
    }

    private static final class LibC {
        static native int socket(int domain, int type, int protocol);
        static native int shutdown(int fd, int how);
        static native int close(int fd);

        static {
            Native.register("c");
        }
    }
}
