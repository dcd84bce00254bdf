-- LuaSocket under LuaJIT, put to the harness's measures. usage: luajit.lua MEASURE [ARGUMENT...]
local ffi = require "ffi"
local socket = require "socket"
local unix = require "socket.unix"

ffi.cdef [[
struct timespec { long tv_sec; long tv_nsec; };
int clock_gettime(int clock, struct timespec *time);
int sched_getaffinity(int pid, size_t len, uint64_t *set);
int sched_setaffinity(int pid, size_t len, const uint64_t *set);
int fork(void);
int getpid(void);
int waitpid(int pid, int *status, int options);
int usleep(unsigned microseconds);
void _exit(int status);
void (*signal(int number, void (*handler)(int)))(int);
int abs(int);
]]

local C = ffi.C
local MESSAGE, TIMEOUT, LARGE = ("\0"):rep(64), 10, 8 * 2 ^ 20
local MONOTONIC, THREAD = 1, 3

local function clock(which)
  local time = ffi.new("struct timespec")
  C.clock_gettime(which, time)
  return tonumber(time.tv_sec) * 1e9 + tonumber(time.tv_nsec)
end

local cores = {}
do
  local set = ffi.new("uint64_t[16]")
  C.sched_getaffinity(0, 128, set)
  for core = 1023, 0, -1 do
    if tonumber(set[math.floor(core / 64)] / 2ULL ^ (core % 64) % 2ULL) == 1 then cores[#cores + 1] = core end
  end
end

local function pin(index)
  local core = assert(cores[index + 1], "a second core to run on")
  local set = ffi.new("uint64_t[16]")
  set[math.floor(core / 64)] = 2ULL ^ (core % 64)
  C.sched_setaffinity(0, 128, set)
end

local function pair(domain)
  local listening, client, server
  if domain == "unix" then
    local path = os.tmpname()
    os.remove(path)
    listening = unix()
    assert(listening:bind(path))
    assert(listening:listen(1))
    client = unix()
    assert(client:connect(path))
    os.remove(path)
    server = assert(listening:accept())
  else
    listening = assert(socket.bind("127.0.0.1", 0))
    local address, port = listening:getsockname()
    client = assert(socket.connect(address, port))
    server = assert(listening:accept())
    client:setoption("tcp-nodelay", true)
    server:setoption("tcp-nodelay", true)
  end
  listening:close()
  client:settimeout(TIMEOUT)
  server:settimeout(TIMEOUT)
  return client, server
end

local function print_median(times, each)
  table.sort(times)
  print(times[math.floor(#times / 2) + 1] / each)
end

-- Lua has no threads; the other end is a process.
local function in_child(work)
  io.stdout:flush()
  local pid = C.fork()
  if pid == 0 then
    work()
    C._exit(0)
  end
  return pid
end

-- Times `work` and leaves out the first of the batches, which warms up.
local function timed(which, batches, each, before, work, after)
  local times = {}
  for batch = 0, batches do
    before()
    local start = clock(which)
    for _ = 1, each do work() end
    if batch > 0 then times[batch] = clock(which) - start end
    after()
  end
  print_median(times, each)
end

local function nothing() end

local measures = {}

function measures.version() print("luasocket", socket._VERSION:match("[%d.]+")) end

function measures.recv(domain, batches)
  pin(0)
  local client, server = pair(domain)
  timed(THREAD, tonumber(batches), 64, function() for _ = 1, 64 do server:send(MESSAGE) end end,
    function() assert(client:receive(64)) end, nothing)
end

function measures.send(domain, batches)
  pin(0)
  local client, server = pair(domain)
  timed(THREAD, tonumber(batches), 64, nothing, function() assert(client:send(MESSAGE)) end,
    function() server:receive(64 * 64) end)
end

function measures.pingpong(domain, cores_used, batches)
  pin(cores_used - 1)
  pin(0)
  local client, server = pair(domain)
  in_child(function()
    pin(cores_used - 1)
    for _ = 1, (batches + 1) * 100 do server:send(server:receive(64)) end
  end)
  timed(MONOTONIC, tonumber(batches), 100, nothing, function()
    client:send(MESSAGE)
    assert(client:receive(64))
  end, nothing)
end

function measures.bulk(domain, step, mebibytes)
  local count = mebibytes * 2 ^ 20 / step
  pin(0)
  local client, server = pair(domain)
  local data = ("\0"):rep(step)
  local start = clock(MONOTONIC)
  local child = in_child(function()
    pin(1)
    for _ = 1, count do assert(server:receive(step)) end
  end)
  for _ = 1, count do assert(client:send(data)) end
  C.waitpid(child, nil, 0)
  print((clock(MONOTONIC) - start) / mebibytes)
end

local function exchange(client, length)
  local deadline = clock(MONOTONIC) + TIMEOUT * 1e9
  client:settimeout((deadline - clock(MONOTONIC)) / 1e9)
  assert(client:send(MESSAGE))
  client:settimeout((deadline - clock(MONOTONIC)) / 1e9, "t")
  assert(client:receive(length))
end

function measures.request(length, batches)
  pin(0)
  local server = io.popen(("%s server %d"):format(os.getenv("BENCH"), length))
  local client = assert(socket.connect("127.0.0.1", server:read("*n")))
  client:setoption("tcp-nodelay", true)
  timed(MONOTONIC, tonumber(batches), 20, nothing, function() exchange(client, tonumber(length)) end, nothing)
  client:close()
  server:close()
end

local LINE = ("x"):rep(63) .. "\n"

function measures.lines(domain, batches)
  pin(0)
  local client, server = pair(domain)
  local text = LINE:rep(256)
  timed(THREAD, tonumber(batches), 256, function() assert(server:send(text)) end,
    function() assert(client:receive("*l")) end, nothing)
end

function measures.connect(batches)
  pin(0)
  local listening = assert(socket.bind("127.0.0.1", 0, 128))
  listening:settimeout(TIMEOUT)
  listening:setoption("linger", { on = true, timeout = 0 })
  local address, port = listening:getsockname()
  timed(THREAD, tonumber(batches), 20, nothing, function()
    local client = socket.tcp4()
    client:settimeout(TIMEOUT)
    assert(client:connect(address, port))
    assert(listening:accept()):close()
    client:close()
  end, nothing)
end

function measures.settimeout(batches)
  pin(0)
  local client = pair("unix")
  timed(THREAD, tonumber(batches), 100, nothing, function() client:settimeout(TIMEOUT) end, nothing)
end

function measures.lateness(seconds, count)
  local client = pair("unix")
  client:settimeout(tonumber(seconds))
  for _ = 1, count do
    local start = clock(MONOTONIC)
    local _, why = client:receive(64)
    print(why == "timeout" and ("%d"):format(clock(MONOTONIC) - start - seconds * 1e9) or "fail " .. why)
  end
end

function measures.storm(seconds)
  C.signal(10, ffi.cast("void (*)(int)", C.abs)) -- Any harmless function will do.
  os.execute(("%s signals %d &"):format(os.getenv("BENCH"), C.getpid()))
  measures.lateness(seconds, 1)
end

function measures.calls(operation, count)
  local client, server = pair(operation:match("tcp$") or "unix")
  local listening = assert(socket.bind("127.0.0.1", 0, 128))
  listening:settimeout(TIMEOUT)
  local address, port = listening:getsockname()
  local unconnected = {}
  for made = 1, 25 do -- As many, however few are connected.
    unconnected[made] = socket.tcp4()
    unconnected[made]:settimeout(TIMEOUT)
  end
  local large, kept = ("\0"):rep(LARGE), {}
  local function send() server:send(MESSAGE) end
  local function receive() assert(client:receive(64)) end
  local part = ("\0"):rep(2 ^ 17)
  local function slowly(work)
    return function()
      for _ = 1, LARGE / #part do
        C.usleep(2000)
        work()
      end
    end
  end
  local function connect() kept[#kept + 1] = socket.connect(address, port) end
  local function accept() assert(listening:accept()):close() end
  local operations = {
    ["recv-ready"] = { receive, send },
    ["recv-waiting"] = { receive, send },
    ["recv-expiring"] = { function() client:receive(64) end },
    ["send"] = { function() assert(client:send(MESSAGE)) end },
    ["sendall-unix"] = { function() assert(client:send(large)) end, slowly(function() server:receive(#part) end) },
    ["sendall-tcp"] = { function() assert(client:send(large)) end, slowly(function() server:receive(#part) end) },
    ["recvall"] = { function() assert(client:receive(LARGE)) end, slowly(function() server:send(part) end) },
    ["accept-ready"] = { accept, connect },
    ["accept-waiting"] = { accept, connect },
    ["connect"] = { function() assert(table.remove(unconnected):connect(address, port)) end },
    ["settimeout"] = { function() client:settimeout(TIMEOUT) end },
    ["settimeout-same"] = { function() client:settimeout(TIMEOUT) end },
    ["request-ready"] = { function() exchange(client, 64) end, send },
    ["request-waiting"] = { function() exchange(client, 64) end, function()
      server:receive(64)
      C.usleep(5000)
      send()
    end },
    ["lines"] = { function() for _ = 1, 64 do assert(client:receive("*l")) end end,
      function() server:send(LINE:rep(64)) end },
  }
  local work, other = unpack(operations[operation])
  if operation == "recv-expiring" then client:settimeout(0.05) end
  if other then
    local child = in_child(function()
      for _ = 1, count do
        if operation:find("waiting") then C.usleep(5000) end
        other()
      end
      C.usleep(5000)
    end)
    if (operation:find("ready") or operation == "lines") then C.waitpid(child, nil, 0) end
  end
  for _ = 1, count do work() end
end

local ok, why = pcall(measures[arg[1]], unpack(arg, 2))
if not ok then print("fail " .. tostring(why)) end
