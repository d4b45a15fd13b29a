"""What each role is expected to hold on each relation and column: it tells a grant's refusals from a policy's."""

from __future__ import annotations

from collections.abc import Iterator

from tui.core.expectation import Expectation
from tui.core.grantchecks import ALL_PRIVILEGES


class Rights:
    """The grants of an expectation, ready to be asked."""

    def __init__(self, expectation: Expectation) -> None:
        self._held = frozenset(_held(expectation))

    def hold(self, role: str, relation: str, privilege: str, column: str | None = None) -> bool:
        """Whether a role is to have that privilege on the relation, or on the column where one is named."""
        whole = (role, relation, privilege, None) in self._held
        return whole or (column is not None and (role, relation, privilege, column) in self._held)


def _held(expectation: Expectation) -> Iterator[tuple[str, str, str, str | None]]:
    grants = [(table.name, table.grants) for table in expectation.tables]
    grants += [(view.name, view.grants) for view in expectation.views]
    for relation, by_role in grants:
        for role, privileges in by_role.items():
            everything = "ALL" in {privilege.upper() for privilege in privileges}
            for privilege in ALL_PRIVILEGES if everything else privileges:
                yield role, relation, privilege.upper(), None
    for table in expectation.tables:
        for role, by_privilege in table.column_grants.items():
            for privilege, columns in by_privilege.items():
                for column in columns:
                    yield role, table.name, privilege.upper(), column
