package tokens_test

import (
	"testing"

	"github.com/certbearer/certbearer/extauthz/tokens"
)

func BenchmarkMint(b *testing.B) {
	key := newKey(b, epoch)
	request := newRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Mint(b.Context(), key, request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCacheHit(b *testing.B) {
	cache := newCache(b, tokens.Options{})
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(b, newKey(b, epoch))}
	if _, _, err := cache.Token(b.Context(), newRequest(), basis); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(loop *testing.PB) {
		request := newRequest()
		for loop.Next() {
			if _, hit, err := cache.Token(b.Context(), request, basis); !hit || err != nil {
				b.Error(hit, err)
				return
			}
		}
	})
}
