package signer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// maxStatementFile is the size of the largest statement.key that is read.
const maxStatementFile = 4 << 10

// ParseStatementKeys reads the content of a statement.key:
//
//	{"current": {"kid": …, "created": RFC 3339, "key": 32 octets in base64url},
//	 "previous": {…} or null}
//
// All members are required and no others are allowed. kid is derived from the
// key, so that one cannot be passed off as another. An error never quotes the
// content.
func ParseStatementKeys(content []byte) (*StatementKeys, error) {
	if len(content) > maxStatementFile {
		return nil, fmt.Errorf("is over %d bytes; a file of statement keys is far smaller", maxStatementFile)
	}
	file, err := readObject(content)
	if err != nil {
		return nil, err
	}
	if err := file.only("current", "previous"); err != nil {
		return nil, err
	}
	current, err := parseStatementKey(file["current"])
	if err != nil {
		return nil, fmt.Errorf("current: %w", err)
	}
	keys := &StatementKeys{&statementPair{current: current}}
	if bytes.Equal(file["previous"], []byte("null")) {
		return keys, nil
	}
	previous, err := parseStatementKey(file["previous"])
	if err != nil {
		return nil, fmt.Errorf("previous: %w", err)
	}
	if previous.ID == current.ID {
		return nil, errors.New("previous: is the current key")
	}
	keys.pair.previous = &previous
	return keys, nil
}

func parseStatementKey(content []byte) (StatementKey, error) {
	entry, err := readObject(content)
	if err != nil {
		return StatementKey{}, err
	}
	if err := entry.only("kid", "created", "key"); err != nil {
		return StatementKey{}, err
	}
	created, err := entry.time("created")
	if err != nil {
		return StatementKey{}, err
	}
	secret, ok := octets(entry.text("key"))
	if !ok || len(secret) != len(StatementSecret{}) {
		return StatementKey{}, errors.New("key: is not 32 octets in base64url")
	}
	key := newStatementKey(StatementSecret(secret), created)
	if entry.text("kid") != key.ID {
		return StatementKey{}, errors.New("kid: is not that of the key; restore the content of the file, or remove it to have a new one made")
	}
	return key, nil
}

// encode is what ParseStatementKeys reads. It contains the secrets.
func (k *StatementKeys) encode() ([]byte, error) {
	type entry struct {
		KID     string `json:"kid"`
		Created string `json:"created"`
		Key     string `json:"key"`
	}
	of := func(key *StatementKey) *entry {
		if key == nil {
			return nil
		}
		return &entry{key.ID, key.created.Format(time.RFC3339), base64.RawURLEncoding.EncodeToString(key.Secret[:])}
	}
	content, err := json.MarshalIndent(struct {
		Current  *entry `json:"current"`
		Previous *entry `json:"previous"`
	}{of(&k.pair.current), of(k.pair.previous)}, "", "  ")
	if err != nil {
		return nil, errors.New("signer: the statement keys cannot be encoded")
	}
	return append(content, '\n'), nil
}
