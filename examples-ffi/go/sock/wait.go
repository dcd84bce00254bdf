package sock

// #include <sock.h>
import "C"

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	settling = 0.001                 // Seconds that the library may wait where poll(2) and an attempt do not agree.
	part     = 20 * time.Millisecond // After which a wait looks again where poll(2) does not tell of every end.

	again    = math.MinInt     // An attempt has done a step, and there are more.
	notReady = math.MinInt + 1 // There is nothing to do but to wait.
)

var forever = C.double(math.Inf(1))

// until is how a call of the library ends.
type until struct {
	flags    C.int
	deadline C.double
	token    C.int
}

// attempt is a call of the library. It gives its result, or again.
type attempt func(fd C.int, u until) int

// half is one direction of a socket. The library makes attempts, which do not wait, and Go's poller waits between them.
type half struct {
	raw    func(func(fd uintptr) bool) error // Of syscall.RawConn: waits until the function is done.
	set    func(time.Time) error             // The poller's deadline.
	events C.int                             // What is waited for.
	blind  bool                              // poll(2) does not tell of every end.

	turn sync.Mutex // Held for a whole operation, so that writes do not interleave.

	mu       sync.Mutex // Of what follows. The poller's deadline is the first of these.
	deadline time.Time  // The caller's.
	limit    time.Time  // Of the operation under way, by its timeout.
	look     time.Time  // When to look again.
	canceled bool       // The operation under way, by its context.
}

// run makes attempts until one is done, and gives its result, or an error if the wait ended otherwise.
func (h *half) run(ctx context.Context, try attempt) (code int, err error) {
	w := wait{half: h, try: try, start: time.Now()}
	h.turn.Lock()
	defer h.turn.Unlock()
	defer w.end()
	for {
		if ctx.Err() != nil {
			return 0, contextError{ctx.Err()}
		}
		switch err := h.raw(func(fd uintptr) bool { return w.attempt(ctx, C.int(fd)) }); {
		case err == nil && w.code == again:
		case err == nil:
			return w.code, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, net.ErrClosed
		case ctx.Err() == nil && h.over():
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (h *half) setDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deadline = t
	return h.apply()
}

// over tells whether time is over, and not only a part of it.
func (h *half) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look = time.Time{}
	h.apply()
	return passed(h.deadline) || passed(h.limit)
}

func (h *half) lookAgain(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.look != at {
		h.look = at
		h.apply()
	}
}

func (h *half) cancel() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.canceled = true
	h.apply()
}

func (h *half) apply() error {
	if h.canceled {
		return h.set(time.Unix(1, 0))
	}
	var first time.Time
	for _, t := range [...]time.Time{h.deadline, h.limit, h.look} {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return h.set(first)
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// wait is an operation under way.
type wait struct {
	*half
	try     attempt
	code    int
	start   time.Time
	limited bool // The mode of the socket is known.
	waits   bool // It is not non-blocking.
	release func()
}

// attempt tells whether there is nothing to wait for.
func (w *wait) attempt(ctx context.Context, fd C.int) bool {
	token := canceledToken()
	if token < 0 {
		w.code = int(token)
		return true
	}
	w.code = w.try(fd, until{C.MSG_DONTWAIT, forever, token})
	if w.code == -int(syscall.EAGAIN) || w.code == -int(syscall.ECANCELED) {
		w.code = notReady
	} else if w.code != again {
		return true
	}
	if !w.limited {
		if err := w.begin(ctx, fd); err < 0 {
			w.code = err
			return true
		}
	}
	if w.code == notReady && !w.waits {
		w.code = -int(syscall.EAGAIN)
	} else if w.code == notReady {
		w.settle(fd)
	}
	return w.code != notReady
}

// settle asks the library where poll(2) sees what the attempt did not: an entry in the error queue, which stays; an
// end that only the library knows; or what came just now.
func (w *wait) settle(fd C.int) {
	seen := C.sock_wait(fd, w.events, 0) > 0
	if seen {
		if code := w.try(fd, until{0, C.sock_deadline(settling), -1}); code != -int(syscall.ETIMEDOUT) {
			w.code = code
			return
		}
	}
	if seen || w.blind {
		w.lookAgain(time.Now().Add(part))
	} else {
		w.lookAgain(time.Time{})
	}
}

// begin sets the limits that the mode and the context give.
func (w *wait) begin(ctx context.Context, fd C.int) int {
	timeout, code := timeoutOf(fd)
	if code < 0 {
		return int(code)
	}
	w.limited, w.waits = true, timeout > 0
	if w.waits && timeout != Forever {
		w.mu.Lock()
		w.limit = w.start.Add(timeout)
		w.apply()
		w.mu.Unlock()
	}
	if w.waits && ctx.Done() != nil {
		over, gone := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(gone)
			select {
			case <-ctx.Done():
				w.cancel()
			case <-over:
			}
		}()
		w.release = func() { close(over); <-gone }
	}
	return 0
}

func (w *wait) end() {
	if !w.limited {
		return
	}
	if w.release != nil {
		w.release()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit, w.look, w.canceled = time.Time{}, time.Time{}, false
	w.apply()
}

var attempted struct {
	sync.Mutex
	token C.int
	made  bool
}

// canceledToken gives a token that is canceled already: what has to wait with it does not.
func canceledToken() C.int {
	attempted.Lock()
	defer attempted.Unlock()
	if !attempted.made {
		attempted.token = C.sock_token()
		attempted.made = attempted.token >= 0 && C.sock_cancel(attempted.token) == 0
	}
	return attempted.token
}

// timeoutOf gives the mode of a socket, or the negative of an error number.
func timeoutOf(fd C.int) (time.Duration, C.int) {
	var seconds C.double
	if code := C.sock_gettimeout(fd, &seconds); code < 0 {
		return 0, code
	}
	if nanoseconds := math.Round(float64(seconds) * 1e9); nanoseconds < math.MaxInt64 {
		return time.Duration(nanoseconds), 0
	}
	return Forever, 0
}

func seconds(d time.Duration) C.double {
	if d == Forever {
		return forever
	}
	return C.double(d.Seconds())
}
