// libsock's socket modes for Node.js: blocking, non-blocking, or an exact timeout for every operation.
//
// It needs libsock (make install), Node.js 18 or later, and `npm install koffi`. Copy this file into your
// project. The program beside it: `node scenario.mjs HOST PORT`, with the address of a running echo-server.
//
//     const connection = await Socket.dial('localhost', 7007, 5);
//     connection.setTimeout(0.25);
//     const data = await connection.recv(4096);
//
// What fails is rejected with an Error as Node's own are: `code` 'EAGAIN' when not ready in non-blocking mode,
// 'ETIMEDOUT', 'EPIPE' for a peer that closed, and so on; when a lookup failed 'EAI_NONAME', 'EAI_SERVICE' and
// others. Its `transferred` tells how many bytes moved all the same.
//
// Whatever may wait is a promise, and waits in a thread of libuv's pool: the event loop goes on, and runs the
// handlers of signals. There are four such threads, for files and names too, unless UV_THREADPOOL_SIZE says
// otherwise, and process.exit() waits for them. So do not leave sockets without a timeout; for many idle
// connections node:net is the better choice.
//
// The sockets of node:net do not give up their descriptors: a Socket is made by dial(), listen() and accept(), or of
// any other descriptor, from systemd for one. It does not send or receive datagrams with addresses.

import { closeSync } from 'node:fs';
import { getSystemErrorName, promisify } from 'node:util';
import koffi from 'koffi';

koffi.alias('ssize_t', 'intptr_t');

const lib = koffi.load('libsock.so.0');
const settimeout = lib.func('int sock_settimeout(int fd, double seconds)');
const gettimeout = lib.func('int sock_gettimeout(int fd, _Out_ double *seconds)');
const strerror = lib.func('const char *sock_strerror(ssize_t code)');
const calls = Object.fromEntries([
  'ssize_t sock_send(int fd, const void *buf, size_t len, int flags)',
  'ssize_t sock_recv(int fd, void *buf, size_t len, int flags)',
  'int sock_sendall(int fd, const void *buf, size_t len, int flags, _Out_ size_t *sent)',
  'int sock_recvall(int fd, void *buf, size_t len, int flags, _Out_ size_t *received)',
  'int sock_accept(int fd, void *addr, void *addrlen)',
  'int sock_dial(const char *host, const char *service, double seconds)',
  'int sock_listen(const char *host, const char *service, int backlog)',
].map((prototype) => lib.func(prototype)).map((call) => [call.name, promisify(call.async)]));

const libc = koffi.load('libc.so.6');
const getsockname = libc.func('int getsockname(int fd, void *addr, _Inout_ uint32_t *addrlen)');
const shutdown = libc.func('int shutdown(int fd, int how)');
const SHUT_RDWR = 2;
const LOOKUP_ERRORS = {
  5002: 'EAI_NONAME',
  5003: 'EAI_AGAIN',
  5004: 'EAI_FAIL',
  5005: 'EAI_NODATA',
  5008: 'EAI_SERVICE',
};

// Owns a descriptor. Seconds are as in sock.h: 0 is non-blocking mode, Infinity blocking mode.
export class Socket {
  #pending = new Set();

  constructor(fd) {
    this.fd = fd;
  }

  // Connects by TCP, lookup included, within so many seconds, which become the timeout.
  static async dial(host, service, seconds = Infinity) {
    return new Socket(check(await calls.sock_dial(text(host), text(service), seconds), 'sock_dial'));
  }

  // Listens in blocking mode. A host of null is all addresses, service 0 any port.
  static async listen(host, service, backlog = 0) {
    return new Socket(check(await calls.sock_listen(text(host), text(service), backlog), 'sock_listen'));
  }

  // The port of this end, for TCP.
  get port() {
    const address = Buffer.alloc(28); // sockaddr_in6
    check(getsockname(this.fd, address, [address.length]), 'getsockname');
    return address.readUInt16BE(2);
  }

  setTimeout(seconds) {
    check(settimeout(this.fd, seconds), 'sock_settimeout');
  }

  getTimeout() {
    const seconds = [0];
    check(gettimeout(this.fd, seconds), 'sock_gettimeout');
    return seconds[0];
  }

  send(data, flags = 0) {
    return this.#call('sock_send', data, data.byteLength, flags);
  }

  // Gives a Buffer, an empty one at the end of the stream.
  async recv(size, flags = 0) {
    const buffer = Buffer.allocUnsafeSlow(size);
    return buffer.subarray(0, await this.#call('sock_recv', buffer, size, flags));
  }

  // Send all of it, or fill the buffer, within one timeout. A peer that closes before is 'EPIPE'.
  sendAll(data, flags = 0) {
    return this.#count('sock_sendall', data, flags);
  }

  recvAll(buffer, flags = 0) {
    return this.#count('sock_recvall', buffer, flags);
  }

  async accept() {
    return new Socket(await this.#call('sock_accept', null, null));
  }

  // Ends the calls under way before the number of the descriptor can become another's.
  async close() {
    const fd = this.fd;
    this.fd = -1;
    shutdown(fd, SHUT_RDWR);
    await Promise.allSettled(this.#pending);
    closeSync(fd);
  }

  async #call(name, ...args) {
    const call = calls[name](this.fd, ...args);
    this.#pending.add(call);
    try {
      return check(await call, name);
    } finally {
      this.#pending.delete(call);
    }
  }

  async #count(name, buffer, flags) {
    const count = [0];
    try {
      await this.#call(name, buffer, buffer.byteLength, flags, count);
    } catch (error) {
      throw Object.assign(error, { transferred: count[0] });
    }
  }
}

function check(code, syscall) {
  if (code >= 0) return code;
  const errno = syscall.startsWith('sock_') ? code : -koffi.errno();
  const name = LOOKUP_ERRORS[-errno] ?? getSystemErrorName(errno);
  const error = new Error(`${name}: ${strerror(errno)}, ${syscall}`);
  throw Object.assign(error, { errno, code: name, syscall, transferred: 0 });
}

function text(value) {
  if (value == null) return null;
  const string = String(value);
  if (string.includes('\0')) throw new TypeError('a string with a NUL');
  return string;
}
