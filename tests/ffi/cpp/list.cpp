// What C++ alone has the notion of. usage: list HOW-OFTEN SECONDS [CHECK]

#include "sock.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <iterator>
#include <random>
#include <span>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <error.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// Neither namespace clashes with the C library's functions, such as socket() and error().
using namespace libsock;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;
using steady = std::chrono::steady_clock;

// What can only be read is no place to receive into, and a literal might or might not be sent with its NUL.
static_assert(!std::is_constructible_v<mutable_buffer, const std::vector<char> &>);
static_assert(!std::is_constructible_v<mutable_buffer, const std::string &>);
static_assert(!std::is_constructible_v<mutable_buffer, std::string_view>);
static_assert(!std::is_constructible_v<mutable_buffer, std::span<const char>>);
static_assert(!std::is_constructible_v<mutable_buffer, const char (&)[3]>);
static_assert(!std::is_constructible_v<mutable_buffer, std::vector<std::string> &>);
static_assert(!std::is_constructible_v<const_buffer, std::vector<std::string> &>);
static_assert(!std::is_convertible_v<const char (&)[3], const_buffer>);
static_assert(!std::is_convertible_v<unique_socket, bool> && std::is_constructible_v<bool, unique_socket>);
static_assert(!std::is_convertible_v<int, unique_socket> && !std::is_copy_constructible_v<unique_socket>);
static_assert(std::is_nothrow_move_constructible_v<unique_socket> && std::is_nothrow_move_assignable_v<unique_socket>);

namespace {

int often;
libsock::interval soon;

std::string in_words(double value) {
    std::ostringstream words;
    words << value;
    return words.str();
}

#define CHECK(what) check((what), __LINE__, #what)

void check(bool ok, int line, const std::string &what) {
    if (!ok)
        throw std::runtime_error{what + " is not so in line " + std::to_string(line)};
}

template <class F> std::error_code fails(F &&call) {
    try {
        call();
    } catch (const socket_error &error) {
        return error.code();
    }
    return {};
}

template <class F> double seconds(F &&call) {
    const auto start = steady::now();
    call();
    return interval{steady::now() - start}.count();
}

std::string recv_all(unique_socket &socket, std::size_t size) {
    std::string received(size, '\0');
    socket.recv_all(received);
    return received;
}

std::ptrdiff_t descriptors() { return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {}); }

long resident() {
    long size{}, pages{};
    std::ifstream{"/proc/self/statm"} >> size >> pages;
    return pages * sysconf(_SC_PAGESIZE);
}

double processor_time() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// How long a wait takes during which a signal is handled.
double with_signal(const std::function<void()> &wait) {
    std::signal(SIGUSR1, [](int) {});
    std::thread shooter{[waiting = pthread_self()] {
        std::this_thread::sleep_for(50ms);
        pthread_kill(waiting, SIGUSR1);
    }};
    const auto took = seconds(wait);
    shooter.join();
    return took;
}

// A listener whose queue is full, so that it answers nobody, and those who are in the queue.
struct full_listener {
    unique_socket listener = unique_socket::listen("127.0.0.1", 0, 1);
    address where = listener.local_address();
    unique_socket ahead[2] = {unique_socket::dial("127.0.0.1", where.port(), 5s), unique_socket::dial("127.0.0.1", where.port(), 5s)};
};

// Whether a thread ends by pthread_cancel(3) where it waits, with its destructors run, and the program does not.
bool cancelled(const std::function<void()> &wait, bool &unwound, std::chrono::milliseconds later = 20ms) {
    struct on_unwind {
        bool &seen;
        ~on_unwind() { seen = true; }
    };
    unwound = false;
    const std::function<void()> body = [&] {
        const on_unwind guard{unwound};
        wait();
    };
    pthread_t thread;
    const auto run = [](void *argument) -> void * {
        (*static_cast<const std::function<void()> *>(argument))();
        return nullptr;
    };
    CHECK(pthread_create(&thread, nullptr, run, const_cast<std::function<void()> *>(&body)) == 0);
    std::this_thread::sleep_for(later);
    pthread_cancel(thread);
    void *result{};
    pthread_join(thread, &result);
    return result == PTHREAD_CANCELED;
}

