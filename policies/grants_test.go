package policies_test

import (
	"testing"

	"github.com/certbearer/certbearer/policies"
)

func TestTheGrantsOfAClient(t *testing.T) {
	for sentence, test := range map[string]struct {
		of   fields
		want bool
	}{
		"a document that says nothing":      {fields{}, true},
		"a list without anything":           {fields{"grantType": []string{}}, true},
		"a list that has it":                {fields{"grantType": []string{"authorization_code", "client_credentials"}}, true},
		"a list of others":                  {fields{"grantType": []string{"authorization_code", "refresh_token"}}, false},
		"a list that has it in other case":  {fields{"grantType": []string{"Client_Credentials"}}, false},
		"a list that has it with a space":   {fields{"grantType": []string{"client_credentials "}}, false},
		"a list of others, which are empty": {fields{"grantType": []string{""}}, false},
	} {
		if got := client(t, "a", test.of).MayUseCredentials(); got != test.want {
			t.Errorf("%s: %t, want %t", sentence, got, test.want)
		}
	}
}

func TestWhomAClientMayAskAbout(t *testing.T) {
	resource := client(t, "a", fields{"introspects": []string{"https://a", "urn:b"}, "audience": []string{"https://c"}})
	plain := client(t, "b", fields{})
	for sentence, test := range map[string]struct {
		client   *policies.Client
		audience string
		want     bool
	}{
		"an audience in its list":        {resource, "https://a", true},
		"another in its list":            {resource, "urn:b", true},
		"one with a slash more":          {resource, "https://a/", false},
		"one that it may have tokens of": {resource, "https://c", false},
		"none":                           {resource, "", false},
		"any, of who has no list":        {plain, "https://a", false},
		"none, of who has no list":       {plain, "", false},
	} {
		if got := test.client.MayIntrospect(test.audience); got != test.want {
			t.Errorf("%s: %t, want %t", sentence, got, test.want)
		}
	}
}

func TestTheScopesThatAClientMayHave(t *testing.T) {
	for sentence, test := range map[string]struct {
		of    fields
		scope string
		want  bool
	}{
		"one of its scopes":             {fields{"scope": []string{"a", "b"}}, "b", true},
		"one of its default":            {fields{"defaultScope": []string{"a"}}, "a", true},
		"one of both":                   {fields{"scope": []string{"a", "b"}, "defaultScope": []string{"a"}}, "a", true},
		"one beyond":                    {fields{"scope": []string{"a"}, "defaultScope": []string{"a"}}, "b", false},
		"one of other case":             {fields{"scope": []string{"a"}}, "A", false},
		"the beginning of one":          {fields{"scope": []string{"system/Patient.rs"}}, "system/Patient", false},
		"none":                          {fields{"scope": []string{"a"}}, "", false},
		"any, of a client without them": {fields{}, "a", false},
	} {
		if got := client(t, "a", test.of).MayHaveScope(test.scope); got != test.want {
			t.Errorf("%s: %t, want %t", sentence, got, test.want)
		}
	}
}
