package redisstate

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// Every script runs the guard first, an owner's the fence too. Their first arguments are the same: identity, number of
// buckets and, for an owner, the token. Each declares all its keys, and all keys of a partition lie in one slot.
var (
	//go:embed lua/guard.lua
	guard string
	//go:embed lua/fence.lua
	fence string
	//go:embed lua/sentinels.lua
	sentinels string

	//go:embed lua/claim.lua
	claimSource string
	//go:embed lua/check.lua
	checkSource string
	//go:embed lua/due.lua
	dueSource string
	//go:embed lua/begin.lua
	beginSource string
	//go:embed lua/erase.lua
	eraseSource string
	//go:embed lua/finish.lua
	finishSource string
	//go:embed lua/range.lua
	rangeSource string

	claimScript  = redis.NewScript(guard + fence + sentinels + claimSource)
	checkScript  = redis.NewScript(guard + fence + sentinels + checkSource)
	dueScript    = redis.NewScript(guard + fence + sentinels + dueSource)
	beginScript  = redis.NewScript(guard + fence + beginSource)
	eraseScript  = redis.NewScript(guard + fence + eraseSource)
	finishScript = redis.NewScript(guard + fence + sentinels + finishSource)
	rangeScript  = redis.NewScript(guard + rangeSource)
)
