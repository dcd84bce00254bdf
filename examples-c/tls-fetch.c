/*
 * HTTPS by OpenSSL, under one deadline from the lookup of the name to the end of the answer, and with
 * a token that Ctrl-C cancels. OpenSSL reads and writes through a BIO, whose two functions of this
 * library obey both; so OpenSSL itself needs to know of neither.
 *
 *     cc tls-fetch.c -o tls-fetch $(pkg-config --cflags --libs libsock openssl)
 *     ./tls-fetch https://www.example.org/index.html 2.5
 *
 * The answer goes to stdout as it is, with its head. Exit code: 0 for a whole answer, 1 for errors, 2
 * when the time ran out, 130 after Ctrl-C, 64 for wrong usage. The default is 10 seconds. Who is
 * trusted is OpenSSL's to say: SSL_CERT_FILE names a file of certificates.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sock.h>

/* A socket, its limits, and the last that it said. */
struct stream {
    int fd, token;
    double deadline;
    ssize_t code;
};

static int stream_read(BIO *bio, char *buffer, int size)
{
    struct stream *s = BIO_get_data(bio);
    return (int)(s->code = sock_recv_until(s->fd, buffer, (size_t)size, 0, s->deadline, s->token));
}

static int stream_write(BIO *bio, const char *bytes, int length)
{
    struct stream *s = BIO_get_data(bio);
    return (int)(s->code = sock_send_until(s->fd, bytes, (size_t)length, 0, s->deadline, s->token));
}

static long stream_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH; /* Nothing is kept back. */
}

static struct stream stream;

static void cancel(int signal)
{
    (void)signal;
    sock_cancel(stream.token);
}

static ssize_t check(const char *what, ssize_t code)
{
    if (code < 0) {
        fprintf(stderr, "tls-fetch: %s: %s\n", what, sock_strerror(code));
        exit(code == -ETIMEDOUT ? 2 : code == -ECANCELED ? 130 : EXIT_FAILURE);
    }
    return code;
}

/* OpenSSL failed: because of the socket, of the certificate, or of what the peer said. */
static void check_ssl(const char *what, SSL *ssl, int result)
{
    if (result > 0)
        return;
    check(what, stream.code);
    long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    fprintf(stderr, "tls-fetch: %s: %s\n", what,
            verified != X509_V_OK ? X509_verify_cert_error_string(verified) : reason ? reason : "cut short");
    exit(EXIT_FAILURE);
}

static SSL *start_tls(const char *host)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    check_ssl("certificates", NULL, SSL_CTX_set_default_verify_paths(context));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);

    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "libsock");
    BIO_meth_set_read(method, stream_read);
    BIO_meth_set_write(method, stream_write);
    BIO_meth_set_ctrl(method, stream_control);
    BIO *bio = BIO_new(method);
    BIO_set_data(bio, &stream);
    BIO_set_init(bio, 1);

    SSL *ssl = SSL_new(context);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_tlsext_host_name(ssl, host);
    check_ssl("host", ssl, SSL_set1_host(ssl, host));
    check_ssl("handshake", ssl, SSL_connect(ssl));
    return ssl;
}

int main(int argc, char *argv[])
{
    char host[256], port[6] = "443", text[16384], *rest = "";
    int after_host = 0, after_port = 0, length;
    double seconds = argc == 3 ? strtod(argv[2], &rest) : 10;
    if (argc == 2 || argc == 3)
        sscanf(argv[1], "https://%255[A-Za-z0-9.-]%n:%5[0-9]%n", host, &after_host, port, &after_port);
    const char *path = after_host ? argv[1] + (after_port ? after_port : after_host) : "?";
    if ((*path && *path != '/') || *rest || !(seconds > 0)) {
        fputs("usage: tls-fetch https://HOST[:PORT][/PATH] [SECONDS]\n", stderr);
        return 64;
    }
    length = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", *path ? path : "/", host);
    if (length >= (int)sizeof text)
        check("path", -ENAMETOOLONG);

    struct sigaction action = {.sa_handler = cancel};
    stream.deadline = sock_deadline(seconds);
    stream.token = (int)check("token", sock_token());
    check("sigaction", sigaction(SIGINT, &action, NULL) < 0 ? -errno : 0);
    stream.fd = (int)check("connect", sock_dial_until(host, port, stream.deadline, stream.token));

    SSL *ssl = start_tls(host);
    check_ssl("send", ssl, SSL_write(ssl, text, length));
    while ((length = SSL_read(ssl, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)length, stdout);
    if (SSL_get_error(ssl, length) != SSL_ERROR_ZERO_RETURN) /* Only the peer's farewell says that it is all. */
        check_ssl("receive", ssl, 0);
    check("stdout", fflush(stdout) != 0 ? -errno : 0);
    close(stream.fd);
    return EXIT_SUCCESS;
}
