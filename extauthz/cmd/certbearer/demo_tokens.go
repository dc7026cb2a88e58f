package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
)

// tokens is the part of the story about the token endpoint.
func (s *story) tokens(ctx context.Context) {
	s.scene("The same client asks for a token, without a secret")
	token, ok := s.getToken(ctx, "lab-partner", s.cast.pinned)
	if !ok {
		return
	}
	header := http.Header{"Authorization": {"Bearer " + token}}

	s.scene("It uses the token with its certificate")
	s.acceptedWith(ctx, "lab-partner", s.cast.pinned, "and the token", header)

	s.scene("The token is of no use with another certificate, or with none")
	s.request("GET /hello", "the certificate of payer, and the token")
	s.refused(ctx, s.cast.partner, header, "token_binding_mismatch")
	s.request("GET /hello", "no certificate, and the token")
	s.refused(ctx, nil, header, "token_without_certificate")
}

// getToken asks the token endpoint. The token itself is not shown.
func (s *story) getToken(ctx context.Context, client string, certificate *testca.Issued) (token string, ok bool) {
	s.request("POST "+tokenendpoint.TokenPath, "the certificate of "+client+", and grant_type=client_credentials&client_id="+client)
	r, err := s.stage.post(ctx, certificate, tokenendpoint.TokenPath, url.Values{"grant_type": {"client_credentials"}, "client_id": {client}})
	if err != nil {
		s.wrong("%v", err)
		return "", false
	}
	var answer struct {
		TokenType   string `json:"token_type"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil || answer.AccessToken == "" {
		s.show(r)
		s.wrong("expected a token")
		return "", false
	}
	r.body = fmt.Sprintf(`{"token_type":"%s","access_token":"…","expires_in":%d}`, answer.TokenType, answer.ExpiresIn)
	s.show(r)
	s.expect(r, http.StatusOK, "token_issued")
	return answer.AccessToken, true
}

// post sends a form through Envoy, with a certificate if there is one.
func (s *stage) post(ctx context.Context, certificate *testca.Issued, path string, form url.Values) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.address.String()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r, err := s.send(certificate, request)
	if err != nil {
		return reply{}, err
	}
	return r, s.readRecord(ctx, &r)
}
