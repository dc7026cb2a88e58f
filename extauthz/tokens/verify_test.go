package tokens_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

// now is within the life of the tokens of these tests, which begins at second.
var (
	second = epoch.Truncate(time.Second)
	now    = second.Add(time.Minute)
)

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed is a JWS of the two texts, whatever they are.
func signed(t testing.TB, key signer.Key, header, payload string) string {
	t.Helper()
	input := encoded(header) + "." + encoded(payload)
	signature, err := key.Sign(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func headerOf(key signer.Key) string {
	return `{"alg":"` + key.Algorithm() + `","kid":"` + key.KID() + `","typ":"at+jwt"}`
}

// claimsOf is the payload of a token for callers, with the changes of the test; a
// nil takes a claim out.
func claimsOf(t testing.TB, change map[string]any) string {
	t.Helper()
	thumbprint := newRequest().Thumbprint
	claims := map[string]any{
		"iss": "https://gateway.example", "sub": "lab-partner", "client_id": "lab-partner", "aud": "https://fhir.example/R4",
		"iat": second.Unix(), "exp": second.Unix() + 300, "jti": "one", "token_use": "access", "scope": "a b",
		"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])},
	}
	for name, value := range change {
		claims[name] = value
	}
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func termsOf(t testing.TB, keys ...signer.Key) tokens.Terms {
	t.Helper()
	return tokens.Terms{Issuer: "https://gateway.example", Keys: newKeys(t, keys...), At: now}
}

func access() tokens.Request {
	request := newRequest()
	request.Use = tokens.UseAccess
	return request
}

func mint(t testing.TB, key signer.Key, request tokens.Request) tokens.Token {
	t.Helper()
	token, err := tokens.Mint(t.Context(), key, request)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantReason(t testing.TB, err error, want decision.Reason) {
	t.Helper()
	if err == nil || decision.ReasonOf(err) != want {
		t.Errorf("want %s, got %v", want, err)
	}
}

func TestWhatMintWritesVerifies(t *testing.T) {
	injected, general, unbound := newRequest(), newRequest(), newRequest()
	general.Typ = tokens.TypJWT
	unbound.Bind = tokens.BindNone
	for sentence, test := range map[string]struct {
		request tokens.Request
		use     tokens.Use
		bound   bool
	}{
		"a token for callers":                    {access(), tokens.UseAccess, true},
		"an injected token":                      {injected, tokens.UseInjected, true},
		"an injected token of the general type":  {general, tokens.UseInjected, true},
		"an injected token bound to nobody":      {unbound, tokens.UseInjected, false},
		"a token without scope, which then none": {func() tokens.Request { r := access(); r.Scope = nil; return r }(), tokens.UseAccess, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			key := newKey(t, epoch)
			token := mint(t, key, test.request)
			got, err := termsOf(t, key).Verify(token.Value.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			want := tokens.Verified{
				ID: token.ID, ClientID: "lab-partner", Audience: "https://fhir.example/R4", Scope: test.request.Scope,
				IssuedAt: token.IssuedAt, Expires: token.Expires, Use: test.use, Bound: test.bound,
			}
			if test.bound {
				want.Thumbprint = test.request.Thumbprint
			}
			if len(want.Scope) == 0 {
				want.Scope = got.Scope[:0]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTokensOfEachAlgorithmVerify(t *testing.T) {
	for _, algorithm := range []signer.Algorithm{signer.ES256, signer.ES384, signer.PS256, signer.RS256, signer.EdDSA} {
		t.Run(string(algorithm), func(t *testing.T) {
			keys, err := signer.Open(t.Context(), t.TempDir(), signer.Options{Generate: true, Algorithm: algorithm})
			if err != nil {
				t.Fatal(err)
			}
			terms := tokens.Terms{Issuer: "https://gateway.example", Keys: keys, At: now}
			if _, err := terms.Verify(mint(t, keys.All()[0], access()).Value.Reveal()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAHeaderThatMintWouldNotWriteIsRefused(t *testing.T) {
	key, other := newKey(t, epoch), newKey(t, epoch)
	alg, kid, typ := `"alg":"ES256"`, `"kid":"`+key.KID()+`"`, `"typ":"at+jwt"`
	object := func(members ...string) string { return "{" + strings.Join(members, ",") + "}" }
	tests := map[string]struct {
		header string
		reason decision.Reason // Allowed: accepted
	}{
		"what Mint writes":                         {object(alg, kid, typ), decision.Allowed},
		"the members in another order":             {object(typ, kid, alg), decision.Allowed},
		"the long form of the type":                {object(alg, kid, `"typ":"application/at+jwt"`), decision.Allowed},
		"the general type":                         {object(alg, kid, `"typ":"JWT"`), decision.TokenTypeWrong},
		"the type of a statement":                  {object(alg, kid, `"typ":"certbearer-cert+jwt"`), decision.TokenTypeWrong},
		"the type of an ID token's kind":           {object(alg, kid, `"typ":"jwt"`), decision.TokenTypeWrong},
		"the type with a parameter":                {object(alg, kid, `"typ":"at+jwt; v=1"`), decision.TokenTypeWrong},
		"an empty type":                            {object(alg, kid, `"typ":""`), decision.TokenTypeWrong},
		"no type":                                  {object(alg, kid), decision.TokenMalformed},
		"no key":                                   {object(alg, typ), decision.TokenMalformed},
		"no algorithm":                             {object(kid, typ), decision.TokenMalformed},
		"the algorithm none":                       {object(`"alg":"none"`, kid, typ), decision.TokenSignatureInvalid},
		"the algorithm HS256":                      {object(`"alg":"HS256"`, kid, typ), decision.TokenSignatureInvalid},
		"the algorithm of another key":             {object(`"alg":"ES384"`, kid, typ), decision.TokenSignatureInvalid},
		"an algorithm in lower case":               {object(`"alg":"es256"`, kid, typ), decision.TokenSignatureInvalid},
		"a key that is unknown":                    {object(alg, `"kid":"x"`, typ), decision.TokenSignatureInvalid},
		"an empty key":                             {object(alg, `"kid":""`, typ), decision.TokenSignatureInvalid},
		"the name of another key of the set":       {object(alg, `"kid":"`+other.KID()+`"`, typ), decision.TokenSignatureInvalid},
		"a key by URL":                             {object(alg, kid, typ, `"jku":"https://evil.example/jwks.json"`), decision.TokenMalformed},
		"a certificate by URL":                     {object(alg, kid, typ, `"x5u":"https://evil.example/x.pem"`), decision.TokenMalformed},
		"a key in the header":                      {object(alg, kid, typ, `"jwk":{"kty":"EC"}`), decision.TokenMalformed},
		"a certificate in the header":              {object(alg, kid, typ, `"x5c":["AA=="]`), decision.TokenMalformed},
		"a critical member":                        {object(alg, kid, typ, `"crit":["b64"]`, `"b64":false`), decision.TokenMalformed},
		"a compressed payload":                     {object(alg, kid, typ, `"zip":"DEF"`), decision.TokenMalformed},
		"a member that nobody knows":               {object(alg, kid, typ, `"x":1`), decision.TokenMalformed},
		"the algorithm twice":                      {object(alg, `"alg":"none"`, kid, typ), decision.TokenMalformed},
		"the key twice":                            {object(alg, kid, kid, typ), decision.TokenMalformed},
		"a name in the wrong case":                 {object(`"Alg":"ES256"`, kid, typ), decision.TokenMalformed},
		"a second one in the wrong case":           {object(alg, `"ALG":"none"`, kid, typ), decision.TokenMalformed},
		"a name that is escaped, which is no harm": {object(`"\u0061lg":"ES256"`, kid, typ), decision.Allowed},
		"a key that is a number":                   {object(alg, `"kid":1`, typ), decision.TokenMalformed},
		"a type that is null":                      {object(alg, kid, `"typ":null`), decision.TokenTypeWrong},
		"null":                                     {"null", decision.TokenMalformed},
		"an array":                                 {"[" + object(alg, kid, typ) + "]", decision.TokenMalformed},
		"an object and more":                       {object(alg, kid, typ) + "{}", decision.TokenMalformed},
		"nothing":                                  {"", decision.TokenMalformed},
		"arrays without end":                       {strings.Repeat("[", 5000), decision.TokenMalformed},
	}
	terms := termsOf(t, key, other)
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			_, err := terms.Verify(signed(t, key, test.header, claimsOf(t, nil)))
			if test.reason == decision.Allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, test.reason)
		})
	}
}

func TestTextThatIsNoTokenOfOursIsRefused(t *testing.T) {
	key, stranger := newKey(t, epoch), newKey(t, epoch)
	good := signed(t, key, headerOf(key), claimsOf(t, nil))
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	spki, err := x509.MarshalPKIXPublicKey(key.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	jwk := key.Public()
	jwkText, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(secret []byte) string {
		input := encoded(`{"alg":"HS256","kid":"`+key.KID()+`","typ":"at+jwt"}`) + "." + payload
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	tests := map[string]struct {
		text   string
		reason decision.Reason
	}{
		"nothing":                            {"", decision.TokenMalformed},
		"one part":                           {"a", decision.TokenMalformed},
		"two parts":                          {head + "." + payload, decision.TokenMalformed},
		"four parts":                         {good + ".a", decision.TokenMalformed},
		"five parts, as encrypted ones have": {good + ".a.b", decision.TokenMalformed},
		"the JSON serialization":             {`{"payload":"` + payload + `","protected":"` + head + `","signature":"` + signature + `"}`, decision.TokenMalformed},
		"a header with padding":              {head + "=." + rest, decision.TokenMalformed},
		"a header in the other alphabet":     {"+/+/." + rest, decision.TokenMalformed},
		"no signature":                       {head + "." + payload + ".", decision.TokenSignatureInvalid},
		"none, and no signature":             {encoded(`{"alg":"none","kid":"`+key.KID()+`","typ":"at+jwt"}`) + "." + payload + ".", decision.TokenSignatureInvalid},
		"HS256 with the public key's DER":    {hs256(spki), decision.TokenSignatureInvalid},
		"HS256 with the public key's JWK":    {hs256(jwkText), decision.TokenSignatureInvalid},
		"HS256 with an empty secret":         {hs256(nil), decision.TokenSignatureInvalid},
		"another's signature":                {signed(t, stranger, headerOf(key), claimsOf(t, nil)), decision.TokenSignatureInvalid},
		"another's key":                      {signed(t, stranger, headerOf(stranger), claimsOf(t, nil)), decision.TokenSignatureInvalid},
		"another payload":                    {head + "." + encoded(claimsOf(t, map[string]any{"sub": "x", "client_id": "x"})) + "." + signature, decision.TokenSignatureInvalid},
		"another header":                     {encoded(headerOf(key)+" ") + "." + rest, decision.TokenSignatureInvalid},
		"a signature that is cut":            {good[:len(good)-4], decision.TokenSignatureInvalid},
		"a signature that is none":           {head + "." + payload + ".*", decision.TokenMalformed},
		"a line break in the signature":      {good[:len(good)-4] + "\n" + good[len(good)-4:], decision.TokenMalformed},
		"a line break in the payload":        {head + "." + payload[:4] + "\r\n" + payload[4:] + "." + signature, decision.TokenMalformed},
		"a line break at the end":            {good + "\n", decision.TokenMalformed},
		"a token of more than is read":       {good + strings.Repeat("A", tokens.MaxTokenBytes), decision.TokenMalformed},
	}
	terms := termsOf(t, key)
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got, err := terms.Verify(test.text)
			wantReason(t, err, test.reason)
			if diff := cmp.Diff(tokens.Verified{}, got); diff != "" {
				t.Errorf("something is said of it: %s", diff)
			}
			if err != nil && len(test.text) > 8 && strings.Contains(err.Error(), test.text) {
				t.Error("the error has the token")
			}
		})
	}
}

func TestClaimsAreWhatMintWritesAndNothingLess(t *testing.T) {
	key := newKey(t, epoch)
	thumbprint := newRequest().Thumbprint
	good := claimsOf(t, nil)
	changed := func(name string, value any) string { return claimsOf(t, map[string]any{name: value}) }
	raw := func(name, value string) string {
		return strings.TrimSuffix(claimsOf(t, map[string]any{name: nil}), "}") + `,"` + name + `":` + value + "}"
	}
	seconds := second.Unix()
	tests := map[string]struct {
		payload string
		reason  decision.Reason // Allowed: accepted
	}{
		"what Mint writes":                     {good, decision.Allowed},
		"a claim that a newer version writes":  {changed("x", "y"), decision.Allowed},
		"no issuer":                            {changed("iss", nil), decision.TokenIssuerWrong},
		"another issuer, with our key":         {changed("iss", "https://gateway.example/"), decision.TokenIssuerWrong},
		"an issuer of another case":            {changed("iss", "https://Gateway.example"), decision.TokenIssuerWrong},
		"issuers":                              {changed("iss", []string{"https://gateway.example"}), decision.TokenMalformed},
		"no audience":                          {changed("aud", nil), decision.TokenMalformed},
		"an empty audience":                    {changed("aud", ""), decision.TokenMalformed},
		"two audiences":                        {changed("aud", []string{"https://fhir.example/R4", "b"}), decision.TokenMalformed},
		"no client":                            {changed("client_id", nil), decision.TokenMalformed},
		"no subject":                           {changed("sub", nil), decision.TokenMalformed},
		"a subject that is not the client":     {changed("sub", "other"), decision.TokenMalformed},
		"no jti":                               {changed("jti", nil), decision.TokenMalformed},
		"an empty jti":                         {changed("jti", ""), decision.TokenMalformed},
		"a jti without end":                    {changed("jti", strings.Repeat("a", 65)), decision.TokenMalformed},
		"no use":                               {changed("token_use", nil), decision.TokenMalformed},
		"an unknown use":                       {changed("token_use", "id"), decision.TokenMalformed},
		"a use of another case":                {changed("token_use", "Access"), decision.TokenMalformed},
		"a name of another case":               {strings.Replace(good, `"aud"`, `"Aud"`, 1), decision.TokenMalformed},
		"a second one of another case":         {raw("Iss", `"https://evil.example"`), decision.Allowed}, // is another claim
		"the issuer twice":                     {strings.TrimSuffix(good, "}") + `,"iss":"https://gateway.example"}`, decision.TokenMalformed},
		"the end twice":                        {strings.TrimSuffix(good, "}") + `,"exp":4102444800}`, decision.TokenMalformed},
		"a member of cnf twice":                {raw("cnf", `{"x5t#S256":"a","x5t#S256":"b"}`), decision.TokenMalformed},
		"no end":                               {changed("exp", nil), decision.TokenMalformed},
		"an end that is null":                  {raw("exp", "null"), decision.TokenMalformed},
		"an end that is text":                  {changed("exp", "4102444800"), decision.TokenMalformed},
		"an end that is a truth":               {changed("exp", true), decision.TokenMalformed},
		"an end with a fraction":               {raw("exp", "4102444800.5"), decision.TokenMalformed},
		"an end with an exponent":              {raw("exp", "4e9"), decision.TokenMalformed},
		"an end beyond all numbers":            {raw("exp", "1e400"), decision.TokenMalformed},
		"an end beyond 64 bits":                {raw("exp", "92233720368547758080"), decision.TokenMalformed},
		"an end beyond dates":                  {raw("exp", "9223372036854775807"), decision.TokenMalformed},
		"a negative end":                       {raw("exp", "-1"), decision.TokenMalformed},
		"an end that is 0":                     {raw("exp", "0"), decision.TokenMalformed},
		"no beginning":                         {changed("iat", nil), decision.TokenMalformed},
		"a beginning that is text":             {changed("iat", "1"), decision.TokenMalformed},
		"a beginning with a fraction":          {raw("iat", "1.5"), decision.TokenMalformed},
		"nbf, which Mint does not write":       {changed("nbf", seconds), decision.TokenMalformed},
		"scopes in an array":                   {changed("scope", []string{"a"}), decision.TokenMalformed},
		"no scope":                             {changed("scope", nil), decision.Allowed},
		"no cnf":                               {changed("cnf", nil), decision.Allowed},
		"a cnf that is text":                   {changed("cnf", "x"), decision.TokenMalformed},
		"a cnf with a key in it":               {raw("cnf", `{"jwk":{"kty":"EC"}}`), decision.TokenMalformed},
		"a cnf with the thumbprint of another": {changed("cnf", map[string]any{"x5t#S256": encoded(string(thumbprint[:]))}), decision.Allowed},
		"null":                                 {"null", decision.TokenMalformed},
		"an array":                             {"[]", decision.TokenMalformed},
		"no JSON":                              {"x", decision.TokenMalformed},
		"nothing":                              {"", decision.TokenMalformed},
		"an object and more":                   {good + "{}", decision.TokenMalformed},
	}
	terms := termsOf(t, key)
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			_, err := terms.Verify(signed(t, key, headerOf(key), test.payload))
			if test.reason == decision.Allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, test.reason)
		})
	}
}

func TestATokenIsBoundByOneThumbprintAlone(t *testing.T) {
	key := newKey(t, epoch)
	sum := newRequest().Thumbprint
	right := base64.RawURLEncoding.EncodeToString(sum[:])
	for sentence, test := range map[string]struct {
		cnf  any
		want bool
	}{
		"the thumbprint":                  {map[string]string{"x5t#S256": right}, true},
		"nothing":                         {nil, false},
		"an empty object":                 {map[string]string{}, false},
		"a key's thumbprint":              {map[string]string{"jkt": right}, false},
		"a key's and the certificate's":   {map[string]string{"x5t#S256": right, "jkt": right}, false},
		"the certificate's and the empty": {map[string]string{"x5t#S256": right, "": ""}, false},
		"an empty thumbprint":             {map[string]string{"x5t#S256": ""}, false},
		"a name of another case":          {map[string]string{"x5t#s256": right}, false},
		"hexadecimal":                     {map[string]string{"x5t#S256": strings.Repeat("fb", 32)}, false},
		"padding":                         {map[string]string{"x5t#S256": right + "="}, false},
		"the other alphabet":              {map[string]string{"x5t#S256": base64.RawStdEncoding.EncodeToString(sum[:])}, false},
		"31 bytes":                        {map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:31])}, false},
		"33 bytes":                        {map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(append(sum[:], 0))}, false},
		"bits that say nothing":           {map[string]string{"x5t#S256": right[:len(right)-1] + "F"}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := termsOf(t, key).Verify(signed(t, key, headerOf(key), claimsOf(t, map[string]any{"cnf": test.cnf})))
			if err != nil {
				t.Fatal(err)
			}
			if got.Bound != test.want {
				t.Errorf("bound %v", got.Bound)
			}
			err = got.CheckInbound("https://fhir.example/R4", sum)
			if test.want && err != nil {
				t.Error(err)
			}
			if !test.want {
				wantReason(t, err, decision.TokenUnbound)
			}
		})
	}
}

