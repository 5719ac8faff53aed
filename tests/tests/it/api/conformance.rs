//! The audits of npm's `graphql-http` for servers of GraphQL over HTTP, where npm is there to install them.

use std::process::{Command, Stdio};

use super::front::Front;
use crate::harness::{skipped, unique};

/// Prints a line for each audit that is not passed.
const SCRIPT: &str = "
import { auditServer } from 'graphql-http';
for (const result of await auditServer({ url: process.argv[2] })) {
    if (result.status !== 'ok') console.log(result.id, result.name, result.reason);
}
console.log('audited');
";

#[tokio::test]
async fn every_audit_of_graphql_over_http_is_passed() {
    let folder = std::env::temp_dir().join(unique("graphql_http"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let installed = Command::new("npm")
        .args(["install", "--no-save", "--no-audit", "--no-fund", "graphql-http@1.23.1", "graphql@16"])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if installed.is_ok_and(|status| status.success()) {
        let front = Front::open().await;
        std::fs::write(folder.join("audit.mjs"), SCRIPT).expect("a script");
        let mut audit = Command::new("node");
        audit.args(["audit.mjs", &front.url("/graphql")]).current_dir(&folder);
        let said =
            tokio::task::spawn_blocking(move || audit.output()).await.expect("a task").expect("node runs");
        assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            "audited\n",
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    } else {
        skipped("every_audit_of_graphql_over_http_is_passed", "npm that installs graphql-http");
    }
    drop(std::fs::remove_dir_all(&folder));
}
