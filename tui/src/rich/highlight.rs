//! Colours in code: comments, texts, numbers and the words a language keeps for itself. No grammar, and none needed to read
//! a few lines in a chat.

use crate::theme;
use ratatui::style::Style;

/// How a family of languages is written.
struct Language {
    names: &'static [&'static str],
    line_comments: &'static [&'static str],
    block_comment: Option<(&'static str, &'static str)>,
    quotes: &'static [char],
    words: &'static [&'static str],
}

const C_COMMENT: Option<(&str, &str)> = Some(("/*", "*/"));

const LANGUAGES: &[Language] = &[
    Language {
        names: &["rust", "rs"],
        line_comments: &["//"],
        block_comment: C_COMMENT,
        quotes: &['"'],
        words: &[
            "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum",
            "extern", "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod",
            "move", "mut", "pub", "ref", "return", "self", "Self", "static", "struct", "super",
            "trait", "true", "type", "unsafe", "use", "where", "while",
        ],
    },
    Language {
        names: &["python", "py", "python3"],
        line_comments: &["#"],
        block_comment: None,
        quotes: &['"', '\''],
        words: &[
            "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
            "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
            "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
            "return", "try", "while", "with", "yield",
        ],
    },
    Language {
        names: &["javascript", "js", "typescript", "ts", "jsx", "tsx"],
        line_comments: &["//"],
        block_comment: C_COMMENT,
        quotes: &['"', '\'', '`'],
        words: &[
            "async",
            "await",
            "break",
            "case",
            "catch",
            "class",
            "const",
            "continue",
            "default",
            "delete",
            "do",
            "else",
            "export",
            "extends",
            "false",
            "finally",
            "for",
            "from",
            "function",
            "if",
            "implements",
            "import",
            "in",
            "instanceof",
            "interface",
            "let",
            "new",
            "null",
            "of",
            "return",
            "static",
            "super",
            "switch",
            "this",
            "throw",
            "true",
            "try",
            "type",
            "typeof",
            "undefined",
            "var",
            "void",
            "while",
            "yield",
        ],
    },
    Language {
        names: &[
            "c", "h", "cpp", "c++", "cc", "hpp", "java", "csharp", "cs", "kotlin", "swift", "go",
        ],
        line_comments: &["//"],
        block_comment: C_COMMENT,
        quotes: &['"', '\''],
        words: &[
            "auto",
            "bool",
            "break",
            "case",
            "catch",
            "char",
            "class",
            "const",
            "continue",
            "default",
            "defer",
            "delete",
            "do",
            "double",
            "else",
            "enum",
            "extends",
            "false",
            "final",
            "float",
            "for",
            "fun",
            "func",
            "go",
            "if",
            "implements",
            "import",
            "include",
            "int",
            "interface",
            "let",
            "long",
            "map",
            "namespace",
            "new",
            "nil",
            "null",
            "nullptr",
            "override",
            "package",
            "private",
            "protected",
            "public",
            "range",
            "return",
            "select",
            "short",
            "signed",
            "sizeof",
            "static",
            "string",
            "struct",
            "super",
            "switch",
            "template",
            "this",
            "throw",
            "true",
            "try",
            "type",
            "typedef",
            "union",
            "unsigned",
            "using",
            "val",
            "var",
            "virtual",
            "void",
            "volatile",
            "when",
            "while",
        ],
    },
    Language {
        names: &["bash", "sh", "shell", "zsh", "console", "fish"],
        line_comments: &["#"],
        block_comment: None,
        quotes: &['"', '\''],
        words: &[
            "case", "cd", "do", "done", "echo", "elif", "else", "esac", "exit", "export", "fi",
            "for", "function", "if", "in", "local", "read", "return", "set", "shift", "sudo",
            "then", "trap", "unset", "until", "while",
        ],
    },
    Language {
        names: &["sql", "sqlite", "postgresql", "psql", "mysql"],
        line_comments: &["--"],
        block_comment: C_COMMENT,
        quotes: &['\'', '"'],
        words: &[
            "and",
            "as",
            "asc",
            "begin",
            "by",
            "case",
            "commit",
            "create",
            "delete",
            "desc",
            "distinct",
            "drop",
            "else",
            "end",
            "exists",
            "from",
            "group",
            "having",
            "in",
            "index",
            "inner",
            "insert",
            "into",
            "is",
            "join",
            "key",
            "left",
            "like",
            "limit",
            "not",
            "null",
            "on",
            "or",
            "order",
            "primary",
            "references",
            "select",
            "set",
            "table",
            "then",
            "union",
            "unique",
            "update",
            "values",
            "when",
            "where",
            "with",
        ],
    },
    Language {
        names: &["toml", "yaml", "yml", "ini", "conf", "nix", "dockerfile", "make", "makefile"],
        line_comments: &["#"],
        block_comment: None,
        quotes: &['"', '\''],
        words: &["false", "true", "null", "FROM", "RUN", "COPY", "let", "in", "with", "inherit"],
    },
    Language {
        names: &["json", "json5", "jsonc"],
        line_comments: &["//"],
        block_comment: C_COMMENT,
        quotes: &['"'],
        words: &["false", "null", "true"],
    },
];

