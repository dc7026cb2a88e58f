package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/state"
)

// shortPublishAhead is below what verifiers are known to keep a key set for
// without asking again, whatever its max-age says.
const shortPublishAhead = 30 * time.Minute

// openKeys reads the keys folder before anything is served.
func (g *gateway) openKeys(ctx context.Context) error {
	_, before := signer.Open(ctx, g.config.Keys.Directory, signer.Options{})
	set, err := g.keeper.Open(ctx)
	g.keysReported(signer.Report{Set: set, Changed: err == nil, Read: true, Fault: err})
	if err == nil && errors.Is(before, signer.ErrNoKeys) {
		// Whoever did not expect it has mistyped the folder, or lost what was in it.
		g.log.Warn("the keys folder had no signing key, and one was made", "directory", g.config.Keys.Directory, "kid", set.Keys.All()[0].KID())
	}
	if errors.Is(err, signer.ErrNoKeys) {
		err = fmt.Errorf("%w; certbearer keys rotate makes one, and so does serve itself unless keys.generate is false", err)
	}
	return inKeysFolder(err)
}

// allowedAlgorithms are those of keys in the folder: nil is all, and under the
// profile what FAPI 2.0 section 5.4 allows. That keys.algorithm is one of them says
// nothing of the keys that are there already.
func allowedAlgorithms(c *config.Config) []signer.Algorithm {
	if c.Profile != config.ProfileFAPI2 {
		return nil
	}
	return []signer.Algorithm{signer.ES256, signer.PS256, signer.EdDSA}
}

func inKeysFolder(err error) error { return inSetting("keys.directory", "signer", err) }

// keysReported takes what the keeper tells into use. On a fault that is what is
// left of the keys in use.
func (g *gateway) keysReported(report signer.Report) {
	g.faults.setKeys(inKeysFolder(report.Fault), inKeysFolder(report.UpkeepFault))
	g.logUpkeep(report)
	if report.UpkeepFault != nil && !report.Read {
		g.metrics.Reloaded(audit.SubjectKeys, report.UpkeepFault)
	}
	if !report.Read {
		return
	}
	g.metrics.Reloaded(audit.SubjectKeys, report.Fault)
	if report.Fault != nil && report.Set.Keys != nil {
		g.logFault(report)
	}
	if report.Changed {
		g.useKeys(report.Set)
	}
}

func (g *gateway) useKeys(set signer.Set) {
	before := g.holder.Load().Keys
	generation := g.publish(func(s state.State) state.State {
		s.Keys, s.Statement = set.Keys, set.Statement
		return s
	})
	purged := 0
	if lacks(set.Keys, before) {
		purged = g.cache.PurgeKeysNotIn(set.Keys)
	}
	g.log.Info("keys loaded", "keys", len(set.Keys.All()), "generation", generation, "tokens_dropped", purged)
	if set.Statement == nil && !g.faults.ofKeys() {
		g.log.Warn(noStatementKey)
	}
	g.readiness.Lift(needKeys)
}

// logFault says what becomes of a folder with a fault.
func (g *gateway) logFault(report signer.Report) {
	text := "the last good keys stay in use"
	if lacks(report.Set.Keys, g.holder.Load().Keys) {
		text += ", but for those that are gone"
	}
	if report.Set.Statement == nil {
		text += "; without a statement key signed statements are refused"
	}
	g.log.Error(text, "error", report.Fault.Error(), "keys", len(report.Set.Keys.All()))
}

// ofKeys reports whether the keys folder has a fault.
func (f *faults) ofKeys() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.keys...) != nil
}

// lacks reports whether a key of before is gone.
func lacks(keys, before *signer.Keys) bool {
	for _, key := range before.All() {
		if _, there := keys.Key(key.KID()); !there {
			return true
		}
	}
	return false
}

func (g *gateway) logUpkeep(report signer.Report) {
	if made := report.Upkeep.Made; made != nil {
		g.log.Info("a new signing key is published", "kid", made.KID(), "alg", made.Algorithm(), "signs_from", stamp(made.SignsFrom()))
	}
	for _, key := range report.Upkeep.Removed {
		g.log.Info("a signing key is removed, its last token has expired", "kid", key.KID())
	}
	if report.UpkeepFault != nil && !report.Read {
		g.log.Error("the keys cannot be kept up", "error", report.UpkeepFault.Error())
	}
}

const noStatementKey = "keys: there is no " + signer.StatementName + ", and keys.generate is false: signed statements are refused"

// keyWarnings are those of the configuration and of what was loaded.
func (g *gateway) keyWarnings(st *state.State) []string {
	warnings := keyWarnings(g.config)
	if st.Keys != nil && st.Statement == nil && !g.faults.ofKeys() {
		warnings = append(warnings, noStatementKey)
	}
	return warnings
}

// keyWarnings says what of the configuration may let good tokens be refused.
func keyWarnings(c *config.Config) []string {
	warnings := []string{}
	if c.Keys.PublishAhead < shortPublishAhead {
		warnings = append(warnings, fmt.Sprintf("keys.publishAhead: %v is less than %v: a verifier that keeps the key set for longer refuses tokens of a new key",
			span(c.Keys.PublishAhead), span(shortPublishAhead)))
	}
	if c.Keys.Generate && !rotation(c).Fits() {
		warnings = append(warnings, fmt.Sprintf("keys.rotateEvery: %v makes more than %d keys before the first can go: rotation will stop there",
			span(c.Keys.RotateEvery), signer.MaxKeys))
	}
	return warnings
}
