"""What `verify` found: the layers asked for, each with its state and its checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tui.core.bundle import Bundle
from tui.core.check import Check, Layer
from tui.core.isolation import Matrix
from tui.core.look import Look
from tui.core.proof import LayerState, Proof, layer_state
from tui.core.safety import Finding


class Verification(msgspec.Struct, frozen=True):
    """`layers` are those asked for, in the order of the contract; `proof` is None when the structure alone was asked
    for. `seconds`: from the first byte to the last answer, the handshake included.
    """

    bundle: Bundle
    look: Look
    proof: Proof | None
    layers: Mapping[Layer, tuple[LayerState, Sequence[Check]]]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every layer that was asked for is proven: what could not be proven is not a good answer."""
        return all(state == "passed" for state, _ in self.layers.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the safety lint found, also what fails nothing."""
        return self.proof.findings if self.proof else ()

    @property
    def matrix(self) -> Matrix | None:
        """The isolation matrix, None when it was not asked for."""
        return self.proof.matrix if self.proof else None

    def checks(self) -> Iterator[Check]:
        """Every check of every layer."""
        for _, checks in self.layers.values():
            yield from checks


def judge_layers(
    bundle: Bundle, look: Look, proof: Proof | None, layers: Sequence[Layer], seconds: float
) -> Verification:
    """The `layers` of one look and, beyond the structure, of one proof. A layer without checks is not proven."""
    judged: dict[Layer, tuple[LayerState, Sequence[Check]]] = {}
    for layer in layers:
        checks = look.checks if layer == "structure" else proof.of(layer) if proof else ()
        judged[layer] = layer_state(checks), checks
    return Verification(bundle, look, proof, judged, seconds)