std::string cancellation() {
    auto [near, far] = unique_socket::pair();
    auto &socket = near;
    auto listener = unique_socket::listen("127.0.0.1", 0);
    line_reader reader{near};
    std::error_code ec;
    std::vector<char> some(10), much(8 << 20);
    std::string line;
    address peer;
    const limit until{60s};
    const std::vector<std::function<void()>> waits{
        [&] { socket.recv(some); },
        [&] { socket.recv(some, ec); },
        [&] { socket.recv(some, until); },
        [&] { socket.recv(some, ec, until); },
        [&] { socket.recv_from(some, peer, ec); },
        [&] { socket.recv_all(some, ec); },
        [&] { socket.recv_all(some, ec, until); },
        [&] { reader.next(line, ec); },
        [&] { socket.wait(POLLIN, ec, until); },
        [&] { listener.accept(ec); },
        [&] { listener.accept(ec, until); },
        [&] { socket.send_all(much, ec); },
        [&] { socket.send(much, ec); },
    };
    for (std::size_t i = 0; i < waits.size(); i++) {
        bool unwound;
        check(cancelled(waits[i], unwound) && unwound, __LINE__, "cancelled in wait " + std::to_string(i));
    }
    return std::to_string(waits.size()) + " kinds of waits";
}

// close(2) is a cancellation point too, and destructors must not throw.
void cancelled_before_a_destructor() {
    const auto before = descriptors();
    bool unwound, after = false;
    CHECK(cancelled([&] {
        {
            auto sockets = unique_socket::pair();
            const token one;
            pthread_cancel(pthread_self());
        }
        after = true;
        pthread_testcancel();
    }, unwound));
    CHECK(after && descriptors() == before);
}

// A dial holds it back, for it would leak what is under way.
void cancelled_dial() {
    const full_listener full;
    const auto before = descriptors();
    for (int i = 0; i < 3; i++) {
        bool unwound, after = false;
        CHECK(cancelled([&] {
            std::error_code ec;
            unique_socket::dial("127.0.0.1", full.where.port(), 200ms, ec);
            after = ec == std::errc::timed_out;
            pthread_testcancel();
        }, unwound));
        CHECK(after && descriptors() == before);
    }
}

std::string stop_token() {
    auto [near, far] = unique_socket::pair();
    std::mt19937 random{1};
    std::atomic<double> slowest{0};
    for (int i = 0; i < often; i++) {
        std::atomic<steady::time_point> asked{steady::time_point{}};
        std::error_code ec;
        {
            std::jthread waiting{[&, &socket = near](const std::stop_token &stop) {
                const linked_token token{stop};
                char byte[1];
                socket.recv(byte, ec, limit{5s, token});
                slowest = std::max(slowest.load(), interval{steady::now() - asked.load()}.count());
            }};
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 200});
            asked = steady::now();
        } // Its destructor asks it to stop.
        CHECK(ec == std::errc::operation_canceled);
    }
    std::stop_source stopped;
    stopped.request_stop();
    const linked_token token{stopped.get_token()};
    char byte[1];
    std::error_code ec;
    near.recv(byte, ec, token);
    CHECK(ec == std::errc::operation_canceled && token.cancelled());
    far.send("x"sv);
    CHECK(near.recv(byte, token) == 1);
    CHECK(slowest < soon.count());
    return std::to_string(often) + " of them, the slowest after " + in_words(slowest * 1e3) + " ms";
}

// What was moved is told, in the middle of a whole buffer.
void counts() {
    auto [near, far] = unique_socket::pair();
    token stop;
    std::thread stopper{[&] {
        std::this_thread::sleep_for(100ms);
        stop.cancel();
    }};
    std::error_code ec;
    const auto sent = near.send_all(std::vector<char>(8 << 20), ec, stop);
    stopper.join();
    CHECK(ec == std::errc::operation_canceled && sent > 0);
    std::vector<char> received(8 << 20);
    far.set_timeout(0s);
    std::size_t came = 0, n;
    while ((n = far.recv(received, ec)) > 0)
        came += n;
    CHECK(ec == std::errc::operation_would_block && came == sent);

    far.send_all("begin"sv);
    try {
        near.recv_all(received, 50ms);
        CHECK(false);
    } catch (const socket_error &error) {
        CHECK(error.code() == std::errc::timed_out && error.transferred() == 5);
        CHECK(std::string(received.data(), 5) == "begin");
        CHECK(std::string{error.what()}.find("sock_recvall") == 0);
    }
}

