package revocation

// CheckAddress is what is asked on every dial.
var CheckAddress = checkAddress

// CheckRedirect is what is asked on every redirect.
var CheckRedirect = checkRedirect
