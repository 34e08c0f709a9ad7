"""Where watched text is: brackets, blocks, statement and expression before the cursor; it reads no text itself."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field

from assist.analysis.lexer import LexState, Token
from assist.analysis.monitors.blocks import CodeBlock
from assist.analysis.monitors.slot import Bracket, Frame, Role, Slot, Use

SOFT_KEYWORDS = frozenset({"match", "case", "type"})

NARROWING = ("isinstance", "issubclass", "hasattr", "callable", "type")
_NARROWED_END = re.compile(r"\s*(?:[,)]|:=)")

_BINDING_STARTS = frozenset({"(", ",", "*", "**", "/", "[", "lambda"})
_EXCEPTION_ENDS = frozenset({":", ",", ")", "as", "", "from"})


@dataclass(slots=True)
class Place:
    """Where the text is: open brackets and blocks, the statement, the expression before the cursor.

    ``copy`` is cheap: what it holds is never changed, only replaced. Offsets count from the start
    of the watched text, which starts at a statement.
    """

    text: str = ""
    lex: LexState = field(default_factory=LexState)
    frames: tuple[Frame, ...] = ()
    blocks: tuple[CodeBlock, ...] = ()
    bound: dict[str, str] = field(default_factory=dict)
    bound_before: dict[str, str] | None = None  # without the import that an alias may follow
    closed: CodeBlock | None = None  # the block that ended before this statement
    word: str = ""  # the keyword that opened the statement
    first: str = ""  # the first token of the statement
    last: str = ""  # the token before, empty at the start of a statement
    last_end: int = 0
    is_async: bool = False
    phase: str = ""  # module, imported, alias, name, global, conversion
    module: str = ""
    operand: bool = False
    dot: bool = False
    primary: int = 0  # start of the expression that ends here or that the dot follows
    undecided: tuple[Role, Token] | None = None
    targets: tuple[tuple[str, int], ...] = ()
    may_target: bool = True
    assigned: tuple[str, ...] = ()
    commas: bool = False  # whether the targets of an assignment are several
    compared: str = ""  # the left side of the comparison that the cursor is right of
    stored: frozenset[tuple[str, str]] = (
        frozenset()
    )  # attributes that were assigned: receiver, name
    value_start: int = 0
    waiting_for_in: tuple[int, ...] = ()  # depths of brackets of a "for" without its "in"
    looped: tuple[str, ...] = ()  # names that the last "for" binds
    loop: tuple[int, int] | None = None  # where its iterable starts, and the brackets around
    comprehended: frozenset[str] = frozenset()  # names that comprehensions have bound
    outside: tuple[tuple[int, dict[str, str]], ...] = ()  # what was bound before them, by bracket
    meaning: str = ""  # of the name that follows "as"
    lambdas: tuple[int, ...] = ()
    strings: tuple[tuple[int, int, int], ...] = ()  # start of expression, brackets around, text
    indent: str = ""
    line_start: bool = True
    after_header: bool = False
    chained: bool = False  # whether the undecided name directly follows an assignment's "="
    ended: bool = False  # whether the last token ended a statement
    slots: list[Slot] = field(default_factory=list)

    def copy(self) -> Place:
        other = copy.copy(self)
        other.slots = []
        return other

    def role(self) -> Role | None:
        """Role of a name that starts here; none for one that is bound here or means nothing."""
        if self.dot:
            return Role.ATTRIBUTE
        by_phase = {
            "module": Role.MODULE,
            "imported": Role.IMPORTED,
            "name": Role.DEFINITION,
            "conversion": Role.CONVERSION,
        }
        if self.phase in by_phase and not (self.operand and self.phase in ("module", "imported")):
            return by_phase[self.phase]
        if self.phase in ("alias", "global") or self.binds():
            return None
        if self.operand:
            return Role.OPERATOR_WORD
        frame = self.frames[-1] if self.frames else None
        if frame is not None and frame.kind is Bracket.CALL and self.last in ("(", ","):
            return Role.ARGUMENT
        if not self.last or (self.last == "async" and not self.frames):
            return Role.STATEMENT
        return Role.NAME

    def binds(self) -> bool:
        """Whether a name here is a parameter or a target of ``for``."""
        depth = len(self.frames)
        if self.lambdas and self.lambdas[-1] == depth and self.last in _BINDING_STARTS:
            return True
        if self.waiting_for_in:
            inner = self.frames[self.waiting_for_in[-1] :]
            return all(frame.kind in (Bracket.GROUP, Bracket.LIST) for frame in inner)
        top = self.frames[-1] if self.frames else None
        return top is not None and top.kind is Bracket.PARAMETERS and self.last in _BINDING_STARTS

    def may_store(self) -> bool:
        """Whether the expression before may still turn out to be the target of an assignment."""
        return self.may_target and all(
            frame.kind in (Bracket.GROUP, Bracket.LIST) for frame in self.frames
        )

    def use_of_name(self, following: str) -> Use:
        grouped = all(frame.kind is Bracket.GROUP for frame in self.frames)
        if self.word == "except" and grouped and following.strip() in _EXCEPTION_ENDS:
            return Use.EXCEPT
        if self.word == "raise" and grouped and (following == "(" or not following.strip()):
            return Use.RAISE
        if self.word == "case":
            return Use.PATTERN
        ends = following == "(" or not following.strip()
        return Use.DECORATOR if self.word == "@" and not self.frames and ends else Use.PLAIN

    def take_operand(self, start: int) -> None:
        self.operand, self.primary, self.dot = True, start, False

    def bind(self, name: str) -> None:
        self.bound = {**self.bound, name: self.meaning}
        self.meaning = ""
        if self.waiting_for_in:
            self.looped = (*self.looped, name)
            if self.frames:
                self.comprehended |= {name}

    def end_iterable(self) -> None:
        """The iterable of the last ``for`` ends here: one item of it is what its name means."""
        if self.loop is None or self.loop[1] != len(self.frames):
            return
        text = self.text[self.loop[0] : self.last_end].strip()
        if len(self.looped) == 1 and text:
            self.bound = {**self.bound, self.looped[0]: f"[_ for _ in {text}][0]"}
        self.loop = None

    def bind_targets(self) -> None:
        self.assigned = (*self.assigned, *(name for name, _ in self.targets))
        self.bound = {**self.bound, **dict.fromkeys((name for name, _ in self.targets), "")}
        self.targets = ()

    def read_targets(self) -> None:
        for name, start in self.targets:
            self.slots.append(self.slot(Role.NAME, name, start, True))
        self.targets = ()

    def end_statement(self, at: int) -> None:
        self.ended = True
        self.read_targets()
        if len(self.assigned) == 1 and not self.commas:
            value = self.text[self.value_start : self.last_end]
            self.bound = {**self.bound, self.assigned[0]: f"({value.strip()})"}
        self.word = self.first = self.last = self.phase = self.module = ""
        self.operand = self.dot = self.is_async = self.commas = False
        self.may_target = True
        self.assigned = self.targets = ()
        self.waiting_for_in = self.lambdas = ()
        self.loop, self.meaning = None, ""
        self.outside = ()
        self.undecided = None
        self.primary = at
        if not self.after_header:
            self.closed = None

    def receiver(self, end: int) -> str:
        """Text of the expression that ends before the dot or bracket at ``end``.

        Empty where the watched text asks for its type, so that it may be more than its definition
        says.
        """
        text = self.text[self.primary : end].rstrip().removesuffix(".").rstrip()
        return "" if self._asks_for_type(text) else text

    def _asks_for_type(self, expression: str) -> bool:
        """Whether the text asks for the type of exactly this expression, not of a longer one."""
        for question in NARROWING:
            asked = f"{question}({expression}"
            at = self.text.find(asked)
            while at >= 0:
                if _NARROWED_END.match(self.text, at + len(asked)):
                    return True
                at = self.text.find(asked, at + 1)
        return False

    def slot(
        self,
        role: Role,
        text: str,
        start: int,
        complete: bool,
        subject: str | None = None,
        use: Use = Use.PLAIN,
    ) -> Slot:
        if subject is None:
            subject = self.subject(role, start)
        return Slot(
            role,
            text,
            start,
            complete,
            subject,
            use,
            self.frames,
            self.blocks,
            self.word,
            self.last,
            self.bound,
            self.stored,
        )

    def subject(self, role: Role, start: int) -> str:
        if role is Role.ATTRIBUTE:
            return self.receiver(start)
        if role in (Role.MODULE, Role.IMPORTED):
            return self.module
        if role is Role.STRING:
            if "__all__" in self.assigned:
                return "__all__"
            if self.last in ("==", "!="):
                return self.compared
        frame = self.frames[-1] if self.frames else None
        return frame.subject if frame is not None else ""
