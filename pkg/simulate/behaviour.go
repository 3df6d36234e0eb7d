package simulate

import "math"

// behaviour is how an account takes to the product.
type behaviour struct {
	name  string
	share int // of the accounts, in percent

	// activity says how likely one of its people works with the product on a working day, 0 to 1, so many days after
	// the sign-up.
	activity func(age float64) float64

	team    float64 // how likely a session of a member invites somebody, while the team grows
	reports float64 // how likely an action runs a report
	storage float64 // GB that an upload takes, on average
	premium float64 // how likely a session looks at a paid feature
	buys    float64 // how likely a click on "upgrade" ends in a subscription
	cancels bool    // whether a subscription is cancelled when interest is lost
	single  bool    // one person does nearly everything
}

// behaviours are the kinds of accounts, the shares adding up to 100.
var behaviours = []behaviour{
	{
		name: "engaged", share: 18, team: 0.12, reports: 0.16, storage: 2.5, premium: 0.06, buys: 0.6,
		activity: func(age float64) float64 { return 0.35 + 0.35*math.Min(age/10, 1) },
	},
	{
		name: "champion-driven", share: 12, team: 0.02, reports: 0.25, storage: 3, premium: 0.06, buys: 0.4, single: true,
		activity: func(age float64) float64 { return 0.75 },
	},
	{
		name: "slow starter", share: 20, team: 0.08, reports: 0.10, storage: 1.75, premium: 0.03, buys: 0.4,
		activity: func(age float64) float64 { return 0.05 + 0.6/(1+math.Exp((25-age)/4)) },
	},
	{
		name: "churned", share: 15, team: 0.06, reports: 0.10, storage: 1.75, premium: 0.06, buys: 0.3, cancels: true,
		activity: func(age float64) float64 { return 0.55 / (1 + math.Exp((age-14)/3)) },
	},
	{
		name: "tyre-kicker", share: 35, team: 0.03, reports: 0.06, storage: 0.5, premium: 0.08, buys: 0.05,
		activity: func(age float64) float64 { return 0.6 * math.Exp(-age/2.5) },
	},
}

// size is a class of companies.
type size struct {
	share    int // of the accounts, in percent
	from, to int // employees, to excluded
	team     int // how many people may come to use the product
}

// sizes are the classes of companies, the shares adding up to 100.
var sizes = []size{
	{share: 70, from: 2, to: 50, team: 6},
	{share: 25, from: 50, to: 500, team: 12},
	{share: 5, from: 500, to: 10_000, team: 25},
}

// weekday says how busy the days of a week are, from Sunday on.
var weekday = [7]float64{0.08, 1, 1.05, 1.05, 1, 0.85, 0.1}

var (
	industries   = []string{"software", "retail", "logistics", "health", "education", "media", "manufacturing", "finance"}
	plans        = []string{"starter", "team", "business"}
	devices      = []string{"web", "web", "web", "desktop", "ios", "android"}
	pages        = []string{"/home", "/projects", "/reports", "/files", "/settings", "/help"}
	reportNames  = []string{"funnel", "retention", "revenue", "activity", "forecast"}
	features     = []string{"sso", "audit_log", "custom_roles", "forecasting", "api_access"}
	integrations = []string{"slack", "salesforce", "hubspot", "jira", "google_drive"}

	nameFirst  = []string{"blue", "north", "silver", "quiet", "bright", "iron", "green", "swift", "amber", "stone", "clear", "wild"}
	nameSecond = []string{"harbor", "field", "river", "works", "labs", "peak", "forge", "grove", "signal", "freight", "clinic", "studio"}
)

// zones are the offsets from UTC, in hours, of the places that accounts work at.
var zones = []int64{-8, -5, -5, 0, 1, 1, 2, 5, 8, 10}
