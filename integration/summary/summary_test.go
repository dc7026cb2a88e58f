package main

import (
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	for name, test := range map[string]struct {
		in   []string
		want []string
		not  []string
		ok   bool
	}{
		"a test that passes is counted and its output left out": {
			in: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: []string{"ok  \tp\t0.1s", "1 passed, 0 failed, 0 skipped"},
			not:  []string{"chatter"},
			ok:   true,
		},
		"a test that fails is shown": {
			in: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"a_test.go:3: got 1\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: []string{"a_test.go:3: got 1", "0 passed, 2 failed"},
		},
		"what a test has counted is shown": {
			in: []string{
				`{"Action":"attr","Package":"p","Test":"TestA","Key":"suite","Value":"3 cases, 2 passed, 1 excepted"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== ATTR  TestA suite 3 cases\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
			},
			want: []string{"suite: 3 cases, 2 passed, 1 excepted\n1 passed, 0 failed"},
			not:  []string{"ATTR"},
			ok:   true,
		},
		"a test that is left out is named with its reason": {
			in: []string{
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no Envoy: CERTBEARER_ENVOY=none\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA"}`,
			},
			want: []string{"LEFT OUT (no Envoy: CERTBEARER_ENVOY=none):\n  TestA\n", "1 passed, 0 failed, 1 skipped"},
			ok:   true,
		},
		"tests that lack an Envoy are told of once, with what to do": {
			in: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no Envoy: CERTBEARER_ENVOY=/x: no such file\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"        set CERTBEARER_ENVOY=none\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:9: no Envoy: see the first failure\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"q","Test":"TestC","Output":"    c_test.go:3: no Envoy: CERTBEARER_ENVOY=/x: no such file\n"}`,
				`{"Action":"fail","Package":"q","Test":"TestC"}`,
			},
			want: []string{"NO ENVOY, and 3 tests failed for want of one: CERTBEARER_ENVOY=/x: no such file\n        set CERTBEARER_ENVOY=none\n  TestA\n  TestB\n  TestC\n0 passed, 3 failed"},
			not:  []string{"a_test.go", "--- FAIL"},
		},
		"a package that does not build fails with the compiler's words": {
			in: []string{
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
				`{"ImportPath":"q","Action":"build-output","Output":"q.go:1: undefined: x\n"}`,
				`{"ImportPath":"q","Action":"build-fail"}`,
			},
			want: []string{"q.go:1: undefined: x"},
		},
		"a package that dies outside of a test fails with what it said": {
			in: []string{
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Output":"panic: boom\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: []string{"panic: boom"},
		},
		"nothing that ran is no success": {want: []string{"0 passed"}},
		"words of go itself are passed on": {
			in:   []string{`go: cannot find main module`, `{"Action":"pass","Package":"p","Test":"TestB"}`},
			want: []string{"go: cannot find main module"},
			ok:   true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			ok := summarize(strings.NewReader(strings.Join(test.in, "\n")), &out)
			if ok != test.ok {
				t.Errorf("ok is %t, want %t", ok, test.ok)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("got\n%s\nwithout %q", out.String(), want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("got\n%s\nwith %q", out.String(), not)
				}
			}
		})
	}
}
