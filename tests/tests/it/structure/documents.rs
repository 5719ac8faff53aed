//! That the documents speak of files, links, keys and metrics that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::workspace::Workspace;

/// The documents that people wrote.
fn documents(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![top.join("README.md"), top.join("CONTRIBUTING.md")];
    for folder in ["docs", "docs/adr"] {
        let entries = fs::read_dir(top.join(folder)).expect("the folder of documents");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    found
}

/// What a text has in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The files that a text names from the top of the repository, patterns and prose aside.
fn named_files(text: &str) -> Vec<&str> {
    let is_file = |span: &&str| {
        let plain = span.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
        let pattern = span.split('/').any(|part| ["AGGREGATE", "NAME", "RESOURCE"].contains(&part));
        let known = [".rs", ".sql", ".md", ".graphql"].iter().any(|end| span.ends_with(end));
        plain && !pattern && known && span.contains('/')
    };
    quoted(text).filter(is_file).collect()
}

/// The files that a text links to, relative to itself.
fn linked_files(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = links.map(|(target, _)| target).filter(|target| !target.contains("://"));
    targets.map(|target| target.split_once('#').map_or(target, |(file, _)| file)).collect()
}

/// The metrics that a source file emits.
fn metrics(source: &str) -> Vec<&str> {
    let calls =
        ["counter!(", "gauge!(", "histogram!("].into_iter().flat_map(|call| source.split(call).skip(1));
    let named = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    named.map(|(name, _)| name).filter(|name| name.starts_with("daybook_")).collect()
}

/// The names in the first column of the guide's tables that `is_one` takes.
fn listed(guide: &str, is_one: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    rows.flat_map(|(first, _)| quoted(first)).filter(|name| is_one(name)).collect()
}

#[test]
fn what_documents_name_is_there() {
    let top = Workspace::find().workspace_root;
    let mut missing = Vec::new();
    for document in documents(&top) {
        let text = fs::read_to_string(&document).expect("a document");
        let folder = document.parent().expect("a document is in a folder");
        let named = named_files(&text).into_iter().map(|file| top.join(file));
        let files = named.chain(linked_files(&text).into_iter().map(|file| folder.join(file)));
        missing.extend(files.filter(|file| !file.exists()).map(|file| (document.clone(), file)));
    }
    assert_eq!(missing, Vec::new());
}

#[test]
fn the_operations_guide_lists_every_metric_and_no_other() {
    let workspace = Workspace::find();
    let guide = fs::read_to_string(workspace.workspace_root.join("docs/operations.md")).expect("the guide");
    let sources = workspace.sources().into_iter().filter(|path| !path.ends_with(file!()));
    let texts: Vec<String> = sources.map(|path| fs::read_to_string(path).expect("a source file")).collect();
    let emitted: BTreeSet<&str> = texts.iter().flat_map(|text| metrics(text)).collect();
    assert_eq!(listed(&guide, |name| name.starts_with("daybook_")), emitted);
}

#[test]
fn the_operations_guide_lists_every_key_of_the_configuration_and_no_other() {
    let top = Workspace::find().workspace_root;
    let guide = fs::read_to_string(top.join("docs/operations.md")).expect("the guide");
    let keys = fs::read_to_string(top.join("eventstore/src/process/config/key.rs")).expect("the keys");
    let defined = keys.split_once("\ndefine! {").expect("the list of keys").1;
    let is_key = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let names = defined.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name);
    assert_eq!(listed(&guide, is_key), names.filter(|name| is_key(name)).collect());
}

#[test]
fn names_and_links_are_found_in_a_text() {
    let text = "see `api/src/lib.rs` and `a b/c.rs`, [there](docs/x.md#part), [out](https://example.org/y.md), \
                `domain/src/NAME/mod.rs`, `fold.rs`";
    assert_eq!(named_files(text), ["api/src/lib.rs"]);
    assert_eq!(linked_files(text), ["docs/x.md"]);
    assert_eq!(metrics("counter!(\n \"daybook_a_total\", \"x\" => 1); gauge!(name)"), ["daybook_a_total"]);
    assert_eq!(listed("| `A_B`, `C` | `D` |\nE | `F` |", |_| true), BTreeSet::from(["A_B", "C"]));
}
