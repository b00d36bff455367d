package db

import "strconv"

// FloatArray returns an array in PostgreSQL's text format.
func FloatArray(values []*float64) string {
	b := []byte{'{'}
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if value == nil {
			b = append(b, "NULL"...)
		} else {
			b = strconv.AppendFloat(b, *value, 'g', -1, 64)
		}
	}
	return string(append(b, '}'))
}
