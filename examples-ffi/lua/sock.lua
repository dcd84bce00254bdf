-- libsock's socket modes for LuaJIT: blocking, non-blocking, or an exact timeout for every operation.
--
-- It needs libsock (make install) and LuaJIT 2.1 (its ffi; plain Lua has none). Copy this file into your project.
-- The program beside it: luajit scenario.lua HOST PORT, with the address of a running echo-server.
--
--   local sock = require("sock")
--   local connection = assert(sock.dial("localhost", 7007, 5))
--   connection:settimeout(0.25)
--   local data, err, partial = connection:recv(4096)
--
-- As in LuaSocket, what fails gives nil, an error, and what was done all the same: the data that recvall
-- received, or how many bytes sendall sent. The error is "not ready" in non-blocking mode, "timeout", "closed"
-- for a peer that closed, or else the library's words. dial and listen give the number of the error besides: an
-- errno, or when a lookup failed sock.EAI_NONAME and so on.
--
-- The hooks of LuaJIT, Ctrl-C in the luajit program among them, run as soon as a signal comes. One that raises an
-- error ends the wait; after one that returns, it goes on for the time that is left. Only dial and listen are not
-- interrupted. A call that waits stops all coroutines: with a scheduler of them use non-blocking mode.
--
-- It does not send or receive datagrams with addresses.

local ffi = require("ffi")

ffi.cdef [[
int sock_settimeout(int fd, double seconds);
int sock_gettimeout(int fd, double *seconds);
int sock_setinterrupt(int fd, int on);
ssize_t sock_recv(int fd, void *buf, size_t len, int flags);
int sock_sendall(int fd, const void *buf, size_t len, int flags, size_t *sent);
int sock_recvall(int fd, void *buf, size_t len, int flags, size_t *received);
int sock_accept(int fd, void *addr, unsigned *addrlen);
int sock_dial(const char *host, const char *service, double seconds);
int sock_listen(const char *host, const char *service, int backlog);
int sock_wait(int fd, int events, double seconds);
const char *sock_strerror(ssize_t code);

struct sock_time { long seconds, nanoseconds; };
int clock_gettime(int clock, struct sock_time *time);
int getsockname(int fd, void *addr, unsigned *addrlen);
int close(int fd);
]]

local C, lib = ffi.C, ffi.load("libsock.so.0")
local EINTR, EAGAIN, EPIPE, ETIMEDOUT = 4, 11, 32, jit.arch:find("^mips") and 145 or 110
local CLOCK_MONOTONIC, MSG_DONTWAIT = 1, 0x40

local sock = {
  POLLIN = 0x001,
  POLLOUT = 0x004,
  EAI_NONAME = 5002,
  EAI_AGAIN = 5003,
  EAI_FAIL = 5004,
  EAI_NODATA = 5005,
  EAI_SERVICE = 5008,
}
local Socket = {}
Socket.__index = Socket

local function now()
  local time = ffi.new("struct sock_time")
  C.clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local names = { [EAGAIN] = "not ready", [ETIMEDOUT] = "timeout", [EPIPE] = "closed" }

local function result(code, done)
  if code >= 0 then return code end
  return nil, names[-code] or ffi.string(lib.sock_strerror(code)), done
end

-- Hooks run when a call has come back with EINTR. To go on it waits, and then calls without waiting: the timeout,
-- which others may be using, stays as it is.
local function run(self, events, call, part, seconds)
  local start = now()
  local code = tonumber(call(0, 0))
  local done = part and tonumber(part[0]) or 0
  while code == -EINTR do
    local left = start + (seconds or self:gettimeout()) - now()
    code = left > 0 and lib.sock_wait(self.fd, events, left) or -ETIMEDOUT
    if code > 0 then
      code = tonumber(call(done, MSG_DONTWAIT))
      done = done + (part and tonumber(part[0]) or 0)
      if code == -EAGAIN then code = -EINTR end
    end
  end
  return result(code, done)
end

-- Of a descriptor, with the mode that it has. LuaSocket's getfd() gives one, in non-blocking mode: set another,
-- and leave the waiting to this, but close() to LuaSocket.
function sock.new(fd)
  local ok, err = result(lib.sock_setinterrupt(fd, 1))
  return ok and setmetatable({ fd = fd }, Socket), err
end

local function text(value)
  if value == nil then return nil end
  value = tostring(value)
  if value:find("\0", 1, true) then error("a string with a NUL", 3) end
  return value
end

local function made(code)
  if code >= 0 then return sock.new(code) end
  return result(code, -code)
end

-- Connects by TCP, lookup included, within so many seconds, which become the timeout.
function sock.dial(host, service, seconds)
  return made(lib.sock_dial(text(host), text(service), seconds or math.huge))
end

-- Listens in blocking mode. A host of nil is all addresses, service 0 any port.
function sock.listen(host, service, backlog)
  return made(lib.sock_listen(text(host), text(service), backlog or 0))
end

-- math.huge is blocking mode, 0 non-blocking mode.
function Socket:settimeout(seconds)
  return result(lib.sock_settimeout(self.fd, seconds))
end

function Socket:gettimeout()
  local seconds = ffi.new("double[1]")
  lib.sock_gettimeout(self.fd, seconds)
  return seconds[0]
end

-- Sends all of it within one timeout, and gives how many bytes that were.
function Socket:sendall(data)
  local bytes, sent = ffi.cast("const char *", data), ffi.new("size_t[1]")
  local ok, err, done = run(self, sock.POLLOUT, function(done, more)
    return lib.sock_sendall(self.fd, bytes + done, #data - done, more, sent)
  end, sent)
  return ok and #data, err, done
end

-- Gives some data, an empty string at the end of the stream, or, within one timeout, that many bytes.
function Socket:recv(size)
  local buffer = ffi.new("char[?]", size)
  local count, err = run(self, sock.POLLIN, function(_, more) return lib.sock_recv(self.fd, buffer, size, more) end)
  return count and ffi.string(buffer, count), err
end

function Socket:recvall(size)
  local buffer, received = ffi.new("char[?]", size), ffi.new("size_t[1]")
  local ok, err, done = run(self, sock.POLLIN, function(done, more)
    return lib.sock_recvall(self.fd, buffer + done, size - done, more, received)
  end, received)
  if ok then return ffi.string(buffer, size) end
  return nil, err, ffi.string(buffer, done)
end

function Socket:accept()
  local fd, err = run(self, sock.POLLIN, function() return lib.sock_accept(self.fd, nil, nil) end)
  if fd then return sock.new(fd) end
  return nil, err
end

-- Waits for sock.POLLIN, sock.POLLOUT or their sum, in any mode, and gives what is ready.
function Socket:wait(events, seconds)
  return run(self, events, function() return lib.sock_wait(self.fd, events, seconds) end, nil, seconds)
end

-- The port of this end, for TCP.
function Socket:port()
  local address, length = ffi.new("uint8_t[28]"), ffi.new("unsigned[1]", 28) -- sockaddr_in6
  if C.getsockname(self.fd, address, length) < 0 then return result(-ffi.errno()) end
  return address[2] * 256 + address[3]
end

function Socket:close()
  C.close(self.fd)
  self.fd = -1
end

return sock