void limits() {
    auto [near, far] = unique_socket::pair();
    char byte[1];
    std::error_code ec;
    CHECK(seconds([&, &socket = near] { socket.recv(byte, ec, steady::now() + 100ms); }) >= 0.1 && ec == std::errc::timed_out);
    const auto moment = steady::now() + 100ms;
    near.wait(POLLIN, ec, moment);
    CHECK(ec == std::errc::timed_out && steady::now() >= moment);
    far.send("x"sv);
    CHECK(fails([&, &socket = near] { socket.recv(byte, limit{-1s}); }) == std::errc::timed_out);
    CHECK(fails([&, &socket = near] { socket.recv(byte, steady::now() - 1h); }) == std::errc::timed_out);
    CHECK(near.recv(byte, limit{forever}) == 1 && near.ready(POLLIN) == 0 && near.wait(POLLOUT) == POLLOUT);
    CHECK(near.timeout() == forever);
    near.set_timeout(50ms);
    CHECK(near.timeout() == 50ms);
    CHECK(seconds([&, &socket = near] { socket.recv(byte, ec, 150ms); }) >= 0.15); // The limit, and not the mode.
    CHECK(seconds([&, &socket = near] { socket.recv(byte, ec); }) >= 0.05 && ec == std::errc::timed_out);
    const full_listener full;
    CHECK(fails([&] { unique_socket::dial("127.0.0.1", full.where.port(), limit{50ms}); }) == std::errc::timed_out);
    token cancelled;
    cancelled.cancel();
    CHECK(fails([&] { unique_socket::dial("127.0.0.1", full.where.port(), limit{5s, cancelled}); }) == std::errc::operation_canceled);
    auto socket = unique_socket::open(AF_INET, SOCK_STREAM);
    socket.connect(full.where, ec, 50ms);
    CHECK(ec == std::errc::timed_out);
    auto listener = unique_socket::listen("127.0.0.1", 0);
    CHECK(!listener.accept(ec, 20ms) && ec == std::errc::timed_out);
}

void interruption() {
    auto [near, far] = unique_socket::pair();
    char bytes[10];
    std::error_code ec;
    far.send_all("begin"sv);
    std::size_t received{};
    CHECK(with_signal([&, &socket = near] { received = socket.recv_all(bytes, ec, 200ms); }) >= 0.2);
    CHECK(ec == std::errc::timed_out && received == 5);
    near.set_interrupt(true);
    with_signal([&, &socket = near] { socket.recv(bytes, ec); });
    CHECK(ec == std::errc::interrupted);
}