func TestTimesAreHeldToTheSecond(t *testing.T) {
	key := newKey(t, epoch)
	token := mint(t, key, access()).Value.Reveal() // from second to second+300
	for sentence, test := range map[string]struct {
		at     time.Time
		reason decision.Reason // Allowed: in force
	}{
		"9 s before it was made":                     {second.Add(-9 * time.Second), decision.Allowed},
		"10 s before it was made":                    {second.Add(-10 * time.Second), decision.Allowed},
		"a little more than 10 s before it was made": {second.Add(-10*time.Second - 1), decision.TokenNotYetValid},
		"11 s before it was made":                    {second.Add(-11 * time.Second), decision.TokenNotYetValid},
		"a minute before it was made":                {second.Add(-time.Minute), decision.TokenNotYetValid},
		"as it is made":                              {second, decision.Allowed},
		"a little before its end":                    {second.Add(300*time.Second - 1), decision.Allowed},
		"at its end":                                 {second.Add(300 * time.Second), decision.TokenExpired},
		"a day after its end":                        {second.AddDate(0, 0, 1), decision.TokenExpired},
	} {
		t.Run(sentence, func(t *testing.T) {
			terms := termsOf(t, key)
			terms.At = test.at
			got, err := terms.Verify(token)
			if test.reason == decision.Allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, test.reason)
			if got.ClientID != "lab-partner" {
				t.Error("nothing is said of a token that is ours")
			}
		})
	}
}

