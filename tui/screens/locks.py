"""Locks: who holds or waits for locks on the migration's tables, since when, doing what; and the way to end one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.core.deck import Problem
from tui.core.facts import Runner
from tui.core.locks import Ending, LockPicture, LockSession, Node, tree, why_not
from tui.core.text import duration, fit, one_line
from tui.screens.context import Context
from tui.screens.titled import TitledScreen
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import WIDE
from tui.widgets.checklist import bare
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Lines, Span, line, wrap
from tui.widgets.reader import Reader
from tui.widgets.table import Column, LineTable, Row

EVERY = 2.0
"""Seconds between two looks at the locks, while the view is open."""

LABEL = 12
AGE, STATE, LOCKS = Column("age", 6, "right"), Column("state", 19), Column("locks", 0)
LAYOUTS = (
    (WIDE, (Column("session", 36), AGE, STATE, LOCKS)),
    (76, (Column("session", 26), AGE, LOCKS)),
    (0, (Column("session", 20), AGE, LOCKS)),
)
"""The columns from so many cells on. Where there is no room for the state, an idle one is among the locks."""
VERBS: dict[Ending, str] = {"cancel": "cancel the statement of", "terminate": "end the session of"}
EFFECTS: dict[Ending, str] = {
    "cancel": "its statement stops with an error; the session stays",
    "terminate": "its connection ends, and what it has open is rolled back",
}


class PidInput(Input):
    """Where the process is typed; escape gives the keys back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.confirm", "Do it", tooltip="Do it, when the number is that of the process"),
        Binding("escape", "screen.dismiss_question", "Leave it", tooltip="Back to the list; nothing is sent"),
    ]


