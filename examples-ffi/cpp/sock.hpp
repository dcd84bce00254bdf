// libsock's socket modes for C++: blocking, non-blocking, or an exact timeout for every operation.
//
// It needs libsock (make install) and C++11 or later; with C++20 it also takes std::stop_token. Copy this file into your
// project, and link with `pkg-config --cflags --libs libsock`. README.md beside it tells how it is used, and what it does not do.
//
//     auto connection = libsock::unique_socket::dial("localhost", 7007, std::chrono::seconds(5));
//     connection.send_all(request);
//
// What fails throws a libsock::socket_error, or fills in a std::error_code where one is given.

#ifndef LIBSOCK_SOCK_HPP
#define LIBSOCK_SOCK_HPP

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#if __cplusplus >= 201703L
#include <string_view>
#endif
#if __cplusplus >= 202002L
#include <stop_token>
#endif

#include <pthread.h>
#include <sock.h>
#include <sys/socket.h>
#include <unistd.h>

namespace libsock {

// A timeout. Every std::chrono duration converts to it; zero is non-blocking mode.
using interval = std::chrono::duration<double>;

// The timeout of blocking mode.
constexpr interval forever{std::numeric_limits<double>::infinity()};

// Why a lookup failed.
enum class lookup_errc {
    no_such_host = LIBSOCK_EAI_NONAME,
    try_again = LIBSOCK_EAI_AGAIN,
    failed = LIBSOCK_EAI_FAIL,
    no_address = LIBSOCK_EAI_NODATA,
    no_such_service = LIBSOCK_EAI_SERVICE
};

inline const std::error_category &lookup_category() noexcept {
    struct lookups final : std::error_category {
        const char *name() const noexcept override { return "lookup"; }
        std::string message(int code) const override { return sock_strerror(-code); }
    };
    static const lookups category{};
    return category;
}

inline std::error_code make_error_code(lookup_errc code) noexcept {
    return {static_cast<int>(code), lookup_category()};
}

// What a function of the library returned. Error numbers compare with std::errc: operation_would_block when not ready in
// non-blocking mode, timed_out, operation_canceled by a token, broken_pipe for a peer that closed.
inline std::error_code to_error_code(ssize_t result) noexcept {
    constexpr ssize_t last_errno = 4095; // The highest number that an error of Linux can have.
    if (result >= 0)
        return {};
    return {static_cast<int>(-result), -result > last_errno ? lookup_category() : std::generic_category()};
}

class socket_error : public std::system_error {
public:
    socket_error(std::error_code code, const char *function, std::size_t transferred = 0)
        : std::system_error{code, function}, transferred_{transferred} {}

    // How many bytes were moved all the same.
    std::size_t transferred() const noexcept { return transferred_; }

private:
    std::size_t transferred_;
};

namespace detail {

inline void raise(const std::error_code &ec, const char *function, std::size_t transferred = 0) {
    if (ec)
        throw socket_error{ec, function, transferred};
}

// pthread_cancel(3) must neither end the program in a destructor, for close(2) is a cancellation point, nor leak what is
// under way in a lookup. It has its effect later.
class no_cancellation {
public:
    no_cancellation() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    ~no_cancellation() { pthread_setcancelstate(before_, &before_); }
    no_cancellation(const no_cancellation &) = delete;
    no_cancellation &operator=(const no_cancellation &) = delete;

private:
    int before_ = PTHREAD_CANCEL_ENABLE;
};

inline void close(int fd) noexcept {
    if (fd < 0)
        return;
    const no_cancellation guard;
    ::close(fd);
}

// What has data() and size(), of elements that are bytes and nothing else: T is such an element.
template <class C>
using element = typename std::remove_pointer<decltype(std::declval<C &>().data())>::type;

template <class C, class T = element<C>, class = decltype(std::declval<C &>().size())>
struct is_bytes : std::integral_constant<bool, std::is_trivially_copyable<T>::value && !std::is_void<T>::value> {};

} // namespace detail

// Bytes to be sent: a pointer and a size, or a std::string, std::vector, std::array, std::span, std::string_view and so on.
class const_buffer {
public:
    const_buffer(const void *data, std::size_t size) noexcept : data_{data}, size_{size} {}

