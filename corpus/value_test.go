package corpus

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestTimes reads times that RFC 3339 allows, and those of databases, and refuses
// what only resembles a time (fault 2).
func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2027-01-02T03:04:05Z":                "2027-01-02T03:04:05Z",
		"2027-01-02t03:04:05z":                "2027-01-02T03:04:05Z",
		"2027-01-02 03:04:05Z":                "2027-01-02T03:04:05Z",
		"2027-01-02T03:04:05+14:00":           "2027-01-01T13:04:05Z",
		"2027-01-02T03:04:05-23:59":           "2027-01-03T03:03:05Z",
		"2027-01-02T03:04:05-00:00":           "2027-01-02T03:04:05Z",
		"2027-01-02 03:04:05.5+02":            "2027-01-02T01:04:05.5Z",
		"2027-01-02T03:04:05.123456789123Z":   "2027-01-02T03:04:05.123456Z",
		"2028-02-29T23:59:59.999999999":       "2028-02-29T23:59:59.999999Z",
		"2027-01-02 03:04:05":                 "2027-01-02T03:04:05Z",
		"2027-01-02":                          "2027-01-02T00:00:00Z",
		"9999-12-31T23:59:59.999999Z":         "9999-12-31T23:59:59.999999Z",
		"0001-01-01T00:00:00Z":                "0001-01-01T00:00:00Z",
		"0000-12-31T23:00:00-02:00":           "0001-01-01T01:00:00Z",
		"2027-01-02T03:04:05." + longFraction: "2027-01-02T03:04:05.333333Z",
	} {
		got, zoned, ok := ParseTime(text)
		if !ok || got.Format(time.RFC3339Nano) != want || got.Location() != time.UTC {
			t.Errorf("%s is read as %v, %v", text, got, ok)
		}
		if zone := strings.ContainsAny(text[10:], "zZ+-"); zoned != zone {
			t.Errorf("%s has a zone: %v", text, zoned)
		}
	}
	for _, text := range []string{"", "now", "infinity", "2027", "2027-01", "2027-01-02T", "2027-01-02T03",
		"2027-01-02T03:04", "2027-01-02T03:04Z", "2027-01-02Z", "2027-01-02T03:04:05+24:00", "2027-01-02T03:04:05+24:59",
		"2027-01-02T03:04:05-24:00", "2027-01-02T03:04:05+99:00", "2027-01-02T03:04:05+14:60", "2027-01-02T03:04:05,5Z",
		"2027-01-02T03:04:05.Z", "2027-01-02T03:04:05.", "2027-01-02T03:04:05.5.5Z", "2027-01-02T03:04:05+0200",
		"2027-01-02T03:04:05+2:00", "2027-01-02T03:04:05+02:0", "2027-01-02T03:04:05+02:", "2027-01-02T03:04:05+",
		"2027-01-02T03:04:05 Z", "2027-01-02T03:04:05ZZ", "2027-01-02T03:04:05Z ", " 2027-01-02T03:04:05Z",
		"2027-01-02  03:04:05Z", "2027-01-02_03:04:05Z", "2027-13-02T03:04:05Z", "2027-00-02T03:04:05Z",
		"2027-02-29T03:04:05Z", "2027-02-30", "2027-04-31T00:00:00Z", "2027-01-00T03:04:05Z", "2027-01-02T24:00:00Z",
		"2027-01-02T03:60:05Z", "2027-01-02T03:04:60Z", "2027-1-02T03:04:05Z", "+2027-01-02T03:04:05Z",
		"-2027-01-02T03:04:05Z", "12027-01-02T03:04:05Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01", "294277-01-01T00:00:00Z", "٢٠٢٧-01-02T03:04:05Z", "2027-01-02T03:04:05−02:00",
		"2027-01-02T03:04:05Z\x00", "1798858445", "2027-01-02T03:04:05 UTC", "2027-01-02T03:04:05[Europe/Rome]"} {
		if got, _, ok := ParseTime(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

var longFraction = strings.Repeat("3", 500)

// TestIDsInAnySpelling reads an id in each usual spelling and writes it in one.
func TestIDsInAnySpelling(t *testing.T) {
	const id = "0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b"
	plain := strings.ReplaceAll(id, "-", "")
	for _, text := range []string{id, strings.ToUpper(id), plain, strings.ToUpper(plain), "{" + id + "}",
		"{" + plain + "}", "urn:uuid:" + id, "URN:UUID:" + strings.ToUpper(id), `\u0030` + id[1:]} {
		record, bad := NewParser().Parse([]byte(message(text, `"user_id": "`+text+`", "replies": [`+
			message(id2, `"parent_id": "`+text+`"`)+`]`)))
		if bad != nil {
			t.Errorf("%s: %v", text, bad)
			continue
		}
		if m := record.Messages[0]; m.MessageID != uuid.MustParse(id) || *m.UserID != m.MessageID {
			t.Errorf("%s is read as %s and %s", text, m.MessageID, m.UserID)
		}
		if line := string(record.Append(nil)); strings.Count(line, `"`+id+`"`) != 3 {
			t.Errorf("%s is written as %s", text, line)
		}
	}
	for _, text := range []string{"{" + id, id + "}", "(" + id + ")", "[" + id + "]", " " + id, id + " ", id[1:], id + "0",
		"urn:" + id, "uuid:" + id, plain[:31], strings.Replace(id, "-", "_", 1), strings.Replace(id, "-", "–", 1),
		uuid.Nil.String(), "/messages/" + id} {
		if _, bad := NewParser().Parse([]byte(message(id1, `"user_id": "`+text+`"`))); bad == nil || bad.Code != BadID {
			t.Errorf("%q: %v", text, bad)
		}
	}
}
