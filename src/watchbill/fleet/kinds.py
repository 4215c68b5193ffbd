"""What a value of a fleet file may be: the types that the sections are made of, each with its part of the JSON Schema.

A value is judged in one of two ways. Plainly, as the JSON Schema judges it: exactly what that accepts is accepted. With
`WHOLE` as the context of a validation also by what no schema can say (that a day is in the calendar, that the end of a
host key is the end of one, that ``4.0`` was not meant): so is every file that is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar, get_args

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import PydanticCustomError, PydanticKnownError, core_schema

from watchbill.fleet import shapes, words
from watchbill.fleet.shapes import Shape

T = TypeVar("T")
JsonSchema = dict[str, Any]

WHOLE = {"whole": True}
# Below this key a part of the schema has the definitions, by name, of which schema.py makes references.
SHARED = "shared"
# What stands below this key is the name of one of them: pydantic would take a reference for one of its own.
AGAIN = "again"
MAX_COUNT = 1000
MAX_ENV = 128


def custom_error(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """Return a pydantic error that translate.py passes on as it is."""
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


def shape_schema(shape: Shape) -> JsonSchema:
    """Return the JSON Schema of one kind of text, by its name: schema.py puts it where all who use it refer to it."""
    length = {} if shape.longest is None else {"maxLength": shape.longest}
    reserved = {"not": {"enum": sorted(shape.reserved)}} if shape.reserved else {}
    rule = {"type": "string", "pattern": shape.pattern, **length, **reserved}
    advice = f"write {shape.description}; for example {shape.examples[0]}"
    told = {"description": shape.description, "examples": list(shape.examples), "patternErrorMessage": advice}
    return {SHARED: {shape.name: rule | told}}


@dataclass(frozen=True)
class Word:
    """A text with a meaning: `read` returns it, or raises Refused.

    Where the shape says everything, `read` refuses exactly what does not fit it. Else (`shape_only` false) it refuses
    more, and is asked only where the whole file is judged. `quantity`: what is a number with a unit, and not text.
    """

    shape: Shape
    read: Callable[[str], Any]
    shape_only: bool = True
    quantity: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        if self.shape_only:
            return core_schema.no_info_plain_validator_function(self._read)
        return core_schema.with_info_plain_validator_function(self._read_within)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        return shape_schema(self.shape)

    def _read(self, value: Any) -> Any:
        if not isinstance(value, str):
            self._no_text()
        try:
            return self.read(value)
        except words.Refused as refused:
            raise custom_error(refused.code, refused.message, refused.hint) from None

    def _read_within(self, value: Any, info: ValidationInfo) -> Any:
        if info.context is None and isinstance(value, str) and self.shape.fits(value):
            return value
        return self._read(value)

    def _no_text(self) -> NoReturn:
        if self.quantity:
            *examples, last = self.shape.examples
            hint = f"write it as {', '.join(examples)} or {last}"
            raise custom_error("wrong-type", f"{self.quantity} is a number with its unit", hint)
        raise PydanticKnownError("string_type")


@dataclass(frozen=True)
class Known:
    """One of a few names; another one is an error with the code ``unknown-KIND`` and, from translate.py, a hint."""

    kind: str
    names: tuple[str, ...]
    description: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {SHARED: {f"{self.kind}Name": {"description": self.description, "enum": list(self.names)}}}

    def _read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise PydanticKnownError("string_type")
        if value not in self.names:
            message = f'there is no {self.kind} "{words.shorten(value)}"'
            raise PydanticCustomError(f"unknown-{self.kind}", "{message}", {"message": message, "known": self.names})
        return value


@dataclass(frozen=True)
class Line:
    """Text on one line, for people or programs."""

    longest: int
    shortest: int = 0

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        text = core_schema.str_schema(strict=True, min_length=self.shortest, max_length=self.longest)
        return core_schema.no_info_after_validator_function(_one_line, text)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        shortest = {"minLength": self.shortest} if self.shortest else {}
        return {**shape_schema(shapes.LINE), **shortest, "maxLength": self.longest}


def _one_line(text: str) -> str:
    if not shapes.LINE.fits(text):
        raise custom_error("control-character", "this holds a control character", "write it on one line")
    return text


def _whole_number(value: Any, info: ValidationInfo) -> int:
    """Return an integer. JSON knows no difference between 4 and 4.0, so that a schema cannot refuse the second."""
    if type(value) is int:
        return value
    if info.context is None and isinstance(value, float) and value.is_integer():
        return int(value)
    raise PydanticKnownError("int_type")


@dataclass(frozen=True)
class Number:
    """A whole number in a range."""

    least: int
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        inner = core_schema.int_schema(ge=self.least, le=self.most)
        return core_schema.with_info_before_validator_function(_whole_number, inner)


@dataclass(frozen=True)
class Exactly:
    """One whole number."""

    number: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        inner = core_schema.literal_schema([self.number])
        return core_schema.with_info_before_validator_function(_whole_number, inner)


@dataclass(frozen=True)
class NumberOrWord:
    """A whole number from `least` on, or a text for which `read` does not raise Refused."""

    least: int
    read: Callable[[str], str]
    schema: JsonSchema
    message: str
    hint: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {"anyOf": [{"type": "integer", "minimum": self.least}, self.schema]}

    def _read(self, value: Any, info: ValidationInfo) -> int | str:
        try:
            if isinstance(value, str):
                return self.read(value)
            if (number := _whole_number(value, info)) >= self.least:
                return number
        except words.Refused as refused:
            raise custom_error(refused.code, refused.message, refused.hint) from None
        except PydanticKnownError:
            pass  # the same mistake as a number out of range
        raise custom_error("bad-value", self.message, self.hint)


@dataclass(frozen=True)
class AnySetting:
    """A value in words that are not ours: text, number, true or false, or a list or mapping of such."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        forms: list[JsonSchema] = [
            {"type": "string", "pattern": shapes.LINE.pattern, "maxLength": _LONGEST_SETTING},
            {"type": "number", "minimum": -_LARGEST_SETTING, "maximum": _LARGEST_SETTING},
            {"type": "boolean"},
            {"type": "array", "items": {AGAIN: "setting"}},
            {
                "type": "object",
                "propertyNames": {"pattern": shapes.LINE.pattern},
                "additionalProperties": {AGAIN: "setting"},
            },
        ]
        told = {"description": "what the runtime knows by this name", "examples": [{"allow": ["Bash(git *)"]}]}
        return {SHARED: {"setting": {"anyOf": forms} | told}}

    def _read(self, value: Any, info: ValidationInfo) -> Any:
        self._check(value, MAX_SETTING_DEPTH if info.context else None)
        return value

    def _check(self, value: Any, levels: int | None) -> None:
        """Raise where a value, or one in it, is none, or where it has more levels of lists and mappings than that."""
        if isinstance(value, str):
            _one_line(value)
            if len(value) > _LONGEST_SETTING:
                raise custom_error("too-long", f"a text in settings has at most {_LONGEST_SETTING} characters")
        elif isinstance(value, (list, dict)):
            if levels == 0:
                raise custom_error("too-deep", f"settings have at most {MAX_SETTING_DEPTH} levels")
            for name in value if isinstance(value, dict) else ():
                _one_line(name) if isinstance(name, str) else self._refuse()
            for one in value.values() if isinstance(value, dict) else value:
                self._check(one, None if levels is None else levels - 1)
        elif not isinstance(value, (bool, int, float)) or not -_LARGEST_SETTING <= value <= _LARGEST_SETTING:
            self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        hint = f"write text, true or false, a number up to {_LARGEST_SETTING:.0e}, a list or a mapping"
        raise custom_error("bad-value", "this is no value of a setting", hint)


