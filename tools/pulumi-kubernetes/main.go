// The Kubernetes provider of Pulumi, from its published module.
//
// The module's own main package embeds two files that its build makes and that are not part of the module; these are
// made by tools/control_plane.py from the module's schema.json and terraform-mapping.json before it runs `go build`.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}
