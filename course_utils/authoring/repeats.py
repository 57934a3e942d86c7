"""Notebooks run again with one thing changed, a seed or the log, and what they claim then."""

from __future__ import annotations

import ast
import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from nbformat import NotebookNode

from course_utils.authoring import publish, source
from course_utils.authoring.execute import ONE_THREAD, execute
from course_utils.authoring.freshness import as_python, code_hash
from course_utils.authoring.source import PublishError, code_of
from course_utils.schema import LogError
from course_utils.settings import NOTEBOOKS, REPORT


def claims_of(notebook: NotebookNode) -> list[dict]:
    """Claims of an executed notebook in their order: `claim`, `holds`, `measured`."""
    return [
        output.metadata["course"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "claim" in output.get("metadata", {}).get("course", {})
    ]


REFUSED = "not for this log"
"""Why a notebook stopped that cannot use the log, such as a ranker where nothing was refused."""


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


def shorten(complaint: str) -> str:
    """The beginning of a complaint, which may be that time was up, and its end."""
    return complaint if len(complaint) <= 400 else f"{complaint[:100]} … {complaint[-300:]}"


def run_with(name: str, variables: dict[str, str]) -> tuple[str, list[dict], str]:
    """Run a notebook with other variables, claims that fail only reported, on one thread.

    Returns:
        The hash of what it measures, its claims, and why it stopped (empty if it did not,
        `REFUSED` if it cannot use the log).
    """
    notebook, error = source.read_source(name), ""
    code = measured_by(notebook)
    try:
        execute(notebook, NOTEBOOKS, **variables, **{REPORT: "1"}, **ONE_THREAD)
    except PublishError as failed:
        refused = getattr(failed.__cause__, "ename", "") == LogError.__name__
        error = REFUSED if refused else shorten(str(failed))
    return code, claims_of(notebook), error


class Repeats:
    """What notebooks claimed when they were run again with one thing changed.

    Args:
        path: of the JSON file that keeps it. By notebook: the hash of what it measures, and by
            claim and change what was found.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def measure(
        self, runs: dict[tuple[str, str], dict[str, str]], workers: int | None = None
    ) -> None:
        """Run notebooks again; what is found is kept at once.

        A notebook that cannot use the log of a run, such as a ranker on a log without refusals, is
        left out.

        Args:
            runs: by notebook and what is changed, the variables that change it. workers:
                processes; one a core.

        Raises:
            PublishError: a notebook did not come to its end; the others are kept.
        """
        errors = []
        with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
            begun = {pool.submit(run_with, run[0], runs[run]): run for run in runs}
            for done in as_completed(begun):
                name, change = begun[done]
                code, claims, error = done.result()
                failed = [c["claim"] for c in claims if not c["holds"]]
                print(f"{name}, {change}: {len(claims)} claims, ✘ {failed} {error}", flush=True)
                if error == REFUSED:
                    continue
                if error:
                    errors.append(f"{name}, {change}: {error}")
                else:
                    self.keep(name, change, code, claims)
        if errors:
            raise PublishError("\n".join(errors))

    def keep(self, name: str, change: str, code: str, claims: list[dict]) -> None:
        """Keep the claims of one run; those that another code made are left out."""
        kept = self._read()
        entry = kept.get(name, {})
        if entry.get("hash") != code:
            entry = kept[name] = {"hash": code, "claims": {}}
        for found in entry["claims"].values():
            found.pop(change, None)
        for c in claims:
            found = entry["claims"].setdefault(c["claim"], {})
            found[change] = {"holds": c["holds"], "measured": c["measured"]}
        entry["claims"] = {claim: found for claim, found in entry["claims"].items() if found}
        text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        publish.write_whole({self.path: text.encode()})

    def _read(self) -> dict:
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def of(self, name: str, code: str) -> dict[str, dict[str, dict]]:
        """Of a notebook, by claim and change, what was found with this code and no other."""
        entry = self._read().get(name, {})
        return entry["claims"] if entry.get("hash") == code else {}
