package truststore

// element takes the first DER element off: its identifier octet, its content
// and what follows. Identifiers of more than one octet and lengths that are not
// the shortest are none. It exists beside encoding/asn1 because a hostile
// certificate has thousands of elements, and this takes nanoseconds for each.
func element(der []byte) (tag byte, content, rest []byte, ok bool) {
	if len(der) < 2 || der[0]&0x1f == 0x1f {
		return 0, nil, nil, false
	}
	tag, length, header := der[0], int(der[1]), 2
	if length >= 0x80 {
		octets := length - 0x80
		if octets < 1 || octets > 3 || len(der) < 2+octets || der[2] == 0 {
			return 0, nil, nil, false
		}
		length = 0
		for _, octet := range der[2 : 2+octets] {
			length = length<<8 | int(octet)
		}
		if length < 0x80 {
			return 0, nil, nil, false
		}
		header += octets
	}
	if len(der)-header < length {
		return 0, nil, nil, false
	}
	return tag, der[header : header+length], der[header+length:], true
}

// Identifier octets of what is read with element.
const (
	derSequence = 0x30
	derSet      = 0x31
	derBoolean  = 0x01
	derInteger  = 0x02
	derOID      = 0x06
)

// only returns the content of the one element of that identifier that der is.
func only(der []byte, tag byte) (content []byte, ok bool) {
	got, content, rest, ok := element(der)
	return content, ok && got == tag && len(rest) == 0
}
