package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// headerSize is how long the registry wire format's header is.
const headerSize = 5

// bodySchemaID stands for the schema of records that don't say which one they were written with.
const bodySchemaID = -1

// schemaID reads the header of a record in the registry wire format.
func schemaID(value []byte) (int, error) {
	if len(value) < headerSize || value[0] != 0 {
		return 0, &usage.Error{Code: usage.CodeUndecodable, Err: errors.New("not in the registry wire format: no zero byte and schema id")}
	}
	n := binary.BigEndian.Uint32(value[1:])
	// Registries number with positive ints. Asked for more, some answer as if the address were wrong, which would
	// never pass.
	if n > math.MaxInt32 {
		return 0, &usage.Error{Code: usage.CodeUnknownSchema, Err: fmt.Errorf("schema %d: %w", n, ErrUnknownSchema)}
	}
	return int(n), nil
}
