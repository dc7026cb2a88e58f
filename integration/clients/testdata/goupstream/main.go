package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
)

// main says of each token, one a line, what the verifier of docs/upstreams.md says.
func main() {
	ctx := context.Background()
	verifier := NewVerifier(ctx, os.Getenv("ISSUER"), os.Getenv("JWKS_URI"), os.Getenv("AUDIENCE"))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if client, err := verifier.Verify(ctx, lines.Text()); err != nil {
			fmt.Println("refused:", err)
		} else {
			fmt.Println("accepted:", client)
		}
	}
}
