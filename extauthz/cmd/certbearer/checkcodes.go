package main

import (
	"fmt"

	"github.com/certbearer/certbearer/policies/decision"
)

// severity says what a finding means for the client.
type severity string

const (
	isError   severity = "error"
	isWarning severity = "warning"
	isNote    severity = "note"
)

// code names a kind of finding, for machines.
type code string

const (
	codeFileUnusable      code = "file_unusable"
	codeDocumentUnusable  code = "document_unusable"
	codeIDRepeated        code = "id_repeated"
	codePrivateKey        code = "private_key"
	codeCRLUnusable       code = "crl_unusable"
	codeNoAnchor          code = "no_anchor"
	codeAcceptsNobody     code = "accepts_nobody"
	codeFileIgnored       code = "file_ignored"
	codeValueChanged      code = "value_changed"
	codeStoreEmpty        code = "store_empty"
	codeBindingIdle       code = "binding_without_effect"
	codeRevocationIdle    code = "revocation_without_effect"
	codeInShadow          code = "in_shadow"
	codeEnded             code = "certificate_ended"
	codeEndsSoon          code = "certificate_ends_soon"
	codeNotBegun          code = "certificate_not_begun"
	codeKeyWeak           code = "key_weak"
	codePinRefused        code = "pin_refused"
	codeAnchorRefused     code = "anchor_refused"
	codeAlsoIssues        code = "also_issues"
	codeNotACA            code = "not_a_ca"
	codePinShared         code = "pin_shared"
	codeAnchorUnbound     code = "anchor_unbound"
	codeAnchorSharedAlone code = "anchor_shared_unbound"
	codeAnchorTwin        code = "anchor_twin"
	codeProfile           code = "profile_compatible"
	codeNoRevocations     code = "no_revocations"
	codeLocationUnusable  code = "location_unusable"
	codeIntermediate      code = "anchor_is_intermediate"
	codeCRLUnsigned       code = "crl_unsigned"
	codeCRLEnded          code = "crl_ended"
)

// codeRow is what is to be known of a code. docs/clients-check.md has the same table.
type codeRow struct {
	Code     code     `json:"code"`
	Severity severity `json:"severity"`
	// InHard is the severity where the client's revocation.mode is hard, if that is
	// another one.
	InHard  severity `json:"inHardMode,omitempty"`
	Meaning string   `json:"meaning"`
	Advice  string   `json:"advice"`
}

