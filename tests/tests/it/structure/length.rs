//! That no file outgrows its reader.

use std::fs;
use std::path::{Path, PathBuf};

use super::workspace::Workspace;

/// The most lines that a file may have, tests excepted.
const LINES: usize = 400;

/// The Rust files of the workspace's crates.
fn sources(workspace: &Workspace) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for package in &workspace.packages {
        gather(package.manifest_path.parent().expect("a crate has a folder"), &mut found);
    }
    found
}

fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            gather(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Tests may be as long as their list of cases. The path begins at the top of the workspace.
fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
        || path.components().any(|part| part.as_os_str() == "tests")
}

fn is_too_long(text: &str) -> bool {
    text.lines().count() > LINES
}

#[test]
fn no_file_outside_tests_is_longer_than_four_hundred_lines() {
    let workspace = Workspace::find();
    let sources = sources(&workspace);
    assert!(sources.iter().any(|path| path.ends_with("domain/src/lib.rs")), "the crates are found");
    let within = |path: &PathBuf| path.strip_prefix(&workspace.workspace_root).expect("within").to_path_buf();
    let too_long: Vec<PathBuf> = sources
        .iter()
        .filter(|path| is_too_long(&fs::read_to_string(path).expect("a source file")))
        .map(within)
        .filter(|path| !is_test(path))
        .collect();
    assert_eq!(too_long, Vec::<PathBuf>::new());
}

#[test]
fn a_file_of_four_hundred_and_one_lines_is_too_long() {
    assert!(!is_too_long(&"line\n".repeat(LINES)));
    assert!(is_too_long(&"line\n".repeat(LINES + 1)));
    assert!(is_test(Path::new("domain/src/order/tests.rs")));
    assert!(!is_test(Path::new("xtask/src/test.rs")));
}
