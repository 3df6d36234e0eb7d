-- KEYS: meta, sorted sets, some of the buckets. ARGV: identity, buckets, token, generation, from, to, how many of the keys
-- are sorted sets, how many of these are still used, how many of the buckets are (what is used comes first). A step of
-- building: makes them anew, empty but for the sentinel.
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
local sets, usedSets, usedBuckets = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
for k = 2, #KEYS do
  redis.call('UNLINK', KEYS[k])
  if k <= 1 + usedSets then
    redis.call('ZADD', KEYS[k], '+inf', '\255' .. generation)
  elseif k > 1 + sets and k <= 1 + sets + usedBuckets then
    redis.call('HSET', KEYS[k], '', generation)
  end
end
redis.call('HSET', KEYS[1], 'position', ARGV[6])
return {'OK'}
