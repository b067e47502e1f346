// Renders a template as Helm does: Go's text/template, with one of the functions that Helm adds.
//
// Standard input: {"template": text, "values": what the template's dot is}. A value that is missing is an error, as with
// `helm lint --strict`.
package main

import (
	"encoding/json"
	"log"
	"os"
	"text/template"
)

func main() {
	var job struct {
		Template string
		Values   map[string]interface{}
	}
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		log.Fatal(err)
	}
	toJSON := func(value interface{}) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	}
	chart := template.New("chart").Option("missingkey=error").Funcs(template.FuncMap{"toJson": toJSON})
	parsed, err := chart.Parse(job.Template)
	if err == nil {
		err = parsed.Execute(os.Stdout, job.Values)
	}
	if err != nil {
		log.Fatal(err)
	}
}
