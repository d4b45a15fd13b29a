"""Step 1, the target: which database this is, how it is reached, as whom, and what it is like now."""

from __future__ import annotations

from collections.abc import Awaitable

from tui.core.aftermath import aftermath
from tui.core.look import Look
from tui.core.report import route, tls
from tui.core.run import RollbackMode
from tui.core.text import duration, fit, one_line
from tui.screens.steps.step import Promise, Standing, Step, field, hanging, heading, paragraph
from tui.screens.steps.walk import MODES
from tui.theme import Role
from tui.widgets.lines import Line, Span

MODE_WORDS: dict[RollbackMode, str] = {
    "lock": "the rollback file and no more: the app's users see no rows until something is put back",
    "restore": "then everything as recorded before the apply, the holes from before included",
    "restore-closed": "the same, but row level security stays on and anon gets nothing back (recommended)",
}


class TargetStep(Step):
    """Where we are, before anything else."""

    NAME = "Target"
    OFFERS = frozenset({"repeat"})

    def offers(self, action: str) -> bool:
        """A rollback has more than one way."""
        return super().offers(action) or (action == "mode" and self.walk.action == "rollback" and not self.walk.settled)

    def promise(self) -> Promise:
        """Looking only."""
        return Promise("looks at this database once", "change anything", "esc leaves")

    def arrive(self) -> Awaitable[None] | None:
        """A look of now, not of some seconds ago: what follows is compared with it."""
        return None if self.walk.settled else self.walk.looking.ask()

    def repeat(self) -> Awaitable[None] | None:
        """Look again."""
        return self.arrive()

    def standing(self) -> Standing:
        """Known, or not."""
        looking = self.walk.looking
        if looking.problem is not None:
            return self.bad("not reached")
        if looking.answer is None:
            return self.busy("looking")
        if self.walk.deck.destination.read_only:
            return self.careful("read-only")
        return self.well(self.walk.deck.destination.environment)

    def against_next(self) -> str:
        """A database that can not be reached has no preflight."""
        looking = self.walk.looking
        if looking.answer is None:
            return "the database was not reached: r looks again" if looking.problem else "still looking"
        return ""

    def write(self, cells: int) -> list[Line]:
        """For a rollback first what it takes away, then the facts."""
        looking = self.walk.looking
        lines = self._consequences(cells) if self.walk.action == "rollback" else []
        lines += self._now(cells)
        lines += self._place(cells)
        if looking.answer is not None:
            lines += self._server(looking.answer, cells)
        if looking.problem is not None:
            lines += [Line(), *self.problem_lines(looking.problem, cells)]
        elif looking.answer is None:
            lines += [Line(), *paragraph(f"{self.glyphs.wait} looking", cells, "live")]
        return lines

    def _consequences(self, cells: int) -> list[Line]:
        plan, look = self.walk.plan, self.walk.look
        lines = [heading("Which way back; m changes it")]
        for mode in MODES:
            chosen = mode == plan.mode
            # Not the mark of what is well: the mode that closes the door on every user is chosen first.
            mark: Span = (
                f"{self.glyphs.now if chosen else self.glyphs.todo} {fit(mode, 16)}",
                "live" if chosen else "dim",
            )
            lines += hanging(mark, MODE_WORDS[mode], cells, "text" if chosen else "dim")
        lines += [Line(), heading("What rolling back means")]
        said = self.walk.consequences
        grave = plan.restores or aftermath(plan.bundle, look.catalog if look else None).closed
        for number, sentence in enumerate(said):
            role: Role = "bad!" if number == len(said) - 1 and grave else "text"
            lines += paragraph(one_line(sentence, 1000), cells, role)
        return [*lines, Line()]

    def _now(self, cells: int) -> list[Line]:
        """What it is like: the verdict, and whether there is anything to do."""
        look = self.walk.look
        if look is None:
            return []
        verdict = look.verdict
        lines = field("now", one_line(f"{verdict.headline}. {verdict.sentence}", 500), cells, "strong")
        if self.walk.action == "apply" and verdict.state == "applied" and verdict.healthy:
            lines += paragraph("Everything holds already: applying would run nothing.", cells, "warn")
        return [*lines, Line()]

    def _place(self, cells: int) -> list[Line]:
        place = self.walk.deck.destination
        lines = field("database", one_line(place.database, 200), cells, "strong")
        lines += field("host", one_line(f"{place.host}:{place.port}", 300), cells)
        lines += field("as", one_line(place.user, 200), cells)
        where = "on this machine" if place.local else "not on this machine"
        if place.environment == "production":
            said = "so your configuration says" if place.stated else f"it is {where}"
            return lines + field("is", f"PRODUCTION: {said}", cells, "bad!")
        return lines + field("is", where if place.local else f"{place.environment}, {where}", cells)

    def _server(self, look: Look, cells: int) -> list[Line]:
        server, bundle = look.server, self.walk.deck.bundle
        lines = field("route", route(server), cells)
        line_role: Role = "text" if server.tls_verified or self.walk.deck.destination.local else "warn"
        lines += field("line", tls(server), cells, line_role)
        about = one_line(f"PostgreSQL {server.version}, round trip {duration(server.rtt)}", 200)
        lines += field("server", about, cells)
        access, role = self._access(look)
        lines += field("access", access, cells, role)
        what = f"{bundle.name} {bundle.version}: {bundle.manifest.title}"
        return lines + field("bundle", one_line(what, 300), cells)

    def _access(self, look: Look) -> tuple[str, Role]:
        if self.walk.deck.destination.read_only:
            return ("read-only session: this walkthrough ends before the rehearsal", "warn")
        if not look.server.writable:
            return ("the server takes no writes (a standby, or read-only mode)", "bad")
        rights = [
            word
            for word, has in (("superuser", look.server.superuser), ("bypasses RLS", look.server.bypass_rls))
            if has
        ]
        return (", ".join(["read and write", *rights]), "text")
