// Does what ../SCENARIO.md says.

#include "sock.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <iomanip>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

volatile std::sig_atomic_t signals = 0;

void expect(bool ok, const std::string &what) {
    if (!ok)
        throw std::runtime_error{what};
}

bool on_time(clock_type::time_point start, libsock::seconds timeout) {
    const auto elapsed = clock_type::now() - start;
    return elapsed >= timeout && elapsed < timeout + 1s;
}

std::pair<libsock::socket, libsock::socket> make_pair() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        throw std::system_error{errno, std::generic_category(), "socketpair"};
    return {libsock::socket{fds[0]}, libsock::socket{fds[1]}};
}

libsock::socket connect(const char *host, const char *port, libsock::seconds timeout) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *found{};
    if (const int code = getaddrinfo(host, port, &hints, &found))
        throw std::runtime_error{gai_strerror(code)};
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> address{found, freeaddrinfo};
    libsock::socket socket{::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    socket.set_timeout(timeout);
    socket.connect(found->ai_addr, found->ai_addrlen);
    return socket;
}

std::uint32_t adler32(const std::vector<unsigned char> &bytes) {
    std::uint32_t a = 1, b = 0;
    for (const auto byte : bytes) {
        a = (a + byte) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

void not_ready_then_timeout() {
    auto [socket, peer] = make_pair();
    char byte;
    std::error_code ec;

    socket.set_timeout(0s);
    socket.recv(&byte, 1, ec);
    expect(ec == std::errc::operation_would_block, "non-blocking: " + ec.message());
    std::cout << "non-blocking: not ready\n";

    socket.set_timeout(250ms);
    const auto start = clock_type::now();
    socket.recv(&byte, 1, ec);
    expect(ec == std::errc::timed_out, "timeout: " + ec.message());
    expect(on_time(start, 250ms), "timeout: not on time");
    peer.send_all("x", 1);
    expect(socket.recv(&byte, 1) == 1 && byte == 'x', "timeout: the socket is no longer good");
    std::cout << "timeout of 0.25 s: fired on time, and the socket is still good\n";
}

void echo(const char *host, const char *port) {
    auto socket = connect(host, port, 30s);
    std::vector<unsigned char> sent(8 << 20), received(sent.size());
    for (std::size_t i = 0; i < sent.size(); i++)
        sent[i] = static_cast<unsigned char>(i % 251);

    auto sending = std::async(std::launch::async, [&] { socket.send_all(sent.data(), sent.size()); });
    socket.recv_all(received.data(), received.size());
    sending.get();
    expect(received == sent, "echo: other bytes came back");
    std::cout << "echo: " << received.size() << " bytes there and back, Adler-32 " << std::hex << std::setw(8)
              << std::setfill('0') << adler32(received) << std::dec << '\n';
}

void early_close() {
    auto [socket, peer] = make_pair();
    std::array<char, 4096> bytes{};
    peer.send_all(bytes.data(), 1000);
    peer = libsock::socket{};

    std::size_t received{};
    try {
        socket.recv_all(bytes.data(), bytes.size());
    } catch (const libsock::error &error) {
        expect(error.code() == std::errc::broken_pipe, std::string{"early close: "} + error.what());
        received = error.transferred();
    }
    std::error_code ec;
    const auto sent = socket.send_all(bytes.data(), bytes.size(), ec);
    expect(ec == std::errc::broken_pipe, "early close: " + ec.message());
    std::cout << "early close: " << received << " of " << bytes.size() << " bytes received, then " << sent << " of "
              << bytes.size() << " sent\n";
}

void signal_while_waiting() {
    auto [socket, peer] = make_pair();
    socket.set_timeout(500ms);
    std::signal(SIGUSR1, [](int) { signals = signals + 1; });
    std::thread sender{[waiting = pthread_self()] {
        std::this_thread::sleep_for(100ms);
        pthread_kill(waiting, SIGUSR1);
    }};

    char byte;
    std::error_code ec;
    const auto start = clock_type::now();
    socket.recv(&byte, 1, ec);
    const bool timely = on_time(start, 500ms);
    sender.join();
    expect(ec == std::errc::timed_out, "signal: " + ec.message());
    expect(timely, "signal: not on time");
    expect(signals == 1, "signal: not handled");
    std::cout << "signal during a timeout of 0.5 s: handled, and fired on time\n";
}

std::string port_of(const libsock::socket &socket) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    if (getsockname(socket.native_handle(), reinterpret_cast<sockaddr *>(&address), &length) < 0)
        throw std::system_error{errno, std::generic_category(), "getsockname"};
    return std::to_string(ntohs(address.sin_port));
}

void by_name() {
    auto listener = libsock::socket::listen("127.0.0.1", "0");
    auto socket = libsock::socket::dial("localhost", port_of(listener).c_str(), 5s);
    auto peer = listener.accept();
    expect(socket.timeout() == 5s, "by name: another timeout");
    socket.send_all("hello", 5);
    std::string received(5, '\0');
    peer.recv_all(received.data(), received.size());
    expect(received == "hello", "by name: other bytes came");
    std::cout << "by name: dialed, with a timeout of 5 s, and " << received << " went through\n";
}

void lookups() {
    std::error_code host, service;
    libsock::socket::dial("no such host", "7", 5s, host);
    expect(host == libsock::lookup_errc::no_such_host, "lookups: " + host.message());
    try {
        libsock::socket::dial("127.0.0.1", "no-such-service", 5s);
    } catch (const libsock::error &error) {
        service = error.code();
    }
    expect(service == libsock::lookup_errc::no_such_service, "lookups: " + service.message());
    std::cout << "lookups that fail: " << host.message() << ", " << service.message() << '\n';
}

} // namespace

int main(int argc, char *argv[]) {
    if (argc != 3) {
        std::cerr << "usage: scenario HOST PORT\n";
        return 64;
    }
    try {
        not_ready_then_timeout();
        echo(argv[1], argv[2]);
        early_close();
        signal_while_waiting();
        by_name();
        lookups();
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
