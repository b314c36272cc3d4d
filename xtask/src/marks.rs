//! Figures that commands write into documents: they stand between `<!-- NAME -->` and `<!-- end -->`, and the words around
//! them are written by hand.

use std::{fs, path::Path};

use crate::shell::{Failure, Result};

const END: &str = "<!-- end -->";

/// What stands between the marks now.
pub(crate) fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&begin(name))?;
    after.split_once(END).map(|(between, _)| between)
}

/// Puts `made` between the marks of a document.
pub(crate) fn write(document: &Path, name: &str, made: &str) -> Result<()> {
    let explain = |error| Failure::Broken(format!("{}: {error}", document.display()));
    let text = fs::read_to_string(document).map_err(explain)?;
    let filled = fill(&text, name, made).ok_or_else(|| {
        let mark = begin(name);
        Failure::Broken(format!(
            "{} has no {} and {END}",
            document.display(),
            mark.trim()
        ))
    })?;
    if filled == text {
        return Ok(());
    }
    fs::write(document, filled).map_err(explain)
}

fn fill(text: &str, name: &str, made: &str) -> Option<String> {
    let begin = begin(name);
    let (before, after) = text.split_once(&begin)?;
    let (_, behind) = after.split_once(END)?;
    Some(format!("{before}{begin}{made}{END}{behind}"))
}

fn begin(name: &str) -> String {
    format!("<!-- {name} -->\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n<!-- hours -->\nold\n<!-- end -->\nb\n<!-- kinds -->\n<!-- end -->\n";

    #[test]
    fn only_what_stands_between_its_own_marks_is_replaced() {
        let made = fill(TEXT, "kinds", "new\n").unwrap();
        assert_eq!(between(&made, "kinds"), Some("new\n"));
        assert_eq!(between(&made, "hours"), Some("old\n"));
        assert_eq!(made.replace("new\n", ""), TEXT);
    }

    #[test]
    fn a_document_without_the_marks_is_not_written() {
        assert_eq!(fill(TEXT, "stages", ""), None);
        assert_eq!(fill("<!-- hours -->\n", "hours", ""), None);
    }
}
