package codec

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

// Registry is a SchemaSource in a Confluent-compatible schema registry.
type Registry struct {
	client *sr.Client
}

// NewRegistry returns the schemas that a registry has. The client's HTTP time-out is how long a fetch may take.
func NewRegistry(client *sr.Client) *Registry { return &Registry{client: client} }

// Schema fetches the schema with an id and makes it complete with those that it refers to.
func (r *Registry) Schema(ctx context.Context, id int) (string, error) {
	schema, err := r.client.SchemaByID(ctx, id)
	if err != nil {
		return "", registryError(err)
	}
	if schema.Schema == "" {
		// No registry says so; something else answers at its address.
		return "", fmt.Errorf("%w: the answer holds no schema", ErrUnavailable)
	}
	if schema.Type != sr.TypeAvro {
		return "", fmt.Errorf("%w: it is of type %s", ErrBadSchema, schema.Type)
	}
	if len(schema.References) == 0 {
		return schema.Schema, nil
	}
	return r.complete(ctx, schema)
}

// complete returns a schema with the definitions of what it refers to in it.
func (r *Registry) complete(ctx context.Context, schema sr.Schema) (string, error) {
	refs := references{client: r.client, seen: map[reference]bool{}}
	if err := refs.parse(ctx, schema.References, 0); err != nil {
		return "", err
	}
	parsed, err := refs.types.Parse(schema.Schema, avro.WithLaxNames(nil))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadSchema, err)
	}
	whole, err := parsed.Root().Schema(avro.WithLaxNames(nil))
	if err != nil {
		return "", fmt.Errorf("%w: putting the schemas that it refers to into it: %w", ErrBadSchema, err)
	}
	return whole.String(), nil
}

type reference struct {
	subject string
	version int
}

// references are the schemas that one refers to, directly or not.
type references struct {
	client *sr.Client
	types  avro.SchemaCache
	seen   map[reference]bool
}

// maxReferenceDepth bounds chains of references; a registry allows no cycles.
const maxReferenceDepth = 32

// parse fetches referenced schemas, those that they refer to first.
func (r *references) parse(ctx context.Context, refs []sr.SchemaReference, depth int) error {
	if depth == maxReferenceDepth {
		return fmt.Errorf("%w: its references are more than %d deep", ErrBadSchema, maxReferenceDepth)
	}
	for _, ref := range refs {
		at := reference{ref.Subject, ref.Version}
		if r.seen[at] {
			continue
		}
		r.seen[at] = true
		schema, err := r.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if err != nil {
			return fmt.Errorf("fetching the reference %s: %w", ref.Name, registryError(err))
		}
		if err := r.parse(ctx, schema.References, depth+1); err != nil {
			return err
		}
		if _, err := r.types.Parse(schema.Schema.Schema, avro.WithLaxNames(nil)); err != nil {
			return fmt.Errorf("%w: parsing the reference %s: %w", ErrBadSchema, ref.Name, err)
		}
	}
	return nil
}

// registryError tells "there is no such schema", which only the registry itself can say, from everything else, a proxy's
// or a wrong address's 404 included: what might pass by itself must not turn records into dead letters.
func registryError(err error) error {
	var response *sr.ResponseError
	if errors.As(err, &response) {
		switch response.ErrorCode {
		case sr.ErrSubjectNotFound.Code, sr.ErrVersionNotFound.Code, sr.ErrSchemaNotFound.Code:
			return fmt.Errorf("%w: %w", ErrUnknownSchema, err)
		}
		return fmt.Errorf("%w: %s %s: status %d: %w", ErrUnavailable, response.Method, response.URL, response.StatusCode, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
