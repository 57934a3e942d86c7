"""Claims over training seeds: every notebook run again with other values of `COURSE_SEED`."""

from __future__ import annotations

import re

from course_utils.authoring.repeats import Repeats
from course_utils.settings import ASSETS

KEPT = Repeats(ASSETS / "claims.json")
"""What was found with each seed."""
_NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?: ?%)?")


def measure(names: list[str], seeds: list[int], workers: int | None = None) -> None:
    """Run every notebook with every seed.

    Args:
        names: of notebooks. seeds: values of `COURSE_SEED`. workers: processes; one a core.

    Raises:
        PublishError: a notebook did not come to its end; the others are kept.
    """
    runs = {(name, str(seed)): {"COURSE_SEED": str(seed)} for seed in seeds for name in names}
    KEPT.measure(runs, workers)


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
    texts = {_value(number[0]): number[0] for number in numbers if number}  # -0.00 is 0.00
    spread = f" · {texts[min(texts)]} … {texts[max(texts)]}" if len(texts) > 1 else ""
    return f"{'held in ' if claim.get('open') else ''}{alike} of {len(by_seed)}{spread}"


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-").rstrip(" %"))