    template <class C, typename std::enable_if<detail::is_bytes<const C>::value, int>::type = 0>
    const_buffer(const C &c) noexcept : const_buffer{c.data(), c.size() * sizeof(*c.data())} {}

    template <class T, std::size_t N, typename std::enable_if<std::is_trivially_copyable<T>::value, int>::type = 0>
    const_buffer(const T (&array)[N]) noexcept : const_buffer{array, sizeof array} {}

    // Is the NUL of "text" to be sent? Say it: std::string("text"), or a pointer and a size.
    const_buffer(const char *) = delete;

    const void *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    const void *data_;
    std::size_t size_;
};

// Where to receive: as const_buffer, of what can be written.
class mutable_buffer {
public:
    mutable_buffer(void *data, std::size_t size) noexcept : data_{data}, size_{size} {}

    template <class C, typename std::enable_if<detail::is_bytes<C>::value && !std::is_const<detail::element<C>>::value, int>::type = 0>
    mutable_buffer(C &&c) noexcept : mutable_buffer{c.data(), c.size() * sizeof(*c.data())} {}

    template <class T, std::size_t N,
              typename std::enable_if<std::is_trivially_copyable<T>::value && !std::is_const<T>::value, int>::type = 0>
    mutable_buffer(T (&array)[N]) noexcept : mutable_buffer{array, sizeof array} {}

    // Its data() is read-only before C++17.
    mutable_buffer(std::string &s) noexcept : mutable_buffer{&s[0], s.size()} {}

    void *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    void *data_;
    std::size_t size_;
};

// A host or a service: a string of C or C++, the number of a port, or none. C would cut a string at a NUL, so the functions
// that take one refuse that as std::errc::invalid_argument.
class name {
public:
    name(std::nullptr_t) noexcept : none_{true} {}
    name(const char *text) : text_{text ? text : ""}, none_{!text} {}
    name(std::string text) noexcept : text_{std::move(text)} {}
    name(int port) : text_{std::to_string(port)} {}
#if __cplusplus >= 201703L
    name(std::string_view text) : text_{text} {}
#endif

    const char *c_str() const noexcept { return none_ ? nullptr : text_.c_str(); }
    bool has_nul() const noexcept { return text_.find('\0') != std::string::npos; }

private:
    std::string text_;
    bool none_ = false;
};

// Ends waits, from any thread, for good: `limit{token}` in one, `token.cancel()` in another. It must outlive those waits.
class token {
public:
    token() : fd_{sock_token()} { detail::raise(to_error_code(fd_), "sock_token"); }
    ~token() { detail::close(fd_); }
    token(const token &) = delete;
    token &operator=(const token &) = delete;

    void cancel() noexcept { sock_cancel(fd_); }
    bool cancelled() const { return sock_wait_until(-1, 0, -1, fd_) == -ECANCELED; }
    int native_handle() const noexcept { return fd_; }

private:
    int fd_;
};

#ifdef __cpp_lib_jthread
// A token that a std::stop_source cancels, such as that of a std::jthread.
class linked_token : public token {
public:
    explicit linked_token(std::stop_token stop) : callback_{std::move(stop), canceller{*this}} {}

private:
    struct canceller {
        token &linked;
        void operator()() const noexcept { linked.cancel(); }
    };
    std::stop_callback<canceller> callback_;
};
#endif

// Until when a call may last, and what cancels it: for one call, or for several that share it. It holds in every mode of
// the socket. Without one, `limit{}`, the mode holds.
class limit {
    using clock = std::chrono::steady_clock; // Which is CLOCK_MONOTONIC, also to the library.

public:
    limit() noexcept = default;
    limit(const token &token) noexcept : token_{token.native_handle()}, mode_{false} {}

    // From now. What is zero has passed already: to look once, pass MSG_DONTWAIT.
    template <class Rep, class Period>
    limit(std::chrono::duration<Rep, Period> within) noexcept
        : deadline_{sock_deadline(interval{within}.count())}, mode_{false} {}
    template <class Rep, class Period>
    limit(std::chrono::duration<Rep, Period> within, const token &token) noexcept : limit{within} {
        token_ = token.native_handle();
    }

