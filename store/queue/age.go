package queue

import (
	"cmp"
	"slices"
	"time"

	"treewarden/policy"
)

// AgeLimits are the upper limits of the classes of ages, in order. A last class, without
// a limit, follows them.
var AgeLimits = [...]time.Duration{
	time.Hour, 4 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, 7 * 24 * time.Hour,
}

// Ages are the open cases in a language by their age.
type Ages struct {
	Lang    string    `json:"lang"`
	Cases   int       `json:"cases"`
	Classes []int     `json:"classes" description:"under 1 hour, 4 hours, 1 day, 3 days, 7 days; older"`
	Oldest  time.Time `json:"oldest" description:"the first report or red flag of the oldest case"`
}

// add adds a case that was opened at a time.
func (a *Ages) add(opened, now time.Time) {
	if a.Classes == nil {
		a.Classes = make([]int, len(AgeLimits)+1)
	}
	class := 0
	for class < len(AgeLimits) && now.Sub(opened) >= AgeLimits[class] {
		class++
	}
	a.Classes[class]++
	if a.Cases == 0 || opened.Before(a.Oldest) {
		a.Oldest = opened.UTC()
	}
	a.Cases++
}

// Ages returns the open cases by language and age, the most cases first. A language, and
// languages, limit them; both may be empty. Postponed cases are open too.
func (x *Index) Ages(now time.Time, lang string, within []string) []Ages {
	x.mu.RLock()
	defer x.mu.RUnlock()
	byLang := map[string]*Ages{}
	for _, c := range x.byID {
		of := cmp.Or(c.Lang, policy.Undetermined)
		if !x.counts(c) || lang != "" && of != lang || !policy.Covers(within, of) {
			continue
		}
		if byLang[of] == nil {
			byLang[of] = &Ages{Lang: of}
		}
		byLang[of].add(c.Opened, now)
	}
	all := make([]Ages, 0, len(byLang))
	for _, a := range byLang {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(a, b Ages) int { return cmp.Or(b.Cases-a.Cases, cmp.Compare(a.Lang, b.Lang)) })
	return all
}
