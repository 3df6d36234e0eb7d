package job

import "encoding/binary"

// Reader reads numbers and texts as Avro encodes them. Once something is wrong it is Bad, and reads zeros.
type Reader struct {
	Rest []byte
	Bad  bool
}

// Long reads an int or a long.
func (r *Reader) Long() int64 {
	n, size := binary.Varint(r.Rest)
	if size <= 0 {
		r.Bad, r.Rest = true, nil
		return 0
	}
	r.Rest = r.Rest[size:]
	return n
}

// Text reads a string; it aliases what is read.
func (r *Reader) Text() []byte {
	n := r.Long()
	if n < 0 || n > int64(len(r.Rest)) {
		r.Bad, r.Rest = true, nil
		return nil
	}
	text := r.Rest[:n]
	r.Rest = r.Rest[n:]
	return text
}
