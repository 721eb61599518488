"""@go_licences: the licences of all modules in go.mod, as go/MODULE/NAME.

Go fetches the modules once more, from the user's module proxy, checked against go.sum; only
//release asks for them.
"""

_NAMES = "-iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*'"

def _go_licences_impl(rctx):
    go = rctx.getenv("EPPERF_GO") or rctx.which("go")
    if not go:
        fail("@%s: no go (1.21 or later) on PATH to fetch licences with; tools/bazelw brings one" % rctx.name)
    sums = {line: None for line in rctx.read(rctx.attr.go_sum).split("\n")}
    wanted = []
    for line in rctx.read(rctx.attr.go_mod).split("\n"):
        words = line.strip().split(" ")
        if line.startswith("\t") and len(words) > 1 and words[1].startswith("v"):
            wanted.append(words[0] + "@" + words[1])
    result = rctx.execute(
        [go, "mod", "download", "-json"] + wanted,
        environment = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off"},
        timeout = 1200,
    )
    if result.return_code:
        fail("@%s: go mod download: %s%s" % (rctx.name, result.stdout, result.stderr))
    for text in result.stdout.replace("\n}\n", "\n}\f").split("\f"):
        if not text.strip():
            continue
        module = json.decode(text)
        if "%s %s %s" % (module["Path"], module["Version"], module["Sum"]) not in sums:
            fail("@%s: go.sum has no %s %s %s" % (rctx.name, module["Path"], module["Version"], module["Sum"]))
        copied = rctx.execute([
            "sh",
            "-c",
            "mkdir -p \"$2\" && find \"$1\" -maxdepth 1 -type f \\( " + _NAMES + " \\) -exec cp {} \"$2\" \\; && chmod -R u+w \"$2\"",
            "sh",
            module["Dir"],
            "go/" + module["Path"],
        ])
        if copied.return_code:
            fail("@%s: %s: %s" % (rctx.name, module["Path"], copied.stderr))
    rctx.file("BUILD.bazel", 'filegroup(name = "go_licences", srcs = glob(["go/**"]), visibility = ["@@//release:__pkg__"])\n')

_go_licences = repository_rule(
    implementation = _go_licences_impl,
    attrs = {
        "go_mod": attr.label(mandatory = True),
        "go_sum": attr.label(mandatory = True),
    },
)

go_licences = module_extension(
    implementation = lambda _: _go_licences(
        name = "go_licences",
        go_mod = Label("//:go.mod"),
        go_sum = Label("//:go.sum"),
    ),
)
