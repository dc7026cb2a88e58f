package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/policies"
)

// expiriesEvery is how often the end of certificates is looked at while no document
// changes: what ends need not be seen by the minute.
const expiriesEvery = 5 * time.Minute

// watchExpiries tells the metrics and /healthz when clients' certificates end. It
// looks at all clients, which a publication is not to wait for, nor a scrape.
func (g *gateway) watchExpiries(ctx context.Context) {
	tick := time.NewTicker(expiriesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.clientsChanged:
		case <-tick.C:
		}
		if clients := g.holder.Load().Clients; clients != nil {
			g.tellExpiries(clients.Expiries(time.Now()))
		}
	}
}

// clientsPublished wakes watchExpiries, if it is not awake already.
func (g *gateway) clientsPublished() {
	select {
	case g.clientsChanged <- struct{}{}:
	default:
	}
}

func (g *gateway) tellExpiries(all policies.Expiries) {
	g.expiries.Store(&all)
	var told audit.Expiries
	for _, kind := range policies.Kinds() {
		for _, window := range policies.Windows() {
			told.Counts = append(told.Counts, audit.Certificates{Kind: kind.String(), Window: window.String(), Count: all.Counts[kind][window]})
		}
	}
	for _, e := range append(all.Ended, all.Next...) {
		told.Soonest = append(told.Soonest, audit.Expiry{Client: e.Client, Kind: e.Kind.String(), End: e.End})
	}
	g.metrics.SetExpiries(told)
}

// expiryWarnings name the clients that nothing valid is left of, a few of them.
func expiryWarnings(all *policies.Expiries) []string {
	if all == nil || len(all.Ended) == 0 {
		return nil
	}
	var named []string
	for _, e := range all.Ended {
		if len(named) == maxNamed {
			named = append(named, "and others")
			break
		}
		named = append(named, fmt.Sprintf("%s (%s, at %s)", e.Client, e.Kind, stamp(e.End)))
	}
	return []string{"clients: certificates have ended, and none of their kind is left: " + strings.Join(named, ", ")}
}