MAX_SETTINGS = 100
MAX_SETTING_DEPTH = 8
_LONGEST_SETTING = 4096
_LARGEST_SETTING = 10**15


def _none(text: str) -> str:
    if text != "none":
        raise words.Refused("bad-value", _DELETIONS, _DELETIONS_HINT)
    return text


_DELETIONS, _DELETIONS_HINT = "this is how many deletions one apply may do", "write none, or a number from 0 on"


@dataclass(frozen=True)
class Meanings:
    """What each of the values means that a key may have."""

    of: Mapping[str, str] = field(hash=False)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        return handler(schema) | {"enumDescriptions": list(self.of.values())}


@dataclass(frozen=True)
class WhereGiven:
    """Says of ``X | None`` that None stands for a missing key only: a key that is there has a value."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


ABSENT = object()


@dataclass(frozen=True)
class OrIncluded:
    """Marks a section that a fleet must have, but not its top file where that includes others."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_wrap_validator_function(self._read, handler(source))

    @staticmethod
    def _read(value: Any, read: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if value is not ABSENT:
            return read(value)
        if info.context is None and info.data.get("include"):
            return ()
        raise PydanticKnownError("missing")


@dataclass(frozen=True)
class TextOrMapping:
    """Says of ``Section | text`` that a mapping is judged as the section, and anything else as the text."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        section, text = (handler.generate_schema(option) for option in get_args(source))
        return core_schema.tagged_union_schema(
            {self.TEXT: text, self.MAPPING: section},
            lambda value: self.MAPPING if isinstance(value, (dict, BaseModel)) else self.TEXT,
        )

    # What the path of a mistake has at the end of the value's own: no key can be called so.
    MAPPING: ClassVar[str] = "[mapping]"
    TEXT: ClassVar[str] = "[text]"


Maybe = Annotated[T | None, WhereGiven()]

Name = Annotated[str, Word(shapes.NAME, words.name)]
RosterName = Annotated[str, Word(shapes.ROSTER_NAME, lambda text: words.name(text, kind="an agent name", base=True))]
TenantName = Annotated[str, Word(shapes.TENANT_NAME, words.tenant_name)]
HostName = Annotated[str, Word(shapes.HOST_NAME, words.host_name)]
LabelValue = Annotated[str, Word(shapes.LABEL, words.label)]
Alias = Annotated[str, Word(shapes.ALIAS, words.alias, shape_only=False)]
Login = Annotated[str, Word(shapes.LOGIN, words.login)]
ModelName = Annotated[str, Word(shapes.MODEL, words.model)]
Version = Annotated[str, Word(shapes.VERSION, words.version)]
Branch = Annotated[str, Word(shapes.BRANCH, words.branch)]
RuntimeName = Annotated[str, Known("runtime", words.KNOWN_RUNTIMES, "the program that is the agent")]

AgentName = Annotated[str, Word(shapes.AGENT, words.agent)]
Webhook = Annotated[str, Word(shapes.WEBHOOK, words.webhook)]
Registry = Annotated[str, Word(shapes.REGISTRY, words.registry)]
SettingName = Annotated[str, Word(shapes.SETTING_NAME, words.setting_name)]
Settings = Annotated[dict[SettingName, Annotated[Any, AnySetting()]], Field(max_length=MAX_SETTINGS)]

Text = Annotated[str, Line(1000)]
Argument = Annotated[str, Line(4096)]
EnvName = Annotated[str, Word(shapes.ENV_NAME, words.env_name)]
Variable = Annotated[str, Word(shapes.VARIABLE, words.variable)]

Duration = Annotated[float, Word(shapes.DURATION, words.duration, quantity="a duration")]
Span = Annotated[float, Word(shapes.SPAN, words.span, quantity="a time")]
Grace = Annotated[float, Word(shapes.GRACE, words.grace, quantity="a duration")]
Memory = Annotated[int, Word(shapes.MEMORY, words.memory, quantity="memory")]
Processors = Annotated[int, Word(shapes.PROCESSORS, words.processors, quantity="a share of processors")]
CountOrShare = Annotated[
    int | str,
    NumberOrWord(
        1,
        words.percent,
        shape_schema(shapes.PERCENT),
        "this is how many hosts change at the same time",
        "write 1, 2, … or 25%",
    ),
]
CountOrNone = Annotated[int | str, NumberOrWord(0, _none, {"const": "none"}, _DELETIONS, _DELETIONS_HINT)]

Day = Annotated[str, Word(shapes.DATE, words.date, shape_only=False)]
Window = Annotated[str, Word(shapes.WINDOW, words.window)]
Days = Annotated[str, Word(shapes.DAYS, words.days)]
Timezone = Annotated[str, Word(shapes.TIMEZONE, words.timezone)]

TenantPath = Annotated[str, Word(shapes.PATH, words.path, shape_only=False)]
FilePath = Annotated[
    str, Word(shapes.FILE_PATH, lambda text: words.relative_path(text, "a file of the fleet"), shape_only=False)
]
IncludePath = Annotated[
    str,
    Word(
        shapes.INCLUDE_PATH,
        lambda text: words.relative_path(text, "an included file", wildcard=True),
        shape_only=False,
    ),
]
IgnorePath = Annotated[str, Word(shapes.IGNORE_PATH, words.ignore_path, shape_only=False)]
Address = Annotated[str, Word(shapes.ADDRESS, words.address, shape_only=False)]
HostKey = Annotated[str, Word(shapes.HOST_KEY, words.host_key, shape_only=False)]
Repository = Annotated[str, Word(shapes.REPOSITORY, words.repository, shape_only=False)]
