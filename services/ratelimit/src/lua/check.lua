-- Decides over all limits of one principal in one step: either each counts the act or none does. A denial counts nothing.
--
-- KEYS: the principal's penalty, its known networks, then one counter per limit; all with one hash tag. Time is the server's.
-- ARGV: `check`, or `peek` which writes nothing; then for each counter FIVE values:
--   kind (`w` ring, `e` exact, `g` rate), cost, limit, span (window in ms; for `g` the microseconds of one unit), and either '' or
--   "shadow after first longest network": 1 or 0, denials before a penalty (0: never), its first and longest length in ms, and the network
--   that may pass all the same (or nothing). One text, empty for most, because every argument costs.
-- Returns: 1 admitted or 0; ms the penalty lasts (0: none); its level; 1 if it began now; the server's time in ms; 1 if the network is known;
--   then for each counter FIVE values: 1 within the limit, 0 beyond, 2 beyond but from a known network; remaining; ms until it is as without
--   any act; ms until there is room for this cost; the stamp that takes the act back.
--
-- Ring (`w`): the number of the newest sub-bucket, the total, then 21 counts, newest first, 4 bytes each. A window of 20 sub-buckets touches at most 21 of
-- them, so none ever holds more than the limit, and a caller that waits gets at least 20/21 of it.
-- Exact (`e`): the microsecond of each admitted act, oldest first, 8 bytes each.
-- Rate (`g`): the theoretical arrival time of GCRA in microseconds, 8 bytes.
local SLOTS, TURN = 21, 4294967296
local COUNTS = 'I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4'
local NETWORK_KEPT, DAY = 30 * 86400000, 86400000

local writes = ARGV[1] == 'check'
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)

local stored = redis.call('MGET', KEYS[1], unpack(KEYS, 3))

-- Level, end, denials, since when they are counted.
local function penalty(text)
  if not text then return 0, 0, 0, 0 end
  local level, ends, denials, since = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return tonumber(level), tonumber(ends), tonumber(denials), tonumber(since)
end

-- Each answers: whether there is room, remaining, ms until empty, ms until room, stamp, and what to store with its life if the act counts.
local kinds = {}

function kinds.w(key, raw, cost, limit, window)
  local width = math.max(1, math.ceil(window / (SLOTS - 1)))
  local current = math.floor(now / width) % TURN
  local counts, used, oldest_newest = {current}, 0, 0
  for i = 2, SLOTS + 1 do counts[i] = 0 end
  if raw then
    local old = {struct.unpack('>I4xxxx' .. COUNTS, raw)}
    local shift = (current - old[1]) % TURN
    if shift > TURN / 2 then
      -- The clock of a new master is behind the one that wrote: stay in the newest sub-bucket.
      counts[1], shift = old[1], 0
    end
    for i = 2 + shift, SLOTS + 1 do
      local count = old[i - shift]
      counts[i] = count
      used = used + count
      if count > 0 and oldest_newest == 0 then oldest_newest = i end
    end
  end
  local left = width - now % width
  local excess, wait = used + cost - limit, 0
  if excess > 0 then
    wait = window
    for i = SLOTS + 1, 2, -1 do
      excess = excess - counts[i]
      if excess <= 0 then wait = (SLOTS + 1 - i) * width + left break end
    end
  end
  local room = used + cost <= limit
  local reset = 0
  if room and cost > 0 then oldest_newest = 2 end
  if oldest_newest > 0 then reset = (SLOTS + 1 - oldest_newest) * width + left end
  local function store()
    counts[2] = counts[2] + cost
    redis.call('SET', key, struct.pack('>I4I4' .. COUNTS, counts[1], used + cost, unpack(counts, 2)), 'PX', width * (SLOTS + 1))
  end
  return room, math.max(0, limit - used), reset, wait, counts[1], store
end

