package main

import (
	"fmt"
	"regexp"
	"time"
)

type object = map[string]any

// spdx returns a document of SPDX 2.3. The image contains the archive's files, and shared libraries.
func spdx(s spec, from origin, subjects [2]subjectFile, components []component) object {
	const root, image = "SPDXRef-epperf", "SPDXRef-epperf-image"
	var packages, relationships []object
	relate := func(a, how, b string) {
		relationships = append(relationships, object{"spdxElementId": a, "relationshipType": how, "relatedSpdxElement": b})
	}
	for i, id := range []string{root, image} {
		packages = append(packages, object{
			"SPDXID": id, "name": s.Name, "versionInfo": s.Version, "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
			"licenseDeclared": "Apache-2.0", "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION", "packageFileName": subjects[i].name,
			"checksums": []object{{"algorithm": "SHA256", "checksumValue": subjects[i].sha256}},
		})
		relate("SPDXRef-DOCUMENT", "DESCRIBES", id)
	}
	relate(image, "CONTAINS", root)
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
		switch {
		case c.linked:
			relate(root, "STATIC_LINK", id)
		case c.shared:
			relate(root, "DYNAMIC_LINK", id)
			relate(image, "CONTAINS", id)
		default:
			relate(id, "BUILD_TOOL_OF", root)
		}
	}
	return object{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": s.Name + "-" + s.Version,
		"documentNamespace": "urn:epperf:spdx:" + subjects[0].sha256,
		"creationInfo":      object{"created": from.time.Format(time.RFC3339), "creators": []string{"Tool: epperf-release-pack"}},
		"hasExtractedLicensingInfos": []object{{
			"licenseId": nvidiaLicence, "name": "License Agreement for NVIDIA Software Development Kits",
			"extractedText": "The text is in licences/ of the archive.",
		}},
		"packages": packages, "relationships": relationships,
	}
}

// cyclonedx returns a document of CycloneDX 1.6. What builds is of scope "excluded".
func cyclonedx(s spec, from origin, subjects [2]subjectFile, components []component) object {
	var list []object
	for _, c := range components {
		o := object{"type": "library", "bom-ref": c.purl, "name": c.name, "version": c.version, "purl": c.purl, "scope": "required"}
		if !c.linked && !c.shared {
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
				"hashes":   []object{{"alg": "SHA-256", "content": subjects[0].sha256}},
				"components": []object{{
					"type": "container", "name": subjects[1].name, "version": s.Version, "bom-ref": s.Name + "-image",
					"hashes": []object{{"alg": "SHA-256", "content": subjects[1].sha256}},
				}},
			},
		},
	}
}

// provenance returns an in-toto statement of SLSA's provenance. It is not signed: who publishes does that.
func provenance(s spec, from origin, subjects [2]subjectFile, components []component) object {
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
	var named []object
	for _, of := range subjects {
		named = append(named, object{"name": of.name, "digest": object{"sha256": of.sha256}})
	}
	return object{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       named,
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
