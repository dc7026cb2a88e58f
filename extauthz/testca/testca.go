// Package testca owns the making of certificates for trying things out: the
// test PKI that certbearer init writes, the clients of certbearer demo, and
// every certificate the tests present.
//
// It makes good certificates by default and bad ones on request: expired, for
// the wrong purpose, by a certificate that is no CA, with a weak key, with
// names that no honest CA would sign. So nothing here checks that what it is
// asked for makes sense, and nothing that judges certificates may import it.
//
//	root, err := testca.SelfSigned(testca.Template{CommonName: "Partner CA", CA: true})
//	…
//	client, err := root.Issue(testca.Template{CommonName: "lab-partner"})
//	…
//	err = client.WriteFiles("client.crt", "client.key")
//
// Keys are made anew at each call and kept nowhere. An ECDSA key takes
// microseconds, an RSA key tens to hundreds of milliseconds.
package testca
