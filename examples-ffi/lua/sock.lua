-- libsock's socket modes for LuaJIT: blocking, non-blocking, or an exact timeout for every operation.
--
-- It needs libsock (make install) and LuaJIT 2.1 (its ffi; plain Lua has none). Copy this file into your project.
-- README.md beside it tells how it is used, and what it does not do.
--
--   local sock = require("sock")
--   local connection = assert(sock.dial("localhost", 7007, 5))
--   connection:settimeout(0.25)
--   local data, err, partial = connection:recv(4096)

local ffi = require("ffi")
local bit = require("bit")

-- Functions alone, for a struct could not be declared again if this file is loaded twice.
ffi.cdef [[
int sock_settimeout(int fd, double seconds);
int sock_gettimeout(int fd, double *seconds);
ssize_t sock_recv_until(int fd, void *buf, size_t len, int flags, double deadline, int token);
ssize_t sock_recvfrom_until(int fd, void *buf, size_t len, int flags, void *addr, unsigned *addrlen, double deadline,
                            int token);
ssize_t sock_sendto_until(int fd, const void *buf, size_t len, int flags, const void *addr, unsigned addrlen,
                          double deadline, int token);
int sock_sendall_until(int fd, const void *buf, size_t len, int flags, size_t *sent, double deadline, int token);
int sock_recvall_until(int fd, void *buf, size_t len, int flags, size_t *received, double deadline, int token);
ssize_t sock_recvdelim_until(int fd, void *buf, size_t size, size_t *have, const void *delim, size_t delimlen,
                             double deadline, int token);
int sock_connect_until(int fd, const void *addr, unsigned addrlen, double deadline, int token);
int sock_accept_until(int fd, void *addr, unsigned *addrlen, double deadline, int token);
int sock_wait(int fd, int events, double seconds);
int sock_wait_until(int fd, int events, double deadline, int token);
int sock_dial_until(const char *host, const char *service, double deadline, int token);
int sock_listen(const char *host, const char *service, int backlog);
int sock_address(const char *host, const char *service, void *addr, unsigned *addrlen);
int sock_name(const void *addr, unsigned addrlen, char *host, size_t size);
double sock_deadline(double seconds);
int sock_token(void);
int sock_cancel(int token);
const char *sock_strerror(ssize_t code);

int sigfillset(void *set);
int sigprocmask(int how, const void *set, void *old);
int signalfd(int fd, const void *set, int flags);
int epoll_create1(int flags);
int epoll_ctl(int epoll, int what, int fd, void *event);
int getsockname(int fd, void *addr, unsigned *addrlen);
int getpeername(int fd, void *addr, unsigned *addrlen);
int shutdown(int fd, int how);
int close(int fd);
]]

local C, lib = ffi.C, ffi.load("libsock.so.0")
local mips = jit.arch:find("^mips")
local EAGAIN, EINVAL, EPIPE, ETIMEDOUT, ECANCELED = 11, 22, 32, mips and 145 or 110, mips and 158 or 125
local SIG_SETMASK, CLOEXEC, EPOLLIN, EPOLL_CTL_ADD = mips and 3 or 2, 0x80000, 1, 1
local FOREVER = math.huge

local sock = {
  POLLIN = 0x001,
  POLLOUT = 0x004,
  EAI_NONAME = 5002,
  EAI_AGAIN = 5003,
  EAI_FAIL = 5004,
  EAI_NODATA = 5005,
  EAI_SERVICE = 5008,
}
local Socket, Token = {}, {}
Socket.__index, Token.__index = Socket, Token

local names = { [EAGAIN] = "not ready", [ETIMEDOUT] = "timeout", [EPIPE] = "closed", [ECANCELED] = "cancelled" }

local function result(code, done)
  if code >= 0 then return code end
  return nil, names[-code] or ffi.string(lib.sock_strerror(code)), done
end

-- A descriptor that is closed when nobody has it any more.
local function owned(fd)
  return ffi.gc(ffi.new("int[1]", fd), function(handle) C.close(handle[0]) end)
end

local function disown(handle)
  local fd = handle[0]
  ffi.gc(handle, nil)
  handle[0] = -1
  return fd
end

-- Arguments ---------------------------------------------------------------------------------------------------------

local function expect(ok, what) return ok or error(what, 4) end

local function size_of(size)
  expect(type(size) == "number" and size >= 0 and size < 2 ^ 53 and size % 1 == 0, "a size is a number, 0 or more")
  return size
end

-- LuaJIT would take any number, and make some int of it.
local function int_of(number, least)
  expect(type(number) == "number" and number >= least and number < 2 ^ 31 and number % 1 == 0, "no such int of C")
  return number
end

