//! HTML that runs nothing, whoever wrote it, once a browser has parsed it: by ammonia, which parses as browsers do
//! (html5ever) and writes out anew only what is on a list.
//!
//! No list has `style`, `class`, `id` or `name`, which reach into the page around it, nor a frame, a form or a drawing.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use ammonia::{Builder, UrlRelative};

/// A list of what may stay, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allow {
    /// Emphasis, lists, quotations, code and links.
    Basic,
    /// And headings, tables and pictures.
    Rich,
}

/// The most tags in one text. A parser of HTML carries what was left open from paragraph to paragraph, so that the work can
/// grow with their square.
const TAGS: usize = 1000;
/// By how much a text may grow: an `&` becomes `&amp;`, and what was left open is closed.
const GROWTH: usize = 5;
/// And by how much a short one may grow beside that, in bytes: a link says how it is followed.
const ROOM: usize = 256;
/// How often a text is written out anew until it stays as it is. Twice is enough for all that is known.
const PASSES: usize = 4;

const BASIC: [&str; 19] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "i",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "sup",
    "ul",
];
const RICH: [&str; 21] = [
    "caption",
    "dd",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "img",
    "ins",
    "q",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
];

static BASIC_ONLY: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = plain();
    builder.tags(BASIC.into());
    builder
});

static AND_RICH: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = plain();
    builder
        .tags(BASIC.into_iter().chain(RICH).chain(["tr"]).collect())
        .add_tag_attributes("img", ["src", "alt", "width", "height"])
        .add_tag_attributes("td", ["colspan", "rowspan"])
        .add_tag_attributes("th", ["colspan", "rowspan", "scope"]);
    builder
});

/// Nothing but links, to whole addresses of other places. A link without a host would lead into the page's own site.
fn plain() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .clean_content_tags(HashSet::from([
            "script",
            "style",
            "noscript",
            "template",
            "iframe",
            "noembed",
            "noframes",
            "xmp",
            "plaintext",
            "title",
            "textarea",
            "math",
            "svg",
        ]))
        .add_tag_attributes("a", ["href", "title"])
        .url_schemes(super::url::SCHEMES.into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .strip_comments(true);
    builder
}

impl Allow {
    /// The text with nothing in it but what is on the list. None if it is too much of a tangle to be told apart.
    pub(super) fn clean<'a>(self, text: &'a str) -> Option<Cow<'a, str>> {
        let mut seen = super::sanitise::clean(text);
        // What an entity stood for is there only once it was written out anew, and may itself have to go.
        for _ in 0..PASSES {
            if is_plain(&seen) {
                return Some(seen);
            }
            let cleaned = self.pass(&seen, text.len())?;
            if cleaned == *seen {
                return Some(seen);
            }
            seen = Cow::Owned(cleaned);
        }
        None
    }

    fn pass(self, text: &str, length: usize) -> Option<String> {
        if text.bytes().filter(|byte| *byte == b'<').count() > TAGS {
            return None;
        }
        let builder = match self {
            Self::Basic => &*BASIC_ONLY,
            Self::Rich => &*AND_RICH,
        };
        let cleaned = builder.clean(text).to_string();
        let cleaned = super::sanitise::clean(&cleaned).into_owned();
        (cleaned.len() <= GROWTH * length + ROOM).then_some(cleaned)
    }
}

/// What it takes to clean a text, in bytes to parse: even a short one needs a parser of its own.
pub(super) fn price(text: &str) -> usize {
    match is_plain(text) {
        true => 0,
        false => 16 + text.len(),
    }
}

/// Whether nothing in a text means anything in HTML: most messages.
fn is_plain(text: &str) -> bool {
    !text.contains(['<', '>', '&', '\u{a0}'])
}
