#!lua flags=allow-cross-slot-keys
-- Decides over many asks of one server in one step, as check.lua would one after the other: plain ones, whose limits are all rings.
--
-- KEYS: any key of the server. The others are not declared: they are in many slots, and only this server's count.
-- ARGV: how many limits; for each TWO values: the end of its counters' keys, and cost, limit and window in ms (`>I4I4I8`); then for each ask TWO
--   values: the principal, and the numbers of its limits, one byte each.
-- Returns one text. For each ask a byte: 1 admitted, 0 not, 2 left to check.lua, because the principal has a penalty or lives elsewhere; then,
--   but for 2, for each limit `>BI4I4I4I4`: 1 within the limit or 0; remaining; ms until it is as without any act; ms until there is room; the
--   stamp that takes the act back.
local SLOTS, FORMAT, TURN = 21, '>I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4', 4294967296
local LEFT = string.char(2)

local time = redis.call('TIME')
local now = math.floor((time[1] * 1000000 + time[2]) / 1000)

local limits, first_ask = {}, 2 + 2 * ARGV[1]
for i = 1, tonumber(ARGV[1]) do
  local cost, limit, window = struct.unpack('>I4I4I8', ARGV[2 * i + 1])
  local width = math.max(1, math.ceil(window / (SLOTS - 1)))
  limits[i] = {
    ending = ARGV[2 * i], cost = cost, limit = limit, window = window, width = width,
    current = math.floor(now / width) % TURN, left = width - now % width,
  }
end

local function total(_, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u)
  return a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u
end

-- The ring as it is now: its sub-buckets moved on by the time that passed.
local function turned(raw, current)
  if not raw then return struct.pack('>I4', current) .. string.rep('\0', 4 * SLOTS) end
  local shift = (current - struct.unpack('>I4', raw)) % TURN
  -- The clock of a new master is behind the one that wrote: stay in the newest sub-bucket.
  if shift == 0 or shift > TURN / 2 then return raw end
  shift = math.min(shift, SLOTS)
  return struct.pack('>I4', current) .. string.rep('\0', 4 * shift) .. string.sub(raw, 5, 4 + 4 * (SLOTS - shift))
end

-- For a limit without room: ms until it is as without any act, and until there is room.
local function waits(ring, limit, excess)
  local counts = {struct.unpack(FORMAT, ring)}
  local reset, wait = 0, limit.window
  for i = SLOTS + 1, 2, -1 do
    if counts[i] > 0 then reset = (SLOTS + 1 - i) * limit.width + limit.left end
    if excess > 0 and excess <= counts[i] then wait = (SLOTS + 1 - i) * limit.width + limit.left end
    excess = excess - counts[i]
  end
  return reset, wait
end

-- What keys hold after the asks before, and how long those live that are to be written.
local known, lives = {}, {}

local function fetch(keys)
  for i = 1, #keys do
    if known[keys[i]] == nil then
      local values = redis.pcall('MGET', unpack(keys))
      if values.err then return false end
      for k = 1, #keys do
        if known[keys[k]] == nil then known[keys[k]] = values[k] end
      end
      return true
    end
  end
  return true
end

local replies = {}
local function decide(principal, numbers)
  local prefix = 'limit:{' .. principal .. '}:'
  local keys = {prefix .. 'penalty'}
  for i = 1, #numbers do keys[i + 1] = prefix .. limits[string.byte(numbers, i)].ending end
  if not fetch(keys) or known[keys[1]] then
    replies[#replies + 1] = LEFT
    return
  end
  local admitted, rings, useds = true, {}, {}
  for i = 1, #numbers do
    local limit = limits[string.byte(numbers, i)]
    rings[i] = turned(known[keys[i + 1]], limit.current)
    useds[i] = total(struct.unpack(FORMAT, rings[i]))
    admitted = admitted and useds[i] + limit.cost <= limit.limit
  end
  replies[#replies + 1] = string.char(admitted and 1 or 0)
  for i = 1, #numbers do
    local limit, ring, used = limits[string.byte(numbers, i)], rings[i], useds[i]
    local stamp, newest = struct.unpack('>I4I4', ring)
    local room, reset, wait = used + limit.cost <= limit.limit, (SLOTS - 1) * limit.width + limit.left, 0
    if not room then reset, wait = waits(ring, limit, used + limit.cost - limit.limit) end
    if admitted then
      used = used + limit.cost
      known[keys[i + 1]] = struct.pack('>I4I4', stamp, newest + limit.cost) .. string.sub(ring, 9)
      lives[keys[i + 1]] = limit.width * (SLOTS + 1)
    end
    replies[#replies + 1] =
      struct.pack('>BI4I4I4I4', room and 1 or 0, math.max(0, limit.limit - used), reset, wait, stamp)
  end
end

for at = first_ask, #ARGV, 2 do decide(ARGV[at], ARGV[at + 1]) end
for key, life in pairs(lives) do redis.call('SET', key, known[key], 'PX', life) end
return table.concat(replies)
