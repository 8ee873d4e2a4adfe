"""What is wrong with the configuration, and how it is told: file, key, got, wanted, all faults at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NoReturn

from pydantic import BaseModel, ValidationError

from pipeline.errors import SettingsError

#: Refusals go to logs and to Luigi's page.
_NOT_SHOWN: Final = "something else (not shown: it may name people)"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (file or "environment", key), what stands there, what should."""

    file: str
    key: str
    got: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.file}{': ' if self.key else ''}{self.key}\n    got:    {self.got}\n    wanted: {self.wanted}"


class Faulty(SettingsError):
    """The configuration is refused; `faults` has each by itself, for whoever tells them one by one."""

    def __init__(self, what: str, *, todo: str = "", faults: Iterable[Fault] = ()) -> None:
        super().__init__(what, todo=todo)
        self.faults = tuple(faults)


def refuse(faults: Iterable[Fault]) -> NoReturn:
    """Raise one SettingsError that lists all faults.

    Raises:
        Faulty: always.
    """
    listed = list(faults)
    head = "the configuration has a fault" if len(listed) == 1 else f"the configuration has {len(listed)} faults"
    todo = "mend it and run again" if len(listed) == 1 else "mend them and run again"
    raise Faulty(f"{head}\n" + "\n".join(f"  {fault}" for fault in listed), todo=todo, faults=listed)


def faults_of(error: ValidationError, file: str, prefix: str, model: type[BaseModel], table: Mapping[str, Any]) -> Iterator[Fault]:
    """Pydantic's complaints in our words: what is wanted is the description of the field."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False, include_context=True):
        path = [part for part in detail["loc"] if isinstance(part, str) and not part.startswith("function-")]
        owner, field = _field(model, path)
        key = prefix + ".".join(path)
        if key in seen:  # a list with three wrong elements, a value wrong for every type of a union: one fault
            continue
        seen.add(key)
        hidden = _names_people(owner, field)
        got = _NOT_SHOWN if hidden else _value(table, detail["loc"])
        wanted = field.description if field and field.description else detail["msg"]
        if detail["type"] == "missing":
            got = "nothing"
        elif detail["type"] == "extra_forbidden":
            got, wanted = f"an unknown key{'' if hidden else f' (with {got})'}", _known_keys(owner, path[-1])
        elif detail["type"] == "value_error" and str(detail["ctx"]["error"]):
            wanted = str(detail["ctx"]["error"]).replace("\n", "\n           ")
        yield Fault(file, key, got, wanted)


def _field(model: type[BaseModel], path: list[str]) -> tuple[type[BaseModel], Any]:
    """(the model the last key belongs to, its field or None)."""
    field = None
    for depth, name in enumerate(path):
        field = model.model_fields.get(name)
        inner = field.annotation if field else None
        if depth < len(path) - 1 and isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
        else:
            break
    return model, field


def _names_people(owner: type[BaseModel], field: Any) -> bool:
    """Whether people's ids may stand there: in a field that is not printed, or around one, or under a key that may be meant for either."""
    if field is None:
        return any(_names_people(owner, beside) for beside in owner.model_fields.values())
    inner = field.annotation
    return not field.repr or (isinstance(inner, type) and issubclass(inner, BaseModel) and _names_people(inner, None))


def _value(table: Mapping[str, Any], location: tuple[int | str, ...]) -> str:
    """What stands there, shortened."""
    value: Any = table
    for part in location:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
    text = str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _known_keys(model: type[BaseModel], given: str) -> str:
    known = [name for name in model.model_fields if name != "name"]
    close = difflib.get_close_matches(given, known, n=1)
    return f"{close[0]}?  Known keys: {', '.join(known)}" if close else f"one of the known keys: {', '.join(known)}"
