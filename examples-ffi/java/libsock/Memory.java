package libsock;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** Memory for one call that C can get at: for bytes on their way from or to an array, for an address and for a number. */
final class Memory implements AutoCloseable {
    /** As many bytes of an array go through it at once: a datagram of UDP does. */
    static final int ROOM = 64 << 10;

    /** What a sockaddr_storage has room for. */
    static final int ADDRESS = 128;

    private static final int NAME = 112; // Of an address in text, with its NUL.
    private static final BlockingQueue<Memory> UNUSED = new ArrayBlockingQueue<>(64);

    final Pointer number;
    final Pointer length;
    final Pointer address;
    final Pointer name;
    private final ByteBuffer all = ByteBuffer.allocateDirect(8 + 8 + ADDRESS + NAME + ROOM).order(ByteOrder.nativeOrder());
    private final ByteBuffer room = all.slice(8 + 8 + ADDRESS + NAME, ROOM);

    private Memory() {
        number = Native.getDirectBufferPointer(all);
        length = number.share(8);
        address = number.share(16);
        name = address.share(ADDRESS);
    }

    static Memory take() {
        Memory unused = UNUSED.poll();
        return unused == null ? new Memory() : unused;
    }

    @Override
    public void close() {
        UNUSED.offer(this);
    }

    /** Room for so many bytes: for more than that of this one, an own buffer. */
    ByteBuffer room(int size) {
        return size <= ROOM ? room : ByteBuffer.allocateDirect(size);
    }

    /** The size_t that was counted. */
    int count() {
        return Native.SIZE_T_SIZE == 8 ? (int) number.getLong(0) : number.getInt(0);
    }

    void setCount(int count) {
        if (Native.SIZE_T_SIZE == 8) {
            number.setLong(0, count);
        } else {
            number.setInt(0, count);
        }
    }

    NativeLong nameSize() {
        return new NativeLong(NAME);
    }
}
