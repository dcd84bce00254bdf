package libsock;

import static libsock.Library.EAGAIN;
import static libsock.Library.EPIPE;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import java.io.EOFException;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.net.IDN;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.ByteChannel;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A socket in one of libsock's modes: blocking, non-blocking, or with a timeout for every operation.
 *
 * <p>Several threads may use one. Two that write do so one after the other, and so do two that read. What ends a call that
 * waits, and what it throws then:
 *
 * <ul>
 * <li>the timeout, or the deadline of {@link #within(Duration, Block)}: {@link SocketTimeoutException};
 * <li>{@link Token#cancel}: {@link CancelledException};
 * <li>{@link Thread#interrupt}: {@link java.io.InterruptedIOException}. The thread stays interrupted, and the socket open;
 * <li>{@link #close} in another thread: {@link java.nio.channels.AsynchronousCloseException}.
 * </ul>
 *
 * <p>The first three leave the socket as good as it was. What was moved is told by their {@code bytesTransferred}, and
 * by the position of the buffer whatever ended the call. What need not wait is done all the same.
 */
public final class Sock implements ByteChannel {
    /** The timeout of blocking mode. */
    public static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();

    private static final Cleaner CLEANER = Cleaner.create();

    private final Descriptor descriptor;
    private final Cleaner.Cleanable closing;
    private final boolean stream;
    private final ReentrantLock reading = new ReentrantLock();
    private final ReentrantLock writing = new ReentrantLock();

    /**
     * What is done within a limit.
     *
     * @param <X> what it throws
     */
    @FunctionalInterface
    public interface Block<X extends Exception> {
        /**
         * Does it.
         *
         * @throws X what it throws
         */
        void run() throws X;
    }

    /**
     * What is done within a limit, and gives something.
     *
     * @param <T> what it gives
     * @param <X> what it throws
     */
    @FunctionalInterface
    public interface Result<T, X extends Exception> {
        /**
         * Does it.
         *
         * @return what it gives
         * @throws X what it throws
         */
        T call() throws X;
    }

    /**
     * Adopts the descriptor of a socket, and will close it.
     *
     * @param fd the descriptor, which may have come from systemd, say: Java's own sockets hide theirs
     * @throws SocketException if it is not a socket; it is left open then
     */
    public Sock(int fd) throws SocketException {
        try (Memory memory = Memory.take()) {
            memory.length.setInt(0, Integer.BYTES);
            int code = Library.C.getsockopt(fd, Library.C.SOL_SOCKET, Library.C.SO_TYPE, memory.number, memory.length);
            if (code < 0) {
                throw new SocketException(Failure.words(-Native.getLastError()));
            }
            stream = memory.number.getInt(0) == Library.C.SOCK_STREAM;
        }
        descriptor = new Descriptor(fd);
        closing = CLEANER.register(this, descriptor::close);
    }

    /**
     * Connects, lookup included, within a timeout, which the socket keeps. International names are converted.
     *
     * @param host a name or a number; what begins with "/" is the path of a Unix socket, with "@" its abstract name
     * @param service a port or a name; "53/udp" and so on is for UDP; null for a Unix socket
     * @param timeout how long it may take: zero for what can be connected to at once
     * @return the socket
     * @throws LookupException if there is no such host or service
     * @throws IOException if no connection was made
     */
    public static Sock dial(String host, String service, Duration timeout) throws IOException {
        byte[] to = Addresses.text(ascii(host));
        byte[] port = Addresses.text(service);
        double seconds = seconds(timeout);
        try (Operation operation = new Operation(null, Descriptor.NONE)) {
            long code = seconds == 0
                ? Library.sock_dial(to, port, 0)
                : operation.run(seconds, (none, deadline, token) -> Library.sock_dial_until(to, port, deadline, token));
            if (code == -EAGAIN) {
                throw new SocketTimeoutException(Failure.words(code));
            }
            if (code < 0) {
                throw operation.failure(code, 0);
            }
            Sock sock = made(code);
            sock.setTimeout(timeout);
            return sock;
        }
    }

    /**
     * Listens, in blocking mode; what listens by UDP receives datagrams.
     *
     * @param host as in {@link #dial}; null for all addresses
     * @param service as in {@link #dial}; "0" for any port
     * @param backlog how many may wait to be accepted; 0 for the system's default
     * @return the socket
     * @throws IOException if it cannot listen there
     */
    public static Sock listen(String host, String service, int backlog) throws IOException {
        return made(Failure.check(Library.sock_listen(Addresses.text(ascii(host)), Addresses.text(service), backlog)));
    }

    /**
     * Gives all calls of this thread in a block one deadline. Timeouts hold besides, and so do the limits of a block around it.
     *
     * @param <X> what the block throws
     * @param timeout how long it may take altogether
     * @param block what is done
     * @throws X what the block throws
     */
    public static <X extends Exception> void within(Duration timeout, Block<X> block) throws X {
        within(Library.sock_deadline(seconds(timeout)), null, given(block));
    }

    /**
     * Gives all calls of this thread in a block one deadline. Timeouts hold besides, and so do the limits of a block around it.
     *
     * @param <T> what the block gives
     * @param <X> what the block throws
     * @param timeout how long it may take altogether
     * @param result what is done
     * @return what the block gives
     * @throws X what the block throws
     */
    public static <T, X extends Exception> T within(Duration timeout, Result<T, X> result) throws X {
        return within(Library.sock_deadline(seconds(timeout)), null, result);
    }

    /**
     * Lets a token cancel all calls of this thread in a block, besides those of blocks around it.
     *
     * @param <X> what the block throws
     * @param token what cancels them
     * @param block what is done
     * @throws X what the block throws
     */
    public static <X extends Exception> void within(Token token, Block<X> block) throws X {
        within(Double.POSITIVE_INFINITY, Objects.requireNonNull(token), given(block));
    }

    /**
     * Lets a token cancel all calls of this thread in a block, besides those of blocks around it.
     *
     * @param <T> what the block gives
     * @param <X> what the block throws
     * @param token what cancels them
     * @param result what is done
     * @return what the block gives
     * @throws X what the block throws
     */
    public static <T, X extends Exception> T within(Token token, Result<T, X> result) throws X {
        return within(Double.POSITIVE_INFINITY, Objects.requireNonNull(token), result);
    }

    private static <X extends Exception> Result<Void, X> given(Block<X> block) {
        return () -> {
            block.run();
            return null;
        };
    }

    private static <T, X extends Exception> T within(double deadline, Token token, Result<T, X> result) throws X {
        Limits outer = Limits.current();
        outer.and(deadline, token).enter();
        try {
            return result.call();
        } finally {
            outer.enter();
        }
    }

    @Override
    public boolean isOpen() {
        return !descriptor.isClosed();
    }

    /** Closes it. Calls that wait in other threads end before it is closed; later ones find it closed. */
    @Override
    public void close() {
        closing.clean();
    }

    @Override
    public String toString() {
        return "Sock[" + descriptor + "]";
    }

    /**
     * Ends what comes in; for a call that waits for it that is the end of the stream.
     *
     * @throws IOException if it is not connected, or closed
     */
    public void shutdownInput() throws IOException {
        shutdown(Library.C.SHUT_RD);
    }

    /**
     * Ends what goes out; for the other side that is the end of the stream.
     *
     * @throws IOException if it is not connected, or closed
     */
    public void shutdownOutput() throws IOException {
        shutdown(Library.C.SHUT_WR);
    }

    private void shutdown(int how) throws IOException {
        try (Operation operation = operation()) {
            checkC(Library.C.shutdown(operation.fd, how));
        }
    }

    /**
     * The address of this end.
     *
     * @return an InetSocketAddress, or a UnixDomainSocketAddress, whose path is empty if it has no name that can be written
     * @throws IOException if it is closed
     */
    public SocketAddress getLocalAddress() throws IOException {
        return address(Library.C::getsockname);
    }

    /**
     * The address of the other end.
     *
     * @return as of {@link #getLocalAddress}
     * @throws IOException if it is not connected, or closed
     */
    public SocketAddress getRemoteAddress() throws IOException {
        return address(Library.C::getpeername);
    }

    private interface Name {
        int of(int fd, Pointer address, Pointer length);
    }

    private SocketAddress address(Name name) throws IOException {
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            memory.length.setInt(0, Memory.ADDRESS);
            checkC(name.of(operation.fd, memory.address, memory.length));
            return Addresses.unpack(memory);
        }
    }

    /**
     * How long an operation may take.
     *
     * @return zero in non-blocking mode, {@link #FOREVER} in blocking mode
     * @throws IOException if it is closed
     */
    public Duration getTimeout() throws IOException {
        try (Operation operation = operation()) {
            double seconds = operation.timeout();
            return Double.isInfinite(seconds) ? FOREVER : Duration.ofNanos(Math.round(seconds * 1e9));
        }
    }

    /**
     * Sets how long an operation may take.
     *
     * @param timeout zero is non-blocking mode, {@link #FOREVER} is blocking mode
     * @throws IOException if it is closed
     */
    public void setTimeout(Duration timeout) throws IOException {
        double seconds = seconds(timeout);
        try (Operation operation = operation()) {
            Failure.check(Library.sock_settimeout(operation.fd, seconds));
        }
    }

    /**
     * Connects, as the mode says.
     *
     * @param peer an InetSocketAddress or a UnixDomainSocketAddress
     * @return false if it goes on by itself, in non-blocking mode; call again to find out
     * @throws IOException if it fails, or is not connected in time
     */
    public boolean connect(SocketAddress peer) throws IOException {
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            int length = Addresses.pack(peer, memory);
            long code = operation.run((fd, deadline, token) ->
                Library.sock_connect_until(fd, memory.address, length, deadline, token));
            if (code == -EAGAIN || code == -Library.EINPROGRESS || code == -Library.EALREADY) {
                return false;
            }
            done(operation, code, 0);
            return true;
        }
    }

    /**
     * Accepts a connection.
     *
     * @return a new socket in blocking mode, or null if there is none in non-blocking mode
     * @throws IOException if it fails, or none came in time
     */
    public Sock accept() throws IOException {
        try (Operation operation = operation()) {
            long code = operation.run((fd, deadline, token) -> Library.sock_accept_until(fd, null, null, deadline, token));
            return done(operation, code, 0) < 0 ? null : made(code);
        }
    }

    /**
     * Receives what is there, or a datagram.
     *
     * @return how many bytes; 0 if the buffer has no room, or if there is nothing in non-blocking mode; -1 at the end of a stream
     */
    @Override
    public int read(ByteBuffer buffer) throws IOException {
        writable(buffer);
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            if (!buffer.hasRemaining()) {
                return 0;
            }
            long code = operation.lock(reading);
            if (code == 0) {
                code = once(operation, memory, buffer, false, (fd, data, size, deadline, token) ->
                    Library.sock_recv_until(fd, data, size, 0, deadline, token));
                if (code == 0 && stream) {
                    return -1;
                }
            }
            return (int) Math.max(0, done(operation, code, 0));
        }
    }

    /**
     * Receives until the buffer is full, within one timeout; in non-blocking mode until there is nothing more.
     *
     * @param buffer whose position tells how much came, also if it fails
     * @return how many bytes
     * @throws EOFException if the other side closed before
     * @throws IOException if it fails
     */
    public int readFully(ByteBuffer buffer) throws IOException {
        writable(buffer);
        int start = buffer.position();
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            long code = whole(operation, memory, reading, buffer, false, Library::sock_recvall_until);
            if (code == -EPIPE) {
                throw new EOFException(Failure.words(code));
            }
            int moved = buffer.position() - start;
            done(operation, code, moved);
            return moved;
        }
    }

    /**
     * Sends all of it, within one timeout; in non-blocking mode until there is no more room, and a datagram whole or not. Its
     * position tells how much was sent, also if it fails.
     */
    @Override
    public int write(ByteBuffer buffer) throws IOException {
        if (!stream) {
            return send(buffer);
        }
        int start = buffer.position();
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            long code = whole(operation, memory, writing, buffer, true, Library::sock_sendall_until);
            int moved = buffer.position() - start;
            done(operation, code, moved);
            return moved;
        }
    }

    /**
     * Sends a datagram.
     *
     * @param buffer all of which is sent, or nothing
     * @param peer an InetSocketAddress or a UnixDomainSocketAddress
     * @return how many bytes; 0 if there is no room in non-blocking mode
     * @throws IOException if it fails
     */
    public int send(ByteBuffer buffer, SocketAddress peer) throws IOException {
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            int length = Addresses.pack(peer, memory);
            return send(operation, memory, buffer, memory.address, length);
        }
    }

    private int send(ByteBuffer buffer) throws IOException {
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            return send(operation, memory, buffer, null, 0);
        }
    }

    private int send(Operation operation, Memory memory, ByteBuffer buffer, Pointer peer, int length) throws IOException {
        long code = once(operation, memory, buffer, true, (fd, data, size, deadline, token) ->
            Library.sock_sendto_until(fd, data, size, 0, peer, length, deadline, token));
        return (int) Math.max(0, done(operation, code, 0));
    }

    /**
     * Receives a datagram. What it has beyond the room in the buffer is lost.
     *
     * @param buffer where it is put
     * @return where it came from, or null if there is none in non-blocking mode
     * @throws IOException if it fails
     */
    public SocketAddress receive(ByteBuffer buffer) throws IOException {
        writable(buffer);
        try (Operation operation = operation(); Memory memory = Memory.take()) {
            memory.length.setInt(0, Memory.ADDRESS);
            long code = once(operation, memory, buffer, false, (fd, data, size, deadline, token) ->
                Library.sock_recvfrom_until(fd, data, size, 0, memory.address, memory.length, deadline, token));
            return done(operation, code, 0) < 0 ? null : Addresses.unpack(memory);
        }
    }

    /**
     * Gives the lines of a stream, in UTF-8, of up to 65536 bytes, which end in a newline.
     *
     * @return what reads them
     */
    public Lines lines() {
        return new Lines(this, "\n", 1 << 16);
    }

    Operation operation() throws IOException {
        return new Operation(this, descriptor);
    }

    ReentrantLock reading() {
        return reading;
    }

    private interface Once {
        NativeLong call(int fd, Pointer data, NativeLong size, double deadline, int token);
    }

    private interface Whole {
        int call(int fd, Pointer data, NativeLong size, int flags, Pointer count, double deadline, int token);
    }

    /** One call for a buffer, or for the part of it that goes at once. */
    private long once(Operation operation, Memory memory, ByteBuffer buffer, boolean out, Once call) throws IOException {
        try (Window window = new Window(memory, buffer, stream, out)) {
            long n = operation.run((fd, deadline, token) ->
                call.call(fd, window.data(), new NativeLong(window.size()), deadline, token).longValue());
            window.move((int) Math.max(0, n));
            return n;
        }
    }

    /** As many calls as it takes, with one deadline. */
    private long whole(Operation operation, Memory memory, ReentrantLock lock, ByteBuffer buffer, boolean out, Whole call)
            throws IOException {
        long code = operation.lock(lock);
        if (code == 0 && buffer.remaining() > Memory.ROOM) {
            operation.mayWait(); // So that the deadline holds from the first part on.
        }
        while (code == 0 && buffer.hasRemaining()) {
            try (Window window = new Window(memory, buffer, stream, out)) {
                code = operation.run((fd, deadline, token) -> {
                    int result = call.call(fd, window.data(), new NativeLong(window.size()), 0, memory.number, deadline, token);
                    window.move(memory.count());
                    return result;
                });
            }
        }
        return code;
    }

    /** Throws what the code of an operation stands for, unless it is that it would have to wait, in non-blocking mode. */
    private static long done(Operation operation, long code, int transferred) throws IOException {
        if (code < 0 && code != -EAGAIN) {
            throw operation.failure(code, transferred);
        }
        return code;
    }

    private static Sock made(long fd) throws SocketException {
        try {
            return new Sock((int) fd);
        } catch (SocketException | RuntimeException | Error e) {
            Library.C.close((int) fd);
            throw e;
        }
    }

    private static void checkC(int result) throws SocketException {
        if (result < 0) {
            throw new SocketException(Failure.words(-Native.getLastError()));
        }
    }

    private static void writable(ByteBuffer buffer) {
        if (buffer.isReadOnly()) {
            throw new ReadOnlyBufferException();
        }
    }

    private static double seconds(Duration timeout) {
        if (timeout.equals(FOREVER)) {
            return Double.POSITIVE_INFINITY;
        }
        if (timeout.isNegative()) {
            throw new IllegalArgumentException("a negative timeout");
        }
        double seconds = timeout.getSeconds() + timeout.getNano() / 1e9;
        if (seconds * 1e9 >= 0x1p63) {
            throw new IllegalArgumentException("a timeout of 292 years or more");
        }
        return seconds;
    }

    /** An international name as the network has it. */
    private static String ascii(String host) throws LookupException {
        if (host == null || host.startsWith("/") || host.startsWith("@") || host.chars().allMatch(c -> c < 0x80)) {
            return host;
        }
        try {
            return IDN.toASCII(host);
        } catch (IllegalArgumentException e) {
            throw new LookupException(LookupException.Reason.NO_HOST, e.getMessage());
        }
    }
}
