package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

func expectText(value json.RawMessage, want string) *Fault {
	var text string
	if fault := readText(value, &text); fault != nil {
		return fault
	}
	if text != want {
		return &Fault{Problem: fmt.Sprintf("is not %s", want)}
	}
	return nil
}

// readText never quotes the value: it may be a secret in the wrong place.
func readText(value json.RawMessage, into *string) *Fault {
	if !bytes.HasPrefix(value, []byte(`"`)) || json.Unmarshal(value, into) != nil {
		return &Fault{Problem: "is not a string"}
	}
	return nil
}

const notTexts = `is not a list of strings, such as ["a", "b"]`

func readTexts(value json.RawMessage, into *[]string) *Fault {
	var raws []json.RawMessage
	if !bytes.HasPrefix(value, []byte("[")) || json.Unmarshal(value, &raws) != nil {
		return &Fault{Problem: notTexts}
	}
	texts := make([]string, len(raws))
	for i, raw := range raws {
		if readText(raw, &texts[i]) != nil {
			return &Fault{Problem: notTexts}
		}
	}
	*into = texts
	return nil
}

var errNotObject = errors.New("is not an object")
