//! That no file outgrows its reader.

use std::fs;
use std::path::{Path, PathBuf};

use super::workspace::Workspace;

/// The most lines that a file may have, tests excepted.
const LINES: usize = 400;

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
    let sources = workspace.sources();
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
