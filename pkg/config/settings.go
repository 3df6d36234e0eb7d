package config

import (
	"reflect"
	"strings"
)

// Setting describes one setting.
type Setting struct {
	Path    string       // such as kafka.tls.ca_file; list items are written input.sources[].topic
	Type    string       // in words
	Env     string       // the environment variable that sets it; empty for lists of more than texts, and inside their items
	Default any          // nil for those inside list items
	Parent  reflect.Type // the struct and
	Field   string       // the field that hold it
}

// Settings lists all settings, in the order of the structs.
func Settings() []Setting {
	return appendSettings(nil, "", reflect.ValueOf(*Default()), false)
}

func appendSettings(list []Setting, path string, v reflect.Value, inList bool) []Setting {
	for f, value := range v.Fields() {
		at := join(path, f.Tag.Get("mapstructure"))
		if f.Type.Kind() == reflect.Struct {
			list = appendSettings(list, at, value, inList)
			continue
		}
		s := Setting{Path: at, Type: typeName(f.Type), Parent: v.Type(), Field: f.Name}
		ofStructs := f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct
		ofLists := f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Slice
		if !inList {
			s.Default = value.Interface()
		}
		if !inList && !ofStructs && !ofLists {
			s.Env = envName(at)
		}
		list = append(list, s)
		if ofStructs {
			list = appendSettings(list, at+"[]", reflect.Zero(f.Type.Elem()), true)
		}
	}
	return list
}

func envName(path string) string {
	return EnvPrefix + "_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
