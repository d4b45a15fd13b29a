"""What our screens share: they hear of changes in the store, say one line, and tell when the terminal is too small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.keys import format_key
from textual.message import Message

from tui.core.text import Glyphs, fit
from tui.screens.actions import HELP, identified
from tui.screens.opaque import OpaqueScreen
from tui.store import Part, Store
from tui.theme import Role
from tui.widgets.band import TALL
from tui.widgets.footer import Entry, Footer
from tui.widgets.lines import Lines, line
from tui.widgets.reader import Reader

MIN_WIDTH, MIN_HEIGHT = 60, 20
KEY_WORDS = {
    "ctrl+p": "^p",
    "escape": "esc",
    "upper_n": "N",
    "upper_g": "G",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "shift+tab": "shift-tab",
}
SAY_SECONDS = 6.0


def key_word(key: str) -> str:
    """A key as it is written on a keyboard."""
    if key in KEY_WORDS:
        return KEY_WORDS[key]
    shown = format_key(key)
    return shown if len(shown) == 1 and shown.isascii() else key.replace("ctrl+", "^")


class WalkRequested(Message):
    """The operator wants to walk through an action."""

    def __init__(self, action: Literal["apply", "rollback"]) -> None:
        super().__init__()
        self.action = action


class TooSmall(Lines):
    """Covers the screen when there is no room for it."""

    DEFAULT_CSS = "TooSmall { layer: cover; width: 100%; height: 100%; background: $background; }"


class Hint(Lines):
    """One line above the footer: the last thing said, or what is worth knowing here."""

    DEFAULT_CSS = "Hint { height: 1; padding: 0 1; }"


class DeckScreen(OpaqueScreen):
    """A screen over the store."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "app.help", "Help", tooltip="Every key that works here", id=HELP),
    ]
    FOOTER_ORDER: ClassVar[Sequence[str]] = ()
    """Actions in the order in which the footer offers them; actions bound with show=False are not offered."""
    KEEP: ClassVar[frozenset[str]] = frozenset(("app.help", "app.quit", "app.back"))

    SILENT: ClassVar[frozenset[str]] = frozenset()
    """Actions of widgets that the footer of this screen leaves out."""
    WORDS: ClassVar[Mapping[str, str]] = {}
    """What the footer of this screen calls an action of its widgets, where it knows better than they do."""
    KEYS_STAY: ClassVar[bool] = False
    """Whether its keys are the same for everybody, whatever a person chose."""
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-short"),
        (TALL, "-tall"),
    ]

    def __init_subclass__(cls, **options: Any) -> None:
        """Let what may have another key be found by its id."""
        if not cls.KEYS_STAY:
            cls.BINDINGS = identified(cls.__dict__.get("BINDINGS", ()))
        super().__init_subclass__(**options)

    def __init__(self, store: Store, glyphs: Glyphs) -> None:
        super().__init__()
        self.store, self.glyphs = store, glyphs
        self.hint = Hint()
        self.footer = Footer()
        self._small: TooSmall | None = None
        self._said = 0
        self._saying = False

    def changed(self, parts: frozenset[Part]) -> None:
        """Parts of the store differ from what this screen shows."""

    def tick(self) -> None:
        """A second has passed."""

    def resting_hint(self) -> tuple[str, Role]:
        """What the hint line says while nothing was said."""
        return ("", "dim")

    def reason_against(self, action: str) -> str:
        """Why `action` does not work now, "" when it does."""
        return ""

    def offers(self, action: str) -> bool:
        """Whether the footer has room for `action` now; its key works all the same."""
        return True

    def asks_before_quit(self) -> bool:
        """Whether leaving the program would end something that goes on here, which is then asked about."""
        return False

    def say(self, text: str, role: Role = "text") -> None:
        """Say one line for some seconds."""
        self._said += 1
        self._saying = True
        said = self._said
        self._hint(text, role)

        def over() -> None:
            if said == self._said:
                self.hush()

        self.set_timer(SAY_SECONDS, over)

    def hush(self) -> None:
        """What was said is over."""
        self._saying = False
        self.rest()

    def rest(self) -> None:
        """Show the resting hint, unless something was just said."""
        if not self._saying:
            self._hint(*self.resting_hint())

    def open(self, screen: DeckScreen) -> None:
        """Put `screen` over this one, unless something lies over it by now: what is asked for twice is opened once."""
        if self.app.screen is self:
            self.app.push_screen(screen)

    def run_bound(self, action: str) -> None:
        """Run an action as its key would: in the namespace that binds it, which may be the focused widget's."""
        for active in self.active_bindings.values():
            if active.binding.action == action:
                self.call_later(self.app.run_action, action, active.node)
                return

    def refresh_footer(self) -> None:
        """Offer what works here and now."""
        self.footer.put(tuple(self._entries()))

    def on_mount(self) -> None:
        """The first paint shows what is known, which may be nothing."""
        self.refresh_footer()
        self.rest()

    def on_descendant_focus(self) -> None:
        """Other keys work on another widget."""
        self.call_after_refresh(self.refresh_footer)

    def on_footer_pressed(self, event: Footer.Pressed) -> None:
        """A click on the footer is the key."""
        self.run_bound(event.action)

    def on_resize(self, event: events.Resize) -> None:
        """Too small is said in one line."""
        width, height = event.size
        if width >= MIN_WIDTH and height >= MIN_HEIGHT:
            if self._small is not None:
                self._small.remove()
                self._small = None
            return
        if self._small is None:
            self._small = TooSmall()
            self.mount(self._small)
        text = f"{width}x{height} is too small, {MIN_WIDTH}x{MIN_HEIGHT} is needed"
        self._small.show((line((fit(text, width), "warn")),))

    def _hint(self, text: str, role: Role) -> None:
        self.hint.show((line((fit(text, max(1, self.size.width - 2)), role)),) if text else ())

    def _entries(self) -> Iterator[Entry]:
        bound: dict[str, Binding] = {}
        for active in self.active_bindings.values():
            action = active.binding.action
            if active.binding.show and active.enabled and action not in self.SILENT and self.offers(action):
                bound.setdefault(action, active.binding)
        order = [action for action in self.FOOTER_ORDER if action in bound]
        order += [action for action in bound if action not in order and action not in self.KEEP]
        order += [action for action in bound if action in self.KEEP and action not in order]
        for action in order:
            binding = bound[action]
            yield Entry(
                key=binding.key_display or key_word(binding.key),
                # To and fro between a list and what is read of its marked row.
                word="List"
                if action == "app.focus_next" and isinstance(self.focused, Reader)
                else self.WORDS.get(action, binding.description),
                action=action,
                off=bool(self.reason_against(action)),
                keep=action in self.KEEP,
            )
