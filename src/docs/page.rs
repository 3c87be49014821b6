//! A page of the documentation: Markdown as a whole HTML document that asks for nothing from elsewhere.

use pulldown_cmark::{Event, Options, Parser, html};

/// A guide.
#[derive(Debug, Clone, Copy)]
pub struct Guide {
    /// The last part of its address.
    pub slug: &'static str,
    /// Markdown, beginning with its title.
    pub text: &'static str,
}

/// Every guide, in the order in which they are best read.
pub const GUIDES: [Guide; 9] = [
    Guide {
        slug: "getting-started",
        text: include_str!("../../docs/guides/getting-started.md"),
    },
    Guide {
        slug: "idempotency",
        text: include_str!("../../docs/guides/idempotency.md"),
    },
    Guide {
        slug: "errors",
        text: include_str!("../../docs/guides/errors.md"),
    },
    Guide {
        slug: "imports",
        text: include_str!("../../docs/guides/imports.md"),
    },
    Guide {
        slug: "events",
        text: include_str!("../../docs/guides/events.md"),
    },
    Guide {
        slug: "webhooks",
        text: include_str!("../../docs/guides/webhooks.md"),
    },
    Guide {
        slug: "acting-for-a-member",
        text: include_str!("../../docs/guides/acting-for-a-member.md"),
    },
    Guide {
        slug: "keeping-your-own-balances",
        text: include_str!("../../docs/guides/keeping-your-own-balances.md"),
    },
    Guide {
        slug: "going-live",
        text: include_str!("../../docs/guides/going-live.md"),
    },
];

/// What changed for those who use the API.
pub const CHANGELOG: &str = include_str!("../../CHANGELOG.md");

/// What the pages look like.
pub const STYLE: &str = include_str!("../../docs/guides/style.css");

impl Guide {
    pub fn title(&self) -> &'static str {
        title(self.text)
    }

    pub fn find(slug: &str) -> Option<&'static Guide> {
        GUIDES.iter().find(|guide| guide.slug == slug)
    }
}

/// The text of the first heading.
pub fn title(text: &str) -> &str {
    let first = text.lines().find_map(|line| line.strip_prefix("# "));
    first.unwrap_or_default()
}

/// The list of guides, as Markdown.
pub fn contents() -> String {
    let line = |guide: &Guide| format!("- [{}](/docs/guides/{})\n", guide.title(), guide.slug);
    let guides: String = GUIDES.iter().map(line).collect();
    format!(
        "# Guides\n\n{guides}- [Changelog](/docs/changelog)\n- [Every operation, to be read and tried](/docs/)\n- [Every problem](/problems)\n"
    )
}

/// The whole document. HTML within the Markdown is shown, not obeyed.
pub fn render(text: &str) -> String {
    let events = Parser::new_ext(
        text,
        Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES,
    );
    let events = events.map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut content = String::new();
    html::push_html(&mut content, events);
    let title = title(text);
    let links = GUIDES.iter().map(|guide| {
        let current = if guide.title() == title {
            " aria-current=\"page\""
        } else {
            ""
        };
        format!(
            "<li><a href=\"/docs/guides/{}\"{current}>{}</a></li>",
            guide.slug,
            guide.title()
        )
    });
    let links: String = links.collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – Interline</title>\n<link rel=\"stylesheet\" href=\"/docs/guides/style.css\">\n</head>\n<body>\n\
         <nav aria-label=\"Documentation\"><ul>{links}<li><a href=\"/docs/changelog\">Changelog</a></li>\
         <li><a href=\"/docs/\">All operations</a></li></ul></nav>\n<main>\n{content}</main>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_one_title_and_asks_nobody_else() {
        let contents = contents();
        let texts = GUIDES.iter().map(|guide| guide.text);
        for text in texts.chain([CHANGELOG, &contents]) {
            let page = render(text);
            assert_eq!(page.matches("<h1").count(), 1, "{}", title(text));
            assert!(!title(text).is_empty());
            for foreign in ["<script", "src=", "style=\""] {
                assert!(!page.contains(foreign), "{}: {foreign}", title(text));
            }
        }
    }

    #[test]
    fn html_in_a_text_is_shown() {
        let page = render("# A\n\n<b>bold</b> <script>alert(1)</script>\n");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }
}
