package checklist

import (
	"cmp"
	"slices"
)

const largeTier = "large"

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
		{Name: largeTier, When: &isLarge, Threshold: &large, EscalateAt: &escalateLarge, Playbook: "manual-outreach"},
		{Name: "medium", When: &isMedium, Threshold: &medium, EscalateAt: &escalateMedium, Playbook: "guided-trial"},
		{Name: "small", Threshold: &small, Playbook: "in-app-nudge"},
	}
}

// markLarge marks the tiers of large accounts, where one user alone is not enough to go by: those named large or enterprise,
// those whose bar is no higher than the preset's for large accounts (without a preset, that of simple products), and, where
// bars differ, those with the lowest.
func markLarge(tiers []Tier, preset string) {
	byBar := func(a, b Tier) int { return cmp.Compare(a.Threshold, b.Threshold) }
	lowest, highest := slices.MinFunc(tiers, byBar).Threshold, slices.MaxFunc(tiers, byBar).Threshold
	bar := largeBar("simple")
	if presets[preset] != nil {
		bar = largeBar(preset)
	}
	if lowest < highest {
		bar = max(bar, lowest)
	}
	for i := range tiers {
		t := &tiers[i]
		t.Large = t.Name == largeTier || t.Name == "enterprise" || t.Threshold <= bar
	}
}

// largeBar is a preset's bar for large accounts.
func largeBar(preset string) float64 {
	of := presets[preset]
	return *of[slices.IndexFunc(of, func(t TierDef) bool { return t.Name == largeTier })].Threshold
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
