package policies

import (
	"crypto/x509"
	"encoding/json"
	"fmt"

	"github.com/certbearer/certbearer/policies/truststore"
)

// readPolicies reads a list of certificate policies, each a dotted OID.
func readPolicies(value json.RawMessage, into *[]string) *Fault {
	var listed []string
	if fault := readTexts(value, &listed); fault != nil {
		return fault
	}
	if len(listed) > truststore.MaxPolicies {
		return &Fault{Problem: fmt.Sprintf("lists more than %d policies", truststore.MaxPolicies)}
	}
	for i, policy := range listed {
		if id, err := x509.ParseOID(policy); err != nil || id.String() != policy {
			return &Fault{Problem: fmt.Sprintf("value %d is no OID, such as 2.16.840.1.101.3.2.1.48.1", i+1)}
		}
	}
	*into = listed
	return nil
}
