//! `cargo xtask token`: a development token for the Daybook that runs, for whoever tries the API by hand.

use crate::api::{Role, Shop};
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// For whom.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// What the client is to the shop.
    #[arg(value_enum)]
    role: Role,
    /// Who it is: a customer's UUID, or any name of one of the shop's people, which histories then show.
    #[arg(long)]
    name: Option<String>,
}

/// Prints it.
pub fn run(options: &Options) -> Result<()> {
    let name = match (&options.name, options.role) {
        (Some(name), _) => name,
        (None, Role::Customer) => return Err(Failure::new("a customer needs --name and an account's UUID")),
        (None, _) => "developer",
    };
    let shop = Shop::running(&Workspace::find()?.home())?;
    println!("{}", shop.token(options.role, name)?);
    Ok(())
}