local function bytes_of(data)
  expect(type(data) == "string" or type(data) == "number", "data are a string")
  return tostring(data)
end

local function seconds_of(seconds)
  expect(seconds == nil or type(seconds) == "number" and seconds >= 0, "seconds are a number, 0 or more, or nil")
  return seconds or FOREVER
end

-- C would cut a string at a NUL.
local function text(value)
  if value == nil then return nil end
  expect(type(value) == "string" or type(value) == "number", "a name is a string or a number")
  value = tostring(value)
  expect(not value:find("\0", 1, true), "a string with a NUL")
  return value
end

local function packed(host, service)
  local address, length = ffi.new("uint8_t[128]"), ffi.new("unsigned[1]")
  local code = lib.sock_address(text(host), text(service), address, length)
  expect(code ~= -EINVAL, "not an address")
  return address, length[0], code
end

local function unpacked(address, length)
  local host = ffi.new("char[110]")
  local port = lib.sock_name(address, length, host, 110)
  if port < 0 then return result(port) end
  return ffi.string(host), port
end

-- Waiting -----------------------------------------------------------------------------------------------------------

function sock.token()
  local fd, err = result(lib.sock_token())
  return fd and setmetatable({ handle = owned(fd) }, Token), err
end

-- One that is closed would be none.
function Token:getfd() return expect(self.handle[0] >= 0 and self.handle[0], "a token that is closed") end

-- Ends what waits with it, for good.
function Token:cancel() return result(lib.sock_cancel(self:getfd())) end

function Token:cancelled() return lib.sock_wait_until(-1, 0, -1, self:getfd()) == -ECANCELED end

-- When nobody waits with it any more.
function Token:close()
  local fd = disown(self.handle)
  if fd >= 0 then C.close(fd) end
end

local now = assert(sock.token()) -- The token of a call that is not to wait.
now:cancel()

local limits = setmetatable({}, { __mode = "k" }) -- Of each coroutine.
local none = { deadline = FOREVER, tokens = {} }

local function current() return limits[coroutine.running() or none] or none end

