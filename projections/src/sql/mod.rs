//! Projections in SQL: one file that says which events it reads, which tables it makes, and what is done with a batch of
//! them; run over any part of the log, once or for as long as the log grows. Nothing in a file reaches beyond its own
//! schema. `docs/sql-projections.md` is the manual.

mod account;
mod error;
mod explain;
mod file;
mod gather;
mod lexer;
mod process;
mod relation;
mod resume;
mod session;
mod shown;
mod standing;
mod state;
mod used;
mod volatile;
mod words;
mod worker;

pub use account::Limits;
pub use error::{Blamed, FileError, SqlError};
pub use explain::{Plan, explain};
pub use file::{Projection, Section, Statement};
pub use process::run;
pub use session::{Progress, Request, Session};
pub use shown::{Column, Shown};
pub use standing::{Standing, standing};