func TestARevokedTokenIsRefused(t *testing.T) {
	key := newKey(t, epoch)
	one, other := mint(t, key, access()), mint(t, key, access())
	terms := termsOf(t, key)
	terms.Revoked = tokens.NewRevoked(tokens.Revocation{ID: one.ID, ClientID: "lab-partner", Expires: one.Expires})
	_, err := terms.Verify(one.Value.Reveal())
	wantReason(t, err, decision.TokenRevoked)
	if _, err := terms.Verify(other.Value.Reveal()); err != nil {
		t.Errorf("another is refused too: %v", err)
	}
}

func TestWithoutKeysNothingIsSaidOfAToken(t *testing.T) {
	token := mint(t, newKey(t, epoch), access())
	_, err := tokens.Terms{Issuer: "https://gateway.example", At: now}.Verify(token.Value.Reveal())
	wantReason(t, err, decision.NotReady)
}

func TestATokenOfAKeyThatWasTakenAwayIsRefused(t *testing.T) {
	gone, current := newKey(t, epoch), newKey(t, epoch)
	_, err := termsOf(t, current).Verify(mint(t, gone, access()).Value.Reveal())
	wantReason(t, err, decision.TokenSignatureInvalid)
}

func TestWhereATokenBelongs(t *testing.T) {
	good := tokens.Verified{Use: tokens.UseAccess, Audience: "https://fhir.example/R4", Bound: true, Thumbprint: [32]byte{1}}
	for sentence, test := range map[string]struct {
		change func(*tokens.Verified)
		want   decision.Reason // Allowed: here
	}{
		"here":                     {func(*tokens.Verified) {}, decision.Allowed},
		"at the upstream":          {func(v *tokens.Verified) { v.Use = tokens.UseInjected }, decision.TokenTypeWrong},
		"at another audience":      {func(v *tokens.Verified) { v.Audience = "https://fhir.example/R4/" }, decision.TokenAudienceWrong},
		"at none":                  {func(v *tokens.Verified) { v.Audience = "" }, decision.TokenAudienceWrong},
		"with anybody":             {func(v *tokens.Verified) { v.Bound = false }, decision.TokenUnbound},
		"with another certificate": {func(v *tokens.Verified) { v.Thumbprint = [32]byte{2} }, decision.TokenBindingMismatch},
		"nowhere, for the zero value is injected": {func(v *tokens.Verified) { *v = tokens.Verified{} }, decision.TokenTypeWrong},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := good
			test.change(&v)
			err := v.CheckInbound("https://fhir.example/R4", [32]byte{1})
			if test.want == decision.Allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, test.want)
		})
	}
}

