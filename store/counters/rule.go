package counters

import (
	"context"
	"sync"

	"treewarden/scoring"
	"treewarden/store/db"
)

// RuleCache caches the rule by which the counters count the toxicity of messages: by
// which models, and from which value on a message is toxic. A transaction that used an
// outdated rule is retried (Update.Write).
type RuleCache struct {
	mu    sync.Mutex
	rule  scoring.ToxicityRule
	known bool
}

// Read returns the rule, from the database if it is not cached.
func (r *RuleCache) Read(ctx context.Context, c db.Conn) (scoring.ToxicityRule, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		rule, err := readRule(ctx, c)
		if err != nil {
			return rule, err
		}
		r.rule, r.known = rule, true
	}
	return r.rule, nil
}

// Forget empties the cache.
func (r *RuleCache) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = false
}

// ruleSQL reads the rule of the counters, for scanRule.
const ruleSQL = "SELECT toxic_from, classifier FROM counted_with"

// readRule reads the rule of the counters.
func readRule(ctx context.Context, c db.Conn) (scoring.ToxicityRule, error) {
	return scanRule(c.QueryRow(ctx, ruleSQL))
}

func scanRule(row interface{ Scan(targets ...any) error }) (rule scoring.ToxicityRule, err error) {
	err = row.Scan(&rule.From, &rule.Classifier)
	return rule, err
}
