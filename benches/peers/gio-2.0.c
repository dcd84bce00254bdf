/* GLib's GSocket. Its own timeout is in whole seconds; a shorter one is what it offers for that, a
   non-blocking try and g_socket_condition_timed_wait. */
#include "../bench.h"

#include <errno.h>
#include <gio/gio.h>
#include <math.h>

struct state {
    GSocket *socket;
    gint64 microseconds; /* 0: the socket has a timeout of its own */
};

static const char *version(void)
{
    static char text[32];
    g_snprintf(text, sizeof text, "%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
    return text;
}

static void *wrap(GSocket *socket)
{
    struct state *state = g_new0(struct state, 1);
    state->socket = socket;
    return state;
}

static void *adopt(int fd)
{
    GSocket *socket = g_socket_new_from_fd(fd, NULL);
    return socket ? wrap(socket) : NULL;
}

static void release(void *socket)
{
    struct state *state = socket;
    g_object_unref(state->socket);
    g_free(state);
}

static int settimeout(void *socket, double seconds)
{
    struct state *state = socket;
    gboolean whole = seconds == floor(seconds);
    state->microseconds = whole ? 0 : (gint64)ceil(seconds * 1e6);
    g_socket_set_blocking(state->socket, whole);
    g_socket_set_timeout(state->socket, whole ? (guint)seconds : 0);
    return 0;
}

static int failure(GError *error)
{
    int code = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)     ? -ETIMEDOUT
               : g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) ? -EAGAIN
                                                                            : -EIO;
    g_error_free(error);
    return code;
}

static int await(struct state *state, GIOCondition condition)
{
    GError *error = NULL;
    return g_socket_condition_timed_wait(state->socket, condition, state->microseconds, NULL, &error)
               ? 0
               : failure(error);
}

static ssize_t receive(void *socket, void *data, size_t len)
{
    struct state *state = socket;
    for (;;) {
        GError *error = NULL;
        gssize received = g_socket_receive(state->socket, data, len, NULL, &error);
        if (received >= 0)
            return received;
        int code = failure(error);
        if (code == -EAGAIN)
            code = await(state, G_IO_IN);
        if (code)
            return code;
    }
}

static ssize_t transmit(void *socket, const void *data, size_t len)
{
    struct state *state = socket;
    for (;;) {
        GError *error = NULL;
        gssize sent = g_socket_send(state->socket, data, len, NULL, &error);
        if (sent >= 0)
            return sent;
        int code = failure(error);
        if (code == -EAGAIN)
            code = await(state, G_IO_OUT);
        if (code)
            return code;
    }
}

static void *accept_one(void *listener)
{
    GSocket *socket = g_socket_accept(((struct state *)listener)->socket, NULL, NULL);
    return socket ? wrap(socket) : NULL;
}

static void *create(double seconds)
{
    GSocket *socket = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
    if (!socket)
        return NULL;
    g_socket_set_timeout(socket, (guint)ceil(seconds));
    return wrap(socket);
}

static void *connect_to(void *socket, const struct sockaddr_in *address)
{
    static GSocketAddress *peer;
    if (!peer)
        peer = g_socket_address_new_from_native((gpointer)(uintptr_t)address, sizeof *address);
    return g_socket_connect(((struct state *)socket)->socket, peer, NULL, NULL) ? socket : NULL;
}

static GCancellable *cancellable;

/* Its programs give every call a GCancellable. */
static int exchange(void *socket, const void *request, void *answer, size_t len, double seconds)
{
    struct state *state = socket;
    gint64 deadline = g_get_monotonic_time() + (gint64)ceil(seconds * 1e6);
    size_t done = 0;
    int sending = 1;
    if (!cancellable)
        cancellable = g_cancellable_new();
    while (sending || done < len) {
        GError *error = NULL;
        gssize more = sending ? g_socket_send_with_blocking(state->socket, (const char *)request + done, MESSAGE - done, FALSE,
                                                            cancellable, &error)
                              : g_socket_receive_with_blocking(state->socket, (char *)answer + done, len - done, FALSE,
                                                               cancellable, &error);
        int code = more > 0 ? 0 : more == 0 ? -EPIPE : failure(error);
        if (code == -EAGAIN) {
            error = NULL;
            code = g_socket_condition_timed_wait(state->socket, sending ? G_IO_OUT : G_IO_IN,
                                                 deadline - g_get_monotonic_time(), cancellable, &error)
                       ? 0
                       : failure(error);
        }
        if (code)
            return code;
        done += more > 0 ? (size_t)more : 0;
        if (sending && done == MESSAGE)
            sending = 0, done = 0;
    }
    return 0;
}

static void *open_lines(void *socket)
{
    GSocketConnection *connection = g_socket_connection_factory_create_connection(((struct state *)socket)->socket);
    return g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
}

static ssize_t read_line(void *lines)
{
    gsize len;
    char *line = g_data_input_stream_read_line(lines, &len, NULL, NULL);
    g_free(line);
    return line ? (ssize_t)len + 1 : -EPIPE; /* It leaves out the newline. */
}

static void prepare(void *socket)
{
    (void)socket;
    g_clear_object(&cancellable);
    cancellable = g_cancellable_new();
}

static ssize_t receive_until_cancelled(void *socket, void *data, size_t len)
{
    GError *error = NULL;
    gssize received = g_socket_receive_with_blocking(((struct state *)socket)->socket, data, len, TRUE, cancellable, &error);
    return received >= 0 ? received : failure(error);
}

static void cancel(void *socket)
{
    (void)socket;
    g_cancellable_cancel(cancellable);
}

const struct peer glib = {
    "glib", version, adopt, release, settimeout, receive, transmit, NULL, NULL, accept_one, create, connect_to,
    .exchange = exchange, .open_lines = open_lines, .read_line = read_line, .prepare = prepare,
    .recv_until_cancelled = receive_until_cancelled, .cancel = cancel,
};
