"""The vocabulary that widgets, viewers and engines share."""

from hpo_widgets.search.protocol import (
    COMMANDS,
    END_STATUS,
    MOST_NOTICES,
    STOP_CODES,
    GivesCode,
    Notice,
    PollsServer,
    RemoteSource,
    Replays,
    Search,
    SearchStatus,
    StopReason,
    TellsLogs,
    TitlesStrategy,
    ViewedSearch,
    check_command,
)

__all__ = [
    "COMMANDS",
    "END_STATUS",
    "MOST_NOTICES",
    "STOP_CODES",
    "GivesCode",
    "Notice",
    "PollsServer",
    "RemoteSource",
    "Replays",
    "Search",
    "SearchStatus",
    "StopReason",
    "TellsLogs",
    "TitlesStrategy",
    "ViewedSearch",
    "check_command",
]