func TestWhatClaimsToBeOurs(t *testing.T) {
	key, stranger := newKey(t, epoch), newKey(t, epoch)
	theirs := `{"alg":"ES256","kid":"` + stranger.KID() + `"}`
	for sentence, test := range map[string]struct {
		text string
		want bool
	}{
		"a token of ours":                   {mint(t, key, access()).Value.Reveal(), true},
		"one that names our key":            {encoded(headerOf(key)) + "." + encoded(`{"iss":"x"}`) + ".c2ln", true},
		"one that names us as its issuer":   {encoded(theirs) + "." + encoded(`{"iss":"https://gateway.example"}`) + ".c2ln", true},
		"one that names us without a key":   {encoded(`{"alg":"none"}`) + "." + encoded(`{"iss":"https://gateway.example"}`) + ".", true},
		"one of another issuer's":           {encoded(theirs) + "." + encoded(`{"iss":"https://other.example"}`) + ".c2ln", false},
		"one with an empty key":             {encoded(`{"kid":""}`) + "." + encoded(`{}`) + ".c2ln", false},
		"one whose issuer is a list":        {encoded(theirs) + "." + encoded(`{"iss":["https://gateway.example"]}`) + ".c2ln", false},
		"text that is no JWS":               {"SlAV32hkKG", false},
		"text with dots":                    {"a.b.c", false},
		"nothing":                           {"", false},
		"an issuer in three parts of which": {encoded(theirs) + "." + encoded(`{"iss":"https://gateway.example"}`), true},
		"what is too long to be looked at":  {strings.Repeat("a", tokens.MaxTokenBytes+1), true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := termsOf(t, key).LooksOurs(test.text); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
}
