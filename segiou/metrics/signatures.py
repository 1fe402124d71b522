"""What ``help`` shows of a class or a function, and what a call with a wrong argument is told.

The one line ``**kwargs: Unpack[ScoreMetricArguments]`` stands for twenty arguments. Here they take its place: in
``__signature__``, which ``help``, ``inspect.signature`` and jsonargparse read, and in the docstring's section "Args".
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from typing_extensions import Unpack

from segiou.argument_checks import nearest
from segiou.counting.torch_compile import uncompiled
from segiou.metrics import arguments
from segiou.metrics.arguments import DEFAULTS

Function = TypeVar("Function", bound=Callable[..., Any])

# What libraries around us call an argument, and what to do here; shown where the class has the argument that is named.
ELSEWHERE = {
    "include_background": ("exclude", "for include_background=False pass exclude=0, for True leave it out"),
    "per_class": ("average", 'for a score of each class pass average="none"'),
    "zero_division": ("absent", "for the score of a class that is absent pass absent=0.0, or another number"),
    "input_format": (
        "",
        "whether preds are labels or scores is read off their shape; pass one-hot maps as preds.argmax(1) and "
        "target.argmax(1)",
    ),
    "multidim_average": ("", "all images are counted together; for scores of single images use segiou.Imagewise"),
}
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Call(NamedTuple):
    """How a class or a function is called.

    ``positional``: the parameters that may be given by place. ``names``: those that may be given by name. ``refused``:
    names that it would hand on and that have no meaning for it. ``closed``: whether ``names`` are all there are.
    """

    signature: Signature
    positional: tuple[str, ...]
    names: frozenset[str]
    refused: frozenset[str]
    closed: bool

    @classmethod
    def of(cls, signature: Signature, refused: frozenset[str] = frozenset()) -> "Call":
        """Read a signature."""
        parameters = signature.parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        return cls(
            signature,
            tuple(p.name for p in parameters if p.kind in POSITIONAL),
            frozenset(p.name for p in parameters if p.kind in (*POSITIONAL[1:], Parameter.KEYWORD_ONLY)),
            refused,
            closed=not kinds & {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD},
        )

    def require(self, owner: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise for arguments that are not there, in the name of what the user called.

        Raises:
            TypeError: too many arguments by place, or an unknown name.
            ValueError: an argument that other metrics have, and that has no meaning for this one.
        """
        if self.closed and len(args) > len(self.positional):
            taken = ", ".join(self.positional) or "none"
            raise TypeError(
                f"{owner} takes {len(self.positional)} arguments by position ({taken}), got {len(args)}: "
                "name the others, as in ignore_index=255"
            )
        if self.closed and not kwargs.keys() <= self.names:
            name = next(name for name in kwargs if name not in self.names)
            raise wrong_name(owner, name, kwargs[name], self.names)
        for name in self.refused.intersection(kwargs):
            raise wrong_name(owner, name, kwargs[name], self.names)


def wrong_name(owner: str, name: str, value: Any, names: Iterable[str]) -> Exception:
    """The error for an argument that is not one of ``names``."""
    names = sorted(set(names))
    here, remedy = ELSEWHERE.get(name, (None, ""))
    if here is not None and (here in names or not here):
        return TypeError(f"{owner} has no argument {name!r}: {remedy}")
    if name in DEFAULTS:
        return ValueError(f"{name} does not apply to {owner}: leave it out, got {name}={value!r}")
    remedy = nearest(name, names) or f": it takes {', '.join(names)}"
    return TypeError(f"{owner} has no argument {name!r}{remedy}")


def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature, with the arguments of an unpacked ``TypedDict`` in the place of ``**kwargs``."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    last = parameters[-1] if parameters else None
    shared = _unpacked(last.annotation) if last and last.kind is Parameter.VAR_KEYWORD else None
    if shared is not None:
        parameters[-1:] = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=DEFAULTS[name], annotation=hint)
            for name, hint in get_type_hints(shared).items()
        ]
    return signature.replace(parameters=[_plain(parameter) for parameter in parameters])


def _plain(parameter: Parameter) -> Parameter:
    """With a default that any file of settings can hold."""
    plain = isinstance(parameter.default, arguments.OwnAverage)
    return parameter.replace(default=str(parameter.default)) if plain else parameter


def _unpacked(annotation: Any) -> Any:
    """The ``TypedDict`` of ``Unpack[TypedDict]``, or None."""
    return get_args(annotation)[0] if get_origin(annotation) is Unpack else None


def without_self(signature: Signature) -> Signature:
    """The signature of a class, of that of its ``__init__``."""
    return signature.replace(parameters=list(signature.parameters.values())[1:], return_annotation=Signature.empty)


