package doctor

import (
	"context"
	"fmt"
	"os"

	"github.com/pqlstream/pqlstream/pkg/codec"
)

// examineRegistry asks whether what is written has, or could get, its schemas. It registers none.
func examineRegistry(ctx context.Context, s *Subject) []Finding {
	const check = "registry"
	var f findings
	switch dir := s.Config.Registry.Directory; {
	case s.Registry == nil && dir == "":
		f.skip(check, "these settings have no Avro")
		return f
	case s.Registry == nil:
		if _, err := os.ReadDir(dir); err != nil {
			f.fail(check, err.Error(), "name the folder by registry.directory; pqlstream schemas export writes one")
			return f
		}
		f.ok(check, "schemas are in the folder "+dir)
		return f
	}
	ids, missing, err := codec.Registered(ctx, s.Registry, s.Schemas)
	switch {
	case err != nil:
		f.failures(check, err)
	case len(missing) > 0:
		f.ok(check, fmt.Sprintf("%d schemas are there; %d are not yet, fit what is there, and are registered by the first process that starts", len(ids), len(missing)))
	default:
		f.ok(check, fmt.Sprintf("all %d schemas are there", len(ids)))
	}
	return f
}
