-- KEYS: meta, timers, every list where a step touches any, the buckets that it touches. ARGV: identity, buckets, token,
-- ready, generation ('' for any), from, to, how many sorted sets there are among the keys. The caller watches meta and then writes in a transaction, which Redis refuses when meta has changed since.
-- Returns OK where the step has been done; else OK, the moment in ms and how many entities each sorted set holds.
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
local sets = tonumber(ARGV[8])
local what = lost(sets)
if what then
  return {'MISMATCH', what}
end
local reply = {'OK', string.format('%.0f', now())}
for k = 2, 1 + sets do
  reply[k + 1] = redis.call('ZCARD', KEYS[k]) - 1
end
return reply
