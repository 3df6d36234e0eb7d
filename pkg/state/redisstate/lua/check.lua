-- KEYS: meta, timers, the buckets that a step touches. ARGV: identity, buckets, token, ready, generation ('' for any), from,
-- to. The caller watches meta and then writes in a transaction, which Redis refuses when meta has changed since.
-- Returns OK where the step has been done; else OK, the moment in ms and whether there are timers.
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
if not redis.call('ZSCORE', KEYS[2], '\255' .. generation) then
  return {'MISMATCH', 'the timers are lost'}
end
for k = 3, #KEYS do
  if redis.call('HGET', KEYS[k], '') ~= generation then
    return {'MISMATCH', 'a bucket is lost'}
  end
end
local now = redis.call('TIME')
return {'OK', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)), redis.call('ZCARD', KEYS[2]) - 1}
