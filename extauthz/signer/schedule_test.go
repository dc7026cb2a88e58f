package signer_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// daily has each key sign for a week, and tokens live for a day.
var daily = signer.Rotation{PublishAhead: time.Hour, Every: 7 * 24 * time.Hour, LongestLife: 24 * time.Hour}

// standing is a Stand in words.
func standing(stands []signer.Stand) []string {
	var words []string
	for _, stand := range stands {
		word := string(stand.Standing)
		if !stand.Until.IsZero() {
			word += " until " + stand.Until.Sub(epoch).String()
		}
		words = append(words, word)
	}
	return words
}

func TestWhatAKeyIsForDependsOnTheOneAfterIt(t *testing.T) {
	at := func(hours ...int) []signer.Key {
		var keys []signer.Key
		for i, hour := range hours {
			keys = append(keys, newRemote(t, byte(i+1), epoch.Add(time.Duration(hour)*time.Hour)))
		}
		return keys
	}
	tests := map[string]struct {
		keys []signer.Key
		now  time.Duration
		want []string
	}{
		"the only key signs, however old": {at(0), 1000 * time.Hour, []string{"signing"}},
		"a key whose time has not come waits": {at(0, 5), 5*time.Hour - 1,
			[]string{"signing", "waiting"}},
		"a key stays for the longest life of a token and the time of publication after another took over": {at(0, 5), 5 * time.Hour,
			[]string{"published until 30h0m0s", "signing"}},
		"each key goes by the one after it": {at(0, 5, 10, 20), 10 * time.Hour,
			[]string{"published until 30h0m0s", "published until 35h0m0s", "signing", "waiting"}},
		"of two keys of one moment one never signs": {at(0, 0), time.Hour,
			[]string{"published until 25h0m0s", "signing"}},
		"without a key whose time has come none signs": {at(5), 0, []string{"waiting"}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			keys, err := signer.NewKeys(test.keys...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, standing(daily.Stands(keys, epoch.Add(test.now)))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if stands := daily.Stands(nil, epoch); len(stands) != 0 {
		t.Errorf("no keys stand as %v", stands)
	}
}

func TestAScheduleFitsIfItsKeysDo(t *testing.T) {
	for sentence, test := range map[string]struct {
		rotation signer.Rotation
		fits     bool
	}{
		"never":         {signer.Rotation{PublishAhead: time.Hour, LongestLife: 24 * time.Hour}, true},
		"every 90 days": {signer.Rotation{PublishAhead: time.Hour, LongestLife: 24 * time.Hour, Every: 2160 * time.Hour}, true},
		"every hour":    {signer.Rotation{PublishAhead: 30 * time.Minute, LongestLife: 24 * time.Hour, Every: time.Hour}, true},
		"every minute":  {signer.Rotation{PublishAhead: time.Second, LongestLife: 24 * time.Hour, Every: time.Minute}, false},
	} {
		if test.rotation.Fits() != test.fits {
			t.Errorf("%s: fits %v", sentence, !test.fits)
		}
	}
}
