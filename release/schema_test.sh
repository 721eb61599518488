#!/bin/bash
# Holds the bills of materials to their standards by other people's checkers, fetched by pip:
# schema_test.sh FILE...
set -euo pipefail
skip() { echo "skipped: $*"; exit 0; }
venv=$TEST_TMPDIR/venv
python3 -m venv "$venv" || skip "python3 makes no environment (Debian: apt-get install python3-venv)"
"$venv/bin/pip" install --quiet --disable-pip-version-check 'cyclonedx-python-lib[json-validation]==11.12.0' spdx-tools==0.8.5
for file in "$@"; do
  case $file in
    *.cdx.json) "$venv/bin/python" - "$file" <<'PYTHON' ;;
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = open(sys.argv[1]).read()
validator = JsonStrictValidator(SchemaVersion.V1_6)
assert validator.validate_str(text.replace('"components"', '"component"', 1)) is not None, "the checker lets everything pass"
wrong = validator.validate_str(text)
assert wrong is None, f"CycloneDX 1.6: {wrong}"
PYTHON
    *.spdx.json) "$venv/bin/python" - "$file" <<'PYTHON' ;;
import json, sys
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
document = json.load(open(sys.argv[1]))
wrong = validate_full_spdx_document(JsonLikeDictParser().parse(document), "SPDX-2.3")
assert not wrong, "SPDX 2.3: " + "; ".join(w.validation_message for w in wrong[:5])
document["relationships"][0]["relatedSpdxElement"] = "SPDXRef-Nobody"
assert validate_full_spdx_document(JsonLikeDictParser().parse(document), "SPDX-2.3"), "the checker lets everything pass"
PYTHON
  esac
done