    template <class Duration>
    limit(std::chrono::time_point<clock, Duration> deadline) noexcept
        : deadline_{seconds(std::chrono::duration_cast<clock::duration>(deadline.time_since_epoch()))}, mode_{false} {}
    template <class Duration>
    limit(std::chrono::time_point<clock, Duration> deadline, const token &token) noexcept : limit{deadline} {
        token_ = token.native_handle();
    }

    bool is_mode() const noexcept { return mode_; }
    double deadline() const noexcept { return deadline_; }
    int token_handle() const noexcept { return token_; }

private:
    // Never early: a double does not hold the nanoseconds of months.
    static double seconds(clock::duration moment) noexcept {
        const auto whole = std::chrono::duration_cast<std::chrono::seconds>(moment);
        return std::nextafter(static_cast<double>(whole.count()) + interval{moment - whole}.count(), forever.count());
    }

    double deadline_ = forever.count();
    int token_ = -1;
    bool mode_ = true;
};

// Where a socket is: a host in digits and a port; the path of a Unix socket, which begins with "/"; or its abstract name,
// which begins with "@". One without a name is "".
class address {
public:
    address() noexcept { std::memset(&storage_, 0, sizeof storage_); }
    address(const name &host, const name &service = nullptr) : address{} {
        const auto result = host.has_nul() || service.has_nul()
            ? -EINVAL
            : sock_address(host.c_str(), service.c_str(), &storage_, &size_);
        detail::raise(to_error_code(result), "sock_address");
    }
    address(const sockaddr *data, socklen_t size) : address{} {
        if (size > capacity())
            detail::raise(to_error_code(-EINVAL), "address");
        std::memcpy(&storage_, data, size);
        size_ = size;
    }

    std::string host() const {
        if (size_ == 0) // Of a datagram whose sender has no name.
            return {};
        char text[110];
        detail::raise(to_error_code(sock_name(data(), size_, text, sizeof text)), "sock_name");
        return text;
    }
    // 0 of a Unix socket.
    int port() const {
        const int port = size_ == 0 ? 0 : sock_name(data(), size_, nullptr, 0);
        detail::raise(to_error_code(port), "sock_name");
        return port;
    }

    const sockaddr *data() const noexcept { return reinterpret_cast<const sockaddr *>(&storage_); }
    sockaddr *data() noexcept { return reinterpret_cast<sockaddr *>(&storage_); }
    socklen_t size() const noexcept { return size_; }
    void resize(socklen_t size) noexcept { size_ = size < capacity() ? size : capacity(); }
    static constexpr socklen_t capacity() noexcept { return sizeof(sockaddr_storage); }

    friend bool operator==(const address &a, const address &b) noexcept {
        return a.size_ == b.size_ && std::memcmp(&a.storage_, &b.storage_, a.size_) == 0;
    }
    friend bool operator!=(const address &a, const address &b) noexcept { return !(a == b); }

private:
    sockaddr_storage storage_;
    socklen_t size_ = 0;
};

// Owns a socket, and closes it. Several threads may use it at once, but not while one of them closes, moves or destroys it:
// shutdown() or a token ends their waits first.
//
// No function that waits is noexcept, for each of them is a cancellation point: pthread_cancel(3) unwinds through it.
class unique_socket {
public:
    unique_socket() noexcept = default;
    explicit unique_socket(int fd) noexcept : fd_{fd} {}
    unique_socket(unique_socket &&other) noexcept : fd_{other.release()} {}
    unique_socket &operator=(unique_socket &&other) noexcept {
        unique_socket{std::move(other)}.swap(*this);
        return *this;
    }
    ~unique_socket() { close(); }

    // Connects to a host by name, lookup included, within a time that becomes the timeout. "53/udp" and so on is for UDP,
    // and a host that begins with "/" or "@" is a Unix socket.
    template <class Rep, class Period>
    static unique_socket dial(const name &host, const name &service, std::chrono::duration<Rep, Period> timeout) {
        std::error_code ec;
        auto socket = dial(host, service, timeout, ec);
        detail::raise(ec, "sock_dial");
        return socket;
    }
    template <class Rep, class Period>
    static unique_socket dial(const name &host, const name &service, std::chrono::duration<Rep, Period> timeout,
                              std::error_code &ec) {
        const detail::no_cancellation guard;
        const double seconds = interval{timeout}.count();
        return adopt(nul(host, service) ? -EINVAL : sock_dial(host.c_str(), service.c_str(), seconds), ec);
    }

