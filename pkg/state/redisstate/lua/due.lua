-- KEYS: meta, timers. ARGV: identity, buckets, token, position, after, before, limit.
if ready ~= '1' or buckets ~= ARGV[2] then
  return {'MISMATCH', 'it is not ready'}
end
if tonumber(position) < tonumber(ARGV[4]) then
  return {'MISMATCH', 'it stands at ' .. position}
end
local what = lost(1)
if what then
  return {'MISMATCH', what}
end
return {'OK', redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[5], ARGV[6], 'WITHSCORES', 'LIMIT', 0, ARGV[7])}
