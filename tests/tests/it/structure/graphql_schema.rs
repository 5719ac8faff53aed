//! That `docs/schema.graphql` is the schema as the code has it. `UPDATE=1` writes it anew.

use std::fs;

use super::workspace::Workspace;

#[test]
fn the_schema_in_the_docs_is_the_schema_that_is_served() {
    let path = Workspace::find().workspace_root.join("docs/schema.graphql");
    let served = daybook_api::sdl();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &served).expect("the schema is written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == served, "docs/schema.graphql is stale: run this test with UPDATE=1");
}
