package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
)

// printJSON writes one indented JSON value. Names in certificates are shown as
// they are, so <, > and & stay; what a terminal obeys is escaped.
func printJSON(w io.Writer, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(w, plainJSON(text.String()))
	return err
}

// plainJSON escapes what is no visible character and encoding/json leaves as it
// is: U+007F, the C1 controls, marks that turn the direction of a line. In JSON
// none stands but within a string.
func plainJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x7f || visible(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// visible reports whether a terminal shows the character as one.
func visible(r rune) bool {
	return r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != unicode.ReplacementChar
}

// printTable writes rows in columns; the first row is the header.
func printTable(w io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
			if cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// printable escapes what is no visible character. Certificates, documents and
// tokens are other people's text, and a terminal obeys some of it.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if visible(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord quotes a path for a command to be copied, where it needs that.
func shellWord(path string) string {
	if plainWord.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// span says a duration as a person would: "4m", "1h5m", "12 days".
func span(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	text := d.Truncate(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// orNow is what a --time flag means when it is absent.
func orNow(at moment) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at.Time
}

// moment is the time of a flag. Zero stands for now.
type moment struct{ time.Time }

// UnmarshalText reads RFC 3339.
func (m *moment) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is no time as of RFC 3339, such as 2027-01-01T00:00:00Z", text)
	}
	m.Time = at
	return nil
}
