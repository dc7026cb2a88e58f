package revocation

// CheckAddress is what is asked on every dial.
var CheckAddress = checkAddress
