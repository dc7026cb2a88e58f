// Package config owns certbearer.yaml: its keys, their defaults and the rules
// between them. It turns the file's bytes into a [Config] in which every default
// is filled in and every path is resolved, or into [Errors], one for each fault,
// with the line and the dotted path of the field.
//
// The file is read strictly. An unknown key, a key given twice, a value of the
// wrong type, an alias, an anchor, a tag, a second document: each is an error,
// because a setting that is silently not in force is worse than a server that
// does not start. Secrets are named by file path; PEM text anywhere in the file
// is refused and never repeated.
//
// [Keys] lists every key with its default and meaning, for documentation.
//
// The package opens no file but the one it is asked to load: whether a key, a
// certificate or a folder that it names can be read is for those who use it.
package config
