package libsock;

import static libsock.Library.EAGAIN;
import static libsock.Library.EMSGSIZE;
import static libsock.Library.EPIPE;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The lines of a stream, in UTF-8. What came behind them is {@link #unread}: a body, say, after the lines of a head.
 *
 * <p>One thread at a time may use it.
 */
public final class Lines {
    private final Sock sock;
    private final byte[] delimiter;
    private final int longest;
    private final ByteBuffer buffer;
    private final Pointer start;
    private int begin;
    private int end;

    /**
     * Reads lines that end in a delimiter.
     *
     * @param sock the socket
     * @param delimiter such as "\n", or "\r\n\r\n" for a head
     * @param longest how many bytes a line may have, with its delimiter
     */
    public Lines(Sock sock, String delimiter, int longest) {
        if (delimiter.isEmpty() || longest <= 0 || longest > 1 << 29) {
            throw new IllegalArgumentException("an empty delimiter, or no lines of such a length");
        }
        this.sock = sock;
        this.delimiter = delimiter.getBytes(StandardCharsets.UTF_8);
        this.longest = longest;
        buffer = ByteBuffer.allocateDirect(2 * longest);
        start = Native.getDirectBufferPointer(buffer);
    }

    /**
     * Receives a line. After a timeout, a token or an interrupt call it again to go on.
     *
     * @return the line without its delimiter, or null at the end of the stream, or if there is none in non-blocking mode
     * @throws EOFException if the stream ends in the middle of a line
     * @throws IOException if it fails, or the line is too long
     */
    public String readLine() throws IOException {
        if (begin > longest) {
            buffer.put(0, buffer, begin, end - begin);
            end -= begin;
            begin = 0;
        }
        try (Operation operation = sock.operation(); Memory memory = Memory.take()) {
            long code = operation.lock(sock.reading());
            if (code == 0) {
                code = operation.run((fd, deadline, token) -> {
                    memory.setCount(end - begin);
                    long length = Library.sock_recvdelim_until(fd, start.share(begin),
                        new NativeLong(Math.max(longest, end - begin)), memory.number, delimiter,
                        new NativeLong(delimiter.length), deadline, token).longValue();
                    end = begin + memory.count();
                    return length > longest ? -EMSGSIZE : length;
                });
            }
            if (code == 0 || code == -EAGAIN) {
                return null;
            }
            if (code == -EPIPE) {
                throw new EOFException(Failure.words(code));
            }
            if (code < 0) {
                throw operation.failure(code, 0);
            }
            String line = text(begin, (int) code - delimiter.length);
            begin += (int) code;
            return line;
        }
    }

    /**
     * What has come behind the last line. It stays there.
     *
     * @return a copy
     */
    public ByteBuffer unread() {
        return ByteBuffer.allocate(end - begin).put(0, buffer, begin, end - begin);
    }

    private String text(int from, int length) {
        byte[] bytes = new byte[length];
        buffer.get(from, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