    // The same, until a limit. The socket is in blocking mode.
    static unique_socket dial(const name &host, const name &service, const limit &until) {
        std::error_code ec;
        auto socket = dial(host, service, until, ec);
        detail::raise(ec, "sock_dial_until");
        return socket;
    }
    static unique_socket dial(const name &host, const name &service, const limit &until, std::error_code &ec) {
        const detail::no_cancellation guard;
        return adopt(nul(host, service)
            ? -EINVAL
            : sock_dial_until(host.c_str(), service.c_str(), until.deadline(), until.token_handle()), ec);
    }

    // Listens in blocking mode: on all addresses if the host is nullptr, and at any port for the service 0. What is listened
    // on by UDP receives datagrams.
    static unique_socket listen(const name &host, const name &service = nullptr, int backlog = 0) {
        std::error_code ec;
        auto socket = listen(host, service, backlog, ec);
        detail::raise(ec, "sock_listen");
        return socket;
    }
    static unique_socket listen(const name &host, const name &service, int backlog, std::error_code &ec) {
        const detail::no_cancellation guard;
        return adopt(nul(host, service) ? -EINVAL : sock_listen(host.c_str(), service.c_str(), backlog), ec);
    }

    // A new socket, in blocking mode.
    static unique_socket open(int domain, int type, int protocol = 0) {
        const int fd = ::socket(domain, type | SOCK_CLOEXEC, protocol);
        detail::raise(to_error_code(fd < 0 ? -errno : 0), "socket");
        return unique_socket{fd};
    }

    // Two Unix sockets that are connected.
    static std::pair<unique_socket, unique_socket> pair(int type = SOCK_STREAM) {
        int fds[2];
        detail::raise(to_error_code(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0), "socketpair");
        return {unique_socket{fds[0]}, unique_socket{fds[1]}};
    }

    explicit operator bool() const noexcept { return fd_ >= 0; }
    int native_handle() const noexcept { return fd_; }
    void swap(unique_socket &other) noexcept { std::swap(fd_, other.fd_); }
    friend void swap(unique_socket &a, unique_socket &b) noexcept { a.swap(b); }

    // Gives the descriptor, which is the caller's from now on.
    int release() noexcept {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }

    // From then on everything fails with std::errc::bad_file_descriptor.
    void close() noexcept { detail::close(release()); }

    // Ends the waits of other threads too.
    void shutdown(int how = SHUT_RDWR) {
        detail::raise(to_error_code(::shutdown(fd_, how) < 0 ? -errno : 0), "shutdown");
    }

    address local_address() const { return named(::getsockname, "getsockname"); }
    address remote_address() const { return named(::getpeername, "getpeername"); }

    // The mode, which belongs to the socket: all its duplicates have it.
    void set_timeout(interval timeout) { detail::raise(to_error_code(sock_settimeout(fd_, timeout.count())), "sock_settimeout"); }
    interval timeout() const {
        double seconds{};
        detail::raise(to_error_code(sock_gettimeout(fd_, &seconds)), "sock_gettimeout");
        return interval{seconds};
    }

    // Whether a signal ends a wait, as std::errc::interrupted; by default it does not.
    void set_interrupt(bool on) { detail::raise(to_error_code(sock_setinterrupt(fd_, on)), "sock_setinterrupt"); }

    // In non-blocking mode std::errc::operation_in_progress means that it goes on by itself.
    void connect(const address &peer, const limit &until = {}) {
        std::error_code ec;
        connect(peer, ec, until);
        detail::raise(ec, "sock_connect");
    }
    void connect(const address &peer, std::error_code &ec, const limit &until = {}) {
        ec = to_error_code(until.is_mode()
            ? sock_connect(fd_, peer.data(), peer.size())
            : sock_connect_until(fd_, peer.data(), peer.size(), until.deadline(), until.token_handle()));
    }

    // The new socket is in blocking mode; its remote_address() tells who it is.
    unique_socket accept(const limit &until = {}) {
        std::error_code ec;
        auto socket = accept(ec, until);
        detail::raise(ec, "sock_accept");
        return socket;
    }
    unique_socket accept(std::error_code &ec, const limit &until = {}) {
        return adopt(until.is_mode()
            ? sock_accept(fd_, nullptr, nullptr)
            : sock_accept_until(fd_, nullptr, nullptr, until.deadline(), until.token_handle()), ec);
    }

