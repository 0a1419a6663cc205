"""Play, pause, speed and a scrubber: what a replay has in the place of the controls of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets.journal import JournalError
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.viewer import SearchReplay
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart, finite_number

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update

SPEEDS = (0.1, 1.0, 2.0, 5.0, 10.0, 100.0)
"""Speeds that a page offers. A search of a function that costs nothing lasts a second."""

_NOTHING = "nothing was recorded: this search was never started"


class ReplayBar(ViewPart):
    """Plays a replay, holds it, and goes to any moment of it, by hand or by keyboard.

    Parameters
    ----------
    search
        The replay.

    Raises
    ------
    TypeError
        When it is no replay.
    """

    _esm = asset("replay.js")
    _css = asset("replay.css")

    position = t.Float(0.0, help="Seconds of the search that are over.").tag(sync=True)
    duration = t.Float(0.0, help="Seconds that the search ran in all.").tag(sync=True)
    is_playing = t.Bool(False, help="Whether time goes on.").tag(sync=True)
    speed = t.Float(1.0, help="Seconds of the search that go by in one.").tag(sync=True)
    speeds = t.List(t.Float(), help="Speeds that are offered, the present one among them.").tag(sync=True)
    words = t.Unicode(help="Trials and time so far, of how many: what the scrubber says of its place.").tag(sync=True)
    moment = t.Unicode(help="The day and the time of day of the moment that is shown.").tag(sync=True)
    answered = t.Float(0.0, help="The newest request of the browser whose outcome `position` shows.").tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: Any) -> None:
        if not isinstance(search, SearchReplay):
            raise TypeError(f"a ReplayBar plays a replay, got a {type(search).__name__}")
        self._replay = search
        self._newest_request = 0.0
        super().__init__(search, refresher=refresher, **traits)

    def refresh(self, update: Update) -> None:
        """Show where the replay stands."""
        replay, request = self._replay, self._newest_request
        position = replay.position
        with self.hold_sync():
            self.position, self.duration, self.is_playing = position, replay.duration, replay.is_playing
            self.speed, self.speeds = replay.speed, sorted({*SPEEDS, replay.speed})
            begun = sum(update.search.counts.values())
            over, whole = (text.duration(seconds / SECONDS_A_MINUTE) for seconds in (position, replay.duration))
            self.words = f"{begun} of {text.counted(replay.num_trials_in_all, 'trial')}, {over} of {whole}"
            self.moment = text.day_and_clock(replay.moment)
            self.commands = {"play": None if replay.duration else _NOTHING}
            self.answered = request

    def _on_play(self, content: dict[str, object]) -> None:
        try:
            if content.get("on") is True:
                self._replay.play()
            else:
                self._replay.pause()
        except RuntimeError as error:  # somebody has closed it
            self._refuse(str(error))

    def _on_seek(self, content: dict[str, object]) -> None:
        position, request = finite_number(content.get("position")), finite_number(content.get("id"))
        if position is None or request is None:
            self._refuse("a page asked for a moment that there is not")
            return
        try:
            self._replay.seek(position)
        except JournalError as error:  # its file has gone
            self._refuse(str(error))
        # Only now: an update in between must not call the place before it the answer.
        self._newest_request = max(request, self._newest_request)
        self._refresher.poke()

    def _on_speed(self, content: dict[str, object]) -> None:
        speed = finite_number(content.get("speed"))
        if speed is None or speed not in self.speeds:
            self._refuse("a page asked for a speed that is not offered")
            return
        self._replay.set_speed(speed)
