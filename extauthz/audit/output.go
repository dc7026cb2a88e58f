package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// The names that are no file.
const (
	toStdout = "stdout"
	toStderr = "stderr"
	toNone   = "none"
)

const fileMode = 0o640

// output is where records go. Only the flushing goroutine writes and closes;
// reopen hands it a new file.
type output struct {
	writer io.Writer
	path   string // of a file that can be opened again; empty otherwise

	mu     sync.Mutex
	file   *os.File
	next   *os.File
	closed bool
}

// openOutput opens "stdout", "stderr" or a file; "none" is nil.
func openOutput(to string) (*output, error) {
	switch to {
	case "":
		return nil, errors.New(`audit: no output; write stdout, stderr, a file or none`)
	case toNone:
		return nil, nil
	case toStdout:
		return &output{writer: os.Stdout}, nil
	case toStderr:
		return &output{writer: os.Stderr}, nil
	}
	file, err := openFile(to)
	if err != nil {
		return nil, err
	}
	return &output{writer: file, path: to, file: file}, nil
}

// openFile never waits: a FIFO without a reader is an error.
func openFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, fileMode)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return file, nil
}

// reopen opens the file by its name again, for whatever is written from now
// on. On an error the old one stays in use.
func (o *output) reopen() error {
	if o.path == "" {
		return nil
	}
	file, err := openFile(o.path)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return file.Close()
	}
	superseded := o.next
	o.next = file
	if superseded != nil {
		return superseded.Close()
	}
	return nil
}

// turn takes the file into use that reopen left.
func (o *output) turn() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == nil {
		return
	}
	_ = o.file.Close()
	o.file, o.writer, o.next = o.next, o.next, nil
}

func (o *output) write(lines []byte) (int, error) { return o.writer.Write(lines) }

// close ends what openOutput opened, and also a write to it that is stuck.
func (o *output) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.file == nil {
		return nil
	}
	o.closed = true
	err := o.file.Close()
	if o.next != nil {
		err = errors.Join(err, o.next.Close())
	}
	return err
}
