package tokens

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of the making of a token, where it was caught: in a
// goroutine of its own, where it would have ended the process.
type PanicError struct {
	// Value is what the panic was raised with. It may hold anything, so Error
	// tells only its type.
	Value any
	// Stack is the panicking goroutine's, as debug.Stack writes it.
	Stack []byte
}

// Error names the type of the value.
func (p *PanicError) Error() string {
	return fmt.Sprintf("tokens: making a token panicked with a %T", p.Value)
}

// guard makes a panic of mint an error. A panic in singleflight's goroutine is
// raised again where nothing recovers.
func guard(mint func() (*entry, error)) (minted *entry, err error) {
	defer func() {
		if value := recover(); value != nil {
			minted, err = nil, &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return mint()
}
