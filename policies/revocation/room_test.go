package revocation_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// about is a question about a certificate of the CA with that number.
func about(ca *testca.Issued, url string, serial int) revocation.Location {
	one := x509.Certificate{SerialNumber: big.NewInt(int64(serial)), NotAfter: time.Now().Add(time.Hour), RawIssuer: ca.Certificate.RawSubject}
	return revocation.Location{URL: url, Issuers: path(ca), Certificate: &one}
}

// vouching answers every question of the CA.
func vouching(ca *testca.Issued, q revocation.Query) ([]byte, error) {
	request, err := ocsp.ParseRequest(q.Body)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return ocsp.CreateResponse(ca.Certificate, ca.Certificate, ocsp.Response{SerialNumber: request.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}, ca.Key)
}

func TestAClientThatFloodsTakesNoRoomOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all, quiet = 8000, 30
		ca := newCA(t, "CA")
		f := newFetcher(t, revocation.Options{Publish: func(*revocation.View) {}, Backend: backend(func(context.Context, revocation.Query) ([]byte, error) {
			return nil, errors.New("nobody answers")
		})})
		serial := 0
		ask := func(owner string) revocation.Location {
			t.Helper()
			serial++
			l := about(ca, "http://"+owner+".example/", serial)
			if err := f.Ask(owner, l); err != nil {
				t.Fatalf("%s: %v", owner, err)
			}
			return l
		}
		for i := range all {
			ask(fmt.Sprint("flood", i%9))
		}
		var first []revocation.Location
		for range quiet {
			first = append(first, ask("quiet"))
		}
		for i := range 1000 {
			ask(fmt.Sprint("flood", i%9))
		}
		for _, l := range first {
			if !f.Wants("quiet", l) {
				t.Error("a question of a client with few made room for one of a client with many")
			}
		}
		if n := len(f.States()); n != all {
			t.Errorf("%d questions", n)
		}
		// A document comes too, whose store asks about one.
		stored := about(ca, "http://stored.example/", serial+1)
		want(t, f, "stored", []revocation.Location{stored})
		if n := len(f.States()); n != all || !f.Wants("stored", stored) {
			t.Errorf("%d questions with that of a document", n)
		}
		// What left meanwhile is not asked again before it is needed.
		var still []revocation.Location
		var was []bool
		for i := range all / 9 {
			l := about(ca, "http://flood0.example/", 9*i+1)
			still, was = append(still, l), append(was, f.Wants("flood0", l))
		}
		if err := f.Want("flood0", nil, still...); err != nil {
			t.Error(err)
		}
		left := 0
		for i, l := range still {
			if !was[i] {
				left++
			}
			if f.Wants("flood0", l) != was[i] {
				t.Error("what made room is asked without need, or what did not is not asked")
			}
		}
		if left == 0 {
			t.Error("nothing made room")
		}
	})
}

// One client has four hosts that stall and ever new certificates of them.
func TestAClientWhoseHostsStallKeepsNoOtherFromBeingAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
		var v views
		f := newFetcher(t, revocation.Options{Publish: v.publish, Backend: backend(func(ctx context.Context, q revocation.Query) ([]byte, error) {
			switch {
			case strings.Contains(q.URL, "stalls"):
				<-ctx.Done()
				return nil, ctx.Err()
			case q.Body == nil:
				return from(list{by: ca}, time.Now(), time.Hour).der(t), nil
			}
			return vouching(ca, q)
		})})
		defer run(t, f)()
		var lists []revocation.Location
		for i := range 16 {
			lists = append(lists, crlAt(fmt.Sprintf("http://stalls%d.example/", i), ca)...)
		}
		want(t, f, "flood", lists)
		for i := range 160 {
			if err := f.Ask("flood", about(ca, fmt.Sprintf("http://stalls%d.example/", i%16), 1000+i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		began := time.Now()
		want(t, f, "quiet", crlAt(crlURL, ca))
		question := revocation.Location{URL: "http://ca.example/ocsp", Issuers: path(ca), Certificate: leaf.Certificate}
		if err := f.Ask("quiet", question); err != nil {
			t.Fatal(err)
		}
		if err := f.Await(t.Context(), "quiet"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("it waited for %s", waited)
		}
		for _, state := range f.States() {
			if strings.Contains(state.Name, "ca.example") && state.Asked.IsZero() {
				t.Errorf("%+v", state)
			}
		}
	})
}

func TestWhoIsNotAskedAnyMoreIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		f := newFetcher(t, revocation.Options{Publish: func(*revocation.View) {}, Backend: backend(func(ctx context.Context, _ revocation.Query) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})})
		defer run(t, f)()
		for i := range 10 { // more than have a turn
			if err := f.Ask("client", about(ca, "http://ca.example/", i+1)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		last := about(ca, "http://ca.example/", 10)
		done := make(chan error)
		go func() { done <- f.Await(t.Context(), "client", last) }()
		synctest.Wait()
		began := time.Now()
		f.Drop("client", last)
		if err := <-done; err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
