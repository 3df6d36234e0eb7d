package codec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// SchemaSource has the writer schemas of Avro records.
type SchemaSource interface {
	// Schema returns the schema with an id: Avro's JSON, complete in itself. An id means the same schema for ever.
	// ErrUnknownSchema, ErrBadSchema; any other error is taken to pass by itself.
	Schema(ctx context.Context, id int) (string, error)
}

// defaultSource is a SchemaSource that also has the schema of records that don't say which one they were written with.
type defaultSource interface {
	DefaultSchema(ctx context.Context) (string, error)
}

// ErrUnknownSchema says that a source is there, but has no schema with that id.
var ErrUnknownSchema = errors.New("there is no such schema")

// ErrBadSchema says that what a source has under an id is not an Avro schema.
var ErrBadSchema = errors.New("not an Avro schema")

// ErrUnavailable says that a source of schemas is out of reach. It passes by itself.
var ErrUnavailable = errors.New("the schemas can't be had now")

// Schemas is a SchemaSource in memory, by id.
type Schemas map[int]string

// Schema returns the schema with an id.
func (s Schemas) Schema(_ context.Context, id int) (string, error) {
	text, ok := s[id]
	if !ok {
		return "", ErrUnknownSchema
	}
	return text, nil
}

// SchemaDir is a SchemaSource in a folder: 17.avsc is the schema with id 17, default.avsc that of records without a
// header.
type SchemaDir string

const defaultSchemaFile = "default.avsc"

// Schema returns the schema with an id.
func (d SchemaDir) Schema(_ context.Context, id int) (string, error) {
	return d.read(strconv.Itoa(id) + ".avsc")
}

// DefaultSchema returns the schema of records without a header.
func (d SchemaDir) DefaultSchema(context.Context) (string, error) { return d.read(defaultSchemaFile) }

func (d SchemaDir) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(d), name))
	switch {
	case err == nil:
		return string(text), nil
	case errors.Is(err, fs.ErrNotExist) && d.exists():
		return "", fmt.Errorf("%w: %w", ErrUnknownSchema, err)
	}
	return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// exists tells a folder without the file from a folder that isn't there, which may be mounted yet.
func (d SchemaDir) exists() bool {
	info, err := os.Stat(string(d))
	return err == nil && info.IsDir()
}
