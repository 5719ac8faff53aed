//! Programs of others, which ours are compared with: Python scripts in `tests/counterparts`, in the environment that
//! `cargo xtask test` prepared.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::skipped;

/// What a script prints, line by line as JSON; nothing, and a word about it, where there is no Python for it.
pub(crate) async fn counterpart(
    test: &str,
    script: &str,
    arguments: &[&str],
    input: &str,
) -> Option<Vec<serde_json::Value>> {
    let Ok(python) = std::env::var("DAYBOOK_TEST_PYTHON") else {
        skipped(test, "Python environment");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts").join(script);
    let mut command = Command::new(python);
    command.arg(script).args(arguments).kill_on_drop(true);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the script starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).await.expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    Some(lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}
