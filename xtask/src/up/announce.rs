//! What `up` tells when everything is ready.

use std::fmt::Write;
use std::path::Path;

use crate::home::{Kind, Recorded};

/// The addresses a newcomer wants, then those of every process.
pub(super) fn text(api: &str, processes: &[Recorded], home: &Path, in_background: bool) -> String {
    let mut text = format!(
        "\nDaybook is ready.\n\n  {:<28}{api}/graphql\n  {:<28}{api}/graphiql\n\n",
        "GraphQL API", "GraphiQL"
    );
    for process in processes {
        let url = match process.kind {
            Kind::Server => process.url.clone(),
            Kind::Daybook => process.probe.to_string(),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {:<28}{url}", process.name);
    }
    let stop = if in_background { "`cargo xtask down`" } else { "Ctrl-C, or `cargo xtask down` elsewhere" };
    let _ =
        write!(text, "\n  {:<28}{}\n  {:<28}{stop}\n\n", "logs", home.join("logs").display(), "to stop it");
    text
}
