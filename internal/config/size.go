package config

import (
	"math"
	"strconv"
	"strings"
)

// units are the sizes that people write, in bytes.
var units = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// parseSize reads a positive number of bytes with an optional unit.
func parseSize(text string) (int64, bool) {
	text = strings.TrimSpace(text)
	end := strings.LastIndexAny(text, "0123456789.") + 1
	unit, known := units[strings.ToLower(strings.TrimSpace(text[end:]))]
	if !known || strings.ContainsAny(text[:end], "eExXpP_+-") {
		return 0, false
	}
	n, err := strconv.ParseFloat(text[:end], 64)
	if bytes := n * unit; err == nil && bytes >= 1 && bytes < math.MaxInt64 {
		return int64(bytes), true
	}
	return 0, false
}
