package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/certbearer/certbearer/extauthz/audit"
)

// maxFound bounds the records of one request id: one of the check, one of the
// endpoint, and some of callers that chose an id for several.
const maxFound = 20

// readRecord returns the record that stands in a file, or on standard input for "-".
func readRecord(c *console, name string) (audit.Recorded, error) {
	from, shown := c.stdin, shownFile(name)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return audit.Recorded{}, err
		}
		defer file.Close()
		from = file
	} else {
		c.drained = true
	}
	text, err := io.ReadAll(io.LimitReader(from, audit.MaxRecordBytes+2))
	if err != nil {
		return audit.Recorded{}, fmt.Errorf("%s: %w", shown, err)
	}
	if bytes.ContainsRune(bytes.TrimSpace(text), '\n') {
		return audit.Recorded{}, fmt.Errorf("%s: holds more than one line: --record takes one record, --audit with --request-id finds one in a file", shown)
	}
	record, err := audit.ReadRecord(text)
	if err != nil {
		return audit.Recorded{}, fmt.Errorf("%s: is no audit record: %w", shown, err)
	}
	return record, nil
}

// maxPiped bounds the records on standard input, which are kept in memory: where
// explain runs beside a server, in its container, the two share a limit.
const maxPiped = 32 << 20

// auditFile is a file of records, of any size, or what standard input had.
type auditFile struct {
	path  string
	piped []byte // of standard input; the path is then for messages
}

// openAudit returns the file of a name, or standard input for "-": it is read twice,
// which a pipe is not.
func openAudit(c *console, name string) (auditFile, error) {
	if name != "-" {
		return auditFile{path: name}, nil
	}
	file := auditFile{path: standardInput}
	c.drained = true
	var err error
	file.piped, err = io.ReadAll(io.LimitReader(c.stdin, maxPiped+1))
	switch {
	case err != nil:
		return file, fmt.Errorf("%s: %w", file.path, err)
	case len(file.piped) > maxPiped:
		return file, fmt.Errorf("%s: has more than %d MiB: give --audit a file, or let grep take the lines out that have the request id, or a certificate", file.path, maxPiped>>20)
	}
	return file, nil
}

func (f auditFile) open() (io.ReadCloser, error) {
	if f.piped != nil {
		return io.NopCloser(bytes.NewReader(f.piped)), nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%s: is a folder", f.path), file.Close())
	}
	return file, nil
}

// find returns the records of a request id, in their order. more is set if there are
// more than are returned.
func (f auditFile) find(c *console, id string) (found []audit.Recorded, more bool, err error) {
	quoted := quotedMember("request_id", id)
	err = f.each(func(number int, line []byte) error {
		if !bytes.Contains(line, quoted) {
			return nil
		}
		record, err := audit.ReadRecord(line)
		switch {
		case err != nil:
			fmt.Fprintf(c.stderr, "certbearer: %s:%d: is no audit record: %v\n", f.path, number, err)
		case record.RequestID != id:
		case len(found) == maxFound:
			more = true
		default:
			found = append(found, record)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: no record has the request id %q: it may be in the file of another day or replica", f.path, id)
	}
	return found, more, err
}

// withChain returns the record with the certificates of another record of the same
// certificate: the one before it that is nearest and has as many, or else any.
func (f auditFile) withChain(record audit.Recorded) (audit.Recorded, error) {
	if record.Thumbprint == "" || len(record.Chain) > 0 {
		return record, nil
	}
	quoted := quotedMember("thumbprint", record.Thumbprint)
	best := 0
	err := f.each(func(_ int, line []byte) error {
		if !bytes.Contains(line, quoted) || !bytes.Contains(line, []byte(`"certificate":"`)) {
			return nil
		}
		other, err := audit.ReadRecord(line)
		if err != nil || len(other.Chain) == 0 || other.Thumbprint != record.Thumbprint {
			return nil
		}
		if fit := fitOf(record, other); fit >= best {
			best, record.Chain = fit, other.Chain
		}
		return nil
	})
	return record, err
}

// fitOf says how well the certificates of another record stand for those of this one.
func fitOf(record, other audit.Recorded) int {
	fit := 1
	if !other.Time.After(record.Time) {
		fit++
	}
	if other.ChainLength == record.ChainLength {
		fit += 2
	}
	return fit
}

// quotedMember is how a record has a member whose text needs no escaping.
func quotedMember(name, text string) []byte {
	return fmt.Appendf(nil, "%q:%q", name, text)
}

// each calls visit with each line of the file that is not too long for a record.
func (f auditFile) each(visit func(number int, line []byte) error) error {
	file, err := f.open()
	if err != nil {
		return err
	}
	defer file.Close()
	reader := bufio.NewReaderSize(file, audit.MaxRecordBytes+1)
	for number := 1; ; number++ {
		line, err := reader.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		if len(line) > 0 && !tooLong {
			if err := visit(number, line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil // the end
		}
	}
}
