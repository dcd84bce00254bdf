/* The Netscape Portable Runtime. Its timeout is an argument of each call, in milliseconds here, and
   rounded up so as not to become 0. */
#include "../bench.h"

#include <errno.h>
#include <math.h>
#include <nspr.h>
#include <private/pprio.h>
#include <stdlib.h>

struct state {
    PRFileDesc *file;
    PRIntervalTime timeout;
};

static void *wrap(PRFileDesc *file)
{
    struct state *state = malloc(sizeof *state);
    if (!file || !state)
        return NULL;
    *state = (struct state){file, PR_MillisecondsToInterval((PRUint32)(TIMEOUT * 1e3))};
    return state;
}

static void *adopt(int fd)
{
    return wrap(PR_ImportTCPSocket(fd));
}

static void release(void *socket)
{
    struct state *state = socket;
    PR_Close(state->file);
    free(state);
}

static int settimeout(void *socket, double seconds)
{
    ((struct state *)socket)->timeout = PR_MillisecondsToInterval((PRUint32)ceil(seconds * 1e3));
    return 0;
}

static int failure(void)
{
    switch (PR_GetError()) {
    case PR_IO_TIMEOUT_ERROR: return -ETIMEDOUT;
    case PR_PENDING_INTERRUPT_ERROR: return -EINTR;
    default: return -EIO;
    }
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    struct state *state = socket;
    PRInt32 received = PR_Recv(state->file, data, (PRInt32)len, 0, state->timeout);
    return received < 0 ? failure() : received;
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    struct state *state = socket;
    PRInt32 sent = PR_Send(state->file, data, (PRInt32)len, 0, state->timeout);
    return sent < 0 ? failure() : sent;
}

/* PR_Send sends all. */
static int transmit_all(void *socket, const void *data, size_t len)
{
    ssize_t sent = transmit(socket, data, len);
    return sent < 0 ? (int)sent : 0;
}

static void *accept_one(void *listener)
{
    struct state *state = listener;
    return wrap(PR_Accept(state->file, NULL, state->timeout));
}

static void *create(double seconds)
{
    struct state *state = wrap(PR_OpenTCPSocket(PR_AF_INET));
    if (state)
        settimeout(state, seconds);
    return state;
}

static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    PRNetAddr peer = {.inet = {.family = PR_AF_INET, .port = address->sin_port, .ip = address->sin_addr.s_addr}};
    struct state *state = socket;
    return PR_Connect(state->file, &peer, state->timeout) == PR_SUCCESS ? state : NULL;
}

static PRThread *receiver;

static ssize_t receive_until_cancelled(void *socket, void *data, size_t len)
{
    receiver = PR_GetCurrentThread();
    return receive(socket, data, len);
}

static void cancel(void *socket)
{
    (void)socket;
    PR_Interrupt(receiver);
}

const struct peer nspr = {
    "nspr", PR_GetVersion, adopt, release, settimeout, receive, transmit, NULL, transmit_all, accept_one, create, connect_to,
    .recv_until_cancelled = receive_until_cancelled, .cancel = cancel,
};