    // Sends some of it, and gives how many bytes that were.
    std::size_t send(const_buffer data, const limit &until = {}, int flags = 0) {
        std::error_code ec;
        const auto sent = send(data, ec, until, flags);
        detail::raise(ec, "sock_send");
        return sent;
    }
    std::size_t send(const_buffer data, std::error_code &ec, const limit &until = {}, int flags = 0) {
        return count(until.is_mode()
            ? sock_send(fd_, data.data(), data.size(), flags)
            : sock_send_until(fd_, data.data(), data.size(), flags, until.deadline(), until.token_handle()), data.size(), ec);
    }

    // Receives what is there. 0 bytes are the end of a stream; a buffer of none gets none at once.
    std::size_t recv(mutable_buffer data, const limit &until = {}, int flags = 0) {
        std::error_code ec;
        const auto received = recv(data, ec, until, flags);
        detail::raise(ec, "sock_recv");
        return received;
    }
    std::size_t recv(mutable_buffer data, std::error_code &ec, const limit &until = {}, int flags = 0) {
        if (data.size() == 0)
            return count(0, 0, ec);
        return count(until.is_mode()
            ? sock_recv(fd_, data.data(), data.size(), flags)
            : sock_recv_until(fd_, data.data(), data.size(), flags, until.deadline(), until.token_handle()), data.size(), ec);
    }

    // Sends a datagram.
    std::size_t send_to(const_buffer data, const address &peer, const limit &until = {}, int flags = 0) {
        std::error_code ec;
        const auto sent = send_to(data, peer, ec, until, flags);
        detail::raise(ec, "sock_sendto");
        return sent;
    }
    std::size_t send_to(const_buffer data, const address &peer, std::error_code &ec, const limit &until = {}, int flags = 0) {
        return count(until.is_mode()
            ? sock_sendto(fd_, data.data(), data.size(), flags, peer.data(), peer.size())
            : sock_sendto_until(fd_, data.data(), data.size(), flags, peer.data(), peer.size(), until.deadline(),
                  until.token_handle()), data.size(), ec);
    }

    // Receives a datagram, and tells where it came from.
    std::size_t recv_from(mutable_buffer data, address &peer, const limit &until = {}, int flags = 0) {
        std::error_code ec;
        const auto received = recv_from(data, peer, ec, until, flags);
        detail::raise(ec, "sock_recvfrom");
        return received;
    }
    std::size_t recv_from(mutable_buffer data, address &peer, std::error_code &ec, const limit &until = {}, int flags = 0) {
        auto size = address::capacity();
        const auto received = until.is_mode()
            ? sock_recvfrom(fd_, data.data(), data.size(), flags, peer.data(), &size)
            : sock_recvfrom_until(fd_, data.data(), data.size(), flags, peer.data(), &size, until.deadline(), until.token_handle());
        if (received >= 0)
            peer.resize(size);
        return count(received, data.size(), ec);
    }

    // Sends or receives all of it within one timeout or limit. The count that is returned beside an error, or thrown with it,
    // is exact. A peer that closes before is std::errc::broken_pipe.
    void send_all(const_buffer data, const limit &until = {}, int flags = 0) {
        std::error_code ec;
        const auto sent = send_all(data, ec, until, flags);
        detail::raise(ec, "sock_sendall", sent);
    }
    std::size_t send_all(const_buffer data, std::error_code &ec, const limit &until = {}, int flags = 0) {
        std::size_t sent{};
        ec = to_error_code(until.is_mode()
            ? sock_sendall(fd_, data.data(), data.size(), flags, &sent)
            : sock_sendall_until(fd_, data.data(), data.size(), flags, &sent, until.deadline(), until.token_handle()));
        return sent;
    }
    void recv_all(mutable_buffer data, const limit &until = {}, int flags = 0) {
        std::error_code ec;
        const auto received = recv_all(data, ec, until, flags);
        detail::raise(ec, "sock_recvall", received);
    }
    std::size_t recv_all(mutable_buffer data, std::error_code &ec, const limit &until = {}, int flags = 0) {
        std::size_t received{};
        ec = to_error_code(until.is_mode()
            ? sock_recvall(fd_, data.data(), data.size(), flags, &received)
            : sock_recvall_until(fd_, data.data(), data.size(), flags, &received, until.deadline(), until.token_handle()));
        return received;
    }

