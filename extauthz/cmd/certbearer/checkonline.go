package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
)

const (
	// maxLocations bounds what clients check --online asks.
	maxLocations = 1000
	// locationsAtOnce bounds the questions in progress: each may be answered with
	// 64 MiB.
	locationsAtOnce = 4
	// onlinePatience bounds all of it.
	onlinePatience = 10 * time.Minute
)

// locations are those that a server would ask for the clients of the folder.
type locations struct {
	order []*wantedLocation
	known map[string]*wantedLocation // by revocation.Location.Key
	more  int                        // that there was no room for
}

// wantedLocation is a location and who wants it: a CA's may be of all clients.
type wantedLocation struct {
	location revocation.Location
	first    finding // of the client that is named
	others   []string
	hard     bool // of any of them
	problem  string
}

func newLocations() *locations { return &locations{known: make(map[string]*wantedLocation)} }

// add takes the locations that the client itself names and those in its store.
func (l *locations) add(at docPlace, document *policies.Document) {
	client := document.Client
	if client == nil || client.Status() != policies.StatusActive || client.Revocation().Mode == revocation.Off {
		return
	}
	for _, location := range slices.Concat(client.NamedLocations(), storedLocations(*document)) {
		key := location.Key()
		wanted := l.known[key]
		switch {
		case wanted == nil && len(l.order) == maxLocations:
			l.more++
			continue
		case wanted == nil:
			found := remark{code: codeLocationUnusable, field: revocationField}.finding(at.file, at.number, document)
			wanted = &wantedLocation{location: location, first: found}
			l.known[key] = wanted
			l.order = append(l.order, wanted)
		case wanted.first.Client != client.ID() && len(wanted.others) <= maxNamed && !slices.Contains(wanted.others, client.ID()):
			wanted.others = append(wanted.others, client.ID())
		}
		wanted.hard = wanted.hard || client.Revocation().Mode == revocation.Hard
	}
}

// probe asks each location once, few at a time, and reports those that would not do.
func (l *locations) probe(ctx context.Context, backend revocation.Backend, each time.Duration, at time.Time, report *clientsReport) {
	ctx, cancel := context.WithTimeout(ctx, onlinePatience)
	defer cancel()
	slots := make(chan struct{}, locationsAtOnce)
	var running sync.WaitGroup
	for _, wanted := range l.order {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			wanted.probe(ctx, backend, each, at)
		})
	}
	running.Wait()
	for _, wanted := range l.order {
		if wanted.problem != "" {
			report.add(wanted.finding())
		}
	}
	asked := len(l.order)
	report.Locations = &asked
	if l.more > 0 {
		report.add(finding{Code: codeLocationUnusable, Problem: fmt.Sprintf("%d locations were not asked: more than %d", l.more, maxLocations)})
	}
}

func (w *wantedLocation) probe(ctx context.Context, backend revocation.Backend, each time.Duration, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	if _, err := w.location.Probe(ctx, backend, at); err != nil {
		w.problem = fmt.Sprintf("%s: %s", revocation.ClassOf(err), err)
	}
}

func (w *wantedLocation) finding() finding {
	f := w.first
	f.Severity = isWarning
	if w.hard {
		f.Severity = isError
	}
	what := "location "
	if w.location.Certificate != nil {
		what = "OCSP responder "
	}
	f.Location = w.location.Name()
	f.Problem = what + f.Location + " would not do: " + w.problem
	if len(w.others) > maxNamed {
		w.others[maxNamed] = "others"
	}
	if len(w.others) > 0 {
		f.Problem += "; it is wanted by " + strings.Join(w.others, ", ") + " too"
	}
	return f
}
