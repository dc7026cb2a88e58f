package truststore_test

import (
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestOnlyAnECDSASignatureFitsAnotherKey(t *testing.T) {
	elsewhere := selfSigned(t, testca.Template{CommonName: "elsewhere", CA: true})
	for kind, want := range map[testca.KeyKind]bool{testca.P256: true, testca.P384: true, testca.P521: true, testca.RSA2048: false, testca.Ed25519: false} {
		ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: newKey(t, kind)})
		chain := chainOf(issue(t, ca, testca.Template{CommonName: "leaf"}))
		anchor := anchorsOf(t, ca)[0]
		id, found, err := chain.OtherSigner(anchor, chain.Leaf)
		if found != want || err != nil || id == anchor.ID {
			t.Errorf("a key of kind %v: got %v, %v", kind, found, err)
		}
		if _, found, _ := chain.OtherSigner(anchorsOf(t, elsewhere)[0], chain.Leaf); found {
			t.Errorf("a CA of another name: found for a key of kind %v", kind)
		}
	}
}

func TestToLookForAnotherSignerCostsAQuarterOfACheck(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: newKey(t, testca.P521)})
	anchor := anchorsOf(t, ca)[0]
	chain := chainOf(issue(t, ca, testca.Template{CommonName: "leaf"}))
	looked := 0
	for ; looked < 20; looked++ {
		certificate := issue(t, ca, testca.Template{CommonName: "another"}).Certificate
		_, _, err := chain.OtherSigner(anchor, certificate)
		if decision.ReasonOf(err) == decision.PathTooComplex {
			break
		}
		if _, found, err := chain.OtherSigner(anchor, certificate); !found || err != nil {
			t.Fatalf("what is known costs nothing: got %v, %v", found, err)
		}
	}
	if looked != 13 { // of 70 checks by a key on P-256, 5¼ each
		t.Errorf("got %d looks, want 13", looked)
	}
	if _, err := chain.Signed(anchor, chain.Leaf); decision.ReasonOf(err) != decision.PathTooComplex {
		t.Errorf("and no check is left: got %v", err)
	}
}
