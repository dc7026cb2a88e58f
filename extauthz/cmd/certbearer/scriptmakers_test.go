package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/truststore"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func mustNot(err error) { must(0, err) }

// makeCertificate is one of
//
//	testca self  [flags] NAME out.crt out.key
//	testca ca    [flags] NAME out.crt out.key
//	testca issue [flags] ca.crt ca.key NAME out.crt out.key
//	testca openssl NAME out.crt out.key
//	testca crl [-days N] ca.crt ca.key out.crl [revoked.crt…]
func makeCertificate() {
	kind := os.Args[1]
	flags := flag.NewFlagSet("testca", flag.ExitOnError)
	ca := flags.Bool("ca", kind == "ca", "make a CA")
	days := flags.Int("days", 365, "days until it ends; negative: since it ended")
	server := flags.Bool("server", false, "for TLS servers only")
	weak := flags.Bool("rsa1024", false, "with an RSA key of 1024 bits")
	dns := flags.String("dns", "", "a DNS name")
	uris := flags.String("uri", "", "URIs, between commas")
	organization := flags.String("org", "", "the organization of the subject")
	permits := flags.String("permits", "", "the organization that the CA may issue for: a directoryName constraint")
	policy := flags.String("policy", "", "a certificate policy")
	key := flags.String("key", "", "the file of a key to use again")
	formless := flags.Bool("formless", false, "without an authorityKeyIdentifier")
	mustNot(flags.Parse(os.Args[2:]))
	args := flags.Args()

	if kind == "crl" {
		makeCRL(args, time.Now().AddDate(0, 0, *days))
		return
	}
	template := testca.Template{CA: *ca, Organization: *organization, NotAfter: time.Now().AddDate(0, 0, *days)}
	if *server {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if *weak {
		template.Key = must(testca.NewKey(testca.RSA1024))
	}
	if *key != "" {
		template.Key = readKey(*key)
	}
	if *dns != "" {
		template.DNSNames = []string{*dns}
	}
	if *uris != "" {
		template.URIs = strings.Split(*uris, ",")
	}
	if *permits != "" {
		template.ExtraExtensions = append(template.ExtraExtensions, permitsOrganization(*permits))
	}
	if *policy != "" {
		template.ExtraExtensions = append(template.ExtraExtensions, hasPolicy(*policy))
	}
	if *formless {
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: []byte{0x30, 0}})
	}
	var issued *testca.Issued
	switch kind {
	case "issue":
		issuer := readIssuer(args[0], args[1])
		args = args[2:]
		template.CommonName = args[0]
		issued = must(issuer.Issue(template))
	case "openssl":
		issued = must(testca.LikeOpenSSL(args[0], ""))
	default:
		template.CommonName = args[0]
		issued = must(testca.SelfSigned(template))
	}
	mustNot(issued.WriteFiles(args[1], args[2]))
}

// permitsOrganization is a nameConstraints extension (RFC 5280 4.2.1.10).
func permitsOrganization(name string) pkix.Extension {
	base := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: must(asn1.Marshal(pkix.Name{Organization: []string{name}}.ToRDNSequence()))}
	value := must(asn1.Marshal(struct {
		Permitted []struct{ Base asn1.RawValue } `asn1:"tag:0"`
	}{[]struct{ Base asn1.RawValue }{{base}}}))
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: value}
}

// hasPolicy is a certificatePolicies extension (RFC 5280 4.2.1.4).
func hasPolicy(policy string) pkix.Extension {
	var id asn1.ObjectIdentifier
	for _, arc := range strings.Split(policy, ".") {
		id = append(id, must(strconv.Atoi(arc)))
	}
	value := must(asn1.Marshal([]struct{ ID asn1.ObjectIdentifier }{{id}}))
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 32}, Value: value}
}

