"""What each language calls its functions, blocks, strings and comments; a table, it never parses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a part of a program is, the same word in every language."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    BLOCK = "block"
    STATEMENT = "statement"
    EXPRESSION = "expression"
    ARGUMENTS = "arguments"
    PARAMETERS = "parameters"
    IDENTIFIER = "identifier"
    STRING = "string"
    COMMENT = "comment"
    INTERPOLATION = "interpolation"


@dataclass(frozen=True)
class Language:
    """A language with a grammar.

    ``grammar`` is the module of the grammar wheel and ``entry`` its function. ``line_comment``
    and ``block_comment`` are the markers, ``quotes`` the string delimiters, longest first;
    strings in ``multiline_quotes`` may span lines. ``braces`` tells whether ``{`` opens a block.
    """

    name: str
    grammar: str
    entry: str = "language"
    line_comment: str = "//"
    block_comment: tuple[str, str] | None = ("/*", "*/")
    quotes: tuple[str, ...] = ('"', "'")
    multiline_quotes: frozenset[str] = frozenset()
    braces: bool = True
    indent: str = "    "


PYTHON = Language(
    "python",
    "tree_sitter_python",
    line_comment="#",
    block_comment=None,
    quotes=('"""', "'''", '"', "'"),
    multiline_quotes=frozenset({'"""', "'''"}),
    braces=False,
)
JAVASCRIPT = Language(
    "javascript",
    "tree_sitter_javascript",
    quotes=('"', "'", "`"),
    multiline_quotes=frozenset({"`"}),
    indent="  ",
)
TYPESCRIPT = Language(
    "typescript",
    "tree_sitter_typescript",
    "language_typescript",
    quotes=('"', "'", "`"),
    multiline_quotes=frozenset({"`"}),
    indent="  ",
)
TSX = Language(
    "typescriptreact",
    "tree_sitter_typescript",
    "language_tsx",
    quotes=('"', "'", "`"),
    multiline_quotes=frozenset({"`"}),
    indent="  ",
)
GO = Language(
    "go",
    "tree_sitter_go",
    quotes=('"', "'", "`"),
    multiline_quotes=frozenset({"`"}),
    indent="\t",
)
RUST = Language("rust", "tree_sitter_rust", quotes=('"', "'"), multiline_quotes=frozenset({'"'}))
JAVA = Language(
    "java",
    "tree_sitter_java",
    quotes=('"""', '"', "'"),
    multiline_quotes=frozenset({'"""'}),
)
C = Language("c", "tree_sitter_c")
CPP = Language("cpp", "tree_sitter_cpp")

# editor's language id -> language
LANGUAGES: dict[str, Language] = {
    "python": PYTHON,
    "javascript": JAVASCRIPT,
    "javascriptreact": JAVASCRIPT,
    "typescript": TYPESCRIPT,
    "typescriptreact": TSX,
    "go": GO,
    "rust": RUST,
    "java": JAVA,
    "c": C,
    "cpp": CPP,
}

SUFFIXES = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascriptreact",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "typescriptreact",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hh": "cpp",
    ".hpp": "cpp",
}


def language_id(file_name: str) -> str:
    """The editor's language id for a file name; ``plaintext`` when it is not one of ours."""
    dot = file_name.rfind(".")
    return SUFFIXES.get(file_name[dot:].lower() if dot >= 0 else "", "plaintext")


# In Python the statement that owns a block, and not the block, is there while the body is empty.
PYTHON_BLOCK_OWNERS = frozenset(
    {
        "if_statement",
        "elif_clause",
        "else_clause",
        "for_statement",
        "while_statement",
        "with_statement",
        "try_statement",
        "except_clause",
        "except_group_clause",
        "finally_clause",
        "match_statement",
        "case_clause",
    }
)

