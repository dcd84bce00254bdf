// libsock's socket modes for Node.js: blocking, non-blocking, or an exact timeout for every operation.
//
// It needs libsock (make install), Node.js 18.18 or later, and `npm install koffi`. Copy this file into your project, and
// sock.d.mts for TypeScript. README.md beside it tells how it is used, and what it does not do.
//
//     const connection = await Socket.dial('localhost', 7007, 5);
//     connection.setTimeout(0.25);
//     const data = await connection.recv(4096);

import { AsyncLocalStorage } from 'node:async_hooks';
import { Buffer, constants as buffers } from 'node:buffer';
import { closeSync } from 'node:fs';
import os from 'node:os';
import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { domainToASCII } from 'node:url';
import { getSystemErrorName, inspect, promisify } from 'node:util';
import koffi from 'koffi';

const { EAGAIN, ECANCELED, EINVAL, EMSGSIZE, ENOENT, ETIMEDOUT } = os.constants.errno;
const [AF_UNIX, AF_INET, MSG_PEEK, MSG_DONTWAIT] = [1, 2, 0x2, 0x40];
const [POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP, EPOLLONESHOT] = [0x1, 0x4, 0x8, 0x10, 0x2000, 1 << 30];
const [EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, CLOEXEC, NONBLOCK] = [1, 2, 3, 0x80000, 0x800];
const SHUTDOWN = { read: 0, write: 1, both: 2 };
const LOOKUP_ERRORS = { 5002: 'ENOTFOUND', 5003: 'EAI_AGAIN', 5004: 'EAI_FAIL', 5005: 'ENOTFOUND', 5008: 'EAI_SERVICE' };
const STEP = 1 << 20; // The bytes of a whole transfer after which others have the event loop.
const MORE = -(2 ** 40); // A step is done, and there are more.
const SOON = 0.0005; // Seconds that the library may wait where poll(2) and an attempt do not agree.
const PART = 0.02; // Seconds after which a wait looks again where poll(2) does not tell of every end.

// Types get no names, for a name can be given only once in a process.
const functions = (library, ...prototypes) =>
  Object.fromEntries(prototypes.map((prototype) => library.func(prototype)).map((f) => [f.info.name, f]));
const UNTIL = 'double deadline, int token';
const lib = functions(
  koffi.load('libsock.so.0'),
  'int sock_settimeout(int fd, double seconds)',
  'int sock_gettimeout(int fd, _Out_ double *seconds)',
  'int sock_getblocking(int fd)',
  `intptr_t sock_send_until(int fd, const void *buf, size_t len, int flags, ${UNTIL})`,
  `intptr_t sock_sendto_until(int fd, const void *buf, size_t len, int flags, const void *addr, uint32_t addrlen, ${UNTIL})`,
  `int sock_sendall_until(int fd, const void *buf, size_t len, int flags, _Out_ size_t *sent, ${UNTIL})`,
  `intptr_t sock_recv_until(int fd, void *buf, size_t len, int flags, ${UNTIL})`,
  `intptr_t sock_recvfrom_until(int fd, void *buf, size_t len, int flags, void *addr, _Inout_ uint32_t *addrlen, ${UNTIL})`,
  `int sock_recvall_until(int fd, void *buf, size_t len, int flags, _Out_ size_t *received, ${UNTIL})`,
  `intptr_t sock_recvdelim_until(int fd, void *buf, size_t size, _Inout_ size_t *have, const void *delim, size_t delimlen,
    ${UNTIL})`,
  `int sock_accept_until(int fd, void *addr, void *addrlen, ${UNTIL})`,
  `int sock_wait_until(int fd, int events, ${UNTIL})`,
  `int sock_dial_until(const char *host, const char *service, ${UNTIL})`,
  'int sock_dial(const char *host, const char *service, double seconds)',
  'int sock_listen(const char *host, const char *service, int backlog)',
  'int sock_address(const char *host, const char *service, void *addr, _Inout_ uint32_t *addrlen)',
  'int sock_name(const void *addr, uint32_t addrlen, void *host, size_t size)',
  'double sock_deadline(double seconds)',
  'int sock_token()',
  'int sock_cancel(int token)',
  'const char *sock_strerror(intptr_t code)',
);
const libc = functions(
  koffi.load('libc.so.6'),
  'int epoll_create1(int flags)',
  'int epoll_ctl(int epoll, int operation, int fd, void *event)',
  'int epoll_wait(int epoll, void *events, int most, int timeout)',
  'int eventfd(unsigned int value, int flags)',
  'intptr_t read(int fd, void *buf, size_t len)',
  'intptr_t write(int fd, const void *buf, size_t len)',
  'int getsockname(int fd, void *addr, _Inout_ uint32_t *addrlen)',
  'int getpeername(int fd, void *addr, _Inout_ uint32_t *addrlen)',
  'int shutdown(int fd, int how)',
);
const inThread = Object.fromEntries(
  ['sock_wait_until', 'sock_dial_until', 'sock_listen'].map((name) => [name, promisify(lib[name].async)]),
);

