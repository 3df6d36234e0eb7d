package account_test

import "unsafe"

// unsafeString is a string that aliases a buffer, as a decoder's do.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
