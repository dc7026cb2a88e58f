package policies

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/certbearer/certbearer/policies/truststore"
)

// MaxFileBytes bounds one file of documents.
const MaxFileBytes = 64 << 20

// Document is one ClientApplication as it was read.
type Document struct {
	// Client is the record, nil if the document has a fault.
	Client *Client
	// Remnant is what the document claims in spite of its fault, nil if it has
	// none: see the function [Remnant].
	Remnant *Client
	// ID and Status are what could be read, whether or not the rest could:
	// a document that is broken and says off still turns its client off. Of
	// several statuses the one that is not active counts, and one that is
	// there and is no status counts as off: a client must not stay active
	// because nobody can read that it is not.
	ID         string
	OwnID      bool // the id stands in the document and is not the file's name
	Status     Status
	HasStatus  bool
	Name       string // for people
	TrustStore []truststore.Entry
	Warnings   []Fault
	Fault      *Fault
	lines      []fieldLine
}

// fieldLine is where a field stands.
type fieldLine struct {
	name string
	line int
}

// LineOf returns the line on which a field of the document stands, from 1 within
// its file; 0 if the document has none of the name.
func (d *Document) LineOf(field string) int {
	for _, f := range d.lines {
		if f.name == field {
			return f.line
		}
	}
	return 0
}

// Fault is what is wrong with a document, and where.
type Fault struct {
	File     string
	Line     int // from 1; 0 if not known
	Document int // from 1 within the file
	ClientID string
	Field    string
	Problem  string
	// Block is the PEM block of a certificateTrustStore that is the problem, nil if
	// it is something else.
	Block *truststore.BlockError
}

// Error returns "file:line: document n (client id): field: problem", leaving
// out what is not known.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Document > 0 {
		fmt.Fprintf(&b, ": document %d", f.Document)
	}
	if f.ClientID != "" {
		fmt.Fprintf(&b, " (client %s)", f.ClientID)
	}
	if f.Field != "" {
		fmt.Fprintf(&b, ": %s", f.Field)
	}
	fmt.Fprintf(&b, ": %s", f.Problem)
	return b.String()
}

// ParseFile reads the documents of one file: JSON if the name ends in .json,
// YAML if it ends in .yaml or .yml; several of them one after the other, in
// YAML between lines of "---". A JSON file may also hold an array of them or a
// FHIR Bundle, as an export does.
//
// Each document is read for itself: the fault of one does not touch the
// others. The error says that the file as such cannot be split into documents,
// and the documents before the place are returned with it. A file that holds
// none, and a YAML file whose last line does not end, are such faults: a write
// may have been broken off.
func ParseFile(name string, data []byte) ([]Document, error) {
	raws, err := splitFile(name, data)
	documents := make([]Document, len(raws))
	for i, raw := range raws {
		alone := len(raws) == 1 && (err == nil || raw.fault != nil)
		documents[i] = parseDocument(name, i+1, alone, raw)
	}
	return documents, err
}

// splitFile splits a file into its documents.
func splitFile(name string, data []byte) (raws []rawDocument, err error) {
	if len(data) > MaxFileBytes {
		return nil, &Fault{File: name, Problem: fmt.Sprintf("the file has more than %d bytes", MaxFileBytes)}
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		raws, err = splitJSON(name, data)
	case ".yaml", ".yml":
		raws, err = splitYAML(name, data)
	default:
		return nil, &Fault{File: name, Problem: "documents are files named .json, .yaml or .yml"}
	}
	if err == nil && len(raws) == 0 {
		err = &Fault{File: name, Problem: "holds no document: to remove its clients, remove the file"}
	}
	return raws, err
}

// rawDocument is a document split into its members; fault is set if it could
// not be split to the end.
type rawDocument struct {
	line    int
	members []member
	fault   *Fault
}

func parseDocument(file string, number int, alone bool, raw rawDocument) Document {
	var r reader
	fault := raw.fault
	var resourceType bool
	r.doc.lines = make([]fieldLine, 0, len(raw.members))
	for _, m := range raw.members {
		r.doc.lines = append(r.doc.lines, fieldLine{m.name, m.line})
		if m.surplus {
			r.readSurplus(m)
			continue
		}
		if m.name == "resourceType" {
			resourceType = true
		}
		if problem := r.read(m); problem != nil {
			problem.Line, problem.Field = m.line, fieldOf(m.name, problem.Field)
			if fault == nil {
				fault = problem
			}
			r.readSurplus(m)
		}
	}
	if alone && !r.idGiven {
		fault = cmp.Or(fault, r.nameByFile(file))
	}
	if fault == nil {
		fault = r.complete(resourceType)
	}
	if fault == nil {
		r.doc.Client = r.client()
		r.warnOfNobody()
	} else {
		r.doc.Remnant = r.remnant()
	}
	r.doc.place(file, number, raw.line, fault)
	return r.doc
}

// place completes the fault and the warnings with where the document is.
func (d *Document) place(file string, number, line int, fault *Fault) {
	for i := range d.Warnings {
		w := &d.Warnings[i]
		w.File, w.Document, w.ClientID = file, number, d.ID
	}
	if fault == nil {
		return
	}
	fault.File, fault.Document, fault.ClientID = file, number, d.ID
	if fault.Line == 0 {
		fault.Line = line
	}
	d.Fault = fault
}

func fieldOf(member, inner string) string {
	if inner == "" {
		return shownName(member)
	}
	return shownName(member) + "." + shownName(inner)
}

// shownName returns a field's name if it has the form of one. What else stands
// in a name's place may be anything, a secret or a line break included, and the
// line says where it is.
func shownName(name string) string {
	word := strings.TrimPrefix(name, "_")
	for _, c := range []byte(word) {
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') {
			return "a field"
		}
	}
	if word == "" || len(word) > 64 {
		return "a field"
	}
	return name
}

// disabled is the record of a client whose document is broken and says off.
func disabled(id string) *Client { return &Client{id: strings.Clone(id), status: StatusOff} }