# Node types of all grammars; those with the same name mean the same in each.
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("module", "program", "source_file", "translation_unit"), Kind.MODULE),
    **dict.fromkeys(
        (
            "class_definition",
            "class_declaration",
            "class",
            "interface_declaration",
            "enum_declaration",
            "type_spec",
            "impl_item",
            "trait_item",
            "struct_item",
            "enum_item",
            "union_item",
            "mod_item",
            "record_declaration",
            "struct_specifier",
            "class_specifier",
            "union_specifier",
            "enum_specifier",
            "namespace_definition",
        ),
        Kind.CLASS,
    ),
    **dict.fromkeys(
        (
            "function_definition",
            "function_declaration",
            "generator_function_declaration",
            "function_expression",
            "arrow_function",
            "method_definition",
            "method_declaration",
            "constructor_declaration",
            "func_literal",
            "function_item",
            "closure_expression",
            "lambda_expression",
            "lambda",
        ),
        Kind.FUNCTION,
    ),
    **dict.fromkeys(
        (
            "block",
            "statement_block",
            "compound_statement",
            "class_body",
            "interface_body",
            "enum_body",
            "declaration_list",
            "field_declaration_list",
            "constructor_body",
            "match_block",
            "switch_body",
            "switch_block",
        ),
        Kind.BLOCK,
    ),
    **dict.fromkeys(
        (
            "expression_statement",
            "return_statement",
            "assert_statement",
            "raise_statement",
            "delete_statement",
            "pass_statement",
            "break_statement",
            "continue_statement",
            "import_statement",
            "import_from_statement",
            "if_statement",
            "for_statement",
            "while_statement",
            "with_statement",
            "try_statement",
            "match_statement",
            "decorated_definition",
            "lexical_declaration",
            "variable_declaration",
            "local_variable_declaration",
            "field_declaration",
            "declaration",
            "let_declaration",
            "short_var_declaration",
            "assignment_statement",
            "throw_statement",
            "do_statement",
            "switch_statement",
            "enhanced_for_statement",
            "for_in_statement",
            "for_range_loop",
            "const_declaration",
            "var_declaration",
            "use_declaration",
            "preproc_include",
            "import_declaration",
        ),
        Kind.STATEMENT,
    ),
    **dict.fromkeys(("argument_list", "arguments"), Kind.ARGUMENTS),
    **dict.fromkeys(
        ("parameters", "formal_parameters", "parameter_list", "closure_parameters"),
        Kind.PARAMETERS,
    ),
    **dict.fromkeys(
        (
            "binary_operator",
            "boolean_operator",
            "not_operator",
            "unary_operator",
            "comparison_operator",
            "conditional_expression",
            "call",
            "call_expression",
            "method_invocation",
            "macro_invocation",
            "attribute",
            "member_expression",
            "field_expression",
            "selector_expression",
            "field_access",
            "subscript",
            "subscript_expression",
            "index_expression",
            "array_access",
            "list",
            "tuple",
            "dictionary",
            "set",
            "object",
            "array",
            "list_comprehension",
            "dictionary_comprehension",
            "set_comprehension",
            "generator_expression",
            "binary_expression",
            "unary_expression",
            "ternary_expression",
            "assignment_expression",
            "new_expression",
            "object_creation_expression",
            "composite_literal",
            "struct_expression",
            "await",
            "await_expression",
        ),
        Kind.EXPRESSION,
    ),
    **dict.fromkeys(
        (
            "identifier",
            "property_identifier",
            "shorthand_property_identifier",
            "field_identifier",
            "type_identifier",
            "package_identifier",
            "namespace_identifier",
        ),
        Kind.IDENTIFIER,
    ),
    **dict.fromkeys(
        (
            "string",
            "template_string",
            "interpreted_string_literal",
            "raw_string_literal",
            "rune_literal",
            "string_literal",
            "char_literal",
            "regex",
        ),
        Kind.STRING,
    ),
    **dict.fromkeys(("comment", "line_comment", "block_comment"), Kind.COMMENT),
    **dict.fromkeys(("interpolation", "template_substitution"), Kind.INTERPOLATION),
}
