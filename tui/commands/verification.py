"""What `verify` found: the layers asked for, each with its state and its checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tui.core.bundle import Bundle
from tui.core.check import Check, Layer
from tui.core.look import Look

State = Literal["passed", "failed", "not_proven"]

UNBUILT = "layer"
"""The object of the one check that stands for a whole layer which nobody can judge yet."""


@dataclass(frozen=True, slots=True)
class Verification:
    """`layers` are those asked for, in the order of the contract."""

    bundle: Bundle
    look: Look
    layers: Mapping[Layer, tuple[State, Sequence[Check]]]

    @property
    def holds(self) -> bool:
        """Whether no layer failed and something was proven: an answer in which nothing is proven is not a good one."""
        states = {state for state, _ in self.layers.values()}
        return "failed" not in states and "passed" in states

    def checks(self) -> Iterator[Check]:
        """Every check of every layer."""
        for _, checks in self.layers.values():
            yield from checks


def judge_layers(bundle: Bundle, look: Look, layers: Sequence[Layer]) -> Verification:
    """The `layers` of one look. One that nobody looked at is not proven: never "passed"."""
    return Verification(bundle, look, {layer: _judge(layer, look) for layer in layers})


def _judge(layer: Layer, look: Look) -> tuple[State, tuple[Check, ...]]:
    checks = tuple(check for check in look.checks if check.layer == layer)
    if not checks:
        why = "this version of patchdeck does not check this layer yet"
        checks = (Check(layer=layer, object=UNBUILT, table="", name=layer, outcome="not_proven", why=why),)
    if any(check.failed for check in checks):
        return "failed", checks
    return ("passed" if all(check.ok for check in checks) else "not_proven"), checks
