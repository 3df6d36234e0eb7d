package checklist

import "slices"

// presets are the bars of products that are more and more complex: the more complex the product, the earlier sales
// helps. Those of mid and complex are starting values, to calibrate.
var presets = map[string][]TierDef{
	"simple":  presetTiers(0.75, 0.60, 0.80, 0.35, 0.50),
	"mid":     presetTiers(0.60, 0.50, 0.65, 0.25, 0.40),
	"complex": presetTiers(0.40, 0.30, 0.50, 0.15, 0.30),
}

func presetTiers(small, medium, escalateMedium, large, escalateLarge float64) []TierDef {
	isLarge, isMedium := "account.company_size >= 500", "account.company_size >= 50"
	return []TierDef{
		{Name: "large", When: &isLarge, Threshold: &large, EscalateAt: &escalateLarge, Playbook: "manual-outreach"},
		{Name: "medium", When: &isMedium, Threshold: &medium, EscalateAt: &escalateMedium, Playbook: "guided-trial"},
		{Name: "small", Threshold: &small, Playbook: "in-app-nudge"},
	}
}

// tiersWithDefaults returns the definition's tiers with what the preset adds.
func tiersWithDefaults(def *Definition) []TierDef {
	preset := presets[def.Preset]
	if len(def.Tiers) == 0 {
		return preset
	}
	tiers := slices.Clone(def.Tiers)
	for i := range tiers {
		for _, p := range preset {
			if p.Name == tiers[i].Name {
				tiers[i] = overridden(p, tiers[i])
			}
		}
	}
	return tiers
}

func overridden(preset, t TierDef) TierDef {
	if t.When == nil {
		t.When = preset.When
	}
	if t.Threshold == nil {
		t.Threshold = preset.Threshold
	}
	// A threshold raised to or above the preset's escalation leaves nothing to escalate to.
	if t.EscalateAt == nil && preset.EscalateAt != nil && *preset.EscalateAt > *t.Threshold {
		t.EscalateAt = preset.EscalateAt
	}
	if t.Playbook == "" {
		t.Playbook = preset.Playbook
	}
	return t
}
