package libsock;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/**
 * The bytes of a buffer where C can get at them: those of a direct one in place, of an array by a copy of just these. So
 * nothing else of the array is touched, and it does not matter how large it is.
 */
final class Window implements AutoCloseable {
    private final ByteBuffer buffer;
    private final ByteBuffer copy;
    private final boolean out;
    private final Pointer start;
    private final int position;
    private final int size;
    private int moved;

    /** A stream goes through the copy part by part, and messages must be whole. */
    Window(Memory memory, ByteBuffer buffer, boolean stream, boolean out) {
        this.buffer = buffer;
        this.out = out;
        position = buffer.position();
        if (buffer.isDirect()) {
            size = buffer.remaining();
            copy = null;
            start = Native.getDirectBufferPointer(buffer).share(position);
        } else {
            size = stream ? Math.min(buffer.remaining(), Memory.ROOM) : buffer.remaining();
            copy = memory.room(size);
            start = Native.getDirectBufferPointer(copy);
            if (out) {
                copy.put(0, buffer, position, size);
            }
        }
    }

    /** Of what is still to be moved. */
    Pointer data() {
        return start.share(moved);
    }

    int size() {
        return size - moved;
    }

    void move(int count) {
        moved += count;
    }

    /** The buffer gets what was moved, and its position tells it. */
    @Override
    public void close() {
        if (copy != null && !out) {
            buffer.put(position, copy, 0, moved);
        }
        buffer.position(position + moved);
        Reference.reachabilityFence(copy);
    }
}