class LocksScreen(TitledScreen):
    """The tree above, the marked session in full below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to the dashboard"),
        Binding("c", "question('cancel')", "Cancel query", tooltip="Stop what the marked session runs; it asks first"),
        Binding("x", "question('terminate')", "End session", tooltip="End the marked session; it asks first"),
        Binding("r", "again", "Look again", show=False, tooltip="Look at the locks now"),
        Binding("tab,shift+tab", "app.focus_next", "Session", tooltip="Between the list and the marked session"),
        Binding("ctrl+p", "app.palette", "Palette", show=False, tooltip="Everything that can be done now, by name"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    SILENT = frozenset(("choose",))
    FOOTER_ORDER = ("question('cancel')", "question('terminate')", "app.focus_next")
    AUTO_FOCUS = "#locks-table"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.head = Lines(id="locks-head")
        self.table = LineTable(LAYOUTS[-1][1], context.glyphs, id="locks-table")
        self.reader = Reader(context.glyphs, id="locks-text")
        self.tree_frame = Frame("Locks", id="locks-tree")
        self.session_frame = Frame("Session", id="locks-session")
        self.pid_input = PidInput(id="locks-pid", compact=True, select_on_focus=False)
        self.pid_input.cursor_blink = False
        self._picture: LockPicture | None = None
        self._problem: Problem | None = None
        self._asked_at = 0.0
        self._busy = False
        self._question: tuple[Ending, LockSession] | None = None

    def content(self) -> ComposeResult:
        """Two frames, and the line to type a process into."""
        with self.tree_frame:
            yield self.head
            yield self.table
        with self.session_frame:
            yield self.reader
        yield self.pid_input

    def on_mount(self) -> None:
        """Look at once, and again as long as the view is open."""
        self.table.set_rows((), empty="looking at the locks")
        self.action_again()
        self.set_interval(EVERY, self.action_again)

    def on_resize(self, _: events.Resize) -> None:
        """Another width has room for more or less."""
        self.call_after_refresh(self._show)

    def changed(self, parts: frozenset[Part]) -> None:
        """The title follows the connection."""
        self.show_title()

    def resting_hint(self) -> tuple[str, Role]:
        """What is asked, what went wrong, or what the picture means."""
        if self._question is not None:
            how, _ = self._question
            return (EFFECTS[how], "warn")
        if self._problem is not None:
            problem = f"{one_line(self._problem.message, 300)}  {one_line(self._problem.hint, 200)}"
            return (f"{self.glyphs.warn} {problem}", "warn")
        picture = self._picture
        if picture is None:
            return ("", "dim")
        waiting = sum(bool(session.waits_for) for session in picture.sessions)
        if waiting:
            return (f"{waiting} {'session waits' if waiting == 1 else 'sessions wait'} for a lock", "warn")
        return ("nobody waits for a lock here", "dim")

    def reason_against(self, action: str) -> str:
        """Why the marked session can not be ended, "" when it can."""
        if not action.startswith("question("):
            return ""
        how: Ending = "cancel" if "cancel" in action else "terminate"
        session = self._marked
        return why_not(session, how, read_only=self.context.read_only) if session else "no session is marked"

    def action_again(self) -> None:
        """Look at the locks, unless the look before is still under way."""
        if not self._busy:
            self._busy = True
            self.run_worker(self._look(), name="locks", group="locks", exit_on_error=False)

    def action_question(self, how: Ending) -> None:
        """Ask for the process to be typed, or say why it can not be ended."""
        session = self._marked
        reason = self.reason_against(f"question('{how}')")
        if reason or session is None:
            self.say(f"not this one: {reason}", "warn")
            return
        self._question = (how, session)
        self.pid_input.value = ""
        self.pid_input.placeholder = f"type {session.pid} to {VERBS[how]} that process"
        self.add_class("-asking")
        self.pid_input.focus()
        self.hush()

    def action_dismiss_question(self) -> None:
        """Nothing is sent."""
        self._question = None
        self.remove_class("-asking")
        self.table.focus()
        self.rest()

    def action_confirm(self) -> None:
        """Send it when the number is that of the process; otherwise say what is wrong."""
        if self._question is None:
            return
        how, session = self._question
        typed = self.pid_input.value.strip()
        if typed != str(session.pid):
            self.say(f'"{one_line(typed, 20)}" is not {session.pid}: nothing was sent', "bad")
            return
        self.action_dismiss_question()
        self.say(f"asked to {VERBS[how]} process {session.pid}", "live")
        self.run_worker(self._end(session, how), name="end session", group="end", exit_on_error=False)

    def on_line_table_moved(self) -> None:
        """The text below follows the cursor."""
        self._show_marked(from_top=True)
        self.refresh_footer()

    @property
    def _marked(self) -> LockSession | None:
        key = self.table.key
        picture = self._picture
        return next((one for one in picture.sessions if str(one.pid) == key), None) if picture and key else None

    async def _look(self) -> None:
        try:
            self._picture = await self.context.deck.locks()
            self._problem = None
            self._asked_at = self.context.monotonic()
            self.store.put_locks(self._picture)
        except Problem as problem:
            self._problem = problem
        finally:
            self._busy = False
        self._show()

    async def _end(self, session: LockSession, how: Ending) -> None:
        try:
            ended = await self.context.deck.end_session(session.pid, session.token, how)
        except Problem as problem:
            self.say(f"{self.glyphs.bad} {one_line(problem.message, 200)}; {one_line(problem.hint, 200)}", "bad")
            return
        if ended == "ended":
            self.say(f"{self.glyphs.ok} process {session.pid} has ended; what it had open is rolled back", "ok")
        elif ended == "asked":
            what = "its statement stops" if how == "cancel" else "it ends"
            self.say(f"{self.glyphs.ok} process {session.pid} was told: {what} as soon as it looks", "ok")
        else:
            self.say(f"process {session.pid} had ended that transaction already: nothing was sent", "dim")
        self.action_again()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        columns = next(columns for cells, columns in LAYOUTS if self.size.width >= cells)
        self.table.set_columns(columns)
        picture = self._picture
        if picture is not None:
            self.head.show((self._runner(picture.runner),))
            nodes = tree(picture.sessions)
            rows = [Row(str(node.session.pid), _cells(node, columns)) for node in nodes]
            stale = self._problem is not None
            self.table.set_rows(rows, empty="nobody holds a lock on these tables for longer than a second", stale=stale)
            waiting = any(node.session.waits_for for node in nodes)
            self.tree_frame.broken(waiting)
            self.tree_frame.title(f"Locks · {len(nodes)} {'session' if len(nodes) == 1 else 'sessions'}")
        if self._problem is not None and self._asked_at:
            self.tree_frame.foot(f"{duration(int(self.context.monotonic() - self._asked_at))} old")
        else:
            self.tree_frame.foot("")
        self._show_marked(from_top=False)
        self.refresh_footer()
        self.rest()

    def _runner(self, runner: Runner | None) -> Line:
        if runner is None:
            return line(("no run of patchdeck is under way", "dim"))
        who = one_line(runner.application or runner.user or "a session", 63)
        return line(
            (f"{self.glyphs.dot} ", "live"), (who, "live!"), (f"  process {runner.pid}, since {runner.since}", "text")
        )

    def _show_marked(self, *, from_top: bool) -> None:
        session = self._marked
        self.session_frame.title(f"Process {session.pid}" if session else "Session")
        self.reader.read(lambda cells: _full(session, cells) if session else [], from_top=from_top)


def _cells(node: Node[LockSession], columns: Sequence[Column]) -> tuple[Span, ...]:
    session = node.session
    role: Role = "bad" if node.behind else "warn" if session.waits_for else "text"
    indent = "  " * min(node.depth, 4)
    who = one_line(session.application or session.user, 60)
    cells: dict[str, Span] = {
        "session": (f"{indent}{session.pid or 'prepared'} {who}", role),
        # Its largest unit: what counts is seconds, minutes or hours.
        "age": ("?" if session.age is None else " ".join(duration(int(session.age)).split()[:2]), role),
        "state": (_state(session), "dim" if session.active else role),
        "locks": (
            _locks(node, with_state=STATE not in columns), "text" if node.behind or session.waits_for else "dim"
        ),
    }  # fmt: skip
    return tuple(cells[column.title] for column in columns)


def _state(session: LockSession) -> str:
    return one_line(session.state, 40) or "not visible"


def _locks(node: Node[LockSession], *, with_state: bool) -> str:
    """What it waits for, whom it keeps waiting, that it does nothing meanwhile, then what it holds."""
    session = node.session
    parts = [f"waits for {bare(lock.relation)}" for lock in session.locks if not lock.granted]
    if session.waits_for and not parts:
        parts = [f"waits for {', '.join(str(pid) for pid in session.waits_for)}"]
    if node.also:
        parts.append(f"also behind {', '.join(str(pid or 'a prepared transaction') for pid in node.also)}")
    if node.behind:
        parts.append(f"{node.behind} behind it")
    parts += [_state(session)] if with_state and not session.active else []
    held = {bare(lock.relation) for lock in session.locks if lock.granted}
    parts += [f"holds {', '.join(sorted(held))}"] if held else []
    return one_line("; ".join(parts), 400)


def _full(session: LockSession, cells: int) -> list[Line]:
    """Everything that is known of one session."""
    who = one_line(session.application or "no application name", 63)
    began = (
        "not visible to this role" if session.age is None else f"its transaction began {duration(int(session.age))} ago"
    )
    lines = _field("who", f"{who}, role {one_line(session.user, 63) or 'none'}", cells, "strong")
    lines += _field("state", f"{_state(session)}, {began}", cells)
    if session.waits_for:
        lines += _field(
            "waits for", ", ".join(str(pid or "a prepared transaction") for pid in session.waits_for), cells, "warn"
        )
    for at, lock in enumerate(session.locks):
        verb = "" if lock.granted else "waits for "
        held = f"{verb}{lock.mode} on {one_line(lock.relation, 120)}"
        lines += _field("locks" if not at else "", held, cells, "text" if lock.granted else "warn")
    label = "runs" if session.active else "ran last"
    return lines + _field(label, one_line(session.query, 500) or "not visible to this role", cells, "dim")


def _field(label: str, text: str, cells: int, role: Role = "text") -> list[Line]:
    first, *rest = wrap(((text, role),), max(8, cells - LABEL)) or [()]
    return [line((fit(label, LABEL), "dim"), *first), *(Line(((" " * LABEL, "text"), *part)) for part in rest)]
