package doctor

import (
	"context"
	"fmt"
	"os"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// examineSettings says that the settings are valid: others are refused when they are read.
func examineSettings(context.Context, *Subject) []Finding {
	var f findings
	f.ok("settings", "valid; pqlstream config show --origin tells where each comes from")
	return f
}

// examineChecklist reads the checklist as `pqlstream checklist check` does, and holds it against the settings.
func examineChecklist(_ context.Context, s *Subject) []Finding {
	const check = "checklist"
	var f findings
	file := s.Config.Checklist
	if file == "" {
		f.skip(check, "the settings name none, and need none for their stages")
		return f
	}
	text, err := os.ReadFile(file)
	if err != nil {
		f.fail(check, err.Error(), "name the file by the setting checklist; a relative path counts from the working directory")
		return f
	}
	definition, list, mistakes := checklist.Check(text)
	for i := range mistakes {
		f.fail(check, fmt.Sprintf("%s:%d: %s", file, mistakes[i].Line, mistakes[i].Problem.Error()), "mend it, then run pqlstream checklist check "+file)
	}
	if len(mistakes) > 0 {
		return f
	}
	if err := s.Config.CheckWith(list); err != nil {
		f.fail(check, err.Error(), "mend the settings or the checklist")
	}
	warnings, err := checklist.Warnings(definition, list)
	if err != nil {
		f.warn(check, err.Error(), "")
	}
	for _, w := range warnings {
		f.warn(check, file+": "+w.Error(), "")
	}
	if f == nil {
		f.ok(check, fmt.Sprintf("%s: %s, version %d, %d steps, %d tiers", file, list.Name(), list.Version(), len(list.Steps()), len(list.Tiers())))
	}
	return f
}
