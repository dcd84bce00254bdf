// What compiles by every standard from C++11 on.

#include "sock.hpp"

#include <array>
#include <string>
#include <vector>

int main() {
    using libsock::limit;
    using libsock::unique_socket;
    const std::chrono::seconds second{1};
    auto pair = unique_socket::pair();
    auto &near = pair.first, &far = pair.second;
    std::error_code ec;
    std::vector<int> numbers(3);
    std::array<char, 3> bytes{{1, 2, 3}};
    std::string text("text");
    char plain[10];
    const libsock::token token;

    near.send_all(numbers);
    near.send_all(bytes, ec);
    near.send_all(text, ec, limit{second, token});
    near.send(std::string("x"), second);
    far.recv_all(numbers, limit{std::chrono::steady_clock::now() + second, token});
    far.recv_all(bytes);
    far.recv(plain, ec);
    far.recv(text, ec, token, MSG_DONTWAIT);
    near.set_timeout(std::chrono::milliseconds(250));
    near.set_timeout(libsock::forever);

    auto listener = unique_socket::listen(nullptr, 0);
    auto dialed = unique_socket::dial("localhost", listener.local_address().port(), second);
    auto until = unique_socket::dial(text, nullptr, limit{second}, ec);
    auto accepted = listener.accept(ec, second);
    dialed.connect(libsock::address{"127.0.0.1", 7}, ec);
    libsock::address peer;
    accepted.send_to(bytes, peer, ec);
    accepted.recv_from(bytes, peer, ec);
    libsock::line_reader lines{far, "\r\n"};
    return lines.next(text, ec, second) || ec == libsock::lookup_errc::no_such_host || !until;
}
