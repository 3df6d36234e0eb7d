-- KEYS: meta, timers, some of the buckets. ARGV: identity, buckets, token, generation, from, to, how many of the buckets
-- are still used (they come first). A step of building: makes the buckets anew, empty but for the sentinel.
-- The sentinels come before the states: one that is missing at the end says that something was evicted meanwhile.
if ready ~= '0' or generation ~= ARGV[4] or buckets ~= ARGV[2] then
  return {'MISMATCH', 'it is not being built'}
end
if position == ARGV[6] then
  return {'OK'}
end
if position ~= ARGV[5] then
  return {'MISMATCH', 'building it stands at ' .. position}
end
if position == '0' then
  redis.call('UNLINK', KEYS[2])
  redis.call('ZADD', KEYS[2], '+inf', '\255' .. generation)
end
for k = 3, #KEYS do
  redis.call('UNLINK', KEYS[k])
  if k - 2 <= tonumber(ARGV[7]) then
    redis.call('HSET', KEYS[k], '', generation)
  end
end
redis.call('HSET', KEYS[1], 'position', ARGV[6])
return {'OK'}
