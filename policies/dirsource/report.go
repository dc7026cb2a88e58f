package dirsource

import (
	"cmp"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies"
)

// maxReported bounds the faults and the warnings of a Report.
const maxReported = 1000

// makeReport gathers what is wrong, in the order of files and lines, so that
// two reports of one state are equal.
func (f *folder) makeReport() policies.Report {
	report := policies.Report{Documents: f.documents}
	if f.lost != nil {
		report.Faults = append(report.Faults, *f.lost)
	}
	for name := range f.troubled {
		read := f.files[name]
		report.Warnings = append(report.Warnings, read.warnings...)
		if read.fault != nil {
			report.Faults = append(report.Faults, *read.fault)
		}
		for _, d := range read.documents {
			if d.fault != nil {
				report.Faults = append(report.Faults, *d.fault)
			}
		}
	}
	for id := range f.contested {
		report.Faults = append(report.Faults, f.contest(id))
	}
	for name, why := range f.ignored {
		report.Warnings = append(report.Warnings, policies.Fault{File: name, Problem: why})
	}
	report.Faults, report.Warnings = ordered(report.Faults), ordered(report.Warnings)
	report.CRLs = f.reportLists()
	return report
}

// contest says that an id has several documents.
func (f *folder) contest(id string) policies.Fault {
	var files []string
	for _, c := range f.claims[id] {
		files = append(files, c.file)
	}
	slices.Sort(files)
	return policies.Fault{
		File: files[0], ClientID: id, Field: "id",
		Problem: "stands in several documents (" + strings.Join(files, ", ") + "): none counts until it is in one only",
	}
}

func ordered(faults []policies.Fault) []policies.Fault {
	slices.SortFunc(faults, func(a, b policies.Fault) int {
		return cmp.Or(
			strings.Compare(a.File, b.File), cmp.Compare(a.Document, b.Document), cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Field, b.Field), strings.Compare(a.Problem, b.Problem))
	})
	if len(faults) > maxReported {
		return faults[:maxReported]
	}
	return faults
}
