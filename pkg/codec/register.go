package codec

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pqlstream/pqlstream/schemas"
)

// Registration is a topic whose values are written with a schema.
type Registration struct {
	Topic  string
	Schema schemas.Schema
}

// Subject is the name under which a topic's value schemas are registered.
func (r Registration) Subject() string { return r.Topic + "-value" }

func (r Registration) schema() sr.Schema {
	return sr.Schema{Schema: r.Schema.Compact(), Type: sr.TypeAvro}
}

// LocalIDs returns the schema ids, by topic, of a deployment without a registry: fixed ones, that no registry hands out.
// ExportSchemas and LocalSchemas have the schemas that they stand for.
func LocalIDs(registrations []Registration) map[string]int {
	ids := make(map[string]int, len(registrations))
	for _, r := range registrations {
		ids[r.Topic] = r.Schema.LocalID
	}
	return ids
}

// LocalSchemas is the source of pqlstream's own schemas under their local ids: what reads back its topics in a
// deployment without a registry.
func LocalSchemas() Schemas {
	local := Schemas{}
	for _, s := range schemas.All() {
		local[s.LocalID] = s.Text
	}
	return local
}

// ExportSchemas writes pqlstream's schemas into a folder as <local id>.avsc, for consumers of topics written without a
// registry. SchemaDir reads such a folder.
func ExportSchemas(dir string) error { return schemas.Export(dir) }

// Register registers the topics' schemas and returns their ids by topic. A schema that its subject has already is left
// as it is, so that a process that may only read a registry starts once somebody else has registered them.
//
// A new one must be backward compatible: a reader with it must be able to read what was written with the newest one of
// its subject, whatever level the registry enforces, and the registry must agree by its own level. Nothing is
// registered before all have been checked. An *IncompatibleError names each subject that is not; an error that wraps
// ErrUnavailable passes by itself; any other needs somebody to change settings.
func Register(ctx context.Context, client *sr.Client, registrations []Registration) (map[string]int, error) {
	ids, missing, err := Registered(ctx, client, registrations)
	if err != nil {
		return nil, err
	}
	for _, r := range missing {
		id, err := client.RegisterSchema(ctx, r.Subject(), r.schema(), -1, -1)
		if err != nil {
			return nil, registerError("registering", r, err)
		}
		ids[r.Topic] = id
	}
	return ids, nil
}

// Registered returns the ids, by topic, of schemas that their subjects have already, and the others, which could be registered. It
// registers none. Errors are those of Register.
func Registered(ctx context.Context, client *sr.Client, registrations []Registration) (ids map[string]int, missing []Registration, err error) {
	ids = make(map[string]int, len(registrations))
	var refused []error
	for _, r := range registrations {
		found, err := client.LookupSchema(ctx, r.Subject(), r.schema())
		if err == nil {
			ids[r.Topic] = found.ID
			continue
		}
		if !isNotFound(err) {
			return nil, nil, registerError("looking up", r, err)
		}
		missing = append(missing, r)
		err = checkCompatible(ctx, client, r)
		if incompatible := (*IncompatibleError)(nil); errors.As(err, &incompatible) {
			refused = append(refused, incompatible)
		} else if err != nil {
			return nil, nil, err
		}
	}
	if len(refused) > 0 {
		return nil, nil, errors.Join(refused...)
	}
	return ids, missing, nil
}

// checkCompatible holds a schema against the newest one of its subject, first here, since the registry's level may be
// weaker than BACKWARD, then in the registry, since it may be stronger.
func checkCompatible(ctx context.Context, client *sr.Client, r Registration) error {
	newest, err := client.SchemaByVersion(ctx, r.Subject(), -1)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return registerError("fetching the newest version of", r, err)
	}
	if message := incompatibility(newest.Schema, r.Schema); message != "" {
		return &IncompatibleError{Subject: r.Subject(), Message: message}
	}
	result, err := client.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), r.Subject(), -1, r.schema())
	if isNotFound(err) { // deleted in between
		return nil
	}
	if err != nil {
		return registerError("checking the compatibility of", r, err)
	}
	if !result.Is {
		return &IncompatibleError{Subject: r.Subject(), Message: strings.Join(result.Messages, "; ")}
	}
	return nil
}

// incompatibility says why a reader with the new schema can't read what was written with the old one, "" when it can. A
// schema that refers to others is left to the registry, which has them.
func incompatibility(old sr.Schema, ours schemas.Schema) string {
	if old.Type != sr.TypeAvro {
		return fmt.Sprintf("the newest version is of type %s, not Avro", old.Type)
	}
	if len(old.References) > 0 {
		return ""
	}
	writer, err := avro.Parse(old.Schema, avro.WithLaxNames(nil))
	if err != nil {
		return fmt.Sprintf("the newest version can't be parsed: %v", err)
	}
	if err := avro.CheckCompatibility(writer, avro.MustParse(ours.Text)); err != nil {
		return err.Error()
	}
	return ""
}

// IncompatibleError says that a subject has schemas whose data pqlstream's schema can't read. Subject and message are
// for people.
type IncompatibleError struct {
	Subject string
	Message string // the registry's, or what a comparison found
}

func (e *IncompatibleError) Error() string {
	message := e.Message
	if message == "" {
		message = "no reason given"
	}
	return fmt.Sprintf("the schema registry's subject %s is not backward compatible with pqlstream's schema: %s; "+
		"choose another topic prefix, or, when nobody needs what the topic holds, delete the topic and the subject", e.Subject, message)
}

// registerError sorts the registry's errors into those that pass by themselves and those that don't.
func registerError(doing string, r Registration, err error) error {
	var response *sr.ResponseError
	if !errors.As(err, &response) {
		// A connection that failed or was cut, or an answer cut short. A context that ended shows as such beside it.
		return fmt.Errorf("%w: %s subject %s: %w", ErrUnavailable, doing, r.Subject(), err)
	}
	err = fmt.Errorf("%s subject %s in the schema registry: %s %s: status %d: %w",
		doing, r.Subject(), response.Method, response.URL, response.StatusCode, err)
	switch code := response.StatusCode; {
	case code == http.StatusConflict:
		return &IncompatibleError{Subject: r.Subject(), Message: response.Error()}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("%w; check the registry's credentials, or have somebody who may register the schemas beforehand", err)
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// isNotFound says that the registry itself has no such subject, version or schema. A proxy's 404, or that of a wrong
// address, has no such code.
func isNotFound(err error) bool {
	var response *sr.ResponseError
	if !errors.As(err, &response) {
		return false
	}
	switch response.ErrorCode {
	case sr.ErrSubjectNotFound.Code, sr.ErrVersionNotFound.Code, sr.ErrSchemaNotFound.Code:
		return true
	}
	return false
}
