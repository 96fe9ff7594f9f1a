//! HTML to blocks. Only what the Matrix specification lists means anything; of the rest the text stays.

use super::{Block, Run};
use crate::{links::followable, sanitize};
use ratatui::style::Modifier;
use ruma::html::{ElementData, Html, NodeData, NodeRef};

/// More tags than this are not worth a terminal's time: the plain text is shown instead.
const TAGS_MAX: usize = 2_000;
/// Deeper elements than this are passed over.
const DEPTH_MAX: usize = 40;
/// A list may begin with any number up to this.
const NUMBER_MAX: u64 = 999_999;

/// The blocks that `html` means; `None` where there is nothing to show.
pub fn of_html(html: &str) -> Option<Vec<Block>> {
    if html.bytes().filter(|byte| *byte == b'<').count() > TAGS_MAX {
        return None;
    }
    let mut page = Page::default();
    for node in Html::parse(html).children() {
        page.walk(&node, &Run::default(), 0);
    }
    let blocks = page.finish();
    (!blocks.is_empty()).then_some(blocks)
}

/// Blocks, and the runs of the one being written.
#[derive(Default)]
struct Page {
    blocks: Vec<Block>,
    runs: Vec<Run>,
}

impl Page {
    fn walk(&mut self, node: &NodeRef, look: &Run, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match node.data() {
            NodeData::Text(text) => {
                self.add(&collapsed(&sanitize::clean(&text.borrow())), look);
            }
            NodeData::Element(element) => self.element(node, element, look, depth + 1),
            NodeData::Document | NodeData::Other => {}
        }
    }

    fn inside(&mut self, node: &NodeRef, look: &Run, depth: usize) {
        for child in node.children() {
            self.walk(&child, look, depth);
        }
    }

    /// What stands inside `node`, on a page of its own.
    fn apart(node: &NodeRef, look: &Run, depth: usize) -> Vec<Block> {
        let mut page = Page::default();
        page.inside(node, look, depth);
        page.finish()
    }

    fn element(&mut self, node: &NodeRef, element: &ElementData, look: &Run, depth: usize) {
        let with = |modifier: Modifier| Run { modifier: look.modifier | modifier, ..look.clone() };
        match element.name.local.as_ref() {
            "mx-reply" | "script" | "style" | "head" | "title" => {}
            "b" | "strong" => self.inside(node, &with(Modifier::BOLD), depth),
            "i" | "em" => self.inside(node, &with(Modifier::ITALIC), depth),
            "u" => self.inside(node, &with(Modifier::UNDERLINED), depth),
            "s" | "del" | "strike" => self.inside(node, &with(Modifier::CROSSED_OUT), depth),
            "code" => self.inside(node, &Run { code: true, ..look.clone() }, depth),
            "br" => self.runs.push(Run { text: "\n".to_owned(), ..Run::default() }),
            "a" => self.anchor(node, element, look, depth),
            "img" => self.image(element, look),
            "span" | "div" if self.math(element, look) => {}
            "span" => self.span(node, element, look, depth),
            "p" | "div" | "details" | "summary" | "center" => {
                self.flush();
                self.inside(node, look, depth);
                self.flush();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let mut heading = Page::default();
                heading.inside(node, look, depth);
                self.push(Block::Heading(trimmed(heading.runs)));
            }
            "hr" => self.push(Block::Rule),
            "blockquote" => self.push(Block::Quote(Self::apart(node, look, depth))),
            "pre" => self.push(code_block(node)),
            "ul" => self.push(Block::List { first: None, items: items(node, look, depth) }),
            "ol" => {
                let first = attribute(element, "start").and_then(|start| start.parse().ok());
                let first = Some(first.unwrap_or(1).min(NUMBER_MAX));
                self.push(Block::List { first, items: items(node, look, depth) });
            }
            "table" => self.push(table(node, look, depth)),
            _ => self.inside(node, look, depth),
        }
    }

    fn anchor(&mut self, node: &NodeRef, element: &ElementData, look: &Run, depth: usize) {
        let link = attribute(element, "href").and_then(|href| followable(&href));
        // Somebody's name: it stands out as such.
        let person = link.as_ref().is_some_and(|link| {
            link.starts_with("https://matrix.to/#/@") || link.starts_with("matrix:u/")
        });
        let modifier = if person { look.modifier | Modifier::BOLD } else { look.modifier };
        self.inside(node, &Run { link, modifier, ..look.clone() }, depth);
    }

