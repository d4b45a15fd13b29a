"""Step 2, the preflight: is it safe and possible to run here, now?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable

from tui.core.preflight import BUILDABLE, Level
from tui.core.text import count, one_line
from tui.screens.steps.step import NOTHING_YET, Promise, Standing, Step, hanging, paragraph
from tui.theme import Role
from tui.widgets.lines import Line, Span, line

ORDER: tuple[Level, ...] = ("stop", "warn", "pass")
ROLES: dict[Level, Role] = {"stop": "bad", "warn": "warn", "pass": "ok"}


class PreflightStep(Step):
    """Every check with its meaning, the bad news first. A stop closes the way."""

    NAME = "Preflight"
    OFFERS = frozenset({"repeat"})

    def offers(self, action: str) -> bool:
        """Indexes that can be built beforehand can be chosen to be."""
        return super().offers(action) or (action == "online" and not self.walk.settled and self._buildable)

    @property
    def _buildable(self) -> bool:
        return any(check.name == BUILDABLE for check in self.walk.preflight.answer or ())

    def promise(self) -> Promise:
        """Reading only."""
        return Promise("reads catalogs and locks in one round trip", "change anything, wait for anybody", NOTHING_YET)

    def arrive(self) -> Awaitable[None] | None:
        """Asked once; r asks again."""
        return None if self.walk.preflight.asked else self.walk.preflight.ask()

    def repeat(self) -> Awaitable[None] | None:
        """Check again."""
        return self.walk.preflight.ask()

    def standing(self) -> Standing:
        """The worst there is."""
        asked = self.walk.preflight
        if asked.problem is not None:
            return self.bad("not done")
        if asked.answer is None:
            return self.busy("checking")
        levels = Counter(check.level for check in asked.answer)
        if levels["stop"]:
            return self.bad(_number(levels["stop"], "stop"))
        return self.careful(_number(levels["warn"], "warning")) if levels["warn"] else self.well("passed")

    def against_next(self) -> str:
        """A stop, and only a stop, is in the way."""
        asked = self.walk.preflight
        if asked.answer is None:
            return "the checks could not be made: r tries again" if asked.problem else "still checking"
        if self.walk.stops:
            return f"{_number(len(self.walk.stops), 'check')} in the way: mend it as it says, then press r"
        return ""

    def write(self, cells: int) -> list[Line]:
        """The checks, worst first."""
        asked = self.walk.preflight
        if asked.problem is not None:
            return self.problem_lines(asked.problem, cells)
        if asked.answer is None:
            return paragraph(f"{self.glyphs.wait} checking", cells, "live")
        levels = Counter(check.level for check in asked.answer)
        spans: list[Span] = [(f"{count(levels[level])} {level}   ", ROLES[level]) for level in ORDER if levels[level]]
        spans += [(f"{self.glyphs.wait} checking again", "live")] if asked.busy else []
        marks = {"stop": self.glyphs.bad, "warn": self.glyphs.warn, "pass": self.glyphs.ok}
        lines = [line(*spans), Line()]
        for check in sorted(asked.answer, key=lambda check: ORDER.index(check.level)):
            role = ROLES[check.level]
            lines.append(
                line(
                    (f"{marks[check.level]} ", role), (one_line(check.name, 200), "strong"), (_word(check.level), role)
                )
            )
            lines += paragraph(
                one_line(check.meaning, 1000), cells, "text" if check.level != "pass" else "dim", indent=2
            )
            lines += hanging(("  mend: ", "live"), one_line(check.remedy, 1000), cells) if check.remedy else []
            if check.name == BUILDABLE and self.walk.plan.online:
                chosen = "chosen: they are built at the run's beginning, after the name is typed; o takes it back"
                lines += hanging((f"  {self.glyphs.ok} ", "ok"), chosen, cells, "ok")
        return lines


def _word(level: Level) -> str:
    return "" if level == "pass" else f"  {level.upper()}"


def _number(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