// checkCodes lists all of them, errors first. Time alone never makes an error: a
// repository that was good does not fail because a month has gone. A note never
// makes the exit code 1.
func checkCodes() []codeRow {
	return []codeRow{
		{codeFileUnusable, isError, "", "a file cannot be read, or not be split into documents", "mend the file: its clients keep their last good versions until then"},
		{codeDocumentUnusable, isError, "", "a document has a fault: a server keeps its last good version, or lets nobody in by it", "mend the field on the line"},
		{codeIDRepeated, isError, "", "several documents have the id", "keep one of the documents"},
		{codePrivateKey, isError, "", "a private key is in a document, or lies in the folder", "take it out, of the history too, and replace the key: whoever could read the file can be the client"},
		{codeCRLUnusable, isError, "", "a file of revocation lists cannot be used", "put a whole list of the CA there, PEM or DER"},
		{codeNoAnchor, isError, "", "`tls_client_auth`, and no CA in the store", "put the CA into the store, or pin the certificates by `self_signed_tls_client_auth`"},
		{codeAcceptsNobody, isError, "", "no certificate in the store of an active client can ever let anybody in", "see the other findings of the client; set its `status` to `off` if that is meant"},
		{codeFileIgnored, isWarning, "", "a file in the folder is not read", "move it elsewhere, or name it .json, .yaml or .yml, or .crl if it has revocation lists"},
		{codeValueChanged, isWarning, "", "a value is out of bounds and another one is used", "write the value that is used"},
		{codeStoreEmpty, isWarning, "", "the store holds no certificate, so nobody can authenticate", "ask the client for its certificate, or set `status` to `off`"},
		{codeBindingIdle, isWarning, "", "`tlsClientAuth` or `spiffe` without a CA in the store binds nothing", "put the CA into the store, or take the field out"},
		{codeRevocationIdle, isWarning, "", "`revocation` without a CA in the store, so nobody could take a certificate back", "put the CA into the store, or take `revocation` out"},
		{codeInShadow, isWarning, "", "`mode` is `shadow`", "set `mode` to `enforce` once the records show no refusal"},
		{codeEnded, isWarning, "", "the validity of a certificate has ended", "put its successor into the store; take this one out"},
		{codeEndsSoon, isWarning, "", "the validity of a certificate ends within `--expires-within`", "ask for its successor and put it beside this one"},
		{codeNotBegun, isWarning, "", "the validity of a certificate has not begun", "wait, or ask whether the client's clock is right"},
		{codeKeyWeak, isWarning, "", "the key or the signature algorithm of a certificate is not accepted", "ask for a certificate with RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519, signed with SHA-256 or better"},
		{codePinRefused, isWarning, "", "a pinned certificate is refused whenever it comes", "ask for a certificate that is for client authentication, without unknown critical extensions"},
		{codeAnchorRefused, isWarning, "", "a CA in the store can be on no path: every certificate below it is refused", "have the CA's certificate issued again as docs/validation.md has it, or pin the client's own; where the finding says so, `certificateProfile: compatible` accepts the CA"},
		{codeAlsoIssues, isWarning, "", "a pinned certificate is a CA: what it signs is accepted as well", "set `tokenEndpointAuthMethod` to `self_signed_tls_client_auth` if it is the client's own"},
		{codeNotACA, isWarning, "", "a certificate looks as if it were meant to issue, and is no CA", "put the CA's own certificate into the store; if this one is the client's own, there is nothing to do"},
		{codePinShared, isWarning, "", "several clients pin the same certificate", "keep it with one client: by the certificate alone none of them is found"},
		{codeAnchorUnbound, isWarning, "", "under `profile: fapi2`, a CA of a client without `tlsClientAuth` or `spiffe`", "bind the client to a subject with one of them"},
		{codeAnchorSharedAlone, isWarning, "", "other clients trust the CA too, and this one has neither `tlsClientAuth` nor `spiffe`", "bind each of the clients to a subject with one of them"},
		{codeAnchorTwin, isWarning, "", "another CA has the same name and key identifier, and another key: judging certificates of either costs more, and may exceed the bound of signature checks", "ask whose CA is the real one; have one of them named otherwise"},
		{codeProfile, isWarning, "", "`certificateProfile` is `compatible`", "ask for certificates of the form that RFC 5280 has, then take it out"},
		{codeNoRevocations, isWarning, isError, "`revocation` without anywhere to learn of revocations: in `hard` mode every certificate of the client's CAs is refused, in `soft` mode none is", "name the CA's list in `revocation.locations`, or its hosts in `revocation.hosts`, or put the list into the folder, in a file named .crl"},
		{codeLocationUnusable, isWarning, isError, "with `--online`, a location of revocations cannot be used: unreachable, forbidden, timed_out, declined, too_large, malformed, unsigned or stale", "mend the location, or have `revocation` name another; an address that is not public has to be in `revocation.allow` of the configuration"},
		{codeIntermediate, isNote, "", "with `revocation`, a CA whose own issuer is not in the store: whether it was itself revoked is not asked", "put its issuer's certificate into the store as well, if you trust what else that issues"},
		{codeCRLUnsigned, isWarning, "", "a revocation list is signed by no CA of a client", "ask whether it is the list of the right CA; take it out otherwise"},
		{codeCRLEnded, isWarning, "", "the nextUpdate of a revocation list has passed: it still revokes, and vouches for nothing", "put the CA's next list in its place"},
	}
}

// severities says the severity, and that of hard mode if it is another.
func (r codeRow) severities() string {
	if r.InHard == "" {
		return string(r.Severity)
	}
	return fmt.Sprintf("%s; %s in hard mode", r.Severity, r.InHard)
}

// rowOf returns what is to be known of the code.
func rowOf(c code) codeRow {
	for _, row := range checkCodes() {
		if row.Code == c {
			return row
		}
	}
	return codeRow{Code: c, Severity: isError} // not reached: a test has all of them
}

// codeOfRefusal is the code of a certificate that would be refused.
func codeOfRefusal(err error, otherwise code) code {
	switch decision.ReasonOf(err) {
	case decision.KeyWeak, decision.KeyUnsupported, decision.SignatureWeak:
		return codeKeyWeak
	}
	return otherwise
}
