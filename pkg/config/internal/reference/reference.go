// Package reference writes the reference page of the settings from the structs that hold them.
package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/config"
)

const head = `# Configuration

<!-- Made by go generate ./pkg/config from the structs in pkg/config. Change those. -->

` + "`pqlstream run --config config/pqlstream.yaml`" + ` reads its settings from a YAML file. Each setting outside lists, but for lists of lists, can also be given by
an environment variable, or on the command line as ` + "`--set kafka.client_id=leads`" + `; the command line comes before the environment, the
environment before the file. In variables, lists are written with commas. Variables that are empty count as not set.

A key that is no setting is refused, and so are a variable of the environment whose name begins with ` + "`PQLSTREAM_`" + ` and that is none (but for those
that Kubernetes makes of services' names, such as ` + "`PQLSTREAM_SERVICE_HOST`" + `), and a value that can't be right; ` + "`pqlstream config check`" + ` lists all mistakes at once.
Durations are written ` + "`250ms`, `10s`, `5m` or `1h`" + `, amounts of memory ` + "`512MB` or `512MiB`" + `. Relative paths count from the working directory.
`

// Page returns the page, with what the comments of the package's sources in dir say.
func Page(dir string) (string, error) {
	docs, err := fieldDocs(dir)
	if err != nil {
		return "", err
	}
	var page strings.Builder
	page.WriteString(head)
	section := ""
	for _, s := range config.Settings() {
		if next := sectionOf(s.Path); next != section || page.Len() == len(head) {
			section = next
			writeHead(&page, section, docs)
		}
		doc := docs[s.Parent.Name()+"."+s.Field]
		if doc == "" {
			return "", fmt.Errorf("%s.%s (%s) has no comment", s.Parent.Name(), s.Field, s.Path)
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", s.Path, s.Type, defaultOf(s), env(s), escape(doc))
	}
	return page.String(), nil
}

// sectionOf is the first name of a path of several.
func sectionOf(path string) string {
	section, _, nested := strings.Cut(path, ".")
	if !nested {
		return ""
	}
	return section
}

func writeHead(page *strings.Builder, section string, docs map[string]string) {
	title, doc := "The process", ""
	if section != "" {
		title = section
		f, _ := fieldByKey(reflect.TypeFor[config.Config](), section)
		doc = docs["Config."+f.Name] + "\n\n"
	}
	fmt.Fprintf(page, "\n## %s\n\n%s| setting | type | default | environment variable | meaning |\n|---|---|---|---|---|\n", title, doc)
}

func fieldByKey(t reflect.Type, key string) (reflect.StructField, bool) {
	return t.FieldByNameFunc(func(name string) bool {
		f, _ := t.FieldByName(name)
		return f.Tag.Get("mapstructure") == key
	})
}

func defaultOf(s config.Setting) string {
	v := reflect.ValueOf(s.Default)
	switch {
	case !v.IsValid(), v.Kind() == reflect.String && v.Len() == 0, v.Kind() == reflect.Slice && v.Len() == 0:
		return ""
	case v.Kind() == reflect.Slice:
		return "`" + list(v) + "`"
	}
	text := fmt.Sprint(s.Default)
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return "`" + text + "`"
}

// list writes a list as YAML has it.
func list(v reflect.Value) string {
	items := make([]string, v.Len())
	for i := range items {
		if item := v.Index(i); item.Kind() == reflect.Slice {
			items[i] = list(item)
		} else {
			items[i] = fmt.Sprint(item)
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func env(s config.Setting) string {
	if s.Env == "" {
		return ""
	}
	return "`" + s.Env + "`"
}

func escape(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// fieldDocs returns the comment of each struct field, by Struct.Field.
func fieldDocs(dir string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("finding the sources of the settings: %w", err)
	}
	docs := map[string]string{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading the sources of the settings: %w", err)
		}
		addFieldDocs(docs, file)
	}
	return docs, nil
}

func addFieldDocs(docs map[string]string, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, isType := n.(*ast.TypeSpec)
		if !isType {
			return true
		}
		if fields, isStruct := spec.Type.(*ast.StructType); isStruct {
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					docs[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
				}
			}
		}
		return false
	})
}
