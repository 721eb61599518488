"""Prints what is missing of docs/operations.md's list of environment variables.

Standard input names the Go files that are linked, each as "PACKAGE FILE". Each name that one of them
looks up has to be in the table; of a look-up whose name is computed, the package has to be known here.
"""

import pathlib
import re
import sys

# Packages that compute names, and how these begin; none where the caller says the name.
COMPUTED = {
    "crypto/x509": ["SSL_CERT_FILE", "SSL_CERT_DIR"],
    "github.com/gorilla/websocket": ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
    "github.com/urfave/cli/v2": [],  # of flags, and none here has any
    "go.etcd.io/bbolt/internal/common": ["BBOLT_VERIFY"],
    "go.etcd.io/etcd/client/pkg/v3/verify": ["ETCD_VERIFY"],
    "go.etcd.io/etcd/pkg/v3/flags": ["ETCD_"],
    "golang.org/x/sys/unix": [],
    "google.golang.org/grpc/internal/binarylog": ["GRPC_BINARY_LOG_FILTER"],
    "google.golang.org/grpc/internal/envconfig": ["GRPC_"],
    "google.golang.org/protobuf/reflect/protoregistry": ["GOLANG_PROTOBUF_REGISTRATION_CONFLICT"],
    "internal/testlog": [],
    "os": ["HOME"],
    "vendor/golang.org/x/net/http/httpproxy": ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"],
}
OWN = "github.com/epperf/epperf/"  # names are constants, and tests look at what they do
OTEL = "go.opentelemetry.io/"
# Of other systems and shells.
ELSEWHERE = {"PSHOME", "LocalAppData", "AppData", "home", "SYSTEMROOT", "ASR_CONFIG", "0"}

LOOKUP = re.compile(r"(?<!func )\b(?:\w*[gG]etenv|LookupEnv|(?:bool|uint64)FromEnv)\(([^,)]*)")


def listed(documents: str) -> list[str]:
    table = documents.split("\n## Environment\n")[1]
    return re.findall(r"`([A-Z][A-Z0-9_]*\*?)`", "\n".join(
        line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))


def main() -> None:
    names = listed(pathlib.Path("docs/operations.md").read_text())

    def known(name: str) -> bool:
        return any(name == of or of.endswith("*") and name.startswith(of[:-1]) for of in names)

    looked_up = 0
    missing = set()
    for line in sys.stdin.read().splitlines():
        package, path = line.split(" ", 1)
        for argument in LOOKUP.findall(pathlib.Path(path).read_text()):
            looked_up += 1
            if argument.startswith('"'):
                wanted = {argument.strip('"')} - ELSEWHERE
            elif package.startswith(OWN):
                continue
            elif package.startswith(OTEL):
                wanted = {"OTEL_"}
            elif package in COMPUTED:
                wanted = set(COMPUTED[package])
            else:
                missing.add(f"{package}: looks up {argument}, and tools/variables.py does not know what that is")
                continue
            missing |= {f"{package}: looks up {name}, which docs/operations.md does not list"
                        for name in wanted if not known(name)}
    if looked_up < 50:
        missing.add(f"only {looked_up} look-ups were found")
    print("\n".join(sorted(missing)), end="")


main()
