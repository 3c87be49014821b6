//! A file of the project as `tidy` wants to see it: code apart from comments and literals.
//!
//! This is a scanner, not a parser. It knows enough of Rust and SQL to tell what is code, and
//! replaces the rest by blanks, so that a line number in `code` is a line number in the file.

use std::path::Path;

pub struct Source {
    pub path: String,
    pub text: String,
    /// The text without comments, literals and `#[cfg(test)]` items.
    pub code: String,
    /// Each string literal with the line it begins on. A SQL file is one literal, from line 1.
    pub literals: Vec<(usize, String)>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let sql = path.ends_with(".sql");
        let (code, literals) = split(text, sql);
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            literals: if sql {
                vec![(1, code.clone())]
            } else {
                literals
            },
            code: without_tests(code),
        }
    }

    /// Every readable text file below the given folders of the project, in the order of paths.
    pub fn below(folders: &[&str]) -> Vec<Source> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in folders {
            collect(&root.join(folder), folder, &mut found);
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// The parts of the path below `src`, without `.rs`: `["ledger", "execute"]`.
    fn parts(&self) -> Vec<&str> {
        let Some(below) = self.path.strip_prefix("src/") else {
            return Vec::new();
        };
        below.split('/').map(stem).collect()
    }

    /// The top-level module this file belongs to; `lib.rs` and the binaries belong to none.
    pub fn module(&self) -> Option<&str> {
        let first = self.parts().first().copied();
        first.filter(|name| !["lib", "main", "bin"].contains(name))
    }

    /// The lines of code that have `word`, not as a part of a longer one.
    pub fn lines_with(&self, word: &str) -> Vec<usize> {
        let line = |at| line_of(&self.code, at);
        places(&self.code, word).map(line).collect()
    }

    /// The top-level names of this crate that the code has a path to, with the lines.
    pub fn reaches(&self) -> Vec<(usize, String)> {
        let parts = self.parts();
        let depth = parts.iter().filter(|part| **part != "mod").count();
        let mut reached = Vec::new();
        for root in ["crate::".to_owned(), "super::".repeat(depth)] {
            for at in places(&self.code, &root).filter(|_| depth > 0) {
                let names = heads(&self.code[at + root.len()..]);
                reached.extend(names.map(|name| (line_of(&self.code, at), name)));
            }
        }
        reached
    }
}

fn collect(folder: &Path, name: &str, found: &mut Vec<Source>) {
    let Ok(entries) = folder.read_dir() else {
        return; // a folder the project does not have yet
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            collect(&path, &name, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found.push(Source::new(&name, &text));
        }
    }
}

pub fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Where `word` stands by itself in `text`.
pub fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joins = |a: Option<char>, b: Option<char>| a.is_some_and(of_name) && b.is_some_and(of_name);
    let alone = move |at: &usize| {
        let (before, after) = (&text[..*at], &text[at + word.len()..]);
        !joins(before.chars().last(), word.chars().next())
            && !joins(word.chars().last(), after.chars().next())
    };
    text.match_indices(word).map(|(at, _)| at).filter(alone)
}

pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn name_at(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|c| of_name(*c))
        .collect()
}

/// The first names of what follows `crate::`: one, or one for each branch of a group.
fn heads(path: &str) -> impl Iterator<Item = String> {
    let path = path.trim_start();
    let mut names = vec![name_at(path)];
    if path.starts_with('{') {
        let mut depth = 0;
        for (at, c) in path[..end_of_braces(path)].char_indices() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 1 && (c == '{' || c == ',') {
                names.push(name_at(&path[at + 1..]));
            }
        }
    }
    names.into_iter().filter(|name| !name.is_empty())
}

/// The end of the first pair of braces, or of a statement that ends before any brace.
fn end_of_braces(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from("{[(".contains(c)) - i32::from("}])".contains(c));
        if depth == 0 && (c == '}' || c == ';') {
            return at + 1;
        }
    }
    text.len()
}

fn blank(text: &str) -> String {
    let keep = |c| if c == '\n' { c } else { ' ' };
    text.chars().map(keep).collect()
}

fn without_tests(mut code: String) -> String {
    while let Some(from) = code.find("#[cfg(test)]") {
        let to = from + end_of_braces(&code[from..]);
        code.replace_range(from..to, &blank(&code[from..to]));
    }
    code
}

fn split(text: &str, sql: bool) -> (String, Vec<(usize, String)>) {
    let (mut code, mut literals, mut rest) = (String::new(), Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let before = code.chars().last().unwrap_or(' ');
        let literal = literal(rest, before, sql);
        let length = literal.or_else(|| comment(rest, sql));
        let (token, after) = rest.split_at(length.unwrap_or(c.len_utf8()));

        if literal.is_some() {
            literals.push((line_of(&code, code.len()), token.to_owned()));
        }
        match length {
            Some(_) => code.push_str(&blank(token)),
            None => code.push_str(token),
        }
        rest = after;
    }
    (code, literals)
}

/// The length of the comment that `text` begins with.
fn comment(text: &str, sql: bool) -> Option<usize> {
    if text.starts_with(if sql { "--" } else { "//" }) {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        depth += i32::from(text[at..].starts_with("/*"));
        depth -= i32::from(text[..at].ends_with('*') && text[at..].starts_with('/'));
        if depth == 0 {
            return text.starts_with("/*").then_some(at + 1);
        }
    }
    Some(text.len())
}

/// The length of the string or character literal that `text` begins with.
fn literal(text: &str, before: char, sql: bool) -> Option<usize> {
    let to = |end: &str, from: usize| {
        let found = text.get(from..).and_then(|rest| rest.find(end));
        found.map_or(text.len(), |at| from + at + end.len())
    };
    if sql {
        return text.starts_with('\'').then(|| to("'", 1));
    }
    if text.starts_with('"') {
        return Some(end_of_string(text));
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        let escaped = quoted.starts_with('\\');
        let one = quoted
            .chars()
            .next()
            .filter(|_| quoted.chars().nth(1) == Some('\''));
        return match one {
            _ if escaped => Some(to("'", 3)),
            Some(c) => Some(c.len_utf8() + 2),
            None => None, // a lifetime
        };
    }
    let raw = ["r", "br", "cr"]
        .iter()
        .find_map(|r| text.strip_prefix(r))?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let opens = !of_name(before) && raw[hashes..].starts_with('"');
    let end = format!("\"{}", "#".repeat(hashes));
    opens.then(|| to(&end, text.len() - raw.len() + hashes + 1))
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

#[test]
fn code_is_told_from_comments_literals_and_tests() {
    let text = concat!(
        "a(\"x // \\\" y\"); // b\nlet c = 'c'; let d: &'d str = r#\"e\"#; let q = '\"';\n",
        "/* f /* g */ h */ i\n#[cfg(test)]\nmod tests { fn j() {} }\nfn k() { '\\'' }\n"
    );
    let source = Source::new("src/a.rs", text);
    let words: String = source.code.split_whitespace().collect();
    assert_eq!(words, "a();letc=;letd:&'dstr=;letq=;ifnk(){}");
    assert_eq!(source.literals[1], (2, "'c'".to_owned()));
    assert_eq!(source.lines_with("fn"), [6]);
}

#[test]
fn a_path_is_followed_in_groups_and_through_super() {
    let text = "use crate::{\n  a, b::{c, d},\n};\nfn e() { crate::f::g(); super::super::h::i() }";
    let reached = Source::new("src/x/y.rs", text).reaches();
    let names: Vec<&str> = reached.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "f", "h"]);
    assert_eq!(reached[2].0, 4);
}
