-- Goes after the guard in the scripts that look at sentinels or ask the time. KEYS[2] is the timers; the buckets follow.
-- Says what of them is lost: not there, or of another generation.
local function lost()
  if not redis.call('ZSCORE', KEYS[2], '\255' .. generation) then
    return 'the timers are lost'
  end
  for k = 3, #KEYS do
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
