"""Claims over training seeds: every notebook run again with other values of `COURSE_SEED`."""

from __future__ import annotations

import ast
import json
import os
import re
from concurrent.futures import ProcessPoolExecutor, as_completed

from nbformat import NotebookNode

from course_utils.authoring import publish, source
from course_utils.authoring.execute import ONE_THREAD, execute
from course_utils.authoring.freshness import as_python, code_hash
from course_utils.authoring.source import PublishError, code_of
from course_utils.settings import ASSETS, NOTEBOOKS, REPORT

KEPT = ASSETS / "claims.json"
"""By notebook: the hash of what it measures, and by claim and seed what was found."""
_NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?: ?%)?")


def claims_of(notebook: NotebookNode) -> list[dict]:
    """Claims of an executed notebook in their order: `claim`, `holds`, `measured`."""
    return [
        output.metadata["course"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "claim" in output.get("metadata", {}).get("course", {})
    ]


class _WithoutExpectation(ast.NodeTransformer):
    """Takes away what a claim is expected to be."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "claim":
            node.keywords = [word for word in node.keywords if word.arg != "expected"]
        return node


def measured_by(notebook: NotebookNode) -> str:
    """Hash of what a notebook measures: of its code, whatever its claims are expected to be."""
    cells = (ast.parse(as_python(cell)) for cell in code_of(notebook))
    return code_hash([ast.unparse(_WithoutExpectation().visit(cell)) for cell in cells])


def run_with(name: str, seed: int) -> tuple[str, list[dict], str]:
    """Run a notebook with a seed, claims that fail only reported, on one thread.

    Returns:
        The hash of what it measures, its claims, and why it stopped (empty if it did not).
    """
    notebook, error = source.read_source(name), ""
    code = measured_by(notebook)
    try:
        execute(notebook, NOTEBOOKS, **{"COURSE_SEED": str(seed), REPORT: "1"}, **ONE_THREAD)
    except PublishError as failed:
        error = str(failed)[-300:]
    return code, claims_of(notebook), error


def measure(names: list[str], seeds: list[int], workers: int | None = None) -> None:
    """Run every notebook with every seed; what is found is kept in `claims.json` at once.

    Args:
        names: of notebooks. seeds: values of `COURSE_SEED`. workers: processes; one a core.

    Raises:
        PublishError: a notebook did not come to its end; the others are kept.
    """
    errors = []
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        runs = {pool.submit(run_with, name, seed): (name, seed) for seed in seeds for name in names}
        for run in as_completed(runs):
            name, seed = runs[run]
            code, claims, error = run.result()
            failed = [c["claim"] for c in claims if not c["holds"]]
            print(f"{name}, seed {seed}: {len(claims)} claims, ✘ {failed} {error}", flush=True)
            if error:
                errors.append(f"{name}, seed {seed}: {error}")
            else:
                _keep(name, seed, code, claims)
    if errors:
        raise PublishError("\n".join(errors))


def _keep(name: str, seed: int, code: str, claims: list[dict]) -> None:
    """Keep the claims of one run; those that another code made are left out."""
    kept = _read()
    entry = kept.get(name, {})
    if entry.get("hash") != code:
        entry = kept[name] = {"hash": code, "claims": {}}
    for found in entry["claims"].values():
        found.pop(str(seed), None)
    for c in claims:
        found = entry["claims"].setdefault(c["claim"], {})
        found[str(seed)] = {"holds": c["holds"], "measured": c["measured"]}
    entry["claims"] = {claim: found for claim, found in entry["claims"].items() if found}
    text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    publish.write_whole({KEPT: text.encode()})


def _read() -> dict:
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}


def kept_of(name: str, code: str) -> dict[str, dict[str, dict]]:
    """Of a notebook, by claim and seed, what was found with this code; nothing of other code."""
    entry = _read().get(name, {})
    return entry["claims"] if entry.get("hash") == code else {}


def told(claim: dict, by_seed: dict[str, dict]) -> str:
    """How often a claim came out as it is published, and the range of its first number.

    Of a claim that is open: how often it held.

    >>> found = {str(seed): {"holds": True, "measured": f"ΔAUC 0.00{seed}"} for seed in range(3)}
    >>> told({"holds": True}, found)
    '3 of 3 · 0.000 … 0.002'
    """
    if not by_seed:
        return "–"
    wanted = claim.get("open") or claim["holds"]
    alike = sum(found["holds"] == wanted for found in by_seed.values())
    numbers = [_NUMBER.search(found["measured"]) for found in by_seed.values()]
    texts = sorted({number[0] for number in numbers if number}, key=_value)
    spread = f" · {texts[0]} … {texts[-1]}" if len(texts) > 1 else ""
    return f"{'held in ' if claim.get('open') else ''}{alike} of {len(by_seed)}{spread}"


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-").rstrip(" %"))
