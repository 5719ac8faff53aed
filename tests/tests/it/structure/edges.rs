//! That no crate depends on another one than the architecture allows.

use super::workspace::Workspace;

/// Each crate, and the crates of the workspace it may depend on.
///
/// An edge is there for what a crate builds on. Where it then names types of a crate further down, that edge is
/// there too: `api` rests on `commands` and `projections`, and speaks in the ids and positions of `domain` and
/// `eventstore`. `replay-tools` rests on `eventstore` and `projections`; its import writes history through the
/// commands, and so takes `commands` and `domain`. `tests` sees all. `xtask` starts the others as programs, and so
/// knows none of them.
const ALLOWED: &[(&str, &[&str])] = &[
    ("daybook-domain", &[]),
    ("daybook-eventstore", &["daybook-domain"]),
    ("daybook-commands", &["daybook-domain", "daybook-eventstore"]),
    ("daybook-projections", &["daybook-domain", "daybook-eventstore"]),
    ("daybook-api", &["daybook-domain", "daybook-eventstore", "daybook-commands", "daybook-projections"]),
    ("daybook-replay", &["daybook-domain", "daybook-eventstore", "daybook-commands", "daybook-projections"]),
    (
        "daybook-tests",
        &[
            "daybook-domain",
            "daybook-eventstore",
            "daybook-commands",
            "daybook-projections",
            "daybook-api",
            "daybook-replay",
            "xtask",
        ],
    ),
    ("xtask", &[]),
];

/// The edges that are not allowed, and the crates that the table does not know.
fn violations(workspace: &Workspace) -> Vec<String> {
    let ours: Vec<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let mut found = Vec::new();
    for package in &workspace.packages {
        let Some((name, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            found.push(format!("{} is not in the table", package.name));
            continue;
        };
        let dependencies = package.dependencies.iter().map(|dependency| dependency.name.as_str());
        let forbidden = dependencies.filter(|other| ours.contains(other) && !allowed.contains(other));
        found.extend(forbidden.map(|other| format!("{name} must not depend on {other}")));
    }
    found
}

#[test]
fn crates_depend_only_on_what_the_architecture_allows() {
    let workspace = Workspace::find();
    assert_eq!(workspace.packages.len(), ALLOWED.len(), "every crate of the table is there");
    assert_eq!(violations(&workspace), Vec::<String>::new());
}

#[test]
fn an_edge_that_is_not_allowed_is_found() {
    let mut workspace = Workspace::find();
    let domain =
        workspace.packages.iter_mut().find(|package| package.name == "daybook-domain").expect("domain");
    domain.dependencies.push(super::workspace::Dependency { name: "daybook-eventstore".to_owned() });
    assert_eq!(violations(&workspace), ["daybook-domain must not depend on daybook-eventstore"]);
}