    fn image(&mut self, element: &ElementData, look: &Run) {
        let words = ["alt", "title"].iter().find_map(|name| attribute(element, name));
        let words = words.map(|words| sanitize::line(&words)).filter(|words| !words.is_empty());
        self.add(&words.unwrap_or_else(|| "[picture]".to_owned()), look);
    }

    /// A formula as it was written; `false` where there is none.
    fn math(&mut self, element: &ElementData, look: &Run) -> bool {
        let Some(formula) = attribute(element, "data-mx-maths") else { return false };
        let text = sanitize::clean(&formula);
        if element.name.local.as_ref() == "div" {
            self.push(Block::Code { language: None, text });
        } else {
            self.add(&text, &Run { code: true, ..look.clone() });
        }
        true
    }

    fn span(&mut self, node: &NodeRef, element: &ElementData, look: &Run, depth: usize) {
        let Some(reason) = attribute(element, "data-mx-spoiler") else {
            return self.inside(node, look, depth);
        };
        let reason = sanitize::line(&reason);
        if !reason.is_empty() {
            self.add(&format!("({reason}) "), look);
        }
        self.inside(node, &Run { hidden: true, ..look.clone() }, depth);
    }

    fn add(&mut self, text: &str, look: &Run) {
        let open = self.runs.last().is_none_or(|run| run.text.ends_with([' ', '\n']));
        let text = if open { text.trim_start_matches(' ') } else { text };
        if !text.is_empty() {
            self.runs.push(Run { text: text.to_owned(), ..look.clone() });
        }
    }

    fn flush(&mut self) {
        let runs = trimmed(std::mem::take(&mut self.runs));
        if !runs.is_empty() {
            self.blocks.push(Block::Paragraph(runs));
        }
    }

    fn push(&mut self, block: Block) {
        self.flush();
        self.blocks.push(block);
    }

    fn finish(mut self) -> Vec<Block> {
        self.flush();
        self.blocks
    }
}

/// Runs without blanks and line ends at their end.
fn trimmed(mut runs: Vec<Run>) -> Vec<Run> {
    while let Some(last) = runs.last_mut() {
        last.text.truncate(last.text.trim_end().len());
        if !last.text.is_empty() {
            break;
        }
        runs.pop();
    }
    runs
}

/// `text` with every stretch of blanks and line ends as one blank, as HTML has it.
fn collapsed(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for c in text.chars() {
        if !matches!(c, ' ' | '\n') {
            collapsed.push(c);
        } else if !collapsed.ends_with(' ') {
            collapsed.push(' ');
        }
    }
    collapsed
}

fn attribute(element: &ElementData, name: &str) -> Option<String> {
    let attributes = element.attrs.borrow();
    attributes
        .iter()
        .find(|attribute| attribute.name.local.as_ref() == name)
        .map(|attribute| attribute.value.to_string())
}

/// The child elements called one of `names`.
fn children(node: &NodeRef, names: &'static [&'static str]) -> impl Iterator<Item = NodeRef> {
    node.children().filter(move |child| {
        child.as_element().is_some_and(|element| names.contains(&element.name.local.as_ref()))
    })
}

fn items(node: &NodeRef, look: &Run, depth: usize) -> Vec<Vec<Block>> {
    children(node, &["li"]).map(|item| Page::apart(&item, look, depth)).collect()
}

fn table(node: &NodeRef, look: &Run, depth: usize) -> Block {
    let mut rows = Vec::new();
    let mut head = false;
    let parts = children(node, &["thead", "tbody", "tfoot"]).chain([node.clone()]);
    for row in parts.flat_map(|part| children(&part, &["tr"]).collect::<Vec<_>>()) {
        head |= rows.is_empty() && children(&row, &["th"]).next().is_some();
        let cells = children(&row, &["td", "th"]).map(|cell| {
            let mut page = Page::default();
            page.inside(&cell, look, depth);
            let mut runs = Vec::new();
            super::each_run(&page.finish(), &mut |run| runs.push(run.clone()));
            for run in &mut runs {
                run.text = run.text.replace('\n', " ");
            }
            runs
        });
        rows.push(cells.collect());
    }
    Block::Table { head, rows }
}

