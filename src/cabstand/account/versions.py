"""The published versions of a deployment's function, each of which SnapStart bills, called or not."""

from __future__ import annotations

from cabstand.io.aws import call, items


def prune(function: str, *, keep: int, also: str = "") -> tuple[list[str], list[str]]:
    """Delete all versions but the newest `keep`, `also` and an alias's; return the deleted and the kept."""
    published = "Versions[?Version != '$LATEST'].Version"
    listed = items("lambda", "list_versions_by_function", published, missing_ok=True, FunctionName=function)
    found = sorted(listed, key=int)
    aliases = list(items("lambda", "list_aliases", "Aliases[]", missing_ok=True, FunctionName=function))
    weighted = [one.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}) for one in aliases]
    kept = {also, *(one["FunctionVersion"] for one in aliases)}.union(found[len(found) - keep :], *weighted)
    deleted = [version for version in found if version not in kept]
    for version in deleted:
        call("lambda", "delete_function", missing_ok=True, FunctionName=function, Qualifier=version)
    return deleted, [version for version in found if version in kept]
