-- KEYS: meta, timers, then the bucket of each group. ARGV: identity, buckets, token, ready, generation ('' for any),
-- from, to, number of timers set, number of timers removed; the timers set (score, member), those removed (member); for
-- each group the number of fields set, the number removed, the set ones (field, value), the removed ones.
-- A mirror that is being built goes the same way: it is not ready, and its position counts the steps of building.
if ready ~= ARGV[4] or buckets ~= ARGV[2] or (ARGV[5] ~= '' and generation ~= ARGV[5]) then
  return {'MISMATCH', 'it is not ready'}
end
if position == ARGV[7] then
  return {'OK'} -- the reply to the first time was lost
end
if position ~= ARGV[6] then
  return {'MISMATCH', 'it stands at ' .. position}
end

-- Everything is checked before the first write: a script that fails afterwards would leave half of it.
if not redis.call('ZSCORE', KEYS[2], '\255' .. generation) then
  return {'MISMATCH', 'the timers are lost'}
end
local nset, nrem = tonumber(ARGV[8]), tonumber(ARGV[9])
for a = 10, 9 + 2 * nset, 2 do
  if not tonumber(ARGV[a]) then
    return redis.error_reply('ERR pqlstream: a timer is not a number')
  end
end
local first = 10 + 2 * nset + nrem
local a = first
for k = 3, #KEYS do
  if redis.call('HGET', KEYS[k], '') ~= generation then
    return {'MISMATCH', 'a bucket is lost'}
  end
  a = a + 2 + 2 * ARGV[a] + ARGV[a + 1]
end
if a ~= #ARGV + 1 then
  return redis.error_reply('ERR pqlstream: the groups do not add up')
end

-- unpack takes some thousands of values at most; the caller keeps a group within 100 entries.
a = first
for k = 3, #KEYS do
  local sets = a + 2
  local dels = sets + 2 * ARGV[a]
  local after = dels + ARGV[a + 1]
  if dels > sets then
    redis.call('HSET', KEYS[k], unpack(ARGV, sets, dels - 1))
  end
  if after > dels then
    redis.call('HDEL', KEYS[k], unpack(ARGV, dels, after - 1))
  end
  a = after
end
for t = 10, 9 + 2 * nset, 200 do
  redis.call('ZADD', KEYS[2], unpack(ARGV, t, math.min(t + 199, 9 + 2 * nset)))
end
if nrem > 0 and redis.call('ZCARD', KEYS[2]) > 1 then
  for t = 10 + 2 * nset, first - 1, 200 do
    redis.call('ZREM', KEYS[2], unpack(ARGV, t, math.min(t + 199, first - 1)))
  end
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'token', ARGV[3], 'position', ARGV[7],
  'updated', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
return {'OK'}