/// The lines of `code`, each as parts with their style. A language that is not known is left plain.
pub(super) fn lines<'a>(code: &'a str, language: &str) -> Vec<Vec<(&'a str, Style)>> {
    let name = language.to_lowercase();
    let language = LANGUAGES.iter().find(|language| language.names.contains(&name.as_str()));
    let mut lines = vec![Vec::new()];
    let mut rest = code;
    while !rest.is_empty() {
        let (length, style) = match language {
            Some(language) => token(rest, language),
            None => (rest.len(), theme::PLAIN),
        };
        let (part, after) = rest.split_at(length);
        for (index, line) in part.split('\n').enumerate() {
            if index > 0 {
                lines.push(Vec::new());
            }
            if let Some(last) = lines.last_mut().filter(|_| !line.is_empty()) {
                last.push((line, style));
            }
        }
        rest = after;
    }
    lines
}

/// The length of what `rest` begins with, at least one character, and its style.
fn token(rest: &str, language: &Language) -> (usize, Style) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let first = rest.chars().next().unwrap_or(' ');
    if language.line_comments.iter().any(|sign| rest.starts_with(sign)) {
        return (rest.find('\n').unwrap_or(rest.len()), theme::CODE_COMMENT);
    }
    if let Some((open, close)) = language.block_comment.filter(|(open, _)| rest.starts_with(open)) {
        let end = rest.get(open.len()..).and_then(|inner| inner.find(close));
        let end = end.map_or(rest.len(), |at| open.len() + at + close.len());
        return (end, theme::CODE_COMMENT);
    }
    if language.quotes.contains(&first) {
        return (quoted(rest, first), theme::CODE_TEXT);
    }
    if is_word(first) {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let folded = word.to_lowercase();
        let style = if first.is_ascii_digit() {
            theme::CODE_NUMBER
        } else if language.words.contains(&word)
            || (language.names.contains(&"sql") && language.words.contains(&folded.as_str()))
        {
            theme::CODE_WORD
        } else {
            theme::PLAIN
        };
        return (length, style);
    }
    (first.len_utf8(), theme::PLAIN)
}

/// The length of a text in quotes, to the end of its line where it is not closed.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return at,
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            c if c == quote && !escaped => return at + c.len_utf8(),
            _ => {}
        }
        escaped = false;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::theme;

    #[test]
    fn a_known_language_has_colours_and_loses_no_letter() {
        let code = "let a = \"x\\\" y\"; // why\n/* two\nlines */ 42";
        let parts = lines(code, "Rust");
        let again: Vec<String> =
            parts.iter().map(|line| line.iter().map(|(text, _)| *text).collect()).collect();
        assert_eq!(again.join("\n"), code);
        let style = |text: &str| parts.iter().flatten().find(|part| part.0 == text).unwrap().1;
        assert_eq!(style("let"), theme::CODE_WORD);
        assert_eq!(style("\"x\\\" y\""), theme::CODE_TEXT);
        assert_eq!(style("// why"), theme::CODE_COMMENT);
        assert_eq!(style("lines */"), theme::CODE_COMMENT);
        assert_eq!(style("42"), theme::CODE_NUMBER);
    }

    #[test]
    fn an_unknown_language_stays_plain() {
        assert_eq!(
            lines("let x\n\ny", "klingon"),
            [vec![("let x", theme::PLAIN)], vec![], vec![("y", theme::PLAIN)]]
        );
    }
}
