package main

import (
	"fmt"
	"regexp"
	"time"
)

type object = map[string]any

// spdx returns a document of SPDX 2.3.
func spdx(s spec, from origin, archive subjectFile, components []component) object {
	const root = "SPDXRef-epperf"
	packages := []object{{
		"SPDXID": root, "name": s.Name, "versionInfo": s.Version, "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
		"licenseDeclared": "Apache-2.0", "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION", "packageFileName": archive.name,
		"checksums": []object{{"algorithm": "SHA256", "checksumValue": archive.sha256}},
	}}
	relationships := []object{{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": root}}
	for _, c := range components {
		id := "SPDXRef-" + regexp.MustCompile(`[^A-Za-z0-9.]+`).ReplaceAllString(c.purl, "-")
		p := object{
			"SPDXID": id, "name": c.name, "versionInfo": c.version, "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
			"licenseDeclared": c.licence, "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION",
			"externalRefs": []object{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": c.purl}},
		}
		if c.hash != "" {
			p["checksums"] = []object{{"algorithm": "SHA256", "checksumValue": c.hash}}
		}
		if c.goSum != "" {
			p["comment"] = "go.sum: " + c.goSum
		}
		packages = append(packages, p)
		if c.linked {
			relationships = append(relationships, object{"spdxElementId": root, "relationshipType": "STATIC_LINK", "relatedSpdxElement": id})
		} else {
			relationships = append(relationships, object{"spdxElementId": id, "relationshipType": "BUILD_TOOL_OF", "relatedSpdxElement": root})
		}
	}
	return object{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": s.Name + "-" + s.Version,
		"documentNamespace": "urn:epperf:spdx:" + archive.sha256,
		"creationInfo":      object{"created": from.time.Format(time.RFC3339), "creators": []string{"Tool: epperf-release-pack"}},
		"hasExtractedLicensingInfos": []object{{
			"licenseId": nvidiaLicence, "name": "License Agreement for NVIDIA Software Development Kits",
			"extractedText": "The text is in licences/ of the archive.",
		}},
		"packages": packages, "relationships": relationships,
	}
}

// cyclonedx returns a document of CycloneDX 1.6. What builds is of scope "excluded".
func cyclonedx(s spec, from origin, archive subjectFile, components []component) object {
	var list []object
	for _, c := range components {
		o := object{"type": "library", "bom-ref": c.purl, "name": c.name, "version": c.version, "purl": c.purl, "scope": "required"}
		if !c.linked {
			o["scope"] = "excluded"
		}
		if c.licence != "NOASSERTION" {
			o["licenses"] = []object{{"expression": c.licence}}
		}
		if c.hash != "" {
			o["hashes"] = []object{{"alg": "SHA-256", "content": c.hash}}
		}
		if c.goSum != "" {
			o["properties"] = []object{{"name": "epperf:go.sum", "value": c.goSum}}
		}
		list = append(list, o)
	}
	return object{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": list,
		"metadata": object{
			"timestamp": from.time.Format(time.RFC3339),
			"component": object{
				"type": "application", "name": s.Name, "version": s.Version, "bom-ref": s.Name,
				"licenses": []object{{"expression": "Apache-2.0"}},
				"hashes":   []object{{"alg": "SHA-256", "content": archive.sha256}},
			},
		},
	}
}

// provenance returns an in-toto statement of SLSA's provenance. It is not signed: who publishes does that.
func provenance(s spec, from origin, archive subjectFile, components []component) object {
	var materials []object
	if from.commit != "" {
		materials = append(materials, object{"name": s.Name, "digest": object{"gitCommit": from.commit}})
	}
	for _, c := range components {
		m := object{"uri": c.purl}
		if c.hash != "" {
			m["digest"] = object{"sha256": c.hash}
		} else if c.goSum != "" {
			m["annotations"] = object{"go.sum": c.goSum}
		}
		materials = append(materials, m)
	}
	return object{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       []object{{"name": archive.name, "digest": object{"sha256": archive.sha256}}},
		"predicateType": "https://slsa.dev/provenance/v1",
		"predicate": object{
			"buildDefinition": object{
				"buildType":            "urn:epperf:bazel-build:1",
				"externalParameters":   object{"target": "//release", "stamped": from.commit != ""},
				"resolvedDependencies": materials,
			},
			"runDetails": object{
				"builder": object{"id": fmt.Sprintf("urn:epperf:bazel:%s", s.Version)},
			},
		},
	}
}
