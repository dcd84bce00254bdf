package libsock;

import java.util.ArrayList;
import java.util.List;

/** The deadline and the tokens of the block that a thread is in. */
record Limits(double deadline, List<Token> tokens) {
    static final Limits NONE = new Limits(Double.POSITIVE_INFINITY, List.of());
    private static final ThreadLocal<Limits> CURRENT = ThreadLocal.withInitial(() -> NONE);

    static Limits current() {
        return CURRENT.get();
    }

    boolean cancelled() {
        return tokens.stream().anyMatch(Token::isCancelled);
    }

    /** Those of a block inside this one; a token of null is none. */
    Limits and(double deadline, Token token) {
        List<Token> all = new ArrayList<>(tokens);
        if (token != null) {
            all.add(token);
        }
        return new Limits(Math.min(this.deadline, deadline), List.copyOf(all));
    }

    void enter() {
        if (this == NONE) {
            CURRENT.remove();
        } else {
            CURRENT.set(this);
        }
    }
}
