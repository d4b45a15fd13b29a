"""The proof on demand: never by itself, never two at once, its end always in the store."""

from __future__ import annotations

from collections.abc import Callable

from tui.core.deck import Deck, Problem
from tui.core.proof import BEYOND_STRUCTURE
from tui.store import Notice, Store


class Prover:
    """Proves one deck. `monotonic` gives seconds."""

    def __init__(self, deck: Deck, store: Store, monotonic: Callable[[], float]) -> None:
        self._deck, self._store, self._monotonic = deck, store, monotonic

    async def run(self) -> None:
        """One proof. Not to be cancelled by a screen that is left: its transaction would be cut off in the middle."""
        self._store.proof_begun()
        try:
            proof = await self._deck.prove(BEYOND_STRUCTURE)
        except Problem as problem:
            self._store.proof_failed(Notice(problem.message, problem.hint))
        else:
            self._store.put_proof(proof, self._monotonic())