function kinds.e(key, raw, cost, limit, window)
  local live = {}
  raw = raw or ''
  for at = 1, #raw, 8 do
    local stamp = struct.unpack('>d', raw, at)
    if stamp > now_us - window * 1000 then live[#live + 1] = stamp end
  end
  local excess, wait = #live + cost - limit, 0
  if excess > 0 then
    wait = window
    if live[excess] then wait = math.ceil((live[excess] - now_us) / 1000) + window end
  end
  local room, reset = excess <= 0, 0
  if room and cost > 0 then reset = window
  elseif #live > 0 then reset = math.ceil((live[#live] - now_us) / 1000) + window end
  local function store()
    for _ = 1, cost do live[#live + 1] = now_us end
    for i = 1, #live do live[i] = struct.pack('>d', live[i]) end
    redis.call('SET', key, table.concat(live), 'PX', window)
  end
  return room, math.max(0, limit - #live), reset, wait, now_us, store
end

function kinds.g(key, raw, cost, burst, interval)
  local arrival = now_us
  if raw then arrival = math.max(now_us, (struct.unpack('>d', raw))) end
  local next, full = arrival + cost * interval, burst * interval
  local room, wait = next - now_us <= full, 0
  if not room then wait = math.ceil((next - now_us - full) / 1000) end
  local after = room and next or arrival
  local function store()
    redis.call('SET', key, struct.pack('>d', next), 'PX', math.ceil((next - now_us) / 1000) + 1)
  end
  return room, math.floor((full - (arrival - now_us)) / interval), math.ceil((after - now_us) / 1000), wait, 0, store
end

local function known(network)
  local seen = redis.call('ZSCORE', KEYS[2], network)
  return seen and tonumber(seen) > now - NETWORK_KEPT
end

local level, ends, denials, since = penalty(stored[1])
local admitted, stores, violated = ends <= now, {}, nil
local HEAD, EACH = 6, 5
local reply = {0, math.max(0, ends - now), level, 0, now, 0}

for k = 1, #KEYS - 2 do
  local at = 2 + (k - 1) * 5
  local cost, more = tonumber(ARGV[at + 1]), ARGV[at + 4]
  local shadow, after, first_length, longest, network
  if more ~= '' then
    shadow, after, first_length, longest, network = string.match(more, '^(%d) (%d+) (%d+) (%d+) (.*)$')
  end
  local room, remaining, reset, wait, stamp, store =
    kinds[ARGV[at]](KEYS[k + 2], stored[k + 1], cost, tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
  local verdict = room and 1 or 0
  if network and network ~= '' and known(network) then
    reply[6] = 1
    if not room then verdict = 2 end
  end
  if verdict == 0 and shadow ~= '1' then
    if admitted and after and after ~= '0' then
      violated = {tonumber(ARGV[at + 3]), tonumber(after), tonumber(first_length), tonumber(longest)}
    end
    admitted = false
  end
  if room and cost > 0 then stores[#stores + 1] = {store, k, cost} end
  local first = HEAD + (k - 1) * EACH
  reply[first + 1], reply[first + 2], reply[first + 3], reply[first + 4], reply[first + 5] = verdict, remaining, reset, wait, stamp
end

if admitted then
  reply[1] = 1
  for _, entry in ipairs(stores) do
    local store, remaining = entry[1], HEAD + (entry[2] - 1) * EACH + 2
    if writes then store() end
    reply[remaining] = reply[remaining] - entry[3]
  end
elseif violated and writes then
  local span, threshold, first, longest = unpack(violated)
  if ends > 0 then
    -- One level less for each clean day since the last one ended; the rest of a day counts on.
    local clean = math.floor((now - ends) / DAY)
    level, ends = math.max(0, level - clean), ends + clean * DAY
  end
  if now - since > span then denials, since = 0, now end
  denials = denials + 1
  if denials >= threshold then
    local length = math.min(first * 2 ^ level, longest)
    ends, level, denials = now + length, level + 1, 0
    reply[2], reply[3], reply[4] = length, level, 1
  end
  local life = math.max(span, ends - now) + level * DAY
  redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f %.0f', level, ends, denials, since), 'PX', math.floor(life))
end
return reply
