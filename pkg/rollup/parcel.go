package rollup

import (
	"fmt"
	"iter"
)

// PartBytes is about how large one of the Parts of a parcel is at most, in bytes.
const PartBytes = 64 << 10

// Parts yields the encodings of changes for one entity, in as few pieces as fit PartBytes. The changes may be those of many parcels.
// They are brought into order, and those of one counter are added up.
func Parts(all []Change) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		all := sumChanges(all)
		for len(all) > 0 {
			n, size := 0, 0
			for n < len(all) && size < PartBytes {
				size += 32 + len(all[n].Cell.Name)
				n++
			}
			if !yield(AppendChanges(nil, all[:n])) {
				return
			}
			all = all[n:]
		}
	}
}

// DirectoryOf returns the key of the directory that sends to a series or a window, empty when the key is of neither.
func DirectoryOf(key string) string {
	a, err := parseAddress(KindOf(key), key)
	if err != nil {
		return ""
	}
	return DirectoryKey(a.grouping)
}

// Miss counts what a series or a window of the grouping, given by its key, said could not be counted: as what came for windows that can no
// longer be corrected.
func (d *Directory) Miss(key string, n, watermark int64) error {
	a, err := parseAddress(KindOf(key), key)
	if err != nil {
		return err
	}
	if a.grouping != d.grouping || n < 0 {
		return fmt.Errorf("%d changes of %s are not missed in grouping %q", n, key, d.grouping)
	}
	h := horizon{a.zone, a.unit}
	d.beyond[h] = tally{d.beyond[h].n + n, d.beyond[h].told}
	d.asOf = max(d.asOf, watermark)
	return nil
}
