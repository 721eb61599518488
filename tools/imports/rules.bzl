"""Who may know whom, by whatever way: genqueries that must stay empty."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

# What the rules speak of: our own code, and what only some of it may bring in.
_REGULATED = "'^//(csrc|go|proto)/|etcd|nvml'"

# Everyone's: no code, but numbers and their names.
_VOCABULARY = "^//csrc/protocol:words(.h)?$"

def _pattern(package, allowed):
    """Returns a regular expression of the labels that may lie below a package.

    An entry is a package, or with a colon the beginning of a label in it, or anything else that
    is part of a label.
    """
    labels = ["^//" + package + ":", _VOCABULARY]
    for entry in allowed:
        first = entry.split("/")[0]
        ours = first in ["csrc", "go", "proto"]
        labels.append("^//" + entry + ("" if ":" in entry else ":") if ours else entry)
    return "'" + "|".join(labels) + "'"

def imports_test(name, rules, control):
    """Makes a test that fails where a package depends on what its rule leaves out.

    Args:
      name: of the test.
      rules: {package: what may lie below it besides itself}. A package is meant as its target
        of the same name, or "package:target".
      control: a package that depends on others of ours: a query that finds none there proves
        nothing.
    """
    queries = []
    for package, allowed in (rules | {control: None}).items():
        label = "//" + package
        query = name + "_" + package.replace("/", "_").replace(":", "_")
        expression = "filter(%s, deps(%s))" % (_REGULATED, label)
        if allowed != None:
            expression += " except filter(%s, deps(%s))" % (_pattern(package.split(":")[0], allowed), label)
        native.genquery(
            name = query,
            expression = expression,
            scope = [label],
        )
        queries.append(query)
    sh_test(
        name = name,
        size = "small",
        srcs = ["empty.sh"],
        args = ["$(rootpath :%s)" % query for query in reversed(queries)],
        data = queries,
    )