std::string dropped() {
    auto listener = unique_socket::listen("127.0.0.1", 0);
    const int port = listener.local_address().port();
    const linger at_once{1, 0}; // Or so many ports would stay in use for a while.
    std::ptrdiff_t before{};
    long memory{};
    for (int i = 0; i < often * 10; i++) {
        if (i == often) {
            before = descriptors();
            memory = resident();
        }
        auto near = unique_socket::dial("127.0.0.1", port, 5s);
        setsockopt(near.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        near.send_all("x"sv);
        auto far = listener.accept();
        near = std::move(far);
        const token one;
        try {
            throw socket_error{to_error_code(-EPIPE), "on the way"};
        } catch (const socket_error &) {
        }
    }
    CHECK(descriptors() == before);
    const long grown = resident() - memory;
    CHECK(grown < 4 << 20);
    return std::to_string(often * 20) + " sockets, " + std::to_string(grown / 1024) + " KiB more";
}

void bad_arguments() {
    auto [near, far] = unique_socket::pair();
    auto &socket = near;
    for (const auto &[timeout, expected] : {std::pair{interval{-1}, std::errc::invalid_argument}, {interval{NAN}, std::errc::invalid_argument},
             {interval{1e300}, std::errc::value_too_large}, {interval{std::chrono::hours::max()}, std::errc::value_too_large}})
        CHECK(fails([&] { socket.set_timeout(timeout); }) == expected);
    char byte[1];
    for (const auto size : {SIZE_MAX, SIZE_MAX / 2 + 1}) {
        CHECK(fails([&] { socket.recv({byte, size}, 1s); }) == std::errc::invalid_argument);
        CHECK(fails([&] { socket.recv_all({byte, size}, 1s); }) == std::errc::invalid_argument);
        CHECK(fails([&] { socket.send_all({byte, size}, 1s); }) == std::errc::invalid_argument);
    }
    CHECK(fails([&] { socket.recv(byte, limit{interval{NAN}}); }) == std::errc::invalid_argument);
    for (const name &host : {name{"127.0.0.1\0.example"s}, name{"127.0.0.1\0"sv}}) {
        CHECK(fails([&] { unique_socket::dial(host, 7, 1s); }) == std::errc::invalid_argument);
        CHECK(fails([&] { unique_socket::dial(host, 7, limit{1s}); }) == std::errc::invalid_argument);
        CHECK(fails([&] { unique_socket::listen(host, 0); }) == std::errc::invalid_argument);
        CHECK(fails([&] { address{host, 0}; }) == std::errc::invalid_argument);
    }
    CHECK(fails([] { unique_socket::listen("127.0.0.1", "0\0/udp"sv); }) == std::errc::invalid_argument);
    CHECK(fails([] { unique_socket::dial("127.0.0.1", 65536, 1s); }) == lookup_errc::no_such_service);
    CHECK(fails([] { unique_socket::dial("no such host", 7, 1s); }) == lookup_errc::no_such_host);
    CHECK(fails([] { unique_socket::dial(nullptr, 7, 1s); }) == std::errc::invalid_argument);
    CHECK(fails([] { address{"localhost", 7}; }) == std::errc::invalid_argument);
    CHECK(fails([] { address{"/"s + std::string(200, 'x')}; }) == std::errc::filename_too_long);
    CHECK(make_error_code(lookup_errc::no_such_host).message() == "No such host");

    unique_socket moved{std::move(near)};
    CHECK(!socket && moved && socket.native_handle() == -1);
    CHECK(fails([&] { socket.recv(byte); }) == std::errc::bad_file_descriptor);
    auto &itself = moved;
    moved = std::move(itself);
    CHECK(bool{moved});
    moved.close();
    moved.close();
    CHECK(fails([&] { moved.send("x"sv); }) == std::errc::bad_file_descriptor);
    CHECK(fails([&] { moved.local_address(); }) == std::errc::bad_file_descriptor);
    unique_socket no_socket{open("/dev/null", O_RDONLY | O_CLOEXEC)};
    CHECK(fails([&] { no_socket.recv(byte); }) == std::errc::not_a_socket);
    const int fd = far.release();
    CHECK(!far && fcntl(fd, F_GETFD) >= 0);
    ::close(fd);
    CHECK(::socket(-1, -1, -1) == -1); // It is the C library's.
}

void buffers() {
    auto [near, far] = unique_socket::pair();
    const std::vector<int> numbers{1, 2, 3};
    near.send_all(numbers);
    std::array<int, 3> got{};
    far.recv_all(got);
    CHECK(std::equal(numbers.begin(), numbers.end(), got.begin()));
    near.send_all("..sliced.."sv.substr(2, 6));
    std::string whole(10, '.');
    far.recv_all(std::span{whole}.subspan(2, 6));
    CHECK(whole == "..sliced..");
    const std::byte bytes[]{std::byte{1}, std::byte{2}};
    near.send_all(bytes);
    std::vector<std::byte> two(2);
    far.recv_all(two);
    CHECK(two[1] == std::byte{2});
    std::error_code ec;
    far.set_timeout(2s);
    CHECK(far.recv({nullptr, 0}, ec) == 0 && !ec);
    std::vector<char> none;
    CHECK(far.recv(none) == 0 && far.recv_all(none, ec) == 0 && !ec && near.send_all(none, ec) == 0 && !ec);
    near.send("xyz"sv);
    char peeked[3];
    CHECK(far.recv(peeked, {}, MSG_PEEK) == 3 && far.recv(peeked, ec, {}, MSG_DONTWAIT) == 3);
    CHECK(far.recv(peeked, ec, {}, MSG_DONTWAIT) == 0 && ec == std::errc::operation_would_block);

    auto [one, other] = unique_socket::pair(SOCK_DGRAM);
    std::string small(8, '\0');
    one.send(std::string(1000, 'x'));
    CHECK(other.recv(small, {}, MSG_TRUNC) == 8 && small == "xxxxxxxx");
    one.send({nullptr, 0});
    CHECK(other.recv(small) == 0);
}

void lines() {
    auto [near, far] = unique_socket::pair();
    line_reader reader{near, "\n", 16};
    std::string line;
    std::error_code ec;
    far.send_all("one\ntwo\nthr"sv);
    CHECK(reader.next(line) && line == "one\n" && reader.next(line) && line == "two\n" && reader.unread() == "thr");
    near.set_timeout(50ms);
    CHECK(!reader.next(line, ec) && ec == std::errc::timed_out);
    far.send_all("ee\nrest"sv);
    CHECK(reader.next(line) && line == "three\n");
    far.send_all("x"sv);
    far.close();
    CHECK(fails([&] { reader.next(line); }) == std::errc::broken_pipe);

    // Of every length, also such as fill the buffer, in pieces that fit no line.
    auto [in, out] = unique_socket::pair();
    std::thread writer{[&to = out] {
        std::string all;
        for (std::size_t i = 0; i < 2000; i++)
            all += std::string(i % 16, static_cast<char>('a' + i % 26)) + '\n';
        for (std::size_t at = 0, piece = 1; at < all.size(); at += piece, piece = piece % 23 + 1)
            to.send_all(std::string_view{all}.substr(at, piece));
        to.close();
    }};
    line_reader many{in, "\n", 16};
    std::size_t n = 0;
    while (many.next(line)) {
        CHECK(line == std::string(n % 16, static_cast<char>('a' + n % 26)) + '\n');
        n++;
    }
    writer.join();
    CHECK(n == 2000);

    auto [head, body] = unique_socket::pair();
    line_reader block{head, "\r\n\r\n"};
    body.send_all("a head\r\n\r\nbody"sv);
    CHECK(block.next(line) && line == "a head\r\n\r\n" && block.unread() == "body");
    auto [shorts, longs] = unique_socket::pair();
    line_reader narrow{shorts, "\n", 16};
    longs.send_all(std::string(40, 'x') + '\n');
    CHECK(fails([&] { narrow.next(line); }) == std::errc::message_size);
    for (const auto size : {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 2}) {
        bool refused = false;
        try {
            line_reader{shorts, "\n", size};
        } catch (const std::exception &) { // It is too long, or there is not so much memory.
            refused = true;
        }
        CHECK(refused);
    }
}

void datagrams() {
    auto server = unique_socket::listen("127.0.0.1", "0/udp");
    auto client = unique_socket::dial("localhost", std::to_string(server.local_address().port()) + "/udp", 5s);
    client.send("question"sv);
    std::string data(100, '\0');
    address from;
    data.resize(server.recv_from(data, from));
    CHECK(data == "question" && from == client.local_address() && from != address{});
    server.send_to("answer"sv, from);
    server.send_to("again"sv, {"127.0.0.1", from.port()});
    std::string answer(100, '\0');
    CHECK(client.recv(answer) == 6 && client.recv(answer) == 5 && client.remote_address() == server.local_address());
    std::error_code ec;
    CHECK(server.recv_from(data, from, ec, 20ms) == 0 && ec == std::errc::timed_out && from == client.local_address());
    CHECK((address{"::1", 80}.host() == "::1" && address{"::1", 80}.port() == 80));
    auto [one, other] = unique_socket::pair(SOCK_DGRAM);
    one.send("x"sv);
    CHECK(other.recv_from(data, from) == 1 && from.host().empty() && from.port() == 0 && address{}.host().empty());
}

void unix_sockets() {
    const auto id = std::to_string(getpid());
    for (const auto &path : {"@libsock-" + id, "/tmp/libsock-" + id + ".cpp"}) {
        auto listener = unique_socket::listen(path);
        auto near = unique_socket::dial(path, nullptr, 5s);
        auto far = listener.accept();
        near.send_all("hello"sv);
        CHECK(recv_all(far, 5) == "hello" && near.remote_address().host() == path && near.local_address().host().empty());
        auto own = unique_socket::open(AF_UNIX, SOCK_STREAM);
        own.connect(address{path});
        CHECK(own.remote_address() == listener.local_address() && own.remote_address().port() == 0);
        if (path[0] == '/')
            unlink(path.c_str());
    }
}

// An entry in the error queue makes nothing spin, before a signal and after it.
void error_queue() {
    const auto gone = unique_socket::listen("127.0.0.1", "0/udp").local_address();
    auto socket = unique_socket::open(AF_INET, SOCK_DGRAM);
    const int on = 1;
    setsockopt(socket.native_handle(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    socket.connect(gone);
    socket.send("x"sv);
    char byte[1];
    CHECK(fails([&] { socket.recv(byte, 5s); }) == std::errc::connection_refused);
    std::error_code ec;
    const auto used = processor_time();
    CHECK(with_signal([&] { socket.recv(byte, ec, 500ms); }) >= 0.5 && ec == std::errc::timed_out);
    socket.set_timeout(500ms);
    CHECK(with_signal([&] { socket.recv(byte, ec); }) >= 0.5 && ec == std::errc::timed_out);
    CHECK(processor_time() - used < 0.4);
}

// A program ends while a thread of it waits.
void exits() {
    const auto child = fork();
    if (child == 0) {
        std::thread{[] {
            auto sockets = unique_socket::pair();
            char byte[1];
            sockets.first.recv(byte);
        }}.detach();
        std::this_thread::sleep_for(50ms);
        std::exit(0);
    }
    int status = -1;
    for (int i = 0; i < 200 && waitpid(child, &status, WNOHANG) == 0; i++)
        std::this_thread::sleep_for(50ms);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// A connection that another thread takes makes an accept neither longer nor shorter.
std::string accept_taken() {
    int taken = 0;
    for (int i = 0; i < 5; i++) {
        auto listener = unique_socket::listen("127.0.0.1", 0);
        const auto port = listener.local_address().port();
        listener.set_timeout(200ms);
        std::error_code other, ec;
        const auto start = steady::now();
        const limit until = i % 2 ? limit{200ms} : limit{};
        std::thread thread{[&] { listener.accept(other, until); }};
        std::thread client{[port] {
            std::this_thread::sleep_for(50ms);
            unique_socket::dial("127.0.0.1", port, 5s);
        }};
        std::this_thread::sleep_for(10ms); // So that it is the second in the queue.
        listener.accept(ec, until);
        const auto took = interval{steady::now() - start}.count();
        thread.join();
        client.join();
        CHECK(!ec || (ec == std::errc::timed_out && took >= 0.2 && took < 2.2));
        taken += ec ? 1 : 0;
    }
    return std::to_string(taken) + " of 5 were taken";
}

void both_directions() {
    auto [near, far] = unique_socket::pair();
    std::string data(4 << 20, '\0');
    std::mt19937 random{1};
    for (auto &byte : data)
        byte = static_cast<char>(random());
    std::vector<std::future<bool>> threads;
    for (auto *socket : {&near, &far}) {
        threads.push_back(std::async(std::launch::async, [&data, socket] { return recv_all(*socket, data.size()) == data; }));
        threads.push_back(std::async(std::launch::async, [&data, socket] { return socket->send_all(data, 60s), true; }));
    }
    for (auto &thread : threads)
        CHECK(thread.get());
}

template <void (*body)()> std::string silent() {
    body();
    return {};
}

const std::pair<const char *, std::string (*)()> checks[]{
    {"cancellation", cancellation},
    {"cancelled_before_a_destructor", silent<cancelled_before_a_destructor>},
    {"cancelled_dial", silent<cancelled_dial>},
    {"stop_token", stop_token},
    {"counts", silent<counts>},
    {"limits", silent<limits>},
    {"interruption", silent<interruption>},
    {"dropped", dropped},
    {"bad_arguments", silent<bad_arguments>},
    {"buffers", silent<buffers>},
    {"lines", silent<lines>},
    {"datagrams", silent<datagrams>},
    {"unix_sockets", silent<unix_sockets>},
    {"error_queue", silent<error_queue>},
    {"exits", silent<exits>},
    {"accept_taken", accept_taken},
    {"both_directions", silent<both_directions>},
};

} // namespace

int main(int argc, char *argv[]) {
    if (argc < 3)
        return 64;
    often = std::atoi(argv[1]);
    soon = interval{std::atof(argv[2])};
    for (const auto &[word, body] : checks) {
        if (argc > 3 && word != std::string_view{argv[3]})
            continue;
        try {
            const auto found = body();
            std::cout << "ok " << word << (found.empty() ? "" : ": ") << found << std::endl;
        } catch (const std::exception &error) {
            std::cout << "not ok " << word << ": " << error.what() << std::endl;
        }
    }
}
