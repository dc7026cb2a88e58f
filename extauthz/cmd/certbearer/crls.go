package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/revocations"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
)

// crlPatience is how long readyz says no after the clients have been loaded, until
// the locations of those in hard mode were asked once. A CA that is down does not keep
// us from serving the others.
const crlPatience = 10 * time.Second

// maxTroubles bounds what healthz says of revocations.
const maxTroubles = 100

func revocationConfig(c *config.Config) revocations.Config {
	r := revocations.Config{
		Directory: c.Revocation.Directory,
		Quota:     int64(c.Revocation.Quota) << 20,
		Refresh:   c.Revocation.Refresh,
		Wait:      c.Revocation.Wait,
		Waiting:   max(c.Limits.InFlight/2, 1),
	}
	for _, item := range c.Revocation.Allow {
		var ports []uint16
		for _, port := range item.Ports {
			ports = append(ports, uint16(port)) // config has read it as one
		}
		for _, network := range item.Addresses {
			r.Allowed = append(r.Allowed, revocation.Allowed{Prefix: netip.MustParsePrefix(network), Ports: ports})
		}
	}
	return r
}

func (g *gateway) openCRLs() error {
	c := revocationConfig(g.config)
	c.Log = g.log
	c.Publish = func(view *revocation.View) {
		generation := g.publish(func(s state.State) state.State {
			s.CRLs = view
			return s
		})
		g.log.Debug("revocations of certificates changed", "generation", generation)
	}
	first := make(chan struct{})
	g.haveClients, g.followed = first, sync.OnceFunc(func() { close(first) })
	var err error
	g.crls, err = revocations.New(c)
	return err
}

// publishCRLs takes the lists beside the documents, before the clients that came with
// them.
func (g *gateway) publishCRLs(crls policies.CRLs) {
	for _, fault := range crls.Faults {
		g.log.Error("revocation list not in use", "fault", fault.Error())
	}
	for _, warning := range crls.Warnings {
		g.log.Warn("revocation list", "warning", warning.Error())
	}
	if len(crls.Files)+len(crls.Faults) > 0 {
		g.metrics.Reloaded(audit.SubjectCRLs, firstFault(crls.Faults))
		lists := 0
		for _, file := range crls.Files {
			lists += len(file.Lists)
		}
		g.log.Info("revocation lists loaded", "files", len(crls.Files), "lists", lists, "faults", len(crls.Faults))
	}
	g.crls.Lists(crls.Files)
}

// awaitCRLs has readyz say yes once those who refuse what is not known can be judged,
// or nobody should wait for that any more.
func (g *gateway) awaitCRLs(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-g.haveClients:
	}
	bounded, cancel := context.WithTimeout(ctx, crlPatience)
	defer cancel()
	if err := g.crls.AwaitHard(bounded); err != nil && ctx.Err() == nil {
		g.log.Warn("locations of clients with revocation hard have not answered yet", "after", crlPatience.String())
	}
	g.readiness.Lift(needCRLs)
}

// shownCRLs is what metrics show.
func (g *gateway) shownCRLs() audit.CRLs {
	now := time.Now()
	shown := audit.CRLs{Sources: make(map[audit.Source]int), Fetches: make(map[string]uint64)}
	for _, file := range g.faults.crlFiles() {
		for _, list := range file.Lists {
			shown.Lists = append(shown.Lists, audit.CRL{Source: file.Name, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate})
			shown.Sources[audit.Source{Kind: "file", State: stateOf(list.NextUpdate, now)}]++
		}
	}
	for _, s := range g.crls.States() {
		kind := "crl"
		if s.OCSP {
			kind = "ocsp"
		} else if !s.NextUpdate.IsZero() {
			shown.Lists = append(shown.Lists, audit.CRL{Source: s.Name, ThisUpdate: s.ThisUpdate, NextUpdate: s.NextUpdate})
		}
		shown.Sources[audit.Source{Kind: kind, State: stateOf(s.NextUpdate, now)}]++
	}
	good, failed := g.crls.Fetches()
	shown.Fetches["ok"] = good
	for _, class := range revocation.Classes() {
		shown.Fetches[class.String()] = failed[class]
	}
	return shown
}

// stateOf is one of audit.SourceStates.
func stateOf(next, now time.Time) string {
	switch {
	case next.IsZero():
		return "missing"
	case now.After(next):
		return "stale"
	}
	return "current"
}

// crlTroubles are what healthz says. What has ended, or was never there, is a fault;
// what fails while something current is known is a warning.
func (g *gateway) crlTroubles(now time.Time) (faults, warnings []string) {
	for _, file := range g.faults.crlFiles() {
		for _, list := range file.Lists {
			if now.After(list.NextUpdate) {
				faults = append(faults, fmt.Sprintf("clients: %s: the %s ended at %s", file.Name, list, stamp(list.NextUpdate)))
			}
		}
	}
	for _, of := range byName(g.crls.States()) {
		text, known := of.text(now)
		switch {
		case text == "":
		case known:
			warnings = append(warnings, text)
		default:
			faults = append(faults, text)
		}
	}
	for _, fault := range g.crls.Faults() {
		faults = append(faults, "revocation: "+fault)
	}
	return faults[:min(len(faults), maxTroubles)], warnings[:min(len(warnings), maxTroubles)]
}

// named are the states of one location. Of an OCSP responder there is one for each
// certificate that it is asked about.
type named []revocation.State

func byName(states []revocation.State) []named {
	var all []named
	sorted := slices.SortedStableFunc(slices.Values(states), func(a, b revocation.State) int { return strings.Compare(a.Name, b.Name) })
	for i, s := range sorted {
		if i == 0 || sorted[i-1].Name != s.Name {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], s)
	}
	return all
}

// text says what is wrong, "" for nothing, and whether all that is asked is known
// and current in spite of it.
func (n named) text(now time.Time) (text string, known bool) {
	failing, without, problem := 0, 0, ""
	for _, s := range n {
		if s.Failures == 0 {
			continue
		}
		failing, problem = failing+1, s.Problem
		if stateOf(s.NextUpdate, now) != "current" {
			without++
		}
	}
	switch {
	case failing == 0:
		return "", true
	case without == 1 && len(n) == 1:
		return fmt.Sprintf("revocation: %s: nothing current is known: %s", n[0].Name, problem), false
	case without > 0:
		return fmt.Sprintf("revocation: %s: nothing current is known for %s: %s", n[0].Name, counted(without, "question"), problem), false
	}
	return fmt.Sprintf("revocation: %s: cannot be fetched, what is known is still current: %s", n[0].Name, problem), true
}
