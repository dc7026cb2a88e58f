package policies

import "encoding/json"

// readForeign lets pass the fields of Medplum's ClientApplication and of FHIR
// R4's DomainResource that do not concern a certificate, so that an exported
// document loads unchanged. The value of a secret is looked at by nobody. Any
// other field is refused: a misspelled one must not go unnoticed.
func readForeign(m member) *Fault {
	switch m.name {
	case "description", "secret", "retiringSecret", "jwksUri", "redirectUri", "launchUri",
		"refreshTokenLifetime", "implicitRules", "language":
		var text string
		return readText(m.value, &text)
	case "redirectUris", "launchIdentifierSystems", "allowedOrigin", "responseType":
		var texts []string
		return readTexts(m.value, &texts)
	case "pkceOptional":
		var flag bool
		if json.Unmarshal(m.value, &flag) != nil {
			return &Fault{Problem: "is neither true nor false"}
		}
		return nil
	case "identityProvider", "signInForm", "meta", "text":
		if _, fault := splitObject(m.value, m.from); fault != nil {
			return &Fault{Problem: "is not an object whose members each stand once"}
		}
		return nil
	case "contained", "extension", "modifierExtension":
		var list []json.RawMessage
		if json.Unmarshal(m.value, &list) != nil {
			return &Fault{Problem: "is not a list"}
		}
		return nil
	}
	if primitiveExtension(m.name) {
		return nil
	}
	return &Fault{Problem: "is no field of a ClientApplication" + meant(m.name)}
}

// primitiveExtension reports FHIR JSON's "_name", which carries the extensions
// of a primitive field and not its value. Those of the fields that decide here
// are refused: an extension could change what the value means.
func primitiveExtension(name string) bool {
	switch name {
	case "_name", "_description", "_jwksUri", "_redirectUri", "_launchUri", "_implicitRules", "_language":
		return true
	}
	return false
}
