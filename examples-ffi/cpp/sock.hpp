// A socket in one of libsock's modes: blocking, non-blocking, or with a timeout for every operation.
//
// It needs libsock (make install) and C++17. Copy this file into your project and link with -lsock. The
// program beside it:
//
//     c++ -std=c++17 scenario.cpp -o scenario -pthread -lsock && ./scenario HOST PORT
//
// As in std::filesystem, what fails throws, or fills in a std::error_code. Its category is
// std::generic_category(), so that it compares with std::errc: operation_would_block when not ready in
// non-blocking mode, timed_out, broken_pipe for a closed peer. That of a lookup that fails is lookup_category(), which
// compares with lookup_errc. SIGPIPE is never raised. A call that waits blocks its thread; signals neither end nor
// prolong the wait, unless set_interrupt asks for std::errc::interrupted.
//
// It leaves addresses to <netinet/in.h>. For what is not here, call the functions of <sock.h> on native_handle().

#ifndef SOCK_HPP
#define SOCK_HPP

#include <chrono>
#include <cstddef>
#include <limits>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <sock.h>
#include <unistd.h>

namespace libsock {

// A timeout; any std::chrono duration converts to it. Zero is non-blocking mode.
using seconds = std::chrono::duration<double>;

// The timeout of blocking mode.
inline constexpr seconds forever{std::numeric_limits<double>::infinity()};

// Why a lookup failed.
enum class lookup_errc {
    no_such_host = LIBSOCK_EAI_NONAME,
    try_again = LIBSOCK_EAI_AGAIN,
    failed = LIBSOCK_EAI_FAIL,
    no_address = LIBSOCK_EAI_NODATA,
    no_such_service = LIBSOCK_EAI_SERVICE,
};

inline const std::error_category &lookup_category() noexcept {
    static const struct final : std::error_category {
        const char *name() const noexcept override { return "lookup"; }
        std::string message(int code) const override { return sock_strerror(-code); }
    } category;
    return category;
}

inline std::error_code make_error_code(lookup_errc code) noexcept {
    return {static_cast<int>(code), lookup_category()};
}

// What the throwing functions throw.
class error : public std::system_error {
public:
    error(std::error_code code, const char *function, std::size_t transferred = 0)
        : std::system_error{code, function}, transferred_{transferred} {}

    // How many bytes were sent or received all the same.
    std::size_t transferred() const noexcept { return transferred_; }

private:
    std::size_t transferred_;
};

// Owns a descriptor, and closes it. Several threads may use it at once, as long as none of them closes it.
class socket {
public:
    socket() noexcept = default;
    explicit socket(int fd) noexcept : fd_{fd} {}
    socket(socket &&other) noexcept : fd_{other.release()} {}
    socket &operator=(socket &&other) noexcept {
        socket{std::move(other)}.swap(*this);
        return *this;
    }
    ~socket() {
        if (fd_ >= 0)
            ::close(fd_);
    }

    // Connects by TCP, lookup included, within a time that becomes the timeout.
    static socket dial(const char *host, const char *service, seconds timeout) {
        return socket{static_cast<int>(check(sock_dial(host, service, timeout.count()), "sock_dial"))};
    }
    static socket dial(const char *host, const char *service, seconds timeout, std::error_code &ec) noexcept {
        return adopt(sock_dial(host, service, timeout.count()), ec);
    }

    // Listens in blocking mode: on all addresses if the host is null, and at any port for the service "0".
    static socket listen(const char *host, const char *service, int backlog = 0) {
        return socket{static_cast<int>(check(sock_listen(host, service, backlog), "sock_listen"))};
    }
    static socket listen(const char *host, const char *service, int backlog, std::error_code &ec) noexcept {
        return adopt(sock_listen(host, service, backlog), ec);
    }

    void swap(socket &other) noexcept { std::swap(fd_, other.fd_); }
    int native_handle() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }

    void set_timeout(seconds timeout) { check(sock_settimeout(fd_, timeout.count()), "sock_settimeout"); }
    seconds timeout() const {
        double value{};
        check(sock_gettimeout(fd_, &value), "sock_gettimeout");
        return seconds{value};
    }

    // Whether a signal ends a wait; by default it does not.
    void set_interrupt(bool on) { check(sock_setinterrupt(fd_, on), "sock_setinterrupt"); }

    void connect(const sockaddr *address, socklen_t length) {
        check(sock_connect(fd_, address, length), "sock_connect");
    }
    void connect(const sockaddr *address, socklen_t length, std::error_code &ec) noexcept {
        ec = to_error(sock_connect(fd_, address, length));
    }

    // The new socket is in blocking mode.
    socket accept() { return socket{static_cast<int>(check(sock_accept(fd_, nullptr, nullptr), "sock_accept"))}; }
    socket accept(std::error_code &ec) noexcept { return adopt(sock_accept(fd_, nullptr, nullptr), ec); }

    // Sends some of it, or receives what is there. Receiving 0 bytes is the end of a stream.
    std::size_t send(const void *data, std::size_t size) { return check(sock_send(fd_, data, size, 0), "sock_send"); }
    std::size_t send(const void *data, std::size_t size, std::error_code &ec) noexcept {
        return count(sock_send(fd_, data, size, 0), ec);
    }
    std::size_t recv(void *data, std::size_t size) { return check(sock_recv(fd_, data, size, 0), "sock_recv"); }
    std::size_t recv(void *data, std::size_t size, std::error_code &ec) noexcept {
        return count(sock_recv(fd_, data, size, 0), ec);
    }

    // Sends or receives all of it within one timeout. The count that is returned beside an error, or thrown with
    // it, is exact. Receiving from a peer that closed early is broken_pipe.
    void send_all(const void *data, std::size_t size) {
        std::error_code ec;
        const auto sent = send_all(data, size, ec);
        if (ec)
            throw error{ec, "sock_sendall", sent};
    }
    std::size_t send_all(const void *data, std::size_t size, std::error_code &ec) noexcept {
        std::size_t sent{};
        ec = to_error(sock_sendall(fd_, data, size, 0, &sent));
        return sent;
    }
    void recv_all(void *data, std::size_t size) {
        std::error_code ec;
        const auto received = recv_all(data, size, ec);
        if (ec)
            throw error{ec, "sock_recvall", received};
    }
    std::size_t recv_all(void *data, std::size_t size, std::error_code &ec) noexcept {
        std::size_t received{};
        ec = to_error(sock_recvall(fd_, data, size, 0, &received));
        return received;
    }

private:
    static std::error_code to_error(ssize_t code) noexcept {
        constexpr int last_errno = 4095; // The highest number that an error of Linux can have.
        const int number = code < 0 ? static_cast<int>(-code) : 0;
        return {number, number > last_errno ? lookup_category() : std::generic_category()};
    }
    static std::size_t check(ssize_t code, const char *function) {
        if (code < 0)
            throw error{to_error(code), function};
        return static_cast<std::size_t>(code);
    }
    static std::size_t count(ssize_t code, std::error_code &ec) noexcept {
        ec = to_error(code);
        return code < 0 ? 0 : static_cast<std::size_t>(code);
    }

    static socket adopt(int code, std::error_code &ec) noexcept {
        ec = to_error(code);
        return code < 0 ? socket{} : socket{code};
    }

    int fd_ = -1;
};

} // namespace libsock

template <> struct std::is_error_code_enum<libsock::lookup_errc> : std::true_type {};

#endif
