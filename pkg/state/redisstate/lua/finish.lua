-- KEYS: meta, timers, every list, every bucket. ARGV: identity, buckets, token, generation, from, the changelog position,
-- how many sorted sets there are, the names of the lists, the definition that timers and lists are of. The last step of
-- building: all of it is there, readers see it.
if generation ~= ARGV[4] or buckets ~= ARGV[2] then
  return {'MISMATCH', 'it is not being built'}
end
if ready == '1' then
  return {'OK'} -- the reply to the first time was lost
end
if position ~= ARGV[5] then
  return {'MISMATCH', 'building it stands at ' .. position}
end
local what = lost(tonumber(ARGV[7]))
if what then
  return {'MISMATCH', what}
end
redis.call('HSET', KEYS[1], 'ready', '1', 'position', ARGV[6], 'erase', ARGV[2], 'lists', ARGV[8],
  'definition', ARGV[9], 'updated', string.format('%.0f', now()))
return {'OK'}