    // Waits for the events of poll(2), whatever the mode, and gives those that are there. Without a limit it is for ever.
    int wait(int events, const limit &until = {}) {
        std::error_code ec;
        const int ready = wait(events, ec, until);
        detail::raise(ec, "sock_wait");
        return ready;
    }
    int wait(int events, std::error_code &ec, const limit &until = {}) {
        const int ready = sock_wait_until(fd_, events, until.deadline(), until.token_handle());
        ec = to_error_code(ready);
        return ready < 0 ? 0 : ready;
    }

    // Looks at once which of the events are there.
    int ready(int events) const {
        const int ready = sock_wait(fd_, events, 0);
        detail::raise(to_error_code(ready == -EAGAIN ? 0 : ready), "sock_wait");
        return ready < 0 ? 0 : ready;
    }

private:
    static bool nul(const name &host, const name &service) noexcept { return host.has_nul() || service.has_nul(); }

    static unique_socket adopt(int result, std::error_code &ec) noexcept {
        ec = to_error_code(result);
        return unique_socket{result < 0 ? -1 : result};
    }

    // With MSG_TRUNC a receive tells the whole length of a message, of which the buffer has but the beginning.
    static std::size_t count(ssize_t result, std::size_t size, std::error_code &ec) noexcept {
        ec = to_error_code(result);
        const auto moved = result < 0 ? 0 : static_cast<std::size_t>(result);
        return moved < size ? moved : size;
    }

    address named(int (*function)(int, sockaddr *, socklen_t *), const char *words) const {
        address found;
        auto size = address::capacity();
        detail::raise(to_error_code(function(fd_, found.data(), &size) < 0 ? -errno : 0), words);
        found.resize(size);
        return found;
    }

    int fd_ = -1;
};

// The lines of a stream. What came behind them is unread(): a body, say, after the lines of a head. The socket must outlive it.
class line_reader {
public:
    explicit line_reader(unique_socket &socket, std::string delimiter = "\n", std::size_t longest = 65536)
        : socket_(socket), delimiter_{std::move(delimiter)}, longest_{longest}, buffer_{new char[room(longest)]} {}

    // Gives the next line with its delimiter, or false at the end. A stream that ends in the middle of one is
    // std::errc::broken_pipe, and a line that is too long std::errc::message_size. After a timeout, call again to go on.
    bool next(std::string &line, const limit &until = {}) {
        std::error_code ec;
        const bool found = next(line, ec, until);
        detail::raise(ec, "sock_recvdelim");
        return found;
    }
    bool next(std::string &line, std::error_code &ec, const limit &until = {}) {
        if (begin_ > longest_) {
            std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        char *const start = buffer_.get() + begin_;
        std::size_t have = end_ - begin_;
        const auto room = have > longest_ ? have : longest_;
        const auto length = until.is_mode()
            ? sock_recvdelim(socket_.native_handle(), start, room, &have, delimiter_.data(), delimiter_.size())
            : sock_recvdelim_until(socket_.native_handle(), start, room, &have, delimiter_.data(), delimiter_.size(),
                  until.deadline(), until.token_handle());
        end_ = begin_ + have;
        ec = to_error_code(length > static_cast<ssize_t>(longest_) ? -EMSGSIZE : length);
        if (ec || length == 0)
            return false;
        line.assign(start, static_cast<std::size_t>(length));
        begin_ += static_cast<std::size_t>(length);
        return true;
    }

    std::string unread() const { return {buffer_.get() + begin_, end_ - begin_}; }

private:
    // Twice the longest line, so that what is left of it is moved to its front only now and then.
    static std::size_t room(std::size_t longest) {
        if (longest > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / 2)
            throw std::length_error{"line_reader"};
        return 2 * longest + 1;
    }

    unique_socket &socket_;
    std::string delimiter_;
    std::size_t longest_, begin_ = 0, end_ = 0;
    std::unique_ptr<char[]> buffer_;
};

} // namespace libsock

namespace std {
template <> struct is_error_code_enum<libsock::lookup_errc> : true_type {};
} // namespace std

#endif