const now = () => Number(process.hrtime.bigint()) / 1e9; // CLOCK_MONOTONIC, as the library's deadlines are.

// An operation under way. `stop` ends its wait, whatever it is for.
class Operation {
  error = null;
  wake = null;

  stop(error) {
    this.error ??= error;
    this.wake?.(false);
  }
}

// The one wait for all sockets: a thread of libuv's pool is in the library, until an epoll descriptor is readable or
// the first deadline has passed.
class Waits {
  #epoll = libcCheck(libc.epoll_create1(CLOEXEC), 'epoll_create1');
  #bell = libcCheck(libc.eventfd(0, CLOEXEC | NONBLOCK), 'eventfd');
  #waiting = new Map(); // operation: { events, until }
  #sockets = new Map(); // fd: the operations that wait for it
  #earliest = Infinity; // No wait ends before.
  #until = null; // The deadline of the thread, if it waits.
  #running = false;
  // struct epoll_event has no padding on these machines only.
  #size = ['x64', 'ia32'].includes(process.arch) ? 3 : 4;
  #events = new Uint32Array(64 * this.#size);

  constructor() {
    this.#control(EPOLL_CTL_ADD, this.#bell, POLLIN);
    process.on('exit', () => this.#ring()); // The runtime waits for the thread.
  }

  // Whether the descriptor is ready, when it is or the moment has come or the operation is stopped. -1 is for no descriptor.
  pause(operation, fd, events, until) {
    if (operation.error) return Promise.resolve(false);
    return new Promise((resolve) => {
      operation.wake = (ready) => {
        operation.wake = null;
        this.#remove(operation, fd);
        resolve(ready);
      };
      this.#waiting.set(operation, { events, until });
      if (fd >= 0) {
        if (!this.#sockets.has(fd)) this.#sockets.set(fd, new Set());
        this.#sockets.get(fd).add(operation);
        this.#arm(fd);
      }
      if (until < this.#earliest) this.#earliest = until;
      if (this.#until !== null && until < this.#until) this.#ring();
      if (!this.#running) this.#run();
    });
  }

  forget(fd) {
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  #remove(operation, fd) {
    this.#waiting.delete(operation);
    const others = this.#sockets.get(fd);
    others?.delete(operation);
    if (others?.size === 0) this.#sockets.delete(fd);
    if (this.#waiting.size === 0 && this.#until !== null) this.#ring(); // So that the process may end.
  }

  #arm(fd) {
    let events = EPOLLONESHOT;
    for (const operation of this.#sockets.get(fd)) events |= this.#waiting.get(operation).events;
    let code = this.#control(EPOLL_CTL_MOD, fd, events);
    if (code === -ENOENT) code = this.#control(EPOLL_CTL_ADD, fd, events);
    if (code < 0) for (const operation of [...this.#sockets.get(fd)]) operation.stop(systemError(code, 'epoll_ctl'));
  }

  #control(operation, fd, events) {
    const event = new Uint32Array(this.#size);
    [event[0], event[this.#size - 2]] = [events, fd];
    return libc.epoll_ctl(this.#epoll, operation, fd, event) < 0 ? -koffi.errno() : 0;
  }

  #ring() {
    libc.write(this.#bell, BigUint64Array.of(1n), 8);
  }

  async #run() {
    this.#running = true;
    while (this.#waiting.size > 0) {
      // Not for ever: a worker thread that is terminated is waited for.
      this.#until = Math.min(this.#earliest, now() + 1);
      const code = await inThread.sock_wait_until(-1, 0, this.#until, this.#epoll);
      this.#until = null;
      if (code !== -ECANCELED && code !== -ETIMEDOUT) {
        for (const operation of [...this.#waiting.keys()]) operation.stop(systemError(code, 'sock_wait_until'));
      }
      this.#passed();
      this.#ready();
    }
    this.#running = false;
  }

  #passed() {
    const moment = now();
    if (this.#earliest > moment) return;
    for (const [operation, { until }] of [...this.#waiting]) if (until <= moment) operation.wake?.(false);
    this.#earliest = Infinity;
    for (const { until } of this.#waiting.values()) if (until < this.#earliest) this.#earliest = until;
  }

  #ready() {
    const count = libc.epoll_wait(this.#epoll, this.#events, this.#events.length / this.#size, 0);
    for (let i = 0; i < count; i++) {
      const [events, fd] = [this.#events[i * this.#size], this.#events[(i + 1) * this.#size - 2]];
      if (fd === this.#bell) libc.read(this.#bell, new BigUint64Array(1), 8);
      for (const operation of [...(this.#sockets.get(fd) ?? [])]) {
        if (events & (this.#waiting.get(operation).events | POLLERR | POLLHUP)) operation.wake(true);
      }
      if (this.#sockets.has(fd)) this.#arm(fd);
    }
  }
}

// So many operations at a time, the others in the order in which they came.
class Turns {
  #free;
  #queue = [];

  constructor(free) {
    this.#free = free;
  }

  get taken() {
    return this.#free === 0;
  }

  async take(operation, until) {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const place = { operation, given: false };
    this.#queue.push(place);
    await waits.pause(operation, -1, 0, until);
    if (!place.given) this.#queue.splice(this.#queue.indexOf(place), 1);
    else if (operation.error) this.give();
    if (operation.error) throw operation.error;
    if (!place.given) throw systemError(-ETIMEDOUT, 'wait');
  }

  give() {
    const place = this.#queue.shift();
    if (!place) {
      this.#free++;
      return;
    }
    place.given = true;
    place.operation.wake?.(true);
  }
}

const waits = new Waits();
const NOW = check(lib.sock_token(), 'sock_token'); // The token of a call that is not to wait.
check(lib.sock_cancel(NOW), 'sock_cancel');
// Names are looked up in libuv's pool: there one thread is for the waits, and one for files.
const lookups = new Turns(Math.max(1, (Number(process.env.UV_THREADPOOL_SIZE) || 4) - 2));
const dials = new Set();
process.on('exit', () => dials.forEach((operation) => operation.stop(closed())));
const dropped = new FinalizationRegistry((owned) => closeSync(owned.fd));
const block = new AsyncLocalStorage();

// All that is called in the body ends within so many seconds altogether, or when the signal is aborted. The timeouts of
// the sockets hold besides, and so do the limits of a block around it. It gives what the body gives.
export function within(seconds, body, { signal } = {}) {
  const { deadline, signals } = block.getStore() ?? { deadline: Infinity, signals: [] };
  return block.run(
    { deadline: Math.min(deadline, lib.sock_deadline(interval(seconds))), signals: [...signals, ...aborting(signal)] },
    body,
  );
}

// A socket in one of the modes, which it owns. Seconds are as in sock.h: 0 is non-blocking mode, Infinity blocking mode.
export class Socket {
  #owned; // { fd }, which outlives the Socket.
  #operations = new Set();
  #reading = new Turns(1);
  #writing = new Turns(1);
  #unread = Buffer.alloc(0); // What came behind a line.

  // Takes over a descriptor, in the mode that it is in.
  constructor(fd) {
    this.#owned = { fd: integer(fd, 'fd', 0, 2 ** 31 - 1) };
    check(lib.sock_getblocking(fd), 'sock_getblocking');
    dropped.register(this, this.#owned, this);
  }

  // Connects within so many seconds, lookup included, which become the timeout. A service is a port or a name; "53/udp" is
  // for UDP. A host that begins with "/" or "@" is a Unix socket.
  static async dial(host, service = null, seconds = Infinity, { signal } = {}) {
    const [ascii, port] = [hostname(host), text(service, 'service')];
    interval(seconds);
    const fd = await underWay(dials, signal, 'sock_dial', async (operation, limit) => {
      if (seconds === 0) return lib.sock_dial(ascii, port, 0);
      const deadline = Math.min(limit, lib.sock_deadline(seconds));
      await lookups.take(operation, deadline);
      const token = lib.sock_token();
      try {
        if (operation.error) throw operation.error;
        operation.wake = () => lib.sock_cancel(token);
        const code = token < 0 ? token : await inThread.sock_dial_until(ascii, port, deadline, token);
        if (operation.error && code >= 0) closeSync(code);
        if (operation.error) throw operation.error;
        return code;
      } finally {
        operation.wake = null;
        if (token >= 0) closeSync(token);
        lookups.give();
      }
    });
    const connection = new Socket(check(fd, 'sock_dial', { hostname: host }));
    connection.setTimeout(seconds);
    return connection;
  }

  // Listens in blocking mode. A host of null is all addresses, service 0 any port.
  static async listen(host, service = null, backlog = 0) {
    const names = [host == null ? null : hostname(host), text(service, 'service')];
    integer(backlog, 'backlog', -(2 ** 31), 2 ** 31 - 1);
    const operation = new Operation();
    await lookups.take(operation, Infinity);
    try {
      return new Socket(check(await inThread.sock_listen(...names, backlog), 'sock_listen', { hostname: host }));
    } finally {
      lookups.give();
    }
  }

  // -1 once it is closed.
  get fd() {
    return this.#owned.fd;
  }

  get closed() {
    return this.fd < 0;
  }

  // { address, family, port } as in node:net, or the path of a Unix socket.
  get localAddress() {
    return this.#address('getsockname');
  }

  get remoteAddress() {
    return this.#address('getpeername');
  }

  setTimeout(seconds) {
    check(lib.sock_settimeout(this.#open(), interval(seconds)), 'sock_settimeout');
  }

  getTimeout() {
    const seconds = [0];
    check(lib.sock_gettimeout(this.#open(), seconds), 'sock_gettimeout');
    return seconds[0];
  }

  // how is "read", "write" or "both".
  shutdown(how = 'both') {
    if (!Object.hasOwn(SHUTDOWN, how)) throw invalid('VALUE', `how is "read", "write" or "both", not ${inspect(how)}`);
    libcCheck(libc.shutdown(this.#open(), SHUTDOWN[how]), 'shutdown');
  }

  // Whoever waits is rejected with ERR_SOCKET_CLOSED. A second close does nothing.
  async close() {
    if (this.closed) return;
    const { fd } = this.#owned;
    dropped.unregister(this);
    this.#owned.fd = -1;
    for (const operation of this.#operations) operation.stop(closed());
    waits.forget(fd);
    closeSync(fd);
  }

  [Symbol.asyncDispose]() {
    return this.close();
  }

  [inspect.custom]() {
    return `Socket { fd: ${this.fd} }`;
  }

  // Sends some of it, and gives how many bytes that were. Data are a string, or what has bytes.
  async send(data, options) {
    const memory = new Memory(data);
    return this.#run(this.#writing, 'sock_send_until', options, (fd, flags, ...until) =>
      lib.sock_send_until(fd, memory.from(0), memory.size, flags, ...until));
  }

  // Sends a datagram to { address, port }, the address in digits, or to the path of a Unix socket.
  async sendTo(data, address, options) {
    const [memory, to] = [new Memory(data), packed(address)];
    return this.#run(this.#writing, 'sock_sendto_until', options, (fd, flags, ...until) =>
      lib.sock_sendto_until(fd, memory.from(0), memory.size, flags, to, to.length, ...until));
  }

  // Sends all of it within one timeout.
  async sendAll(data, options) {
    await this.#whole(this.#writing, 'sock_sendall_until', new Memory(data), options);
  }

  // Gives a Buffer, an empty one at the end of the stream and for a size of 0.
  async recv(size, options) {
    const buffer = Buffer.alloc(length(size)); // Of zeros, for with MSG_TRUNC nothing may come into it.
    return buffer.subarray(0, await this.recvInto(buffer, options));
  }

  // Gives how many bytes came.
  async recvInto(buffer, options) {
    const memory = new Memory(buffer, true);
    if (memory.size === 0) return this.#nothing();
    const count = await this.#run(this.#reading, 'sock_recv_until', options, (fd, flags, ...until) =>
      this.#take(memory, 0, flags) || lib.sock_recv_until(fd, memory.from(0), memory.size, flags, ...until));
    return Math.min(count, memory.size); // With MSG_TRUNC it is the whole length of a message.
  }

  // Gives { data, address }: a datagram, and whom it came from.
  async recvFrom(size, options) {
    const [data, address, room] = [Buffer.alloc(length(size)), Buffer.alloc(128), [0]];
    if (size === 0) return { data: data.subarray(0, this.#nothing()), address: null };
    const count = await this.#run(this.#reading, 'sock_recvfrom_until', options, (fd, flags, ...until) => {
      room[0] = address.length;
      return lib.sock_recvfrom_until(fd, data, size, flags, address, room, ...until);
    });
    return { data: data.subarray(0, Math.min(count, size)), address: unpacked(address, room[0]) };
  }

  // Gives so many bytes, or fills a buffer, within one timeout. If the peer closes before, that is EPIPE. The error has
  // `transferred`, and `data` if there is no buffer: what came.
  async recvAll(size, options) {
    if (typeof size !== 'number') return this.#whole(this.#reading, 'sock_recvall_until', new Memory(size, true), options);
    const data = Buffer.alloc(length(size));
    try {
      await this.#whole(this.#reading, 'sock_recvall_until', new Memory(data, true), options);
    } catch (error) {
      throw Object.assign(error, { data: data.subarray(0, error.transferred) });
    }
    return data;
  }

  // Gives a line with its delimiter as a Buffer, or null at the end of the stream. What comes behind it is for the next
  // receive, and so is what an error leaves: EPIPE at the end of the stream, EMSGSIZE without one in so many bytes.
  async recvLine({ delimiter = '\n', limit = 65536, ...options } = {}) {
    const [mark, place] = [new Memory(delimiter), Buffer.allocUnsafeSlow(length(limit))];
    if (mark.size === 0) throw invalid('VALUE', 'the delimiter is empty');
    let line = null;
    await this.#run(this.#reading, 'sock_recvdelim_until', options, (fd, flags, ...until) => {
      const buffer = this.#unread.length > limit ? this.#unread : place;
      const have = [this.#unread.copy(buffer)];
      const code = lib.sock_recvdelim_until(fd, buffer, buffer.length, have, mark.from(0), mark.size, ...until);
      this.#unread = Buffer.from(buffer.subarray(0, have[0]));
      if (code > limit) return -EMSGSIZE;
      if (code > 0) [line, this.#unread] = [this.#unread.subarray(0, code), this.#unread.subarray(code)];
      return code;
    });
    return line;
  }

  // for await (const line of connection.lines())
  async *lines(options) {
    for (let line; (line = await this.recvLine(options)) !== null; ) yield line;
  }

  // Gives a new Socket in blocking mode; its remoteAddress tells who it is.
  async accept(options) {
    return new Socket(await this.#run(this.#reading, 'sock_accept_until', options, (fd, flags, ...until) =>
      lib.sock_accept_until(fd, null, null, ...until)));
  }

  #open() {
    if (this.closed) throw closed();
    return this.fd;
  }

  // For a size of 0, which does not wait.
  #nothing() {
    this.#open();
    return 0;
  }

  #address(call) {
    const [address, size] = [Buffer.alloc(128), [128]];
    libcCheck(libc[call](this.#open(), address, size), call);
    return unpacked(address, size[0]);
  }

  #take(memory, done, flags) {
    const count = this.#unread.copy(memory.from(done));
    if (!(flags & MSG_PEEK)) this.#unread = this.#unread.subarray(count);
    return count;
  }

  async #whole(turns, name, memory, options) {
    let done = 0;
    if (memory.size === 0) return this.#nothing();
    try {
      await this.#run(turns, name, options, (fd, flags, ...until) => {
        if (turns === this.#reading) done += this.#take(memory, done, flags);
        const part = [0];
        const step = Math.min(memory.size - done, STEP);
        const code = step === 0 ? 0 : lib[name](fd, memory.from(done), step, flags, part, ...until);
        done += part[0];
        return code === 0 && done < memory.size ? MORE : code;
      });
    } catch (error) {
      throw Object.assign(error, { transferred: done });
    }
    return done;
  }

  // Calls the library until it has done it. Its calls do not wait, and so are made in the event loop's own thread, where
  // nobody takes a buffer or a descriptor away meanwhile; between two the event loop goes on.
  async #run(turns, name, { flags = 0, signal } = {}, attempt) {
    integer(flags, 'flags', -(2 ** 31), 2 ** 31 - 1);
    this.#open();
    const start = now();
    const code = await underWay(this.#operations, signal, name, async (operation, limit) => {
      let until;
      const mode = () => {
        const timeout = flags & MSG_DONTWAIT ? 0 : this.getTimeout();
        until = Math.min(limit, start + timeout);
        return timeout;
      };
      if (turns.taken && mode() === 0) return -EAGAIN; // Who is ahead would not wait if it were ready.
      await turns.take(operation, until);
      try {
        return await this.#attempts(operation, turns === this.#writing, flags, attempt, mode, () => until);
      } finally {
        turns.give();
      }
    });
    return check(code, name);
  }

  async #attempts(operation, writes, flags, attempt, mode, until) {
    let [ready, timeout, missed] = [false, null, 0];
    for (;;) {
      if (operation.error) throw operation.error;
      let code = attempt(this.fd, flags | MSG_DONTWAIT, Infinity, NOW);
      const notReady = code === -EAGAIN || code === -ECANCELED;
      if (!notReady && code !== MORE) return code;
      timeout ??= mode();
      if (notReady && timeout === 0) return -EAGAIN;
      if (notReady && ready) {
        // poll(2) saw an entry in the error queue, which stays; an end that only the library knows; or what another took.
        code = attempt(this.fd, flags, lib.sock_deadline(SOON), -1);
        if (code !== -ETIMEDOUT && code !== MORE) return code;
        if (code === -ETIMEDOUT && missed++ > 0) await waits.pause(operation, -1, 0, Math.min(until(), now() + PART));
        if (operation.error) throw operation.error;
      }
      if (timeout !== 0 && now() >= until()) return -ETIMEDOUT;
      if (code === MORE) {
        ready = false;
        await setImmediate();
      } else {
        // poll(2) does not tell of all that ends a wait to send.
        const end = writes ? Math.min(until(), now() + PART) : until();
        ready = await waits.pause(operation, this.fd, writes ? POLLOUT : POLLIN | POLLRDHUP, end);
      }
    }
  }
}

// Runs an operation with the limits of the block that it is called in.
async function underWay(operations, signal, name, body) {
  const { deadline, signals } = block.getStore() ?? { deadline: Infinity, signals: [] };
  const operation = new Operation();
  const stops = [...signals, ...aborting(signal)].map((one) => [one, () => operation.stop(aborted(one))]);
  for (const [one] of stops) if (one.aborted) throw aborted(one);
  if (deadline !== Infinity && now() >= deadline) throw systemError(-ETIMEDOUT, name);
  for (const [one, stop] of stops) one.addEventListener('abort', stop);
  operations.add(operation);
  try {
    return await body(operation, deadline);
  } finally {
    operations.delete(operation);
    for (const [one, stop] of stops) one.removeEventListener('abort', stop);
  }
}

// The bytes of something, which are looked for at each call: meanwhile a buffer may be detached, or made smaller.
class Memory {
  #bytes;

  constructor(data, writable = false) {
    if (typeof data === 'string' && !writable) this.#bytes = Buffer.from(data);
    else if (ArrayBuffer.isView(data)) this.#bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    else if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) this.#bytes = new Uint8Array(data);
    else throw invalid('TYPE', `data are ${writable ? '' : 'a string or '}a buffer or a view of one, not ${inspect(data)}`);
    this.size = this.#bytes.byteLength;
  }

  from(start) {
    if (this.#bytes.byteLength !== this.size) {
      throw Object.assign(new TypeError('the buffer is not what it was when the call began'), { code: 'ERR_INVALID_STATE' });
    }
    return this.#bytes.subarray(start);
  }
}

function unpacked(address, size) {
  const room = Buffer.alloc(110);
  const port = lib.sock_name(address, size, room, room.length);
  if (port < 0) return null; // No text stands for it.
  const name = room.toString('utf8', 0, room.indexOf(0));
  const [family] = new Uint16Array(address.buffer, address.byteOffset, 1);
  return family === AF_UNIX ? name : { address: name, family: family === AF_INET ? 'IPv4' : 'IPv6', port };
}

function packed(to) {
  const { address, port } = typeof to === 'string' ? { address: to, port: null } : to ?? {};
  const [bytes, size] = [Buffer.alloc(128), [0]];
  const code = lib.sock_address(hostname(address), text(port, 'port'), bytes, size);
  if (code === -EINVAL) throw invalid('VALUE', `not an address: ${inspect(to)}`);
  check(code, 'sock_address');
  return bytes.subarray(0, size[0]);
}

// International names are turned into ASCII, and other names left as they are.
function hostname(host) {
  if (typeof host !== 'string') throw invalid('TYPE', `a host is a string, not ${inspect(host)}`);
  text(host, 'host');
  if (/^[/@]/.test(host) || Buffer.byteLength(host) === host.length) return host;
  const ascii = domainToASCII(host);
  if (ascii === '') throw systemError(-5002, 'domainToASCII', { hostname: host });
  return ascii;
}

// C would cut a string at a NUL.
function text(value, name) {
  if (value == null) return null;
  if (typeof value !== 'string' && !Number.isInteger(value)) {
    throw invalid('TYPE', `the ${name} is a string or an integer, not ${inspect(value)}`);
  }
  if (String(value).includes('\0')) throw invalid('VALUE', `the ${name} has a NUL: ${inspect(value)}`);
  return String(value);
}

function interval(seconds) {
  if (typeof seconds !== 'number') throw invalid('TYPE', `seconds are a number, not ${inspect(seconds)}`);
  if (!(seconds >= 0) || (seconds !== Infinity && seconds * 1e9 >= 2 ** 63)) {
    throw outOfRange('seconds', '>= 0 and < 2 ** 63 ns', seconds);
  }
  return seconds;
}

function length(size) {
  return integer(size, 'size', 0, buffers.MAX_LENGTH);
}

function integer(value, name, least, most) {
  if (typeof value !== 'number') throw invalid('TYPE', `the ${name} is an integer, not ${inspect(value)}`);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw outOfRange(name, `an integer, >= ${least} and <= ${most}`, value);
  }
  return value;
}

function aborting(signal) {
  if (signal === undefined) return [];
  if (!(signal instanceof AbortSignal)) throw invalid('TYPE', `the signal is an AbortSignal, not ${inspect(signal)}`);
  return [signal];
}

function outOfRange(name, range, value) {
  return Object.assign(new RangeError(`the ${name} must be ${range}, not ${value}`), { code: 'ERR_OUT_OF_RANGE' });
}

function invalid(what, message) {
  return Object.assign(new TypeError(message), { code: `ERR_INVALID_ARG_${what}` });
}

function aborted(signal) {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

function closed() {
  return Object.assign(new Error('Socket is closed'), { code: 'ERR_SOCKET_CLOSED' });
}

function libcCheck(result, syscall) {
  return check(result < 0 ? -koffi.errno() : result, syscall);
}

function check(code, syscall, more) {
  if (code < 0) throw systemError(code, syscall, more);
  return code;
}

function systemError(errno, syscall, more) {
  const code = LOOKUP_ERRORS[-errno] ?? getSystemErrorName(errno);
  const error = new Error(`${code}: ${lib.sock_strerror(errno)}, ${syscall}`);
  return Object.assign(error, { errno, code, syscall, transferred: 0 }, more);
}
