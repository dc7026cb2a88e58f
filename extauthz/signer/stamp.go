package signer

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stamp is what can be seen of a folder's keys without reading them.
type stamp struct {
	fault string
	mode  fs.FileMode // of the folder
	files []fs.FileInfo
	names []string
}

// stampOf follows links: a key that is mounted changes behind one.
func stampOf(dir string) stamp {
	names, err := folderNames(dir)
	if err != nil {
		return stamp{fault: err.Error()}
	}
	var s stamp
	if info, err := os.Stat(dir); err == nil {
		s.mode = info.Mode()
	}
	for _, name := range names {
		if name != StatementName && (!strings.HasSuffix(name, extension) || strings.HasPrefix(name, ".")) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			s.fault += err.Error() + "\n"
		}
		s.names, s.files = append(s.names, name), append(s.files, info)
	}
	return s
}

func (s stamp) equal(other stamp) bool {
	return s.fault == other.fault && s.mode == other.mode && slices.Equal(s.names, other.names) &&
		slices.EqualFunc(s.files, other.files, func(a, b fs.FileInfo) bool {
			if a == nil || b == nil {
				return a == nil && b == nil
			}
			return os.SameFile(a, b) && a.Size() == b.Size() && a.Mode() == b.Mode() && a.ModTime().Equal(b.ModTime())
		})
}
