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
local what = lost()
if what then
  return {'MISMATCH', what}
end
return {'OK', string.format('%.0f', now()), redis.call('ZCARD', KEYS[2]) - 1}