-- All that is called in the function ends within so many seconds altogether, or when the token is cancelled. The
-- timeouts of the sockets hold besides, and so do the limits of a call around it.
function sock.within(seconds, body, token)
  if token ~= nil then
    expect(getmetatable(token) == Token, "no token")
    token:getfd()
  end
  local key, outer = coroutine.running() or none, current()
  local deadline = math.min(outer.deadline, lib.sock_deadline(seconds_of(seconds)))
  local tokens = { unpack(outer.tokens) }
  tokens[#tokens + 1] = token
  limits[key] = { deadline = deadline, tokens = tokens }
  local function finish(ok, ...)
    limits[key] = outer
    if not ok then error((...), 0) end
    return ...
  end
  return finish(pcall(body))
end

local signals = ffi.gc(ffi.new("int[1]", -1), function(handle) C.close(handle[0]) end)
local all = ffi.new("uint8_t[128]")
C.sigfillset(all)

-- One descriptor that stands for all: it becomes readable when a token is cancelled, or a signal pends.
local function any_of(tokens)
  if #tokens == 0 then return signals end
  local poll, event = owned(C.epoll_create1(CLOEXEC)), ffi.new("uint32_t[4]", EPOLLIN)
  C.epoll_ctl(poll[0], EPOLL_CTL_ADD, signals[0], event)
  for _, token in ipairs(tokens) do C.epoll_ctl(poll[0], EPOLL_CTL_ADD, token:getfd(), event) end
  return poll
end

-- One wait, with all signals held back. One that comes pends, which is a token, even in the instant before the wait;
-- it is delivered when they are let through again, and then hooks run.
local function wait(call, deadline, tokens, outcome)
  local old, chosen = ffi.new("uint8_t[128]"), ffi.new("uint8_t[128]")
  C.sigprocmask(SIG_SETMASK, nil, old)
  local ok, err = pcall(function()
    C.sigprocmask(SIG_SETMASK, all, nil)
    -- Those that the program itself holds back are none of its concern.
    for i = 0, 127 do chosen[i] = bit.band(all[i], bit.bnot(old[i])) end
    local fd = C.signalfd(signals[0], chosen, CLOEXEC)
    if fd < 0 then outcome[1] = -ffi.errno() return end
    signals[0] = fd
    outcome[1] = tonumber(call(deadline, any_of(tokens)[0]))
  end)
  ok, err = pcall(function(...)
    C.sigprocmask(SIG_SETMASK, old, nil)
    return (...) or error((select(2, ...)), 0)
  end, ok, err)
  return ok, err
end

-- What is ready costs one call. What waits does so until one moment, that of the mode or of the limits around it. Gives
-- a code, and what a hook raised when there was one already.
local function run(self, call, seconds)
  local limit, outcome = current(), {}
  local code
  if not seconds then
    code = tonumber(call(limit.deadline, now:getfd()))
    if code ~= -ECANCELED then return code end
    seconds = self:gettimeout() or FOREVER
  end
  if seconds == 0 then return -EAGAIN end
  local deadline = math.min(limit.deadline, lib.sock_deadline(seconds))
  while true do
    local ok, err = wait(call, deadline, limit.tokens, outcome)
    if not ok then return outcome[1] or -ECANCELED, err end
    code = outcome[1]
    if code ~= -ECANCELED then return code end
    for _, token in ipairs(limit.tokens) do
      if token:cancelled() then return code end
    end
  end
end

-- The same for whole buffers. Each call counts in a place of its own, so that the sum is right wherever a hook raises.
local function run_all(self, call, before)
  local parts = {}
  local function moved()
    local sum = before
    for _, part in ipairs(parts) do sum = sum + tonumber(part[0]) end
    return sum
  end
  local ok, code, err = pcall(run, self, function(deadline, token)
    local done = moved()
    parts[#parts + 1] = ffi.new("size_t[1]")
    return call(done, parts[#parts], deadline, token)
  end)
  self.transferred = moved()
  if ok then return code, err end
  return -ECANCELED, code
end

-- Sockets -----------------------------------------------------------------------------------------------------------

-- Of a descriptor, with the mode that it has. It is closed with the Socket, unless there is an owner who does that,
-- such as the socket of LuaSocket whose getfd() it is. That is in non-blocking mode: set another.
function sock.new(fd, owner)
  int_of(fd, 0)
  local handle = owner and ffi.new("int[1]", fd) or owned(fd)
  return setmetatable({ handle = handle, owner = owner, unread = "", transferred = 0 }, Socket)
end

local function made(code, err)
  if err then
    if code >= 0 then C.close(code) end
    error(err, 0)
  end
  if code >= 0 then return sock.new(code) end
  local _, words = result(code)
  return nil, words, -code
end

-- Connects to a host by name, lookup included, within so many seconds, which become the timeout. "53/udp" is for UDP; a
-- host that begins with "/" or "@" is a Unix socket.
function sock.dial(host, service, seconds)
  host, service, seconds = text(host), text(service), seconds_of(seconds)
  if seconds == 0 then return nil, "not ready", EAGAIN end
  local connection, err, number = made(run(nil, function(deadline, token)
    return lib.sock_dial_until(host, service, deadline, token)
  end, seconds))
  if connection then connection:settimeout(seconds) end
  return connection, err, number
end

-- Listens in blocking mode. A host of nil is all addresses, service 0 any port.
function sock.listen(host, service, backlog)
  return made(lib.sock_listen(text(host), text(service), int_of(backlog or 0, -1)))
end

function Socket:getfd() return self.handle[0] end

-- nil is blocking mode, 0 non-blocking mode.
function Socket:settimeout(seconds) return result(lib.sock_settimeout(self.handle[0], seconds_of(seconds))) end

-- nil in blocking mode; after an error nil and that.
function Socket:gettimeout()
  local seconds = ffi.new("double[1]")
  local ok, err = result(lib.sock_gettimeout(self.handle[0], seconds))
  return ok and seconds[0] ~= FOREVER and seconds[0] or nil, err
end

-- Sends all of it within one timeout, and gives how many bytes that were.
function Socket:sendall(data)
  data = bytes_of(data)
  local start = ffi.cast("const char *", data)
  local code, err = run_all(self, function(done, part, ...)
    return lib.sock_sendall_until(self.handle[0], start + done, #data - done, 0, part, ...)
  end, 0)
  if err then error(err, 0) end
  local ok, words = result(code)
  return ok and #data, words, self.transferred
end

local function take(self, size)
  local taken = self.unread:sub(1, size)
  self.unread = self.unread:sub(size + 1)
  return taken
end

-- Gives some data; an empty string at the end of the stream, and for a size of 0.
function Socket:recv(size)
  if size_of(size) == 0 or self.unread ~= "" then return take(self, size) end
  local buffer = ffi.new("char[?]", size)
  local code, err = run(self, function(...) return lib.sock_recv_until(self.handle[0], buffer, size, 0, ...) end)
  if err then
    if code > 0 then self.unread = ffi.string(buffer, code) end
    error(err, 0)
  end
  local count, words = result(code)
  return count and ffi.string(buffer, count), words
end

-- Gives so many bytes within one timeout, or nil, an error, and what came.
function Socket:recvall(size)
  local head = take(self, size_of(size))
  if #head == size then return head end
  local buffer = ffi.new("char[?]", size, 0)
  ffi.copy(buffer, head, #head)
  local code, err = run_all(self, function(done, part, ...)
    return lib.sock_recvall_until(self.handle[0], buffer + done, size - done, 0, part, ...)
  end, #head)
  local came = ffi.string(buffer, self.transferred)
  if err then -- Nobody but the next receive can be given what came.
    self.unread = came
    error(err, 0)
  end
  if code == 0 then return came end
  local _, words = result(code)
  return nil, words, came
end

-- Gives a line, or whatever ends in the delimiter; nil and "closed" at the end. What comes after it stays for the next
-- receive, and so does what came before an error.
function Socket:recvline(delimiter, limit)
  delimiter, limit = bytes_of(delimiter or "\n"), math.max(size_of(limit or 65536), #self.unread)
  local buffer, have = ffi.new("char[?]", limit), ffi.new("size_t[1]", #self.unread)
  ffi.copy(buffer, self.unread, #self.unread)
  local ok, code, err = pcall(run, self, function(...)
    return lib.sock_recvdelim_until(self.handle[0], buffer, limit, have, delimiter, #delimiter, ...)
  end)
  self.unread = ffi.string(buffer, have[0])
  if err or not ok then error(err or code, 0) end
  if code > 0 then return take(self, code) end
  return result(code == 0 and -EPIPE or code)
end

-- for line in connection:lines() do ... end
function Socket:lines(delimiter, limit)
  return function() return (self:recvline(delimiter, limit)) end
end

-- Sends a datagram to a host, in digits, and a port, or to the path of a Unix socket.
function Socket:sendto(data, host, port)
  data = bytes_of(data)
  local address, length, code = packed(host, port)
  if code < 0 then return result(code) end
  local sent, err = run(self, function(...)
    return lib.sock_sendto_until(self.handle[0], data, #data, 0, address, length, ...)
  end)
  if err then error(err, 0) end
  return result(sent)
end

-- Gives a datagram, and the host and the port, or the path, that it came from.
function Socket:recvfrom(size)
  local buffer, address, length = ffi.new("char[?]", size_of(size)), ffi.new("uint8_t[128]"), ffi.new("unsigned[1]")
  local code, err = run(self, function(...)
    length[0] = 128
    return lib.sock_recvfrom_until(self.handle[0], buffer, size, 0, address, length, ...)
  end)
  if err then error(err, 0) end
  if code < 0 then return result(code) end
  return ffi.string(buffer, code), unpacked(address, length[0])
end

-- Connects to a host, in digits, and a port, or to the path of a Unix socket.
function Socket:connect(host, port)
  local address, length, code = packed(host, port)
  local err
  if code == 0 then
    code, err = run(self, function(...) return lib.sock_connect_until(self.handle[0], address, length, ...) end)
  end
  if err then error(err, 0) end
  return result(code)
end

-- Gives a new Socket in blocking mode.
function Socket:accept()
  return made(run(self, function(...) return lib.sock_accept_until(self.handle[0], nil, nil, ...) end))
end

-- Waits for sock.POLLIN, sock.POLLOUT or their sum, in any mode, and gives what is ready.
function Socket:wait(events, seconds)
  int_of(events, 0)
  if seconds == 0 then return result(lib.sock_wait(self.handle[0], events, 0)) end
  local code, err = run(self, function(...)
    return lib.sock_wait_until(self.handle[0], events, ...)
  end, seconds_of(seconds))
  if err then error(err, 0) end
  return result(code)
end

local function address_of(self, getname)
  local address, length = ffi.new("uint8_t[128]"), ffi.new("unsigned[1]", 128)
  if getname(self.handle[0], address, length) < 0 then return result(-ffi.errno()) end
  return unpacked(address, length[0])
end

-- The host and the port, or the path of a Unix socket and 0.
function Socket:localaddress() return address_of(self, C.getsockname) end
function Socket:remoteaddress() return address_of(self, C.getpeername) end

-- Ends both directions, and the waits in them, in all who have the socket.
function Socket:shutdown() return result(C.shutdown(self.handle[0], 2) < 0 and -ffi.errno() or 0) end

function Socket:close()
  local fd = disown(self.handle)
  if fd >= 0 and not self.owner then C.close(fd) end
end

function Socket:__tostring()
  return self.handle[0] < 0 and "sock: closed" or "sock: descriptor " .. self.handle[0]
end

-- Compiled code does not look for hooks, so that Ctrl-C would be dead in it.
for _, class in ipairs { sock, Socket, Token } do
  for _, method in pairs(class) do
    if type(method) == "function" then jit.off(method, true) end
  end
end
for _, inner in ipairs { run, run_all, wait, any_of } do jit.off(inner, true) end

return sock
