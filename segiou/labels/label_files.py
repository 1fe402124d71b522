"""Label sets as text: JSON, and YAML where PyYAML is installed. What a file says wrong is named by its field."""

import json
import re
import reprlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from segiou.argument_checks import nearest
from segiou.environment.installed import installed

YAML = (".yaml", ".yml")
SUFFIXES = (".json", *YAML)
FIELDS = (
    "name",
    "class_names",
    "ignore_index",
    "ids",
    "palette",
    "ignored_colours",
    "groups",
    "reduce_zero_label",
    "instance_sizes",
)  # as LabelSet takes them

Pairs = Sequence[tuple[Any, Any]]


def is_label_file(text: str) -> bool:
    """Whether a text names a file of a label set, and not a preset."""
    return text.lower().endswith(SUFFIXES)


def read_fields(path: Path) -> dict[str, Any]:
    """The arguments of a label set from a file.

    Raises:
        ValueError: another suffix, text that is no JSON or YAML, fields that are unknown, missing or given twice.
        OSError: a file that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"a file of a label set must end with {', '.join(SUFFIXES)}, got {path.name!r}")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"must be text in UTF-8: {error}") from error
    found = _from_yaml(text) if suffix in YAML else _from_json(text)
    if not isinstance(found, dict):
        raise ValueError(f"must hold fields such as class_names, got {reprlib.repr(found)}")
    for field in found:
        if field not in FIELDS:
            hint = nearest(str(field), FIELDS) or f": the fields are {', '.join(FIELDS)}"
            raise ValueError(f"unknown field {field!r}{hint}")
    if "class_names" not in found:
        raise ValueError("the field class_names is missing: give a name for each class")
    found = {field: value for field, value in found.items() if value is not None}
    if "ids" in found:
        found["ids"] = _whole_keys(found["ids"])
    if "instance_sizes" in found:
        found["instance_sizes"] = _sizes(found["instance_sizes"], found["class_names"])
    return {"name": path.stem, **found}


def as_json(fields: dict[str, Any]) -> str:
    """Fields as JSON that people can edit: an entry a line."""
    parts = []
    for field, value in fields.items():
        lines = [json.dumps(value, ensure_ascii=False)]
        if isinstance(value, dict):
            entries = [f"{_key(key)}: {json.dumps(entry, ensure_ascii=False)}" for key, entry in value.items()]
            lines = ["{", *_listed(entries), " }"]
        elif isinstance(value, list) and field != "ignore_index":
            lines = ["[", *_listed([json.dumps(entry, ensure_ascii=False) for entry in value]), " ]"]
        parts.append(f" {_key(field)}: " + "\n".join(lines))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def as_yaml(fields: dict[str, Any]) -> str:
    """Fields as YAML. Raises a ValueError where PyYAML is not installed."""
    text: str = _yaml().safe_dump(fields, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return text


def writer_of(path: Path) -> Callable[[dict[str, Any]], str]:
    """What makes the text of a file of this name. Raises a ValueError for another suffix."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"a file of a label set must end with {', '.join(SUFFIXES)}, got {path.name!r}")
    return as_yaml if suffix in YAML else as_json


def _listed(entries: Iterable[str]) -> list[str]:
    return [f"  {entry}," for entry in entries][:-1] + [f"  {entry}" for entry in list(entries)[-1:]]


def _key(key: Any) -> str:
    return json.dumps(str(key), ensure_ascii=False)


def _from_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"is no JSON: {constant} is no number")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("is no JSON of a label set: it is nested too deep") from error


def _from_yaml(text: str) -> Any:
    yaml = _yaml()

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
        """As JSON has it: YAML 1.1 takes ``no`` for false, ``010`` for 8 and ``1:30`` for 90, and keys twice."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own name and form

    for tag, pattern, first in (
        ("null", r"(?:null|~|)$", ["n", "~", ""]),
        ("bool", r"(?:true|false)$", ["t", "f"]),
        ("int", r"-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
        ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)
    Loader.add_constructor(
        "tag:yaml.org,2002:map",
        lambda loader, node: once(
            [(loader.construct_object(k), loader.construct_object(v, True)) for k, v in node.value]
        ),
    )
    try:
        return yaml.load(text, Loader)  # the loader is a safe one
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"is no YAML of a label set: {error}") from error


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    return once(
        [(loader.construct_object(key, True), loader.construct_object(value, True)) for key, value in node.value]
    )


def _yaml() -> Any:
    if not installed("yaml"):
        raise ValueError("YAML needs PyYAML: pip install pyyaml, or write JSON")
    import yaml

    return yaml


def once(pairs: Pairs) -> dict[Any, Any]:
    """A mapping of pairs, none of whose keys comes twice: JSON and YAML would keep the last without a word."""
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise ValueError(f"keys must be texts or whole numbers, got {reprlib.repr(key)}")
        if key in found:
            raise ValueError(f"{key!r} is given twice")
        found[key] = value
    return found


def _whole_keys(ids: Any) -> Any:
    """``ids`` with whole numbers as keys: JSON has them as texts."""
    if not isinstance(ids, dict):
        raise ValueError(f"ids must map raw ids to classes, got {reprlib.repr(ids)}")
    found: dict[int, Any] = {}
    for key, value in ids.items():
        if isinstance(key, str) and not re.fullmatch(r"-?[0-9]{1,18}", key):
            raise ValueError(f"ids must have whole numbers as keys, got {key!r}")
        if int(key) in found:
            raise ValueError(f"ids must hold each raw id once, got {int(key)} twice")
        found[int(key)] = value
    return found


def _sizes(sizes: Any, names: Any) -> Any:
    """``instance_sizes`` by name or class id: a key that is no name of a class is its id."""
    if not isinstance(sizes, dict):
        raise ValueError(f"instance_sizes must map classes to pixels, got {reprlib.repr(sizes)}")
    known = names if isinstance(names, list) else []
    whole = {key: int(key) for key in sizes if isinstance(key, str) and re.fullmatch(r"[0-9]{1,18}", key)}
    return {key if key in known else whole.get(key, key): value for key, value in sizes.items()}