func makeCRL(args []string, ends time.Time) {
	issuer := readIssuer(args[0], args[1])
	list := x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().AddDate(0, 0, -7), NextUpdate: ends}
	for _, file := range args[3:] {
		revoked := must(truststore.ParseOne(must(os.ReadFile(file))))
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: revoked.SerialNumber, RevocationTime: time.Now(), ReasonCode: 1})
	}
	der := must(x509.CreateRevocationList(rand.Reader, &list, issuer.Certificate, issuer.Key))
	mustNot(os.WriteFile(args[2], pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600))
}

func readIssuer(certFile, keyFile string) *testca.Issued {
	certificate := must(truststore.ParseOne(must(os.ReadFile(certFile))))
	return &testca.Issued{Certificate: certificate, Key: readKey(keyFile)}
}

func readKey(file string) crypto.Signer {
	block, _ := pem.Decode(must(os.ReadFile(file)))
	return must(x509.ParsePKCS8PrivateKey(block.Bytes)).(crypto.Signer)
}

// makeClientDocument is
//
//	clientdoc [flags] out.json ID store.crt…
func makeClientDocument() {
	flags := flag.NewFlagSet("clientdoc", flag.ExitOnError)
	method := flags.String("method", "", "tokenEndpointAuthMethod")
	binding := flags.String("bind", "", "a field of tlsClientAuth, as sanDns=a.example, or of spiffe, as spiffe.id=spiffe://td/a")
	profile := flags.String("profile", "", "certificateProfile")
	state := flags.String("status", "", "status")
	secret := flags.String("secret", "", "secret")
	mode := flags.String("mode", "", "mode")
	revocations := flags.String("revocation", "", "the mode of revocation")
	mustNot(flags.Parse(os.Args[1:]))
	out, id, files := flags.Arg(0), flags.Arg(1), flags.Args()[2:]

	var store strings.Builder
	for _, file := range files {
		store.Write(must(os.ReadFile(file)))
	}
	document := map[string]any{"resourceType": "ClientApplication", "id": id, "name": "Name of " + id, "certificateTrustStore": store.String()}
	for name, value := range map[string]string{"tokenEndpointAuthMethod": *method, "status": *state, "secret": *secret, "mode": *mode, "certificateProfile": *profile} {
		if value != "" {
			document[name] = value
		}
	}
	if *revocations != "" {
		document["revocation"] = map[string]string{"mode": *revocations}
	}
	field, value, found := strings.Cut(*binding, "=")
	if inner, is := strings.CutPrefix(field, "spiffe."); is {
		document["spiffe"] = map[string]string{inner: value}
	} else if found {
		document["tlsClientAuth"] = map[string]string{field: value}
	}
	mustNot(os.WriteFile(out, must(json.MarshalIndent(document, "", "  ")), 0o600))
}

// mintToken is
//
//	mint [-age D] keysdir out.jwt
//
// for a token of five minutes by a key that is made if there is none.
func mintToken() {
	flags := flag.NewFlagSet("mint", flag.ExitOnError)
	age := flags.Duration("age", time.Minute, "how long ago")
	mustNot(flags.Parse(os.Args[1:]))
	keys := must(signer.Open(context.Background(), flags.Arg(0), signer.Options{
		Generate: true,
		Now:      func() time.Time { return time.Now().Add(-24 * time.Hour) },
	}))
	key := must(keys.Signing(time.Now()))
	at := time.Now().Add(-*age)
	token := must(tokens.Mint(context.Background(), key, tokens.Request{
		Issuer: "https://issuer.example", ClientID: "lab-partner", Audience: "https://api.example",
		Thumbprint: [32]byte{0xab}, Typ: tokens.TypAccessToken, Lifetime: 5 * time.Minute,
		NotAfter: at.Add(time.Hour), At: at,
	}))
	mustNot(os.WriteFile(flags.Arg(1), []byte(token.Value.Reveal()+"\n"), 0o600))
	mustNot(os.WriteFile(flags.Arg(1)+".jwks", keys.JWKS(), 0o600))
}
