-- Goes after the guard in the scripts that look at sentinels or ask the time. From KEYS[2] on there are so many sorted
-- sets, the timers first, then lists; the buckets follow. Says what of them is lost: not there, or of another generation.
local function lost(sets)
  for k = 2, 1 + sets do
    if not redis.call('ZSCORE', KEYS[k], '\255' .. generation) then
      return k == 2 and 'the timers are lost' or 'a list is lost'
    end
  end
  for k = 2 + sets, #KEYS do
    if redis.call('HGET', KEYS[k], '') ~= generation then
      return 'a bucket is lost'
    end
  end
end
-- Redis's own clock, ms since the Unix epoch.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
