package policies

import (
	"encoding/json"

	"github.com/certbearer/certbearer/policies/truststore"
)

func (r *reader) readProfile(value json.RawMessage) *Fault {
	var word string
	if fault := readText(value, &word); fault != nil {
		return fault
	}
	profile, known := truststore.ParseProfile(word)
	if !known {
		return &Fault{Problem: "is none of strict, compatible"}
	}
	r.profile, r.profileSet = profile, true
	return nil
}