def sign_class(cls: type, base: Call | None = None) -> Call:
    """Show the arguments of a class in its signature and its docstring.

    Args:
        cls: its ``__init__`` and its docstring are written to.
        base: how its base class is called; a class that takes ``**kwargs`` hands them on to it.
    """
    init = vars(cls).get("__init__")
    if init is not None:
        init.__signature__ = signature_of(init)
    signature = without_self(inspect.signature(cls.__init__))  # type: ignore[misc]
    call = Call.of(signature)
    if base is not None and not call.closed:
        unknown = base.refused | (DEFAULTS.keys() - base.names if base.closed else set())
        call = Call.of(signature, frozenset(unknown - call.names))
    own = vars(cls).get("__doc__")
    if own:
        parents = [vars(parent).get("__doc__") or "" for parent in cls.__mro__[1:] if parent is not object]
        cls.__doc__ = with_arguments(own, signature, parents)
    return call


def signed(like: type) -> Callable[[Function], Function]:
    """Show the arguments of a function, and refuse wrong ones in its name.

    Args:
        like: the metric that it makes, whose docstring describes what the function's own does not.
    """

    def decorate(function: Function) -> Function:
        call = Call.of(signature_of(function))
        run = uncompiled(function)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            call.require(f"{function.__name__}()", args, kwargs)
            return run(*args, **kwargs)

        checked.__signature__ = call.signature  # type: ignore[attr-defined]
        if function.__doc__:
            updates = (getattr(like, name, None) for name in ("update", "update_confmat"))
            texts = [like.__doc__ or "", *(inspect.getdoc(update) or "" for update in updates)]
            checked.__doc__ = with_arguments(function.__doc__, call.signature, texts)
        return cast(Function, checked)

    return decorate


def with_arguments(doc: str, signature: Signature, others: Iterable[str] = ()) -> str:
    """A docstring whose section "Args" describes every parameter: by its own words, those of others, or the shared."""
    lines = inspect.cleandoc(doc).splitlines()
    start, end = _section(lines)
    known: dict[str, str] = {}
    for text in (doc, *others):
        known = _entries(text) | known
    known = _shared_entries() | known
    described = [f"    {name}: {known[name]}" for name in signature.parameters if name in known and name != "kwargs"]
    if not described:
        return "\n".join(lines)
    section = ["Args:", *"\n".join(described).splitlines()]
    before, after = lines[:start], lines[end:]
    if start == end:
        section.append("")
        before += [""] if before and before[-1] else []
    return "\n".join([*before, *section, *after])


def _section(lines: list[str]) -> tuple[int, int]:
    """Where the section "Args" is; where there is none, where it would be."""
    if "Args:" in lines:
        start = lines.index("Args:")
        end = next((i for i in range(start + 1, len(lines)) if not lines[i].startswith("    ")), len(lines))
        return start, end
    for i, line in enumerate(lines):
        if line == "Raises:" or line.startswith((">>>", "Source:")):
            return i, i
    return len(lines), len(lines)


def _entries(doc: str) -> dict[str, str]:
    """The parameters that the section "Args" of a docstring describes, and what it says."""
    lines = inspect.cleandoc(doc).splitlines()
    start, end = _section(lines)
    found: dict[str, str] = {}
    name = ""
    for line in lines[start + 1 : end]:
        entry = re.match(r"    (\w+): (.*)", line)
        if entry:
            name, found[entry[1]] = entry[1], entry[2]
        elif name:
            found[name] += "\n" + line
    return found


@functools.cache
def _shared_entries() -> dict[str, str]:
    found: dict[str, str] = {}
    for part in vars(arguments).values():
        if isinstance(part, type) and part.__module__ == arguments.__name__:
            found |= _entries(part.__doc__ or "")
    return found


class _ClassSignature:
    """The signature of a class; an instance has another one, that of ``forward``."""

    def __get__(self, instance: Any, owner: Any) -> Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        call: Call = owner.call_of
        return call.signature


class Signed:
    """A class that shows its arguments, and refuses wrong ones in the name of the class that was called."""

    call_of: ClassVar[Call] = Call(Signature(), (), frozenset(), frozenset(), closed=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read the arguments of a subclass off its ``__init__``."""
        super().__init_subclass__(**kwargs)
        cls.call_of = sign_class(cls, cls.call_of)

    if not TYPE_CHECKING:  # checkers read ``__init__``
        __signature__ = _ClassSignature()

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            """Check the arguments; ``__init__`` takes them."""
            if kwargs or (args and args[0] != "training"):  # torchmetrics pickles the names of attributes as arguments
                cls.call_of.require(cls.__name__, args, kwargs)
            return super().__new__(cls)
