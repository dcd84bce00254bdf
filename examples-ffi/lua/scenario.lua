-- What examples-ffi/SCENARIO.md describes. usage: luajit scenario.lua HOST PORT

local ffi = require("ffi")
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local sock = require("sock")

ffi.cdef [[
struct scenario_time { long seconds, nanoseconds; };
int clock_gettime(int clock, struct scenario_time *time);
unsigned ualarm(unsigned microseconds, unsigned interval);
void (*signal(int signal, int (*handler)(int)))(int);
int abs(int);
int socketpair(int domain, int type, int protocol, int fds[2]);
int usleep(unsigned microseconds);
int dup2(int old, int new);
int fork(void);
int waitpid(int child, int *status, int options);
void _exit(int code);
]]

local AF_UNIX, SOCK_STREAM, SIGALRM = 1, jit.arch:find("^mips") and 2 or 1, 14

local function pair()
  local fds = ffi.new("int[2]")
  assert(ffi.C.socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
  return sock.new(fds[0]), sock.new(fds[1])
end

local clock = ffi.new("struct scenario_time")
local function now()
  ffi.C.clock_gettime(1, clock)
  return tonumber(clock.seconds) + tonumber(clock.nanoseconds) / 1e9
end

-- Whether a receive that gets nothing ends on time.
local function times_out(connection, seconds)
  connection:settimeout(seconds)
  local start = now()
  local _, err = connection:recv(1)
  local took = now() - start
  return err == "timeout" and took >= seconds and took < seconds + 1
end

local function adler32(data)
  local a, b = 1, 0
  for i = 1, #data do
    a = (a + data:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b * 65536 + a
end

local function not_ready()
  local near, far = pair()
  near:settimeout(0)
  local _, err = near:recv(1)
  print("non-blocking: " .. err)
  local on_time = times_out(near, 0.25)
  far:sendall("x")
  if on_time and near:recv(1) == "x" then
    print("timeout of 0.25 s: fired on time, and the socket is still good")
  end
end

-- One thread does both, in non-blocking mode: a part of each whenever there is one.
local function echo(host, port)
  local cycle = {}
  for byte = 0, 250 do cycle[#cycle + 1] = string.char(byte) end
  local size = 8 * 2 ^ 20
  local data = table.concat(cycle):rep(33421):sub(1, size)
  local connection = assert(sock.dial(host, port, 30))
  connection:settimeout(0)
  local sent, received, parts = 0, 0, {}
  while received < size do
    assert(connection:wait(sock.POLLIN + (sent < size and sock.POLLOUT or 0), 30))
    local count, err, partial = connection:sendall(data:sub(sent + 1, sent + 65536))
    assert(count or err == "not ready", err)
    sent = sent + (count or partial)
    local part
    part, err, partial = connection:recvall(math.min(65536, size - received))
    assert(part or err == "not ready", err)
    parts[#parts + 1] = part or partial
    received = received + #parts[#parts]
  end
  connection:close()
  if table.concat(parts) == data then
    print(("echo: %d bytes there and back, Adler-32 %08x"):format(received, adler32(data)))
  end
end

local function early_close()
  local near, far = pair()
  far:sendall(("\0"):rep(1000))
  far:close()
  local _, receiving, data = near:recvall(4096)
  local _, sending, sent = near:sendall(("\0"):rep(4096))
  if receiving == "closed" and sending == "closed" then
    print(("early close: %d of 4096 bytes received, then %d of 4096 sent"):format(#data, sent))
  end
end

-- Lua has no signal handlers: a C function without side effects is one here. That it ran shows in this: the alarm
-- is over, and the program is not.
local function interrupted()
  local near = pair()
  ffi.C.signal(SIGALRM, ffi.C.abs)
  ffi.C.ualarm(100000, 0)
  if times_out(near, 0.5) and ffi.C.ualarm(0, 0) == 0 then
    print("signal during a timeout of 0.5 s: handled, and fired on time")
  end
end

local function by_name()
  local listener = assert(sock.listen("127.0.0.1", 0))
  local near = assert(sock.dial("localhost", select(2, listener:localaddress()), 5))
  local far = assert(listener:accept())
  near:sendall("hello")
  if near:gettimeout() == 5 and far:recvall(5) == "hello" then
    print("by name: dialed, with a timeout of 5 s, and hello went through")
  end
end

local function lookups()
  local _, host, host_code = sock.dial("no such host", 7, 5)
  local _, service, service_code = sock.dial("127.0.0.1", "no-such-service", 5)
  if host_code == sock.EAI_NONAME and service_code == sock.EAI_SERVICE then
    print("lookups that fail: " .. host .. ", " .. service)
  end
  if not pcall(sock.dial, "127.0.0.1\0.example", 7, 5) then print("a host with a NUL: refused") end
end

local function sizes()
  local near = pair()
  near:settimeout(0.25)
  if near:recv(0) == "" then print("receive of 0 bytes: nothing, at once") end
  if not pcall(near.recv, near, -1) and not pcall(near.recv, near, 2 ^ 63) then
    print("sizes of -1 and 2^63: refused")
  end
end

local function deadline()
  local near, far = pair()
  local start = now()
  local _, err = sock.within(0.3, function()
    for _ = 1, 100 do
      local ok, why = far:sendall("x")
      if ok then ok, why = near:recv(1) end
      if not ok then return nil, why end
      ffi.C.usleep(20000)
    end
  end)
  if err == "timeout" and now() - start >= 0.3 then
    print("deadline of 0.3 s over many calls: on time, though the peer went on sending")
  end
end

-- A child cancels: a token is one in all processes.
local function cancelled()
  local near, far = pair()
  local token = assert(sock.token())
  far:sendall(("\0"):rep(1000))
  local child = ffi.C.fork()
  if child == 0 then
    ffi.C.usleep(100000)
    token:cancel()
    ffi.C._exit(0)
  end
  local _, err, data = sock.within(nil, function() return near:recvall(4096) end, token)
  ffi.C.waitpid(child, nil, 0)
  far:sendall("x")
  if err == "cancelled" and near:recv(1) == "x" then
    print(("cancelled: %d of 4096 bytes received, and the socket is still good"):format(#data))
  end
end

local function lines()
  local near, far = pair()
  far:sendall("first\nsec")
  local first = near:recvline()
  local start = now()
  local _, err = sock.within(0.1, function() return near:recvline() end)
  local on_time = err == "timeout" and now() - start >= 0.1
  far:sendall("ond\nrest")
  local second = near:recvline()
  if on_time then print(("lines: %s, %s; then %s"):format(first:sub(1, -2), second:sub(1, -2), near:recvall(4))) end
end

local function connected(host, service)
  local listener = assert(sock.listen(host, service))
  local near = assert(sock.dial(host, service and select(2, listener:localaddress()), 5))
  return listener, near, assert(listener:accept())
end

local function is(host, port, expected_host, expected_port) return host == expected_host and port == expected_port end

local function same(one, other)
  local host, port = one:remoteaddress()
  return is(host, port, other:localaddress())
end

local function addresses()
  local listener, near, far = connected("127.0.0.1", 0)
  if same(near, listener) and same(far, near) then
    print(("addresses: %s, and each end's is what the other sees"):format((near:remoteaddress())))
  end
end

local function datagrams()
  local server, client = assert(sock.listen("127.0.0.1", "0/udp")), assert(sock.listen("127.0.0.1", "0/udp"))
  assert(client:sendto("question", server:localaddress()))
  local question, host, port = server:recvfrom(100)
  assert(server:sendto("answer", host, port))
  local answer, server_host, server_port = client:recvfrom(100)
  if is(host, port, client:localaddress()) and is(server_host, server_port, server:localaddress()) then
    print(("datagrams: %s and %s, each with its sender's address"):format(question, answer))
  end
end

local function unix()
  local path = os.tmpname()
  os.remove(path)
  local _, near, far = connected(path)
  near:sendall("hello")
  if near:remoteaddress() == path and far:recvall(5) == "hello" then
    print("Unix socket: dialed by its path, and hello went through")
  end
  os.remove(path)
end

local function use_after_close()
  local closed = pair()
  closed:close()
  local near, far = pair() -- One of these has its number now.
  local refused = not closed:sendall("astray") and not closed:recv(1) and not closed:settimeout(0)
  closed:close()
  near:sendall("x")
  far:sendall("y")
  if refused and far:recv(10) == "x" and near:recv(10) == "y" then
    print("use after close: an error, and what has its number by then is left alone; closing twice: harmless")
  end
end

-- A hook closes. The alarm ends the wait for it, as no signal's handler can be in Lua.
local function close_while_waiting()
  local near = pair()
  near:settimeout(10)
  ffi.C.ualarm(100000, 0)
  local start = now()
  debug.sethook(function()
    if now() - start > 0.1 then near:close() end
  end, "", 1)
  local data, err = near:recv(1)
  debug.sethook()
  if not data and err ~= "timeout" then
    print("close while a receive waits: an error at once, and not the end of the stream")
  end
end

local function descriptors()
  collectgarbage()
  local count = 0
  for fd = 0, 4095 do
    if ffi.C.dup2(fd, fd) == fd then count = count + 1 end
  end
  return count
end

local function dropped()
  pair()
  local before = descriptors()
  for i = 1, 500 do
    pair()
    if i % 100 == 0 then collectgarbage() end
  end
  if descriptors() <= before then print("1000 sockets dropped: no descriptor is left") end
end

not_ready()
echo(arg[1], arg[2])
early_close()
interrupted()
by_name()
lookups()
sizes()
deadline()
cancelled()
lines()
addresses()
datagrams()
unix()
use_after_close()
close_while_waiting()
dropped()