fn code_block(node: &NodeRef) -> Block {
    let code = children(node, &["code"]).next();
    let class =
        code.as_ref().and_then(NodeRef::as_element).and_then(|code| attribute(code, "class"));
    let language = class.and_then(|class| {
        let name = class.split_whitespace().find_map(|class| class.strip_prefix("language-"))?;
        Some(sanitize::line(name))
    });
    let mut text = String::new();
    gather(node, &mut text, 0);
    Block::Code { language, text: sanitize::clean(&text).trim_matches('\n').to_owned() }
}

/// The text below `node` as it stands.
fn gather(node: &NodeRef, text: &mut String, depth: usize) {
    for child in node.children().filter(|_| depth < DEPTH_MAX) {
        match child.data() {
            NodeData::Text(part) => text.push_str(&part.borrow()),
            NodeData::Element(element) if element.name.local.as_ref() == "br" => text.push('\n'),
            _ => gather(&child, text, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of_html;
    use crate::rich::{Block, Run, hides, links};
    use ratatui::style::Modifier;

    fn run(text: &str) -> Run {
        Run { text: text.to_owned(), ..Run::default() }
    }

    #[test]
    fn marks_of_a_line_are_kept_and_blanks_are_one() {
        let blocks =
            of_html("a  <b>bold\n <em>both</em></b> <code>x</code> <del>no</del>").unwrap();
        let bold = Run { modifier: Modifier::BOLD, ..run("bold ") };
        let both = Run { modifier: Modifier::BOLD | Modifier::ITALIC, ..run("both") };
        let code = Run { code: true, ..run("x") };
        let gone = Run { modifier: Modifier::CROSSED_OUT, ..run("no") };
        let line = vec![run("a "), bold, both, run(" "), code, run(" "), gone];
        assert_eq!(blocks, [Block::Paragraph(line)]);
    }

    #[test]
    fn blocks_come_one_after_another() {
        let html = "<h2>Head</h2><p>one<br>two</p><ol start=\"3\"><li>x<ul><li>y</li></ul></li></ol>\
                    <blockquote><p>said</p></blockquote><pre><code class=\"language-rust\">let a;\n</code></pre><hr>";
        let inner =
            Block::List { first: None, items: vec![vec![Block::Paragraph(vec![run("y")])]] };
        let code = Block::Code { language: Some("rust".to_owned()), text: "let a;".to_owned() };
        assert_eq!(
            of_html(html).unwrap(),
            [
                Block::Heading(vec![run("Head")]),
                Block::Paragraph(vec![run("one"), run("\n"), run("two")]),
                Block::List {
                    first: Some(3),
                    items: vec![vec![Block::Paragraph(vec![run("x")]), inner]]
                },
                Block::Quote(vec![Block::Paragraph(vec![run("said")])]),
                code,
                Block::Rule,
            ]
        );
    }

    #[test]
    fn only_harmless_links_lead_anywhere_and_entities_hide_no_control_characters() {
        let blocks = of_html(
            "<a href=\"javascript:x\">bad</a> <a href=\"https://example.org/\">go&#27;[2J\u{202e}od</a>\
             <script>alert()</script><img src=\"mxc://a/b\" alt=\":cat&#7;:\">",
        )
        .unwrap();
        assert_eq!(links(&blocks), ["https://example.org/"]);
        let shown = format!("{blocks:?}");
        assert!(!shown.contains("u{1b}") && !shown.contains("u{7}") && !shown.contains("alert"));
        assert!(shown.contains("go[2Jod") && shown.contains(":cat:"), "{shown}");
    }

    #[test]
    fn what_gives_something_away_is_hidden() {
        let blocks =
            of_html("so <span data-mx-spoiler=\"the end\">it was <b>her</b></span>").unwrap();
        assert!(hides(&blocks));
        let Block::Paragraph(runs) = &blocks[0] else { panic!("{blocks:?}") };
        let open: String =
            runs.iter().filter(|run| !run.hidden).map(|run| run.text.as_str()).collect();
        assert_eq!(open, "so (the end) ");
    }

    #[test]
    fn monsters_are_refused() {
        assert_eq!(of_html(&"<b>".repeat(20_000)), None);
        assert!(of_html(&format!("{}deep", "<div>".repeat(1_000))).is_none());
        assert_eq!(of_html("<!-- nothing -->"), None);
    }
}
