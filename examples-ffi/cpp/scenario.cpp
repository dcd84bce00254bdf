// Does what ../SCENARIO.md says. usage: scenario HOST PORT

#include "sock.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using libsock::limit;
using libsock::unique_socket;
using clock_type = std::chrono::steady_clock;

namespace {

volatile std::sig_atomic_t signals = 0;

void expect(bool ok, const std::string &otherwise) {
    if (!ok)
        throw std::runtime_error{otherwise};
}

void expect(const std::error_code &ec, std::errc expected, const std::string &where) {
    expect(ec == expected, where + ": " + ec.message());
}

bool on_time(clock_type::time_point start, libsock::interval after) {
    const auto elapsed = clock_type::now() - start;
    return elapsed >= after && elapsed < after + 1s;
}

// Whether a receive that gets nothing ends on time.
bool times_out(unique_socket &socket, libsock::interval timeout) {
    socket.set_timeout(timeout);
    char byte[1];
    std::error_code ec;
    const auto start = clock_type::now();
    socket.recv(byte, ec);
    return ec == std::errc::timed_out && on_time(start, timeout);
}

std::string recv(unique_socket &socket, std::size_t size) {
    std::string received(size, '\0');
    received.resize(socket.recv(received));
    return received;
}

std::string recv_all(unique_socket &socket, std::size_t size) {
    std::string received(size, '\0');
    socket.recv_all(received);
    return received;
}

std::uint32_t adler32(const std::vector<unsigned char> &bytes) {
    std::uint32_t a = 1, b = 0;
    for (const auto byte : bytes) {
        a = (a + byte) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

void not_ready() {
    auto [near, far] = unique_socket::pair();
    char byte[1];
    std::error_code ec;
    near.set_timeout(0s);
    near.recv(byte, ec);
    expect(ec, std::errc::operation_would_block, "non-blocking");
    std::cout << "non-blocking: not ready\n";

    expect(times_out(near, 250ms), "timeout: not on time");
    far.send("x"sv);
    expect(recv(near, 1) == "x", "timeout: the socket is no longer good");
    std::cout << "timeout of 0.25 s: fired on time, and the socket is still good\n";
}

void echo(const char *host, const char *port) {
    const libsock::address server{host, port};
    auto socket = unique_socket::open(server.data()->sa_family, SOCK_STREAM);
    socket.set_timeout(30s);
    socket.connect(server);
    std::vector<unsigned char> sent(8 << 20), received(sent.size());
    for (std::size_t i = 0; i < sent.size(); i++)
        sent[i] = static_cast<unsigned char>(i % 251);

    auto sending = std::async(std::launch::async, [&] { socket.send_all(sent); });
    socket.recv_all(received);
    sending.get();
    expect(received == sent, "echo: other bytes came back");
    std::cout << "echo: " << received.size() << " bytes there and back, Adler-32 " << std::hex << std::setw(8)
              << std::setfill('0') << adler32(received) << std::dec << '\n';
}

void early_close() {
    auto [near, far] = unique_socket::pair();
    std::array<char, 4096> bytes{};
    far.send_all({bytes.data(), 1000});
    far.close();

    std::size_t received{};
    try {
        near.recv_all(bytes);
    } catch (const libsock::socket_error &error) {
        expect(error.code(), std::errc::broken_pipe, "early close");
        received = error.transferred();
    }
    std::error_code ec;
    const auto sent = near.send_all(bytes, ec);
    expect(ec, std::errc::broken_pipe, "early close");
    std::cout << "early close: " << received << " of " << bytes.size() << " bytes received, then " << sent << " of "
              << bytes.size() << " sent\n";
}

void interrupted() {
    auto [near, far] = unique_socket::pair();
    std::signal(SIGUSR1, [](int) { signals = signals + 1; });
    std::jthread sender{[waiting = pthread_self()] {
        std::this_thread::sleep_for(100ms);
        pthread_kill(waiting, SIGUSR1);
    }};
    expect(times_out(near, 500ms), "signal: not on time");
    sender.join();
    expect(signals == 1, "signal: not handled");
    std::cout << "signal during a timeout of 0.5 s: handled, and fired on time\n";
}

void by_name() {
    auto listener = unique_socket::listen("127.0.0.1", 0);
    auto near = unique_socket::dial("localhost", listener.local_address().port(), 5s);
    auto far = listener.accept();
    near.send_all("hello"sv);
    expect(near.timeout() == 5s && recv_all(far, 5) == "hello", "by name: another timeout, or other bytes");
    std::cout << "by name: dialed, with a timeout of 5 s, and hello went through\n";
}

void lookups() {
    std::error_code host, service, nul;
    unique_socket::dial("no such host", 7, 5s, host);
    expect(host == libsock::lookup_errc::no_such_host, "lookups: " + host.message());
    unique_socket::dial("127.0.0.1", "no-such-service", 5s, service);
    expect(service == libsock::lookup_errc::no_such_service, "lookups: " + service.message());
    std::cout << "lookups that fail: " << host.message() << ", " << service.message() << '\n';

    unique_socket::dial("127.0.0.1\0.example"sv, 7, 5s, nul);
    expect(nul, std::errc::invalid_argument, "NUL");
    std::cout << "a host with a NUL: refused\n";
}

void sizes() {
    auto [near, far] = unique_socket::pair();
    near.set_timeout(250ms);
    expect(near.recv({nullptr, 0}) == 0, "nothing: something");
    std::cout << "receive of 0 bytes: nothing, at once\n";

    char byte{};
    for (const auto size : {static_cast<std::size_t>(-1), std::size_t{1} << (std::numeric_limits<std::size_t>::digits - 1)}) {
        std::error_code ec;
        near.recv({&byte, size}, ec);
        expect(ec, std::errc::invalid_argument, "sizes");
    }
    std::cout << "sizes of -1 and 2^63: refused\n";
}

void deadline() {
    auto [near, far] = unique_socket::pair();
    const auto start = clock_type::now();
    const limit until{300ms};
    std::error_code ec;
    for (int i = 0; i < 100 && !ec; i++) {
        char byte[1];
        far.send("x"sv);
        near.recv(byte, ec, until);
        std::this_thread::sleep_for(20ms);
    }
    expect(ec, std::errc::timed_out, "deadline");
    expect(on_time(start, 300ms), "deadline: not on time");
    std::cout << "deadline of 0.3 s over many calls: on time, though the peer went on sending\n";
}

void cancelled() {
    auto [near, far] = unique_socket::pair();
    far.send_all(std::string(1000, 'x'));
    std::error_code ec;
    std::size_t received{};
    std::jthread receiver{[&, &near = near](const std::stop_token &stop) {
        const libsock::linked_token token{stop};
        std::array<char, 4096> bytes;
        received = near.recv_all(bytes, ec, token);
    }};
    std::this_thread::sleep_for(100ms);
    receiver.request_stop();
    receiver.join();
    expect(ec, std::errc::operation_canceled, "cancelled");
    far.send("y"sv);
    expect(recv(near, 1) == "y", "cancelled: the socket is no longer good");
    std::cout << "cancelled: " << received << " of 4096 bytes received, and the socket is still good\n";
}

void lines() {
    auto [near, far] = unique_socket::pair();
    far.send_all("first\nsec"sv);
    libsock::line_reader reader{near};
    std::string first, second;
    reader.next(first);
    const auto start = clock_type::now();
    std::error_code ec;
    reader.next(second, ec, 100ms);
    expect(ec, std::errc::timed_out, "lines");
    expect(on_time(start, 100ms), "lines: not on time");
    far.send_all("ond\nrest"sv);
    reader.next(second);
    auto rest = reader.unread();
    rest += recv_all(near, 4 - rest.size());
    for (auto *line : {&first, &second})
        line->pop_back();
    std::cout << "lines: " << first << ", " << second << "; then " << rest << '\n';
}

void addresses() {
    auto listener = unique_socket::listen("127.0.0.1", 0);
    auto near = unique_socket::dial("127.0.0.1", listener.local_address().port(), 5s);
    auto far = listener.accept();
    expect(near.remote_address() == listener.local_address() && near.remote_address() == far.local_address()
            && near.local_address() == far.remote_address(), "addresses: not what the other sees");
    std::cout << "addresses: " << near.remote_address().host() << ", and each end's is what the other sees\n";
}

void datagrams() {
    auto server = unique_socket::listen("127.0.0.1", "0/udp"), client = unique_socket::listen("127.0.0.1", "0/udp");
    std::string question(100, '\0'), answer(100, '\0');
    libsock::address asked_by, answered_by;
    client.send_to("question"sv, server.local_address());
    question.resize(server.recv_from(question, asked_by));
    server.send_to("answer"sv, asked_by);
    answer.resize(client.recv_from(answer, answered_by));
    expect(asked_by == client.local_address() && answered_by == server.local_address(), "datagrams: from elsewhere");
    std::cout << "datagrams: " << question << " and " << answer << ", each with its sender's address\n";
}

void unix_socket() {
    auto directory = (std::filesystem::temp_directory_path() / "libsock-XXXXXX").string();
    expect(mkdtemp(directory.data()) != nullptr, "no directory");
    const auto path = directory + "/socket";
    {
        auto listener = unique_socket::listen(path);
        auto near = unique_socket::dial(path, nullptr, 5s);
        auto far = listener.accept();
        near.send_all("hello"sv);
        expect(near.remote_address().host() == path && recv_all(far, 5) == "hello", "Unix socket: not what was sent");
    }
    std::filesystem::remove_all(directory);
    std::cout << "Unix socket: dialed by its path, and hello went through\n";
}

void use_after_close() {
    auto [closed, other] = unique_socket::pair();
    const int number = closed.native_handle();
    closed.close();
    auto [near, far] = unique_socket::pair();
    expect(near.native_handle() == number || far.native_handle() == number, "use after close: another number");
    std::error_code sent, received, set;
    char byte[1];
    closed.send_all("astray"sv, sent);
    closed.recv(byte, received);
    try {
        closed.set_timeout(0s);
    } catch (const libsock::socket_error &error) {
        set = error.code();
    }
    for (const auto &ec : {sent, received, set})
        expect(ec, std::errc::bad_file_descriptor, "use after close");
    closed.close();
    near.send("x"sv);
    far.send("y"sv);
    expect(recv(far, 10) == "x" && recv(near, 10) == "y", "use after close: other bytes came");
    std::cout << "use after close: an error, and what has its number by then is left alone; closing twice: harmless\n";
}

// To close an object that another thread uses is the program's own mistake here, as with any other: it cancels first.
void close_while_waiting() {
    auto [near, far] = unique_socket::pair();
    near.set_timeout(10s);
    libsock::token closing;
    std::error_code ec;
    std::jthread receiver{[&, &near = near] {
        char byte[1];
        near.recv(byte, ec, closing);
    }};
    std::this_thread::sleep_for(100ms);
    closing.cancel();
    receiver.join();
    near.close();
    expect(ec, std::errc::operation_canceled, "close");
    std::cout << "close while a receive waits: an error at once, and not the end of the stream\n";
}

std::ptrdiff_t descriptors() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
}

void dropped() {
    unique_socket::pair();
    const auto before = descriptors();
    for (int i = 0; i < 500; i++)
        unique_socket::pair();
    expect(descriptors() == before, "dropped: some are left");
    std::cout << "1000 sockets dropped: no descriptor is left\n";
}

} // namespace

int main(int argc, char *argv[]) {
    if (argc != 3) {
        std::cerr << "usage: scenario HOST PORT\n";
        return 64;
    }
    try {
        not_ready();
        echo(argv[1], argv[2]);
        early_close();
        interrupted();
        by_name();
        lookups();
        sizes();
        deadline();
        cancelled();
        lines();
        addresses();
        datagrams();
        unix_socket();
        use_after_close();
        close_while_waiting();
        dropped();
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
